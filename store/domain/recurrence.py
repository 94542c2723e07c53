"""Reminders that come round: 每周一三五9点, 每周一到周五, 每月1号和15号, 每月第一个周一, 每两周周三, 隔天."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta, tzinfo

from store.domain.blanks import squeeze
from store.domain.dates import add_months
from store.domain.numerals import normalise, number
from store.domain.times import MORNING, find_time

SEVEN = "周|星期|礼拜"
NAMES = "一二三四五六日天"
ONE = rf"(?:[{NAMES}](?![点时])|[1-7](?![点时:\d天个次]))"
TO = "[到至~-]"
DAYS = re.compile(
    rf"每个?(?:{SEVEN})的?(?P<days>{ONE}(?:(?:[、,和及每 ]|{TO}|{SEVEN})*{ONE})+)(?:的?每天)?"
    rf"|(?P<range>(?:{SEVEN}){ONE}{TO}(?:{SEVEN})?{ONE})(?:的?每[天日]|都)"
)
FROM_TO = re.compile(rf"({ONE}){TO}({ONE})")
DATE = r"(?:3[01]|[12]\d|[1-9]|[二三]?十[一二三四五六七八九]?|[一二三四五六七八九])"
DATES = re.compile(
    rf"每个?月的?(?P<dates>{DATE}[号日]?(?:(?:[、,和及]|每个?月)+{DATE}[号日]?)*(?:[、,和及]|每个?月)+{DATE}[号日])"
)
NTH = re.compile(
    rf"每个?月的?(?:第(?P<nth>[一二三四1-4])|(?P<last>最后))一?个?(?:(?:{SEVEN})(?P<day>{ONE})|(?<=最后一)(?P<end>天)|(?<=最后)(?=一天)一(?P<one>天))"
)
# What would be lost without a word: 每周一9点和周三15点, 每两个月15号, 每季度末.
MORE = re.compile(
    rf"(?:\s*(?:[、,和及]|还有|以及|{TO}|或)\s*(?:每|{SEVEN}|{DATE}[号日点月]|\d{{1,2}}:\d\d|[上下中]午|早上|晚上)"
    rf"|\s*的?\s*(?:第[一二三四五六\d]个?(?:{SEVEN}|月|工作日|天)|(?:最后|倒数)第?[一二三]?个?(?:{SEVEN}|月|工作日|天)"
    rf"|{DATE}[号日](?!楼|线|店)|(?:{SEVEN})[{NAMES}1-7])|的?{DATE}月|的?[初底末中](?!午))"
)
BEFORE = re.compile(rf"(?:(?:{SEVEN})[{NAMES}]|工作日|{DATE}[号日])的?\s*$")
ENGLISH = re.compile(
    r"(?<![a-z])every (?:other )?(?:\d+ )?(?:day|week|month|year|mon|tue|wed|thu|fri|sat|sun|morning|evening)"
)
INTERVAL = re.compile(
    r"(?:每(?P<gap>隔)?|(?P<alone>隔))(?P<n>\d{1,3}|[一两二三四五六七八九十]+)?个?"
    rf"(?P<unit>分钟|小时|天|日|{SEVEN}|月|季度|半年|年)"
    rf"(?(n)|(?(gap)|(?(alone)|(?![{NAMES}末\d初底中最]))))"
)
OF_WEEK = re.compile(rf"的?\s*(?:{SEVEN})?(?P<day>{ONE})")
WEEKS = frozenset(SEVEN.split("|"))
MONTHS = {"月": 1, "季度": 3, "半年": 6, "年": 12}
DAY = timedelta(days=1)
FAR = 70  # days looked ahead: the first Monday of a month is never further
Wanted = Callable[[date], bool]
SECOND = timedelta(seconds=1)
OFTEN = "一天几次太密了，可以写「每天9点」"
NOT_YET = "这样的周期还不会，可以一条写一个：「每周三9点」「每月15号9点」「每月第一个周一9点」"
IN_CHINESE = "重复的提醒用中文写，像「每周一9点」"
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
    written = squeeze(normalise(text))
    found = _found(written.text, now, zone)
    if found is None:
        english = ENGLISH.search(written.text)
        return Round(now, False, "", *english.span(), IN_CHINESE) if english else None
    if not found.doubt and _says_more(written.text, found):
        found = replace(found, doubt=NOT_YET)
    start, end = written.span(found.start, found.end)
    return replace(found, start=start, end=end, words=found.words and text[start:end])


def _found(plain: str, now: datetime, zone: tzinfo) -> Round | None:
    if match := DAYS.search(plain):
        return _on_days(plain, match.span(), _weekdays(match["days"] or match["range"]), now, zone)
    if match := DATES.search(plain):
        return _on_days(plain, match.span(), _dates(match["dates"]), now, zone)
    if match := NTH.search(plain):
        return _on_days(plain, match.span(), _nth(match), now, zone)
    if match := INTERVAL.search(plain):
        return _interval(plain, match, now, zone)
    return _single(plain, now, zone)


def _says_more(plain: str, found: Round) -> bool:
    """Whether what stands beside it belongs to it, and would be lost."""
    daily = plain.startswith(("每天", "每日"), found.start)
    return bool(MORE.match(plain, found.end) or (daily and BEFORE.search(plain[: found.start])))


def following(words: str, due_at: datetime, now: datetime, zone: tzinfo) -> datetime | None:
    """The first time after ``now`` of what was due at ``due_at``; missed ones are not made up."""
    at: datetime | None = due_at
    while at is not None and at <= now:
        at = _after(words, at, zone)
    return at


def _after(words: str, at: datetime, zone: tzinfo) -> datetime | None:
    plain = normalise(words)
    listed = DAYS.search(plain) or DATES.search(plain) or NTH.search(plain)
    match = None if listed else INTERVAL.search(plain)
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


def _on_days(
    plain: str, place: tuple[int, int], wanted: Wanted, now: datetime, zone: tzinfo
) -> Round | None:
    """The next of the wanted days, at the time of day that stands behind."""
    clock, end = _clock(plain, place[1], now, zone)
    today = now.astimezone(zone).date()
    days = (today + n * DAY for n in range(FAR))
    ahead = (datetime.combine(day, clock or MORNING, zone) for day in days if wanted(day))
    at = next((at for at in ahead if at > now), None)
    return Round(at, clock is None, plain[place[0] : end], place[0], end) if at else None


def _weekdays(names: str) -> Wanted:
    """周一、三、五 and 周一到周五."""
    bare = re.sub(SEVEN, "", names)
    wanted = {_weekday(day) for day in re.findall(ONE, bare)}
    for first, last in FROM_TO.findall(bare):
        run = (_weekday(last) - _weekday(first)) % 7
        wanted |= {(_weekday(first) + n) % 7 for n in range(run + 1)}
    return lambda day: day.weekday() in wanted


def _weekday(name: str) -> int:
    return int(name) - 1 if name.isdecimal() else min(NAMES.index(name), 6)


def _dates(names: str) -> Wanted:
    """1号和15号; the 31st of a month of 30 days is its last."""
    wanted = {int(number(day)) for day in re.findall(DATE, names)}
    return lambda day: (
        day.day in wanted or (_is_last(day) and any(other > day.day for other in wanted))
    )


def _is_last(day: date) -> bool:
    return (day + DAY).day == 1


def _nth(match: re.Match[str]) -> Wanted:
    """第一个周一, 最后一个周五, 最后一天."""
    if match["day"] is None:
        return _is_last
    weekday = _weekday(match["day"])
    if match["last"]:
        return lambda day: day.weekday() == weekday and (day + 7 * DAY).month != day.month
    nth = int(number(match["nth"]))
    return lambda day: day.weekday() == weekday and (day.day - 1) // 7 + 1 == nth


def _interval(plain: str, match: re.Match[str], now: datetime, zone: tzinfo) -> Round | None:
    bare = not (match["n"] or match["gap"] or match["alone"])
    if bare and (single := _single(plain, now, zone)):
        return single  # 每天9点, 每月15号
    if match["unit"] in {"分钟", "小时"}:
        return Round(now, False, "", match.start(), match.end(), OFTEN)
    if match["gap"] and _count(match) > 1:
        n, unit = _count(match), match["unit"]
        doubt = f"是每 {n} {unit}，还是每 {n + 1} {unit}？可以写「每{n}{unit}」"
        return Round(now, False, "", match.start(), match.end(), doubt)
    if match["unit"] in WEEKS and (day := OF_WEEK.match(plain, match.end())):
        return _on_days(plain, (match.start(), day.end()), _weekdays(day["day"]), now, zone)
    clock, end = _clock(plain, match.end(), now, zone)
    start = datetime.combine(now.astimezone(zone).date(), clock or MORNING, zone)
    words = plain[match.start() : end]
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
