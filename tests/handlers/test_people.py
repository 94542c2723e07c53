"""Somebody leaves: no access from that moment, and nothing of theirs gets lost."""

from dataclasses import replace

import pytest

from handlers import sweeps
from handlers.people import follow, hand_over, join, leave
from store.domain.directory import Colleague, RoleRule, Snapshot
from store.domain.lead import Kind, Place, Stage
from store.domain.team import Platform, Role
from tests.handlers.people import answers, captured, lead, says


async def leaves(store, account="lilei"):
    async with store.begin() as tx:
        return await leave(tx, Platform.WECOM, account)


async def owned(store, **values):
    """A lead that 李雷 has accepted."""
    made = await captured(store, rep="李雷", **values)
    await says(store, "lilei", f"领取 {made.id}")
    return made


async def history(store, lead_id):
    async with store.read() as tx:
        return (await tx.leads.history([lead_id]))[lead_id]


def cards_of(rows, account):
    return {key: row for key, row in rows.items() if row.account == account}


async def test_a_leaver_is_refused_at_once(store):
    made = await owned(store)

    await leaves(store)

    assert "不在销售团队名单里" in await says(store, "lilei", f"线索 {made.id}")


async def test_a_leavers_lead_keeps_its_stage_and_history_and_is_offered_to_the_manager(store):
    made = await owned(store, name="苏禾")
    await says(store, "lilei", f"跟进 {made.id} 电话 聊了报价 8万")
    await says(store, "lilei", f"阶段 {made.id} 已报价")

    assert await leaves(store) == 1

    after = await lead(store, made.id)
    assert (after.owner, after.place, after.stage) == (None, Place.POOL, Stage.QUOTED)
    kinds = [past.kind for past in await history(store, made.id)]
    assert kinds[-2:] == [Kind.STAGE, Kind.LEFT]
    card = str((await answers(store))[f"lead:{made.id}/4"].payload)
    assert "请分配" in card
    assert "李雷 已离开，待交接" in card


async def test_closed_leads_stay_where_they_are(store):
    made = await owned(store)
    await says(store, "lilei", f"成交 {made.id} 3万")

    assert await leaves(store) == 0

    assert (await lead(store, made.id)).owner.name == "李雷"


async def test_many_leads_of_a_leaver_are_one_list(store):
    for _ in range(8):
        await owned(store)

    assert await leaves(store) == 8

    rows = cards_of(await answers(store), "chenzg")
    [card] = [row.payload for key, row in rows.items() if key.startswith("list:")]
    assert "8 条线索要交接" in str(card)
    assert not [key for key in rows if key.startswith("lead:")]


@pytest.mark.parametrize(("taken", "rings"), [(False, "chenzg"), (True, "hanmei")])
async def test_a_leavers_reminders_ring_at_the_manager_until_somebody_has_the_lead(
    store, clock, taken, rings
):
    made = await owned(store)
    await says(store, "lilei", f"提醒 {made.id} 明天9点 打电话")
    await leaves(store)
    if taken:
        await says(store, "chenzg", f"分配 {made.id} 韩梅")

    clock.tick(days=1)
    async with store.begin() as tx:
        await sweeps.reminders(tx)

    rung = {key: row.account for key, row in (await answers(store)).items()}
    assert [who for key, who in rung.items() if key.startswith("remind")] == [rings]


async def test_what_waits_to_be_sent_to_a_leaver_is_not_sent(store):
    made = await owned(store)

    await leaves(store)

    assert (await answers(store))[f"lead:{made.id}/1"].due_at is None


async def test_leaving_twice_hands_over_once(store):
    made = await owned(store)

    await leaves(store)
    assert await leaves(store) == 0

    assert [p.kind for p in await history(store, made.id)].count(Kind.LEFT) == 1


async def test_whoever_comes_back_has_true_cards(store):
    # The card still offered to take what somebody else had taken meanwhile.
    made = await captured(store, rep="李雷")
    await leaves(store)
    await says(store, "chenzg", f"分配 {made.id} 韩梅")
    away = str((await answers(store))[f"lead:{made.id}/1"].payload)

    async with store.begin() as tx:
        await join(tx, Platform.WECOM, "lilei")

    row = (await answers(store))[f"lead:{made.id}/1"]
    assert "已由 韩梅 接手" not in away
    assert "已由 韩梅 接手" in str(row.payload)


async def test_nobody_new_is_given_to_a_leaver(store):
    await leaves(store)

    made = await captured(store, rep="李雷")

    assert made.owner.name != "李雷"


async def test_somebody_who_moves_out_of_sales_leaves_their_leads_behind(store):
    rules = replace(store.rules, roles=(RoleRule(role=Role.REP, department="销售部"),))
    store = replace(store, rules=rules)
    lin = Colleague(account="linfeng", name="林峰", departments=("销售部",))
    moved = replace(lin, departments=("财务部",))
    async with store.begin() as tx:
        await follow(tx, Snapshot(platform=Platform.WECOM, at=tx.now, people=[lin]))
    made = await captured(store, rep="林峰")

    async with store.begin() as tx:
        left = await follow(tx, Snapshot(platform=Platform.WECOM, at=tx.now, people=[moved]))

    assert left == 1
    assert (await lead(store, made.id)).owner is None


async def test_an_empty_directory_takes_nothing_from_anybody(store):
    made = await owned(store)

    async with store.begin() as tx:
        await follow(tx, Snapshot(platform=Platform.WECOM, at=tx.now, people=[]))

    assert (await lead(store, made.id)).owner.name == "李雷"


async def test_without_a_manager_the_leads_wait_in_the_pool(store):
    made = await owned(store)
    async with store.begin() as tx:
        await tx.members.leave(Platform.WECOM, "chenzg", tx.now)
        await tx.members.leave(Platform.WECOM, "lilei", tx.now)

        assert await hand_over(tx) == 1

    assert (await lead(store, made.id)).place == Place.POOL
