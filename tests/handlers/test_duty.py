"""Leave: nothing is given to who is away, and their clocks stand still."""

from datetime import UTC, datetime, timedelta

from store.domain.team import off_duty
from tests.handlers.people import answers, captured, lead, says

DAY = timedelta(days=1)


async def member(store, name):
    async with store.read() as tx:
        return await tx.members.by_name(name)


async def test_leave_is_kept_and_said_back(store, clock):
    answer = await says(store, "lilei", "请假 明天")
    on_leave = await member(store, "李雷")

    assert "3月3日 周二请假" in answer
    assert off_duty(on_leave, clock()) is None
    assert off_duty(on_leave, clock() + DAY) == "请假中"
    assert off_duty(on_leave, clock() + 2 * DAY) is None


async def test_who_is_back_early_is_back(store, clock):
    await says(store, "lilei", "请假 3天")
    clock.tick(hours=3)

    assert "在岗" in await says(store, "lilei", "上班")
    assert off_duty(await member(store, "李雷"), clock()) is None
    assert (await member(store, "李雷")).away == ((clock() - timedelta(hours=3), clock()),)
    assert "本来就在岗" in await says(store, "lilei", "上班")


async def test_the_manager_writes_somebody_off_and_a_rep_does_not(store, clock):
    refused = await says(store, "hanmei", "请假 李雷 明天")
    done = await says(store, "chenzg", "请假 李雷 明天")

    assert "主管" in refused
    assert "不派给李雷" in done
    assert off_duty(await member(store, "李雷"), clock() + DAY) == "请假中"
    assert "李雷 在岗" in await says(store, "chenzg", "上班 李雷")


async def test_what_was_only_offered_moves_on_when_the_leave_begins(store):
    new = await captured(store)

    await says(store, "lilei", "请假 今天")

    assert (await lead(store, new.id)).owner.name == "韩梅"


async def test_what_is_mine_stays_mine_and_its_deadline_moves_with_the_leave(store, clock):
    new = await captured(store)
    await says(store, "lilei", f"领取 {new.id}")
    before = (await lead(store, new.id)).due_at

    await says(store, "lilei", "请假 今天")

    after = await lead(store, new.id)
    assert after.owner.name == "李雷"
    assert after.due_at > before
    card = (await answers(store))[f"lead:{new.id}/{new.owner.id}"]
    assert "3月3日 周二 09:30 前" in str(card.payload)

    await says(store, "lilei", "上班")
    assert (await lead(store, new.id)).due_at == before


async def test_leave_that_names_no_day_is_asked_back(store):
    assert "是哪天" in await says(store, "lilei", "请假 去医院")
    assert "已经过了" in await says(store, "lilei", "请假 昨天")


async def test_leave_of_an_afternoon_ends_at_midnight(store, clock):
    await says(store, "lilei", "请假 周五下午")

    absent = await member(store, "李雷")
    assert absent.away == (
        (datetime(2026, 3, 6, 4, tzinfo=UTC), datetime(2026, 3, 6, 16, tzinfo=UTC)),
    )


async def test_the_end_of_a_leave_stands_apart_from_what_follows(store):
    # The hour and the word had no blank between them.
    assert "00:00 请假，这段时间" in await says(store, "lilei", "请假 今天")
