"""What comes round: when next, and when after that."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.domain.recurrence import find_round, following

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 21, 10, tzinfo=SHANGHAI)  # a Saturday


def said(at):
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("text", "first", "second"),
    [
        ("每周一9点", "2026-11-23 09:00", "2026-11-30 09:00"),
        ("每周六9点", "2026-11-28 09:00", "2026-12-05 09:00"),  # was this evening at nine
        ("每周一三五9点", "2026-11-23 09:00", "2026-11-25 09:00"),
        ("每周二、四下午3点", "2026-11-24 15:00", "2026-11-26 15:00"),
        ("每周1、3 9点", "2026-11-23 09:00", "2026-11-25 09:00"),
        ("每天早上9点", "2026-11-22 09:00", "2026-11-23 09:00"),
        ("每晚8点", "2026-11-21 20:00", "2026-11-22 20:00"),
        ("每个工作日9点", "2026-11-23 09:00", "2026-11-24 09:00"),
        ("每月15号上午10点", "2026-12-15 10:00", "2027-01-15 10:00"),
        ("每月底", "2026-11-30 09:00", "2026-12-31 09:00"),
        ("每年5月12日", "2027-05-12 09:00", "2028-05-12 09:00"),
        ("每两周", "2026-12-05 09:00", "2026-12-19 09:00"),
        ("每3天10点半", "2026-11-24 10:30", "2026-11-27 10:30"),
        ("隔天9点", "2026-11-23 09:00", "2026-11-25 09:00"),
        ("每隔一天", "2026-11-23 09:00", "2026-11-25 09:00"),
        ("每季度", "2027-02-21 09:00", "2027-05-21 09:00"),
        ("每半年", "2027-05-21 09:00", "2027-11-21 09:00"),
        # were Mondays at 09:00, the 1st only, the same day of next month, and Saturdays
        ("每周一到周五下午3点", "2026-11-23 15:00", "2026-11-24 15:00"),
        ("每周四至周五 9点", "2026-11-26 09:00", "2026-11-27 09:00"),
        ("周一到周五每天9点", "2026-11-23 09:00", "2026-11-24 09:00"),
        ("每月1号和15号", "2026-12-01 09:00", "2026-12-15 09:00"),
        ("每月5、20号下午2点", "2026-12-05 14:00", "2026-12-20 14:00"),
        ("每个月第一个周一9点", "2026-12-07 09:00", "2027-01-04 09:00"),
        ("每月最后一个周五下午3点", "2026-11-27 15:00", "2026-12-25 15:00"),
        ("每月最后一天", "2026-11-30 09:00", "2026-12-31 09:00"),
        ("每两周周三下午3点", "2026-11-25 15:00", "2026-12-09 15:00"),
        ("隔周周三9点", "2026-11-25 09:00", "2026-12-09 09:00"),
        ("每 3 天 10 点半", "2026-11-24 10:30", "2026-11-27 10:30"),
        ("每周三 下午 3 点", "2026-11-25 15:00", "2026-12-02 15:00"),
    ],
)
def test_the_next_time_and_the_one_after(text, first, second):
    found = find_round(f"{text} 回访", NOW, SHANGHAI)

    again = following(found.words, found.at, found.at, SHANGHAI)

    assert (said(found.at), found.words, found.doubt) == (first, text, "")
    assert said(again) == second


@pytest.mark.parametrize("text", ["下周一9点", "明天", "每次都聊价格", "3天后", ""])
def test_what_happens_once_does_not_come_round(text):
    assert find_round(text, NOW, SHANGHAI) is None


@pytest.mark.parametrize(
    ("text", "doubt"),
    [("每隔三天 回访", "是每 3 天，还是每 4 天"), ("每小时", "太密了"), ("每30分钟", "太密了")],
)
def test_what_can_mean_two_things_is_asked_back(text, doubt):
    assert doubt in find_round(text, NOW, SHANGHAI).doubt


WORDS = st.sampled_from(
    ["每周一9点", "每天", "每两周", "每月15号", "每周一三五9点", "隔天", "每半年"]
)


@given(WORDS, st.integers(0, 500 * 24 * 60))
def test_what_was_missed_is_not_made_up_and_the_next_is_always_ahead(words, minutes):
    due = find_round(words, NOW, SHANGHAI).at
    now = due + timedelta(minutes=minutes)

    assert following(words, due, now, SHANGHAI) > now


@given(
    st.lists(st.sampled_from("每隔周一三五天月号年9点上午3两半个小时季度 底"), max_size=12).map(
        "".join
    )
)
def test_no_text_makes_it_fail(text):
    found = find_round(text, NOW, SHANGHAI)

    assert found is None or found.doubt or (found.at > NOW and 0 <= found.start < found.end)


@pytest.mark.parametrize(
    "text",
    [
        "每周一9点和周三15点",
        "每两个月15号",
        "每季度第一个月5号",
        "每天9点和15点",
        "每月第一个工作日",
        "每年3月3日和9月3日",
        "every monday 9am",
    ],
)
def test_what_would_lose_a_part_is_refused_and_says_how_to_write_it(text):
    """Half of it was taken, and the rest became the reminder's text."""
    found = find_round(text, NOW, SHANGHAI)

    assert "「每" in found.doubt


@pytest.mark.parametrize(
    "text", ["每月15号 第一次对账", "每周三 初步沟通", "每周一到周五9点 打电话"]
)
def test_the_words_behind_a_repetition_are_what_it_is_about(text):
    found = find_round(text, NOW, SHANGHAI)

    assert not found.doubt
    assert text[found.end :].startswith(" ")
