import asyncio
import itertools
import json
import selectors
import traceback
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from aiohttp import ClientSession, web
from hypothesis import given
from hypothesis import strategies as st

from bot.platforms.dingtalk.answers import DingTalkError, read_answer
from bot.platforms.dingtalk.client import DingTalkClient
from bot.platforms.dingtalk.pace import Gate, SharedWindow, Window, api_of
from store.domain.errors import Later, Undeliverable
from store.domain.quota import Api
from tests.bot.dingtalk.conftest import CLIENT_ID, SECRET, Clock, settings
from tests.bot.dingtalk.fakes import FakeApi
from tests.bot.dingtalk.samples import patient

NEW = "/v1.0/robot/oToMessages/batchSend"
OLD = "/topapi/v2/user/get"


@pytest.fixture
async def api(aiohttp_server) -> FakeApi:
    api = FakeApi()
    server = await aiohttp_server(api.app())
    api.base = str(server.make_url("")).rstrip("/")
    return api


@pytest.fixture
def client(api, session: ClientSession, clock: Clock) -> DingTalkClient:
    return DingTalkClient(session, settings(api.base), clock)


async def test_the_new_api_takes_the_token_in_a_header(api, client):
    api.says(NEW, {"processQueryKey": "qk"})

    answer = await client.call("POST", NEW, {"text": "张三"})

    (_, _, query, headers, body), *_ = api.calls
    assert answer == {"processQueryKey": "qk"}
    assert headers["x-acs-dingtalk-access-token"] == "t0ken-1"
    assert headers["Content-Type"] == "application/json"
    assert (query, body) == ({}, {"text": "张三"})


async def test_the_old_api_takes_it_in_the_query(api, client):
    api.says(OLD, {"errcode": "0", "result": {"name": "张三"}})

    answer = await client.call("POST", OLD, {"userid": "user01"}, old=True)

    (_, _, query, headers, _), *_ = api.calls
    assert answer["result"] == {"name": "张三"}
    assert query == {"access_token": "t0ken-1"}
    assert "x-acs-dingtalk-access-token" not in headers


async def test_chinese_goes_out_as_utf_8(aiohttp_server, session, clock):
    raw = []

    async def keep(request):
        raw.append(await request.read())
        return web.json_response({"errcode": 0})

    app = web.Application()
    app.router.add_post("/hook", keep)
    server = await aiohttp_server(app)
    client = DingTalkClient(session, settings(), clock)

    await client.webhook(str(server.make_url("/hook")), {"a": "张三"}, "hook")

    assert raw == ['{"a": "张三"}'.encode()]


async def test_twenty_callers_fetch_one_token(api, client):
    await asyncio.gather(*(client.call("POST", f"/v1.0/x{n}", {}) for n in range(20)))

    assert api.tokens == 1


async def test_a_token_is_renewed_five_minutes_early(api, client, clock):
    await client.call("POST", NEW, {})
    clock.tick(minutes=114)
    await client.call("POST", NEW, {})
    before = api.tokens
    clock.tick(minutes=1)
    await client.call("POST", NEW, {})

    assert (before, api.tokens) == (1, 2)


@pytest.mark.parametrize(
    ("path", "old", "refusal"),
    [
        (NEW, False, (400, {"code": "InvalidAuthentication", "message": "不合法的access_token"})),
        (OLD, True, {"errcode": 40014, "errmsg": "不合法的access_token"}),
        (OLD, True, {"errcode": 42001}),
        (OLD, True, {"errcode": 88, "sub_code": "40014"}),
    ],
)
async def test_a_refused_token_is_renewed_and_the_call_repeated(api, client, path, old, refusal):
    api.says(path, refusal, {"errcode": 0, "ok": 1})

    answer = await client.call("POST", path, {}, old=old)

    assert answer["ok"] == 1
    assert (api.tokens, len(api.calls)) == (2, 2)


async def test_a_token_refused_twice_is_not_fetched_a_third_time(api, client):
    api.says(NEW, (400, {"code": "InvalidAuthentication"}))

    with pytest.raises(Later):
        await client.call("POST", NEW, {})

    assert (api.tokens, len(api.calls)) == (2, 2)


async def test_callers_refused_together_fetch_one_new_token(api, client):
    await client.call("POST", "/v1.0/warm", {})
    paths = [f"/v1.0/x{n}" for n in range(10)]
    for path in paths:
        api.says(path, (400, {"code": "InvalidAuthentication"}), {})

    await asyncio.gather(*(client.call("POST", path, {}) for path in paths))

    assert api.tokens == 2


LATER = [
    (403, {"code": "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi"}, timedelta(seconds=1)),
    (403, {"code": "Forbidden.AccessDenied.QpmLimitForAppkeyAndApi"}, timedelta(seconds=60)),
    (403, {"code": "Forbidden.AccessDenied.QpsLimitForApi"}, timedelta(seconds=1)),
    (200, {"errcode": 90018}, timedelta(seconds=1)),
    (200, {"errcode": 88, "sub_code": "90018"}, timedelta(seconds=1)),
    (200, {"errcode": 90005}, timedelta(seconds=60)),
    (200, {"status": 1111, "wait": 5, "punish": "deny"}, timedelta(minutes=5)),
    (200, "<html>punish</html>", timedelta(minutes=5)),
    (403, "  <!DOCTYPE html>", timedelta(minutes=5)),
    (400, {"code": "send.too.fast"}, timedelta(seconds=5)),
    (200, {"errcode": 410100}, timedelta(minutes=10)),
    (200, {"errcode": 130101}, timedelta(minutes=10)),
    (200, {"errcode": "302033"}, timedelta(minutes=10)),
    (400, {"code": "invalidClientIdOrSecret"}, timedelta(minutes=10)),
    (200, {"errcode": 60020}, timedelta(minutes=10)),
    (429, {"code": "system.busy"}, None),
    (429, {"code": "whatever"}, None),
    (200, {"errcode": -1}, None),
    (200, {"errcode": 15}, None),
    (200, {"errcode": 88, "sub_code": ""}, None),
    (200, {"errcode": 88, "sub_code": "isp.timeout"}, None),
    (500, {"code": "unknownError"}, None),
    (502, "<html>Bad Gateway</html>", None),
    (503, "", None),
    (504, {"code": "service.timeout"}, None),
    (302, "<a href=x>", None),
    (302, {}, None),
    (200, "", None),
    (200, [], None),
    (200, "ok", None),
]


@pytest.mark.parametrize(("status", "body", "after"), LATER)
async def test_these_answers_mean_later(api, client, status, body, after):
    api.says(NEW, (status, body))

    with pytest.raises(Later) as later:
        await client.call("POST", NEW, {})

    assert later.value.after == after


NEVER = [
    (400, {"code": "staffId.notExisted"}, "staffId.notExisted"),
    (400, {"code": "resource.not.found", "message": "robot 不存在"}, "resource.not.found"),
    (500, {"code": "param.callbackRouteKeyExist"}, "param.callbackRouteKeyExist"),
    (500, {"code": "param.openSpaceIdInvalid"}, "param.openSpaceIdInvalid"),
    (404, {"code": "error.notFound"}, "error.notFound"),
    (404, "", "404"),
    (400, {"code": ""}, "400"),
    (200, {"errcode": 88, "sub_code": "60121"}, "60121"),
]


@pytest.mark.parametrize(("status", "body", "code"), NEVER)
async def test_these_answers_mean_never(api, client, status, body, code):
    api.says(NEW, (status, body))

    with pytest.raises(DingTalkError) as error:
        await client.call("POST", NEW, {})

    assert isinstance(error.value, Undeliverable)
    assert error.value.code == code


async def test_the_monthly_quota_waits_for_the_next_month_in_china(api, client, clock):
    clock.tick(days=29, hours=8)  # 31 March 17:00 in China
    api.says(NEW, (403, {"code": "Forbidden.AccessDenied.ApiCountLimitForOrg"}))

    with pytest.raises(Later, match="quota") as later:
        await client.call("POST", NEW, {})

    assert later.value.after == timedelta(hours=7)


QPS = "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi"
MONTH = "Forbidden.AccessDenied.ApiCountLimitForOrg"


@pytest.mark.parametrize(
    ("answer", "counted"),
    [
        pytest.param({"processQueryKey": "qk"}, 1, id="done"),
        pytest.param((400, {"code": "invalidParameter.msgKey.x"}), 1, id="refused for good"),
        pytest.param((500, {"code": "ServiceUnavailable"}), 1, id="perhaps carried out"),
        pytest.param((403, {"code": QPS}), 0, id="throttled"),
        pytest.param((403, {"code": MONTH}), 0, id="the month is over"),
        pytest.param((403, {"status": 1111, "punish": "deny"}), 0, id="banned"),
    ],
)
async def test_the_month_pays_for_what_dingtalk_has_read(api, session, clock, answer, counted):
    spent = []
    client = DingTalkClient(session, settings(api.base), clock, spend=spent.append)
    api.says(NEW, answer)

    with suppress(Later, DingTalkError):
        await client.call("POST", NEW, {})

    assert spent == [Api.DINGTALK_CALLS] * counted


async def test_calls_that_a_ban_keeps_back_are_not_counted(api, session, clock):
    spent = []
    client = DingTalkClient(session, settings(api.base), clock, spend=spent.append)
    api.says(NEW, (403, {"status": 1111, "punish": "deny"}))

    for _ in range(5):
        with pytest.raises(Later):
            await client.call("POST", NEW, {})
        with pytest.raises(Later):
            await client.webhook(api.base + "/hook", {}, "robot/send")

    assert spent == []  # each was counted although none was sent


async def test_a_renewed_token_is_one_call(api, session, clock):
    spent = []
    client = DingTalkClient(session, settings(api.base), clock, spend=spent.append)
    api.says(NEW, (400, {"code": "InvalidAuthentication"}), {"processQueryKey": "qk"})

    await client.call("POST", NEW, {})

    assert spent == [Api.DINGTALK_CALLS]


async def test_without_a_connection_nothing_is_counted(api, session, clock):
    spent = []
    client = DingTalkClient(session, settings(), clock, spend=spent.append)

    with pytest.raises(Later):
        await client.webhook("http://127.0.0.1:1/robot/send", {}, "robot/send")

    assert spent == []


async def test_a_missing_permission_is_named(api, client):
    code = "Forbidden.AccessDenied.AccessTokenPermissionDenied"
    scopes = {"requiredScopes": ["qyapi_robot_sendmsg"]}
    api.says(NEW, (403, {"code": code, "accessdenieddetail": scopes}))

    with pytest.raises(Later, match="qyapi_robot_sendmsg"):
        await client.call("POST", NEW, {})


async def test_what_a_robot_s_security_setting_found_is_named(api, client):
    api.says("/hook", {"errcode": 310000, "errmsg": "description:keywords not in content;"})

    with pytest.raises(Later, match="keywords not in content"):
        await client.webhook(api.base + "/hook", {}, "robot/send")


async def test_banned_by_the_firewall_it_leaves_everything_alone_for_five_minutes(
    api, client, clock
):
    api.says(NEW, {"status": 1111}, {"ok": 1})
    with pytest.raises(Later):
        await client.call("POST", NEW, {})

    with pytest.raises(Later) as later:
        await client.call("POST", "/v1.0/another", {})
    called = api.paths()
    clock.tick(minutes=5)
    answer = await client.call("POST", NEW, {})

    assert later.value.after == timedelta(minutes=5)
    assert called == [NEW]
    assert answer == {"ok": 1}


async def test_a_dead_host_means_later(session, clock):
    client = DingTalkClient(session, settings("http://127.0.0.1:1"), clock)

    with pytest.raises(Later, match="accessToken: Client"):
        await client.call("POST", NEW, {})


@pytest.mark.parametrize(
    "answer", [{}, {"accessToken": "x"}, {"accessToken": "x", "expireIn": "soon"}]
)
async def test_an_answer_without_a_token_means_later(api, client, answer):
    api.says("token", answer)

    with pytest.raises(Later, match="no token"):
        await client.call("POST", NEW, {})


async def test_no_error_holds_the_token_the_secret_or_an_address(api, client):
    bad = [
        (400, {"code": "x", "message": f"t0ken-1 {SECRET}"}),
        (302, "<a>"),
        (200, {"errcode": 40014, "errmsg": f"t0ken-1 {SECRET}"}),
        (500, f"t0ken-1 {SECRET}"),
    ]
    hosts = ("http://127.0.0.1:1", "http://[", "http://x:port", "nowhere", "")
    addresses = [f"{host}/robot?access_token=t0ken-1" for host in hosts]
    texts = []

    for answer, old in itertools.product(bad, (False, True)):
        api.says(NEW, answer)
        with pytest.raises((Later, DingTalkError)) as error:
            await client.call("POST", NEW, {}, old=old)
        texts += traceback.format_exception(error.value)
    for url in addresses:
        with pytest.raises((Later, DingTalkError)) as error:
            await client.webhook(url, {}, "robot/send", {"timestamp": "1"})
        texts += traceback.format_exception(error.value)

    assert "t0ken" not in "".join(texts)
    assert SECRET not in "".join(texts)
    assert CLIENT_ID not in "".join(texts)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(aiohttp_server, api, session, clock, status):
    async def elsewhere(request):
        return web.json_response({}, status=status, headers={"Location": api.base + "/leak"})

    app = web.Application()
    app.router.add_post("/hook", elsewhere)
    server = await aiohttp_server(app)
    client = DingTalkClient(session, settings(api.base), clock)

    with pytest.raises(Later):
        await client.webhook(str(server.make_url("/hook")), {"secret": 1}, "hook")

    assert api.calls == []


class Leaps(selectors.DefaultSelector):
    """The time of a loop that passes only while everybody sleeps, and then at once."""

    now = 0.0

    def select(self, timeout=None):
        self.now += timeout or 0.0
        return super().select(0)


def leaping() -> asyncio.AbstractEventLoop:
    leaps = Leaps()
    loop = asyncio.SelectorEventLoop(leaps)
    loop.time = lambda: leaps.now
    return loop


@dataclass
class Noted:
    """A gate, and when who was let through."""

    gate: Gate
    times: list[tuple[str, float]] = field(default_factory=list)

    async def enter(self, path):
        await self.gate.enter(path)
        self.times.append((path, asyncio.get_running_loop().time()))


def test_no_api_is_called_more_than_twenty_times_in_a_second():
    others = [f"/v1.0/other{n}" for n in range(5)]
    noted = Noted(Window())

    async def calls():
        await asyncio.gather(*(noted.enter(path) for path in [NEW] * 45 + others))

    with asyncio.Runner(loop_factory=leaping) as runner:
        runner.run(calls())

    times = sorted(at for path, at in noted.times if path == NEW)
    assert len(times) == 45
    assert all(late - early > 1 for early, late in zip(times, times[20:], strict=False))
    assert [at for path, at in noted.times if path != NEW] == [0.0] * 5


async def test_every_call_is_let_through_first(api, session, clock):
    noted = Noted(Window())
    client = DingTalkClient(session, settings(api.base), clock, gate=noted)

    await asyncio.gather(*(client.call("POST", NEW, {}) for _ in range(3)))

    assert [path for path, _ in noted.times] == api.paths() == [NEW] * 3


async def test_two_processes_together_call_no_api_more_than_twenty_times_in_a_second(store):
    """Each of them called twenty times."""
    both = [Noted(SharedWindow(store)) for _ in range(2)]

    await asyncio.gather(*(one.enter(NEW) for one in both for _ in range(24)))

    times = sorted(at for one in both for _, at in one.times)
    assert len(times) == 48
    assert all(late - early >= 1 for early, late in zip(times, times[20:], strict=False))


async def test_the_to_dos_of_all_people_are_one_api():
    assert api_of("/v1.0/todo/users/uN1/tasks?operatorId=x") == api_of(
        "/v1.0/todo/users/uN2/tasks/t"
    )
    assert api_of(f"{NEW}?x=1") == NEW


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=5,
)


@patient
@given(
    status=st.integers(200, 599),
    body=st.binary()
    | st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            ("errcode", "code", "sub_code", "errmsg", "status", "accessdenieddetail"), json_values
        ),
    ).map(lambda value: json.dumps(value).encode()),
)
def test_every_answer_is_a_result_or_one_of_two_errors(status, body):
    try:
        answer = read_answer("/x", status, body, Clock()())
    except (Later, DingTalkError):
        return

    assert status < 300
    assert isinstance(answer, dict)
