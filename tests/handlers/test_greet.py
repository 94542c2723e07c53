"""Whoever opens the chat is told what to do now: once a working day, whatever the platform reports."""

from itertools import count

import pytest
from sqlalchemy import select

from bot.dispatch import hear
from bot.incoming import Entered
from store import tables as t
from store.domain.team import Platform
from tests.handlers.people import captured, says

IDS = count(1)


@pytest.fixture
def enters(store):
    async def enter(account: str, receipt: str = "") -> str:
        id_ = receipt or f"enter-{next(IDS)}"
        return (await hear(store, Entered(platform=Platform.WECOM, id=id_, account=account))).text

    return enter


async def test_a_rep_hears_what_to_do_today(store, enters):
    lead = await captured(store, rep="李雷", name="王五")
    await says(store, "lilei", f"领取 {lead.id}")

    text = await enters("lilei")

    assert text.startswith("李雷，今天 1 件")
    assert f"#{lead.id}" in text
    assert "发「今日」" in text


async def test_with_nothing_to_do_the_pool_is_named(enters):
    assert "公海" in await enters("lilei")


async def test_the_second_look_of_a_day_is_not_answered(enters, clock):
    await enters("lilei")
    clock.tick(hours=5)

    assert await enters("lilei") == ""
    assert await enters("hanmei") != ""


async def test_the_next_working_day_greets_anew(enters, clock):
    await enters("lilei")
    clock.tick(days=1)

    assert await enters("lilei") != ""


async def test_a_weekend_belongs_to_friday_and_does_not_use_up_monday(enters, clock):
    clock.tick(days=4)  # Friday
    said = [await enters("lilei")]
    for _ in range(3):
        clock.tick(days=1)
        said.append(await enters("lilei"))

    assert [bool(text) for text in said] == [True, False, False, True]


async def test_a_repeated_callback_gets_the_same_words_again(enters):
    first = await enters("lilei", "enter-again")

    assert await enters("lilei", "enter-again") == first != ""


async def test_a_manager_hears_what_waits_and_marketing_what_to_type(enters):
    assert "没有等你分配" in await enters("chenzg")
    assert "录入" in await enters("zhousc")


async def test_a_stranger_is_not_greeted(enters):
    assert await enters("somebody") == ""


async def test_greetings_leave_one_row_per_person_behind(store, enters, clock):
    for _ in range(4):
        await enters("lilei")
        clock.tick(days=1)

    async with store.read() as tx:
        rows = (await tx.conn.execute(select(t.ticks).where(t.ticks.c.job.like("greet:%")))).all()
    assert len(rows) <= 2
