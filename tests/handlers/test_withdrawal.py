"""Who is known and says in plain words that they want to be left alone has not asked again."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from handlers.capture import capture
from handlers.journeys import clicked, opt_out
from handlers.people import leave
from jobs.scheduler import Clockwork
from store import tables as t
from store.domain.deadlines import reclaim_at
from store.domain.lead import Due, Kind, Place, Stage
from store.domain.team import Platform
from tests.handlers.people import answers, captured, enquiry, lead, says

PHONE = "19912345678"
WORDS = "别再联系我了"


@pytest.fixture
def beat(store):
    return Clockwork(store, lambda: None).beat


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


async def test_a_withdrawal_gives_no_points_and_ends_the_clocks(store, clock):
    """It gave twenty points, and the owner was driven to call: warned, late, without the lead."""
    before = await owned(store, clock, message="")

    after = await captured(store, phone=PHONE, message=WORDS, fields={"event": "form"})

    assert (after.score, after.points) == (before.score, before.points)
    assert (after.asked_at, after.due_at, after.due) == (before.asked_at, None, Due.NONE)
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


async def test_nothing_happens_to_who_has_a_lead_that_is_to_be_left_alone(store, clock, beat):
    """Half an hour later the managers were asked why nobody had called."""
    before = await owned(store, clock)
    await says(store, "lilei", f"提醒 {before.id} 明天9点 打电话")
    await captured(store, phone=PHONE, message=WORDS)
    told = len(await history(store, before.id))

    for _ in range(60):
        clock.tick(days=1)
        await beat()

    after = await lead(store, before.id)
    assert (after.owner, after.late_at) == (before.owner, None)
    assert len(await history(store, before.id)) == told
    assert not [key for key in await answers(store) if key.startswith(("remind:", "morning:"))]


async def test_what_the_owner_asks_for_after_the_withdrawal_does_remind(store, clock, beat):
    before = await owned(store, clock)
    await captured(store, phone=PHONE, message=WORDS)
    clock.tick(minutes=1)
    await says(store, "lilei", f"提醒 {before.id} 明天9点 道个歉")

    clock.tick(days=1)
    await beat()

    assert [key for key in await answers(store) if key.startswith("remind:")]


async def test_the_owners_card_of_a_withdrawal_offers_to_end_it_and_names_no_time(store, clock):
    """It said 首次联系 until then, and its first button was 打通了."""
    before = await owned(store, clock)

    await captured(store, phone=PHONE, message=WORDS)

    card = str((await answers(store))[f"lead:{before.id}/{before.owner.id}"].payload)
    assert "不用再打" in card
    assert f"/流失 {before.id} 客户要求不再联系" in card
    assert not [word for word in ("首次联系", "打通了", "还剩") if word in card]
    today = await says(store, "lilei", "今日")
    assert "今天没有待办" in today


async def test_an_offer_of_who_withdraws_is_taken_back(store, clock, beat):
    """It went on to the next rep, who had five minutes to accept it."""
    offered = await captured(store, phone=PHONE, rep="李雷")

    held = await captured(store, phone=PHONE, message=WORDS)
    clock.tick(hours=1)
    await beat()

    after = await lead(store, offered.id)
    assert (held.owner, held.place, held.why) == (None, Place.MARKETING, "客户要求不再联系")
    assert (after.owner, after.place) == (None, Place.MARKETING)
    card = (await answers(store))[f"lead:{offered.id}/{offered.owner.id}"]
    assert "客户要求不再联系" in str(card.payload)


@pytest.mark.parametrize("verb", ["放回 {}", "删除 {}", "退回 {} 不归我跟", "退回 {} 未到时机"])
async def test_what_its_owner_gives_up_goes_into_no_pool(store, clock, verb):
    """Colleagues found it in the pool, or were offered it, and called."""
    before = await owned(store, clock)
    await captured(store, phone=PHONE, message=WORDS)

    said = await says(store, "lilei", verb.format(before.id))

    after = await lead(store, before.id)
    assert (after.owner, after.place, after.why) == (None, Place.MARKETING, "客户要求不再联系")
    assert "公海" not in said
    assert "市场" in said or "客户要求不再联系" in said


async def test_nobody_claims_who_withdrew_and_lies_in_a_pool_all_the_same(store, clock):
    """One of before this rule, which no change has put aside yet."""
    before = await owned(store, clock)
    await says(store, "lilei", f"放回 {before.id}")
    async with store.begin() as tx:
        gone = {"opted_out_at": clock() + timedelta(seconds=1)}
        await tx.conn.execute(update(t.leads).where(t.leads.c.id == before.id).values(gone))

    said = await says(store, "hanmei", f"领取 {before.id}")

    assert "客户要求不再联系" in said
    assert (await lead(store, before.id)).owner is None


async def test_what_was_to_be_done_stands_again_when_the_person_asks_again(store, clock):
    """The entry in DingTalk's list was ticked off, and stayed so."""
    todo = replace(store, rules=replace(store.rules, todo=True))
    new = await captured(todo, phone=PHONE, rep="王强")
    await says(todo, "wangqiang", f"接受 {new.id}", Platform.DINGTALK)
    await says(todo, "wangqiang", f"提醒 {new.id} 明天9点 打电话", Platform.DINGTALK)
    clock.tick(minutes=1)

    async def done():
        rows = await answers(todo)
        return [row.payload["done"] for key, row in rows.items() if key.startswith("todo:")]

    was = await done()
    await captured(todo, phone=PHONE, message=WORDS)
    ticked = await done()
    clock.tick(minutes=1)
    await captured(todo, phone=PHONE, message="还是想了解一下")

    assert (was, ticked, await done()) == ([False], [True], [False])


async def test_a_leavers_lead_of_who_withdrew_goes_into_no_pool(store, clock):
    before = await owned(store, clock)
    await captured(store, phone=PHONE, message=WORDS)

    async with store.begin() as tx:
        await leave(tx, Platform.WECOM, "lilei")

    after = await lead(store, before.id)
    assert (after.owner, after.place) == (None, Place.MARKETING)


async def test_a_letter_that_is_ended_ends_the_clocks_as_words_do(store, clock):
    before = await owned(store, clock)
    async with store.begin() as tx:
        token = await tx.links.make(before.id, "optout", "brand")

    async with store.begin() as tx:
        await opt_out(tx, token, "邮件退订")

    after = await lead(store, before.id)
    assert (after.owner, after.due) == (before.owner, Due.NONE)


async def test_an_old_link_that_is_clicked_starts_nothing_again(store, clock):
    """The owner was told to call back who had only opened the letter once more."""
    before = await owned(store, clock)
    async with store.begin() as tx:
        token = await tx.links.make(before.id, "track", "brand")
    await captured(store, phone=PHONE, message=WORDS)
    clock.tick(minutes=1)

    async with store.begin() as tx:
        await clicked(tx, token)

    after = await lead(store, before.id)
    assert (after.left_alone, after.due) == (True, Due.NONE)


async def test_who_asks_again_is_called_and_the_rep_has_the_whole_time(store, clock):
    before = await owned(store, clock)
    await captured(store, phone=PHONE, message=WORDS)
    clock.tick(days=30)

    after = await captured(store, phone=PHONE, message="还是想了解一下")

    assert (after.owner, after.due) == (before.owner, Due.NUDGE)
    reclaim, _ = reclaim_at(after, store.rules.limits, store.rules.calendar)
    assert store.rules.calendar.between(clock(), reclaim) == store.rules.limits.no_contact


async def test_a_first_word_to_be_left_alone_is_no_need_and_earns_nothing(store):
    """It earned the points of 说了需求 and 急, was quoted as what they want, and made it hot."""
    facts = {"company": "云栖", "product": "CRM", "title": "总经理", "email": "w5@example.com"}

    new = await captured(
        store, phone=PHONE, message="别再联系我，不要报价", fields={"event": "form"}, **facts
    )

    other = facts | {"email": "w6@example.com"}
    silent = await captured(store, phone="19912345679", message="", **other)
    assert (new.message, new.score) == ("", silent.score)
    assert not {"说了需求", "急"} & {part.rule for part in new.points}
    assert (new.qualification, new.owner, new.due) == ("UQL", None, Due.NONE)
    assert new.place == Place.MARKETING
    lines = [(line.kind, line.text) for line in await history(store, new.id)]
    assert (Kind.OPTED_OUT, "别再联系我，不要报价") in lines
    assert Kind.ASSIGNED not in dict(lines)


async def test_a_manager_may_give_it_all_the_same_and_no_clock_runs(store, clock):
    new = await captured(store, phone=PHONE, message=WORDS)

    await says(store, "chenzg", f"分配 {new.id} 李雷")

    after = await lead(store, new.id)
    assert (after.owner.name, after.due) == ("李雷", Due.NONE)
    assert "客户要求不再联系" in str(
        (await answers(store))[f"lead:{new.id}/{after.owner.id}"].payload
    )


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
    kinds = [line.kind for line in await history(store, left.id)]
    assert kinds[-2:] == [Kind.OPTED_OUT, Kind.HELD]
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
