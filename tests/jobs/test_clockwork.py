"""What happens without being asked."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event, select

from jobs.scheduler import Clockwork, run_once
from store import tables as t
from store.domain.lead import Kind, Place
from tests.handlers.people import answers, captured, lead, says


@pytest.fixture
def clockwork(store):
    return Clockwork(store, lambda: None)


async def kinds(store, lead_id):
    async with store.read() as tx:
        return [past.kind for past in (await tx.leads.history([lead_id]))[lead_id]]


async def texts(store):
    return "\n".join(str(row.payload) for row in (await answers(store)).values())


async def test_an_offer_nobody_takes_moves_on_three_times_then_to_the_manager(
    store, clockwork, clock
):
    new = await captured(store)
    owners = []
    for _ in range(3):
        owners.append((await lead(store, new.id)).owner.name)
        clock.tick(minutes=5)
        await clockwork.beat()

    after = await lead(store, new.id)
    assert owners == ["李雷", "韩梅", "王强"]
    assert (after.owner, after.place) == (None, Place.POOL)
    assert "3 个人都没接" in await texts(store)


async def test_nobody_called_is_warned_of_then_reclaimed(store, clockwork, clock):
    new = await captured(store)
    await says(store, "lilei", f"领取 {new.id}")
    seen = set()
    for _ in range(24 * 5):
        clock.tick(hours=1)
        await clockwork.beat()
        row = (await answers(store))[f"lead:{new.id}/{new.owner.id}"]
        seen.add(row.payload["template_card"]["main_title"]["title"])

    assert (await kinds(store, new.id)).count(Kind.RECLAIMED) == 1
    assert Kind.WARNED in await kinds(store, new.id)
    assert any("快要回收" in title for title in seen)
    assert (await lead(store, new.id)).place == Place.POOL


async def test_following_up_keeps_a_lead(store, clockwork, clock):
    new = await captured(store)
    await says(store, "lilei", f"跟进 {new.id} 电话 聊了报价和实施计划")

    clock.tick(days=9)
    await clockwork.beat()

    assert (await lead(store, new.id)).owner.name == "李雷"


async def test_the_pool_is_emptied_into_marketing_after_a_month(store, clockwork, clock):
    new = await captured(store)
    await says(store, "lilei", f"放回 {new.id}")

    clock.tick(days=30)
    await clockwork.beat()

    assert (await lead(store, new.id)).place == Place.MARKETING


async def test_a_reminder_rings_at_its_minute_and_once(store, clockwork, clock):
    new = await captured(store)
    await says(store, "lilei", f"提醒 {new.id} 明天9点 打电话给老板")
    clock.now = datetime(2026, 3, 3, 0, 59, 59, tzinfo=UTC)
    await clockwork.beat()
    assert "到点了" not in await texts(store)

    clock.tick(seconds=1)
    await clockwork.beat()
    await clockwork.beat()

    rung = [key for key in await answers(store) if key.startswith("remind:")]
    assert len(rung) == 1
    assert "打电话给老板" in await texts(store)


async def test_date_only_reminders_are_one_morning_card(store, clockwork, clock):
    for name in ("张一", "张二", "张三"):
        new = await captured(store, name=name, rep="李雷")
        await says(store, "lilei", f"领取 {new.id}")
        async with store.begin() as tx:
            at = tx.now + timedelta(hours=23)
            await tx.reminders.add(new.id, new.owner.id, at, "回访", "next", date_only=True)

    clock.tick(hours=23)
    await clockwork.beat()

    cards = [row for key, row in (await answers(store)).items() if key.startswith("morning:")]
    assert len(cards) == 1
    assert "今天要联系 3 位" in str(cards[0].payload)


async def daily(clockwork, name):
    return next(job for job in clockwork.jobs if job.name == name)


async def test_a_daily_job_runs_once_per_tick_across_processes(store, clockwork, clock):
    job = await daily(clockwork, "digest")
    await run_once(store, job, job.slot(clock()))
    clock.now = datetime(2026, 3, 2, 10, 30, tzinfo=UTC)

    ran = [await run_once(store, job, job.slot(clock())) for _ in range(3)]

    assert ran == [True, False, False]


async def test_a_tick_that_crashes_is_given_back(store, clockwork, clock):
    job = await daily(clockwork, "forget")
    await run_once(store, job, job.slot(clock()) - timedelta(days=1))

    async def crash(tx):
        raise RuntimeError

    async def prepare(store, slot):
        return crash

    with pytest.raises(RuntimeError):
        await run_once(store, type(job)(job.name, job.trigger, prepare), job.slot(clock()))

    assert await run_once(store, job, job.slot(clock()))


async def test_a_job_that_fails_keeps_no_other_from_its_hour(store, clockwork, clock):
    async def breaks(store, slot):
        raise RuntimeError

    first, second, *_ = clockwork.jobs
    for job in (first, second):
        await run_once(store, job, job.slot(clock()))
    clockwork.jobs = [type(first)(first.name, first.trigger, breaks), second]
    clock.tick(days=1)

    await clockwork.beat()

    async with store.read() as tx:
        assert await tx.ticks.last(first.name) < first.slot(clock())
        assert await tx.ticks.last(second.name) == second.slot(clock())


async def test_a_beat_without_anything_due_asks_in_one_transaction(store, clockwork, clock):
    await clockwork.beat()
    begun = []
    event.listen(store.engine.sync_engine, "begin", begun.append)

    await clockwork.beat()

    assert len(begun) == 1


async def test_a_new_installation_does_not_send_yesterdays_digest(store, clockwork, clock):
    clock.now = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)  # 20:00, the digest was at 18:30

    await clockwork.beat()

    async with store.read() as tx:
        assert await tx.ticks.last("digest") == datetime(2026, 3, 2, 10, 30, tzinfo=UTC)
        assert not (await tx.conn.execute(select(t.outbox))).all()


async def test_what_nobody_needs_any_more_is_forgotten(store, clockwork, clock):
    await says(store, "lilei", "帮助")
    await clockwork.beat()
    clock.tick(days=40)

    await clockwork.beat()

    async with store.read() as tx:
        assert not (await tx.conn.execute(select(t.inbox))).all()


async def test_offers_that_lapse_together_still_go_round(store, clockwork, clock):
    for _ in range(9):
        await captured(store)
    before = {n: (await lead(store, n)).owner.name for n in range(1, 10)}

    clock.tick(minutes=6)
    await clockwork.beat()

    owners = [(await lead(store, n)).owner.name for n in range(1, 10)]
    assert all(owner != before[n] for n, owner in enumerate(owners, 1))
    assert all(2 <= owners.count(name) <= 4 for name in ("李雷", "韩梅", "王强"))
