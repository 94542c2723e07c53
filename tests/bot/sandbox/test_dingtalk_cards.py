"""The stand-in's interactive cards are as strict as the platform, or stricter."""

import asyncio
import json
from contextlib import asynccontextmanager
from urllib.parse import quote

import pytest
from aiohttp import WSMsgType, web

from tests.bot.sandbox.fake_product import JSON

CREATE = "/v1.0/card/instances/createAndDeliver"
CHANGE = "/v1.0/card/instances"
REGISTER = "/v1.0/card/callbacks/register"
TOPIC = "/v1.0/card/instances/callback"
LOOK = {
    "title": "新线索 #1",
    "note": "5 分内接受",
    "hasNote": "true",
    "button1": "接受",
    "line1": "/领取 1",
    "color1": "blue",
}


@pytest.fixture
def has_template():
    return True


@pytest.fixture
def template(product):
    return product.sandbox.dingtalk.org.template_id


@pytest.fixture
def instances(product):
    return product.sandbox.dingtalk.instances


@pytest.fixture
def card(product, template):
    def make(track_id="lead-1", user="zhaomin", **changes):
        robot = product.settings["dingtalk"]["client_id"]
        return {
            "cardTemplateId": template,
            "outTrackId": track_id,
            "callbackType": "STREAM",
            "cardData": {"cardParamMap": LOOK},
            "privateData": {user: {"cardParamMap": {"canPress1": "true"}}},
            "openSpaceId": f"dtv1.card//IM_ROBOT.{user}",
            "imRobotOpenSpaceModel": {"supportForward": False},
            "imRobotOpenDeliverModel": {"spaceType": "IM_ROBOT", "robotCode": robot},
            **changes,
        }

    return make


@pytest.fixture
def change(product):
    async def put(track_id="lead-1", **body):
        base, tokens = (
            product.settings["dingtalk"]["api_base"],
            product.sandbox.dingtalk.api.tokens,
        )
        headers = {"x-acs-dingtalk-access-token": tokens.issue()}
        body = {"outTrackId": track_id, **body}
        async with product.session.put(base + CHANGE, json=body, headers=headers) as response:
            return response.status, await response.json()

    return put


def shown(state, user="zhaomin"):
    return [m for m in state.chats.get(f"dingtalk:{user}", ()) if m.kind == "instance"]


async def test_a_card_is_drawn_from_what_its_reader_may_see(product, state, card):
    status, answer = await product.dingtalk(CREATE, **card())

    [message] = shown(state)
    [place] = answer["result"]["deliverResults"]
    assert (status, place["success"]) == (200, True)
    assert place["carrierId"]
    assert message.body["title"] == "新线索 #1"
    assert message.body["parts"]["note"] == "5 分内接受"
    assert message.body["parts"]["rows"] == ""
    assert message.body["buttons"] == [{"title": "接受", "url": "press1", "color": "blue"}]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"cardTemplateId": "other.schema"}, "param.templateNotExist"),
        ({"outTrackId": "x" * 101}, "param.outTrackIdInvalid"),
        ({"outTrackId": ""}, "param.outTrackIdInvalid"),
        ({"cardData": {"cardParamMap": {"n": 1}}}, "param.cardDataInvalid"),
        ({"cardData": {"cardParamMap": {"n": True}}}, "param.cardDataInvalid"),
        ({"cardData": {"cardParamMap": {"n": {}}}}, "param.cardDataInvalid"),
        ({"cardData": {"cardParamMap": {"n": "王" * 342}}}, "param.cardDataTooLong"),
        ({"cardData": {}}, "param.cardDataInvalid"),
        ({"openSpaceId": "dtv1.card://IM_ROBOT.zhaomin"}, "param.openSpaceIdInvalid"),
        ({"imRobotOpenSpaceModel": None}, "param.openSpaceIdInvalid"),
        ({"imRobotOpenDeliverModel": {}}, "invalidParameter.robotCode.auth"),
        ({"callbackType": "HTTP", "callbackRouteKey": "x"}, "param.callbackRouteKeyInvalid"),
    ],
)
async def test_a_card_is_refused_with_a_code(product, state, card, changes, code):
    status, answer = await product.dingtalk(CREATE, **card(**changes))

    assert (status, answer["code"]) == (400, code)
    assert shown(state) == []


async def test_a_used_track_id_is_refused(product, card):
    await product.dingtalk(CREATE, **card())

    status, answer = await product.dingtalk(CREATE, **card())

    assert (status, answer["code"]) == (400, "param.cardAlreadyExist")


@pytest.mark.parametrize("user", ["nobody", "$:LWCP_v1:$abc", "cidOfOneToOne=="])
async def test_success_says_nothing_about_who_got_it(product, card, user):
    status, answer = await product.dingtalk(CREATE, **card(user=user))

    [place] = answer["result"]["deliverResults"]
    assert (status, answer["success"], place["success"]) == (200, True, False)
    assert place["errorMsg"] == "spaceId is illegal"


async def test_without_options_a_change_overwrites_everything(product, state, card, change):
    await product.dingtalk(CREATE, **card())

    await change(cardData={"cardParamMap": {"title": "只剩标题"}})

    [message] = shown(state)
    assert message.body["title"] == "只剩标题"
    assert message.body["parts"]["note"] == ""


async def test_by_key_a_change_keeps_what_it_does_not_name(product, state, card, change):
    await product.dingtalk(CREATE, **card())

    status, answer = await change(
        cardData={"cardParamMap": {"title": "请联系 #1"}},
        privateData={"zhaomin": {"cardParamMap": {"canPress1": "false"}}},
        cardUpdateOptions={"updateCardDataByKey": True, "updatePrivateDataByKey": True},
    )

    [message] = shown(state)
    assert (status, answer) == (200, {"success": True, "result": True})
    assert message.body["title"] == "请联系 #1"
    assert message.body["parts"]["note"] == "5 分内接受"
    assert message.body["buttons"] == []


async def test_an_unknown_card_cannot_be_changed(change):
    status, answer = await change("nobody's")

    assert (status, answer["code"]) == (400, "param.cardNotExist")


# -- presses -------------------------------------------------------------------


@asynccontextmanager
async def listening(product, answer):
    """A stream connection that answers presses with what ``answer(body)`` gives, None for nothing."""
    section = product.settings["dingtalk"]
    body = {
        "clientId": section["client_id"],
        "clientSecret": section["client_secret"],
        "subscriptions": [{"type": "CALLBACK", "topic": TOPIC}],
    }
    url = f"{section['api_base']}/v1.0/gateway/connections/open"
    async with product.session.post(url, json=body, headers=JSON) as response:
        opened = await response.json()
    address = f"{opened['endpoint']}?ticket={quote(opened['ticket'])}"

    async def serve(socket):
        async for message in socket:
            frame = json.loads(message.data) if message.type is WSMsgType.TEXT else {}
            if frame.get("type") != "CALLBACK":
                continue
            said = await answer(json.loads(frame["data"]))
            if said is not None:
                headers = {"messageId": frame["headers"]["messageId"]}
                data = json.dumps({"response": said})
                await socket.send_json({"code": 200, "headers": headers, "data": data})

    async with product.session.ws_connect(address) as socket:
        task = asyncio.create_task(serve(socket))
        yield
        task.cancel()


NEW = {
    "cardUpdateOptions": {"updateCardDataByKey": True, "updatePrivateDataByKey": True},
    "cardData": {"cardParamMap": {"title": "请联系 #1"}},
    "userPrivateData": {"cardParamMap": {"canPress1": "false"}},
}


async def press(product, message, value="press1"):
    return await product.page_post("press", {"message": message.id, "value": value})


async def test_a_press_asks_the_product_and_shows_its_answer(product, state, card):
    heard = []

    async def answer(body):
        heard.append(body)
        return NEW

    await product.dingtalk(CREATE, **card())
    [message] = shown(state)
    async with listening(product, answer):
        status, _ = await press(product, message)

    [body] = heard
    assert status == 200
    assert (body["outTrackId"], body["userId"]) == ("lead-1", "zhaomin")
    assert json.loads(body["content"])["cardPrivateData"] == {
        "actionIds": ["press1"],
        "params": {"line": "/领取 1"},
    }
    assert message.body["title"] == "请联系 #1"
    assert message.body["buttons"] == []


async def test_an_answer_after_two_seconds_is_no_answer(product, state, card, monkeypatch):
    monkeypatch.setattr("bot.sandbox.dingtalk.instances.ANSWER_SECONDS", 0.05)

    async def answer(_body):
        return None

    await product.dingtalk(CREATE, **card())
    [message] = shown(state)
    async with listening(product, answer):
        await press(product, message)

    assert message.body["title"] == "新线索 #1"


async def test_a_change_by_a_call_while_a_press_waits_is_written_down(
    product, state, card, change, instances
):
    async def answer(_body):
        await change(cardData={"cardParamMap": {"title": "x"}})
        return NEW

    await product.dingtalk(CREATE, **card())
    [message] = shown(state)
    async with listening(product, answer):
        await press(product, message)

    [mistake] = instances.mistakes
    assert "lead-1" in mistake


async def test_an_answer_that_is_no_text_is_written_down(product, state, card, instances):
    async def answer(_body):
        return {"cardData": {"cardParamMap": {"title": 7}}}

    await product.dingtalk(CREATE, **card())
    [message] = shown(state)
    async with listening(product, answer):
        await press(product, message)

    assert instances.mistakes
    assert message.body["title"] == "新线索 #1"


async def test_without_a_callback_type_nobody_hears_a_press(product, state, card):
    heard = []

    async def answer(body):
        heard.append(body)
        return NEW

    await product.dingtalk(CREATE, **card(callbackType=""))
    [message] = shown(state)
    async with listening(product, answer):
        await press(product, message)

    assert heard == []


@pytest.mark.parametrize("value", ["press2", "press9", "/领取 1"])
async def test_a_button_that_is_not_there_cannot_be_pressed(product, state, card, value):
    await product.dingtalk(CREATE, **card())
    [message] = shown(state)

    status, _ = await press(product, message, value)

    assert status == 409


async def test_over_http_a_press_is_signed_and_its_address_registered(
    product, state, card, aiohttp_server
):
    heard = []

    async def callback(request):
        heard.append((dict(request.headers), await request.json()))
        return web.json_response(NEW)

    app = web.Application()
    app.router.add_post("/cards", callback)
    url = str((await aiohttp_server(app)).make_url("/cards"))
    register = {"callbackRouteKey": "lead", "callbackUrl": url, "apiSecret": "cardsecret0001"}

    first = await product.dingtalk(REGISTER, **register)
    again = await product.dingtalk(REGISTER, **register)
    forced = await product.dingtalk(REGISTER, **register, forceUpdate=True)
    await product.dingtalk(CREATE, **card(callbackType="HTTP", callbackRouteKey="lead"))
    [message] = shown(state)
    await press(product, message)

    assert (first[0], again[0], forced[0]) == (200, 500, 200)
    assert again[1]["code"] == "param.callbackRouteKeyExist"
    [(headers, body)] = heard
    assert headers["x-ddpaas-signature"]
    assert body["type"] == "actionCallback"
    assert message.body["title"] == "请联系 #1"
