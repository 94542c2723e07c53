"""What reps and managers do, and what everybody's phone says afterwards."""

import asyncio
from dataclasses import replace

import pytest

from bot.dispatch import hear
from bot.incoming import Group, Incoming
from handlers.announce import record
from store.domain.team import Platform
from tests.handlers.people import answers, captured, lead, says


async def card(store, lead_id, account):
    rows = (await answers(store)).items()
    [row] = [r for key, r in rows if key.startswith(f"lead:{lead_id}/") and r.account == account]
    return str(row.payload)


async def pooled(store, **values):
    """A lead that nobody had."""
    new = await captured(store, **values)
    async with store.begin() as tx:
        [after] = await record(tx, (await tx.leads.get(new.id)).unsuitable(tx.now, "没有合适的人"))
    return after.id


async def test_everybody_presses_at_once_and_exactly_one_wins(store):
    lead_id = await pooled(store)

    said = await asyncio.gather(
        says(store, "lilei", f"领取 {lead_id}"),
        says(store, "hanmei", f"领取 {lead_id}"),
        says(store, "wangqiang", f"领取 {lead_id}", Platform.DINGTALK),
    )

    won = [answer for answer in said if "已领取" in answer]
    owner = (await lead(store, lead_id)).owner.name
    assert len(won) == 1
    assert all(f"已被 {owner} 领取" in answer for answer in said if answer not in won)


async def test_the_former_owners_card_says_who_has_it_now(store):
    lead_id = await pooled(store)

    await says(store, "hanmei", f"领取 {lead_id}")

    assert "已由 韩梅 接手" in await card(store, lead_id, "lilei")
    assert "19900" not in await card(store, lead_id, "lilei")


async def test_several_are_claimed_in_one_line_each_on_its_own(store):
    one, two = await pooled(store), await pooled(store)
    await says(store, "hanmei", f"领取 {one}")

    answer = await says(store, "lilei", f"领取 {one} {two}")

    assert "已被 韩梅 领取" in answer
    assert f"已领取 #{two}" in answer


async def test_the_eleventh_claim_of_a_day_is_refused_and_returning_gives_none_back(store, clock):
    leads = [await pooled(store) for _ in range(11)]
    for number in leads[:10]:
        assert "已领取" in await says(store, "hanmei", f"领取 {number}")
        await says(store, "hanmei", f"放回 {number}")

    assert "每天最多 10 条" in await says(store, "hanmei", f"领取 {leads[10]}")

    clock.tick(days=1)
    assert "已领取" in await says(store, "hanmei", f"领取 {leads[10]}")


async def test_a_returned_lead_needs_a_reason_which_can_be_pressed(store):
    new = await captured(store)

    asked = await says(store, "lilei", f"退回 {new.id}")

    assert f"/退回 {new.id} 未到时机" in asked
    assert (await lead(store, new.id)).owner.name == "李雷"


async def test_an_offer_that_is_not_mine_goes_to_the_next_rep(store):
    new = await captured(store)

    answer = await says(store, "lilei", f"退回 {new.id} 不归我跟")

    assert "转给了 韩梅" in answer
    assert "已由 韩梅 接手" in await card(store, new.id, "lilei")


async def test_marketing_sees_what_was_returned_and_why(store):
    new = await captured(store)

    await says(store, "lilei", f"退回 {new.id} 明年再说")

    assert "未到时机" in await card(store, new.id, "zhousc")


async def test_won_needs_an_amount(store):
    new = await captured(store)

    assert "成交多少" in await says(store, "lilei", f"成交 {new.id}")
    assert "12 万" in await says(store, "lilei", f"成交 {new.id} 12万")
    assert (await lead(store, new.id)).amount == 120_000


@pytest.mark.parametrize("line", ["流失", "无效"])
async def test_giving_up_needs_a_reason(store, line):
    new = await captured(store)

    assert "为什么" in await says(store, "lilei", f"{line} {new.id}")
    await says(store, "lilei", f"{line} {new.id} 选了别家")

    assert not (await lead(store, new.id)).open


async def test_a_transfer_takes_card_and_reminders_along(store):
    new = await captured(store)
    await says(store, "lilei", f"提醒 {new.id} 明天9点 打电话")

    assert "已转给 韩梅" in await says(store, "lilei", f"转交 {new.id} 韩梅")

    assert "请联系" in await card(store, new.id, "hanmei")
    async with store.begin() as tx:
        [reminder] = await tx.reminders.due(tx.now.replace(year=2027), 10)
        assert reminder.member_id == (await tx.members.by_name("韩梅")).id


async def test_a_name_that_is_not_in_the_team_gets_the_names_that_are(store):
    new = await captured(store)

    answer = await says(store, "lilei", f"转交 {new.id} 韩梅梅")

    assert "团队里没有「韩梅梅」" in answer
    assert "王强" in answer


async def test_the_manager_assigns_by_name_or_is_asked_whom(store):
    new = await captured(store)

    assert f"/分配 {new.id} 韩梅" in await says(store, "chenzg", f"分配 {new.id}")
    assert "已给 韩梅" in await says(store, "chenzg", f"分配 {new.id} 韩梅")
    assert (await lead(store, new.id)).owner.name == "韩梅"


async def test_a_pasted_sentence_becomes_my_lead(store):
    answer = await says(
        store, "hanmei", "录入 姓名：赵丽 电话19900001111 深圳云海科技有限公司 想要报价"
    )
    new = await lead(store, 1)

    assert "归你跟" in answer
    assert (new.name, new.phone, new.owner.name, new.offered) == (
        "赵丽", "+8619900001111", "韩梅", False,
    )  # fmt: skip
    assert new.company == "深圳云海科技有限公司"


async def test_a_duplicate_check_tells_who_and_when_but_nothing_else(store):
    await captured(store, phone="19900001111", name="赵丽", company="秘密公司")

    answer = await says(store, "hanmei", "录入 赵丽 19900001111")

    assert "有同事在跟，还没联系" in answer
    assert "秘密公司" not in answer


async def test_a_sentence_nobody_can_be_reached_by_is_refused_with_an_example(store):
    assert "录入 王五 13800138000" in await says(store, "hanmei", "录入 张三想要报价")


async def test_the_pool_is_masked_and_pressed_line_by_line(store):
    number = await pooled(store)

    shown = await says(store, "hanmei", "公海")

    assert f"/领取 {number}" in shown
    assert "王五" not in shown
    assert "19900" not in shown


async def test_the_pool_can_be_asked_for_a_region(store):
    new = await captured(store, region="江苏苏州")
    await says(store, "lilei", f"放回 {new.id}")

    assert f"领取 #{new.id}" in await says(store, "hanmei", "公海 江苏")
    assert "没有和「广东」有关的" in await says(store, "hanmei", "公海 广东")


async def test_a_long_pool_has_pages(store):
    for _ in range(9):
        await pooled(store)

    first, second = await says(store, "hanmei", "公海"), await says(store, "hanmei", "公海 2页")

    assert "/公海 2页" in first
    assert "领取 #4" in second
    assert "领取 #1'" not in second


async def test_a_search_finds_only_what_i_may_see(store):
    await captured(store, name="欧阳静", company="云栖制造")

    assert "欧阳静" in await says(store, "lilei", "线索 欧阳")
    assert "没找到" in await says(store, "hanmei", "线索 欧阳")
    assert "欧阳静" in await says(store, "chenzg", "线索 云栖")


async def test_details_are_masked_for_who_may_not_see_them(store):
    new = await captured(store, name="欧阳静")

    mine = await says(store, "lilei", f"线索 {new.id} 详情")
    theirs = await says(store, "hanmei", f"线索 {new.id} 详情")

    assert "欧阳静" in mine
    assert "欧阳静" not in theirs
    assert "进线" in mine


async def test_a_lead_nobody_has_heard_of(store):
    assert "没有 #999" in await says(store, "lilei", "跟进 999 电话 聊了")


async def test_a_group_is_bound_from_within_it(store):
    assert "群里" in await says(store, "chenzg", "绑定")


@pytest.mark.parametrize(("there", "told"), [(True, "已经接好了"), (False, "请管理员")])
async def test_a_wecom_group_is_told_who_brings_its_digest(store, there, told):
    store = replace(store, rules=replace(store.rules, wecom_group=there))
    asked = Incoming(
        platform=Platform.WECOM,
        id="b1",
        account="chenzg",
        line="绑定",
        group=Group(id="wr1", title=""),
    )

    answer = await hear(store, asked)

    assert told in answer.text


async def test_a_lead_is_handed_only_to_who_can_work_on_it(store):
    new = await captured(store)

    answer = await says(store, "lilei", f"转交 {new.id} 周市场")

    assert "周市场 不跟线索" in answer
    assert "周市场" not in answer.split("可以是")[1]


async def test_a_big_region_is_found_in_its_provinces(store):
    new = await captured(store, region="江苏苏州")
    await says(store, "lilei", f"放回 {new.id}")

    assert f"领取 #{new.id}" in await says(store, "hanmei", "公海 华东")


async def test_the_button_of_a_deal_records_every_yuan_talked_about(store):
    one = await captured(store, rep="李雷")
    await says(store, "lilei", f"领取 {one.id}")
    await says(store, "lilei", f"跟进 {one.id} 电话 聊了合同 报价 123456789 元")

    asked = await says(store, "lilei", f"成交 {one.id}")
    await says(store, "lilei", f"成交 {one.id} 123456789元")

    assert f"/成交 {one.id} 123456789元" in asked  # was 1.23 亿, 456,789 yuan less
    assert (await lead(store, one.id)).amount == 123_456_789


async def test_what_is_given_back_at_night_is_said_to_wait(store, clock):
    """A bug said that the managers were asked, and nobody was before the opening."""
    new = await captured(store)
    accounts = {"李雷": "lilei", "韩梅": "hanmei", "王强": "wangqiang"}
    clock.tick(hours=14)

    said = await says(store, accounts[new.owner.name], f"退回 {new.id} 不归我跟")

    assert ("等开门" in said, "主管" in said) == (True, False)
    assert (await lead(store, new.id)).hold == "hours"


@pytest.mark.parametrize(
    ("words", "asks"),
    [
        ("1 0", "成交多少？"),
        ("1 2万", "成交多少？"),
        ("$3k", "成交多少？"),
        ("12", "12 元还是 12 万？"),
        ("１２", "12 元还是 12 万？"),
        ("5-8万", "成交要一个准数"),
        ("十来万", "成交要一个准数"),
        ("几十万", "成交要一个准数"),
    ],
)
async def test_a_deal_needs_an_amount_that_is_one(store, words, asks):
    # 12 was 12 yuan, 5-8万 was 5万.
    new = await captured(store, rep="李雷")
    await says(store, "lilei", f"领取 {new.id}")

    said = await says(store, "lilei", f"成交 {new.id} {words}")

    assert said.startswith(asks)
    assert f"例如：成交 {new.id} 12万" in said
    assert (await lead(store, new.id)).open


@pytest.mark.parametrize(
    ("words", "amount"),
    [
        ("2 0 万", 200_000),
        ("八万五", 85_000),
        ("首付3万 总价12万", 120_000),
        ("12 000 元", 12_000),
    ],
)
async def test_a_deal_is_worth_what_was_said(store, words, amount):
    new = await captured(store, rep="李雷")
    await says(store, "lilei", f"领取 {new.id}")

    await says(store, "lilei", f"成交 {new.id} {words}")

    assert (await lead(store, new.id)).amount == amount


async def test_an_extension_is_on_the_card_of_who_may_dial_it(store):
    """It was stored and never shown: whoever called got the switchboard."""
    new = await captured(store, phone="0571-88886666转801", rep="李雷")

    said = await says(store, "lilei", f"接受 {new.id}")

    assert "0571-88886666转801" in said
    mine = next(r for k, r in (await answers(store)).items() if k.startswith(f"lead:{new.id}/"))
    assert "0571-88886666转801" in str(mine.payload)
    assert "801" not in await says(store, "hanmei", f"线索 {new.id}")
