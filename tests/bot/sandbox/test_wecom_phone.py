import pytest
from aiohttp import web

from bot.sandbox.wecom.courier import xml

pytestmark = pytest.mark.usefixtures("product")


@pytest.fixture
def send(product, agent, card):
    async def post(touser="lilei"):
        body = {"touser": touser, "agentid": agent, "msgtype": "template_card"}
        await product.wecom("message/send", **body, template_card=card())
        return product.sandbox.state.chats["wecom:lilei"][0]

    return post


@pytest.fixture
def hand(product):
    return product.sandbox.wecom.hand


def texts(state, chat="wecom:lilei"):
    return [(m.mine, m.body.get("text")) for m in state.chats[chat]]


async def test_the_callback_url_is_verified_as_the_console_does(product):
    assert await product.sandbox.verify()


async def test_a_line_arrives_encrypted_and_its_answer_is_a_bubble(product, state, hand):
    product.answer = lambda _: product.text_reply("lilei", "你手上有 1 条")

    await hand.say("lilei", "我的 ]]> <&>")

    (event,) = product.calls
    assert event.findtext("Content") == "我的 ]]> <&>"
    assert event.findtext("FromUserName") == "lilei"
    assert event.findtext("MsgId").isdigit()
    assert texts(state) == [(True, "我的 ]]> <&>"), (False, "你手上有 1 条")]


async def test_without_a_200_the_same_message_comes_again_three_times(product, hand):
    product.answer = lambda _: web.Response(status=500)

    await hand.say("lilei", "我的")

    assert len(product.calls) == 4
    assert len({event.findtext("MsgId") for event in product.calls}) == 1


async def test_it_stops_as_soon_as_it_is_taken(product, hand):
    product.answer = lambda _: web.Response(status=500) if len(product.calls) < 3 else None

    await hand.say("lilei", "我的")

    assert len(product.calls) == 3


async def test_a_reply_with_the_parties_swapped_or_a_wrong_signature_is_dropped(
    product, state, hand
):
    swapped = xml({"ToUserName": "ww", "FromUserName": "lilei", "MsgType": "text", "Content": "x"})
    unsigned = web.Response(text=xml({"Encrypt": "xx", "MsgSignature": "no", "TimeStamp": "1"}))

    for answer in (swapped, unsigned):
        product.answer = lambda _, answer=answer: answer
        await hand.say("lilei", "我的")

    assert texts(state) == [(True, "我的")] * 2
    assert any(
        "丢弃" in str(wire["answered"]) for wire in state.wires if wire["direction"] == "in"
    )


async def test_a_press_carries_the_buttons_line_and_a_fresh_code(product, hand, send):
    message = await send()

    assert await hand.press(message, "/接受 1")
    assert await hand.press(message, "/接受 1")

    first, second = product.calls
    assert first.findtext("Event") == "template_card_event"
    assert first.findtext("EventKey") == "/接受 1"
    assert first.findtext("TaskId") == "lead-1"
    assert first.find("MsgId") is None
    assert first.findtext("ResponseCode") != second.findtext("ResponseCode")


async def test_the_code_of_a_press_changes_everybodys_card(product, state, agent, hand, send):
    message = await send("lilei|hanmei")
    await hand.press(message, "/接受 1")
    change = {"userids": ["hanmei"], "button": {"replace_name": "李雷 接了"}, "agentid": agent}
    code = product.calls[0].findtext("ResponseCode")

    answer = await product.wecom("message/update_template_card", **change, response_code=code)

    assert answer["errcode"] == 0
    assert state.chats["wecom:hanmei"][0].body["replace_text"] == "李雷 接了"


async def test_a_passive_update_changes_only_the_pressed_card(product, state, hand, send):
    message = await send("lilei|hanmei")
    head = {"ToUserName": "lilei", "FromUserName": "ww", "CreateTime": 1}
    button = {"MsgType": "update_button", "Button": {"ReplaceName": "已接受"}}
    product.answer = lambda _: xml({**head, **button})

    await hand.press(message, "/接受 1")

    assert message.body["replace_text"] == "已接受"
    assert "replace_text" not in state.chats["wecom:hanmei"][0].body
    assert not await hand.press(message, "/接受 1")  # a grey button cannot be pressed


async def test_a_passive_card_is_drawn_whole(product, hand, send):
    message = await send()
    card = {
        "CardType": "button_interaction",
        "MainTitle": {"Title": "#1 归你了"},
        "HorizontalContentList": [
            {"KeyName": "手机", "Value": "138"},
            {"KeyName": "联系", "Value": "0/6"},
        ],
        "ButtonList": [{"Text": "退回", "Style": 2, "Key": "/退回 1"}],
    }
    product.answer = lambda _: xml({"MsgType": "update_template_card", "TemplateCard": card})

    await hand.press(message, "/接受 1")

    assert message.body["horizontal_content_list"][1] == {"keyname": "联系", "value": "0/6"}
    assert message.body["button_list"] == [{"text": "退回", "style": 2, "key": "/退回 1"}]
    assert await hand.press(message, "/退回 1")


async def test_a_press_cannot_be_answered_with_text(product, state, hand, send):
    message = await send()
    product.answer = lambda _: product.text_reply("lilei", "好的")

    await hand.press(message, "/接受 1")

    assert [m.kind for m in state.chats["wecom:lilei"]] == ["card"]
    assert any("不能用 text 回复" in str(wire["answered"]) for wire in state.wires)


async def test_a_button_the_card_does_not_have_is_not_pressed(product, hand, send):
    message = await send()

    assert not await hand.press(message, "/成交 1")
    assert product.calls == []
