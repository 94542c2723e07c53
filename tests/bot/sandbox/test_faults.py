"""The switches of what can go wrong: by call, by the page, and how they run out."""

import asyncio

import pytest

from bot.sandbox.faults import KNOWN, Faults
from bot.sandbox.feed import Feed
from bot.sandbox.trouble import Swap
from bot.sandbox.wecom.messages import DROPPED_ABOVE


@pytest.fixture
def faults():
    return Faults(Feed())


def test_a_fault_that_is_counted_switches_itself_off(faults):
    faults.on("wecom", "busy", count=2)

    assert [faults.take("wecom", "busy") for _ in range(4)] == [True, True, False, False]
    assert not faults.is_on("wecom", "busy")


def test_a_fault_without_a_count_lasts_until_it_is_switched_off(faults):
    faults.on("wecom", "busy")

    assert all(faults.take("wecom", "busy") for _ in range(50))
    faults.off("wecom", "busy")
    assert not faults.take("wecom", "busy")


def test_the_first_ones_can_still_go_well(faults):
    faults.on("dingtalk", "quota", after=2)

    assert [faults.take("dingtalk", "quota") for _ in range(4)] == [False, False, True, True]


def test_a_deed_is_done_when_it_is_switched_on(faults):
    done = []
    faults.deed("dingtalk", "cut", lambda: done.append("cut"))

    faults.on("dingtalk", "cut")

    assert done == ["cut"]
    assert not faults.is_on("dingtalk", "cut")


def test_everything_is_mended_at_once(faults):
    faults.on("wecom", "busy")
    faults.on("dingtalk", "ban")

    faults.off()

    assert not any(fault["on"] for fault in faults.json())


def test_there_is_no_fault_of_that_name(faults):
    with pytest.raises(KeyError):
        faults.on("wecom", "earthquake")


def test_every_switch_has_a_short_name_and_a_sentence(faults):
    for fault in faults.json():
        assert 0 < len(fault["label"]) <= 9
        assert 0 < len(fault["says"]) <= 40


async def test_the_second_of_two_goes_first():
    swap, order = Swap(), []

    async def carry(number):
        order.append(number)

    await asyncio.gather(swap.through(lambda: carry(1)), swap.through(lambda: carry(2)))

    assert order == [2, 1]


async def test_the_page_turns_a_switch_and_sees_how_it_stands(product):
    turned = {"platform": "wecom", "fault": "rate", "on": True, "count": 3}

    status, _ = await product.page_post("faults", turned)

    async with product.session.get(f"{product.url}/sandbox/api/faults") as answer:
        every = await answer.json()
    [rate] = [fault for fault in every if (fault["platform"], fault["name"]) == ("wecom", "rate")]
    assert (status, rate["on"], rate["left"]) == (200, True, 3)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"platform": "wecom", "fault": "earthquake", "on": True}, 404),
        ({"platform": "wecom", "fault": "earthquake", "on": False}, 404),
        ({"platform": "wecom", "fault": "rate", "on": True, "count": 0}, 400),
        ({"platform": "wecom", "fault": "rate", "on": True, "count": "three"}, 400),
        ({"platform": "wecom", "fault": "rate", "on": True, "after": -1}, 400),
    ],
)
async def test_the_page_is_told_what_is_wrong(product, body, status):
    assert (await product.page_post("faults", body))[0] == status


async def test_another_page_turns_no_switch(product, state):
    body = {"platform": "wecom", "fault": "rate", "on": True}
    url = f"{product.url}/sandbox/api/faults"
    async with product.session.post(
        url, json=body, headers={"Origin": "http://evil.example"}
    ) as no:
        assert no.status == 403

    assert not state.faults.is_on("wecom", "rate")


async def test_the_call_that_goes_wrong_goes_wrong_and_the_next_is_right(product, state, agent):
    state.faults.on("wecom", "rate", count=1)
    hello = {"touser": "lilei", "agentid": agent, "msgtype": "text", "text": {"content": "你好"}}

    codes = [(await product.wecom("message/send", **hello))["errcode"] for _ in range(2)]

    assert codes == [45009, 0]
    assert len(state.chats["wecom:lilei"]) == 1


async def test_a_message_too_many_vanishes_without_a_word_and_counts_as_the_fault_met(
    product, state, agent
):
    state.faults.on("wecom", "drop")
    hello = {"touser": "lilei", "agentid": agent, "msgtype": "text"}

    codes = [
        (await product.wecom("message/send", text={"content": f"第 {n} 条"}, **hello))["errcode"]
        for n in range(DROPPED_ABOVE + 2)
    ]

    assert codes == [0] * len(codes)
    assert len(state.chats["wecom:lilei"]) == DROPPED_ABOVE
    assert state.faults.met["wecom", "drop"] == 2


def test_both_platforms_have_the_faults_of_the_checklists():
    assert {"token_gone", "token_expired", "rate", "address", "drop", "again", "twice"} <= set(
        KNOWN["wecom"]
    )
    assert {"token_gone", "rate", "quota", "ban", "hang", "half_open", "unheard", "flow"} <= set(
        KNOWN["dingtalk"]
    )
