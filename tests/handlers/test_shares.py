"""Fairness of distribution, and conversion at every step."""

from datetime import timedelta

import pytest

from store.domain.shares import Distribution, Share, Step, Steps
from tests.handlers.people import captured, enquiry, says
from tests.handlers.test_capture import take
from tests.handlers.test_work import pooled


async def test_conversion_is_counted_at_every_step_with_who_qualified(store):
    await captured(store, message="", rep="李雷")
    numbers = [
        (await captured(store, company="云栖", product="CRM", rep="李雷")).id for _ in range(4)
    ]
    await says(store, "lilei", f"认定 {numbers[0]} SQL 有预算")
    await says(store, "lilei", f"阶段 {numbers[1]} 意向")
    await says(store, "lilei", f"成交 {numbers[1]} 5万")

    async with store.read() as tx:
        found = await tx.figures.steps(30, tx.now)
    said = await says(store, "chenzg", "漏斗")

    assert [(step.name, step.count) for step in found.steps] == [
        ("UQL", 5), ("MQL", 4), ("SQL", 2), ("won", 1),
    ]  # fmt: skip
    assert found.rates() == [None, 0.8, 0.5, 0.5]
    assert found.steps[1].by == (("分数", 4),)
    assert found.steps[2].by == (("李雷", 2),)
    assert "4 条 80%（分数 4）" in said
    assert "2 条 50%（李雷 2）" in said


async def test_the_funnel_is_of_the_days_asked_for(store, clock):
    await captured(store)
    clock.tick(days=10)

    async with store.read() as tx:
        assert (await tx.figures.steps(7, tx.now)).steps[0].count == 0
        assert (await tx.figures.steps(30, tx.now)).steps[0].count == 1


async def test_leads_per_rep_are_reported_with_what_would_be_fair(store):
    await take(store, *(enquiry() for _ in range(6)))
    await take(store, *(enquiry(rep="李雷") for _ in range(6)))
    await says(store, "lilei", "领取 1")

    said = await says(store, "chenzg", "分布")

    assert "最近 7 天分给 3 个人 12 条" in said
    assert "8 条，按份数 4 条，接了 1" in said
    assert "均匀度 0.67" in said
    assert "不太均匀" in said


async def test_an_even_week_is_called_even(store):
    await take(store, *(enquiry() for _ in range(9)))

    assert "均匀度 1.00（1 最均匀），比较均匀" in await says(store, "chenzg", "分布")


async def test_a_week_without_leads_divides_nothing(store):
    assert "这几天没有分过线索" in await says(store, "chenzg", "分布")
    assert "0 条" in await says(store, "chenzg", "漏斗")


def test_a_weight_is_a_right_to_more():
    shares = (
        Share(name="李雷", given=20, accepted=0, due=20.0),
        Share(name="韩梅", given=10, accepted=0, due=10.0),
    )

    assert Distribution(shares=shares).evenness == pytest.approx(1.0)


def test_nothing_converts_into_nothing():
    empty = Steps(days=7, steps=(Step(name="UQL", count=0), Step(name="MQL", count=0)))

    assert empty.rates() == [None, None]


async def test_what_was_undone_qualified_nobody_and_gave_nothing(store):
    """Of one SQL, two people were said to have qualified it."""
    number = (await captured(store, company="云栖", product="CRM", rep="李雷")).id
    await says(store, "lilei", f"认定 {number} SQL 有预算")
    await says(store, "lilei", "撤销")
    await says(store, "chenzg", f"认定 {number} SQL 问过了")
    other = await pooled(store)
    await says(store, "chenzg", f"分配 {other} 韩梅")
    await says(store, "chenzg", "撤销")

    async with store.read() as tx:
        found = await tx.figures.steps(30, tx.now)
        given = await tx.figures.distribution(tx.now - timedelta(days=7), tx.now)

    assert found.steps[2].by == (("陈主管", 1),)
    assert given.by_hand == 0


async def test_two_leads_of_one_person_are_one_in_the_funnel(store, clock):
    """The one that was merged counted as work in progress."""
    one, two = [(await captured(store, rep="李雷")).id for _ in range(2)]
    clock.tick(minutes=1)
    await says(store, "chenzg", f"合并 {one} {two}")

    async with store.read() as tx:
        found = await tx.figures.steps(30, tx.now)
        day = await tx.figures.of(tx.now.date(), tx.now)

    assert dict(found.stages)["新线索"] == found.steps[0].count == 1
    assert dict(found.stages)["跟进中"] == 0
    assert dict(day.funnel)["新线索"] == 1
