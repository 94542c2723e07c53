"""Nurturing: who is written to, when, and what makes it stop."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from handlers.journeys import clicked, opt_out
from jobs.scheduler import Clockwork
from store import tables as t
from store.domain.lead import Kind, Place
from tests.handlers.people import answers, captured, lead, says

MORNING = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


@pytest.fixture
def beat(store):
    return Clockwork(store, lambda: None).beat


async def returned(store, **values):
    given = {"email": "w5@example.com", "product": "CRM", "name": "王五"} | values
    new = await captured(store, **given)
    await says(store, "lilei", f"退回 {new.id} 明年再说")
    return new


async def letters(store):
    return {k: r for k, r in (await answers(store)).items() if k.startswith("journey:")}


async def links(store, kind):
    async with store.read() as tx:
        rows = await tx.conn.execute(select(t.links).where(t.links.c.kind == kind))
        return [row.token for row in rows]


async def ended(store):
    async with store.read() as tx:
        return [row.ended for row in await tx.conn.execute(select(t.journeys))]


async def test_four_letters_on_days_1_3_7_and_10(store, beat, clock):
    await returned(store)
    sent = []
    for day in range(1, 12):
        clock.now = MORNING + timedelta(days=day, minutes=1)
        await beat()
        sent.append(len(await letters(store)))

    assert sent == [1, 1, 2, 2, 2, 2, 3, 3, 3, 4, 4]
    assert await ended(store) == ["done"]


async def test_a_letter_names_the_person_and_the_product(store, beat, clock):
    await returned(store)
    clock.tick(days=1)

    await beat()

    [letter] = (await letters(store)).values()
    assert letter.account == "w5@example.com"
    assert "王五" in letter.payload["text"]
    assert "CRM" in letter.payload["text"]
    assert "/u/" in letter.payload["unsubscribe"]


async def test_quiet_hours_wait_for_the_morning(store, beat, clock):
    await returned(store)
    clock.now = datetime(2026, 3, 3, 14, 0, tzinfo=UTC)  # 22:00

    await beat()
    assert not await letters(store)

    clock.now = datetime(2026, 3, 4, 1, 0, tzinfo=UTC)  # 09:00
    await beat()
    assert len(await letters(store)) == 1


async def test_one_message_a_day_even_when_several_are_due(store, beat, clock):
    await returned(store)
    clock.tick(days=8)

    await beat()
    await beat()
    assert len(await letters(store)) == 1

    clock.tick(days=1)
    await beat()
    assert len(await letters(store)) == 2


async def test_a_click_brings_the_lead_back_to_its_rep_with_the_story(store, beat, clock):
    new = await returned(store)
    clock.tick(days=1)
    await beat()

    async with store.begin() as tx:
        assert await clicked(tx, (await links(store, "track"))[0])

    after = await lead(store, new.id)
    assert (after.place, after.owner.name) == (Place.OWNER, "李雷")
    assert await ended(store) == ["clicked"]


async def test_a_second_click_changes_nothing(store, beat, clock):
    new = await returned(store)
    clock.tick(days=1)
    await beat()
    [token] = await links(store, "track")

    for _ in range(3):
        async with store.begin() as tx:
            await clicked(tx, token)

    async with store.read() as tx:
        lines = (await tx.leads.history([new.id]))[new.id]
    assert [past.kind for past in lines].count(Kind.CLICKED) == 1


async def test_opting_out_stops_everything_at_once(store, beat, clock):
    new = await returned(store)
    clock.tick(days=1)
    await beat()
    async with store.begin() as tx:
        assert await opt_out(tx, (await links(store, "optout"))[0], "邮件退订")

    clock.tick(days=10)
    await beat()

    [letter] = (await letters(store)).values()
    assert letter.due_at is None
    assert (await lead(store, new.id)).opted_out_at is not None
    assert await ended(store) == ["opted out"]


async def test_a_claim_or_an_assignment_stops_the_journey(store, beat, clock):
    new = await returned(store)

    await says(store, "chenzg", f"分配 {new.id} 韩梅")
    clock.tick(days=20)
    await beat()

    assert not await letters(store)


async def test_asking_again_stops_the_journey(store, beat, clock):
    await returned(store, phone="19912345678")
    await captured(store, phone="19912345678")
    clock.tick(days=2)

    await beat()

    assert not await letters(store)


async def test_unknown_links_are_nobodys(store):
    async with store.begin() as tx:
        assert not await clicked(tx, "guess")
        assert not await opt_out(tx, "guess", "x")


async def test_without_an_address_there_is_no_journey(store):
    new = await captured(store)

    answer = await says(store, "lilei", f"退回 {new.id} 明年再说")

    assert "培育" not in answer.replace("退回市场", "")


async def test_a_name_with_template_syntax_is_just_a_name(store, beat, clock):
    await returned(store, name="{{ 7*7 }}{% raw %}")
    clock.tick(days=1)

    await beat()

    [letter] = (await letters(store)).values()
    assert "49" not in letter.payload["text"].split("/t/")[0]
