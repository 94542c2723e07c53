"""Reminders that come round: 每周一9点, 每周一三五9点, 每天, 每月15号, 每两周, 隔天."""

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo

from store.domain.dates import add_months
from store.domain.numerals import normalise, number
from store.domain.times import MORNING, find_time

SEVEN = "周|星期|礼拜"
NAMES = "一二三四五六日天"
ONE = rf"(?:[{NAMES}](?![点时])|[1-7](?![点时:\d]))"
DAYS = re.compile(rf"每个?(?:{SEVEN})的?(?P<days>{ONE}(?:(?:[、,和及每 ]|{SEVEN})*{ONE})+)")
INTERVAL = re.compile(
    r"(?:每(?P<gap>隔)?|(?P<alone>隔))(?P<n>\d{1,3}|[一两二三四五六七八九十]+)?个?"
    rf"(?P<unit>分钟|小时|天|日|{SEVEN}|月|季度|半年|年)"
    rf"(?(n)|(?(gap)|(?(alone)|(?![{NAMES}末\d初底中最]))))"
)
WEEKS = frozenset(SEVEN.split("|"))
MONTHS = {"月": 1, "季度": 3, "半年": 6, "年": 12}
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
OFTEN = "一天几次太密了，可以写「每天9点」"
LONGEST = 64  # characters of the words that say how often


@dataclass(frozen=True, slots=True)
class Round:
    """Its next time, the words that say how often, and their place. ``doubt``: what to ask back."""

    at: datetime
    date_only: bool
    words: str
    start: int
    end: int
    doubt: str = ""


def find_round(text: str, now: datetime, zone: tzinfo) -> Round | None:
    """The repetition named in ``text``; None when there is none.

    Raises ValueError when ``now`` is naive.
    """
    plain = normalise(text)
    if match := DAYS.search(plain):
        clock, end = _clock(plain, match.end(), now, zone)
        at = _next_day(match["days"], clock or MORNING, now, zone)
        return Round(at, clock is None, text[match.start() : end], match.start(), end)
    if match := INTERVAL.search(plain):
        return _interval(text, plain, match, now, zone)
    return _single(text, now, zone)


def following(words: str, due_at: datetime, now: datetime, zone: tzinfo) -> datetime | None:
    """The first time after ``now`` of what was due at ``due_at``; missed ones are not made up."""
    at: datetime | None = due_at
    while at is not None and at <= now:
        at = _after(words, at, zone)
    return at


def _after(words: str, at: datetime, zone: tzinfo) -> datetime | None:
    plain = normalise(words)
    match = None if DAYS.search(plain) else INTERVAL.search(plain)
    if match is not None and _single(words, at, zone) is None:
        return _later(at, match, zone)
    tonight = datetime.combine(at.astimezone(zone).date() + DAY, time(), zone) - SECOND
    found = find_round(words, tonight, zone)
    return found.at if found else None


def _clock(plain: str, end: int, now: datetime, zone: tzinfo) -> tuple[time | None, int]:
    """The time of day that stands right behind, if any, and where it ends."""
    behind = plain[end:].lstrip(" 的")
    found = find_time("明天" + behind, now, zone)
    if found is None or found.start or found.date_only:
        return None, end
    return found.at.astimezone(zone).time(), len(plain) - len(behind) + found.end - 2


def _next_day(names: str, clock: time, now: datetime, zone: tzinfo) -> datetime:
    """The next moment at that time of day on one of these days of the week."""
    said = re.findall(ONE, re.sub(SEVEN, "", names))
    wanted = {int(day) - 1 if day.isdecimal() else min(NAMES.index(day), 6) for day in said}
    today = now.astimezone(zone).date()
    days = (today + n * DAY for n in range(8))
    ahead = (datetime.combine(day, clock, zone) for day in days if day.weekday() in wanted)
    return next(at for at in ahead if at > now)


def _interval(
    text: str, plain: str, match: re.Match[str], now: datetime, zone: tzinfo
) -> Round | None:
    bare = not (match["n"] or match["gap"] or match["alone"])
    if bare and (single := _single(text, now, zone)):
        return single  # 每天9点, 每月15号
    if match["unit"] in {"分钟", "小时"}:
        return Round(now, False, "", match.start(), match.end(), OFTEN)
    if match["gap"] and _count(match) > 1:
        n, unit = _count(match), match["unit"]
        doubt = f"是每 {n} {unit}，还是每 {n + 1} {unit}？可以写「每{n}{unit}」"
        return Round(now, False, "", match.start(), match.end(), doubt)
    clock, end = _clock(plain, match.end(), now, zone)
    start = datetime.combine(now.astimezone(zone).date(), clock or MORNING, zone)
    words = text[match.start() : end]
    return Round(_later(start, match, zone), clock is None, words, match.start(), end)


def _count(match: re.Match[str]) -> int:
    return int(number(match["n"])) if match["n"] else 1


def _later(at: datetime, match: re.Match[str], zone: tzinfo) -> datetime:
    """One round later, at the same time of day; 隔天 is every other day."""
    count = max(_count(match), 1) + bool(match["gap"] or match["alone"])
    local = at.astimezone(zone)
    if match["unit"] in MONTHS:
        day = add_months(local.date(), count * MONTHS[match["unit"]])
        return datetime.combine(day, local.time(), zone)
    return local + count * DAY * (7 if match["unit"] in WEEKS else 1)


def _single(text: str, now: datetime, zone: tzinfo) -> Round | None:
    """What the grammar of times knows by itself: 每天, 每个工作日, 每周一, 每月15号."""
    named = find_time(text, now, zone)
    if named is None or not named.recurring:
        return None
    words = text[named.start : named.end]
    midnight = datetime.combine(now.astimezone(zone).date(), time(), zone)
    # Asked as the day begins, 9点 is the morning's; in the afternoon it would be the evening's.
    for base in (midnight + days * DAY - SECOND for days in range(3)):
        found = find_time(words, base, zone)
        if found is not None and found.at > now:
            return Round(found.at, found.date_only, words, named.start, named.end)
    return None
