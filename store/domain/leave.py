"""Leave as people type it: 明天, 周五下午, 3月5日到3月8日, 明天起3天."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from store.domain.blanks import squeeze
from store.domain.dates import DAY, Days, read_date
from store.domain.numerals import normalise, number
from store.domain.team import Away
from store.domain.times import Found, find_times

NOON = timedelta(hours=12)
NIGHT = timedelta(hours=24)
FURTHEST = timedelta(days=300)
"""A date without a year that lies further ahead is more likely one that is over."""
HALVES = {
    "上午": (timedelta(0), NOON), "早上": (timedelta(0), NOON), "下午": (NOON, NIGHT),
    "morning": (timedelta(0), NOON), "afternoon": (NOON, NIGHT),
}  # fmt: skip
WHOLE = frozenset({"", "全天", "一天", "整天", "一整天", "请假", "休息", "all day"})
EXAMPLE = "例如：请假 明天，请假 周五下午，请假 3月5日到3月8日"
BETWEEN = re.compile(r"\s*(?:到|至|[~～—–]+|\s-+\s|-(?=\d{1,2}[.:/月点时])|\bto\b|\buntil\b)\s*")
LONG = re.compile(
    r"(?:(?P<since>.+?)\s*(?:起|开始|from)?\s*(?:请|休|共|连休)?\s*)??"
    r"(?P<n>\d{1,3}|[一二两三四五六七八九十]{1,3})\s*(?P<unit>天|days?|周|个?星期|weeks?)(?:假)?"
)


class Unclear(ValueError):
    """The words name no leave; the text asks back, in Chinese."""


def read_leave(text: str, now: datetime, zone: ZoneInfo) -> Away:
    """From when to when, aware UTC; nothing said is the rest of today. Raises Unclear."""
    words, local = squeeze(normalise(text)).text.strip().rstrip("。.,"), now.astimezone(zone)
    start, end = _span(words, local)
    start = max(start, local)
    if end <= start:
        raise Unclear(f"这段时间已经过了。{EXAMPLE}")
    named = re.search(r"\d{4}", words)
    if (start - local > FURTHEST and not named) or end - start > 2 * FURTHEST:
        raise Unclear(f"是 {start.year} 年 {start.month}月{start.day}日？写上年份再发一次")
    return start.astimezone(UTC), end.astimezone(UTC)


def _span(words: str, local: datetime) -> tuple[datetime, datetime]:
    today = local.date()
    if not words:
        return local, _instant(today, NIGHT, local)
    first, *last = BETWEEN.split(words, maxsplit=1)
    if last:
        start = _edge(first, today, local)
        return start[0], _edge(last[0], start[0].date(), local)[1]
    if counted := LONG.fullmatch(words):
        return _counted(counted, local)
    begins, ends = _edge(words, today, local)
    # A time of day alone is when it begins.
    return begins, ends if ends > begins else _instant(begins.date(), NIGHT, local)


def _counted(match: re.Match[str], local: datetime) -> tuple[datetime, datetime]:
    """So many days from today, or from the day named."""
    days = int(number(match["n"])) * (1 if match["unit"][0] in "天d" else 7)
    since = _edge(match["since"], local.date(), local)[0] if match["since"] else local
    return since, _instant(since.date() + (days - 1) * DAY, NIGHT, local)


def _edge(words: str, since: date, local: datetime) -> tuple[datetime, datetime]:
    """The day, half day or time of day that was named, on or after ``since``."""
    words = words.strip()
    days, rest = _days(words, since, local.date())
    rest = re.sub(r"^(?:的|请假?|\s)+|(?:请假|起|开始)$", "", rest).strip()
    if rest in WHOLE:
        return _instant(days.first, timedelta(0), local), _instant(days.last, NIGHT, local)
    if half := next((half for half in HALVES if rest.startswith(half)), ""):
        rest, (begins, ends) = rest.removeprefix(half), HALVES[half]
        if _is_why(rest, local):
            return _instant(days.first, begins, local), _instant(days.first, ends, local)
    at = _clock(words, days.first, local)
    return at, at


def _is_why(words: str, local: datetime) -> bool:
    """Whether these words tell no time any more: 去医院."""
    return not re.search(r"\d|[和跟、,]|半", words) and not _times(words, local)


def _times(words: str, local: datetime) -> Sequence[Found]:
    return list(find_times(words, local, local.tzinfo)) if local.tzinfo else []


def _days(words: str, since: date, today: date) -> tuple[Days, str]:
    phrase = read_date(words, 0, today)
    if phrase is None:
        return Days(since, since), words
    days = next((days for days in phrase.days if days.last >= since), phrase.days[-1])
    return days, words[phrase.end :]


def _clock(words: str, day: date, local: datetime) -> datetime:
    if "半天" in words:
        raise Unclear("是上午还是下午？例如：请假 明天上午，请假 周五下午")
    told = _times(words, local)
    if len(told) > 1:
        raise Unclear(f"一次说一段，分两次发。{EXAMPLE}")
    found = told[0] if told else None
    if found is None or found.date_only or found.ambiguous or found.recurring:
        raise Unclear(f"没看懂「{words[:12]}」是哪天。{EXAMPLE}")
    clock = found.at.astimezone(local.tzinfo).time()
    return _instant(day, timedelta(hours=clock.hour, minutes=clock.minute), local)


def _instant(day: date, since: timedelta, local: datetime) -> datetime:
    return (datetime.combine(day, time()) + since).replace(tzinfo=local.tzinfo)
