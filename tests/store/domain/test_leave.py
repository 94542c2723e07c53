"""Leave as it is typed, said on Tuesday, 3 March 2026, at ten in Shanghai."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from store.domain.leave import Unclear, read_leave

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 3, 3, 2, tzinfo=UTC)


def read(text):
    return " – ".join(f"{at.astimezone(ZONE):%m-%d %H:%M}" for at in read_leave(text, NOW, ZONE))


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("", "03-03 10:00 – 03-04 00:00"),
        ("今天", "03-03 10:00 – 03-04 00:00"),
        ("明天", "03-04 00:00 – 03-05 00:00"),
        ("tomorrow", "03-04 00:00 – 03-05 00:00"),
        ("明天请假一天", "03-04 00:00 – 03-05 00:00"),
        ("周五下午", "03-06 12:00 – 03-07 00:00"),
        ("后天上午", "03-05 00:00 – 03-05 12:00"),
        ("3月5日到3月8日", "03-05 00:00 – 03-09 00:00"),
        ("3月5日 至 8日", "03-05 00:00 – 03-09 00:00"),
        ("3/5-3/8", "03-05 00:00 – 03-09 00:00"),
        ("2026-03-05", "03-05 00:00 – 03-06 00:00"),
        ("2026-03-05 到 2026-03-08", "03-05 00:00 – 03-09 00:00"),
        ("明天到周五", "03-04 00:00 – 03-07 00:00"),
        ("下周一到周三", "03-09 00:00 – 03-12 00:00"),
        ("周五到周一", "03-06 00:00 – 03-10 00:00"),
        ("下周", "03-09 00:00 – 03-16 00:00"),
        ("三天", "03-03 10:00 – 03-06 00:00"),
        ("明天起3天", "03-04 00:00 – 03-07 00:00"),
        ("一周", "03-03 10:00 – 03-10 00:00"),
        ("今天下午3点", "03-03 15:00 – 03-04 00:00"),
        ("今天下午3点到5点", "03-03 15:00 – 03-03 17:00"),
        ("明天 10:00-11:30", "03-04 10:00 – 03-04 11:30"),
        ("3月5日 14点-16点", "03-05 14:00 – 03-05 16:00"),
        ("明天下午去医院", "03-04 12:00 – 03-05 00:00"),
        ("明天上午 陪孩子看牙", "03-04 00:00 – 03-04 12:00"),
    ],
)
def test_leave_is_read_as_it_is_typed(text, span):
    assert read(text) == span


@pytest.mark.parametrize(
    "text",
    [
        "昨天",
        "吃饭",
        "半天",
        "3月1日",
        "明天半天",
        "3月3日 8:00-9:00",
        "下周一上午和周三下午",
        "明天上午、后天下午",
        "明天 1小时",
    ],
)
def test_what_is_over_or_unclear_is_asked_back(text):
    with pytest.raises(Unclear):
        read(text)


def test_half_a_day_is_asked_which():
    with pytest.raises(Unclear, match="上午还是下午"):
        read("明天半天")


def test_two_spans_are_not_taken_for_one():
    """It was from Monday nine o'clock to midnight, and Wednesday was nobody's leave."""
    with pytest.raises(Unclear, match="一次说一段"):
        read("下周一上午和周三下午")


def test_a_year_that_is_named_is_believed():
    assert read("2027年3月1日") == "03-01 00:00 – 03-02 00:00"
