"""The table of commands: every button of every card is a line of it, every line reads as meant."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from cards.alarms import alarm_card
from cards.contacts import parted_card
from cards.doubts import doubt_card, doubts_card, merged_card
from cards.follow import asked_card, choice_card, followed_card, more_card
from cards.handover import Word, word_card
from cards.lead import View, lead_card
from cards.lines import line_card
from cards.lists import (
    Taking,
    amount_card,
    assign_card,
    calendar_card,
    found_card,
    full_card,
    many_card,
    mine_card,
    pool_card,
    reason_card,
    today_card,
    waiting_card,
)
from cards.reminders import morning_card, reminder_card
from cards.shares import distribution_card, funnel_card
from handlers.commands import BY_NAME, COMMANDS, about, number, page, single, understand
from handlers.lists import Page
from handlers.work import About
from store.domain.alarms import Standing
from store.domain.errors import BadCommand
from store.domain.followup import read_follow_up
from store.domain.lead import Due, Place, Stage
from store.domain.mend import FIELDS
from store.domain.pools import Bar, Why
from store.domain.shares import Distribution, Share, Step, Steps
from store.domain.sop import Question
from tests.handlers.people import answers, captured, says
from tests.store.domain.leads import CALENDAR_NOW, CHEN, HAN, LI, RULES, ZHOU, lead

SHARE = Share(name="李雷", given=3, accepted=1, due=2.0)
SITUATIONS = [
    lead(),
    lead(owner=LI),
    lead(owner=LI, accepted=True),
    lead(owner=LI, accepted=True, contacted=True, stage=Stage.FOLLOWING),
    lead(owner=LI, accepted=True, contacted=True, stage=Stage.QUOTED, due=Due.RECLAIM),
    lead(owner=LI, accepted=True, due=Due.RECLAIM),
    lead(owner=LI, accepted=True, late_at=CALENDAR_NOW),
    lead(owner=LI, accepted=True, extended=True),
    lead(owner=LI, accepted=True, stage=Stage.WON),
    lead(place=Place.MARKETING),
    lead(stage=Stage.LOST),
    lead(stage=Stage.MERGED, merged_into=7),
    lead(owner=LI, accepted=True, joined_at=CALENDAR_NOW + timedelta(minutes=1)),
]
VIEW = View(
    now=CALENDAR_NOW + timedelta(hours=1), rules=RULES, last="聊了报价", suggested=(LI, HAN)
)


def follow_cards(one):
    text = "电话 聊了报价 12万 对账太慢 #急 #老客户 下周三下午3点再约"
    log = read_follow_up(text, CALENDAR_NOW, RULES.zone)
    budget = Question(id="budget", label="预算", options=("10万以内", "10万以上"))
    yield followed_card(one, log, CALENDAR_NOW, RULES)
    yield from (more_card(one, log, more=more) for more in (False, True))
    yield from (choice_card(one, field, log, CALENDAR_NOW, RULES) for field in FIELDS)
    yield asked_card(one, [budget, replace(budget, id="who", label="谁决定", options=())])
    yield amount_card(replace(one, amount=1_234_500))
    yield reminder_card(one, "回访", LI, again=True)
    yield reminder_card(replace(one, stage=Stage.WON), "生日（5月12日）", LI)
    yield word_card(one, LI, Word(CHEN, "点评", "先问清楚谁决定"))
    yield from (lead_card(one, reader, replace(VIEW, undo=True)) for reader in (LI, HAN, CHEN))
    yield lead_card(replace(one, experts={str(HAN.id): "想问接口"}), HAN, VIEW)


KICKED = Standing(
    key="aibot:kicked", text="被别处连走了", since=CALENDAR_NOW, seen_at=CALENDAR_NOW
)


def every_card():
    for one in SITUATIONS:
        for reader in (LI, HAN, CHEN, ZHOU):
            yield lead_card(one, reader, VIEW)
        for why in Why:
            yield lead_card(one, HAN, replace(VIEW, bar=Bar(why, CALENDAR_NOW)))
    many = [replace(lead(owner=LI), id=n) for n in range(1, 8)]
    yield from (
        pool_card(many[:4], 9, "华东", 1),
        pool_card(many[:4], 9, "", 1, Taking(gives=True)),
        pool_card(many[:4], 4, "", 1, Taking(barred={1: "3月9日 周一 11:00 起可再领"})),
        pool_card(many[:4], 4, "", 1, Taking(closed="今天已领 10 条，每天最多 10 条，明天再来")),
        pool_card([], 0, "", 1),
        mine_card(many[:4], 9, 1, VIEW),
        mine_card([], 0, 1, VIEW),
        today_card(many, VIEW),
        today_card([], VIEW),
        found_card(many, "张"),
        found_card([], "张"),
        many_card(many, 9),
        waiting_card(many[:3], 9),
        reason_card(many[0]),
        assign_card(many[0], [(LI, 3, ""), (HAN, 5, "满了")]),
        full_card(many[0], LI, "请假中", [HAN]),
        full_card(many[0], LI, "手上 50 条，满了", []),
        reminder_card(many[0], "打电话", LI),
        morning_card([(one, "打电话") for one in many], LI),
        parted_card(many[0], LI, "你"),
        parted_card(many[0], HAN, "你"),
        *follow_cards(many[0]),
        funnel_card(Steps(days=30, steps=(Step(name="UQL", count=4), Step(name="MQL", count=2)))),
        distribution_card(Distribution(shares=(SHARE,)), 7),
        doubt_card(many[0], many[1:2], CHEN),
        doubt_card(many[0], many[1:5], CHEN),
        doubts_card([(many[1], many[0])], 9, 1, CHEN),
        doubts_card([], 0, 1, CHEN),
        merged_card(many[0], many[1], CHEN),
        calendar_card(2027),
        line_card(many[0], "云客服", LI),
        alarm_card(KICKED, CALENDAR_NOW, RULES.zone),
    )


def test_who_is_told_of_a_kick_can_press_that_it_may_connect_again():
    [first, _] = alarm_card(KICKED, CALENDAR_NOW, RULES.zone).buttons

    assert first.line == "/重连"


@pytest.mark.parametrize("card", list(every_card()), ids=lambda card: card.title)
def test_every_button_is_a_line_somebody_could_type(card):
    for button in card.buttons:
        assert understand(button.line)
    assert 1 <= len(card.buttons) <= 4
    assert len(card.rows) <= 6
    assert len({button.line for button in card.buttons}) == len(card.buttons)


def test_names_are_not_shared():
    assert len(BY_NAME) == sum(len(command.names) for command in COMMANDS)


def test_the_manual_has_every_command():
    manual = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")

    missing = [c.names[0] for c in COMMANDS if f"`{c.usage}`" not in manual]

    assert missing == []


@pytest.mark.parametrize("text", ["42", "#42", "L42", "４２", "＃42", "l42", "42。", "42."])
def test_a_number_can_be_written_in_many_ways(text):
    assert number(text) == 42


@pytest.mark.parametrize("text", ["", "4a", "-1", "4.2", "9999999999", "四十二"])
def test_what_is_no_number_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 - the reader is told how to write it instead
        number(text)


def test_the_words_after_the_number_stay_as_they_are():
    assert about("#42　电话，聊了（报价）") == About(42, "电话，聊了（报价）")


def test_pages_are_read_from_the_end():
    assert page("华东 CRM 3页") == Page("华东 CRM", 3)
    assert page("华东") == Page("华东", 1)
    assert [page(text) for text in ("第2页", "第 ２ 页", "2 页", "page 2", "0页")] == [
        Page("", 2), Page("", 2), Page("", 2), Page("", 2), Page("", 1),
    ]  # fmt: skip
    assert page("华东 第2页") == Page("华东", 2)


@pytest.mark.parametrize("line", ["公海 999页", "公海 第2页", "公海第2页", "公海 page 7"])
async def test_behind_the_last_page_is_the_last_page(store, line):
    for _ in range(5):
        new = await captured(store, rep="李雷")
        await says(store, "lilei", f"领取 {new.id}")
        await says(store, "lilei", f"放回 {new.id}")

    assert "第 2/2 页" in await says(store, "chenzg", line)


def test_words_may_stick_to_the_number():
    assert about("1电话 聊了 ABC") == About(1, "电话 聊了 ABC")
    assert about("#1 电话") == About(1, "电话")


@pytest.mark.parametrize("text", ["3点 打电话", "12万", "3天后", "4a"])
def test_an_hour_or_an_amount_is_no_lead(text):
    with pytest.raises(ValueError):  # noqa: PT011 - the reader is told how to write it instead
        about(text)


@pytest.mark.parametrize(
    "text", ["6 7 电话 聊了", "6,7 电话", "6、7", "#6 #7 聊了", "６　７ 电话"]
)
def test_what_is_told_of_two_leads_is_asked_back(text):
    with pytest.raises(BadCommand, match="是 #6 还是 #7"):
        single(text)


@pytest.mark.parametrize(
    "text", ["6 2次没接", "6 2 次没接", "6 13800138000 打不通", "6 12万", "6 3 pm"]
)
def test_a_count_behind_the_number_is_no_second_lead(text):
    assert single(text).lead_id == 6


async def test_an_amount_below_zero_is_refused_with_an_example(store):
    new = await captured(store)
    await says(store, "lilei", f"领取 {new.id}")

    assert f"例如：成交 {new.id} 12万" in await says(store, "lilei", f"成交 {new.id} -5万")
    assert "12.35 万" in await says(store, "lilei", f"成交 {new.id} ¥123,456.78")


async def test_a_follow_up_may_stick_to_the_number_on_both_sides(store):
    new = await captured(store)

    answer = await says(store, "lilei", f"跟进{new.id}电话 聊了报价")

    assert f"记下 #{new.id} 王五：电话，接通" in answer


@pytest.mark.parametrize("line", ["帮 助", "幫助", "帮助。", "/帮 助", "菜單"])
async def test_help_is_understood_however_it_is_typed(store, line):
    assert "可以这样发" in await says(store, "lilei", line)


async def test_a_copied_lead_with_a_heading_is_no_search(store):
    await says(store, "lilei", "线索：王五 13800138000 想要报价")

    assert "像是一条线索" in str([row.payload for row in (await answers(store)).values()])


@pytest.mark.parametrize(
    "line",
    [
        "/claim 42",
        "领取42",
        "领取 #42",
        "／领取　４２",
        " 认领 42 ",
        "接受 42",
        "CLAIM 42",
        "领取：42",
        "领取,42",
        "领取、 42",
        "領取42",
        "領取 42",
        "领 取 42",
        "Claim:42",
    ],
)
async def test_one_command_has_many_spellings(store, line):
    new = await captured(store)

    assert "已接受" in await says(
        store, "lilei", line.replace("42", str(new.id)).replace("４２", str(new.id))
    )


async def test_a_bare_number_shows_the_lead(store):
    new = await captured(store)

    await says(store, "lilei", f"#{new.id}")

    assert f"lead:{new.id}/{new.owner.id}" in await answers(store)


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("领曲 42", "领取 42"),
        ("跟近 42 聊了", "跟进 42"),
        ("clam 42", "领取 42"),
        ("公还", "公海"),
        ("跟近 7 聊了", "跟进 7 电话"),
        ("领曲7", "领取 7"),
    ],
)
async def test_an_unknown_line_gets_the_nearest_command(store, line, meant):
    answer = await says(store, "lilei", line)

    assert "没听懂" in answer
    assert meant in answer


@pytest.mark.parametrize("line", ["", "   ", "🙂", "你好", "'; DROP TABLE leads;--", "{{ 7*7 }}"])
async def test_nonsense_is_answered_with_help(store, line):
    assert "帮助" in await says(store, "lilei", line)


@pytest.mark.parametrize("line", ["领取", "领取 张三", "跟进", "放回 x", "分配 李雷"])
def test_a_bad_argument_is_answered_with_how_to_write_it(line):
    with pytest.raises(BadCommand, match="这样写："):
        understand(line)


async def test_help_shows_only_what_i_may_do(store):
    rep, manager = await says(store, "lilei", "帮助"), await says(store, "chenzg", "帮助")

    assert "分配 42 李雷" not in rep
    assert "分配 42 李雷" in manager


@pytest.mark.parametrize(
    ("who", "line"),
    [("lilei", "分配 1 李雷"), ("lilei", "日报"), ("lilei", "绑定"), ("zhousc", "领取 1"),
     ("zhousc", "跟进 1 聊了")],
)  # fmt: skip
async def test_rights_are_checked_by_who_acts(store, who, line):
    await captured(store)

    assert "来做" in await says(store, who, line)


async def test_a_stranger_is_told_whom_to_ask(store):
    answer = await says(store, "nobody", "我的")

    assert "管理员" in answer
    assert "nobody" in answer


async def test_userids_know_no_case(store):
    await captured(store)

    assert "已接受" in await says(store, "LiLei", "领取 1")


async def test_arguments_may_be_english(store):
    new = await captured(store, rep="李雷")
    await says(store, "lilei", f"claim {new.id}")

    logged = await says(store, "lilei", f"log {new.id} called, interested, next Wednesday 3pm")
    reminded = await says(store, "lilei", f"remind {new.id} tomorrow 9am call")
    moved = [await says(store, "lilei", f"stage {new.id} {to}") for to in ("intent", "quoted")]
    returned = await says(store, "lilei", f"return {new.id} no budget")

    assert f"记下 #{new.id} 王五：电话，有意向" in logged
    assert "15:00 提醒你" in logged
    assert f"提醒你 #{new.id} call" in reminded
    assert ["意向" in moved[0], "已报价" in moved[1]] == [True, True]
    assert "没有预算" in returned
