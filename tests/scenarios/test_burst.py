"""Nine in the morning: 300 leads for ten people, and platforms that drop what is too much."""

import asyncio
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot import demo
from bot.sandbox.clock import MovableClock
from handlers import announce

pytestmark = pytest.mark.timeout(600)  # a day's work, whatever else the machine does

NINE = datetime(2026, 3, 2, 9, 0, tzinfo=ZoneInfo("Asia/Shanghai"))
LEADS = 300
AT_ONCE = 25
"""How many the website posts in parallel."""


def team(platform):
    reps = [{"name": f"销售{n}", platform: f"rep{n}", "role": "rep"} for n in range(10)]
    return (*reps, {"name": "陈主管", "wecom": "chenzg", "role": "manager"})


@pytest.fixture(params=["wecom", "dingtalk"])
def platform(request):
    return request.param


@pytest.fixture
async def opened(platform, tmp_path, monkeypatch):
    """The demo with ten reps on one platform, whose limit for one person is switched on."""
    people = team(platform)
    phones = (
        demo.Person(p["name"], p["role"], p.get("wecom", ""), p.get("dingtalk", ""))
        for p in people
    )
    monkeypatch.setattr(demo, "TEAM", people)
    monkeypatch.setattr(demo, "PEOPLE", tuple(phones))
    monkeypatch.setattr(demo, "SAMPLES", ())
    clock = MovableClock(start=NINE.astimezone(UTC))
    async with demo.open_demo(tmp_path, clock=clock) as made:
        made.sandbox.wecom.messages.per_minute = 30
        made.sandbox.dingtalk.messages.per_minute = 30
        yield made


async def at_once(world, platform):
    """What the website posts when its mailing has gone out; and everybody asks what is new."""
    for start in range(0, LEADS, AT_ONCE):
        await asyncio.gather(
            *(
                world.posts(name=f"客户{n}", phone=f"199{n:08}", message="想要报价")
                for n in range(start, start + AT_ONCE)
            )
        )
    for line in ("我的", "今日", "公海"):
        for n in range(10):
            await world.act("say", phone=f"{platform}:rep{n}", text=line)


def dropped(opened):
    return opened.sandbox.wecom.messages.dropped + opened.sandbox.dingtalk.messages.dropped


@pytest.mark.parametrize(
    "lists", ["when they come", pytest.param("when they go out", marks=pytest.mark.slow)]
)
async def test_every_rep_knows_of_every_lead_nothing_is_dropped_and_no_phone_rings_on(
    opened, world, platform, lists, monkeypatch
):
    if lists == "when they go out":
        # Each lead has a card of its own until the relay finds that there is no room.
        monkeypatch.setattr(announce, "MANY", LEADS)

    await at_once(world, platform)
    for _ in range(4):
        await world.move(minutes=0.5)

    leads = await world.leads()
    owners = Counter(lead["owner"][platform] for lead in leads)
    unknown = [
        lead["id"]
        for lead in leads
        if not re.search(
            rf"#{lead['id']}\b", world.phone(f"{platform}:{lead['owner'][platform]}").text()
        )
    ]
    assert len(leads) == LEADS
    assert set(owners.values()) == {LEADS // 10}
    assert unknown == []
    assert dropped(opened) == 0
    assert max(most_in_a_minute(world, f"{platform}:rep{n}") for n in range(10)) <= 24


def most_in_a_minute(world, chat):
    times = [m.at for m in world.state.chats[chat] if not m.mine]
    minute = timedelta(minutes=1)
    return max(sum(at <= one < at + minute for one in times) for at in times)


async def test_a_rep_works_through_the_burst_line_by_line(opened, world, platform):
    await at_once(world, platform)
    await world.move(minutes=1)
    rep = world.phone(f"{platform}:rep0")
    mine = [lead["id"] for lead in await world.leads() if lead["owner"][platform] == "rep0"]

    listed = await rep.sees("新分到你 30 条线索")
    await rep.press("一条条看")
    await rep.sees("待看 30 条")
    await rep.says(f"领取 {' '.join(map(str, mine[:20]))}")
    await world.move(minutes=1.5)
    histories = [(await world.lead(n))["history"] for n in mine[:20]]

    assert f"#{mine[-1]}" in listed
    assert all("accepted" in {line["kind"] for line in history} for history in histories)
    assert all(re.search(rf"#{n}\b", rep.text()) for n in mine)
    assert dropped(opened) == 0
