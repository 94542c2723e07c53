"""Who is known and says in plain words that they want to be left alone has not asked again."""

from dataclasses import replace

import pytest
from sqlalchemy import select

from handlers.capture import capture
from store import tables as t
from store.domain.lead import Kind, Place, Stage
from tests.handlers.people import answers, captured, enquiry, lead, says

PHONE = "19912345678"
WORDS = "别再联系我了"


async def history(store, lead_id):
    async with store.read() as tx:
        return (await tx.leads.history([lead_id]))[lead_id]


async def take(store, *news):
    async with store.begin() as tx:
        return await capture(tx, news)


async def owned(store, clock, **values):
    """A lead that 李雷 accepted and has not called; a while ago."""
    new = await captured(store, **{"phone": PHONE, "rep": "李雷"} | values)
    await says(store, "lilei", f"接受 {new.id}")
    clock.tick(minutes=10)
    return await lead(store, new.id)


async def test_a_withdrawal_is_in_the_history_with_its_words_and_is_no_enquiry(store, clock):
    """It was written down as 再次咨询, and counted as one."""
    before = await owned(store, clock)

    after = await captured(store, phone=PHONE, message=WORDS)

    kinds = [(line.kind, line.text) for line in await history(store, before.id)]
    assert kinds[-1] == (Kind.OPTED_OUT, WORDS)
    assert Kind.ASKED_AGAIN not in dict(kinds)
    assert (after.id, after.opted_out_at) == (before.id, clock())


async def test_a_withdrawal_gives_no_points_and_restarts_no_clock(store, clock):
    """It gave twenty points, and the owner half an hour more for the first call."""
    before = await owned(store, clock, message="")

    after = await captured(store, phone=PHONE, message=WORDS, fields={"event": "form"})

    assert (after.score, after.points) == (before.score, before.points)
    assert (after.asked_at, after.due_at, after.due) == (
        before.asked_at,
        before.due_at,
        before.due,
    )
    assert (after.owner, after.accepted_at) == (before.owner, before.accepted_at)


async def test_the_owner_of_a_withdrawal_reads_what_is_wanted_and_hears_it(store, clock):
    """The title said 又来咨询, the note when to call back."""
    before = await owned(store, clock)

    await captured(store, phone=PHONE, message=WORDS)

    card = (await answers(store))[f"lead:{before.id}/{before.owner.id}"]
    assert card.ring
    assert "客户要求不再联系" in str(card.payload)
    assert "又来咨询" not in str(card.payload)
    assert "请联系" not in str(card.payload)


async def test_a_title_calls_again_when_the_person_has_asked_again_since(store, clock):
    before = await owned(store, clock)
    await captured(store, phone=PHONE, message=WORDS)
    clock.tick(minutes=10)

    await captured(store, phone=PHONE, message="还是想了解一下")

    card = (await answers(store))[f"lead:{before.id}/{before.owner.id}"]
    assert "又来咨询" in str(card.payload)


@pytest.mark.parametrize("verb", ["流失 {} 不做了", "无效 {} 空号", "成交 {} 8万"])
async def test_a_withdrawal_opens_nothing_that_is_over(store, clock, verb):
    """A lost lead was new again, and waited at marketing; a customer was to be called."""
    before = await owned(store, clock)
    await says(store, "lilei", verb.format(before.id))
    closed = await lead(store, before.id)
    assert not closed.open

    after = await captured(store, phone=PHONE, message="不要再打电话")

    standing = lambda one: (one.stage, one.place, one.owner, one.closed_at, one.due_at)  # noqa: E731
    assert standing(after) == standing(closed)
    assert after.opted_out_at == clock()
    assert [line.kind for line in await history(store, before.id)][-1] == Kind.OPTED_OUT


async def test_a_withdrawal_of_who_is_nurtured_ends_the_letters(store, clock):
    before = await owned(store, clock, email="w5@example.com")
    await says(store, "lilei", f"退回 {before.id} 明年再说")

    after = await captured(store, phone=PHONE, message=WORDS)

    async with store.read() as tx:
        ended = [row.ended for row in await tx.conn.execute(select(t.journeys))]
    assert ended == ["opted out"]
    assert (after.owner, after.place, after.why) == (None, Place.MARKETING, "客户要求不再联系")


async def test_a_withdrawal_of_who_lies_in_the_pool_sends_nobody(store, clock):
    before = await owned(store, clock)
    await says(store, "lilei", f"放回 {before.id}")

    after = await captured(store, phone=PHONE, message=WORDS)

    kinds = [line.kind for line in await history(store, before.id)]
    assert kinds[-2:] == [Kind.OPTED_OUT, Kind.HELD]
    assert (after.owner, after.place) == (None, Place.MARKETING)


async def test_a_withdrawal_that_arrives_with_an_enquiry_is_the_last_word(store):
    """Both came in one batch: whichever was last says whether somebody is to call."""
    other = "19912345679"

    left, asked = await take(
        store,
        enquiry(phone=PHONE, name="王五", message="想要报价"),
        enquiry(phone=other, name="赵六", message=WORDS),
    )
    again = await take(
        store,
        enquiry(phone=PHONE, name="王五", message="还想要报价"),
        enquiry(phone=PHONE, name="王五", message=WORDS),
        enquiry(phone=other, name="赵六", message=WORDS),
        enquiry(phone=other, name="赵六", message="又想了解一下"),
    )

    assert {one.id for one in again} == {left.id, asked.id}
    assert [line.kind for line in await history(store, left.id)][-1] == Kind.OPTED_OUT
    assert (await lead(store, asked.id)).owner is not None


async def test_a_withdrawal_handed_in_twice_is_one(store, clock):
    """The same enquiry once more, by its external id: the retry was one more line each time."""
    await owned(store, clock, external_id="row-1")
    said = enquiry(phone=PHONE, external_id="row-1", message=WORDS)
    [first] = await take(store, said)
    clock.tick(minutes=1)

    await take(store, said)
    await take(store, replace(said, message="不要再打电话"))

    told = [line.text for line in await history(store, first.id) if line.kind == Kind.OPTED_OUT]
    assert told == [WORDS, "不要再打电话"]


async def test_what_a_withdrawal_tells_besides_fills_blanks(store, clock):
    before = await owned(store, clock)

    after = await captured(store, phone=PHONE, message=WORDS, email="w5@example.com")

    assert (after.email, after.message) == ("w5@example.com", before.message)


async def test_a_withdrawal_taken_out_again_is_given_to_nobody(store, clock):
    """Whoever had said it was a lead of its own, which went to a rep with five minutes to call."""
    before = await owned(store, clock)
    await captured(store, phone=PHONE, message=WORDS)

    await says(store, "chenzg", f"分开 {before.id}")

    kept, own = await lead(store, before.id), await lead(store, before.id + 1)
    assert (kept.opted_out_at, kept.owner) == (None, before.owner)
    assert (own.opted_out_at is None, own.owner, own.stage) == (False, None, Stage.NEW)
