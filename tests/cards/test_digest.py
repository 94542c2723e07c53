from dataclasses import replace
from datetime import date

import pytest

from cards import dingtalk, render, wecom
from cards.digest import digest_card, digest_dingtalk_group, digest_wecom_group
from cards.words import money
from store.domain.figures import Figures, PersonFigures, SourceFigures
from store.domain.team import Channel
from tests.cards.validators import check_dingtalk_message, check_wecom_card, lines, sendable

DAY = Figures(
    day=date(2026, 11, 20),
    new=38,
    responded_in_time=31,
    overdue=3,
    claimed=12,
    won=4,
    won_amount=486_000,
    pool=57,
    marketing=120,
    sources=(SourceFigures(name="官网表单", new=17, won=2), SourceFigures(name="展会", new=9)),
    people=(
        PersonFigures(name="李雷", open=42, new=9, followed=14, overdue=2, won=1),
        PersonFigures(name="韩梅", open=36, new=8, followed=11, won=2),
    ),
    overdue_leads=((12, "王五", "李雷"), (31, "赵六", "李雷"), (44, "", "")),
)
QUIET = Figures(day=date(2026, 11, 20), pool=57, marketing=120, funnel=(("新线索", 412),))
EVIL = replace(
    DAY,
    people=(PersonFigures(name="[点我](http://e.com)" * 200, open=1),) * 60,
    sources=(SourceFigures(name="<font color=warning>\n# x", new=1),) * 60,
    overdue_leads=((9_999_999, "![x](http://e.com/x.png)", "\ud800**王**"),) * 60,
)


def test_the_managers_card_leads_to_what_is_overdue():
    card = digest_card(DAY)

    assert card.title == "11月20日日报 · 3 条超时，先处理"
    assert [button.line for button in card.buttons] == [
        "/线索 12",
        "/线索 31",
        "/线索 44",
        "/公海",
    ]
    assert len(card.rows) <= 6
    assert "#12 王五（李雷）" in card.why


def test_the_wecom_group_reads_sums_sources_people_and_what_to_type():
    text = digest_wecom_group(DAY)

    assert text.splitlines() == [
        "**11月20日日报** · 3 条超时，先处理",
        '新增 **38**　按时响应 **31**　超时 <font color="warning">3</font>',
        '领取 **12**　成交 <font color="info">4 单，48.6 万</font>　公海 57',
        "> 渠道：官网表单 17（成交 2），展会 9",
        "> 李雷：在手 42，新增 9，跟进 14，超时 2，成交 1",
        "> 韩梅：在手 36，新增 8，跟进 11，成交 2",
        "超时 #12 王五（李雷）",
        "超时 #31 赵六（李雷）",
        "超时 #44 未留名（无人负责）",
        '<font color="comment">在应用里发「分配 12 姓名」换人跟</font>',
    ]


def test_both_groups_read_what_was_paid_for_and_how_many_channels_are_not_named():
    # Every class looked alike, and the seventh source was not there at all.
    some = tuple(SourceFigures(name=f"渠道{n}", new=3, kind="own") for n in range(7))
    day = replace(DAY, sources=(SourceFigures(name="展会", new=9, won=1, kind="paid"), *some))

    for text in (digest_wecom_group(day), digest_dingtalk_group(day)[1]):
        assert "渠道：展会 9（成交 1），渠道0 3，" in text
        assert "，还有 2 个" in text
        assert "类别：自有 21，付费 9（成交 1）" in text


def test_the_dingtalk_group_can_press_what_is_overdue():
    title, text, buttons = digest_dingtalk_group(DAY, "https://leads.example.com/p/1.png")

    assert title == "11月20日日报"
    assert "![漏斗](https://leads.example.com/p/1.png)" in text
    assert buttons[0].text == "#12 王五 超时 → 分配"
    assert buttons[0].line == "/分配 12"
    assert lines(dingtalk.group_message(title, text, buttons))[-1] == "/公海"


def test_without_a_picture_the_dingtalk_digest_has_no_broken_image():
    assert "![" not in digest_dingtalk_group(DAY)[1]


@pytest.mark.parametrize("figures", [DAY, QUIET, EVIL])
def test_every_digest_is_taken_by_its_platform(figures):
    title, text, buttons = digest_dingtalk_group(figures, "https://leads.example.com/p/1.png")

    check_wecom_card(render(digest_card(figures), Channel.WECOM))
    check_dingtalk_message(render(digest_card(figures), Channel.DINGTALK))
    check_dingtalk_message(dingtalk.group_message(title, text, buttons))
    assert len(sendable(dingtalk.group_card(title, text, buttons))) <= 20_000
    group = wecom.group_markdown(digest_wecom_group(figures))
    assert len(group["markdown"]["content"].encode()) <= 4096


def test_a_name_cannot_write_markup_into_a_group():
    text = digest_wecom_group(EVIL) + digest_dingtalk_group(EVIL)[1]

    assert "[" not in text
    assert "<font color=warning" not in text
    assert "\n#" not in text
    assert "**王**" not in text


def test_a_button_of_a_long_number_still_shows_the_whole_number():
    payload = render(digest_card(EVIL), Channel.WECOM)

    assert payload["template_card"]["button_list"][0]["text"] == "看 #9999999"


@pytest.mark.parametrize(
    ("yuan", "said"),
    [(0, "0 元"), (8_500, "8,500 元"), (12_500, "1.25 万"), (486_000, "48.6 万"), (100_000, "10 万"),
     (1_000_000, "100 万"), (120_000_000, "1.2 亿"), (-20_000, "-2 万")],
)  # fmt: skip
def test_money_is_said_the_way_people_say_it(yuan, said):
    assert money(yuan) == said


def test_a_day_on_which_nothing_changed_is_empty():
    assert QUIET.empty


@pytest.mark.parametrize(
    "change",
    [
        {"new": 1},
        {"responded_in_time": 1},
        {"overdue": 1},
        {"claimed": 1},
        {"won": 1},
        {"overdue_leads": ((12, "王五", "李雷"),)},
        {"people": (PersonFigures(name="李雷", followed=1),)},
    ],
)
def test_a_day_with_anything_to_say_is_not_empty(change):
    assert not replace(QUIET, **change).empty


def test_leads_people_merely_hold_are_no_news():
    assert replace(QUIET, people=(PersonFigures(name="李雷", open=42),)).empty
