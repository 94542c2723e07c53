"""
Which days a Chinese phrase can mean.

A rule is a pattern and a reader; the reader gives every day (or run of days) the
words can mean, earliest first: 周五 is each Friday, 12月25日 that day of each year,
明天 exactly one. Choosing among them, and the time of day, is the business of
``store.domain.times``.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice
from typing import NamedTuple

from chinese_calendar import get_solar_terms

from store.domain.calendar import MAKE_UP_WORKDAYS, PUBLIC_HOLIDAYS, PUBLISHED
from store.domain.lunar import last_lunar_day, lunar_date
from store.domain.numerals import number

DAY = timedelta(days=1)
FAR = 8  # years looked ahead for a day without a year: the next 29 February is never further
SOON = 60  # weeks looked ahead for a weekday


class Days(NamedTuple):
    """A run of days, both ends included; mostly a single one."""

    first: date
    last: date


Reader = Callable[[re.Match[str], date], Iterable[Days]]


@dataclass(frozen=True, slots=True)
class Rule:
    """``again``: said on such a day, the words may mean today or the next one (周五, 15号)."""

    pattern: re.Pattern[str]
    read: Reader
    again: bool = False
    weekday: bool = False


@dataclass(frozen=True, slots=True)
class DatePhrase:
    """What was understood at one place of a text. ``days`` is never empty."""

    rule: Rule
    days: tuple[Days, ...]
    end: int


N = r"(?:\d{1,2}|[二三]?十[一二三四五六七八九]?|廿[一二三四五六七八九]?|卅一?|[一二三四五六七八九])"
SEVEN = r"(?:周|星期|礼拜)"
CN = "零〇一二三四五六七八九"
YEAR = (
    rf"(?:(?P<year>\d{{4}}|\d{{2}}|[{CN}]{{4}}|[{CN}]{{2}})年"
    r"|(?P<rel>大前年|今年|本年|这一年|明年|来年|下年|后年|去年|上年|前年))的?"
)
MONTH = (
    rf"(?<![近历])(?:(?:{YEAR})?(?P<month>{N}|(?<![\d万千百{CN}十])元(?=月))月份?"
    r"|(?P<turn>上+一?个?|(?<!一)下+一?个?|本|这个?|当|次|今个)月份?)的?"
)
TAIL = r"尾(?![款数号单货巴])"
PART = rf"(?:初|中旬|中|底|末|{TAIL}|上旬|下旬|最后一天)"
RELATIVE_YEARS = {
    word: ahead
    for ahead, words in enumerate(
        ("大前年", "前年", "去年 上年", "今年 本年 这一年", "明年 来年 下年", "后年"), -3
    )
    for word in words.split()
}


def read_date(text: str, start: int, today: date) -> DatePhrase | None:
    """The longest date phrase beginning at ``start`` of a normalised text."""
    if start >= len(text) or text[start] not in STARTS:
        return None
    phrases = [phrase for rule in RULES if (phrase := _apply(rule, text, start, today))]
    return max(phrases, key=lambda phrase: phrase.end, default=None)


def _apply(rule: Rule, text: str, start: int, today: date) -> DatePhrase | None:
    match = rule.pattern.match(text, start)
    if match is None:
        return None
    days = tuple(islice(_existing(rule.read, match, today), SOON))
    return DatePhrase(rule, days, match.end()) if days else None


def _existing(read: Reader, match: re.Match[str], today: date) -> Iterator[Days]:
    """The days of a reader; a phrase that names no day at all (2月30日) gives none."""
    try:
        yield from read(match, today)
    except (ValueError, OverflowError):
        return


def value(text: str) -> int:
    return int(number(text))


def one(day: date) -> Iterator[Days]:
    yield Days(day, day)


def whole_month(year: int, month: int) -> Days:
    first = date(year, month, 1)
    return Days(first, add_months(first, 1) - DAY)


def add_months(day: date, months: int) -> date:
    """The same day so many months on, or the last day of that month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    following = date(year + (month + 1) // 12, (month + 1) % 12 + 1, 1)
    return min(following - DAY, date(year, month + 1, 1) + (day.day - 1) * DAY)


def years(match: re.Match[str], today: date) -> Iterable[int]:
    """The year that was named, else every one it could be, last year's lunar months included."""
    named = match.groupdict()
    if named.get("rel"):
        return [today.year + RELATIVE_YEARS[named["rel"]]]
    if named.get("year"):
        return [_four_digits(value(named["year"]), today)]
    return range(today.year - 1, today.year + FAR)


def _four_digits(year: int, today: date) -> int:
    if year >= 100:
        return year
    century = today.year // 100 * 100
    return century + year if century + year <= today.year + 20 else century - 100 + year


def months(match: re.Match[str], today: date) -> Iterable[tuple[int, int]]:
    """(year, month) as named; without a month this one and those that follow."""
    named = match.groupdict()
    if named.get("month"):
        month = 1 if named["month"] == "元" else value(named["month"])
        return ((year, month) for year in years(match, today))
    turn = named.get("turn")
    if turn is None:
        return (_month(today, ahead) for ahead in range(13))
    return [_month(today, _turns(turn))]


def _turns(word: str) -> int:
    """下 is one ahead, 下下 two, 上 one back, 本 none."""
    return word.count("下") + word.count("次") - word.count("上")


def _month(today: date, ahead: int) -> tuple[int, int]:
    moved = add_months(today.replace(day=1), ahead)
    return moved.year, moved.month


def day_of_month(match: re.Match[str], today: date) -> Iterator[Days]:
    for year, month in months(match, today):
        if _exists(year, month, day := value(match["day"])):
            yield Days(date(year, month, day), date(year, month, day))


def _exists(year: int, month: int, day: int) -> bool:
    return 1 <= month <= 12 and 1 <= day <= whole_month(year, month).last.day


def part_of_month(match: re.Match[str], today: date) -> Iterator[Days]:
    for year, month in months(match, today):
        yield _part(whole_month(year, month), match["part"])


def _part(month: Days, part: str | None) -> Days:
    first, last = month
    tenth, fifteenth, twentieth = (first + n * DAY for n in (9, 14, 19))
    parts = {
        None: month,
        "初": Days(first, first),
        "中": Days(fifteenth, fifteenth),
        "上旬": Days(first, tenth),
        "中旬": Days(tenth + DAY, twentieth),
        "下旬": Days(twentieth + DAY, last),
    }
    return parts.get(part, Days(last, last))


def edge_of_month(match: re.Match[str], today: date) -> Iterator[Days]:
    span = (value(match["count"]) - 1) * DAY
    for first, last in (whole_month(*month) for month in months(match, today)):
        yield Days(last - span, last) if match["last"] else Days(first, first + span)


def nth_workday(match: re.Match[str], today: date) -> Iterator[Days]:
    """The last working day of a month or a week, or the first, or the third."""
    for first, last in (whole_month(*month) for month in months(match, today)):
        yield from _nth_workday(first, last, match["nth"])


def nth_workday_of_week(match: re.Match[str], today: date) -> Iterator[Days]:
    monday = today - today.weekday() * DAY + 7 * _turns(match["turn"]) * DAY
    yield from _nth_workday(monday, monday + 6 * DAY, match["nth"])


def _nth_workday(first: date, last: date, nth: str | None) -> Iterator[Days]:
    days = [first + n * DAY for n in range((last - first).days + 1)]
    work = [day for day in days if is_public_workday(day)]
    place = value(nth) - 1 if nth else len(work) - 1
    yield from (one(work[place]) if 0 <= place < len(work) else ())


def nth_week(match: re.Match[str], today: date) -> Iterator[Days]:
    """第三周 begins with the third Monday of the month, 第三个周二 is its third Tuesday."""
    for year, month in months(match, today):
        weekday = WEEKDAYS[match["day"]] if match["day"] else 0
        day = _nth(year, month, weekday, value(match["nth"]))
        yield Days(day, day if match["day"] else day + 6 * DAY)


def _nth(year: int, month: int, weekday: int, nth: int) -> date:
    first = date(year, month, 1)
    return first + ((weekday - first.weekday()) % 7 + 7 * (nth - 1)) * DAY


def week_of_year(match: re.Match[str], today: date) -> Iterator[Days]:
    for year in years(match, today):
        monday = date.fromisocalendar(year, value(match["nth"]), 1)
        yield Days(monday, monday + 6 * DAY)


def part_of_year(match: re.Match[str], today: date) -> Iterator[Days]:
    for year in years(match, today):
        first = date(year, 1, 1)
        day = {"中": date(year, 7, 1), "初": first, "伊始": first, "第一天": first}.get(
            match["part"]
        )
        yield from one(day or date(year, 12, 31))


def whole_year(match: re.Match[str], today: date) -> Iterator[Days]:
    for year in years(match, today):
        yield Days(date(year, 1, 1), date(year, 12, 31))


def today_in_years(match: re.Match[str], today: date) -> Iterator[Days]:
    yield from one(add_months(today, 12 * RELATIVE_YEARS[match["rel"]]))


def same_day_later(match: re.Match[str], today: date) -> Iterator[Days]:
    """下个月今天 and 下周这个时候 are days like today, not where the month or the week begins."""
    ahead = _turns(match["turn"])
    yield from one(add_months(today, ahead) if match["month"] else today + 7 * ahead * DAY)


def within(match: re.Match[str], today: date) -> Iterator[Days]:
    """年内 ends with the year, 周内 with the week."""
    if match["unit"] == "年":
        yield from one(date(today.year, 12, 31))
    else:
        yield _in_week(today - today.weekday() * DAY, None, today)


def half_year(match: re.Match[str], today: date) -> Iterator[Days]:
    for year in years(match, today):
        month = 1 if match["half"] == "上" else 7
        yield Days(date(year, month, 1), whole_month(year, month + 5).last)


def quarter(match: re.Match[str], today: date) -> Iterator[Days]:
    for year in years(match, today):
        nth = 1 if match["nth"] == "首" else value(match["nth"])
        yield _quarter(date(year, 3 * nth - 2, 1), match["part"])


def next_quarter(match: re.Match[str], today: date) -> Iterator[Days]:
    begun = today.replace(month=(today.month - 1) // 3 * 3 + 1, day=1)
    yield _quarter(add_months(begun, 3 * _turns(match["turn"])), match["part"])


def _quarter(first: date, part: str | None) -> Days:
    last = add_months(first, 3) - DAY
    return {None: Days(first, last), "初": Days(first, first)}.get(part, Days(last, last))


WEEKDAYS = {char: index for index, char in enumerate("一二三四五六日")} | {"天": 6, "末": 5}
WEEKDAYS |= {str(index + 1): index for index in range(7)}


def weekday(match: re.Match[str], today: date) -> Iterator[Days]:
    """下周三 is the Wednesday of the next week, weeks beginning on Monday; 周三 any."""
    monday = today - today.weekday() * DAY
    day, turn = match["day"], match["turn"]
    if turn is not None:
        yield _in_week(monday + 7 * _turns(turn) * DAY, day, today)
    elif day is not None:
        upcoming = (monday + 7 * week * DAY for week in range(SOON))
        yield from (
            days for start in upcoming if (days := _in_week(start, day, today)).last >= today
        )


def _in_week(monday: date, day: str | None, today: date) -> Days:
    first = monday + (WEEKDAYS[day] if day else 0) * DAY
    if day is None:
        friday = monday + 4 * DAY
        return Days(monday, friday if monday <= today <= friday else monday + 6 * DAY)
    return Days(first, first + DAY) if day == "末" else Days(first, first)


DAY_WORDS = {
    word: ahead
    for ahead, words in enumerate(("大前", "前", "昨", "今当", "明听次翌隔", "后", "大后"), -3)
    for word in ([words] if words.startswith("大") else words)
}


def day_word(match: re.Match[str], today: date) -> Iterator[Days]:
    return one(today + DAY_WORDS[match["word"] or match["soon"]] * DAY)


def tomorrow_or_after(match: re.Match[str], today: date) -> Iterator[Days]:
    yield Days(today + DAY, today + 2 * DAY)


def every_day(match: re.Match[str], today: date) -> Iterator[Days]:
    for ahead in range(SOON):
        yield from one(today + ahead * DAY)


def every_workday(match: re.Match[str], today: date) -> Iterator[Days]:
    return (days for days in every_day(match, today) if is_public_workday(days.first))


def next_workday(match: re.Match[str], today: date) -> Iterator[Days]:
    return one(_workdays_on(today, 1))


def is_public_workday(day: date) -> bool:
    if day in PUBLIC_HOLIDAYS:
        return False
    return day.weekday() < 5 or day in MAKE_UP_WORKDAYS


def _listed(text: str) -> dict[str, tuple[int, int]]:
    """Read a list of ``name month/day``."""
    entries = (entry.split() for entry in text.split(","))
    return {name: (int(day.split("/")[0]), int(day.split("/")[1])) for name, day in entries}


FIXED_FESTIVALS = _listed(
    "元旦 1/1, 情人节 2/14, 圣瓦伦丁节 2/14, 妇女节 3/8, 三八妇女节 3/8, 三八节 3/8, 植树节 3/12, 消费者权益日 3/15, 三一五 3/15,"
    "愚人节 4/1, 劳动节 5/1, 五一 5/1, 青年节 5/4, 儿童节 6/1, 六一 6/1, 618 6/18, 建党节 7/1,"
    "建军节 8/1, 教师节 9/10, 国庆 10/1, 十一 10/1, 万圣节 10/31, 双十一 11/11, 双11 11/11, 双十二 12/12,"
    "双12 12/12, 平安夜 12/24, 圣诞 12/25, 跨年 12/31"
)
LUNAR_FESTIVALS = _listed(
    "春节 1/1, 农历新年 1/1, 大年初一 1/1, 过年 1/1, 元宵 1/15, 端午 5/5, 七夕 7/7, 中元节 7/15,"
    "中秋 8/15, 重阳 9/9, 腊八 12/8, 小年 12/23"
)
NTH_FESTIVALS = {"母亲节": (5, 6, 2), "父亲节": (6, 6, 3), "感恩节": (11, 3, 4)}
LAST_OF_YEAR = {"除夕", "大年三十", "年三十"}
SHORT = "十一"
"""国庆 where what stands behind says so; else an hour, a day or a month."""
FESTIVALS = [
    *(name for name in FIXED_FESTIVALS if name != SHORT),
    *LUNAR_FESTIVALS,
    *NTH_FESTIVALS,
    *LAST_OF_YEAR,
]
HOLIDAY_LENGTH = {"春节": 7, "过年": 7, "农历新年": 7, "国庆": 7, SHORT: 7, "五一": 5, "劳动节": 5}
AROUND = (
    r"(?:假期|长假|当天|那天|期间|前后)?(?:(?:(?P<after>(?:之|以|过)?后|(?:放假|放完假|休假|休完假)?(?:回来|结束|上班)(?:[之以]?后(?!天))?)|(?P<before>(?:之|以)?前(?!后)))"
    r"(?:的?(?P<count>\d{1,2}|[一二两三四五六七八九十])个?(?P<span>天|日|周|星期|礼拜|月)(?![一二三四五六日天\d])"
    r"|(?<=后)的?(?:上班)?的?(?:第一|首)(?:天|个?工作日))?)?"
)


def festival(match: re.Match[str], today: date) -> Iterator[Days]:
    for year in years(match, today):
        for day in _festivals(match["name"], year):
            yield from one(_around(match, day))


def past_festival(match: re.Match[str], today: date) -> Iterator[Days]:
    """过完年, 过完国庆."""
    name = {"年": "春节", "春": "春节"}.get(match["name"], match["name"])
    for year in years(match, today):
        yield from (
            Days(day, day) for on in _festivals(name, year) for day in [_back_at_work(on, name)]
        )


def new_year(match: re.Match[str], today: date) -> Iterator[Days]:
    """年前 and 年后 mean Spring Festival, as everybody in an office does."""
    for year in years(match, today):
        for day in _festivals("春节", year):
            yield from one(_around(match, day))


def _festivals(name: str, year: int) -> Iterator[date]:
    """The days of a festival in the year; 除夕 may be that of either lunar year."""
    if name in FIXED_FESTIVALS:
        yield date(year, *FIXED_FESTIVALS[name])
    elif name in NTH_FESTIVALS:
        yield _nth(year, *NTH_FESTIVALS[name])
    elif name in LAST_OF_YEAR:
        yield from filter(None, (last_lunar_day(year - 1), last_lunar_day(year)))
    elif day := lunar_date(year, *LUNAR_FESTIVALS[name]):
        yield day


def _around(match: re.Match[str], day: date) -> date:
    said = match.groupdict()
    if said.get("count"):  # 春节前一周, 国庆后三天
        days = int(number(said["count"])) * {"天": 1, "日": 1, "月": 30}.get(said["span"], 7)
        return day + (days if match["after"] else -days) * DAY
    if said.get("before"):
        return day - DAY
    return _back_at_work(day, said.get("name") or "春节") if said.get("after") else day


def _back_at_work(day: date, name: str) -> date:
    """The first workday after a festival; by its usual length in a year nobody published."""
    day += DAY if day.year in PUBLISHED else HOLIDAY_LENGTH.get(name, 1) * DAY
    while not is_public_workday(day):
        day += DAY
    return day


SEASONS = {"春": "立春", "夏": "立夏", "秋": "立秋", "冬": "立冬"}
TERMS = ("立春", "春分", "清明", "立夏", "芒种", "夏至", "立秋", "秋分", "立冬", "冬至")


def solar_term(match: re.Match[str], today: date) -> Iterator[Days]:
    name = SEASONS.get(match["name"], match["name"])
    for year in years(match, today):
        terms = get_solar_terms(date(year, 1, 1), date(year, 12, 31))
        days = (day for day, term in terms if term == name)
        yield from (Days(day, day) for day in (_around(match, day) for day in days))


def lunar_day(match: re.Match[str], today: date) -> Iterator[Days]:
    """A lunar date. What could as well be a solar one needs 农历, 正月, 腊月, 闰 or 初 to be one."""
    if not re.search(r"农历|阴历|正月|冬月|腊月|闰|初", match[0]):
        return
    month = {"正": 1, "冬": 11, "腊": 12}.get(match["moon"]) or value(match["moon"])
    day = value(match["day"].lstrip("初")) if match["day"] else 1
    for year in years(match, today):
        found = lunar_date(year, month, day, leap=match["leap"] is not None)
        yield from one(found) if found else ()


def new_year_day(match: re.Match[str], today: date) -> Iterator[Days]:
    for year in years(match, today):
        found = lunar_date(year, 1, value(match["day"]))
        yield from one(found) if found else ()


QUANTITY = (
    r"(?P<lead>再过|过|等|未来|今后|接下来|往后|(?<![以之最])[下后](?=[\d三四五六七八九]))?的?"
    r"(?P<n>半|几|\d{1,4}(?:\.\d)?|[一二两俩三四五六七八九十百]{1,4})[多来]?(?P<of>个)?(?P<half>半)?多?"
)
SHIFT = (
    r"(?P<half_after>半)?(?:(?P<ahead>(?:之|以)?[后内](?:的?今[天日])?)|(?P<back>(?:之|以)?前))?"
)
ABOUT = re.compile(r"[一二两三四五六七八九]{2}")  # 三四天后, 两三个小时后
SPANS = {"未来", "今后", "接下来", "往后"}
WORKDAY_UNITS = {"工作日", "交易日"}


def quantity(match: re.Match[str]) -> float:
    """How many units; negative when they lie back. None of it is said with 个月 left bare.

    Raises ValueError when the words name a number but neither direction.
    """
    if not (match["lead"] or match["ahead"] or match["back"]):
        raise ValueError("a span, not a moment")
    said = match["n"][:1] if ABOUT.fullmatch(match["n"]) else match["n"]
    count = {"半": 0.5, "几": 3.0}.get(said) or float(number(said))
    count += 0.5 if match["half"] or match["half_after"] else 0
    return -count if match["back"] else count


def days_away(match: re.Match[str], today: date) -> Iterator[Days]:
    count, unit = quantity(match), match["unit"]
    if unit == "日" and match["back"] and match["n"].isdecimal() and 0 < -count <= 31:
        raise ValueError("25日前 is before the 25th")
    if unit in WORKDAY_UNITS:
        return one(_workdays_on(today, int(count)))
    if unit in {"天", "日", "周", "星期", "礼拜"}:
        return one(today + round(count * (1 if unit in "天日" else 7) + 0.01) * DAY)
    return one(_months_on(match, today, count))


def _months_on(match: re.Match[str], today: date, count: float) -> date:
    unit = match["unit"]
    if unit == "月" and not (match["of"] or match["n"] in {"半", "两", "俩"}):
        raise ValueError("3月 is March")
    if unit == "年" and abs(count) >= 100:
        raise ValueError("2025年 is a year")
    total = count * {"月": 1, "季度": 3, "年": 12}[unit]
    last = DAY if match["lead"] in SPANS else timedelta(0)  # 未来两个月 ends the day before
    return add_months(today, int(total)) + int((total - int(total)) * 30) * DAY - last


def _workdays_on(today: date, count: int) -> date:
    step = DAY if count >= 0 else -DAY
    day = today
    for _ in range(min(abs(count), 1000)):
        day += step
        while not is_public_workday(day):
            day += step
    return day


def numeric(match: re.Match[str], today: date) -> Iterator[Days]:
    month, day = int(match["month"]), int(match["day"])
    for year in years(match, today):
        if _exists(year, month, day):
            yield Days(date(year, month, day), date(year, month, day))


ENGLISH_DAYS = {
    "today": 0,
    "to": 0,
    "tomorrow": 1,
    "tmr": 1,
    "tmrw": 1,
    "tmw": 1,
    "yesterday": -1,
    "the day after tomorrow": 2,
}
ENGLISH_COUNTS = [
    "a",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
]
ENGLISH_WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ENGLISH_MONTHS = (
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
)  # fmt: skip


def english_day(match: re.Match[str], today: date) -> Iterator[Days]:
    return one(today + ENGLISH_DAYS[re.sub(r"^day", "the day", match["word"])] * DAY)


def english_weekday(match: re.Match[str], today: date) -> Iterator[Days]:
    """Next Wednesday is that of the next week, as 下周三 is; Wednesday any."""
    monday = today - today.weekday() * DAY
    ahead = ENGLISH_WEEK.index(match["day"][:3])
    if match["turn"]:
        yield from one(monday + (7 * ENGLISH_TURNS[match["turn"]] + ahead) * DAY)
        return
    upcoming = (monday + (7 * week + ahead) * DAY for week in range(SOON))
    yield from (Days(day, day) for day in upcoming if day >= today)


ENGLISH_TURNS = {"last": -1, "this": 0, "next": 1}


def english_span(match: re.Match[str], today: date) -> Iterator[Days]:
    """Next week, this month."""
    turn = ENGLISH_TURNS[match["turn"]]
    if match["unit"] == "week":
        yield _in_week(today - today.weekday() * DAY + 7 * turn * DAY, None, today)
    else:
        yield whole_month(*_month(today, turn))


def english_end(match: re.Match[str], today: date) -> Iterator[Days]:
    """EOM is the last day of a month, EOW the Friday of a week."""
    turn = ENGLISH_TURNS[match["turn"] or "this"]
    if (match["unit"] or match["short"])[0] == "m":
        yield from one(whole_month(*_month(today, turn)).last)
    else:
        yield from one(today + (4 - today.weekday() + 7 * turn) * DAY)


def english_away(match: re.Match[str], today: date) -> Iterator[Days]:
    count, unit = english_count(match["n"] or match["later"]), match["unit"] or match["unit_later"]
    if unit.startswith("month"):
        return one(add_months(today, count))
    return one(today + count * (7 if unit.startswith("week") else 1) * DAY)


def english_count(word: str) -> int:
    """3, three, a. Raises ValueError when it is no count."""
    word = "a" if word == "an" else word
    return int(word) if word.isdecimal() else max(ENGLISH_COUNTS.index(word), 1)


def english_date(match: re.Match[str], today: date) -> Iterator[Days]:
    month = ENGLISH_MONTHS.index((match["month"] or match["month_behind"])[:3]) + 1
    day = int(match["day"] or match["day_before"])
    for year in years(match, today):
        if _exists(year, month, day):
            yield from one(date(year, month, day))


def _rule(pattern: str, read: Reader, **marks: bool) -> Rule:
    return Rule(re.compile(pattern), read, **marks)


ONE = r"一(?!直|次|定|共|般|些|样|切|旦|点|起[吃去聊看开来讨过见做拜商沟])"  # 下周一起吃饭
DAY_OF_WEEK = (
    rf"(?P<day>{ONE}|[二三四五六](?!次|天)|日(?!程|报|常|记)|天|末|[1-7](?![\d点:.个天万千次%/-]))"
)
# 10-15万 is money, 10-15人 are people, 10-15天 is a span.
COUNTED = (
    r"[\d%-]|\s?(?:[万亿元块]|[wk](?![a-z]))|[千百台套家名件次折倍]|个(?!月)|[人天](?!$)|分钟|小时"
)
NOW_AGAIN = r"(?:这个?时候|这个?时间|这个点|此时|同一个?时间|同样的?时间|同一时刻)"
NO_DAY = r"(?![\d点时:个天周年月%.,万千百台套人件家次条楼分])"
TIME_OF_DAY = (
    r"(?:[上下中]午|早|晚|傍晚|凌晨|\d{1,2}(?:[点:]))"  # 12.5下午3点 is a date, 12.5万 is none
)
NO_HOUSE = r"(?!楼|线|店|门|机|院|库|厂|馆|厅|仓|铺|房|桥|井|车|文|码|位|称|召|角)"
COUNT = rf"(?:\d{{1,3}}|an|{'|'.join(ENGLISH_COUNTS)})"
MONTHS = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
ENGLISH: tuple[tuple[str, Reader, dict[str, bool]], ...] = (
    (
        r"(?P<word>today|tomorrow|tmrw?|tmw|yesterday|(?:the )?day after tomorrow|to(?=night))",
        english_day,
        {},
    ),
    (
        (
            r"(?:on |by )?(?:(?P<turn>next|this|last) )?"
            r"(?P<day>monday|tuesday|wednesday|thursday|friday|saturday|sunday|mon|tues?|wed|thur?s?|fri"
            r"|(?<=next )sat|(?<=next )sun|(?<=on )sat|(?<=on )sun)"
        ),
        english_weekday,
        {"again": True, "weekday": True},
    ),
    (r"(?P<turn>next|this) (?P<unit>week|month)", english_span, {}),
    (
        (
            r"(?:by |before |at )?(?:the )?(?:eo(?P<short>[wm])"
            r"|end of (?:the )?(?:(?P<turn>next|this) )?(?P<unit>week|month))"
        ),
        english_end,
        {},
    ),
    (
        (
            rf"(?:in (?P<n>{COUNT}) (?P<unit>days?|weeks?|months?)"
            rf"|(?P<later>{COUNT}) (?P<unit_later>days?|weeks?|months?) (?:later|from now))"
        ),
        english_away,
        {},
    ),
    (
        (
            rf"(?:on |by )?(?:(?P<month>{MONTHS}) ?(?P<day>\d{{1,2}})(?:st|nd|rd|th)?"
            rf"|(?P<day_before>\d{{1,2}})(?:st|nd|rd|th)? (?:of )?(?P<month_behind>{MONTHS}))"
            r"(?:,? (?P<year>\d{4}))?(?![\d:])"
        ),
        english_date,
        {},
    ),
)
RULES: tuple[Rule, ...] = (
    *(  # to(?=night) is followed by a letter, all else ends a word
        _rule(rf"(?<![a-z]){pattern}(?![a-mo-z]|n(?!ight))", read, **marks)
        for pattern, read, marks in ENGLISH
    ),
    _rule(
        r"(?P<year>\d{4})(?P<sep>[-/.])(?P<month>\d{1,2})(?P=sep)(?P<day>\d{1,2})(?!\d)", numeric
    ),
    _rule(
        r"(?<![\da-z#.,-])(?<![单号][ :])(?<![单号])(?P<year>20[2-4]\d)(?P<month>0[1-9]|1[0-2])(?P<day>[0-2]\d|3[01])(?![\da-z.,%万千百元块-])",
        numeric,
    ),
    _rule(r"(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4}|\d{2})(?!\d)", numeric),
    _rule(r"(?<![\d-])(?P<month>\d{1,2})-(?P<day>\d{1,2})[日号](?!楼|线|店)", numeric),
    _rule(
        r"(?<![\d-])(?P<month>1[0-2])-(?P<day>\d)(?=\s*(?:再|约|见|回访|联系|上门|[上下中]午))",
        numeric,
    ),
    _rule(rf"(?P<month>\d{{1,2}})/(?P<day>\d{{1,2}})[日号]?(?!/|{COUNTED})", numeric),
    _rule(
        rf"(?<![\d.])(?P<month>\d{{1,2}})\.(?P<day>\d{{1,2}})(?=[日号]|\s*{TIME_OF_DAY})[日号]?",
        numeric,
    ),
    # At the beginning 3.15 is a day; anywhere else it may be a version, a price or a discount.
    _rule(
        r"^(?P<month>\d{1,2})\.(?P<day>\d{1,2})(?=$|\s*(?![万千百亿元块折倍分个小天年月周星礼版条号])[一-鿿])",
        numeric,
    ),
    _rule(rf"(?<![\d-])(?P<month>\d\d)-(?P<day>\d\d)(?!{COUNTED})", numeric),
    _rule(
        rf"(?P<turn>下+)一?个?(?:(?P<month>月)|{SEVEN})(?:的?今[天日]|(?=的?{NOW_AGAIN}))",
        same_day_later,
    ),
    _rule(rf"{MONTH}(?P<day>{N})(?:[日号]|{NO_DAY})", day_of_month),
    _rule(
        rf"(?<![路街道巷弄第])(?<![\d{CN}十元个上下本这当]月)(?P<day>{N})[日号]{NO_HOUSE}",
        day_of_month,
        again=True,
    ),
    # 26下午3点: nobody counts afternoons.
    _rule(
        r"(?<![\d.:/万千百十#月第-])(?P<day>3[01]|[12]\d|(?<![^\s,])[1-9])(?=[上下中]午|早上|晚上)",
        day_of_month,
        again=True,
    ),
    _rule(rf"{MONTH}(?P<part>{PART})?(?!{N}[日号])", part_of_month),
    _rule(
        rf"(?:{YEAR})?(?P<month>{N})月?(?:[-~—–]+|到|至){N}月份?(?P<part>{PART})?", part_of_month
    ),
    _rule(rf"{MONTH}(?:前|(?P<last>最后))(?P<count>两|{N})[天日]", edge_of_month),
    _rule(rf"月(?P<part>{PART})(?!间)", part_of_month),
    _rule(
        rf"(?:{MONTH}|月)(?:[底末初]的?)?(?:最后一?个?|第(?P<nth>{N})个?)(?:工作日|上班日)",
        nth_workday,
    ),
    _rule(
        rf"(?P<turn>上+|(?<!一)下+|这|本)一?个?{SEVEN}的?(?:最后一?个?|第(?P<nth>{N})个?)(?:工作日|上班日)",
        nth_workday_of_week,
    ),
    _rule(r"(?P<rel>明年|后年)的?今天", today_in_years),
    _rule(rf"{MONTH}第(?P<nth>{N})个?{SEVEN}(?P<day>[一二三四五六日天])?", nth_week),
    _rule(
        rf"{YEAR}第(?P<nth>[\d一二三四五六七八九十]+)个?{SEVEN}(?![一二三四五六日天])",
        week_of_year,
    ),
    _rule(
        rf"(?:{YEAR}|年)(?P<part>初|中|底|末|终(?!奖|总|审|会)|{TAIL}|伊始|第一天|最后一天)",
        part_of_year,
    ),
    _rule(rf"(?<![\d几半{CN}十两每上下这本今明去])(?P<unit>[年周])内(?![部容])", within),
    _rule(
        r"(?:(?P<year>\d{4}|[零〇一二三四五六七八九]{4})年"
        r"|(?P<rel>今年|明年|来年|下年|后年|去年|上年|前年|大前年|这一年|本年))(?![^\s,，。]{1,5}节)",
        whole_year,
    ),
    _rule(rf"(?:{YEAR})?(?P<half>上|下)半年", half_year),
    _rule(rf"(?:{YEAR})?(?:第?(?P<nth>[一二三四1-4首])个?季度)(?P<part>初|末|底)?", quarter),
    _rule(r"(?:(?P<year>\d{4})年?)?q(?P<nth>[1-4])(?P<part>初|末|底)?(?![a-z\d])", quarter),
    _rule(
        rf"(?<![\d{CN}两首个上下本这旺淡换春夏秋冬])(?P<turn>)季度?(?P<part>末|底)",
        next_quarter,
    ),
    _rule(r"(?P<turn>上|下|本|这)个?季度(?P<part>初|末|底)?", next_quarter),
    _rule(
        rf"(?P<turn>上+|(?<!一)下+|这|本|今|当)?一?个?{SEVEN}(?:的?{SEVEN})?{DAY_OF_WEEK}?",
        weekday,
        again=True,
        weekday=True,
    ),
    _rule(
        r"(?P<word>大前|前|昨|今|当|明|听|次|翌|隔|大后|(?<![以之最外])后)(?:天|日(?!程)|儿个?)"
        r"|(?P<soon>今|明|昨)(?=[早晚晨夜])",
        day_word,
    ),
    _rule(r"明后(?:两?天|日)", tomorrow_or_after),
    _rule(r"每(?:天|日(?!程)|(?=[早晚]))", every_day),
    _rule(r"每(?:个|周的?|天的?)?工作日", every_workday),
    _rule(r"下一?个工作日", next_workday),
    _rule(
        rf"(?:{YEAR})?(?:国际|农历)?(?P<name>{'|'.join(FESTIVALS)})(?!路|广场)(?:国际劳动)?节?{AROUND}",
        festival,
    ),
    _rule(
        rf"过完(?P<name>年|春(?=节)|元旦|元宵|五一|国庆|中秋|端午|{SHORT})节?(?:[之以]?后(?!天))?",
        past_festival,
    ),
    _rule(
        rf"(?<![\d{CN}十第月])(?P<name>{SHORT})(?=假期|长假|[之以过]?[前后](?!天))节?{AROUND}",
        festival,
    ),
    _rule(
        rf"(?<![\d几多半个{CN}十两明今去来后前本每全])年(?:(?P<after>后)|(?P<before>前))", new_year
    ),
    _rule(rf"(?:{YEAR})?(?P<name>{'|'.join(TERMS)})(?!节?假)", solar_term),
    _rule(rf"(?:{YEAR})?(?P<name>清明)节?{AROUND}", solar_term),
    _rule(rf"(?:{YEAR})?(?P<name>[春夏秋冬])[天季]", solar_term),
    _rule(rf"{YEAR}(?P<name>[春夏秋冬])(?!节)", solar_term),
    _rule(
        rf"(?<!年)(?:农历|阴历)?(?:{YEAR})?(?:农历|阴历)?(?P<leap>闰)?(?P<moon>正|冬|腊|{N})月份?"
        rf"(?P<day>初?{N}(?![\d点时:个天周年月万千]))?[日号]?",
        lunar_day,
    ),
    _rule(
        rf"(?:(?:{YEAR})?大|(?<![\d{CN}十今明去来后]))年初(?P<day>{N})(?![月日号点季个\d])(?:上班后?|[之以]后)?",
        new_year_day,
    ),
    _rule(
        r"(?<![年月大\d])初(?P<day>[二三四五六七八九十])(?:上班后?|[之以]后|(?=开工|复工|再|后|见|联系|回访|来|去))",
        new_year_day,
    ),
    _rule(rf"{QUANTITY}(?P<unit>工作日|交易日|天|日|周|星期|礼拜|月|季度|年){SHIFT}", days_away),
)
STARTS = set("0123456789abcdefghijklmnopqrstuvwxyz").union(
    char for rule in RULES for char in rule.pattern.pattern if "一" <= char <= "鿿" or char == "〇"
)
