"""DingTalk's odder switches: what only an admin mends, how messages come, HTTP mode, forms."""

import asyncio
import json

import pytest
from aiohttp import web

from bot.sandbox.dingtalk.phone import SHAPES
from bot.sandbox.dingtalk.push import HttpPush
from bot.sandbox.faults import ADMIN, INCOMING, KNOWN
from bot.sandbox.wecom.envelope import Envelope
from tests.bot.dingtalk.fakes import eventually
from tests.bot.sandbox.test_dingtalk_cards import CREATE, LOOK

SEND = "/v1.0/robot/oToMessages/batchSend"
GROUP = "/v1.0/robot/groupMessages/send"
NOTIFY = "/topapi/message/corpconversation/asyncsend_v2"


@pytest.fixture
def has_template():
    return True


@pytest.fixture
def org(product):
    return product.sandbox.dingtalk.org


@pytest.fixture
def send(product, org):
    def send(text="你好", path=SEND, **changes):
        body = {"robotCode": org.client_id, "userIds": ["zhaomin"], "msgKey": "sampleText",
                "msgParam": json.dumps({"content": text}), **changes}  # fmt: skip
        return product.dingtalk(path, **body)

    return send


async def topapi(product, path, **body):
    base, token = product.settings["dingtalk"]["oapi_base"], product.sandbox.dingtalk.api.tokens
    query = {"access_token": token.issue()}
    async with product.session.post(base + path, params=query, json=body) as response:
        return await response.json()


REFUSED = [
    ("no_oto", 400, "chatbotId.notAllow.sendOTO"),
    ("no_session", 400, "robot.oto.notExist"),
    ("muted", 400, "bot.forbidden.sendMessage"),
    ("scope", 403, "Forbidden.AccessDenied.AccessTokenPermissionDenied"),
    ("minute", 403, "Forbidden.AccessDenied.QpmLimitForAppkeyAndApi"),
    ("busy", 429, "system.busy"),
]


@pytest.mark.parametrize(("fault", "status", "code"), REFUSED)
async def test_a_message_is_refused_as_the_switch_says(state, send, fault, status, code):
    state.faults.on("dingtalk", fault)

    got, answer = await send()
    state.faults.off()

    assert (got, answer["code"]) == (status, code)
    assert (await send())[0] == 200


async def test_a_missing_scope_is_named(state, send):
    state.faults.on("dingtalk", "scope")

    _, answer = await send()

    assert answer["accessdenieddetail"] == {"requiredScopes": ["qyapi_robot_sendmsg"]}


async def test_success_lists_whom_it_does_not_know(state, send):
    state.faults.on("dingtalk", "nobody")

    status, answer = await send()

    assert (status, answer["invalidStaffIdList"]) == (200, ["zhaomin"])
    assert "dingtalk:zhaomin" not in state.chats


async def test_the_content_check_minds_links_only(state, send):
    state.faults.on("dingtalk", "unsafe")

    refused, plain = await send("看 https://x.example"), await send("看")

    assert (refused[1]["code"], plain[0]) == ("contain.unsafe.url", 200)


async def test_a_group_that_is_gone_takes_nothing(state, org, send):
    state.faults.on("dingtalk", "group_gone")

    _, answer = await send(path=GROUP, openConversationId=org.group_id)

    assert answer["code"] == "group.disbanded"


@pytest.mark.parametrize(
    ("fault", "code"), [("keyword", 310000), ("robot_token", 300005), ("group_gone", 400013)]
)
async def test_the_groups_robot_is_refused_as_the_switch_says(product, state, fault, code):
    state.faults.on("dingtalk", fault)

    answer = await product.group_robot({"msgtype": "text", "text": {"content": "日报"}})

    assert answer["errcode"] == code


async def test_a_new_secret_takes_the_tokens_back_and_opens_no_connection(product, state, org):
    tokens = product.sandbox.dingtalk.api.tokens
    before = tokens.issue()
    state.faults.on("dingtalk", "secret")

    base = product.settings["dingtalk"]["api_base"]
    asked = {"appKey": org.client_id, "appSecret": org.client_secret}
    async with product.session.post(f"{base}/v1.0/oauth2/accessToken", json=asked) as response:
        refused = (await response.json())["code"]
    opened = {"clientId": org.client_id, "clientSecret": org.client_secret, "subscriptions": []}
    url = f"{base}/v1.0/gateway/connections/open"
    async with product.session.post(url, json=opened) as response:
        status = response.status

    assert not tokens.alive(before)
    assert (refused, status) == ("invalidClientIdOrSecret", 401)


async def test_the_gateway_can_be_banned_alone(product, state, org):
    state.faults.on("dingtalk", "shut_ban")
    url = f"{product.settings['dingtalk']['api_base']}/v1.0/gateway/connections/open"

    async with product.session.post(url, json={}) as response:
        assert "<html" in await response.text()


async def test_people_out_of_range_cannot_be_looked_at(product, state):
    state.faults.on("dingtalk", "invisible")

    answer = await topapi(product, "/topapi/v2/user/get", userid="zhaomin")

    assert answer["errcode"] == 50002


async def test_a_work_notification_with_the_same_words_is_dropped_without_a_word(product, org):
    state = product.sandbox.state
    body = {"agent_id": org.agent_id, "userid_list": "zhaomin",
            "msg": {"msgtype": "text", "text": {"content": "新线索"}}}  # fmt: skip

    answers = [await topapi(product, NOTIFY, **body) for _ in range(2)]

    assert [answer["errcode"] for answer in answers] == [0, 0]
    assert len(state.chats["dingtalk:zhaomin"]) == 1


async def test_a_work_notification_has_a_size(product, org):
    body = {"agent_id": org.agent_id, "userid_list": "zhaomin",
            "msg": {"msgtype": "text", "text": {"content": "王" * 700}}}  # fmt: skip

    assert (await topapi(product, NOTIFY, **body))["errcode"] == 40035


# -- how messages come -------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
async def test_the_next_message_comes_as_the_switch_says_and_the_one_after_as_ever(
    product, state, shape
):
    await product.connect()
    state.faults.on("dingtalk", shape)

    for text in ("线索", "第二句"):
        await product.sandbox.dingtalk.hand.say("zhaomin", text)
    await eventually(lambda: len(product.robot) == 2)

    odd, plain = (body for _, body in product.robot)
    assert (plain["msgtype"], plain["text"]) == ("text", {"content": "第二句"})
    assert odd != {**plain, "msgId": odd["msgId"]}
    assert odd.get("text", {}).get("content", "").strip() in {"", "线索"}


def test_every_shape_is_a_switch_and_every_switch_a_shape():
    switches = {name for name, fault in KNOWN["dingtalk"].items() if fault.group == INCOMING}

    assert switches == set(SHAPES)


def test_what_an_admin_mends_has_its_own_part_of_the_drawer():
    for platform in ("wecom", "dingtalk"):
        assert [f for f in KNOWN[platform].values() if f.group == ADMIN]


# -- HTTP mode ------------------------------------------------------------------------------


class Console:
    """A product in HTTP mode, as far as the console can tell."""

    def __init__(self, org):
        self.envelope = Envelope(org.push_token, org.push_key, org.client_id)
        self.events, self.robot, self.says, self.slow = [], [], "success", 0.0

    def app(self):
        app = web.Application()
        app.router.add_post("/dingtalk/events", self.event)
        app.router.add_post("/dingtalk/robot", self.hear)
        return app

    async def event(self, request):
        await asyncio.sleep(self.slow)
        query, body = request.query, await request.json()
        names = ("msg_signature", "timestamp", "nonce")
        plain = self.envelope.open(*(query[name] for name in names), body["encrypt"])
        self.events.append(json.loads(plain))
        encrypted = self.envelope.encrypt(self.says)
        at, nonce = query["timestamp"], query["nonce"]
        sign = self.envelope.sign(at, nonce, encrypted)
        answer = {"msg_signature": sign, "timeStamp": at, "nonce": nonce, "encrypt": encrypted}
        return web.json_response(answer)

    async def hear(self, request):
        self.robot.append((dict(request.headers), await request.json()))
        return web.json_response({"msgtype": "empty"})


@pytest.fixture
async def console(product, org, aiohttp_server):
    console = Console(org)
    server = await aiohttp_server(console.app())
    url = str(server.make_url("")).rstrip("/")
    console.push = HttpPush(org, product.sandbox.state, url, gaps=(0.01, 0.01))
    product.sandbox.dingtalk.gateway.http = console.push
    return console


async def test_the_console_checks_the_address(console):
    assert await console.push.check_url()

    assert [event["EventType"] for event in console.events] == ["check_url"]


async def test_an_address_that_is_slow_or_says_something_else_is_refused(console, monkeypatch):
    monkeypatch.setattr("bot.sandbox.dingtalk.push.CHECK_SECONDS", 0.05)
    console.says = "ok"
    other = await console.push.check_url()
    console.says, console.slow = "success", 0.2

    assert not other
    assert not await console.push.check_url()


async def test_an_event_nobody_takes_comes_three_times_and_then_stands_in_the_failed_list(
    product, console
):
    console.says = "no"

    taken = await console.push.event("user_add_org", {"UserId": ["u1"]}, "e1")

    path = "/call_back/get_call_back_failed_result"
    lists = [(await topapi(product, path))["failed_list"] for _ in range(2)]
    assert (taken, len(console.events)) == (False, 3)
    assert {event["eventId"] for event in console.events} == {"e1"}
    assert [len(one) for one in lists] == [1, 0]


async def test_in_http_mode_what_is_said_is_posted_and_signed(product, console):
    await product.sandbox.dingtalk.hand.say("zhaomin", "公海")
    await eventually(lambda: console.robot)

    headers, body = console.robot[0]
    assert body["text"] == {"content": "公海"}
    assert headers["sign"]


# -- forms ------------------------------------------------------------------------------------


async def test_a_form_in_a_card_is_sent_off_with_what_was_filled_in(product, state, org):
    await product.connect()
    made = {
        "cardTemplateId": org.template_id,
        "outTrackId": "form-1",
        "callbackType": "STREAM",
        "cardData": {"cardParamMap": LOOK},
        "openSpaceId": "dtv1.card//IM_ROBOT.zhaomin",
        "imRobotOpenSpaceModel": {},
        "imRobotOpenDeliverModel": {"robotCode": org.client_id},
    }
    await product.dingtalk(CREATE, **made)
    [message] = state.chats["dingtalk:zhaomin"]
    heard = []
    product.sandbox.dingtalk.gateway.ask = lambda push, _: _keep(heard, push)

    done = await product.sandbox.dingtalk.instances.submit(message, {"phone": "19900000001"})

    chosen = json.loads(heard[0].data["content"])["cardPrivateData"]
    assert done
    assert chosen["params"] == {"form": {"phone": "19900000001"}}


async def _keep(heard, push):
    heard.append(push)
