"""Taking back, at the worst moment: to the second, after a restart, by a repeated message."""

from bot.dispatch import hear
from bot.incoming import Incoming
from handlers.capture import capture
from store.db import open_store
from store.domain.team import Platform
from tests.handlers.people import enquiry, lead, says
from tests.handlers.test_undo import kinds, working


async def test_the_tenth_minute_is_the_last_second(store, clock):
    number = await working(store)
    await says(store, "lilei", f"阶段 {number} 意向")
    clock.tick(minutes=10, seconds=1)

    assert "撤不回来" in await says(store, "lilei", "撤销")


async def test_a_restart_forgets_no_step(store, settings, clock):
    number = await working(store)
    await says(store, "lilei", f"放回 {number}")
    await store.close()

    again = open_store(settings.database.url, store.rules, clock)
    answer, back = await says(again, "lilei", "撤销"), await lead(again, number)
    await again.close()

    assert "已撤销" in answer
    assert back.owner.name == "李雷"


async def test_a_message_delivered_again_does_and_undoes_nothing_twice(store):
    number = await working(store)
    step = Incoming(platform=Platform.WECOM, id="s1", account="lilei", line=f"放回 {number}")
    back = Incoming(platform=Platform.WECOM, id="s2", account="lilei", line="撤销")
    await says(store, "lilei", f"阶段 {number} 意向")
    await hear(store, step)
    first = await hear(store, back)

    again = await hear(store, back)
    await hear(store, step)

    assert again.text == first.text
    assert (await lead(store, number)).owner.name == "李雷"
    assert (await lead(store, number)).stage == "intent"
    assert (await kinds(store, number)).count("undone") == 1


async def test_what_the_customer_added_meanwhile_stays_and_what_was_noted_goes(store):
    # 已撤销 was said, and the birthday stayed.
    number = await working(store)
    was = await lead(store, number)
    await says(store, "lilei", f"生日 {number} 5月12日")
    async with store.begin() as tx:
        await capture(tx, [enquiry(phone=was.phone, fields={"color": "蓝"})])

    assert "已撤销" in await says(store, "lilei", "撤销")

    assert (await lead(store, number)).fields == {"color": "蓝"}
    assert [kind for kind, _ in await live_kinds(store, number)] == ["next", "asked"]


async def live_kinds(store, number):
    async with store.read() as tx:
        return [(r.kind, r.due_at) for r in await tx.reminders.of(number)]
