"""The admin's own days, and what a change of the rules does to deadlines that stand."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from handlers.clocks import go_on, warn_of_year, watch
from handlers.score import cool
from handlers.sweeps import deadlines
from store.db import Store
from store.domain.deadlines import Policy, Scope, reclaim_at
from store.domain.lead import Due, Kind, Place
from store.domain.rules import ScoringRule
from tests.handlers.people import answers, captured, lead, says

DAY = timedelta(days=1)


async def accepted(store):
    new = await captured(store, rep="李雷")
    await says(store, "lilei", f"领取 {new.id}")
    return new.id


async def working(store):
    """A lead that has been called and talked with."""
    number = await accepted(store)
    await says(store, "lilei", f"跟进 {number} 电话 聊了报价和实施计划")
    return number


async def kinds(store, lead_id):
    async with store.read() as tx:
        return [past.kind for past in (await tx.leads.history([lead_id]))[lead_id]]


def with_limits(store, **limits) -> Store:
    rules = replace(store.rules, limits=replace(store.rules.limits, **limits))
    return Store(store.engine, rules, store.clock)


async def rules_change(store):
    """What the first beat of a process with other rules does."""
    async with store.begin() as tx:
        await watch(tx)
    async with store.begin() as tx:
        while await go_on(tx):
            pass


async def test_a_declared_day_counts_at_once_also_for_deadlines_that_stand(store, clock):
    clock.now = datetime(2026, 3, 6, 10, 25, tzinfo=UTC)  # Friday, 18:25
    number = await accepted(store)
    assert (await lead(store, number)).due_at == datetime(2026, 3, 9, 1, 10, tzinfo=UTC)

    answer = await says(store, "chenzg", "日历 2026-03-07 上班")

    assert "3月7日 周六 上班" in answer
    assert (await lead(store, number)).due_at == datetime(2026, 3, 7, 1, 10, tzinfo=UTC)
    card = (await answers(store))[f"lead:{number}/1"]
    assert "3月7日 周六 09:25 前" in str(card.payload)


async def test_a_declared_day_counts_in_every_process(store, clock):
    other = Store(store.engine, store.rules, clock)

    await says(store, "chenzg", "日历 3月7日 上班")

    async with other.begin() as tx:
        assert tx.rules.calendar.is_workday(date(2026, 3, 7))
    await says(store, "chenzg", "日历 3月7日 休息")
    async with other.read() as tx:
        assert not tx.rules.calendar.is_workday(date(2026, 3, 7))


async def test_the_calendar_shows_what_is_not_as_usual(store, clock):
    await says(store, "chenzg", "日历 2026-03-07 上班")

    shown = await says(store, "chenzg", "日历")

    assert "2026年3月7日 周六 上班" in shown
    assert "2026年4月6日 周一 休息" in shown  # 清明


@pytest.mark.parametrize(
    "line", ["日历 明天", "日历 上班", "日历 2026-02-30 上班", "日历 下周 休息"]
)
async def test_a_day_that_is_none_is_answered_with_how_to_write_it(store, line):
    assert "日历 2027-02-06 上班" in await says(store, "chenzg", line)


@pytest.mark.parametrize(
    "line",
    [
        "日历 3月7日到3月9日 休息",
        "日历 3月7日、3月8日 休息",
        "日历 今天下午 休息",
        "日历 下周 休息",
    ],
)
async def test_of_several_days_or_half_a_day_none_is_declared_silently(store, line):
    """Only the first day was declared, or the whole one."""
    said = await says(store, "chenzg", line)

    assert "一次写一整天" in said
    async with store.read() as tx:
        assert await tx.clocks.days() == {}


async def test_reps_do_not_declare_days(store):
    assert "主管" in await says(store, "lilei", "日历 2026-03-07 上班")


async def test_the_admins_are_told_once_that_a_year_is_unknown(store, clock):
    clock.now = datetime(2034, 12, 1, 2, tzinfo=UTC)
    for _ in range(2):
        async with store.begin() as tx:
            await warn_of_year(tx)

    told = [row for key, row in (await answers(store)).items() if key.startswith("year:")]
    assert [row.account for row in told] == ["chenzg"]
    assert "2035 年的放假安排还没有" in str(told[0].payload)


async def test_changed_rules_move_deadlines_by_what_happened_and_say_so(store, clock):
    number = await working(store)
    clock.tick(days=4)

    changed = with_limits(store, no_conversion=10 * DAY, no_follow_up=8 * DAY)
    await rules_change(changed)

    moved = await lead(store, number)
    # Counted from the talk, not from today: the clock has not been restarted.
    reclaim = datetime(2026, 3, 12, 2, tzinfo=UTC)
    assert (moved.due, moved.due_at) == (Due.WARN, reclaim - DAY)
    assert moved.spare_at is None
    assert (await kinds(store, number))[-1] == Kind.RETIMED


async def test_a_lead_past_due_by_the_new_rules_is_warned_of_before_it_is_taken(store, clock):
    from jobs.scheduler import Clockwork  # noqa: PLC0415 - jobs stand above handlers

    number = await working(store)
    clock.tick(days=8, hours=1)
    changed = with_limits(store, no_follow_up=3 * DAY, protect=2 * DAY)
    clockwork = Clockwork(changed, lambda: None)

    await clockwork.beat()

    held = await lead(store, number)
    assert held.owner.name == "李雷"
    assert held.spare_at == clock() + DAY
    card = str((await answers(store))[f"lead:{number}/1"].payload)
    assert "快要回收" in card
    assert "3月11日 周三 11:00 前（还剩 24 小时）" in card
    clock.tick(hours=23, minutes=59)
    await clockwork.beat()
    assert (await lead(store, number)).owner.name == "李雷"
    clock.tick(minutes=1)
    await clockwork.beat()
    assert (await lead(store, number)).place == Place.POOL


async def test_the_same_rules_again_change_nothing(store):
    number = await working(store)
    await rules_change(store)
    before = await lead(store, number)

    await rules_change(Store(store.engine, store.rules, store.clock))

    assert await lead(store, number) == before


async def test_what_fell_due_by_old_rules_is_looked_at_by_the_new_ones_first(store, clock):
    from jobs.scheduler import Clockwork  # noqa: PLC0415

    number = await working(store)
    clock.tick(days=13, hours=23)
    await Clockwork(store, lambda: None).beat()
    assert (await lead(store, number)).due == Due.RECLAIM
    clock.tick(hours=1)
    longer = with_limits(store, no_conversion=30 * DAY, hard_max=60 * DAY, no_follow_up=40 * DAY)

    await Clockwork(longer, lambda: None)._sweep()  # before the change has reached this lead

    held = await lead(store, number)
    assert held.owner.name == "李雷"
    assert held.due_at > clock()


# -- what goes by a score that fades -----------------------------------------------

LOOKED = (
    ScoringRule(name="看网页", when={"event": "page"}, points=60),
    ScoringRule(name="官网", when={"source": ["website"]}, points=20),
)
SPANS = {"no_follow_up": 40 * DAY, "no_conversion": 60 * DAY, "hard_max": 90 * DAY, "protect": DAY}


def by_score(store, **limits) -> Store:
    """Who looked is worth 80 points, and less every day."""
    ruled = with_limits(store, **limits)
    rules = replace(ruled.rules, scale=replace(store.rules.scale, rules=LOOKED))
    return Store(store.engine, rules, store.clock)


async def cools(store):
    async with store.begin() as tx:
        return await cool(tx)


async def test_a_policy_that_goes_by_the_score_ends_when_it_has_faded(store, clock):
    """The card went on to promise 60 days, or was reclaimed at a time no card had said."""
    policy = Policy(name="好", when={"min_score": 60}, spans=SPANS)
    good = by_score(store, policies=(policy,))
    number = (await captured(good, rep="李雷", fields={"event": "page"})).id
    await says(good, "lilei", f"接受 {number}")
    await says(good, "lilei", f"跟进 {number} 电话 聊了报价和实施计划")
    before = await lead(good, number)
    clock.tick(days=15)

    await cools(good)

    after = await lead(good, number)
    assert (before.score, after.score < 60) == (80, True)
    taken, _ = reclaim_at(after, good.rules.limits, good.rules.calendar)
    assert taken >= clock() + DAY
    assert (after.due, after.due_at) == (Due.WARN, clock())
    assert (await kinds(good, number))[-1] == Kind.RETIMED
    async with good.begin() as tx:
        await deadlines(tx)
    assert (await lead(good, number)).owner is not None
    card = (await answers(good))[f"lead:{number}/1"]
    assert "快要回收" in str(card.payload)
    clock.now = taken
    for _ in range(3):
        async with good.begin() as tx:
            await deadlines(tx)
    assert (await lead(good, number)).place == Place.POOL


async def test_a_lead_whose_score_has_faded_is_of_another_pool(store, clock):
    best = Scope(name="重点", when={"min_score": 60}, members=("李雷",))
    good = by_score(store, scopes=(best,))
    number = (await captured(good, rep="李雷", fields={"event": "page"})).id
    await says(good, "lilei", f"放回 {number}")
    before = (await lead(good, number)).scope
    clock.tick(days=15)

    await cools(good)

    assert (before, (await lead(good, number)).scope) == ("重点", "")


async def test_a_score_that_fades_moves_nothing_where_no_rule_goes_by_it(store, clock):
    plain = by_score(store)
    number = (await captured(plain, rep="李雷", fields={"event": "page"})).id
    await says(plain, "lilei", f"跟进 {number} 电话 聊了报价和实施计划")
    before = await lead(plain, number)
    clock.tick(days=5)

    await cools(plain)

    after = await lead(plain, number)
    assert after.score < before.score
    assert after.due_at == before.due_at
    assert (await kinds(plain, number))[-1] == Kind.FOLLOWED
