from datetime import timedelta
from urllib.parse import quote

import pytest
from aiohttp import WSServerHandshakeError

from bot.sandbox.dingtalk.stream import Pace
from tests.bot.sandbox.fake_product import until

LINK = f"dtmd://dingtalkclient/sendMessage?content={quote('/接受 1')}"


@pytest.fixture
def hand(product):
    return product.sandbox.dingtalk.hand


@pytest.fixture
def gateway(product):
    return product.sandbox.dingtalk.gateway


def open_url(product):
    return f"{product.settings['dingtalk']['api_base']}/v1.0/gateway/connections/open"


async def test_the_gateway_knows_its_app(product):
    body = {"clientId": "x", "clientSecret": "y", "subscriptions": []}

    async with product.session.post(open_url(product), json=body) as response:
        assert response.status == 401
        assert (await response.json())["code"] == "authFailed"


async def test_who_does_not_ask_for_json_gets_xml(product):
    section = product.settings["dingtalk"]
    body = {"clientId": section["client_id"], "clientSecret": section["client_secret"]}

    async with product.session.post(
        open_url(product), json={**body, "subscriptions": []}
    ) as reply:
        assert reply.content_type == "application/xml"


async def test_a_ticket_opens_one_connection(product):
    opened = await product.ticket()
    url = f"{opened['endpoint']}?ticket={opened['ticket']}"
    await (await product.session.ws_connect(url)).close()

    with pytest.raises(WSServerHandshakeError):
        await product.session.ws_connect(url)


async def test_pings_come_by_themselves(product):
    opened = await product.ticket()

    async with product.session.ws_connect(f"{opened['endpoint']}?ticket={opened['ticket']}") as ws:
        frame = await ws.receive_json(timeout=60)

    assert (frame["type"], frame["headers"]["topic"]) == ("SYSTEM", "ping")


async def test_a_line_arrives_once_when_it_is_acknowledged(product, hand, gateway):
    gateway.pace = Pace(again=(60.0,))
    await product.connect()

    await hand.say("zhaomin", "我的")

    await until(lambda: product.robot)
    ((_, data),) = product.robot
    assert (data["conversationType"], data["text"]["content"]) == ("1", "我的")
    assert (data["senderStaffId"], data["senderNick"]) == ("zhaomin", "赵敏")
    assert data["sessionWebhookExpiredTime"] - data["createAt"] == 90 * 60 * 1000
    assert data["robotCode"] == product.settings["dingtalk"]["client_id"]


async def test_without_an_ack_the_same_message_comes_twice_more_under_new_ids(product, hand):
    product.ack = False
    await product.connect()

    await hand.say("zhaomin", "我的")

    await until(lambda: len(product.robot) == 3)
    assert len({message_id for message_id, _ in product.robot}) == 3
    assert len({data["msgId"] for _, data in product.robot}) == 1


async def test_a_line_said_before_the_product_listens_still_arrives(product, hand, gateway):
    await hand.say("zhaomin", "我的")

    await product.connect()

    await until(lambda: product.robot)
    assert gateway.connected == 1


async def test_several_connections_share_the_messages(product, hand, gateway):
    opened = [await product.ticket() for _ in range(2)]
    urls = [f"{each['endpoint']}?ticket={each['ticket']}" for each in opened]
    async with product.session.ws_connect(urls[0]), product.session.ws_connect(urls[1]):
        await until(lambda: gateway.connected == 2)

        for _ in range(20):
            await hand.say("zhaomin", "我的")

        held = [len(connection.waiting) for connection in gateway._connections]
    assert sum(held) >= 20
    assert all(held)  # each of the two got some


async def test_sent_away_a_connection_gets_nothing_more_and_closes(product, hand, gateway):
    await product.connect()

    await gateway.send_away()
    await hand.say("zhaomin", "我的")

    assert gateway.connected == 0
    await until(product.listening.done)
    assert product.robot == []


async def test_pressing_a_command_link_says_its_line(product, state, hand):
    await product.connect()
    message = state.show(
        "dingtalk:zhaomin",
        "actions",
        {"title": "t", "text": "#1", "buttons": [{"title": "接受", "url": LINK}], "beside": False},
    )

    assert await hand.press(message, LINK)
    assert not await hand.press(message, LINK + "9")

    await until(lambda: product.robot)
    assert product.robot[0][1]["text"]["content"] == "/接受 1"
    assert state.chats["dingtalk:zhaomin"][-1].mine


async def test_pressed_in_the_group_it_is_said_to_the_bot(product, state, hand):
    await product.connect()
    message = state.show("dingtalk-group", "markdown", {"title": "t", "text": f"[领取]({LINK})"})

    assert await hand.press(message, LINK, "zhouqiang")

    await until(lambda: product.robot)
    data = product.robot[0][1]
    assert data["isInAtList"] is True
    assert (data["conversationType"], data["text"]["content"]) == ("2", " /接受 1")
    assert data["conversationId"] == product.sandbox.dingtalk.org.group_id
    assert state.chats["dingtalk-group"][-1].body["text"] == "@线索助手 /接受 1"


async def test_a_session_answers_into_its_chat_for_ninety_minutes(product, state, hand):
    await product.connect()
    await hand.say("zhaomin", "我的")
    await until(lambda: product.robot)
    url = product.robot[0][1]["sessionWebhook"]
    body = {"msgtype": "markdown", "markdown": {"title": "我的", "text": "1 条"}}

    answers = []
    for span in (timedelta(0), timedelta(minutes=90)):
        product.clock.forward(span)
        async with product.session.post(url, json=body) as response:
            answers.append((await response.json())["errcode"])

    assert answers == [0, 300001]
    assert state.chats["dingtalk:zhaomin"][-1].body == {"title": "我的", "text": "1 条"}
