"""Prospects who are written to: who has had enough, who comes back, and to whom."""

import re
from datetime import timedelta

import pytest

from bot import demo
from tests.scenarios.world import MONDAY, Phone, World

ADDRESS = "bai@example.com"


@pytest.fixture(autouse=True)
def longer_steps(monkeypatch):
    """Two weeks go by here, in which a few things happen."""
    monkeypatch.setattr(demo, "STEP", timedelta(hours=2))


async def test_opting_out_stops_the_journey_and_asking_again_wakes_the_lead(
    world: World, li: Phone
):
    lead = await nurtured(world, li)
    letter = await world.mail(ADDRESS)
    assert letter.unsubscribe in letter.text

    assert "确认" in await world.opens(letter.unsubscribe)
    assert (await world.lead(lead))["opted_out_at"] is None
    assert "已经停止" in await world.confirms(letter.unsubscribe)
    assert "已经停止" in await world.confirms(letter.unsubscribe)
    await world.move(days=11)

    assert len(world.mails(ADDRESS)) == 1
    stored = await world.lead(lead)
    assert [line["kind"] for line in stored["history"]].count("opted_out") == 1
    assert stored["opted_out_at"]

    await world.fills_form(name="白露", phone="19951000011", message="现在想看演示了")
    await world.move_to(MONDAY + timedelta(days=14, minutes=-59))  # it was Saturday
    await li.sees_card_of(lead, "白露", "现在想看演示了", "接受")
    await world.move(days=1)
    assert len(world.mails(ADDRESS)) == 1


async def test_without_opting_out_four_letters_come_one_a_day_at_most(world: World, li: Phone):
    await nurtured(world, li)

    await world.move(days=11)

    mails = world.mails(ADDRESS)
    assert len(mails) == 4
    days = [mail.at.date() for mail in mails]
    assert [(day - days[0]).days for day in days] == [0, 2, 6, 9]
    assert len({mail.subject for mail in mails}) == 4
    assert len({mail.unsubscribe for mail in mails}) == 4


async def test_a_click_brings_the_lead_back_to_whoever_had_it_last(
    world: World, li: Phone, chen: Phone
):
    lead = (await world.posts(name="白露", email=ADDRESS))["id"]
    await chen.says(f"分配 {lead} 李雷")
    await li.press("接受", of=lead)
    await li.sees_card_of(lead, "请联系")
    await chen.says(f"分配 {lead} 韩梅")
    await chen.says(f"分配 {lead} 李雷")
    await li.sees_card_of(lead, "请联系", "转交")
    await li.says(f"退回 {lead} 没预算")
    await world.move(days=1, minutes=1)

    letter = await world.mail(ADDRESS)
    await world.opens(next(link for link in letter.links if "/t/" in link))

    await li.sees_card_of(lead, "白露", "接受")
    assert (await world.lead(lead))["owner"]["name"] == "李雷"


async def nurtured(world: World, rep: Phone) -> int:
    """A lead of the rep's, given back a day ago; the first letter is out."""
    await world.fills_form(
        name="白露", phone="19951000011", email=ADDRESS, product="CRM", message="先了解一下"
    )
    card = await rep.sees("白露", "接受")
    lead = int(re.search(r"#(\d+)", card)[1])
    await rep.press("接受", of=lead)
    await rep.sees_card_of(lead, "请联系")
    await rep.says(f"退回 {lead} 没预算")
    await world.move(days=1, minutes=1)
    return lead
