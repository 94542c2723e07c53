"""A demo that is stopped and started again on the same data goes on where it was."""

from datetime import timedelta

from bot.demo import open_demo
from bot.sandbox.clock import beside, kept
from bot.transfer import import_leads


async def test_clock_and_phones_are_as_they_were(tmp_path):
    async with open_demo(tmp_path) as demo:
        await demo.service.settle()
        await demo.sandbox.page.advance(timedelta(days=1))
        shown = demo.service.store.clock()
        before = len(demo.sandbox.state.chats["wecom:lilei"])

    async with open_demo(tmp_path) as again:
        await again.service.settle()

        assert timedelta() <= again.service.store.clock() - shown < timedelta(days=2)
        assert before
        assert len(again.sandbox.state.chats["wecom:lilei"]) > 0


async def test_an_import_goes_by_the_clock_of_the_running_demo(tmp_path):
    async with open_demo(tmp_path) as demo:
        await demo.sandbox.page.advance(timedelta(days=2))
        file = tmp_path / "a.csv"
        file.write_text("姓名,手机\n苏禾,19912340099\n", encoding="utf-8")

        await import_leads(demo.settings, file, "展会", dry_run=False)

        async with demo.service.store.read() as tx:
            [new] = await tx.leads.search("苏禾", 5)
        assert abs(new.captured_at - demo.service.store.clock()) < timedelta(minutes=1)


def test_without_a_demo_there_is_no_clock(tmp_path):
    assert kept(f"sqlite+aiosqlite:///{tmp_path}/leadbot.db") is None
    assert beside("postgresql+asyncpg://host/db") is None
