"""Interactive cards in DingTalk: one card from the first minute to the last, changed where it is."""

import asyncio
from datetime import timedelta

import pytest

from bot.sandbox.state import Message
from handlers import announce
from tests.scenarios.test_race import unsuitable
from tests.scenarios.world import NAMES, Phone, World, eventually, open_world, title

CREATE = "POST /v1.0/card/instances/createAndDeliver"
CHANGE = "PUT /v1.0/card/instances"
MISTAKE = "互动卡片用错了"


@pytest.fixture
async def world(tmp_path) -> World:
    async with open_world(tmp_path, cards=True) as opened:
        yield opened


@pytest.fixture
def slow_hands(monkeypatch) -> None:
    """However slow the machine is, a press is answered before its card would be changed by a call."""
    monkeypatch.setattr(announce, "PRESSING", timedelta(seconds=20))


def cards_of(phone: Phone, lead: int) -> list[Message]:
    return [m for m in phone.cards() if f"#{lead}" in title(m)]


def calls(world: World) -> int:
    """What the product asked DingTalk and pays for."""
    asked = [*world.calls("/v1.0/card/"), *world.calls("/v1.0/robot/")]
    return len([wire for wire in asked if wire["direction"] == "out"])


@pytest.mark.usefixtures("slow_hands")
async def test_a_press_redraws_the_card_in_the_answer_and_costs_no_call(world: World, wang: Phone):
    lead = (await world.posts(name="林知夏", phone="19910000001", rep="王强"))["id"]
    await wang.sees_card_of(lead, "林知夏", "接受")
    await world.quiet()
    before = calls(world)

    pressed = await wang.press("接受", of=lead)
    await wang.sees_card_of(lead, "请联系")
    await world.quiet()

    assert [card.id for card in cards_of(wang, lead)] == [pressed.id]
    assert pressed.kind == "instance"
    assert calls(world) == before
    assert (await world.lead(lead))["history"][-1]["kind"] == "accepted"
    assert world.calls(MISTAKE) == []


async def test_everybody_else_who_holds_a_card_sees_the_change_on_it(
    world: World, wang: Phone, zhao: Phone
):
    lead = await unsuitable(world)
    for phone in (wang, zhao):
        await phone.says(f"线索 {lead}")
        await phone.sees_card_of(lead, "领取")
    held = cards_of(zhao, lead)[-1]

    await wang.press("领取", of=lead)
    await zhao.sees_card_of(lead, "王强")
    await world.quiet()

    assert cards_of(zhao, lead) == [held]
    assert world.calls(CHANGE)
    assert world.calls(MISTAKE) == []


@pytest.mark.usefixtures("slow_hands")
async def test_of_two_presses_at_once_one_wins_and_the_other_card_says_who(
    world: World, wang: Phone, zhao: Phone
):
    lead = await unsuitable(world)
    rivals = [wang, zhao]
    for phone in rivals:
        await phone.says(f"线索 {lead}")
        await phone.sees_card_of(lead, "领取")

    await asyncio.gather(*(phone.press("领取", of=lead) for phone in rivals))
    await world.quiet()

    [winner] = [phone for phone in rivals if "请联系" in phone.card_of(lead)]
    [loser] = [phone for phone in rivals if phone is not winner]
    assert NAMES[winner.chat] in loser.card_of(lead)
    assert "领取" not in loser.card_of(lead)
    stored = await world.lead(lead)
    assert [line["kind"] for line in stored["history"]].count("claimed") == 1
    assert len(cards_of(winner, lead)) == len(cards_of(loser, lead)) == 1
    assert world.calls(MISTAKE) == []


async def test_a_press_delivered_twice_is_done_once(world: World, wang: Phone):
    lead = (await world.posts(name="林知夏", phone="19910000001", rep="王强"))["id"]
    await wang.sees_card_of(lead, "接受")
    await wang.press("接受", of=lead)
    await wang.sees_card_of(lead, "没接通")
    world.state.faults.on("dingtalk", "twice", count=1)

    await wang.press("没接通", of=lead)
    await wang.sees_card_of(lead, "再打一次")
    await world.quiet()

    history = (await world.lead(lead))["history"]
    assert [line["kind"] for line in history].count("followed") == 1


@pytest.mark.parametrize("fault", ["template", "undelivered"])
async def test_what_cannot_be_an_interactive_card_comes_as_an_action_card(
    world: World, wang: Phone, fault
):
    world.state.faults.on("dingtalk", fault)

    lead = (await world.posts(name="林知夏", phone="19910000001", rep="王强"))["id"]
    await wang.sees_card_of(lead, "接受")
    [card] = cards_of(wang, lead)
    await wang.press("接受", of=lead)
    await wang.sees_card_of(lead, "请联系")

    assert card.kind == "actions"
    assert (await world.lead(lead))["history"][-1]["kind"] == "accepted"


async def test_a_card_that_is_gone_is_sent_anew(world: World, wang: Phone, chen: Phone):
    lead = (await world.posts(name="林知夏", phone="19910000001", rep="王强"))["id"]
    await wang.sees_card_of(lead, "接受")
    await world.quiet()
    made = [wire["asked"]["openSpaceId"] for wire in world.calls(CREATE)]
    before = made.count("dtv1.card//IM_ROBOT.wangqiang")
    world.state.faults.on("dingtalk", "card_gone", count=1)

    await chen.says(f"分配 {lead} 赵敏")
    await wang.sees_card_of(lead, "赵敏")
    await world.quiet()

    made = [wire["asked"]["openSpaceId"] for wire in world.calls(CREATE)]
    assert made.count("dtv1.card//IM_ROBOT.wangqiang") - before == 1
    assert len(cards_of(wang, lead)) == 1
    assert not world.state.faults.is_on("dingtalk", "card_gone")


async def test_what_rings_is_a_new_card_and_the_old_one_goes(
    world: World, wang: Phone, zhao: Phone, chen: Phone
):
    lead = (await world.posts(name="林知夏", phone="19910000001", rep="赵敏"))["id"]
    await zhao.sees_card_of(lead, "接受")
    [before] = cards_of(zhao, lead)
    await chen.says(f"分配 {lead} 王强")
    await zhao.sees_card_of(lead, "王强")

    await chen.says(f"分配 {lead} 赵敏")
    await eventually(lambda: cards_of(zhao, lead) != [before], zhao.text)
    await world.quiet()

    assert before.recalled
    assert [card.kind for card in cards_of(zhao, lead)] == ["instance"]
    assert await zhao.sees_card_of(lead, "接受")
    assert world.calls(MISTAKE) == []
