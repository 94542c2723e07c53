"""The first call: a nudge at half, the managers at the deadline, and what they can press."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from handlers.announce import record
from jobs.scheduler import Clockwork
from store.db import Store
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

    assert (await lead(store, number)).grace_at == clock() + timedelta(hours=1)


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


async def test_sweeps_of_several_processes_at_once_do_nothing_twice(store, clock):
    numbers = [await accepted(store) for _ in range(3)]
    idle = await captured_in_pool(store)
    processes = [Clockwork(Store(store.engine, store.rules, clock), lambda: None) for _ in "abc"]

    clock.tick(minutes=30)
    await asyncio.gather(*(one.beat() for one in processes))
    clock.tick(days=30)
    for _ in range(6):
        await asyncio.gather(*(one.beat() for one in processes))

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
