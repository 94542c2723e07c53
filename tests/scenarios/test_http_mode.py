"""DingTalk in HTTP mode: it calls us, signed and encrypted, and the day goes on as over the stream."""

from datetime import UTC

import pytest

from bot.demo import open_demo
from bot.sandbox.clock import MovableClock
from tests.bot.dingtalk.fakes import eventually
from tests.scenarios.world import MONDAY


@pytest.fixture
async def opened(tmp_path):
    clock = MovableClock(start=MONDAY.astimezone(UTC))
    async with open_demo(tmp_path, clock=clock, cards=True, http=True) as made:
        yield made


async def test_the_console_s_check_a_line_a_press_and_an_event_all_arrive(opened, world):
    gateway, wang = opened.sandbox.dingtalk.gateway, world.phone("dingtalk:wangqiang")

    checked = await gateway.http.check_url()
    lead = (await world.posts(rep="王强", name="客户甲", phone="19900000001"))["id"]
    await wang.sees_card_of(lead)
    await wang.press("接受", of=lead)
    await world.act("say", phone=wang.chat, text=f"跟进 {lead} 电话 聊了报价")
    await wang.sees("记下 #")
    taken = await gateway.http.event("user_modify_org", {"UserId": ["wangqiang"]})

    kinds = [line["kind"] for line in (await world.lead(lead))["history"]]
    assert checked
    assert kinds[-1] == "followed"
    assert taken
    assert gateway.connected == 0


async def test_what_comes_twice_is_taken_once(opened, world):
    wang = world.phone("dingtalk:wangqiang")
    lead = (await world.posts(rep="王强", name="客户甲", phone="19900000001"))["id"]
    opened.sandbox.faults.on("dingtalk", "twice")

    await wang.sees_card_of(lead)
    await wang.press("接受", of=lead)
    await world.act("say", phone=wang.chat, text=f"跟进 {lead} 电话 聊了报价")
    await wang.sees("记下 #")
    await world.quiet()

    kinds = [line["kind"] for line in (await world.lead(lead))["history"]]
    assert kinds.count("followed") == 1


async def test_of_two_lines_the_second_may_come_first(opened, world):
    # The switch did nothing while DingTalk called the product.
    wires = opened.sandbox.state.wires
    opened.sandbox.faults.on("dingtalk", "swapped", count=2)

    for line in ("公海", "我的"):
        await world.act("say", phone="dingtalk:wangqiang", text=line)
    await eventually(lambda: len(posts(wires)) == 2)

    assert [wire["asked"]["text"]["content"].strip() for wire in posts(wires)] == ["我的", "公海"]


async def test_what_nobody_can_act_on_breaks_nothing(opened, world):
    wang, wires = world.phone("dingtalk:wangqiang"), opened.sandbox.state.wires
    shapes = ("unknown_kind", "picture", "file", "no_staff", "foreign", "spent_text")

    for number, shape in enumerate(shapes, 1):
        opened.sandbox.faults.on("dingtalk", shape)
        await world.act("say", phone=wang.chat, text="公海")
        await eventually(lambda number=number: len(posts(wires)) == number)
    helped = await wang.says("帮助")

    assert helped
    assert {wire["status"] for wire in posts(wires)} == {200}


def posts(wires):
    return [wire for wire in wires if wire["call"] == "POST /dingtalk/robot"]
