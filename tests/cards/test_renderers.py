import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cards import dingtalk, render, render_text, wecom
from cards.alarms import alarm_card, alarms_card, letter, over_card
from cards.limits import clean, fit, fit_lines, json_bytes, plain, unmarked, utf8
from cards.model import Button, Card
from cards.quota import tight_card
from store.domain.alarms import Standing
from store.domain.errors import Undeliverable
from store.domain.quota import METERS, Api, Used
from store.domain.team import Channel
from tests.cards.validators import check_dingtalk_message, check_wecom_card, lines, said, sendable

GOLDEN = Path(__file__).parent / "golden"
CHECK = {Channel.WECOM: check_wecom_card, Channel.DINGTALK: check_dingtalk_message}
CHATS = (Channel.WECOM, Channel.DINGTALK)

ASSIGNED = Card(
    title="#42 王五 · 请在 5 分钟内接受",
    note="还剩 5 分，10:40 前",
    rows=(
        ("客户", "王五 · 采购总监"),
        ("公司", "杭州明远精密机械有限公司"),
        ("电话", "138****0000"),
        ("想要", "CRM 企业版"),
        ("来源", "官网表单 · crm 价格"),
    ),
    quote="我们有 40 个销售，想看看多少钱\n最好这周能来演示",
    why="华东 + CRM，按规则轮到你",
    buttons=(
        Button("接受", "/领取 42", primary=True),
        Button("退回", "/退回 42"),
        Button("查看", "/线索 42"),
    ),
)
TAKEN = Card(title="#42 王五 · 已被韩梅领取", note="10:36", rows=(("负责人", "韩梅"),))

CHINA = ZoneInfo("Asia/Shanghai")
AT = datetime(2026, 3, 2, 2, 25, tzinfo=UTC)
LOST = Standing(
    key="wecom:60020",
    text="这台服务器的出口 IP 203.0.113.9 不在企业微信的名单里。到应用页的「企业可信IP」加上它",
    since=AT - timedelta(minutes=25),
    seen_at=AT,
)
CALLS = METERS[Api.DINGTALK_CALLS]

anything = st.text(st.characters(), max_size=60) | st.sampled_from(
    [
        "", " ", "\n", "王" * 5_000, "\ud800", "a\ud83d", "\u202e文本\u202c", "👨‍👩‍👧‍👦" * 900, "\u0301" * 3_000,
        "🇨🇳" * 2_000, '"\\' * 4_000, "![x](http://e.com/a.png)", "[点我](dtmd://x)", "\x00\x07", "{{7*7}}",
        "' OR 1=1 --", "\u200b" * 40, "a" * 70_000, "\u3164", "\ufdd0\uffff", "\r\n" * 3_000,
    ]
)  # fmt: skip
buttons = st.builds(Button, anything, anything, st.booleans())
cards = st.builds(
    Card,
    title=anything,
    note=anything,
    rows=st.lists(st.tuples(anything, anything), max_size=9).map(tuple),
    quote=anything,
    why=anything,
    buttons=st.lists(buttons, max_size=9).map(tuple),
)


@pytest.mark.parametrize("channel", CHATS)
@pytest.mark.parametrize(
    ("name", "card"),
    [
        ("assigned", ASSIGNED),
        ("taken", TAKEN),
        ("connection_lost", alarm_card(LOST, AT, CHINA)),
        ("connection_back", over_card(LOST, AT, CHINA)),
        ("quota_tight", tight_card(Used(CALLS, [(AT, 4_100)]), AT, CHINA)),
        ("quota_over", tight_card(Used(CALLS, [(AT, 4_990)], over=True), AT, CHINA)),
    ],
)
def test_a_card_looks_as_it_did(name, card, channel):
    payload = render(card, channel)

    golden = GOLDEN / f"{name}.{channel}.json"
    assert payload == json.loads(golden.read_text(encoding="utf-8"))


@pytest.mark.parametrize("channel", CHATS)
@given(card=cards)
@example(card=Card(title=""))
@example(card=Card(title="王" * 5_000, rows=(("客户", "\ud800" * 5_000),) * 9, quote="😀" * 5_000))
def test_whatever_is_in_a_card_the_platform_takes_it(channel, card):
    payload = render(card, channel)

    CHECK[channel](payload)


@pytest.mark.parametrize("channel", CHATS)
@given(text=anything)
def test_whatever_is_in_a_text_the_platform_takes_it(channel, text):
    payload = render_text(text, channel)

    if channel == Channel.WECOM:
        assert 1 <= len(payload["text"]["content"].encode()) <= 2048
    else:
        check_dingtalk_message(payload)


@given(markdown=anything, buttons=st.lists(buttons, max_size=12))
def test_whatever_is_said_to_a_group_the_platform_takes_it(markdown, buttons):
    shown = wecom.group_markdown(markdown)
    card = dingtalk.group_card(markdown, markdown, buttons)
    message = dingtalk.group_message(markdown, markdown, buttons)

    assert 1 <= len(shown["markdown"]["content"].encode()) <= 4096
    assert len(sendable(card)) <= 20_000
    check_dingtalk_message(message)


TEMPLATE = Path(__file__).parents[2] / "docs/dingtalk-card/leadbot.json"


def template() -> dict:
    return json.loads(json.loads(TEMPLATE.read_text(encoding="utf-8"))["editorData"])


@given(card=cards)
@example(card=ASSIGNED)
@example(
    card=Card(title="王" * 5_000, rows=(("客户", "\ud800王" * 5_000),) * 9, quote="😀" * 5_000)
)
def test_whatever_is_in_a_card_the_template_takes_it(card):
    made = dingtalk.interactive(card)

    values = made["cardParamMap"] | made["private"]
    assert all(isinstance(value, str) for value in values.values())
    assert all(len(value.encode()) <= 1024 for value in values.values())
    assert made["cardParamMap"]["title"]
    for place in range(1, 5):
        if values[f"canPress{place}"] == "true":
            assert values[f"button{place}"]
            assert values[f"line{place}"]


def test_the_template_that_ships_has_exactly_the_variables_we_send():
    listed = {variable["name"]: variable["private"] for variable in template()["variableList"]}
    made = dingtalk.interactive(ASSIGNED)

    assert {name for name, private in listed.items() if not private} == set(made["cardParamMap"])
    assert {name for name, private in listed.items() if private} == set(made["private"])


def test_each_button_of_the_template_sends_its_line_and_is_there_for_its_reader_only():
    [card] = template()["schema"]["componentsTree"]
    pressed = [
        part["props"] for part in card["children"] if part["componentName"] == "SingleButton"
    ]

    for place, button in enumerate(pressed, 1):
        [param] = button["params"]
        [condition] = button["visible"]["condition"]["conditions"]
        assert (param["name"], param["variable"]) == ("line", f"line{place}")
        assert (condition["variable"], condition["value"]) == (f"canPress{place}", "true")
        assert button["actionType"] == "request"
    assert len(pressed) == 4


def test_a_card_in_the_template_says_what_the_card_says():
    made = dingtalk.interactive(ASSIGNED)

    shown = made["cardParamMap"]
    assert shown["title"] == ASSIGNED.title
    assert "**公司**　杭州明远精密机械有限公司" in shown["rows"]
    assert [shown[f"line{n}"] for n in (1, 2, 3, 4)] == ["/领取 42", "/退回 42", "/线索 42", ""]
    assert (shown["color1"], shown["color2"]) == ("blue", "gray")
    assert list(made["private"].values()) == ["true", "true", "true", "false"]


def test_an_answer_names_every_variable_so_that_nothing_of_the_old_card_is_left():
    before, after = dingtalk.interactive(ASSIGNED), dingtalk.interactive(TAKEN)

    answer = dingtalk.redrawn(after)

    assert set(answer["cardData"]["cardParamMap"]) == set(before["cardParamMap"])
    assert answer["userPrivateData"]["cardParamMap"]["canPress1"] == "false"
    assert answer["cardUpdateOptions"]["updatePrivateDataByKey"] is True


@pytest.mark.parametrize("channel", CHATS)
def test_a_button_says_its_line_word_for_word(channel):
    payload = render(ASSIGNED, channel)

    assert lines(payload) == ["/领取 42", "/退回 42", "/线索 42"]


def test_a_wecom_card_without_buttons_leads_to_my_leads():
    card = render(TAKEN, Channel.WECOM)["template_card"]

    assert card["button_list"] == [{"text": "我的线索", "style": 1, "key": "/我的"}]


@pytest.mark.parametrize(
    ("count", "kind"),
    [(0, "sampleMarkdown"), (1, "sampleActionCard"), (2, "sampleActionCard2"), (7, "sampleActionCard5")],
)  # fmt: skip
def test_dingtalk_has_a_message_kind_per_number_of_buttons(count, kind):
    card = Card(
        title="公海", buttons=tuple(Button(f"领取 {n}", f"/领取 {n}") for n in range(count))
    )

    assert render(card, Channel.DINGTALK)["msgKey"] == kind


@pytest.mark.parametrize("channel", CHATS)
def test_a_line_too_long_for_a_button_is_left_out_and_not_cut_to_another_command(channel):
    card = Card(
        title="x", buttons=(Button("转交", "/转交 42 " + "王" * 400), Button("看", "/线索 42"))
    )

    assert lines(render(card, channel)) == ["/线索 42"]


@pytest.mark.parametrize("channel", CHATS)
def test_the_same_line_twice_is_one_button_the_first(channel):
    card = Card(
        title="x", buttons=(Button("接受", "/领取 42", primary=True), Button("领取", "/领取 42"))
    )

    payload = render(card, channel)

    assert "接受" in repr(payload)
    assert lines(payload) == ["/领取 42"]


def test_what_a_wecom_row_cannot_hold_stands_whole_below():
    address = "浙江省杭州市滨江区江南大道 3888 号信息港 7 号楼 12 层 1203 室"
    card = render(Card(title="#42 王五", rows=(("地址", address),)), Channel.WECOM)[
        "template_card"
    ]

    assert card["horizontal_content_list"][0]["value"].endswith("…")
    assert card["sub_title_text"] == f"地址：{address}"


def test_a_seventh_wecom_row_stands_below():
    rows = tuple((f"第{n}", str(n)) for n in range(1, 8))

    card = render(Card(title="x", rows=rows), Channel.WECOM)["template_card"]

    assert len(card["horizontal_content_list"]) == 6
    assert card["sub_title_text"] == "第7：7"


@pytest.mark.parametrize("channel", CHATS)
def test_a_name_of_5000_characters_does_not_crowd_out_the_rest(channel):
    card = Card(title="#42 " + "王" * 5_000, note="10:40 前", rows=(("电话", "138****0000"),))

    shown = repr(render(card, channel))

    assert "10:40 前" in shown
    assert "138****0000" in shown.replace("∗", "*")


@pytest.mark.parametrize(
    "evil",
    [
        "[点我领奖](https://evil.example)", "![图](https://evil.example/x.png)", "<https://evil.example>",
        "x\n# 大标题", "# 大标题", "> 引用", "- 列表", "1. 列表", "x\n===", "x\n---", "**粗**", "`码`",
        "&#91;点我&#93;(https://evil.example)", "\\[x](y)", "<font color=red>x</font>", "| a | b |",
    ],
)  # fmt: skip
def test_a_prospect_cannot_write_markup_into_a_dingtalk_card(evil):
    card = Card(title=evil, note=evil, rows=(("客户", evil), (evil, "x")), quote=evil, why=evil)

    text = render(card, Channel.DINGTALK)["msgParam"]["text"]

    for line in map(str.strip, text.splitlines()):
        ours = re.match(r"### |> |\*\*", line)
        theirs = line[ours.end() :].replace("**", "") if ours else line
        inside_a_line = line.startswith(("### ", "**"))
        assert inside_a_line or not re.match(r"(#|>|-|1\.|\|) |={2,}|-{2,}", theirs)
        assert not set("[]<>`*\\") & set(theirs)
        assert "&#" not in theirs


def test_a_phone_and_an_address_can_still_be_copied_from_a_dingtalk_card():
    rows = (("电话", "+86 138-0000-0000"), ("邮箱", "wang_wu.x@example.com"))

    text = render(Card(title="#42 王五", rows=rows), Channel.DINGTALK)["msgParam"]["text"]

    assert "+86 138-0000-0000" in text
    assert "wang_wu.x@example.com" in text
    assert text.startswith("### #42 王五")


def test_a_link_in_a_wecom_text_is_shown_and_not_made():
    text = render_text('客户写了 <a href="http://evil.example">点我</a>，a<b 不变', Channel.WECOM)

    assert text["text"]["content"] == '客户写了 ＜a href="http://evil.example">点我＜/a>，a<b 不变'


def test_a_press_in_dingtalk_says_spaces_signs_and_percent_unharmed():
    assert (
        said(dingtalk.say("/跟进 42 谈了 50% & 100+ 台 #关注价格"))
        == "/跟进 42 谈了 50% & 100+ 台 #关注价格"
    )


def test_a_picture_for_a_group_carries_its_own_checksum():
    image = wecom.group_picture(b"png")["image"]

    assert (
        image == {"base64": "cG5n", "md5": "2395f4e9c2604e2ae3d0dbc4eff5d3f7"}
        or len(image["md5"]) == 32
    )


def test_a_picture_wecom_would_refuse_is_not_sent():
    with pytest.raises(Undeliverable, match="2097152"):
        wecom.group_picture(bytes(2 * 1024 * 1024 + 1))


@pytest.mark.parametrize(
    ("text", "limit", "shown"),
    [
        ("王五", 2, "王五"),
        ("王五六", 2, "王…"),
        ("一👨‍👩‍👧二三", 6, "一…"),
        ("一👍🏽二", 3, "一…"),
        ("🇨🇳🇯🇵中", 4, "🇨🇳…"),
        ("e\u0301e\u0301e\u0301", 5, "e\u0301e\u0301…"),
        ("가나다", 2, "가…"),
        ("\u0301" * 9, 3, "\u0301\u0301…"),
        ("很长 的话", 4, "很长…"),
        ("x", 0, ""),
    ],
)
def test_a_text_is_cut_where_a_reader_would_cut_it(text, limit, shown):
    assert fit(text, limit) == shown


@given(text=anything, limit=st.integers(0, 200), size=st.sampled_from([len, utf8, json_bytes]))
def test_a_cut_text_never_exceeds_its_limit(text, limit, size):
    assert size(fit(text, limit, size)) <= limit
    assert size(fit_lines(text, limit, size)) <= limit


def test_lines_are_cut_between_lines():
    text = '**一**\n<font color="warning">二二二</font>\n三'

    assert fit_lines(text, 30) == "**一**\n…"


@given(text=anything)
def test_a_clean_text_can_be_encoded_and_stays_as_it_is(text):
    once = clean(text)

    assert once.encode().decode() == once
    assert "\n" not in plain(text)
    assert plain(once) == plain(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u202eb\u200bc\ufeff", "abc"),
        ("李\u3000雷\t 韩\n梅", "李 雷 韩 梅"),
        ("👨‍👩‍👧 ❤️‍🔥", "👨‍👩‍👧 ❤️‍🔥"),
        ("王\u200d五", "王五"),
        ("𠮷野家𪚥", "𠮷野家𪚥"),
        ("\ud83d王", "王"),
    ],
)
def test_marks_that_cannot_be_seen_are_dropped_and_names_are_kept(text, shown):
    assert plain(text) == shown


def test_unmarked_text_on_one_line_keeps_its_number_sign():
    assert unmarked("#42 王五 - 1. 报价") == "#42 王五 - 1. 报价"


def test_an_alarm_is_a_plain_letter_where_there_is_no_card():
    told = letter(alarm_card(LOST, AT, CHINA))

    assert told["subject"] == "企业微信有问题，要你处理"
    assert LOST.text in told["text"]
    assert "/告警" not in told["text"]


@given(text=anything, key=anything)
def test_whatever_an_alarm_says_its_card_is_taken(text, key):
    alarm = replace(LOST, text=text, key=key)

    for channel in CHATS:
        CHECK[channel](render(alarm_card(alarm, AT, CHINA), channel))
        CHECK[channel](render(alarms_card([alarm] * 9, AT, CHINA), channel))
