"""``leadbot doctor`` against the stand-ins: one line each, and each fault says what to do."""

import asyncio
import re
import sys

import pytest
from aiohttp import web
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import create_async_engine

from bot import demo as made
from bot.config import parse
from bot.doctor import examine
from bot.platforms.wecom.aibot import claim_name
from bot.sandbox.dingtalk.errors import Fault, OldFault
from bot.sandbox.wecom.errors import No
from cards import pictures
from handlers.alarms import sound
from store import tables as t
from store.connections import State
from store.domain.errors import Alarm
from store.domain.quota import Api
from store.migrate import migrate
from tests.scenarios.world import eventually

EVERYTHING = [
    "企业微信密钥", "企业微信可信 IP", "企业微信应用", "企业微信可见范围", "企业微信客户联系",
    "企业微信回调", "企业微信群机器人", "企业微信智能机器人", "钉钉密钥", "钉钉可信 IP",
    "钉钉权限", "钉钉可见范围", "钉钉长连接", "钉钉群机器人", "时钟", "数据库", "配额", "告警", "工作日历", "字体",
]  # fmt: skip


@pytest.fixture
async def demo(tmp_path, monkeypatch):
    monkeypatch.setattr(made, "SAMPLES", ())  # the doctor asks after no lead
    async with made.open_demo(tmp_path) as opened:
        await until_state(opened, State.UP)
        yield opened


@pytest.fixture
def ask(demo):
    """The doctor's lines, by name; ``changes``: what is written differently in a section."""

    async def lines(**changes):
        settings = parse(changed(demo.settings, changes))
        found = [check async for check in examine(settings, demo.service.store.clock)]
        return {check.name: check for check in found}

    return lines


def changed(settings, changes):
    values = settings.model_dump(by_alias=True, exclude_unset=True)
    plain = {name: reveal(value) for name, value in values.items()}
    for section, more in changes.items():
        plain[section] = more if isinstance(more, list) else {**plain.get(section, {}), **more}
    return plain


def reveal(value):
    if isinstance(value, dict):
        return {name: reveal(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [reveal(inner) for inner in value]
    return value.get_secret_value() if hasattr(value, "get_secret_value") else value


def only_fault(found):
    """The one line that is not good."""
    [wrong] = [check for check in found.values() if not check.ok]
    return wrong.line


async def test_when_all_is_well_every_line_says_so(ask):
    found = await ask()

    assert list(found) == EVERYTHING
    assert [check.line for check in found.values() if not check.ok] == []
    assert all(check.line.startswith("✓ ") for check in found.values())
    assert "团队 4 人都在" in found["企业微信可见范围"].line
    for each in ("/ 5,000（", "/ 3,000（", "每位客户每天群发", "每人每小时", "智能机器人每会话"):
        assert each in found["配额"].line
    assert "运行中的 leadbot 连着" in found["企业微信智能机器人"].line


# -- WeCom -----------------------------------------------------------------------


async def test_a_wrong_secret_is_told_and_nothing_behind_it_is_asked(ask, demo):
    found = await ask(wecom={"secret": "wrong"})

    assert "Secret 不对" in only_fault(found)
    assert "企业微信应用" not in found


async def test_a_wrong_corp_id_is_told(ask):
    assert "corp_id 不对" in (await ask(wecom={"corp_id": "wwother"}))["企业微信密钥"].line


async def test_a_wrong_agent_is_told(ask):
    found = await ask(wecom={"agent_id": 1000009})

    assert found["企业微信密钥"].ok
    assert "agent_id 和 Secret 不是同一个应用" in only_fault(found)


async def test_an_untrusted_address_is_told_with_the_address(ask, demo):
    demo.sandbox.wecom.api.refusals["*"] = No(60020, "not allow to access from your ip")

    line = (await ask())["企业微信可信 IP"].line

    assert line.startswith("✗ 企业微信可信 IP：127.0.0.1 不在名单里")
    assert "企业可信IP" in line


async def test_a_platform_that_cannot_be_reached_is_told(ask):
    found = await ask(wecom={"api_base": "http://127.0.0.1:9"})

    assert "问不到 http://127.0.0.1:9" in found["企业微信密钥"].line
    assert "检查网络" in found["企业微信密钥"].line


async def test_an_app_nobody_sees_is_told(ask, demo):
    for person in demo.sandbox.wecom.staff.people.values():
        person.seen = False

    assert "对谁都不可见" in (await ask())["企业微信可见范围"].line


async def test_members_outside_the_visible_range_are_named(ask, demo):
    demo.sandbox.wecom.staff.find("lilei").seen = False

    assert "看不到 李雷" in only_fault(await ask())


async def test_an_account_that_does_not_exist_is_named(ask):
    found = await ask(
        team=[{"name": "李雷", "wecom": "lilei"}, {"name": "错了", "wecom": "nobody"}]
    )

    assert "没有 错了（nobody）" in only_fault(found)


@pytest.mark.parametrize(("code", "says"), [(48002, "可调用接口的应用"), (84074, "使用范围")])
async def test_no_right_on_customers_is_told(ask, demo, code, says):
    path = "externalcontact/get_follow_user_list"
    demo.sandbox.wecom.api.refusals[path] = No(code, "no right")

    assert says in only_fault(await ask())


async def test_a_company_without_customers_in_wecom_is_well(ask, demo, tmp_path):
    unused = {"url": f"sqlite+aiosqlite:///{tmp_path / 'other.db'}"}
    plain = {"remarks": False, "tags": False, "aibot": None}
    contacts = "externalcontact/get_follow_user_list"
    lines = []
    for code in (48002, 84074):
        demo.sandbox.wecom.api.refusals[contacts] = No(code, "no right")
        lines.append((await ask(database=unused, wecom=plain))["企业微信客户联系"])
    wanted = (await ask(database=unused, wecom=plain | {"tags": True}))["企业微信客户联系"]

    assert {line.line for line in lines} == {"✓ 企业微信客户联系：没开通，用不到可以不管"}
    assert not wanted.ok  # what is configured and cannot be done is a fault


BUSY = No(45009, "api freq out of limit")


def says_busy(found):
    """Its words; it has said that all was well."""
    assert not found.ok
    assert "忙" in found.line
    assert "稍后再运行一次" in found.line
    return found.line


async def test_a_wecom_that_is_busy_says_nothing_about_the_rest(ask, demo):
    refusals = demo.sandbox.wecom.api.refusals
    for path, name, untrue in (
        ("user/get", "企业微信可见范围", "人都在"),
        ("externalcontact/get_follow_user_list", "企业微信客户联系", "使用范围"),
        ("agent/get", "企业微信应用", "正常"),
        ("gettoken", "企业微信密钥", "检查网络"),
    ):
        refusals.clear()
        refusals[path] = BUSY

        assert untrue not in says_busy((await ask())[name])


async def test_a_wecom_whose_server_fails_is_busy_and_no_network_trouble(ask, demo):
    demo.sandbox.state.faults.on("wecom", "http500")

    line = (await ask())["企业微信密钥"].line

    assert "忙" in line
    assert "检查网络" not in line


async def test_the_bot_of_a_service_that_runs_is_not_kicked(ask, demo):
    found = await ask(wecom={"aibot": reveal(demo.settings.wecom.aibot.model_dump())})

    assert found["企业微信智能机器人"].ok
    assert demo.service.aibot.connected


async def test_a_bot_whose_connection_is_lost_is_told_from_the_database(ask, demo):
    async with demo.service.store.begin() as tx:
        await sound(tx, Alarm("aibot:refused", "智能机器人连不上，核对 bot_id 和 secret"))

    found = await ask()

    assert "核对 bot_id 和 secret" in found["企业微信智能机器人"].line
    assert "核对 bot_id 和 secret" in found["告警"].line
    assert not found["告警"].ok


BOT = "企业微信智能机器人"


async def noted(demo, state):
    """The database of a service that has been stopped in this state."""
    name = claim_name(demo.settings.wecom.aibot)
    async with demo.service.store.begin() as tx:
        await tx.conn.execute(delete(t.leases).where(t.leases.c.name == name))
        await tx.connections.note(name, state)


async def stopped(demo):
    """The bot's task, so that it does not write what it sees."""
    [task] = [one for one in demo.service.tasks if one.get_name() == "wecom aibot"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def until_state(demo, state):
    """Until the database says so of the bot's connection."""
    name, found = claim_name(demo.settings.wecom.aibot), None
    async with asyncio.timeout(60):
        while found is None or found.state is not state:
            await asyncio.sleep(0.02)
            async with demo.service.store.read() as tx:
                found = await tx.connections.find(name)


@pytest.mark.parametrize("there", [False, True])
async def test_the_doctor_of_another_database_kicks_no_running_bot(ask, demo, tmp_path, there):
    """It subscribed as the bot, which took the connection from the service."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'other.db'}"
    if there:
        engine = create_async_engine(url)
        await migrate(engine)
        await engine.dispose()

    line = (await ask(database={"url": url}))[BOT].line

    assert line.startswith(f"✗ {BOT}：看不出连没连着")
    assert "启动 leadbot" in line
    assert (demo.sandbox.wecom.aibot.kicked, demo.service.aibot.connected) == (0, True)
    assert (tmp_path / "other.db").exists() is there


@pytest.mark.parametrize("state", [State.UP, State.KICKED])
async def test_a_bot_that_may_be_somebody_else_s_is_not_tried(ask, demo, state):
    """``up`` with nobody who holds it: as in a copy of a running service's database."""
    await stopped(demo)
    await noted(demo, state)
    subscribed = demo.sandbox.wecom.aibot.subscribed

    found = await ask()

    assert not found[BOT].ok
    assert demo.sandbox.wecom.aibot.subscribed == subscribed


async def test_a_bot_whose_service_was_stopped_is_tried(ask, demo):
    await stopped(demo)
    await noted(demo, State.AWAY)
    bot = reveal(demo.settings.wecom.aibot.model_dump())
    lines = [
        (await ask(wecom={"aibot": {**bot, **more}}))[BOT].line
        for more in ({}, {"secret": "wrong"}, {"url": "ws://127.0.0.1:9"})
    ]

    assert lines[0] == f"✓ {BOT}：连得上，leadbot 现在没有在运行"
    assert "bot_id 或 secret 不对" in lines[1]
    assert lines[2] == f"✗ {BOT}：连不上 ws://127.0.0.1:9，检查网络，出口要放行 wss"


async def test_a_running_service_whose_bot_is_not_connected_is_told_as_that(
    ask, demo, monkeypatch
):
    """It said that the running service is connected, because it held the right to be."""
    before = (await ask())[BOT].line
    gateway = demo.sandbox.wecom.aibot
    monkeypatch.setattr(type(gateway), "_frame", deaf)

    await gateway.drop()
    await until_state(demo, State.AWAY)
    after = (await ask())[BOT].line

    assert before.startswith(f"✓ {BOT}：运行中的 leadbot 连着")
    assert after.startswith(f"✗ {BOT}：leadbot 在运行，但 ")
    assert "wss" in after


async def deaf(*_):
    return False


async def test_whom_the_directory_brought_is_looked_for_in_the_visible_range(ask, demo):
    """With no [[team]] it was "团队 0 人都在", and nobody had been looked for."""
    sync = {"team": [], "directory": {"sync": True}}
    well = (await ask(**sync))["企业微信可见范围"].line
    demo.sandbox.wecom.staff.find("lilei").seen = False

    line = (await ask(**sync))["企业微信可见范围"].line

    assert well == "✓ 企业微信可见范围：团队 4 人都在"
    assert "看不到 李雷" in line


async def test_a_team_of_nobody_is_not_called_whole(ask, demo, tmp_path):
    unused = {"url": f"sqlite+aiosqlite:///{tmp_path / 'other.db'}"}

    found = await ask(database=unused, team=[], directory={"sync": True})

    for name in ("企业微信可见范围", "钉钉可见范围"):
        assert not found[name].ok
        assert "读一次通讯录" in found[name].line


@pytest.mark.parametrize("code", [40014, 42001])
async def test_a_token_that_is_refused_for_good_is_told_in_chinese(ask, demo, code):
    """It was the client's English, and the advice to look at the app's state."""
    demo.sandbox.wecom.api.refusals["agent/get"] = No(code, "invalid access_token")

    line = (await ask())["企业微信应用"].line

    assert "企业微信不认刚给的凭证" in line
    assert "api_base" in line


FAULTS = ["busy", "rate", "parallel", "address", "secret", "ban", "http500"]
TERMS = r"https?://\S+|api_base|Secret|secret|corp_id|agent_id|AgentId|leadbot|HTTP \d+|IP"


async def test_no_line_speaks_the_language_of_the_log(ask, demo):
    for fault in FAULTS:
        demo.sandbox.faults.on("wecom", fault)

        lines = [check.line for check in (await ask()).values() if not check.ok]
        demo.sandbox.faults.off()

        assert lines, fault
        for line in lines:
            assert not re.search(r"[A-Za-z]{3,}", re.sub(TERMS, "", line)), line


async def test_without_a_bot_there_is_no_line(ask, demo):
    found = await ask(wecom={"aibot": None})

    assert "企业微信智能机器人" not in found


async def test_a_callback_that_cannot_be_reached_is_told(ask):
    found = await ask(server={"public_url": "http://127.0.0.1:9"})

    assert "/wecom/callback 打不开" in only_fault(found)


async def test_a_callback_with_another_token_is_told(ask):
    assert "Token 或 EncodingAESKey 对不上" in only_fault(await ask(wecom={"token": "another"}))


async def test_a_proxy_that_does_not_pass_the_callback_on_is_told(ask, somebody_else):
    url = await somebody_else(status=404)

    assert "回答 404" in only_fault(await ask(server={"public_url": url}))


async def test_a_proxy_that_changes_the_answer_is_told(ask, somebody_else):
    url = await somebody_else(status=200)

    assert "不是原文" in only_fault(await ask(server={"public_url": url}))


@pytest.fixture
async def somebody_else():
    """Another web server where leadbot should be."""
    runners = []

    async def listen(status):
        async def answer(request):
            return web.Response(status=status, text="hello")

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app)
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    yield listen
    for runner in runners:
        await runner.cleanup()


# -- DingTalk ----------------------------------------------------------------------


async def test_a_wrong_dingtalk_secret_is_told_by_the_token_and_by_the_stream(ask):
    found = await ask(dingtalk={"client_secret": "wrong"})

    assert "client_id 或 client_secret 不对" in found["钉钉密钥"].line
    assert "401" in found["钉钉长连接"].line
    assert "钉钉权限" not in found


async def test_a_missing_scope_is_told_by_its_name(ask, demo):
    denied = "Forbidden.AccessDenied.AccessTokenPermissionDenied"
    detail = {"requiredScopes": ["qyapi_robot_sendmsg"]}
    demo.sandbox.dingtalk.api.refusals["/v1.0/robot/oToMessages/batchSend"] = Fault(
        403, denied, "没有调用该接口的权限", accessdenieddetail=detail
    )

    line = (await ask())["钉钉权限"].line

    assert line.startswith("✗ 钉钉权限：缺 qyapi_robot_sendmsg")
    assert "权限管理" in line


async def test_a_scope_of_the_old_api_is_told_by_its_name_too(ask, demo, monkeypatch):
    def refuse(request, body):
        raise OldFault(60011, "没有调用该接口的权限")

    demo.sandbox.dingtalk.directory.below = refuse
    demo.sandbox.dingtalk.api.refusals["/topapi/v2/department/listsub"] = Fault(
        403, "Forbidden.AccessDenied.AccessTokenPermissionDenied", "没有权限"
    )

    assert (await ask())["钉钉权限"].ok  # who does not read the directory needs no right on it
    found = await ask(directory={"sync": True})

    assert "qyapi_get_department_list" in only_fault(found)


async def test_the_right_to_list_a_departments_people_is_asked_for_with_the_directory(ask, demo):
    """It was asked for in the manual, and never looked at."""
    demo.sandbox.dingtalk.api.refusals["/topapi/user/listsimple"] = Fault(
        403, "Forbidden.AccessDenied.AccessTokenPermissionDenied", "没有权限"
    )

    assert (await ask())["钉钉权限"].ok
    found = await ask(directory={"sync": True})

    assert "qyapi_get_department_member" in only_fault(found)


QPS = Fault(403, "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi", "调用过于频繁")


async def test_a_dingtalk_that_is_busy_says_nothing_about_the_rest(ask, demo):
    refusals = demo.sandbox.dingtalk.api.refusals
    for path, name in (
        ("/v1.0/robot/oToMessages/batchSend", "钉钉权限"),
        ("/topapi/v2/user/get", "钉钉可见范围"),
        ("/topapi/v2/department/listsub", "钉钉权限"),
        ("/v1.0/oauth2/accessToken", "钉钉密钥"),
    ):
        refusals.clear()
        refusals[path] = QPS

        says_busy((await ask())[name])


async def test_a_gateway_that_is_shut_for_a_moment_is_busy(ask, demo):
    demo.sandbox.state.faults.on("dingtalk", "shut")

    line = (await ask())["钉钉长连接"].line

    assert "忙" in line
    assert "wss" not in line


async def test_a_month_that_is_over_hides_whether_scopes_are_missing(ask, demo):
    demo.sandbox.dingtalk.api.calls_left = 0

    assert "本月的调用用完了" in (await ask())["钉钉权限"].line


async def test_the_firewall_is_told_as_what_it_is(ask, demo):
    demo.sandbox.state.faults.on("dingtalk", "ban_json")

    found = await ask()

    assert "防火墙" in found["钉钉密钥"].line
    assert "五分钟后" in found["钉钉密钥"].line


async def test_scopes_of_what_is_switched_on_are_asked_for(ask, demo):
    denied = "Forbidden.AccessDenied.AccessTokenPermissionDenied"
    refusals = demo.sandbox.dingtalk.api.refusals
    refusals["/v1.0/card/instances"] = Fault(403, denied, "没有权限")
    todo = "/v1.0/todo/users/leadbot-doctor/tasks/leadbot-doctor"
    refusals[todo] = Fault(403, denied, "没有权限")
    source = "/v1.0/todo/users/leadbot-doctor/tasks/sources/leadbot-doctor"
    refusals[source] = Fault(403, denied, "没有权限")

    without = (await ask(dingtalk={"card_template_id": "", "todo": False}))["钉钉权限"]
    found = (await ask(dingtalk={"card_template_id": "t1", "todo": True}))["钉钉权限"]

    assert without.ok
    assert "Card.Instance.Write、Todo.Todo.Write、Todo.Todo.Read" in found.line


async def test_who_may_not_look_people_up_is_told_that_nothing_can_be_said(ask, demo):
    denied = "Forbidden.AccessDenied.AccessTokenPermissionDenied"
    demo.sandbox.dingtalk.api.refusals["/topapi/v2/user/get"] = Fault(403, denied, "没有权限")

    found = (await ask(dingtalk={"todo": False}))["钉钉可见范围"]

    assert found.ok
    assert "没开 qyapi_get_member" in found.line


async def test_an_address_that_is_not_on_dingtalks_list_is_told(ask, demo):
    demo.sandbox.dingtalk.api.refusals["/topapi/v2/department/listsub"] = Fault(
        403, "Forbidden.AccessDenied.IpNotInWhiteList", "IP 不在白名单"
    )

    assert only_fault(await ask()).startswith("✗ 钉钉可信 IP：")


async def test_dingtalk_members_outside_the_range_are_named(ask, demo):
    demo.sandbox.dingtalk.staff.find("wangqiang").seen = False

    assert "看不到 王强" in only_fault(await ask())


async def test_a_dingtalk_app_that_was_switched_off_is_no_busy_platform(ask, demo):
    demo.sandbox.faults.on("dingtalk", "app_off")

    line = only_fault(await ask())

    assert "应用被停用" in line
    assert "平台忙" not in line


async def test_a_stream_that_is_refused_is_told(ask, demo):
    demo.sandbox.dingtalk.api.refusals["/v1.0/gateway/connections/open"] = Fault(
        401, "authFailed", "鉴权失败"
    )

    assert "被拒绝（401）" in (await ask())["钉钉长连接"].line


async def test_the_doctor_takes_no_message_from_the_running_service(ask, demo):
    gateway = demo.sandbox.dingtalk.gateway
    await eventually(lambda: gateway.connected == 1, lambda: "the service is not connected")

    await ask()

    assert gateway.connected == 1
    calls = [wire["call"] for wire in demo.sandbox.state.wires]
    assert calls.count("WS 已连接") == 1


# -- the groups' robots and the card's template -----------------------------------


def count_of_messages(opened):
    return sum(len(chat) for chat in opened.sandbox.state.chats.values())


async def test_the_doctor_says_nothing_in_the_groups_it_tries(ask, demo):
    before = count_of_messages(demo)

    found = await ask()

    assert count_of_messages(demo) == before
    for name in ("企业微信群机器人", "钉钉群机器人"):
        assert "没往群里发消息" in found[name].line


async def test_a_wecom_robot_that_was_removed_is_told(ask, demo):
    """Nothing tried the address, and doctor found that all was well."""
    demo.sandbox.faults.on("wecom", "hook")

    line = only_fault(await ask())

    assert line.startswith("✗ 企业微信群机器人：")
    assert "group_webhook" in line


@pytest.mark.parametrize("key", ["?key=0000", "?key=", ""])
async def test_a_wecom_robots_address_that_is_wrong_is_told(ask, demo, key):
    url = f"{demo.sandbox.wecom_url}/cgi-bin/webhook/send{key}"

    assert only_fault(await ask(wecom={"group_webhook": url})).startswith("✗ 企业微信群机器人：")


async def test_a_wecom_robot_nothing_answers_for_is_the_network(ask):
    url = "http://127.0.0.1:9/cgi-bin/webhook/send?key=0000"

    line = only_fault(await ask(wecom={"group_webhook": url}))

    assert "连不上 group_webhook" in line
    assert "0000" not in line


async def test_where_no_robot_is_configured_none_is_tried(ask):
    found = await ask(wecom={"group_webhook": ""}, dingtalk={"group_webhook": ""})

    assert not {"企业微信群机器人", "钉钉群机器人", "钉钉互动卡片"} & found.keys()


@pytest.mark.parametrize(
    ("fault", "says"), [("robot_token", "重新复制 Webhook"), ("group_gone", "群解散了")]
)
async def test_a_dingtalk_robot_that_is_gone_is_told(ask, demo, fault, says):
    """Nothing tried the address, and doctor found that all was well."""
    demo.sandbox.faults.on("dingtalk", fault)

    line = only_fault(await ask())

    assert line.startswith("✗ 钉钉群机器人：")
    assert says in line


async def test_a_dingtalk_robots_wrong_signature_is_told(ask):
    line = only_fault(await ask(dingtalk={"group_webhook_secret": "SECwrong"}))

    assert line.startswith("✗ 钉钉群机器人：")
    assert "group_webhook_secret" in line


async def test_a_dingtalk_robots_address_that_is_none_is_told(ask, demo):
    line = only_fault(await ask(dingtalk={"group_webhook": demo.sandbox.dingtalk_url}))

    assert "重新复制整个地址" in line


async def test_a_keyword_of_the_robot_is_no_fault_and_is_said(ask, demo):
    demo.sandbox.faults.on("dingtalk", "keyword")

    found = (await ask())["钉钉群机器人"]

    assert found.ok
    assert "关键词" in found.line


@pytest.fixture
async def carded(tmp_path, monkeypatch):
    monkeypatch.setattr(made, "SAMPLES", ())
    async with made.open_demo(tmp_path, cards=True) as opened:
        await until_state(opened, State.UP)
        yield opened


async def card_line(opened, **changes):
    settings = parse(changed(opened.settings, {"dingtalk": changes} if changes else {}))
    found = [check async for check in examine(settings, opened.service.store.clock)]
    return next(check.line for check in found if check.name == "钉钉互动卡片")


async def test_a_cards_template_is_tried_with_a_card_for_nobody(carded):
    before = count_of_messages(carded)

    lines = [await card_line(carded), await card_line(carded)]

    assert lines == ["✓ 钉钉互动卡片：模板可用"] * 2
    assert count_of_messages(carded) == before


async def test_a_cards_template_that_does_not_exist_is_told(carded):
    """The permission was asked for with a card that is not there, whatever the template."""
    line = await card_line(carded, card_template_id="another.schema")

    assert line.startswith("✗ 钉钉互动卡片：")
    assert "导入并发布模板" in line


async def test_a_cards_template_that_is_not_published_is_told(carded):
    carded.sandbox.faults.on("dingtalk", "template")

    assert "没发布" in await card_line(carded)


async def test_a_template_that_may_not_be_used_points_at_the_permission(carded):
    carded.sandbox.faults.on("dingtalk", "card_scope")

    assert "钉钉权限" in await card_line(carded)


# -- ourselves -----------------------------------------------------------------------


async def test_a_clock_that_is_off_is_told_with_how_much(ask, demo, monkeypatch):
    async def behind(request, response):
        response.headers["Date"] = "Mon, 02 Mar 2020 02:00:00 GMT"

    app = web.Application()
    app.on_response_prepare.append(behind)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"

    found = await ask(wecom={"api_base": base})
    await runner.cleanup()

    assert "比平台快" in found["时钟"].line
    assert "timedatectl" in found["时钟"].line


async def test_a_month_that_is_nearly_used_up_fails(ask, demo):
    async with demo.service.store.begin() as tx:
        await tx.quota.add({(Api.DINGTALK_CALLS, ""): 4900})

    line = only_fault(await ask())

    assert line.startswith("✗ 配额：")
    assert "4,9" in line


async def test_no_font_for_chinese_is_told(ask, monkeypatch):
    def none():
        raise pictures.NoFont("no font")

    monkeypatch.setattr(pictures, "_installed", none)

    assert only_fault(await ask()).startswith("✗ 字体：画不了中文")


async def test_a_database_that_was_never_made_is_told_and_not_made(tmp_path):
    file = tmp_path / "none.db"
    settings = parse({"database": {"url": f"sqlite+aiosqlite:///{file}"}})

    found = {check.name: check async for check in examine(settings)}

    assert "运行 leadbot migrate" in found["数据库"].line
    assert not file.exists()
    assert "一个都没有配置" in found["平台"].line


async def test_an_older_schema_is_told_on_both_databases(store, settings):
    found = {check.name: check async for check in examine(settings)}
    assert found["数据库"].ok

    async with store.begin() as tx:
        await tx.conn.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    found = {check.name: check async for check in examine(settings)}

    assert "表结构不是这个版本的" in found["数据库"].line


UNHURRIED = """
from aiohttp import ClientTimeout
from bot.__main__ import main
from bot.doctor import dingtalk, wecom

dingtalk.PATIENCE = wecom.PATIENCE = ClientTimeout(60)
main()
"""


async def test_the_command_prints_the_lines_and_fails_when_one_does(demo, tmp_path):
    async def doctor():
        command = [
            sys.executable,
            "-c",
            UNHURRIED,
            "doctor",
            "--config",
            str(tmp_path / "leadbot.toml"),
        ]
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()

    well, out, err = await doctor()
    demo.sandbox.wecom.api.refusals["*"] = No(60020, "not allow to access from your ip")
    ill, wrong, _ = await doctor()

    assert (well, err) == (0, "")
    assert [line[2:].partition("：")[0] for line in out.splitlines()] == EVERYTHING
    assert ill == 1
    assert "✗ 企业微信可信 IP" in wrong
