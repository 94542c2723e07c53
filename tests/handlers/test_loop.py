"""The loop, handler by handler, on both databases."""

from tests.handlers.people import answers, captured, lead, says


async def test_a_captured_lead_is_offered_and_put_on_the_phone(store):
    new = await captured(store)

    assert new.offered
    assert new.owner.name == "李雷"
    assert f"lead:{new.id}/{new.owner.id}" in await answers(store)


async def test_the_whole_life(store, clock):
    new = await captured(store, email="w5@example.com")
    assert "已接受" in await says(store, "lilei", f"领取 {new.id}")
    clock.tick(minutes=5)
    assert "记下" in await says(store, "lilei", f"/跟进 {new.id} 电话 聊了报价")
    assert "意向" in await says(store, "lilei", f"阶段 {new.id} 意向")
    assert "退回市场" in await says(store, "lilei", f"退回 {new.id} 没预算")

    after = await lead(store, new.id)

    assert (after.place, after.reason, after.owner) == ("marketing", "no_budget", None)
