"""A demo that is stopped and started again on the same data goes on where it was."""

import asyncio
from datetime import UTC, timedelta

from bot.demo import open_demo
from bot.sandbox.clock import MovableClock, beside, kept
from bot.transfer import import_leads
from tests.scenarios.world import MONDAY


def on_monday() -> MovableClock:
    """Today may be the first day of a long holiday, over which a demo leaps."""
    return MovableClock(start=MONDAY.astimezone(UTC))


async def shown(demo) -> None:
    async with asyncio.timeout(60):
        while not demo.sandbox.state.chats.get("wecom:lilei"):  # noqa: ASYNC110 - a phone has no event
            await asyncio.sleep(0.02)


async def test_clock_and_phones_are_as_they_were(tmp_path):
    async with open_demo(tmp_path, clock=on_monday()) as demo:
        await shown(demo)
        await demo.sandbox.page.advance(timedelta(days=1))
        stopped_at = demo.service.store.clock()

    async with open_demo(tmp_path) as again:
        await shown(again)

        assert timedelta() <= again.service.store.clock() - stopped_at < timedelta(days=2)


async def test_an_import_goes_by_the_clock_of_the_running_demo(tmp_path):
    async with open_demo(tmp_path, clock=on_monday()) as demo:
        await demo.sandbox.page.advance(timedelta(days=2))
        file = tmp_path / "a.csv"
        file.write_text("姓名,手机\n苏禾,19912340099\n", encoding="utf-8")

        await import_leads(demo.settings, file, "展会", dry_run=False)

        async with demo.service.store.read() as tx:
            leads = await tx.leads.page(None, 0, 500, {})
            [new] = [one for one in leads if one.name == "苏禾"]
        assert abs(new.captured_at - demo.service.store.clock()) < timedelta(hours=1)


def test_without_a_demo_there_is_no_clock(tmp_path):
    assert kept(f"sqlite+aiosqlite:///{tmp_path}/leadbot.db") is None
    assert beside("postgresql+asyncpg://host/db") is None
