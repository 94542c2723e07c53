"""What can be wrong between us and DingTalk: secret, address, scopes by name, people, connection."""

import json
import secrets
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout

from bot.config import DingTalk, Settings
from bot.doctor.check import Check, bad, good, names
from bot.platforms.dingtalk.client import DingTalkClient
from bot.platforms.dingtalk.crypto import DingTalkCrypto
from bot.platforms.dingtalk.gateway import NotOpened, Refused, may_connect
from store.domain.errors import BadCallback, Later, Undeliverable

PATIENCE = ClientTimeout(total=1.5)  # the console gives check_url no longer
SECRET = ("invalidClientIdOrSecret", "40089", "authFailed")
ADDRESS = ("IpNotInWhiteList", "60020")
DENIED = ("AccessTokenPermissionDenied", "60011")
PROBES: tuple[tuple[str, dict[str, Any], bool, str], ...] = (
    ("/topapi/v2/department/listsub", {"dept_id": 1}, True, "qyapi_get_department_list"),
    ("/topapi/v2/user/get", {"userid": "leadbot-doctor"}, True, "qyapi_get_member"),
    # Nobody to send to: refused for that only once the permission has been looked at.
    ("/v1.0/robot/oToMessages/batchSend", {}, False, "qyapi_robot_sendmsg"),
)
"""Calls that change nothing, and the permission each needs (10.4 of the fact sheet)."""
UNSEEN, UNKNOWN = "50002", ("60121", "33012", "40003")
WHERE = "开发者后台 → 应用 → 权限管理"
Clock = Callable[[], datetime]


async def checks(session: ClientSession, settings: Settings, clock: Clock) -> AsyncIterator[Check]:
    """In the order in which they have to be mended."""
    dingtalk = settings.dingtalk
    if dingtalk is None:
        return
    client = DingTalkClient(session, dingtalk, clock)
    said = await _asked(client, *PROBES[0][:3])
    if any(code in said for code in SECRET):
        do = "到开发者后台的「凭证与基础信息」重新复制 Client ID 和 Client Secret"
        yield bad("钉钉密钥", "client_id 或 client_secret 不对", do)
    elif "Error" in said or "unreadable" in said or "firewall" in said:
        do = "检查网络、api_base 和 oapi_base"
        yield bad("钉钉密钥", f"问不到 {dingtalk.api_base}（{said}）", do)
    else:
        async for check in _granted(client, dingtalk, settings, said):
            yield check
    yield await _heard(session, settings, dingtalk, clock)


async def _asked(client: DingTalkClient, path: str, body: dict[str, Any], old: bool) -> str:
    """What is wrong with the call, in the platform's codes; empty: nothing."""
    try:
        await client.call("POST", path, body, old=old)
    except (Later, Undeliverable) as error:
        return str(error)
    return ""


async def _granted(
    client: DingTalkClient, dingtalk: DingTalk, settings: Settings, said: str
) -> AsyncIterator[Check]:
    yield good("钉钉密钥")
    if any(code in said for code in ADDRESS):
        do = "开发者后台 → 应用 → 安全设置 → 服务器出口 IP，加上这台机器的出口 IP"
        yield bad("钉钉可信 IP", "这台机器不在名单里", do)
        return
    yield good("钉钉可信 IP")
    yield await _scopes(client, dingtalk)
    yield await _seen(client, settings)


async def _scopes(client: DingTalkClient, dingtalk: DingTalk) -> Check:
    missing: list[str] = []
    robot = {
        "robotCode": dingtalk.client_id,
        "userIds": [],
        "msgKey": "sampleText",
        "msgParam": "{}",
    }
    for path, body, old, needs in PROBES:
        said = await _asked(client, path, body or robot, old)
        if any(code in said for code in DENIED):
            missing += _named(said) or [needs]
    if missing:
        return bad("钉钉权限", f"缺 {names(missing)}", f"{WHERE}，搜索后申请")
    return good("钉钉权限")


def _named(said: str) -> list[str]:
    """The scopes DingTalk names itself (``accessdenieddetail.requiredScopes``)."""
    _, _, scopes = said.partition("needs ")
    return [scope for scope in scopes.split(", ") if scope]


async def _seen(client: DingTalkClient, settings: Settings) -> Check:
    unseen, unknown = [], []
    for person in (one for one in settings.team if one.dingtalk):
        said = await _asked(client, "/topapi/v2/user/get", {"userid": person.dingtalk}, old=True)
        unseen += [person.name] * (UNSEEN in said)
        unknown += [f"{person.name}（{person.dingtalk}）"] * any(code in said for code in UNKNOWN)
    if unknown:
        do = "抄通讯录里的 userId 到 [[team]] dingtalk"
        return bad("钉钉可见范围", f"没有 {names(unknown)}", do)
    if unseen:
        do = "开发者后台 → 应用 → 版本管理与发布，可见范围加上他们；权限管理里的通讯录范围也要有"
        return bad("钉钉可见范围", f"看不到 {names(unseen)}", do)
    return good("钉钉可见范围", f"团队 {sum(bool(p.dingtalk) for p in settings.team)} 人都在")


async def _heard(
    session: ClientSession, settings: Settings, dingtalk: DingTalk, clock: Clock
) -> Check:
    if dingtalk.mode == "stream":
        return await _stream(session, dingtalk)
    return await _events(session, settings.server.public_url, dingtalk, clock)


async def _stream(session: ClientSession, dingtalk: DingTalk) -> Check:
    """A ticket is asked for and not used: a second connection would get the first one's messages."""
    try:
        await may_connect(session, dingtalk)
    except Refused:
        do = "核对 client_id 和 client_secret，机器人的消息接收模式选 Stream"
        return bad("钉钉长连接", "被拒绝（401）", do)
    except NotOpened as error:
        return bad("钉钉长连接", f"连不上（{error}）", "检查网络和 api_base，出口要放行 wss")
    return good("钉钉长连接")


async def _events(
    session: ClientSession, public_url: str, dingtalk: DingTalk, clock: Clock
) -> Check:
    """What the console does with the URL: an encrypted check_url, answered within 1.5 s."""
    key, token = dingtalk.encoding_aes_key.get_secret_value(), dingtalk.token.get_secret_value()
    crypto = DingTalkCrypto(token, key, dingtalk.client_id)
    timestamp, nonce = str(int(clock().timestamp() * 1000)), secrets.token_hex(8)
    push = crypto.reply(json.dumps({"EventType": "check_url"}), timestamp=timestamp, nonce=nonce)
    query = {"msg_signature": push["msg_signature"], "timestamp": timestamp, "nonce": nonce}
    url, body = f"{public_url}/dingtalk/events", {"encrypt": push["encrypt"]}
    try:
        async with session.post(url, params=query, json=body, timeout=PATIENCE) as answer:
            text = await answer.text()
        said = json.loads(text)
        ok = crypto.decrypt({**said, "timestamp": said["timeStamp"]}, said["encrypt"]) == "success"
    except (ClientError, OSError, TimeoutError):
        do = "看 leadbot 在不在运行、public_url 对不对、反向代理通不通"
        return bad("钉钉回调", f"{url} 打不开", do)
    except (ValueError, KeyError, TypeError, BadCallback):
        ok = False
    if ok:
        return good("钉钉回调", url)
    do = "运行中的 leadbot 和这份配置不同：重启它，再核对控制台的签名 Token 和 aes_key"
    return bad("钉钉回调", "token 或 encoding_aes_key 对不上", do)
