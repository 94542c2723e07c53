"""What can be wrong between us and DingTalk: secret, address, scopes by name, people, connection."""

import json
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout

from bot.config import DingTalk, Settings
from bot.doctor import robots
from bot.doctor.check import Check, bad, good, names, unknown, unreached, why
from bot.doctor.local import Person, nobody_in_team
from bot.platforms.dingtalk.answers import DENIED, Banned, DingTalkError, NeedsAdmin
from bot.platforms.dingtalk.client import DingTalkClient
from bot.platforms.dingtalk.crypto import DingTalkCrypto
from bot.platforms.dingtalk.gateway import Banned as FirewallMet
from bot.platforms.dingtalk.gateway import NotOpened, Refused, may_connect
from store.domain.errors import BadCallback, Later, Spent, Undeliverable

PATIENCE = ClientTimeout(total=1.5)  # the console gives check_url no longer
SECRET = {"invalidClientIdOrSecret", "40089", "authFailed"}
ADDRESS = {"Forbidden.AccessDenied.IpNotInWhiteList", "60020"}
UNSEEN, UNKNOWN = {"50002", "50004"}, {"60121", "33012", "40003", "40031"}
WHERE = "开发者后台 → 应用 → 权限管理"
SEE_PEOPLE = "qyapi_get_member"
TOKEN = "/v1.0/oauth2/accessToken"  # noqa: S105 -- the path that gives one
Clock = Callable[[], datetime]
Wrong = Later | Undeliverable


@dataclass(frozen=True, slots=True)
class Probe:
    """A call that changes nothing, and the permission it needs (10.4 of the fact sheet).

    What it asks for is not there: refused for that only once the permission has been looked at.
    """

    method: str
    path: str
    needs: str
    body: dict[str, Any] | None = None
    old: bool = False


DEPARTMENTS = Probe(
    "POST", "/topapi/v2/department/listsub", "qyapi_get_department_list", {"dept_id": 1}, old=True
)
MEMBERS = Probe(
    "POST",
    "/topapi/user/listsimple",
    "qyapi_get_department_member",
    {"dept_id": 1, "cursor": 0, "size": 1},
    old=True,
)
PERSON = Probe("POST", "/topapi/v2/user/get", SEE_PEOPLE, {"userid": "leadbot-doctor"}, old=True)
CARD = Probe(
    "PUT",
    "/v1.0/card/instances",
    "Card.Instance.Write",
    {"outTrackId": "leadbot-doctor", "cardData": {"cardParamMap": {}}},
)
TODO = Probe(
    "PUT",
    "/v1.0/todo/users/leadbot-doctor/tasks/leadbot-doctor?operatorId=leadbot-doctor",
    "Todo.Todo.Write",
    {"done": True},
)
TODO_BY_SOURCE = Probe(
    "GET",
    "/v1.0/todo/users/leadbot-doctor/tasks/sources/leadbot-doctor",
    "Todo.Todo.Read",
)
FORM = Probe(
    "GET",
    "/v1.0/workflow/processInstances?processInstanceId=leadbot-doctor",
    "Workflow.Instance.Read",
)


async def checks(
    session: ClientSession, settings: Settings, clock: Clock, people: Sequence[Person]
) -> AsyncIterator[Check]:
    """In the order in which they have to be mended. ``people``: who is in the team."""
    dingtalk = settings.dingtalk
    if dingtalk is None:
        return
    client = DingTalkClient(session, dingtalk, clock)
    wrong = await _asked(client, DEPARTMENTS)
    secret = _secret(dingtalk, wrong)
    yield secret
    if secret.ok:
        async for check in _granted(client, dingtalk, settings, wrong, people):
            yield check
    yield await _heard(session, settings, dingtalk, clock)
    async for check in robots.dingtalk_robot(client, dingtalk, clock):
        yield check


async def _asked(client: DingTalkClient, probe: Probe) -> Wrong | None:
    """What is wrong with the call; None: nothing."""
    try:
        await client.call(probe.method, probe.path, probe.body, old=probe.old)
    except (Later, Undeliverable) as error:
        return error
    return None


def _code(wrong: Wrong | None) -> str:
    """The platform's own word for it; "" where it gave none that lasts."""
    return wrong.code if isinstance(wrong, NeedsAdmin | DingTalkError) else ""


def _secret(dingtalk: DingTalk, wrong: Wrong | None) -> Check:
    """Whether there is a token; what happened after that is another line's."""
    name = "钉钉密钥"
    if _code(wrong) in SECRET:
        do = "到开发者后台的「凭证与基础信息」重新复制 Client ID 和 Client Secret"
        return bad(name, "client_id 或 client_secret 不对", do)
    if isinstance(wrong, Banned):
        return bad(name, "钉钉的防火墙拦下了这台机器", "五分钟后再运行一次，其间什么都别调用")
    if wrong is not None and unreached(wrong):
        do = "检查网络、api_base 和 oapi_base"
        return bad(name, f"问不到 {dingtalk.api_base}{why(wrong)}", do)
    if wrong is not None and not _code(wrong) and str(wrong).startswith(TOKEN):
        return unknown(name, wrong)
    return good(name)


async def _granted(
    client: DingTalkClient,
    dingtalk: DingTalk,
    settings: Settings,
    wrong: Wrong | None,
    people: Sequence[Person],
) -> AsyncIterator[Check]:
    if _code(wrong) in ADDRESS:
        do = "开发者后台 → 应用 → 安全设置 → 服务器出口 IP，加上这台机器的出口 IP"
        yield bad("钉钉可信 IP", "这台机器不在名单里", do)
        return
    if wrong is not None and not _code(wrong):
        yield _busy("钉钉权限", wrong)
        return
    yield good("钉钉可信 IP")
    yield await _scopes(client, dingtalk, settings)
    async for check in robots.card_template(client, dingtalk):
        yield check
    yield await _seen(client, [one for one in people if one.dingtalk], settings)


def _busy(name: str, wrong: Wrong) -> Check:
    if isinstance(wrong, Spent):
        return bad(name, "本月的调用用完了，问不了", "换专业版或买加量包，或等下个月再看")
    return unknown(name, wrong)


def _unclear(name: str, wrong: Wrong) -> Check:
    """In the words the admin is told it with, where it is the admin's to mend."""
    if isinstance(wrong, NeedsAdmin) and wrong.alarm is not None:
        return Check(name, ok=False, line=f"✗ {name}：{wrong.alarm.text}")
    return _busy(name, wrong)


async def _scopes(client: DingTalkClient, dingtalk: DingTalk, settings: Settings) -> Check:
    """Of what is switched on here: what is not used needs no permission."""
    missing: list[str] = []
    for probe in _probes(dingtalk, settings):
        wrong = await _asked(client, probe)
        if _code(wrong) in DENIED:
            missing += _named(str(wrong)) or [probe.needs]
        elif isinstance(wrong, NeedsAdmin) and wrong.alarm is not None:
            return _unclear("钉钉权限", wrong)
        elif wrong is not None and not _code(wrong) and not missing:
            return _busy("钉钉权限", wrong)
    if missing:
        return bad("钉钉权限", f"缺 {names(missing)}", f"{WHERE}，搜索后申请")
    return good("钉钉权限")


def _probes(dingtalk: DingTalk, settings: Settings) -> Iterator[Probe]:
    robot = {"robotCode": dingtalk.client_id, "userIds": [], "msgKey": "sampleText"}
    body = robot | {"msgParam": "{}"}
    yield Probe("POST", "/v1.0/robot/oToMessages/batchSend", "qyapi_robot_sendmsg", body)
    if settings.directory.sync:
        yield DEPARTMENTS
        yield MEMBERS
    if settings.directory.sync or dingtalk.todo:
        yield PERSON
    if dingtalk.card_template_id:
        yield CARD
    if dingtalk.todo:
        yield TODO
        yield TODO_BY_SOURCE
    if dingtalk.approval:
        yield FORM


def _named(said: str) -> list[str]:
    """The scopes DingTalk names itself (``accessdenieddetail.requiredScopes``)."""
    _, _, scopes = said.partition("needs ")
    return [scope for scope in scopes.split(", ") if scope]


async def _seen(client: DingTalkClient, people: Sequence[Person], settings: Settings) -> Check:
    name, unseen, nobody = "钉钉可见范围", [], []
    for person in people:
        wrong = await _asked(client, replace(PERSON, body={"userid": person.dingtalk}))
        code = _code(wrong)
        if code in DENIED:
            return good(name, f"没开 {SEE_PEOPLE}，看不出谁不在；机器人收发不受影响")
        if wrong is not None and code not in UNSEEN | UNKNOWN:
            return _unclear(name, wrong)
        unseen += [person.name] * (code in UNSEEN)
        nobody += [f"{person.name}（{person.dingtalk}）"] * (code in UNKNOWN)
    if not people:
        return nobody_in_team(name, "钉钉", settings)
    return _visible(len(people), unseen, nobody)


def _visible(team: int, unseen: Sequence[str], nobody: Sequence[str]) -> Check:
    name = "钉钉可见范围"
    if nobody:
        return bad(name, f"没有 {names(nobody)}", "抄通讯录里的 userId 到 [[team]] dingtalk")
    if unseen:
        do = "开发者后台 → 应用 → 版本管理与发布，可见范围加上他们；权限管理里的通讯录范围也要有"
        return bad(name, f"看不到 {names(unseen)}", do)
    return good(name, f"团队 {team} 人都在")


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
    except FirewallMet:
        do = "五分钟后再运行一次，其间什么都别调用"
        return bad("钉钉长连接", "钉钉的防火墙拦下了这台机器", do)
    except NotOpened as error:
        if not unreached(error):
            return unknown("钉钉长连接", error)
        return bad("钉钉长连接", f"连不上{why(error)}", "检查网络和 api_base，出口要放行 wss")
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
