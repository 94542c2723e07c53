"""The day's figures: counted once, told everywhere the same."""

from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO

import pytest
from PIL import Image
from sqlalchemy import select

from bot.config import parse
from bot.wiring import rules
from bot.wiring import team as people
from handlers.manage import bind
from jobs.scheduler import Clockwork
from store import tables as t
from store.db import open_store
from store.domain.channels import ChannelRule
from store.domain.team import Platform
from store.members import BoundGroup
from tests.conftest import team
from tests.handlers.people import captured, says
from tests.sections import DINGTALK, WECOM

EVENING = datetime(2026, 3, 2, 10, 30, tzinfo=UTC)  # 18:30


@pytest.fixture
async def store(database, clock):
    settings = parse(team(database={"url": database}, wecom=WECOM, dingtalk=DINGTALK))
    store = open_store(settings.database.url, rules(settings), clock)
    async with store.begin() as tx:
        await tx.members.sync(people(settings))
    await Clockwork(store, lambda: None).beat()  # an installation's first look
    yield store
    await store.close()


async def evening(store, clock):
    clock.now = EVENING
    await Clockwork(store, lambda: None).beat()
    async with store.read() as tx:
        rows = await tx.conn.execute(
            select(t.outbox).where(t.outbox.c.key.startswith("digest:")).order_by(t.outbox.c.key)
        )
        return list(rows)


async def test_the_digest_goes_to_both_groups_with_a_picture(store, clock):
    await captured(store)

    dingtalk, words, picture = await evening(store, clock)

    assert words.payload["msgtype"] == "markdown"
    assert picture.payload["msgtype"] == "image"
    assert "![" in dingtalk.payload["actionCard"]["text"]


async def test_the_digest_counts_by_channel_as_the_report_does(store, clock):
    """It counted by the raw source: "expo", "2027春季展会" and 展会 were three."""
    fair = ChannelRule(name="展会", kind="paid", sources=("expo", "2027春季展会"))
    store = replace(store, rules=replace(store.rules, channels=(fair,)))
    await captured(store, source="expo", rep="李雷")
    won = await captured(store, campaign="2027春季展会", rep="李雷")
    await captured(store, utm={"utm_source": "expo"})
    await captured(store, source="website")
    await says(store, "lilei", f"成交 {won.id} 10万")

    _, words, _ = await evening(store, clock)

    async with store.read() as tx:
        report = await tx.figures.channels(1, clock.now)
    text = words.payload["markdown"]["content"]
    assert "渠道：展会 3（成交 1），官网 1" in text
    assert "类别：付费 3（成交 1），自有 1" in text
    assert [(c.name, c.leads) for c in report] == [("展会", 3), ("website", 1)]


async def test_the_picture_is_served_by_its_address(store, clock):
    await captured(store)
    await evening(store, clock)

    async with store.read() as tx:
        token = await tx.conn.scalar(select(t.pictures.c.token))
        png = await tx.pictures.find(token)
    assert Image.open(BytesIO(png)).width >= 800


async def test_silent_when_nothing_happened(store, clock):
    assert await evening(store, clock) == []


async def test_silent_on_days_off(store, clock):
    clock.now = datetime(2026, 3, 7, 2, 0, tzinfo=UTC)  # a Saturday
    await captured(store)
    clock.now = datetime(2026, 3, 7, 10, 30, tzinfo=UTC)
    await Clockwork(store, lambda: None).beat()

    async with store.read() as tx:
        keys = (await tx.conn.execute(select(t.outbox.c.key))).scalars().all()
    assert not [key for key in keys if key.startswith("digest:")]


async def test_a_bound_group_gets_it_too(store, clock):
    await captured(store)
    async with store.begin() as tx:
        tx.group = BoundGroup(Platform.DINGTALK, "cidAbc==", "销售一组")
        assert "销售一组" in (await bind(tx, await tx.members.by_name("陈主管"), "")).text

    rows = await evening(store, clock)

    assert [row.account for row in rows if row.channel == "dingtalk_group"] == ["", "cidAbc=="]


async def test_the_figures_count_what_happened_that_day(store, clock):
    one, _, three = [await captured(store) for _ in range(3)]
    clock.tick(minutes=10)
    await says(store, "lilei", f"跟进 {one.id} 电话 聊了报价和周期")
    await says(store, "lilei", f"成交 {one.id} 12万")
    await says(store, "wangqiang", f"放回 {three.id}", Platform.DINGTALK)
    await says(store, "hanmei", f"领取 {three.id}")
    clock.tick(hours=1)

    async with store.read() as tx:
        day = await tx.figures.of(clock().date(), tx.now)

    assert (day.new, day.responded_in_time, day.claimed) == (3, 1, 1)
    assert (day.won, day.won_amount) == (1, 120_000)
    assert day.overdue == 2
    assert dict(day.funnel) == {
        "新线索": 3, "已分配": 3, "跟进中": 1, "意向": 1, "已报价": 1, "成交": 1,
    }  # fmt: skip
    assert {p.name: (p.new, p.won) for p in day.people}["李雷"] == (1, 1)


async def test_the_chat_shows_the_same_numbers(store, clock):
    await captured(store)

    assert "1" in await says(store, "chenzg", "日报")


async def test_a_day_with_nothing_but_a_return_is_told(store, clock):
    new = await captured(store)
    await says(store, "lilei", f"跟进 {new.id} 电话 聊了很久的需求和预算")
    clock.tick(days=1)
    await says(store, "lilei", f"退回 {new.id} 明年再说")
    clock.now = EVENING.replace(day=3)

    await Clockwork(store, lambda: None).beat()

    async with store.read() as tx:
        rows = await tx.conn.execute(
            select(t.outbox.c.payload).where(t.outbox.c.key.startswith("digest:2026-03-03"))
        )
    assert "退回市场" in str(rows.all())
