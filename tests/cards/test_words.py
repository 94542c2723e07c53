"""How moments and money are said."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cards.words import dated, exact, moment, stamp
from store.domain.money import find_amount
from store.domain.times import find_time

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 3, 2, 10, tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("at", "short", "full"),
    [
        # was 「3月3日 09:00」, which on the second of March is tomorrow
        ((2027, 3, 3), "2027年3月3日 09:00", "2027年3月3日 周三 09:00"),
        ((2036, 3, 2), "2036年3月2日 09:00", "2036年3月2日 周日 09:00"),
        ((2025, 12, 31), "2025年12月31日 09:00", "2025年12月31日 周三 09:00"),
        ((2026, 3, 3), "明天 09:00", "3月3日 周二 09:00"),
        ((2026, 12, 31), "12月31日 09:00", "12月31日 周四 09:00"),
    ],
)
def test_a_moment_of_another_year_names_the_year(at, short, full):
    day = datetime(*at, 9, tzinfo=SHANGHAI)

    assert moment(day, NOW, SHANGHAI) == short
    assert dated(day, NOW, SHANGHAI) == full
    assert stamp(day, NOW, SHANGHAI) == full


@pytest.mark.parametrize("yuan", [123_456, 123_456_789, 9_999, 100_050, 1_280_000])
def test_a_line_on_a_button_keeps_every_yuan(yuan):
    assert find_amount(exact(yuan)).yuan == yuan


@given(
    st.datetimes(
        datetime(2024, 1, 1),  # noqa: DTZ001 - hypothesis wants naive bounds
        datetime(2030, 1, 1),  # noqa: DTZ001
        timezones=st.just(SHANGHAI),
    ),
    st.integers(1, 400 * 24 * 60),
)
def test_a_moment_said_in_full_is_read_back_as_the_same_minute(now, minutes):
    at = (now + timedelta(minutes=minutes)).replace(second=0, microsecond=0)
    if at <= now:
        at += timedelta(minutes=1)

    again = find_time(dated(at, now, SHANGHAI), now, SHANGHAI)

    assert (again.at, again.ambiguous) == (at, "")
