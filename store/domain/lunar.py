"""The lunar calendar of 2000 to 2050: festivals people make appointments by."""

from datetime import date, timedelta

FIRST_YEAR = 2000
FIRST_DAY = date(2000, 2, 5)  # the first day of the lunar year 2000

# One number a year, as the published tables have it. The lowest digit is the
# leap month (0: none), the highest says whether that has 30 days, the bits
# between say it of the twelve months: 30 when set, else 29.
# fmt: off
YEARS = (
    0x0c960, 0x0d954, 0x0d4a0, 0x0da50, 0x07552, 0x056a0, 0x0abb7, 0x025d0, 0x092d0, 0x0cab5,
    0x0a950, 0x0b4a0, 0x0baa4, 0x0ad50, 0x055d9, 0x04ba0, 0x0a5b0, 0x15176, 0x052b0, 0x0a930,
    0x07954, 0x06aa0, 0x0ad50, 0x05b52, 0x04b60, 0x0a6e6, 0x0a4e0, 0x0d260, 0x0ea65, 0x0d530,
    0x05aa0, 0x076a3, 0x096d0, 0x04afb, 0x04ad0, 0x0a4d0, 0x1d0b6, 0x0d250, 0x0d520, 0x0dd45,
    0x0b5a0, 0x056d0, 0x055b2, 0x049b0, 0x0a577, 0x0a4b0, 0x0aa50, 0x1b255, 0x06d20, 0x0ada0,
    0x14b63,
)
# fmt: on


def lunar_date(year: int, month: int, day: int, *, leap: bool = False) -> date | None:
    """The date of a lunar day; None when that year has no such day, or is not in the table."""
    start = FIRST_DAY
    for listed, code in enumerate(YEARS, FIRST_YEAR):
        for name, is_leap, days in _months(code):
            if (listed, name, is_leap) == (year, month, leap):
                return start + timedelta(days=day - 1) if 1 <= day <= days else None
            start += timedelta(days=days)
    return None


def last_lunar_day(year: int) -> date | None:
    """除夕 of the lunar year, which lies in January or February of the next one."""
    following = lunar_date(year + 1, 1, 1)
    return following and following - timedelta(days=1)


def _months(code: int) -> list[tuple[int, bool, int]]:
    """(month, leap, days) of one year, in order."""
    months = []
    for month in range(1, 13):
        months.append((month, False, 30 if code & (0x10000 >> month) else 29))
        if month == code & 0xF:
            months.append((month, True, 30 if code & 0x10000 else 29))
    return months
