"""
What DingTalk's answers mean, as a table: nothing, try later, or never again.

The codes are those of D:server-api-error-codes-1 and of the API pages; what is
not in the table is final for a 4xx and passing for a 5xx.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import structlog

from store.domain.errors import Alarm, Down, Later, Spent, Undeliverable

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

BEIJING = timezone(timedelta(hours=8))  # the monthly quota is counted there

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
BANNED = timedelta(minutes=5)  # for every call of this address
THROTTLED = timedelta(minutes=10)  # a group robot after 20 messages in a minute
MENDING = timedelta(minutes=10)  # how soon an admin may have put it right

KEY_CHARS = 70  # as the store keeps them
NOT_DONE = "success=false"
TOKEN_REFUSED = {"InvalidAuthentication", "40001", "40014", "42001"}
QUOTA_USED_UP = {"Forbidden.AccessDenied.ApiCountLimitForOrg", "90020"}
DENIED = {"Forbidden.AccessDenied.AccessTokenPermissionDenied", "60011"}
TOO_FAST = {"send.too.fast", "send.toofast", "send.byToken.tooFast"}
WAIT = {
    "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi": SECOND,
    "Forbidden.AccessDenied.QpsLimitForApi": SECOND,
    "Forbidden.AccessDenied.QpmLimitForAppkeyAndApi": MINUTE,
    "90002": SECOND,
    "90018": SECOND,
    **dict.fromkeys(("410100", "130101", "302033"), THROTTLED),
}
# The relay's own back-off decides how long.
BUSY = {"system.busy", "systemBusy"}
PASSING = {"-1", "15", "88", *BUSY, "todo.taskCreate.flowControlError"}
# Some wrong parameters are reported as HTTP 500; waiting does not mend them.
WRONG_PARAMETER = ("param.", "invalidParameter.")

UNSAFE = {
    "contain.notAllowed.text", "contain.notAllowed.content", "contain.notAllowed.picture",
    "contain.unsafe.url", "param.contentUnsafe", "430101", "430102", "430103", "430104",
}  # fmt: skip
"""The content check: the words may get there without the links (rows 34 and 48)."""
TOO_LONG = {"msgParam.tooLong", "invalidParameter.msgParam.tooLong", "460101"}
GROUP_GONE = {
    "group.disbanded", "bot.stopped", "conversation.org.notMatch", "conversation.org.dismatch",
    "invalid.openConversationId", "resource.not.found", "400013", "400102", "400106",
}  # fmt: skip
"""Nothing said to this group will ever be heard (rows 30, 31, 32 and 47)."""
NO_CHAT = {"chatbotId.notAllow.sendOTO", "robot.oto.notExist", "session.expired"}
"""The robot cannot begin a chat with this person; a work notification gets there (27 and 28)."""
NOBODY = {"staffId.notExisted", "invalidStaffIdList", "33012", "60121", "40003", "40031"}
"""DingTalk knows no such person."""


@dataclass(frozen=True, slots=True)
class Mend:
    """What only an admin can put right. ``text``: what is true, and what to do about it.

    ``wide``: whatever is called, not only what this call is for.
    """

    key: str
    text: str
    after: timedelta = MENDING
    wide: bool = False

    def alarm(self, what: str = "") -> Alarm:
        """Of the call ``what``: only what uses the same calls can show that it is over."""
        which = "dingtalk" if self.wide else _part(what)
        return Alarm(f"{which}:{self.key}", self.text)


PARTS = {
    "/v1.0/card/": "dingtalk_card",
    "/v1.0/todo/": "dingtalk_todo",
    "/v1.0/workflow/": "dingtalk_form",
    "/v1.0/robot/groupMessages/": "dingtalk_group",
    "robot/send": "dingtalk_group",
    "/topapi/v2/user/getuserinfo": "dingtalk_login",
    "/topapi/v2/user/get": "dingtalk_todo",
    "/topapi/v2/department/": "dingtalk_directory",
    "/topapi/user/": "dingtalk_directory",
}


def _part(what: str) -> str:
    """Alarms are named after the channel that does not work."""
    return next((part for path, part in PARTS.items() if what.startswith(path)), "dingtalk")


SECRET = Mend(
    "secret",
    "钉钉不认 client_id 或 client_secret，消息都在等。"
    "到开发者后台「凭证与基础信息」重新复制到配置里，再重启",
    wide=True,
)
ADDRESS = Mend(
    "forbidden.ip",
    "这台服务器的出口 IP 不在钉钉的名单里，消息都在等。"
    "到开发者后台「安全设置 → 服务器出口 IP」加上它，之后会自动补发",
    wide=True,
)
SCOPE = "钉钉没给权限 {}，用到它的消息都在等。到开发者后台「权限管理」搜索并申请，开通后会自动补发"
APP_OFF = Mend(
    "app.disabled",
    "钉钉里的应用被停用了，消息都在等。到管理后台重新启用，之后会自动补发",
    wide=True,
)
PAUSED = Mend(
    "paused",
    "钉钉暂时不接受这个应用的调用，每分钟会自动再试。一直这样就联系钉钉客服",
    MINUTE,
    wide=True,
)
NO_ONE_TO_ONE = Mend(
    "robot.oto",
    "机器人不能主动给人发消息。到开发者后台「机器人」确认已启用、可见范围有这些人，再发布一次新版本",
)
NO_SESSION = Mend(
    "robot.session",
    "钉钉说机器人和有的同事之间没有会话，消息在等。请他们打开机器人说一句话；"
    "配置里写上 agent_id，以后就改发工作通知",
)
TEMPLATE = Mend(
    "template",
    "互动卡片的模板没找到或没发布，先发普通卡片。到卡片平台导入并发布模板，核对 card_template_id",
)
ROBOT_CODE = Mend(
    "robot.code",
    "钉钉说机器人不属于这个应用。核对 client_id，到开发者后台确认这个应用添加了机器人并已发布",
)
HOOK_LOST = Mend(
    "lost@",
    "group_webhook 的群解散了，或者群机器人被移除、停用了。到群里重新加一个，把地址写进配置再重启",
)
MUTED = Mend("robot.muted", "机器人被禁言了，消息都在等。请群主或管理员解除，之后会自动补发")
HOOK_TOKEN = Mend(
    "webhook.token",
    "群机器人的地址（group_webhook）钉钉不认了。到群里「机器人」重新复制 Webhook 到配置里，再重启",
)
UNSEEN = Mend(
    "range",
    "有同事或部门不在应用的权限范围里。到开发者后台「权限管理 → 通讯录权限范围」加上他们",
)
SETTING = "群机器人的安全设置拦下了消息："
HOOK_CHECKS = {
    "keywords not in content": Mend(
        "webhook.keyword", f"{SETTING}没有约定的关键词。到群里把安全设置改成「加签」"
    ),
    "invalid timestamp": Mend(
        "webhook.clock", f"{SETTING}时间差了一小时以上。校准这台服务器的时钟"
    ),
    "sign not match": Mend(
        "webhook.sign", f"{SETTING}签名不对。把群机器人的加签密钥抄到 group_webhook_secret，再重启"
    ),
    "not in whitelist": Mend(
        "webhook.ip", f"{SETTING}出口 IP 不在名单里。到群机器人的安全设置里加上它"
    ),
}
HOOK_SETTING = Mend("webhook.setting", f"{SETTING}到群里看看机器人的安全设置，建议用「加签」")

# About the app and not about this message: it goes out once an admin has mended it.
NEEDS_AN_ADMIN: Mapping[str, Mend] = {
    **dict.fromkeys(("invalidClientIdOrSecret", "40089", "authFailed"), SECRET),
    **dict.fromkeys(("Forbidden.AccessDenied.IpNotInWhiteList", "60020"), ADDRESS),
    **dict.fromkeys(("90001", "90003", "90004", "90005", "90006", "90007", "90008"), PAUSED),
    **dict.fromkeys(("50002", "50004"), UNSEEN),
    **dict.fromkeys(("bot.forbidden.sendMessage", "send.forbidden"), MUTED),
    **dict.fromkeys(("300001", "300005", "400101"), HOOK_TOKEN),
    "50003": APP_OFF,
    "chatbotId.notAllow.sendOTO": NO_ONE_TO_ONE,
    **dict.fromkeys(("robot.oto.notExist", "session.expired"), NO_SESSION),
    "invalidParameter.robotCode.auth": ROBOT_CODE,
}
ROBOT_SETTING = "310000"


def group_lost(group: str) -> Alarm:
    """``group``: its openConversationId."""
    return Alarm(
        f"dingtalk_group:lost@{group}"[:KEY_CHARS],
        "钉钉里有个群解散了，或者移除、停用了机器人，日报不再发到那里。"
        "要发到别的群，就在那个群里 @ 机器人说「绑定」",
    )


def unknown_person(account: str) -> Alarm:
    """``account`` is what the configuration or the directory says."""
    return Alarm(
        f"dingtalk:nobody@{account}"[:KEY_CHARS],
        f"钉钉里没有 userId「{account}」这个人，发给 TA 的消息送不到。"
        "到通讯录里核对，改好配置；机器人的可见范围也要有 TA",
    )


NAMED_SCOPE = re.compile(r"\b(?:qyapi_\w+|[A-Z][A-Za-z]+(?:\.[A-Z][A-Za-z]+)+)\b")


class DingTalkError(Undeliverable):
    """DingTalk will never take this. ``code`` is the platform's own, new or old style."""

    def __init__(self, what: str, code: str, hint: str = "", alarm: Alarm | None = None) -> None:
        super().__init__(f"{what}: {code} {hint}".rstrip(), alarm)
        self.code = code


class TokenRefused(DingTalkError):
    """The access token is unknown or too old: fetch one and call once more."""


class NeedsAdmin(Later):
    """It goes out once an admin has mended what the alarm says. ``code`` as DingTalkError's."""

    def __init__(self, what: str, code: str, mend: Mend, hint: str = "") -> None:
        super().__init__(f"{what}: {code} {hint}".rstrip(), mend.after, mend.alarm(what))
        self.code = code


class TooFast(Later):
    """Too many messages at once: 5 seconds, and longer each time (row 26)."""

    unsent = True
    first = 5 * SECOND

    def at(self, attempts: int) -> Later:
        """With the wait that is due after so many tries."""
        wait = min(self.first * 2 ** min(max(attempts - 1, 0), 8), MINUTE)
        return Throttled(str(self), wait)


class Busy(TooFast):
    """HTTP 429: one second, and longer each time, up to a minute (row 18)."""

    first = SECOND


class Throttled(Later):
    """Too many at once; such a call costs nothing of the month (D:how-to-process-api-throttling-…)."""

    unsent = True


class Banned(Later):
    """DingTalk's firewall answered instead of the API: leave everything alone for a while."""


def firewalled(body: bytes) -> bool:
    """Whether this is the firewall's own JSON, whatever the HTTP status."""
    answer = _json(body)
    return isinstance(answer, dict) and str(answer.get("status")) == "1111"


def read_answer(what: str, status: int, body: bytes, now: datetime) -> dict[str, Any]:
    """The answer of a call that worked; ``what`` names the call in the errors.

    The platform's own messages stay out of the errors: nobody knows what is in
    them. Raises Later, Banned, TokenRefused or another DingTalkError.
    """
    answer = _object(what, status, body)
    code = _code(status, answer)
    if code:
        raise _error(what, status, code, answer, now)
    return answer


def _object(what: str, status: int, body: bytes) -> dict[str, Any]:
    answer, banned = _json(body), firewalled(body)
    if isinstance(answer, dict) and not banned and not 300 <= status < 400:
        return answer
    if banned or (body.lstrip()[:1] == b"<" and (status < 300 or 400 <= status < 500)):
        raise Banned(f"{what}: HTTP {status}, refused by the firewall", BANNED)
    if 400 <= status < 500 and not body:
        return {}
    raise Down(f"{what}: HTTP {status}, unreadable answer")


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _code(status: int, answer: Mapping[str, Any]) -> str:
    """The error's code; empty when the call worked."""
    if "errcode" not in answer:
        # Some calls of the new API answer HTTP 200 for what they did not do.
        failed = status >= 400 or answer.get("success") is False
        return str(answer.get("code") or (status if status >= 400 else NOT_DONE)) if failed else ""
    if str(answer["errcode"]) == "88":  # "something": the real code is beside it
        return str(answer.get("sub_code") or "88")
    # A documented sample shows the zero of success as a text.
    return "" if str(answer["errcode"]) == "0" and status < 400 else str(answer["errcode"])


def _error(
    what: str, status: int, code: str, answer: Mapping[str, Any], now: datetime
) -> Later | DingTalkError:
    if code in TOKEN_REFUSED:
        return TokenRefused(what, code)
    if pause := _pause(what, code, now):
        return pause
    if status == 429 and code in BUSY:
        return Busy(f"{what}: HTTP {status} {code}")
    if mend := _mend(code, answer):
        log.error("dingtalk_needs_an_admin", call=what, code=code, hint=_hint(answer))
        return NeedsAdmin(what, code, mend, _hint(answer))
    if _passing(status, code):
        kind = Down if status >= 500 else Later
        return kind(f"{what}: HTTP {status} {code}")
    return DingTalkError(what, code, _hint(answer))


def _pause(what: str, code: str, now: datetime) -> Later | None:
    """Where the code says how long to wait."""
    if code in QUOTA_USED_UP:
        log.error("dingtalk_quota_used_up", call=what, code=code)
        return Spent(f"{what}: the monthly quota is used up", _next_month(now) - now)
    if code in TOO_FAST:
        return TooFast(f"{what}: {code}", TooFast.first)
    return Throttled(f"{what}: {code}", WAIT[code]) if code in WAIT else None


def _mend(code: str, answer: Mapping[str, Any]) -> Mend | None:
    if code in DENIED:
        scopes = _scopes(answer)
        named = "、".join(scopes) or "（它没说是哪个）"
        return Mend(f"scope.{','.join(scopes)}"[:50], SCOPE.format(named))
    if code == ROBOT_SETTING:
        return HOOK_CHECKS.get(_hint(answer), HOOK_SETTING)
    return NEEDS_AN_ADMIN.get(code)


def _passing(status: int, code: str) -> bool:
    if code in PASSING or code.startswith("isp."):
        return True
    return (status >= 500 or status in {408, 429}) and not code.startswith(WRONG_PARAMETER)


def _next_month(now: datetime) -> datetime:
    first = now.astimezone(BEIJING).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first + timedelta(days=32)).replace(day=1)


def _hint(answer: Mapping[str, Any]) -> str:
    """What an admin needs to mend it: the missing permissions, or the failed robot check."""
    if scopes := _scopes(answer):
        return "needs " + ", ".join(scopes)
    message = str(answer.get("errmsg", ""))
    return next((check for check in HOOK_CHECKS if check in message), "")


def _scopes(answer: Mapping[str, Any]) -> list[str]:
    """The missing permissions; the old API names them in its sentence, if anywhere."""
    detail = answer.get("accessdenieddetail")
    scopes = detail.get("requiredScopes") if isinstance(detail, dict) else None
    if isinstance(scopes, list):
        return [str(scope) for scope in scopes]
    said = str(answer.get("sub_msg") or "") if _code(200, answer) in DENIED else ""
    return list(dict.fromkeys(NAMED_SCOPE.findall(said)))
