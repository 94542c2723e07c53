"""The pool: whose it is, what it hides, who may claim and when."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.config import parse
from bot.dispatch import hear
from bot.incoming import DirectoryChanged
from bot.transfer import export_leads
from bot.wiring import rules
from handlers.announce import record
from handlers.assign import grab
from store import tables as t
from store.db import Store
from store.domain.lead import Change, Event, Kind, Place
from store.domain.team import Platform
from tests.conftest import team
from tests.handlers.people import answers, captured, lead, says

DAY = timedelta(days=1)
PHONE = "19912345678"


def under(store, **pool) -> Store:
    """The same installation with another ``[pool]``."""
    given = rules(parse(team(pool=pool)))
    return Store(store.engine, replace(store.rules, limits=given.limits), store.clock)


async def pooled(store, **values):
    """A lead that nobody had."""
    new = await captured(store, **values)
    async with store.begin() as tx:
        [after] = await record(tx, (await tx.leads.get(new.id)).unsuitable(tx.now, "没有合适的人"))
    return after.id


async def history(store, lead_id):
    async with store.read() as tx:
        return (await tx.leads.history([lead_id]))[lead_id]


# -- what is hidden ------------------------------------------------------------


async def test_a_masked_phone_is_not_found_by_its_digits(store):
    number = await pooled(store, name="欧阳静", phone=PHONE, message=f"我是欧阳静，打 {PHONE}")

    for who in ("lilei", "chenzg", "zhousc"):
        for words in (PHONE, "欧阳静", "9912345678"):
            assert "没找到" in await says(store, who, f"线索 {words}")
    for words in (PHONE, "5678", "欧阳静"):
        assert "没有和" in await says(store, "lilei", f"公海 {words}")

    await says(store, "lilei", f"领取 {number}")
    assert "找到 1 条" in await says(store, "lilei", f"线索 {PHONE}")


async def test_a_number_in_a_column_that_is_searched_is_not_found_in_pieces(store):
    """Two pieces of three digits found whom four digits did not."""
    await pooled(store, product=f"CRM，打 {PHONE}")

    said = [
        await says(store, "lilei", f"公海 {words}") for words in ("199 123", "9 9 1 2", "５６７８")
    ]

    assert all("没有和" in one for one in said)
    assert "CRM" in await says(store, "lilei", "公海 crm")


@pytest.mark.parametrize("who", ["lilei", "chenzg", "zhousc"])
async def test_nobody_reads_name_or_number_before_it_is_claimed(store, who):
    number = await pooled(
        store, name="欧阳静", phone=PHONE, email="ouyang@example.com",
        message=f"我是欧阳静，打 199 1234 5678 或 {PHONE}，信到 ouyang@example.com",
    )  # fmt: skip

    said = [await says(store, who, line) for line in (f"线索 {number} 详情", "公海")]
    await says(store, who, f"线索 {number}")
    cards = [str(row.payload) for row in (await answers(store)).values()]

    for text in (*said, *cards):
        for secret in ("欧阳静", PHONE, "12345678", "1234 5678", "ouyang@"):
            assert secret not in text


async def test_who_claims_it_sees_everything(store):
    number = await pooled(store, name="欧阳静", phone=PHONE)

    assert PHONE in await says(store, "lilei", f"领取 {number}")
    assert "欧阳静" in await says(store, "lilei", f"线索 {number} 详情")


async def test_an_export_masks_what_nobody_has_claimed(store, settings, tmp_path):
    await pooled(store, name="欧阳静", phone=PHONE, message=f"打 {PHONE}")
    other = await pooled(store, name="司马光", phone="19987654321")
    await says(store, "lilei", f"领取 {other}")

    await export_leads(settings, tmp_path / "x.csv", "", "")
    await export_leads(settings, tmp_path / "all.csv", "", "", unmasked=True)

    masked, whole = [(tmp_path / name).read_text("utf-8") for name in ("x.csv", "all.csv")]
    assert ("欧阳静" in masked, PHONE in masked, "199****5678" in masked) == (False, False, True)
    assert ("司马光" in masked, "19987654321" in masked) == (True, True)
    assert ("欧阳静" in whole, PHONE in whole) == (True, True)


# -- claiming ------------------------------------------------------------------


async def test_two_claims_have_one_winner(store):
    number = await pooled(store)

    said = await asyncio.gather(
        says(store, "lilei", f"领取 {number}"),
        says(store, "wangqiang", f"领取 {number}", Platform.DINGTALK),
    )

    owner = (await lead(store, number)).owner.name
    assert sum("已领取" in answer for answer in said) == 1
    assert any(f"已被 {owner} 领取" in answer for answer in said)


async def test_claim_return_claim_does_not_evade_the_daily_limit(store, clock):
    few = under(store, daily_claims=2, cooldown="0s")
    number = await pooled(few)

    for _ in range(2):
        assert "已领取" in await says(few, "lilei", f"领取 {number}")
        await says(few, "lilei", f"放回 {number}")
        clock.tick(hours=3)

    assert "今天已领 2 条" in await says(few, "lilei", f"领取 {number}")


async def test_what_is_returned_at_23_59_and_claimed_at_00_01_counts_on_the_new_day(store, clock):
    few = under(store, daily_claims=1, cooldown="0s")
    one, two = await pooled(few), await pooled(few)
    clock.now = datetime(2026, 3, 2, 15, 58, tzinfo=UTC)  # 23:58 in Shanghai, still 2 March in UTC
    assert "已领取" in await says(few, "lilei", f"领取 {one}")
    clock.tick(minutes=1)
    await says(few, "lilei", f"放回 {one}")

    clock.tick(minutes=2)

    assert "已领取" in await says(few, "lilei", f"领取 {one}")
    await says(few, "lilei", f"放回 {one}")
    assert "今天已领 1 条" in await says(few, "lilei", f"领取 {two}")


async def test_every_owner_of_the_last_week_waits_before_claiming_again(store, clock):
    number = await pooled(store)
    for who in ("lilei", "hanmei"):
        await says(store, who, f"领取 {number}")
        clock.tick(hours=1)
        await says(store, who, f"放回 {number}")

    for who, until in (("lilei", "3月9日 周一 11:00"), ("hanmei", "3月9日 周一 12:00")):
        assert f"{until} 之后可以再领" in await says(store, who, f"领取 {number}")
    assert (await lead(store, number)).place == Place.POOL

    clock.now = datetime(2026, 3, 9, 3, 0, tzinfo=UTC)
    assert "之后可以再领" in await says(store, "hanmei", f"领取 {number}")
    assert "已领取" in await says(store, "lilei", f"领取 {number}")


async def test_whom_a_manager_took_it_from_waits_too(store):
    number = await pooled(store)
    await says(store, "lilei", f"领取 {number}")
    await says(store, "chenzg", f"分配 {number} 韩梅")
    await says(store, "hanmei", f"放回 {number}")

    assert "之后可以再领" in await says(store, "lilei", f"领取 {number}")


async def test_fresh_ones_are_not_claimed_and_an_edit_makes_none_fresh_again(store, clock):
    slow = under(store, embargo="2h")
    number = await pooled(slow, name="王五", phone=PHONE)
    assert "3月2日 周一 12:00 起可以领" in await says(slow, "lilei", f"领取 {number}")
    assert "现在是空的" in await says(slow, "lilei", "公海")
    assert f"分配 #{number}" in await says(slow, "chenzg", "公海")

    clock.tick(hours=1, minutes=59)
    async with slow.begin() as tx:
        edited = replace(await tx.leads.get(number), company="云栖制造", region="浙江杭州")
        await record(tx, Change(edited, Event(kind=Kind.ENRICHED, at=tx.now)))
    clock.tick(minutes=1)

    assert f"领取 #{number}" in await says(slow, "lilei", "公海")
    assert "已领取" in await says(slow, "lilei", f"领取 {number}")


async def test_several_are_claimed_each_told(store):
    one, two, three = [await pooled(store) for _ in range(3)]
    await says(store, "hanmei", f"领取 {two}")

    said = (await says(store, "lilei", f"领取 {one} {two} {three} 999")).split("\n")

    assert [f"#{n}" in line for n, line in zip((one, two, three, 999), said, strict=True)] == [
        True
    ] * 4
    assert ["已领取" in line for line in said] == [True, False, True, False]


# -- what is offered is what a press would do -------------------------------------


async def card_of(store, number, member):
    return str((await answers(store))[f"lead:{number}/{member}"].payload)


async def test_who_had_it_lately_is_told_from_when_on_and_offered_nothing(store, clock):
    """Card and list offered 领取, and the press was refused."""
    number = await pooled(store)
    await says(store, "lilei", f"领取 {number}")
    await says(store, "lilei", f"放回 {number}")
    await says(store, "lilei", f"线索 {number}")
    await says(store, "hanmei", f"线索 {number}")

    mine, hers = await card_of(store, number, 1), await card_of(store, number, 2)
    listed, other = await says(store, "lilei", "公海"), await says(store, "hanmei", "公海")

    assert "李雷 放回，你 3月9日 周一 10:00 起可以再领" in mine
    assert f"/领取 {number}" not in mine
    assert f"/领取 {number}" in hers
    assert "3月9日 周一 10:00 起可再领" in listed
    assert f"/领取 {number}" not in listed
    assert f"/领取 {number}" in other

    clock.tick(days=7)
    assert f"/领取 {number}" in await says(store, "lilei", "公海")
    assert "已领取" in await says(store, "lilei", f"领取 {number}")


async def test_what_is_barred_from_one_does_not_hide_the_others(store):
    one, two = await pooled(store), await pooled(store)
    await says(store, "lilei", f"领取 {one}")
    await says(store, "lilei", f"放回 {one}")

    listed = await says(store, "lilei", "公海")

    assert (f"/领取 {one}" in listed, f"/领取 {two}" in listed) == (False, True)
    assert f"也可以发「领取 {two}」" in listed


async def test_the_card_of_a_fresh_one_says_when_and_offers_nothing(store):
    slow = under(store, embargo="2h")
    number = await pooled(slow)
    await says(slow, "lilei", f"线索 {number}")

    shown = await card_of(slow, number, 1)

    assert "12:00 起可以领" in shown
    assert "/领取" not in shown


async def test_the_card_of_another_pool_says_whose_it_is(store):
    scoped = under(store, scope=[EAST])
    east = await pooled(scoped, region="上海")
    await says(scoped, "wangqiang", f"线索 {east}", Platform.DINGTALK)

    shown = await card_of(scoped, east, 3)

    assert "在「华东公海」，不归你领" in shown
    assert "/领取" not in shown


async def test_who_was_not_asked_to_grab_it_is_not_offered_it(store):
    new = await captured(store)
    async with store.begin() as tx:
        held = await tx.leads.get(new.id)
        passed = held.unsuitable(tx.now, "大家抢")
        han = (await tx.members.all())[2]
        await record(tx, passed, grab(passed.lead, [han], tx.now))
    await says(store, "lilei", f"线索 {new.id}")

    assert "请了指定的同事来抢" in await card_of(store, new.id, 1)
    assert "/领取" not in await card_of(store, new.id, 1)
    assert f"/领取 {new.id}" in await card_of(store, new.id, 2)
    assert f"/领取 {new.id}" not in await says(store, "lilei", "公海")


@pytest.mark.parametrize(
    ("line", "says_why"),
    [("领取 {}", "今天已领 1 条，每天最多 1 条"), ("请假 今天", "你在请假")],
)
async def test_who_can_claim_nothing_now_reads_why_above_the_list(store, line, says_why):
    few = under(store, daily_claims=1)
    one, two = await pooled(few), await pooled(few)

    await says(few, "lilei", line.format(one))
    listed = await says(few, "lilei", "公海")

    assert says_why in listed
    assert f"#{two}" in listed
    assert "/领取" not in listed


async def test_who_is_full_reads_so_above_the_list(store):
    async with store.begin() as tx:
        await tx.conn.execute(t.members.update().values(capacity=1))
    one, two = await pooled(store), await pooled(store)
    await says(store, "lilei", f"领取 {one}")

    listed = await says(store, "lilei", "公海")

    assert "手上已有 1 条，上限 1" in listed
    assert "/领取" not in listed
    assert "上限 1" in await says(store, "lilei", f"领取 {two}")


@pytest.mark.parametrize("way", ["button", "typed", "batch", "english", "number"])
async def test_every_way_to_claim_obeys_the_daily_limit(store, way):
    few = under(store, daily_claims=1)
    one, two, three = [await pooled(few) for _ in range(3)]
    await says(few, "lilei", f"领取 {one}")

    line = {
        "button": f"/领取 {two}", "typed": f"领取 {two}", "batch": f"领取 {two} {three}",
        "english": f"claim {two}", "number": f"认领 #{two}。",
    }[way]  # fmt: skip
    said = await says(few, "lilei", line)

    assert "今天已领 1 条，每天最多 1 条，明天再来" in said
    assert (await lead(few, two)).owner is None
    assert (await lead(few, three)).owner is None


async def test_the_pool_is_searched_for_a_source_as_its_cards_call_it(store):
    """It was found as website only, which no card says."""
    web, chat = await pooled(store), await pooled(store, source="chat")

    listed = await says(store, "lilei", "公海 官网")

    assert (f"#{web}" in listed, f"#{chat}" in listed) == (True, False)


async def test_numbers_may_be_joined_as_one_says_them(store):
    numbers = [await pooled(store) for _ in range(3)]

    said = await says(store, "lilei", "领取 {}、#{}和{}".format(*numbers))

    assert said.count("已领取") == 3


async def test_a_batch_over_the_limit_takes_what_is_left_of_it(store):
    few = under(store, daily_claims=2)
    numbers = [await pooled(few) for _ in range(4)]

    said = await says(few, "lilei", "领取 " + " ".join(map(str, numbers)))

    assert [line.startswith("已领取") for line in said.split("\n")] == [True, True, False, False]
    assert [(await lead(few, n)).owner is not None for n in numbers] == [True, True, False, False]


async def test_the_day_of_the_limit_is_that_of_the_installation(store, clock):
    """By UTC the two are one day, by Shanghai as well; in Tokyo it is midnight between them."""
    given = rules(parse(team(pool={"daily_claims": 1}, calendar={"timezone": "Asia/Tokyo"})))
    tokyo = Store(store.engine, replace(given, version=store.rules.version), store.clock)
    one, two, three = [await pooled(tokyo) for _ in range(3)]
    clock.now = datetime(2026, 3, 2, 14, 59, tzinfo=UTC)  # 23:59 in Tokyo, 22:59 in Shanghai
    await says(tokyo, "lilei", f"领取 {one}")
    assert "今天已领 1 条" in await says(tokyo, "lilei", f"领取 {two}")

    clock.tick(minutes=2)

    assert "已领取" in await says(tokyo, "lilei", f"领取 {two}")
    assert "今天已领 1 条" in await says(tokyo, "lilei", f"领取 {three}")


# -- scopes --------------------------------------------------------------------

EAST = {
    "name": "华东公海",
    "when": {"region": ["华东"]},
    "members": ["李雷"],
    "admins": ["韩梅"],
}


async def test_a_rep_sees_and_claims_only_from_the_pools_of_their_scope(store):
    scoped = under(store, scope=[EAST])
    east = await pooled(scoped, region="上海")
    common = await pooled(scoped, region="广东深圳")

    mine = await says(scoped, "lilei", "公海")
    theirs = await says(scoped, "wangqiang", "公海", Platform.DINGTALK)
    refused = await says(scoped, "wangqiang", f"领取 {east}", Platform.DINGTALK)

    assert (f"#{east}" in mine, f"#{common}" in mine) == (True, True)
    assert (f"#{east}" in theirs, f"#{common}" in theirs) == (False, True)
    assert "在「华东公海」，不归你领" in refused
    assert "已领取" in await says(scoped, "lilei", f"领取 {east}")


async def test_the_admin_of_a_pool_distributes_and_does_not_claim(store):
    scoped = under(store, scope=[EAST])
    east = await pooled(scoped, region="上海")
    common = await pooled(scoped, region="广东深圳")

    assert "请分配" in str((await answers(scoped))[f"lead:{east}/2"].payload)
    assert "由你分配，自己不领" in await says(scoped, "hanmei", f"领取 {east}")
    assert f"分配 #{east}" in await says(scoped, "hanmei", "公海")
    assert "主管" in await says(scoped, "hanmei", f"分配 {common} 李雷")
    assert "由韩梅分配" in await says(scoped, "chenzg", f"分配 {east} 李雷")
    assert "已给 李雷" in await says(scoped, "hanmei", f"分配 {east} 李雷")
    assert "分配 42 李雷" in await says(scoped, "hanmei", "帮助")


async def test_the_admin_of_a_pool_does_not_give_its_leads_to_themselves(store):
    """What 领取 refused, 分配 with their own name did."""
    scoped = under(store, scope=[EAST])
    one, two = await pooled(scoped, region="上海"), await pooled(scoped, region="上海")

    assert f"/分配 {one} 韩梅" not in await card_of(scoped, one, 2)
    for line in (f"分配 {one} 韩梅", f"分配 {one} 韩梅 照给", f"分配 {one} {two} 韩梅"):
        assert "由你分配，自己不领" in await says(scoped, "hanmei", line)
    assert "韩梅" not in await says(scoped, "hanmei", f"分配 {one}")
    assert (await lead(scoped, one)).owner is None
    assert (await lead(scoped, two)).owner is None


async def test_a_released_lead_goes_to_the_pool_of_its_scope(store):
    scoped = under(store, scope=[EAST])
    number = await pooled(scoped, region="上海")
    await says(scoped, "lilei", f"领取 {number}")

    await says(scoped, "lilei", f"放回 {number}")

    assert (await lead(scoped, number)).scope == "华东公海"


@pytest.mark.parametrize("line", ["转交 {} 王强", "分配 {} 王强", "交接 李雷 王强"])
async def test_handed_to_somebody_of_another_pool_a_lead_keeps_its_own(store, line):
    """A scope says who claims: an owner or a manager may decide who works it, the pool stays."""
    scoped = under(store, scope=[EAST], cooldown="0s")
    number = await pooled(scoped, region="上海")
    await says(scoped, "lilei", f"领取 {number}")
    await says(scoped, "lilei", f"跟进 {number} 电话 聊了报价")
    by = "lilei" if line.startswith("转交") else "chenzg"

    said = await says(scoped, by, line.format(number))

    given = await lead(scoped, number)
    assert (given.owner.name, given.scope) == ("王强", "华东公海")
    assert ("放回时还进「华东公海」" in said) == line.startswith("转交")

    await says(scoped, "wangqiang", f"放回 {number}", Platform.DINGTALK)
    back = await lead(scoped, number)
    assert (back.place, back.scope) == (Place.POOL, "华东公海")
    assert "不归你领" in await says(scoped, "wangqiang", f"领取 {number}", Platform.DINGTALK)
    assert "已领取" in await says(scoped, "lilei", f"领取 {number}")


async def test_what_a_leaver_of_another_pool_had_waits_in_the_leads_own_pool(store):
    scoped = under(store, scope=[EAST])
    number = await pooled(scoped, region="上海")
    await says(scoped, "lilei", f"领取 {number}")
    await says(scoped, "lilei", f"转交 {number} 王强")
    async with scoped.begin() as tx:
        held = await tx.leads.get(number)
        await record(tx, held.orphan(tx.now))

    assert f"#{number}" in await says(scoped, "lilei", "公海")
    assert f"#{number}" not in await says(scoped, "wangqiang", "公海", Platform.DINGTALK)
    assert "王强 的线索交给了 李雷 1 条" in await says(scoped, "chenzg", "交接 王强 李雷")


async def test_a_pool_whose_admin_has_left_is_the_managers_to_give_away(store):
    """Its card came to the manager without a name to press, and a press was refused."""
    scoped = under(store, scope=[EAST])
    old = await pooled(scoped, region="上海")
    await says(scoped, "chenzg", f"线索 {old}")
    assert "由韩梅分配" in await says(scoped, "chenzg", f"分配 {old} 李雷")
    await hear(scoped, DirectoryChanged(platform=Platform.WECOM, id="d1", left=("hanmei",)))

    new = await pooled(scoped, region="上海")

    for number in (old, new):
        assert f"/分配 {number} 李雷" in await card_of(scoped, number, 4)
        assert "已给 李雷" in await says(scoped, "chenzg", f"分配 {number} 李雷")


async def test_a_pool_whose_admin_is_back_is_theirs_again_on_every_card(store):
    """The manager's card went on offering to give away what it was refused."""
    scoped = under(store, scope=[EAST])
    number = await pooled(scoped, region="上海")
    await hear(scoped, DirectoryChanged(platform=Platform.WECOM, id="d1", left=("hanmei",)))
    await says(scoped, "chenzg", f"线索 {number}")
    assert f"/分配 {number}" in await card_of(scoped, number, 4)

    await hear(scoped, DirectoryChanged(platform=Platform.WECOM, id="d2", joined=("hanmei",)))

    assert f"/分配 {number}" not in await card_of(scoped, number, 4)
    assert "由韩梅分配" in await says(scoped, "chenzg", f"分配 {number} 李雷")


# -- what becomes of leads -----------------------------------------------------


async def test_a_deleted_lead_lies_in_the_pool_with_its_history(store):
    number = await pooled(store)
    await says(store, "lilei", f"领取 {number}")
    await says(store, "lilei", f"跟进 {number} 电话 聊了报价")

    assert "进了公海，历史都在" in await says(store, "lilei", f"删除 {number}")

    kept = await lead(store, number)
    past = await history(store, number)
    assert (kept.place, kept.owner) == (Place.POOL, None)
    assert (past[-1].kind, past[-1].text) == (Kind.RELEASED, "删除")
    assert Kind.FOLLOWED in [line.kind for line in past]


async def test_only_its_owner_deletes_it(store):
    number = await pooled(store)
    await says(store, "lilei", f"领取 {number}")

    assert "在 李雷 名下" in await says(store, "hanmei", f"删除 {number}")
    assert (await lead(store, number)).owner.name == "李雷"
