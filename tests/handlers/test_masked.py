"""What nobody has claimed stays masked, wherever it is told; and only its pool gives it away."""

from dataclasses import replace

import pytest
from sqlalchemy import update

from bot.config import parse
from bot.dispatch import hear
from bot.incoming import DirectoryChanged
from bot.transfer import export_leads
from bot.wiring import rules
from cards.doubts import doubt_card, doubts_card, merged_card
from cards.lead import View, lead_card
from handlers import sweeps
from handlers.announce import record
from handlers.capture import capture
from handlers.leadpage import lead_page
from store import tables as t
from store.db import Store
from store.domain.lead import Place, Stage
from store.domain.masking import redacted
from store.domain.team import Platform
from tests.conftest import team
from tests.handlers.people import answers, captured, enquiry, lead, says
from tests.handlers.test_pool import DAY, EAST, PHONE, pooled, under
from tests.store.domain.leads import CALENDAR_NOW, CHEN, HAN, LI, RULES, ZHOU
from tests.store.domain.leads import lead as a_lead

NAME = "欧阳静"
EFFECTIVE = "电话 聊了报价和方案，要再商量"


async def phones(store, prefix, account=None):
    """The texts of the cards under ``prefix``, of one person or of all."""
    rows = (await answers(store)).items()
    return [
        str(row.payload)
        for key, row in rows
        if key.startswith(prefix) and account in {None, row.account}
    ]


async def ring(store):
    async with store.begin() as tx:
        await sweeps.reminders(tx)


# -- masked --------------------------------------------------------------------


async def test_a_pooled_lead_stays_masked_in_the_question_about_it(store):
    await pooled(store, name=NAME, phone=PHONE)
    other = await captured(store, name="司马光", phone=PHONE)

    await says(store, "zhousc", f"重复 {other.id}")
    said = await says(store, "chenzg", "重复")

    cards = await phones(store, "doubt:")
    assert cards, "the managers were asked"
    assert not [text for text in (*cards, said) if PHONE in text or NAME in text]


async def test_merged_leads_nobody_has_are_masked_on_the_answer_and_in_the_history(store):
    kept = await pooled(store, name=NAME, phone=PHONE)
    said_by = {
        "name": "司马光",
        "wechat": "simaguang88",
        "message": "我是司马光，微信 simaguang88",
    }
    other = await pooled(store, phone="", **said_by)

    answer = await says(store, "chenzg", f"合并 {kept} {other}")
    history = await says(store, "chenzg", f"线索 {kept} 详情")

    secrets = (NAME, PHONE, "司马光", "simaguang88")
    assert "合并" in history
    assert not [word for word in secrets if word in answer + history]


async def test_a_former_name_is_masked_in_the_history_too(store):
    number = await pooled(store, name=NAME, phone=PHONE)
    await says(store, "chenzg", f"资料 {number} 姓名 司马光")
    await says(store, "chenzg", f"资料 {number} 姓名 诸葛亮")

    history = await says(store, "chenzg", f"线索 {number} 详情")

    assert "补充资料" in history
    assert not [name for name in (NAME, "司马光", "诸葛亮") if name in history]


async def test_a_managers_reminder_of_a_pooled_lead_rings_masked(store, clock):
    number = await pooled(store, name=NAME, phone=PHONE)
    await says(store, "chenzg", f"提醒 {number} 今天11点 打给{NAME} {PHONE}")

    clock.tick(hours=1, minutes=1)
    await ring(store)

    [card] = await phones(store, "remind:")
    assert NAME not in card
    assert PHONE not in card


async def test_a_leavers_reminder_rings_masked_at_the_manager(store, clock):
    number = await pooled(store, name=NAME, phone=PHONE)
    await says(store, "lilei", f"领取 {number}")
    await says(store, "lilei", f"跟进 {number} {EFFECTIVE}")
    await says(store, "lilei", f"提醒 {number} 今天11点 回电")
    await hear(store, DirectoryChanged(platform=Platform.WECOM, id="d1", left=("lilei",)))

    clock.tick(hours=1, minutes=1)
    await ring(store)

    [card] = await phones(store, "remind:", "chenzg")
    assert NAME not in card
    assert PHONE not in card


@pytest.mark.parametrize("expert", [("陈主管", "chenzg"), ("韩梅", "hanmei")])
async def test_a_pooled_lead_is_shown_to_no_expert(store, expert):
    name, account = expert
    number = await pooled(store, name=NAME, phone=PHONE)

    said = await says(store, "chenzg", f"求助 {number} {name} 看看")
    seen = await says(store, account, f"线索 {number} 详情")

    assert "还没有人跟" in said
    assert NAME not in seen
    assert PHONE not in seen


@pytest.mark.parametrize("line", ["资料 {}", "为什么 {}"])
async def test_a_manager_reads_no_pooled_name_by_asking_otherwise(store, line):
    number = await pooled(store, name=NAME, phone=PHONE, company="云栖机密制造")

    said = await says(store, "chenzg", line.format(number))

    assert f"#{number}" in said
    assert NAME not in said
    assert "云栖机密" not in said


def test_of_two_that_share_a_number_the_claimed_one_does_not_tell_it():
    claimed, free = a_lead(owner=LI), a_lead(owner=None, place=Place.POOL)

    cards = [doubt_card(claimed, [free], CHEN), doubt_card(claimed, [a_lead(owner=HAN)], CHEN)]

    told = ["19912340042" in "".join(value for _, value in card.rows) for card in cards]
    assert told == [False, True], "whole only where both are claimed"


@pytest.mark.parametrize("reader", [CHEN, ZHOU, HAN], ids=lambda member: member.role)
def test_no_part_of_a_duplicate_question_names_whom_nobody_has_claimed(reader):
    """Title, every row, the list of questions and the answer: each shows a name of its own."""
    free = a_lead(owner=None, place=Place.POOL, name=NAME, company="云栖机密", stage=Stage.NEW)
    nameless = replace(free, name="", id=43)
    owned = a_lead(id=44, owner=LI, name="司马光")

    cards = [
        doubt_card(free, [owned, nameless], reader),
        doubt_card(owned, [free, nameless], reader),
        doubts_card([(free, owned), (owned, nameless)], 2, 1, reader),
        merged_card(free, owned, reader),
    ]

    for card in cards:
        assert NAME not in str(card)
        assert "云栖机密" not in str(card)
        assert "欧*" in str(card) or "欧阳*" in str(card)
        assert f"#{free.id}" in str(card)


def test_whom_a_duplicate_question_is_about_is_named_to_whom_may_see_them():
    owned = a_lead(owner=LI, name=NAME)

    told = {who.name: NAME in str(doubt_card(owned, [owned], who)) for who in (CHEN, LI, HAN)}

    assert told == {CHEN.name: True, LI.name: True, HAN.name: False}


# -- given, claimed, found ------------------------------------------------------


def grabbed(store, to=(), **pool) -> Store:
    """The same installation where everything is put up for grabs."""
    rule = {"name": "抢", "when": {}, "assign": "grab"} | ({"to": list(to)} if to else {})
    return Store(store.engine, rules(parse(team(routing=[rule], pool=pool))), store.clock)


@pytest.mark.parametrize("to", ["李雷", "陈主管"])
async def test_a_manager_hands_over_nothing_that_nobody_has(store, to):
    scoped = under(store, scope=[EAST])
    number = await pooled(scoped, region="上海")

    said = await says(scoped, "chenzg", f"转交 {number} {to}")

    assert f"先「分配 {number} 姓名」" in said
    assert (await lead(scoped, number)).owner is None


async def test_a_grab_is_for_whom_it_was_offered(store):
    only = grabbed(store, to=["李雷"])
    number = (await captured(only, region="上海")).id

    other = await says(only, "wangqiang", f"领取 {number}", Platform.DINGTALK)
    asked = await says(only, "lilei", f"领取 {number}")

    assert "指定的同事" in other
    assert "已领取" in asked


async def test_a_pools_admin_and_outsiders_are_not_asked_to_grab_from_it(store):
    scoped = grabbed(store, scope=[EAST])
    number = (await captured(scoped, region="上海")).id

    said = await says(scoped, "hanmei", f"领取 {number}")

    async with scoped.read() as tx:
        invited = await tx.leads.invited(number)
        names = {(await tx.members.all())[m].name for m in invited or ()}
    assert "由你分配" in said
    assert names <= set(EAST["members"])
    assert names


async def test_who_gives_back_what_is_not_theirs_may_not_claim_it_again_at_once(store):
    number = await pooled(store)
    await says(store, "lilei", f"领取 {number}")
    await says(store, "lilei", f"跟进 {number} {EFFECTIVE}")
    async with store.begin() as tx:
        held = await tx.leads.get(number)
        await record(tx, held.pass_on(held.owner, tx.now))

    said = await says(store, "lilei", f"领取 {number}")

    assert "之后可以再领" in said


async def test_who_turned_down_an_offer_may_claim_it(store):
    new = await captured(store)
    async with store.begin() as tx:
        offered = await tx.leads.get(new.id)
        await record(tx, offered.pass_on(offered.owner, tx.now))
    async with store.begin() as tx:
        after = await tx.leads.get(new.id)

        said = await tx.leads.parted(new.id, tx.now - DAY)

    assert (after.owner, said) == (None, {})


async def test_a_merge_does_not_forget_who_had_the_other_lead(store):
    kept, other = await pooled(store), await pooled(store)
    await says(store, "lilei", f"领取 {other}")
    await says(store, "lilei", f"放回 {other}")
    await says(store, "chenzg", f"合并 {kept} {other}")

    said = await says(store, "lilei", f"领取 {kept}")

    assert "之后可以再领" in said


async def test_others_leads_with_experts_do_not_crowd_ones_own_out_of_a_search(store):
    mine = await pooled(store, name="宇文化")
    await says(store, "hanmei", f"领取 {mine}")
    async with store.begin() as tx:
        new = [enquiry(name=f"宇文化{n}") for n in range(51)]
        li = next(m.id for m in (await tx.members.all()).values() if m.name == "李雷")
        ids = [done.id for done in await capture(tx, new)]
        rows = t.leads.c.id.in_(ids)
        values = {"owner_id": li, "place": Place.OWNER, "experts": {"99": "看看"}}
        await tx.conn.execute(update(t.leads).where(rows).values(values))

    said = await says(store, "hanmei", "线索 宇文化")

    assert "找到 1 条" in said


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("我是郑一帆，报价发我", "我是郑*，报价发我"),
        ("我叫欧阳雪想买 CRM", "我叫欧阳*想买 CRM"),
        ("联系人：张三", "联系人：张*"),
        ("我是做外贸的，想要报价", "我是做外贸的，想要报价"),
    ],
)
def test_who_says_who_they_are_is_masked_under_whatever_name(said, told):
    """Somebody known under another name stood in their own words in the pool."""
    assert redacted(said, a_lead(name="苏小禾")) == told


# -- what it was called besides ----------------------------------------------------


async def everything_said(store, settings, number, path):
    """Of a lead of the pool, to whoever may look at it: cards, lists, search, page and export."""
    lines = ("公海", f"线索 {number} 详情", f"为什么 {number}", f"资料 {number}", "重复")
    said = [
        await says(store, who, line) for who in ("lilei", "chenzg", "zhousc") for line in lines
    ]
    for who in ("lilei", "chenzg", "zhousc"):
        await says(store, who, f"线索 {number}")
    async with store.read() as tx:
        pages = [await lead_page(tx, m, number) for m in (await tx.members.all()).values()]
    await export_leads(settings, path, "", "")
    return [*said, *await phones(store, f"lead:{number}/"), str(pages), path.read_text("utf-8")]


async def test_words_that_came_with_a_merged_lead_do_not_tell_its_name(store, settings, tmp_path):
    """The quote of 欧阳静's card said who 司马光 of 重工集团 is."""
    kept = await pooled(store, name=NAME, phone=PHONE, message="")
    words = "我是司马光，重工集团的，微信 simaguang8，要三套"
    other = await pooled(
        store, name="司马光", company="重工集团", wechat="simaguang8", message=words
    )
    await says(store, "chenzg", f"合并 {kept} {other}")
    assert "要三套" in (await lead(store, kept)).message

    told = await everything_said(store, settings, kept, tmp_path / "x.csv")

    for secret in ("司马光", "重工集团", "simaguang8", NAME):
        assert not [text for text in told if secret in text], secret
    assert [text for text in told if "要三套" in text]
    for words in ("司马光", "重工集团"):
        assert "没找到" in await says(store, "chenzg", f"线索 {words}")

    await says(store, "lilei", f"领取 {kept}")
    assert "司马光" in await says(store, "lilei", f"线索 {kept} 详情")


async def test_a_name_that_was_put_right_stays_masked_in_the_words_of_then(
    store, settings, tmp_path
):
    number = await pooled(store, name="欧阳敬", phone=PHONE, message="欧阳敬要三套")
    await says(store, "chenzg", f"资料 {number} 姓名 {NAME}")
    assert (await lead(store, number)).name == NAME

    told = await everything_said(store, settings, number, tmp_path / "x.csv")

    assert not [text for text in told if "欧阳敬" in text]


async def test_what_is_split_off_takes_its_name_along(store):
    kept = await pooled(store, name=NAME, phone=PHONE)
    other = await pooled(store, name="司马光")
    await says(store, "chenzg", f"合并 {kept} {other}")
    assert (await lead(store, kept)).other_names == ("司马光",)

    await says(store, "chenzg", f"分开 {other}")

    assert (await lead(store, kept)).other_names == ()


def test_a_number_is_masked_before_the_words_are_cut():
    """Cut first, the first digits of a phone at the end of a quote were left as they are."""
    said = "要" * 83 + f" {PHONE} 找我"
    shown = lead_card(a_lead(message=said), CHEN, View(now=CALENDAR_NOW, rules=RULES))

    assert "19912" not in shown.quote


@pytest.mark.parametrize(
    "written",
    [
        "138 - 0013 - 8000", "一三八零零一三八零零零", "138零零138000", "138_0013_8000",
        "138·0013·8000", "138/0013/8000", "１３８　-　００１３　-　８０００",
    ],
)  # fmt: skip
def test_a_number_is_masked_however_its_digits_are_kept_apart(written):
    """In the pool everybody read 138 - 0013 - 8000, and so does a person."""
    words = redacted(f"打 {written}，要三百套，预算 10-20 万", a_lead())

    assert words == "打 138****8000，要三百套，预算 10-20 万"
