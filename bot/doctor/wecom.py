"""What can be wrong between us and WeCom: secret, address, app, people, contacts, callback."""

import re
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime

from aiohttp import ClientError, ClientSession, ClientTimeout

from bot.config import Settings, WeCom
from bot.doctor import robots
from bot.doctor.check import Check, bad, good, names, unknown, unreached, why
from bot.doctor.local import Person, nobody_in_team
from bot.platforms.wecom.client import Answer, WeComClient, WeComError
from bot.platforms.wecom.crypto import WeComCrypto
from bot.platforms.wecom.errcodes import UNKNOWN_MEMBER, UNSEEN_MEMBER
from store.domain.errors import Later, Undeliverable

PATIENCE = ClientTimeout(total=1)  # the console gives the callback no longer (D:90930)
SECRET = {
    40001: ("Secret 不对，或应用被停用", "到管理后台的应用页重新复制 Secret"),
    40013: ("corp_id 不对", "抄「我的企业 → 企业信息」最下面的企业 ID"),
    41004: ("secret 是空的", "到管理后台的应用页复制 Secret"),
}
APP = {
    40056: ("agent_id 不对", "抄应用页的 AgentId，要和 Secret 是同一个应用"),
    301002: ("agent_id 和 Secret 不是同一个应用", "抄同一个应用页的 AgentId 和 Secret"),
    50003: ("应用被停用", "到管理后台启用它"),
    48006: ("长期没用，权限被收回", "到管理后台重新启用应用"),
}
NOBODY_USES_IT = 84074
CONTACTS = {
    48002: ("应用没有客户联系的权限", "客户联系 → 客户 → API → 可调用接口的应用，勾上这个应用"),
    NOBODY_USES_IT: ("没有成员能用客户联系", "客户联系 → 权限配置 → 使用范围，加上销售"),
}
UNTRUSTED = 60020
Clock = Callable[[], datetime]


async def checks(
    session: ClientSession,
    settings: Settings,
    clock: Clock,
    *,
    people: Sequence[Person],
    meets_customers: bool,
) -> AsyncIterator[Check]:
    """In the order in which they have to be mended.

    ``people``: who is in the team.
    ``meets_customers``: something that is used here needs 客户联系.
    """
    wecom = settings.wecom
    if wecom is None:
        return
    client = WeComClient(session, wecom, clock)
    ours = [one for one in people if one.wecom]
    async for check in _account(client, settings, wecom, ours, meets_customers=meets_customers):
        yield check
    yield await _callback(session, wecom, settings.server.public_url, clock)
    async for check in robots.wecom_robot(client, wecom):
        yield check


async def _account(
    client: WeComClient,
    settings: Settings,
    wecom: WeCom,
    people: Sequence[Person],
    *,
    meets_customers: bool,
) -> AsyncIterator[Check]:
    answer, error = await _asked(client, "agent/get", agentid=str(wecom.agent_id))
    code = _code(error)
    if error is not None and (code in SECRET or _says_nothing_of_the_secret(error)):
        yield _secret(error, code, wecom)
        return
    yield good("企业微信密钥")
    if error is not None and not code:
        yield unknown("企业微信应用", error)
        return
    yield _address(error) if code == UNTRUSTED else good("企业微信可信 IP")
    if code == UNTRUSTED:
        return
    yield _app(answer, error, code)
    if error is None:
        yield await _seen(client, answer, settings, people)
        yield await _contacts(client, used=meets_customers)


def _code(error: Exception | None) -> int:
    return error.code if isinstance(error, WeComError) else 0


def _says_nothing_of_the_secret(error: Exception) -> bool:
    """No number of WeCom's, and it did not get as far as using a token."""
    got_there = str(error).startswith("agent/get") and not unreached(error)
    return not _code(error) and not (got_there and isinstance(error, Later))


async def _asked(
    client: WeComClient, path: str, **params: str
) -> tuple[Answer, WeComError | Later | Undeliverable | None]:
    try:
        return await client.call(path, params=params), None
    except (Later, Undeliverable) as error:
        return {}, error


def _secret(error: Exception, code: int, wecom: WeCom) -> Check:
    if code in SECRET:
        return bad("企业微信密钥", *SECRET[code])
    if isinstance(error, Later) and not unreached(error):
        return unknown("企业微信密钥", error)
    return bad("企业微信密钥", f"问不到 {wecom.api_base}{why(error)}", "检查网络和 api_base")


def _address(error: Exception | None) -> Check:
    found = re.search(r"\(([0-9A-Fa-f.:]+)\)", str(error))
    ours = found[1] if found else "这台机器的出口 IP"
    do = "填到应用页的「企业可信IP」，一分钟后生效；要先设好接收消息或可信域名才填得了"
    return bad("企业微信可信 IP", f"{ours} 不在名单里", do)


def _app(answer: Answer, error: WeComError | Later | Undeliverable | None, code: int) -> Check:
    if error is None and not answer.get("close"):
        return good("企业微信应用", str(answer.get("name") or "正常"))
    if error is not None and code not in APP:
        return _unclear("企业微信应用", error)
    return bad("企业微信应用", *APP.get(code, ("应用被停用", "到管理后台看应用的状态")))


def _unclear(name: str, error: WeComError | Later | Undeliverable) -> Check:
    """In the words the admin is told it with; a code nobody has words for is told as it is."""
    if error.alarm is not None:
        return Check(name, ok=False, line=f"✗ {name}：{error.alarm.text}")
    if _code(error):
        do = "看 leadbot 的日志，或到企业微信开发者中心查这个错误码"
        return bad(name, f"企业微信回答 {_code(error)}", do)
    return unknown(name, error)


async def _seen(
    client: WeComClient, app: Answer, settings: Settings, people: Sequence[Person]
) -> Check:
    """Whether the app may write to everybody of the team; others it drops without a word."""
    if not _anybody(app):
        do = "应用页 → 可见范围，加上销售所在的部门"
        return bad("企业微信可见范围", "应用对谁都不可见", do)
    if not people:
        return nobody_in_team("企业微信可见范围", "企业微信", settings)
    unseen, nobody = [], []
    for person in people:
        _, error = await _asked(client, "user/get", userid=person.wecom)
        code = _code(error)
        if error is not None and code not in UNSEEN_MEMBER | UNKNOWN_MEMBER:
            return _unclear("企业微信可见范围", error)
        unseen += [person.name] * (code in UNSEEN_MEMBER)
        nobody += [f"{person.name}（{person.wecom}）"] * (code in UNKNOWN_MEMBER)
    if nobody:
        do = "抄通讯录里的账号到 [[team]] wecom；也可能不在应用的可见范围里"
        return bad("企业微信可见范围", f"没有 {names(nobody)}", do)
    if unseen:
        return bad("企业微信可见范围", f"看不到 {names(unseen)}", "应用页 → 可见范围，加上他们")
    return good("企业微信可见范围", f"团队 {len(people)} 人都在")


def _anybody(app: Answer) -> bool:
    """Of the app's people, departments and tags (D:90227)."""
    lists = (("allow_userinfos", "user"), ("allow_partys", "partyid"), ("allow_tags", "tagid"))
    return any((app.get(kind) or {}).get(inside) for kind, inside in lists)


async def _contacts(client: WeComClient, *, used: bool) -> Check:
    """Who sells without WeCom's customers may leave it switched off."""
    answer, error = await _asked(client, "externalcontact/get_follow_user_list")
    if error is None and answer.get("follow_user"):
        return good("企业微信客户联系", f"{len(answer['follow_user'])} 人可用")
    code = _code(error) if error is not None else NOBODY_USES_IT
    if code not in CONTACTS and error is not None:
        return _unclear("企业微信客户联系", error)
    if not used:
        return good("企业微信客户联系", "没开通，用不到可以不管")
    return bad("企业微信客户联系", *CONTACTS[code])


async def _callback(session: ClientSession, wecom: WeCom, public_url: str, clock: Clock) -> Check:
    """What the console does when the URL is saved: GET, one second, byte by byte (D:90930)."""
    key, token = wecom.encoding_aes_key.get_secret_value(), wecom.token.get_secret_value()
    crypto = WeComCrypto(token, key, wecom.corp_id, clock=clock)
    words, nonce, timestamp = (
        secrets.token_hex(8),
        secrets.token_hex(4),
        str(int(clock().timestamp())),
    )
    echo = crypto.encrypt(words)
    query = {"timestamp": timestamp, "nonce": nonce, "echostr": echo}
    query["msg_signature"] = crypto.sign(timestamp, nonce, echo)
    url = f"{public_url}/wecom/callback"
    try:
        async with session.get(url, params=query, timeout=PATIENCE) as answer:
            status, body = answer.status, await answer.read()
    except TimeoutError:
        return bad("企业微信回调", f"{url} 一秒内没有回答", "看 leadbot 和反向代理慢在哪里")
    except (ClientError, OSError, ValueError):
        do = "看 leadbot 在不在运行、public_url 对不对、反向代理通不通"
        return bad("企业微信回调", f"{url} 打不开", do)
    if status == 200 and body == words.encode():
        return good("企业微信回调", url)
    return _wrong_callback(url, status)


def _wrong_callback(url: str, status: int) -> Check:
    if status in {400, 401}:
        do = "运行中的 leadbot 和这份配置不同：重启它，再核对控制台的 Token 和 EncodingAESKey"
        return bad("企业微信回调", "Token 或 EncodingAESKey 对不上", do)
    if status == 200:
        return bad("企业微信回调", f"{url} 的回答不是原文", "反向代理改了内容，让它原样转发")
    return bad("企业微信回调", f"{url} 回答 {status}", "让反向代理把 /wecom/callback 转给 leadbot")
