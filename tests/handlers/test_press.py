"""What a pressed card tells afterwards."""

import pytest

from bot.dispatch import hear
from bot.incoming import Incoming, Press
from bot.platforms.named import named
from handlers.sweeps import reminders
from store.domain.team import Platform
from tests.handlers.people import IDS, answers, captured, lead, says


async def press(store, key: str, line: str, account="lilei"):
    id_ = f"p{next(IDS)}"
    pressed = Press(task_id=named(key, "0123456789ab", 128), code="spent-once")
    said = {"platform": Platform.WECOM, "id": id_, "account": account, "line": line}
    return await hear(store, Incoming(**said, press=pressed))


async def keys(store, part: str) -> list[str]:
    return [key for key in await answers(store) if part in key]


async def card(store, key: str) -> str:
    return str((await answers(store))[key].payload)


@pytest.fixture
async def mine(store):
    new = await captured(store)
    await says(store, "lilei", f"领取 {new.id}")
    return new.id


async def test_a_question_that_was_answered_says_what_became_of_it(store, mine):
    await says(store, "lilei", f"退回 {mine}")
    [question] = await keys(store, "/ask")
    before = await answers(store)

    await press(store, question, f"/退回 {mine} 没有预算")

    shown = await card(store, question)
    assert "已退回市场（没有预算）" in shown
    assert f"/退回 {mine}" not in shown
    assert not [k for k in await answers(store) if k.endswith("/text") and k not in before]


async def test_a_refused_answer_leaves_the_question_open(store, mine):
    await says(store, "chenzg", f"分配 {mine}")
    [question] = await keys(store, "/ask")

    await press(store, question, f"/分配 {mine} 李雷", account="chenzg")

    assert f"/分配 {mine} 韩梅" in await card(store, question)
    assert "本来就在 李雷 名下" in str([r.payload for r in (await answers(store)).values()])


async def test_a_reminder_that_was_answered_rings_no_more(store, mine, clock):
    await says(store, "lilei", f"提醒 {mine} 10分钟后 发方案")
    clock.tick(minutes=11)
    async with store.begin() as tx:
        await reminders(tx)
    [rung] = await keys(store, "remind:")

    await press(store, rung, f"/跟进 {mine} 电话 没接通")

    shown = await card(store, rung)
    assert f"记下 #{mine}" in shown
    assert "没接通" not in shown.replace("未接通", "")


async def test_a_missed_call_offers_another_try_and_a_reached_one_the_next_date(store, mine):
    [key] = await keys(store, f"lead:{mine}/")

    await says(store, "lilei", f"跟进 {mine} 电话 没接通")
    missed = await card(store, key)
    await says(store, "lilei", f"跟进 {mine} 电话 接通了")
    reached = await card(store, key)

    assert "再打一次" in missed
    assert f"/跟进 {mine} 电话 没接通" in missed
    assert f"/提醒 {mine} 明天 再联系" in reached


async def test_the_owners_reminder_is_the_next_contact(store, mine):
    [key] = await keys(store, f"lead:{mine}/")
    await says(store, "lilei", f"跟进 {mine} 电话 接通了")

    await press(store, key, f"/提醒 {mine} 明天 再联系")

    stored = await lead(store, mine)
    assert stored.next_at is not None
    assert "下次联系" in await card(store, key)
    assert "还没定" not in await card(store, key)


async def test_somebody_without_a_name_is_not_masked(store):
    new = await captured(store, name="")
    await says(store, "lilei", f"领取 {new.id}")

    await says(store, "lilei", f"放回 {new.id}")

    [held] = await keys(store, f"lead:{new.id}/")
    assert "未留姓名" in await card(store, held)
