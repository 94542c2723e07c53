"""Nurturing: who is written to, when, and what makes it stop."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event as listening
from sqlalchemy import select

from handlers.journeys import clicked, opt_out
from jobs.scheduler import Clockwork
from store import tables as t
from store.domain.lead import Kind, Place
from store.domain.rules import Gates
from tests.handlers.people import answers, captured, enquiry, lead, says
from tests.handlers.test_capture import take

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


# -- who waits for a better score ------------------------------------------------------


def waits_for(store, points, **gates):
    return replace(store, rules=replace(store.rules, gates=Gates(min_score=points, **gates)))


async def cold(store, **values):
    given = {"email": "w5@example.com", "name": "王五", "message": ""} | values
    return await captured(store, **given)


async def test_who_waits_for_a_better_score_is_nurtured_until_it_comes(store, clock):
    """They lay with marketing and nobody ever wrote to them: the score could not move."""
    asks = waits_for(store, 50)
    new = await cold(asks)
    clock.tick(days=1)
    await Clockwork(asks, lambda: None).beat()
    sent = await letters(asks)

    async with asks.begin() as tx:
        await clicked(tx, (await links(asks, "track"))[0])

    after = await lead(asks, new.id)
    assert (new.place, new.hold, len(sent)) == (Place.MARKETING, "score", 1)
    assert (after.place, after.qualification, after.owner.name) == (Place.OWNER, "MQL", "李雷")
    assert await ended(asks) == ["clicked"]


async def test_the_mql_threshold_opens_whatever_the_gate_asks_for_and_the_card_says_so(store):
    # "到 90 分再派" on the card, and it went out at 60.
    asks = waits_for(store, 90)
    new = await cold(asks)

    await says(asks, "zhousc", f"重要 {new.id} 较高")

    assert new.why == "25 分，到 60 分再派"
    assert (await lead(asks, new.id)).owner.name == "李雷"


async def test_asking_again_with_too_few_points_goes_on_with_the_letters(store, clock):
    asks = waits_for(store, 50)
    await cold(asks, phone="19912345678")
    clock.tick(days=1)
    await Clockwork(asks, lambda: None).beat()
    await captured(asks, phone="19912345678", message="", email="")
    clock.tick(days=2)

    await Clockwork(asks, lambda: None).beat()

    assert await ended(asks) == [""]
    assert len(await letters(asks)) == 2


@pytest.mark.parametrize(
    ("gates", "values"),
    [
        ({"consent": True}, {}),
        ({"required": ("company",)}, {}),
        ({}, {"message": "别再联系我"}),
    ],
)
async def test_who_has_not_agreed_or_lacks_something_is_written_to_by_nobody(store, gates, values):
    asks = waits_for(store, 90, **gates)

    await cold(asks, **values)

    assert await ended(asks) == []


async def test_many_that_wait_cost_the_same_statements_whatever_their_number(store):
    asks = waits_for(store, 90)
    seen = []
    listen = lambda *args: seen.append(args[2])  # noqa: E731

    async def statements(count):
        seen.clear()
        made = [enquiry(email=f"{count}.{n}@example.com", message="") for n in range(count)]
        await take(asks, *made)
        return len(seen)

    await statements(30)
    engine = asks.engine.sync_engine
    listening.listen(engine, "before_cursor_execute", listen)
    few, many = await statements(20), await statements(40)
    listening.remove(engine, "before_cursor_execute", listen)

    assert len(await ended(asks)) == 90
    assert many <= few
