"""The groups' robots and the interactive cards' template, tried without a message to anybody."""

import secrets
from collections.abc import AsyncIterator, Callable
from datetime import datetime

from yarl import URL

from bot.config import DingTalk, WeCom
from bot.doctor.check import Check, bad, good, unknown, unreached, why
from bot.platforms.dingtalk.answers import (
    DENIED,
    GROUP_GONE,
    HOOK_LOST,
    TEMPLATE,
    DingTalkError,
    NeedsAdmin,
)
from bot.platforms.dingtalk.cards import NO_TEMPLATE
from bot.platforms.dingtalk.client import DingTalkClient
from bot.platforms.dingtalk.crypto import signed
from bot.platforms.wecom.client import Upload, WeComClient
from store.domain.errors import Later, Spent, Undeliverable

WECOM, DINGTALK, CARD = "企业微信群机器人", "钉钉群机器人", "钉钉互动卡片"
NOTHING = Upload("leadbot.txt", "text/plain", b"leadbot doctor")
"""At least five bytes, and of a kind that is refused for nothing but the key (D:99110)."""
NO_MESSAGE = {"msgtype": "leadbot-doctor"}
"""Nothing that could be shown: a robot that takes the address refuses the kind (row 50)."""
NOT_A_MESSAGE = {"40035", "400105", "43004", "43009"}
KEYWORD = "keywords not in content"
MAKE = "/v1.0/card/instances"
UNSENT = "没往群里发消息"

Wrong = Later | Undeliverable


async def wecom_robot(client: WeComClient, settings: WeCom) -> AsyncIterator[Check]:
    """By a file nobody is shown: its address knows the key that messages go to (D:99110)."""
    url = settings.group_webhook.get_secret_value()
    if not url:
        return
    if not _is_address(url, "/webhook/send", "key"):
        yield _no_address(WECOM, "企业微信群 → 群设置 → 消息推送")
        return
    try:
        await client.upload_to_group(NOTHING)
    except (Later, Undeliverable) as error:
        yield _wecom_says(error)
    else:
        yield good(WECOM, f"地址有效，{UNSENT}")


def _wecom_says(error: Wrong) -> Check:
    if isinstance(error, Undeliverable) and error.alarm is None:
        return _no_address(WECOM, "企业微信群 → 群设置 → 消息推送")
    return _unclear(WECOM, error)


def _unclear(name: str, error: Wrong) -> Check:
    """In the words the admin is told it with, where it is the admin's to mend."""
    if error.alarm is not None:
        return Check(name, ok=False, line=f"✗ {name}：{error.alarm.text}")
    if unreached(error):
        return bad(name, f"连不上 group_webhook{why(error)}", "检查网络和地址里的域名")
    return unknown(name, error)


async def dingtalk_robot(
    client: DingTalkClient, settings: DingTalk, clock: Callable[[], datetime]
) -> AsyncIterator[Check]:
    """By what is no message: whoever does not know the address says so instead.

    Which of the two DingTalk looks at first is not said anywhere, so that a good line
    promises no more than that nothing was refused.
    """
    url = settings.group_webhook.get_secret_value()
    if not url:
        return
    if not _is_address(url, "/robot/send", "access_token"):
        yield _no_address(DINGTALK, "钉钉群 → 群设置 → 机器人")
        return
    secret = settings.group_webhook_secret.get_secret_value()
    try:
        await client.webhook(url, NO_MESSAGE, "robot/send", signed(secret, clock()))
    except (Later, Undeliverable) as error:
        yield _dingtalk_says(error)
    else:
        yield _not_refused()


def _not_refused() -> Check:
    return good(DINGTALK, f"没被钉钉拒绝，{UNSENT}；收到下一次日报就是通的")


def _dingtalk_says(error: Wrong) -> Check:
    code = error.code if isinstance(error, DingTalkError) else ""
    if code in NOT_A_MESSAGE:
        return _not_refused()
    if KEYWORD in str(error):
        note = "设了关键词，消息里没有它就会被拦下，改成「加签」更稳"
        return good(DINGTALK, f"{note}；{UNSENT}")
    if code in GROUP_GONE:
        return Check(DINGTALK, ok=False, line=f"✗ {DINGTALK}：{HOOK_LOST.text}")
    if code:
        return bad(DINGTALK, f"钉钉回答 {code}", "到群里「机器人」重新复制整个 Webhook 地址")
    return _unclear(DINGTALK, error)


async def card_template(client: DingTalkClient, settings: DingTalk) -> AsyncIterator[Check]:
    """By a card that is made and delivered to nobody (5.2, the first of two steps)."""
    if not settings.card_template_id:
        return
    body = {
        "cardTemplateId": settings.card_template_id,
        # What is there already is taken for a success, whatever the template (D:faq-card).
        "outTrackId": f"leadbot-doctor-{secrets.token_hex(8)}",
        "userIdType": 1,
        "cardData": {"cardParamMap": {}},
    }
    try:
        await client.call("POST", MAKE, body)
    except (Later, Undeliverable) as error:
        yield _card_says(error)
    else:
        yield good(CARD, "模板可用")


def _card_says(error: Wrong) -> Check:
    code = error.code if isinstance(error, DingTalkError | NeedsAdmin) else ""
    if code in NO_TEMPLATE:
        return Check(CARD, ok=False, line=f"✗ {CARD}：{TEMPLATE.text}")
    if code in DENIED:
        return bad(CARD, "没有权限，先发普通卡片", "开通「钉钉权限」那一行写的权限")
    if isinstance(error, Spent):
        return bad(CARD, "本月的调用用完了，问不了", "换专业版或买加量包，或等下个月再看")
    if isinstance(error, DingTalkError):
        do = "到卡片平台核对模板，导入 docs/dingtalk-card 里的那一份"
        return bad(CARD, f"钉钉回答 {code}", do)
    return _unclear(CARD, error)


def _is_address(url: str, path: str, key: str) -> bool:
    try:
        address = URL(url)
    except ValueError:
        return False
    there = address.scheme in {"http", "https"} and address.path.endswith(path)
    return there and bool(address.query.get(key, "").strip())


def _no_address(name: str, where: str) -> Check:
    return bad(name, "group_webhook 不是群机器人的地址", f"到{where}，重新复制整个地址")
