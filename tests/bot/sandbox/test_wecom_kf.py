"""微信客服 as the sheet has it: token and cursor, five answers in 48 hours, what did not arrive."""

from datetime import timedelta

import pytest

CUSTOMER = "wm-customer"


@pytest.fixture
def desk(product):
    return product.sandbox.wecom.kf


@pytest.fixture
def sync(product, desk):
    async def ask(**body):
        return await product.wecom("kf/sync_msg", **{"open_kfid": desk.open_kfid, **body})

    return ask


@pytest.fixture
def send(product, desk):
    async def say(**more):
        body = {"touser": CUSTOMER, "open_kfid": desk.open_kfid, "msgtype": "text"}
        return await product.wecom("kf/send_msg", **(body | {"text": {"content": "您好"}} | more))

    return say


def newest(desk):
    return list(desk._tokens)[-1]


async def test_what_a_customer_writes_is_fetched_with_the_token_of_the_event(desk, sync):
    await desk.written(CUSTOMER, "想了解报价")

    answer = await sync(token=newest(desk))

    [item] = answer["msg_list"]
    assert (item["origin"], item["text"]) == (3, {"content": "想了解报价"})
    assert answer["has_more"] == 0
    assert (await sync(token=newest(desk), cursor=answer["next_cursor"]))["msg_list"] == []


async def test_the_token_lives_ten_minutes(product, desk, sync):
    await desk.written(CUSTOMER, "在吗")
    product.clock.forward(timedelta(minutes=10))

    codes = [(await sync(token=token))["errcode"] for token in (newest(desk), "made-up")]

    assert codes == [95007, 95007]


async def test_without_a_token_few_calls_are_taken(sync):
    codes = [(await sync())["errcode"] for _ in range(6)]

    assert codes == [0] * 5 + [45009]


async def test_a_page_may_be_empty_with_more_behind_it(product, desk, sync):
    for text in ("一", "二"):
        await desk.written(CUSTOMER, text)
    product.sandbox.state.faults.on("wecom", "kf_hollow", count=1)

    hollow = await sync(token=newest(desk), limit=1)
    first = await sync(token=newest(desk), limit=1, cursor=hollow["next_cursor"])

    assert (hollow["msg_list"], hollow["has_more"]) == ([], 1)
    assert (first["msg_list"][0]["text"]["content"], first["has_more"]) == ("一", 1)


async def test_without_a_cursor_three_days_come_again(product, desk, sync):
    await desk.written(CUSTOMER, "很久以前")
    product.clock.forward(timedelta(days=3, seconds=1))
    await desk.written(CUSTOMER, "今天")

    found = (await sync(token=newest(desk)))["msg_list"]

    assert [item["text"]["content"] for item in found] == ["今天"]


async def test_five_answers_within_48_hours_of_the_last_word(product, desk, send):
    unasked = await send()
    await desk.written(CUSTOMER, "在吗")
    codes = [(await send())["errcode"] for _ in range(6)]
    await desk.written(CUSTOMER, "还在吗")
    again = await send()
    product.clock.forward(timedelta(hours=48))

    assert unasked["errcode"] == 95002
    assert codes == [0] * 5 + [95001]
    assert again["errcode"] == 0
    assert (await send())["errcode"] == 95002


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"open_kfid": ""}, 95000),
        ({"open_kfid": "wk-other"}, 95004),
        ({"msgid": "中文"}, 40058),
        ({"msgid": "x" * 33}, 40058),
        ({"msgtype": "poster"}, 40008),
        ({"text": "您好"}, 40063),
    ],
)
async def test_what_is_malformed_is_refused(desk, send, wrong, code):
    await desk.written(CUSTOMER, "在吗")

    assert (await send(**wrong))["errcode"] == code


async def test_a_talk_that_a_person_has_taken_over_is_closed_to_the_app(desk, send):
    await desk.written(CUSTOMER, "转人工")
    desk.talks[CUSTOMER].state = 3

    assert (await send())["errcode"] == 95018


async def test_what_was_taken_and_did_not_arrive_comes_as_an_event(product, desk, sync, send):
    await desk.written(CUSTOMER, "在吗")
    product.sandbox.state.faults.on("wecom", "kf_unseen", count=1)

    sent = await send(msgid="m-1")

    [_, item] = (await sync(token=newest(desk)))["msg_list"]
    assert sent["errcode"] == 0
    assert item["event"]["event_type"] == "msg_send_fail"
    assert (item["event"]["fail_msgid"], item["event"]["external_userid"]) == ("m-1", CUSTOMER)
    assert "external_userid" not in item


async def test_the_page_lets_a_customer_write(product, desk):
    contact, _ = product.sandbox.wecom.contacts.meet("lilei", "张先生", "")

    status, _ = await product.page_post("kf", {"contact": contact.external_userid, "text": "在吗"})

    assert status == 200
    assert desk.items[0][1]["text"] == {"content": "在吗"}
