"""Birthdays and anniversaries of customers: what is told, and when it comes round next."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any

from store.domain.blanks import squeeze
from store.domain.calendar import WorkCalendar
from store.domain.dates import add_months
from store.domain.lead import Lead, Stage
from store.domain.lunar import lunar_date
from store.domain.numerals import normalise, number

DAY = timedelta(days=1)
KINDS = frozenset({"birthday", "anniversary"})
BIRTHDAY = ("birthday", "生日", "出生日期")
CONTRACT = ("contract_date", "签约日", "签约日期", "合同日期", "anniversary", "纪念日")
NUMERAL = r"[一二三四五六七八九十廿卅初正冬腊]+|\d{1,2}"
LUNAR = re.compile(
    rf"(?:农历|阴历|旧历)\s*(?:\d{{4}}年)?(?P<leap>闰)?(?P<month>{NUMERAL})月份?(?P<day>{NUMERAL})[日号]?"
)
# 正月, 冬月, 腊月, a leap month and 初五, 廿三 as a day exist in the lunar calendar only.
LUNAR_ONLY = re.compile(
    rf"闰(?P<leap>{NUMERAL})月份?\s*(?P<leap_day>{NUMERAL})|(?P<moon>[正冬腊])月份?\s*(?P<moon_day>{NUMERAL})"
    r"|(?P<month>[一二三四五六七八九十]+|\d{1,2})月份?\s*(?P<day>初[一二三四五六七八九十]|廿[一二三四五六七八九]?|卅)"
)
NEW_YEAR = re.compile(r"大年(?P<day>初[一二三四五六七八九十])")
NEW_YEARS_EVE = re.compile(r"除夕|大年三十|年三十")
SOLAR = re.compile(
    r"(?:(?P<year>(?:19|20)\d\d)\s*[-/.年]\s*)?(?P<month>\d{1,2})\s*[-/.月]\s*(?P<day>\d{1,2})\s*[日号]?(?!\d)"
)
WRITTEN = re.compile(rf"(?P<month>{NUMERAL})月(?P<day>{NUMERAL})[日号]?")
COMPACT = re.compile(r"(?<!\d)(?P<year>(?:19|20)\d\d)(?P<month>\d\d)(?P<day>\d\d)(?!\d)")
MOONS = {"正": 1, "冬": 11, "腊": 12}


@dataclass(frozen=True, slots=True)
class Yearly:
    """A day of the year; ``lunar``: of the lunar one. ``year``: of the first time, if told."""

    month: int
    day: int
    lunar: bool = False
    year: int | None = None

    def __str__(self) -> str:
        return f"{'农历' if self.lunar else ''}{self.month}月{self.day}日"

    def after(self, today: date) -> date | None:
        """The first such day after ``today``; None when no calendar here knows it."""
        days = (self._in(year) for year in range(today.year - 1, today.year + 3))
        return next((day for day in days if day is not None and day > today), None)

    def _in(self, year: int) -> date | None:
        if self.lunar:
            # A month of 29 days celebrates the 30th on its last.
            return lunar_date(year, self.month, self.day) or lunar_date(
                year, self.month, self.day - 1
            )
        # The 29th of February is celebrated on the 28th.
        return min(
            add_months(date(year, self.month, 1), 1) - DAY,
            date(year, self.month, 1) + (self.day - 1) * DAY,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    kind: str
    at: datetime
    text: str


def read_yearly(words: str) -> Yearly | None:
    """5月12日, 1990-05-12, 0512 as 05-12, 农历五月初五, 腊月三十. None when it names no day of a year."""
    plain = squeeze(normalise(str(words))).text.strip()
    if named := _lunar(plain):
        return _checked(*named, lunar=True)
    if match := COMPACT.search(plain) or SOLAR.search(plain):
        year = int(match["year"]) if match["year"] else None
        return _checked(int(match["month"]), int(match["day"]), year=year)
    if match := WRITTEN.search(plain):
        return _checked(_numeral(match["month"]), _numeral(match["day"]))
    return None


def _lunar(plain: str) -> tuple[int, int] | None:
    """Month and day of the lunar year; None when nothing says that it is a lunar day."""
    if match := LUNAR.search(plain):
        return _numeral(match["month"]), _numeral(match["day"])
    if match := LUNAR_ONLY.search(plain):
        month = match["leap"] or match["moon"] or match["month"]
        return _numeral(month), _numeral(match["leap_day"] or match["moon_day"] or match["day"])
    if match := NEW_YEAR.search(plain):
        return 1, _numeral(match["day"])
    return (12, 30) if NEW_YEARS_EVE.search(plain) else None


def _checked(
    month: int, day: int, *, lunar: bool = False, year: int | None = None
) -> Yearly | None:
    longest = 30 if lunar else (date(2024, month % 12 + 1, 1) - DAY).day if 1 <= month <= 12 else 0
    good = 1 <= month <= 12 and 1 <= day <= longest
    return Yearly(month, day, lunar, year) if good else None


def _numeral(text: str) -> int:
    if text in MOONS:
        return MOONS[text]
    bare = text.removeprefix("初") or "0"
    try:
        return int(bare) if bare.isdecimal() else int(number(bare))
    except ValueError:
        return 0


def known(fields: Mapping[str, Any], names: tuple[str, ...]) -> Yearly | None:
    """The first of these fields that names a day."""
    said = (str(fields[name]) for name in names if fields.get(name))
    return next((day for one in said if (day := read_yearly(one)) is not None), None)


def occasions(lead: Lead, now: datetime, calendar: WorkCalendar) -> list[Occasion]:
    """What the owner is to be reminded of next, once a year; for open leads and customers."""
    if lead.owner is None or not (lead.open or lead.stage == Stage.WON):
        return []
    zone = calendar.zone
    found = []
    if birthday := known(lead.fields, BIRTHDAY):
        found.append(_next("birthday", birthday, now, calendar, f"生日（{birthday}）"))
    signed = known(lead.fields, CONTRACT) or _signed(lead, zone)
    if signed and (lead.stage == Stage.WON or known(lead.fields, CONTRACT)):
        found.append(_next("anniversary", signed, now, calendar, f"签约周年（{signed}）"))
    return [one for one in found if one is not None]


def _signed(lead: Lead, zone: tzinfo) -> Yearly | None:
    if lead.stage != Stage.WON or lead.closed_at is None:
        return None
    day = lead.closed_at.astimezone(zone).date()
    return Yearly(day.month, day.day, year=day.year)


def _next(
    kind: str, yearly: Yearly, now: datetime, calendar: WorkCalendar, text: str
) -> Occasion | None:
    """09:00 of the day itself, or of the last working day before, so that nobody is late."""
    # Today counts until it has rung: what happens to the lead before nine must not move it on.
    day = yearly.after(now.astimezone(calendar.zone).date() - DAY)
    while day is not None:
        told = _workday_until(day, calendar)
        at = calendar.opens(datetime.combine(told, time(9), calendar.zone))
        years = day.year - yearly.year if kind == "anniversary" and yearly.year else 0
        first = kind == "anniversary" and yearly.year is not None and years <= 0
        if at > now and not first:
            since = f"，{years} 周年" if years else ""
            when = "" if told == day else f"，就在 {day.month}月{day.day}日"
            return Occasion(kind=kind, at=at, text=f"{text}{since}{when}")
        day = yearly.after(day)
    return None


def _workday_until(day: date, calendar: WorkCalendar) -> date:
    while not calendar.is_workday(day):
        day -= DAY
    return day
