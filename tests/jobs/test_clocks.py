"""The first call: a nudge at half, the managers at the deadline, and what they can press."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from handlers.announce import record
from jobs.scheduler import Clockwork
from store import tables as t
from store.db import open_store
from store.domain.deadlines import Policy, reclaim_at
from store.domain.lead import Change, Event, Kind, Place
from tests.handlers.people import answers, captured, lead, says

LEI, HAN, CHEN = 1, 2, 4


@pytest.fixture
def clockwork(store):
    return Clockwork(store, lambda: None)


async def card(store, lead_id, member_id):
    return str((await answers(store))[f"lead:{lead_id}/{member_id}"].payload)


async def kinds(store, lead_id):
    async with store.read() as tx:
        return [past.kind for past in (await tx.leads.history([lead_id]))[lead_id]]


async def accepted(store):
    new = await captured(store, rep="李雷")
    await says(store, "lilei", f"领取 {new.id}")
    return new.id


async def late(store, clockwork, clock):
    number = await accepted(store)
    clock.tick(minutes=30)
    await clockwork.beat()
    return number


async def test_the_owner_is_told_at_half_and_the_manager_at_the_deadline(store, clockwork, clock):
    number = await accepted(store)

    clock.tick(minutes=15)
    await clockwork.beat()

    assert (await kinds(store, number))[-1] == Kind.NUDGED
    assert "首次联系 10:30 前（还剩 15 分）" in await card(store, number, LEI)
    assert f"lead:{number}/{CHEN}" not in await answers(store)

    clock.tick(minutes=14, seconds=59)
    await clockwork.beat()
    assert f"lead:{number}/{CHEN}" not in await answers(store)

    clock.tick(seconds=1)
    await clockwork.beat()

    told = await card(store, number, CHEN)
    assert "超时未联系" in told
    for caption, line in (("改派", "分配"), ("再给一小时", "宽限"), ("我来", "我来")):
        assert caption in told
        assert f"/{line} {number}" in told
    assert "韩梅" in told
    assert "已请主管看" in await card(store, number, LEI)


async def test_what_was_missed_while_nobody_was_running_is_told_once(store, clockwork, clock):
    number = await accepted(store)

    clock.tick(hours=2)
    await clockwork.beat()
    await clockwork.beat()

    assert (await kinds(store, number)).count(Kind.LATE) == 1


async def test_who_calls_in_time_is_not_told_on(store, clockwork, clock):
    number = await accepted(store)
    await says(store, "lilei", f"跟进 {number} 电话 没接通")

    clock.tick(hours=3)
    await clockwork.beat()

    assert Kind.LATE not in await kinds(store, number)


async def test_one_hour_more_is_shown_to_the_owner_and_kept(store, clockwork, clock):
    number = await late(store, clockwork, clock)

    assert "11:30" in await says(store, "chenzg", f"宽限 {number}")

    assert "11:30 前（还剩 1 小时）" in await card(store, number, LEI)
    assert "超时未联系" not in await card(store, number, CHEN)
    clock.tick(minutes=59)
    await clockwork.beat()
    assert (await kinds(store, number)).count(Kind.LATE) == 1
    clock.tick(minutes=1)
    await clockwork.beat()
    assert (await kinds(store, number)).count(Kind.LATE) == 2
    assert "超时未联系" in await card(store, number, CHEN)


async def test_pressed_twice_one_hour_more_is_one_hour(store, clockwork, clock):
    number = await late(store, clockwork, clock)

    await says(store, "chenzg", f"宽限 {number}")
    await says(store, "chenzg", f"宽限 {number}")

    assert (await lead(store, number)).due_at == clock() + timedelta(hours=1)


async def test_the_hour_a_manager_gave_holds_back_the_reclaim(store, clockwork, clock):
    """Given shortly before the reclaim, it was promised and the lead taken within it."""
    number = await accepted(store)
    taken, _ = reclaim_at(await lead(store, number), store.rules.limits, store.rules.calendar)
    clock.now = taken - timedelta(minutes=15)

    await says(store, "chenzg", f"宽限 {number}")

    until = (await lead(store, number)).grace_at + timedelta(hours=1)
    clock.now = until - timedelta(minutes=1)
    await clockwork.beat()
    assert (await lead(store, number)).owner is not None
    clock.now = until
    for _ in range(3):
        await clockwork.beat()
    assert (await lead(store, number)).owner is None


async def test_the_hour_a_manager_gave_does_not_run_during_a_leave(store, clockwork, clock):
    """It was over before its owner could call at all."""
    number = await late(store, clockwork, clock)
    await says(store, "chenzg", f"宽限 {number}")
    await says(store, "lilei", "请假 今天下午")
    clock.now = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)  # 13:00, away

    answer = await says(store, "chenzg", f"宽限 {number}")

    assert "明天 10:00" in answer
    assert (await lead(store, number)).due_at == datetime(2026, 3, 3, 2, 0, tzinfo=UTC)


async def test_a_leave_that_comes_later_stops_the_hour_a_manager_gave(store, clockwork, clock):
    number = await late(store, clockwork, clock)  # 10:30
    clock.tick(minutes=60)
    await says(store, "chenzg", f"宽限 {number}")

    await says(store, "lilei", "请假 今天下午")

    assert (await lead(store, number)).due_at == datetime(2026, 3, 3, 1, 30, tzinfo=UTC)


async def test_what_nobody_has_accepted_needs_no_hour_more(store):
    """It was answered that the owner had called already."""
    offered = await captured(store, rep="李雷")

    answer = await says(store, "chenzg", f"宽限 {offered.id}")

    assert "李雷 还没接" in answer
    assert (await lead(store, offered.id)).grace_at is None


async def test_the_manager_takes_it(store, clockwork, clock):
    number = await late(store, clockwork, clock)

    assert "由你接手" in await says(store, "chenzg", f"我来 {number}")

    assert (await lead(store, number)).owner.name == "陈主管"
    assert "请联系" in await card(store, number, CHEN)
    assert "已由 陈主管 接手" in await card(store, number, LEI)


async def test_the_manager_gives_it_to_somebody_else_who_has_the_whole_time(
    store, clockwork, clock
):
    number = await late(store, clockwork, clock)
    assert f"/分配 {number} 韩梅" in await says(store, "chenzg", f"分配 {number}")

    await says(store, "chenzg", f"分配 {number} 韩梅")

    assert "11:00 前（还剩 30 分）" in await card(store, number, HAN)
    assert "已由 韩梅 接手" in await card(store, number, CHEN)


async def test_an_old_card_says_what_is_true_now(store, clockwork, clock):
    number = await late(store, clockwork, clock)
    await says(store, "lilei", f"跟进 {number} 电话 聊了报价")

    assert "已经联系了" in await says(store, "chenzg", f"宽限 {number}")
    assert "分配" in await says(store, "chenzg", f"我来 {await captured_in_pool(store)}")


async def captured_in_pool(store):
    new = await captured(store, rep="李雷")
    await says(store, "lilei", f"放回 {new.id}")
    return new.id


@pytest.mark.parametrize("line", ["宽限", "我来"])
async def test_only_managers_decide(store, clockwork, clock, line):
    number = await late(store, clockwork, clock)

    assert "主管" in await says(store, "hanmei", f"{line} {number}")


async def test_who_asks_again_waits_for_a_call_again(store, clockwork, clock):
    number = await accepted(store)
    phone = (await lead(store, number)).phone
    await says(store, "lilei", f"跟进 {number} 电话 聊了报价")
    clock.tick(hours=1)

    await captured(store, phone=phone, message="还在吗")

    assert "又来咨询" in await card(store, number, LEI)
    assert "请回电 11:30 前（还剩 30 分）" in await card(store, number, LEI)
    clock.tick(minutes=30)
    await clockwork.beat()
    assert "超时未联系" in await card(store, number, CHEN)


async def test_each_owner_has_the_whole_time_for_the_first_call(store, clockwork, clock):
    number = await accepted(store)
    await says(store, "lilei", f"跟进 {number} 电话 聊了报价")
    clock.tick(minutes=20)

    await says(store, "lilei", f"转交 {number} 韩梅")

    assert "首次联系 10:50 前" in await card(store, number, HAN)


async def test_the_manager_sees_an_extension(store):
    number = await accepted(store)

    await says(store, "lilei", f"延期 {number}")

    assert "延期了 7 天" in await card(store, number, CHEN)


async def test_an_extension_under_a_policy_is_as_long_as_it_says(store):
    """It said 7 days on the card and in the history, and was 2."""
    limits = store.rules.limits
    policy = Policy(
        name="官网", when={"source": ("website",)}, spans={"extend": timedelta(days=2)}
    )
    ruled = replace(store, rules=replace(store.rules, limits=replace(limits, policies=(policy,))))
    number = await accepted(ruled)
    before, _ = reclaim_at(await lead(ruled, number), ruled.rules.limits, ruled.rules.calendar)

    answer = await says(ruled, "lilei", f"延期 {number}")

    after, _ = reclaim_at(await lead(ruled, number), ruled.rules.limits, ruled.rules.calendar)
    assert after - before == timedelta(days=2)
    assert "已延期 2 天" in answer
    assert "延期了 2 天" in await card(ruled, number, CHEN)
    async with ruled.read() as tx:
        assert (await tx.leads.history([number]))[number][-1].text == "2 天"


async def test_what_is_never_reclaimed_is_not_extended(store):
    """It was said to be extended, and its only extension was gone."""
    exempt = replace(store.rules.limits, exempt_stages=("quoted",))
    ruled = replace(store, rules=replace(store.rules, limits=exempt))
    number = await accepted(ruled)
    await says(ruled, "lilei", f"阶段 {number} 已报价")

    answer = await says(ruled, "lilei", f"延期 {number}")

    assert "不会被回收" in answer
    assert not (await lead(ruled, number)).extended


async def followed_late(store, clock):
    """Contacted at once, and a talk that protects it to the hard maximum of 20 days."""
    number = await accepted(store)
    await says(store, "lilei", f"跟进 {number} 电话 聊了报价")
    clock.tick(days=13)
    await says(store, "lilei", f"跟进 {number} 电话 聊了合同和付款方式")
    return number


async def test_an_extension_goes_to_the_hard_maximum_and_says_so(store, clockwork, clock):
    """It said 7 days, and kept the lead 27 days after the first contact."""
    number = await accepted(store)
    await says(store, "lilei", f"跟进 {number} 电话 聊了报价")
    first = clock()

    answer = await says(store, "lilei", f"延期 {number}")

    assert "已延期 6 天，3月22日 周日 10:00 到期，已经到了最长期限" in answer
    assert "延期了 6 天，3月22日 周日 10:00 到期" in await card(store, number, CHEN)
    clock.now = first + timedelta(days=20) - timedelta(minutes=1)
    for _ in range(5):
        await clockwork.beat()
    assert (await lead(store, number)).owner is not None
    clock.tick(minutes=1)
    await clockwork.beat()
    assert (await lead(store, number)).owner is None


async def test_what_an_extension_cannot_keep_is_not_offered_one(store, clockwork, clock):
    number = await followed_late(store, clock)
    clock.now = datetime(2026, 3, 21, 3, 0, tzinfo=UTC)
    for _ in range(3):
        await clockwork.beat()

    answer = await says(store, "lilei", f"延期 {number}")

    assert "首次联系后最长 20 天，3月22日 周日 10:00 到期，不能再延" in answer
    assert not (await lead(store, number)).extended
    shown = await card(store, number, LEI)
    assert "快要回收" in shown
    assert f"/延期 {number}" not in shown


async def test_a_second_extension_names_the_day_and_what_keeps_it(store):
    number = await accepted(store)
    await says(store, "lilei", f"延期 {number}")

    answer = await says(store, "lilei", f"延期 {number}")

    assert "已经延期过一次，3月12日 周四 10:00 到期，跟进一次也能留住它" in answer


async def test_an_offer_is_accepted_before_it_is_extended(store):
    """It could be extended by who had not said yes, and the next one had no extension left."""
    offered = await captured(store, rep="李雷")

    answer = await says(store, "lilei", f"延期 {offered.id}")

    assert f"先发「领取 {offered.id}」" in answer
    assert not (await lead(store, offered.id)).extended


async def test_the_digest_counts_as_late_what_the_manager_was_told_is_late(
    store, clockwork, clock
):
    number = await late(store, clockwork, clock)

    async with store.read() as tx:
        before = (await tx.figures.of(clock().date(), clock() + timedelta(seconds=1))).overdue
    await says(store, "chenzg", f"宽限 {number}")
    async with store.read() as tx:
        after = (await tx.figures.of(clock().date(), clock() + timedelta(seconds=1))).overdue

    assert (before, after) == (1, 0)


async def test_sweeps_of_several_processes_at_once_do_nothing_twice(store, clock, settings):
    numbers = [await accepted(store) for _ in range(3)]
    idle = await captured_in_pool(store)
    stores = [store, *(open_store(settings.database.url, store.rules, clock) for _ in "bcd")]
    processes = [Clockwork(one, lambda: None) for one in stores]

    clock.tick(minutes=30)
    await asyncio.gather(*(one.beat() for one in processes))
    clock.tick(days=30)
    for _ in range(6):
        await asyncio.gather(*(one.beat() for one in processes))
    for one in stores[1:]:
        await one.close()

    for number in numbers:
        done = await kinds(store, number)
        assert (done.count(Kind.LATE), done.count(Kind.RECLAIMED)) == (1, 1)
    assert (await kinds(store, idle)).count(Kind.IDLE) == 1


async def test_an_edit_does_not_keep_a_lead_in_the_pool(store, clockwork, clock):
    number = await captured_in_pool(store)
    clock.tick(days=29)
    async with store.begin() as tx:
        edited = replace(await tx.leads.get(number), company="云栖制造")
        await record(tx, Change(edited, Event(kind=Kind.ENRICHED, at=tx.now)))

    clock.tick(days=1)
    await clockwork.beat()

    assert (await lead(store, number)).place == Place.MARKETING


# -- nothing rings at night ------------------------------------------------------------

EVENING = datetime(2026, 3, 16, 14, 0, tzinfo=UTC)  # Monday, 22:00 in Shanghai
MORNING = datetime(2026, 3, 17, 1, 0, tzinfo=UTC)  # 09:00


async def row(store, lead_id, member_id):
    return (await answers(store))[f"lead:{lead_id}/{member_id}"]


async def heard(store):
    """What was to be shown so far has been."""
    async with store.begin() as tx:
        await tx.conn.execute(update(t.outbox).values(due_at=None, ring=False))


async def reclaimed_at_night(store, clockwork, clock):
    """It was called first late in an evening, fourteen days ago."""
    number = await accepted(store)
    clock.now = EVENING - timedelta(days=14)
    await says(store, "lilei", f"跟进 {number} 电话 聊了报价和实施计划")
    clock.now = EVENING - timedelta(minutes=1)
    for _ in range(3):
        await clockwork.beat()  # the warnings
    await heard(store)
    clock.now = EVENING
    await clockwork.beat()
    return number


async def test_a_reclaim_at_night_is_on_time_and_rings_in_the_morning(store, clockwork, clock):
    """The phone rang at ten in the evening."""
    number = await reclaimed_at_night(store, clockwork, clock)

    async with store.read() as tx:
        last = (await tx.leads.history([number]))[number][-1]
    put = await row(store, number, LEI)
    assert (last.kind, last.at) == (Kind.RECLAIMED, EVENING)
    assert (put.ring, put.due_at) == (True, MORNING)
    assert "公海" in str(put.payload)


async def test_what_rings_in_the_morning_is_not_rung_by_a_silent_change(store, clockwork, clock):
    """A colleague claimed it that night, and the reclaim rang with that."""
    number = await reclaimed_at_night(store, clockwork, clock)

    await says(store, "hanmei", f"领取 {number}")

    put = await row(store, number, LEI)
    assert "已由 韩梅 接手" in str(put.payload)
    assert (put.ring, put.due_at) == (True, MORNING)


async def test_who_asks_at_night_is_answered_at_night(store, clockwork, clock):
    number = await reclaimed_at_night(store, clockwork, clock)

    await says(store, "lilei", f"线索 {number}")

    assert (await row(store, number, LEI)).due_at == EVENING


async def test_what_nobody_wanted_reaches_marketing_by_day(store, clockwork, clock):
    """Eight cards rang on a Saturday, late in the evening."""
    numbers = [await accepted(store) for _ in range(8)]
    clock.now = datetime(2026, 3, 5, 14, 0, tzinfo=UTC)
    for number in numbers:
        await says(store, "lilei", f"放回 {number}")
    clock.tick(days=30)

    await clockwork.beat()

    rows = {key: row for key, row in (await answers(store)).items() if row.account == "zhousc"}
    assert {(await lead(store, number)).place for number in numbers} == {Place.MARKETING}
    assert {row.due_at for row in rows.values()} == {datetime(2026, 4, 7, 1, 0, tzinfo=UTC)}


async def test_who_asks_again_at_night_rings_when_somebody_is_there(store, clock):
    """The owner was woken to call somebody in the morning."""
    number = await accepted(store)
    await heard(store)
    phone = (await lead(store, number)).phone
    clock.now = EVENING - timedelta(days=14)

    await captured(store, phone=phone, message="什么时候能演示")

    put = await row(store, number, LEI)
    assert (put.ring, put.due_at) == (True, MORNING - timedelta(days=14))
    assert "又来咨询" in str(put.payload)


async def test_what_a_manager_gives_at_night_rings_at_night(store, clock):
    clock.now = EVENING
    number = (await captured(store)).id

    await says(store, "chenzg", f"分配 {number} 李雷")

    assert (await row(store, number, LEI)).due_at == EVENING
