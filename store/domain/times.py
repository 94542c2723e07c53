"""
Instants as salespeople type them: 下周三下午3点, 明早10点, 半小时后, 月底.

A phrase is a date, a time of day, or both. What could be past or future is the
future: 周五 said on a Saturday is the next one. What cannot be decided is not
guessed in silence: ``ambiguous`` holds the question to ask back.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import NamedTuple

from store.domain.blanks import squeeze
from store.domain.dates import (
    ABOUT,
    COUNT,
    DAY,
    MONTH,
    NO_HOUSE,
    NOW_AGAIN,
    QUANTITY,
    SEVEN,
    SHIFT,
    DatePhrase,
    Days,
    N,
    english_count,
    quantity,
    read_date,
    value,
)
from store.domain.numerals import normalise
from store.domain.vague import WHICH_DAY, WHICH_HOUR, read_vague

LONGEST = 1000  # characters looked at
MORNING = time(9)  # a date alone is due when the working day begins
HALF_DAY = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Found:
    """An instant in a text, aware UTC; ``start`` and ``end`` are its place.

    ``date_only``: no time of day was named, ``at`` is 09:00 of the day. ``past``:
    the words can only mean what is over. ``recurring``: 每周一, ``at`` is the next
    one. ``ambiguous``: a short question in Chinese, empty when there is no doubt.
    ``vague``: no day was named at all (改天, 节后), ``at`` means nothing.
    """

    at: datetime
    date_only: bool
    start: int
    end: int
    ambiguous: str = ""
    recurring: bool = False
    past: bool = False
    vague: bool = False


class Clock(NamedTuple):
    """A time of day. ``until``: the hour the part of the day ends; 0 when a time was named."""

    since: timedelta  # midnight, of the day named
    end: int  # place in the text
    sure: bool = True  # morning or afternoon was said, or cannot be confused
    until: int = 0


class Hours(NamedTuple):
    """A part of the day: what it means alone, when it ends, which hours get 12 added."""

    default: int
    until: int
    later: frozenset[int]


AFTERNOON = frozenset(range(1, 12))
PARTS = {
    word: hours
    for words, hours in {
        "凌晨 黎明": Hours(5, 7, frozenset()),
        "清晨 大清早 一大早 清早 大早 一早": Hours(8, 10, frozenset()),
        "早上 早晨 早间 上午 白天 早 晨": Hours(9, 12, frozenset()),
        "上班前": Hours(8, 9, frozenset()),
        "一上班 刚上班 上班后 上班时": Hours(9, 10, frozenset()),
        "午饭后 午休后": Hours(13, 15, frozenset()),
        "下班前": Hours(17, 18, AFTERNOON),
        "下班后": Hours(18, 20, AFTERNOON),
        "中午 正午 午间 晌午": Hours(12, 14, frozenset({1, 2, 3})),
        "下午 午后 晏昼": Hours(14, 18, AFTERNOON),
        "傍晚": Hours(18, 19, AFTERNOON),
        "晚上 晚间 夜里 夜间 夜晚 晚 夜": Hours(19, 22, frozenset(range(5, 12))),
        "晚饭后": Hours(19, 21, frozenset(range(5, 12))),
        "半夜 深夜 午夜": Hours(23, 24, frozenset(range(9, 12))),
    }.items()
    for word in words.split()
}
LATE = frozenset(word for word in PARTS if "夜" in word or "晚" in word) - {"傍晚", "晚饭后"}
ALONE = "下班前|下班后|晚饭后|午饭后|午休后|清早|晌午|清晨|大清早|一大早|早上|早晨|上午|中午|下午|午后|傍晚|晚上|晚间"  # means today or tomorrow

HALF_SAID = (
    r"(?:[一二两三四五六七八九](?=[二三四五六七八九十]点)|十一(?=二点))"  # 三四点 begins at three
)
HOUR = r"(?:\d{1,2}|二?十[一二三四五六七八九]?|[零一二两三四五六七八九])"
MINUTE = r"(?:\d{1,2}|零[一二三四五六七八九]|[二三四五]?十[一二三四五六七八九]?)"
WORDS = "|".join(sorted((word for word in PARTS if len(word) > 1), key=len, reverse=True))
# 明天晚点再打 names no evening, 早会 no morning.
PART = rf"(?:{WORDS}|[早晚晨夜](?!点|一点|些|一些|会|期|安|饭|餐|日|于))"
NO_PRICE = r"(?:\.|%|[ ]?[万千百亿元块折倍wk个年天版号])"
CLOCK = re.compile(
    rf"(?:(?P<part>{PART})[的 ]?)?(?:(?P<from>{HALF_SAID}|{HOUR}(?=点?[-~—–到至]|(?P<next>、)))(?:点?(?:[-~—–]+|到|至)|、)?(?={HOUR}[点:]))?"
    rf"(?P<hour>{HOUR})(?:(?(part)[:.]|:)(?P<colon>\d{{2}})(?::(?P<second>\d{{2}}))?(?!\d|(?<=\.\d\d){NO_PRICE})(?:\s*(?P<half_day>[ap]m?(?![a-z])))?"
    rf"|[点时](?!候|间|代|节)(?:钟|整)?(?:(?P<half>半)|过?(?P<quarter>[一二三123])刻"
    rf"|过?(?P<few>\d{{1,2}}|{MINUTE}|[一二三四五六七八九])分(?!享|析|公|期|批|别|店|成|头|钟[后内之以])|(?P<minute>{MINUTE})(?:分|(?![万千百个%折元块天年月\d.])))?)"
)
# 明天17.30, with nothing between
DOTTED = re.compile(rf"(?P<hour>1\d|2[0-3]|\d)\.(?P<minute>[0-5]\d)(?!\d|{NO_PRICE})")
PART_ALONE = re.compile(rf"(?P<part>{PART})")
WORD_ALONE = re.compile(rf"(?<![天日上])(?P<part>{ALONE})(?!好)")
NOT_A_CLOCK = re.compile(
    r"点[\d一二三四五六七八九]+个?[万亿千]|[点时]\s*(?:意见|要求|建议|问题|原因|需求|想法|疑问|顾虑|内容|说明|优势|不足|好处|儿|以上|是)"
)
LESS = re.compile(
    rf"(?:还?差)(?:(?P<minute>{MINUTE}|[一二两三四五六七八九])分钟?|(?P<quarter>[一二三123])刻钟?)(?:就?到)?"
)
SAME_TIME = re.compile(rf"\s*的?{NOW_AGAIN}")
BUT = re.compile(
    rf"\s*(?<=[点时 ])差(?:(?P<minute>{MINUTE}|[一二两三四五六七八九])分钟?|(?P<quarter>[一二三123])刻钟?)"
)
OR = re.compile(r"\s*(?:或者?|还是|要么|/|、)\s*")
A_LITTLE = re.compile(r"(?:[一两]|几)点(?!钟|半|整|\d|[一二三四五十零]|左右|前|后|再|见|开|打)")
ALL_OF_IT = re.compile(r"[一两]点(?:\s|$)")  # 两点 打电话 begins with an hour
BEFORE_CLOCK = re.compile(r"[\d.第有差这那快慢多少好贵便宜几早晚]$")
INSIDE_NUMBER = re.compile(r"[\d.]\d")
BETWEEN = re.compile(r"[\s的,，、T()-]{0,3}")
TOUCHING = re.compile(r"[\s的,()]{0,3}")
TO = re.compile(r"\s*(?:到|至|~|-+|—+|–)\s*")
EVERY = re.compile(r"每(?:年的?|个?(?=月[初中底末])|个?月的?|(?=个?(?:周|星期|礼拜)))")
SHORTLY = re.compile(
    rf"{QUANTITY}(?P<unit>秒钟?|分钟?|刻钟?|小时|钟头|钟|天(?=半)|(?<=半)天|mins?|hrs?|[hm](?=[后内])){SHIFT}"
)
SECONDS = {"秒": 1, "分": 60, "刻": 900, "小": 3600, "钟": 3600, "天": 86_400, "m": 60, "h": 3600}
ENGLISH_PARTS = {
    "morning": Hours(9, 12, frozenset()),
    "afternoon": Hours(14, 18, AFTERNOON),
    "evening": Hours(19, 22, frozenset(range(5, 12))),
    "night": Hours(19, 22, frozenset(range(5, 12))),
}
OFFICE_CLOSES = "eod|cob|eob|close of business|end of (?:the |business )?day"
ENGLISH_PART = re.compile(
    rf"(?:in the |at |by )?(?:(?P<part>morning|afternoon|evening|night)|(?P<closing>{OFFICE_CLOSES}))(?![a-z])"
)
ENGLISH_ALONE = re.compile(
    rf"(?<![a-z])(?:this (?P<part>morning|afternoon|evening)|(?:by )?(?P<closing>{OFFICE_CLOSES}))(?![a-z])"
)
ENGLISH_CLOCK = re.compile(
    r"(?:(?<![a-z])|(?<=to)(?=night))(?:(?:in the )?(?P<part>morning|afternoon|evening|night) )?(?:(?P<at>at |@ ?))?"
    r"(?:(?P<word>noon|midday)|(?P<hour>\d{1,2})(?:[:.](?P<minute>\d\d))?"
    r"(?: ?(?P<half_day>[ap])\.?m(?![a-z])\.?|(?(at)(?![\d:.%万千百元kw])|(?!))))"
)
ENGLISH_SHORTLY = re.compile(
    rf"(?<![a-z])(?:in (?P<n>half an|{COUNT})|(?P<later>{COUNT})(?= ?(?:min|h)\w* (?:later|from now)))"
    r" ?(?P<unit>min(?:ute)?s?|hours?|hrs?|h)(?![a-z])(?: (?:later|from now))?"
)
# Met at 5 companies is no hour, at 5 and at 5 sharp are.
COUNTED_AT = re.compile(
    r"(?:at |@ ?)\d{1,2}(?![\d:.]| ?[ap]\.?m)(?!\s*(?:$|[,;.。，]|(?:to|sharp|o'clock)\b))"
)
ON = re.compile(r",? (?:on )?")
INEXACT = re.compile(
    r"几|[一二两三四五六七八九]{2}个?(?:天|日|周|星期|礼拜|月)|[十百\d][来多]|个多"
)
# 周三以后 begins on Thursday; 周三后台 is another word.
AFTER_DAY = re.compile(r"[之以]?后(?![天日来续面台期端半排门勤付院备援])")
LISTED = re.compile(
    rf"(?<![路街道巷弄第\d.])(?<!\d,)(?P<head>{MONTH})?(?P<one>{N})[日号]?"
    rf"(?:(?P<to>[-~—–]+|到|至)|、|/|或者?|和|跟)(?P<two>{N})(?=[日号]{NO_HOUSE})[日号]"
)
SHORT_RUN = 7  # days; 5-6号 may be two days or a date, 5-26号 is a date
DAY_OF_MONTH = re.compile(rf"{MONTH}{N}[日号]{NO_HOUSE}")
WEEKDAY = rf"(?:[上下这本]*一?个?{SEVEN}[一二三四五六日天末])"
KINDS = tuple(map(re.compile, (WEEKDAY, r"(?:今|明|后|大后)[天日]", rf"{N}[日号]")))
MOVED = re.compile(r"\s*(?:改[到成为]?|换[到成]|推迟?到|提前到|-+>|→)\s*")
APART = re.compile(r"[\s,，。;；!?、]")
CLAUSE = 12  # characters between a day and an hour of it
AND = re.compile(r"\s*(?:和|跟|与|及|以及|,)?\s*")
ONE_MORE = re.compile(
    r"\s*(?P<sep>或者?|还是|和|跟|与|及|、|/|(?P<to>到|至|[-~—–]+)|)\s*(?P<day>[一二三四五六日天1-7])(?P<rest>(?:[、/]?[三四五六日])*)"
    r"(?![点时:.,、\d十百千万亿月号日天次家人个位件条折成楼分刻半份台套名轮期届年周常程报志元本式起直定些样早])"
)
DAYS_OF_WEEK = "一二三四五六日"
FREE = re.compile(
    r"\s*(?:$|[,，。;；]|都|均|可以|或|再|约|见|有空|有时间|上门|回访|联系|[上下中]午)"
)


def find_time(text: str, now: datetime, zone: tzinfo) -> Found | None:
    """The first instant named in the text that lies ahead; None when none is named.

    When all that is named is over, the first of it, with ``past`` set and the
    question in ``ambiguous``. ``zone`` is where the writer's clock hangs.

    Raises ValueError when ``now`` is naive.
    """
    found = list(find_times(text, now, zone))
    ahead = [one for one in found if not one.past]
    named = (one for one in ahead if not one.vague)
    return next(named, next(iter(ahead or found), None))


def find_times(text: str, now: datetime, zone: tzinfo) -> Iterator[Found]:
    """Every instant named in the text, in order; of a range only where it begins.

    Raises ValueError when ``now`` is naive.
    """
    if now.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    written, place = squeeze(normalise(text[:LONGEST])), 0
    plain, local = written.text, now.astimezone(zone)
    before: Found | None = None
    while place < len(plain):
        found = _at(plain, place, local)
        if found:
            found = _through(plain, _on_day_of(before, found, plain, local), local)
            before = found
            start, end = written.span(found.start, found.end)
            yield replace(found, start=start, end=end)
        place = found.end if found else place + 1


def _at(text: str, start: int, now: datetime) -> Found | None:
    """What begins exactly here."""
    if INSIDE_NUMBER.search(text, max(0, start - 1), start + 1):
        return None
    readers = (
        _shortly,
        _english_shortly,
        _vaguely,
        _no_such_day,
        _listed,
        _dated,
        _clock_first,
        _clock_alone,
    )
    readings = [found for read in readers if (found := read(text, start, now))]
    return max(readings, key=lambda found: found.end, default=None)


def _through(text: str, found: Found, now: datetime) -> Found:
    """Take the other end of a range with it: 9月1日到9月5日, 13:20~次日05:40.

    Of 周三或者周四 neither is meant before somebody has said which.
    """
    either = OR.match(text, found.end)
    other = _at(text, either.end(), now) if either else None
    if other is not None and not (found.past or other.past):
        one, two = (text[f.start : f.end] for f in (found, other))
        return replace(found, end=other.end, ambiguous=f"是{one}，还是{two}？")
    if moved := _moved(text, found, now):
        return moved
    one_day = found.date_only and not (found.recurring or found.vague)
    if one_day and (more := _more_days(text, found, now) or _one_day_more(text, found, now)):
        return more
    to = TO.match(text, found.end)
    end = _at(text, to.end(), now) if to else None
    return replace(found, end=end.end) if end else found


def _on_day_of(before: Found | None, found: Found, text: str, now: datetime) -> Found:
    """明天开会到下午3点: an hour belongs to the day its clause begins with."""
    if before is None or not before.date_only or before.past or before.recurring or before.vague:
        return found
    apart = APART.search(text, before.end, found.start)
    if apart or found.start - before.end > CLAUSE or found != _clock_alone(text, found.start, now):
        return found
    clock = _bare_clock(text, found.start)
    at = _on_same_day(before, clock, now) if clock else found.at
    return replace(found, at=at, ambiguous="") if at > now.astimezone(UTC) else found


def _on_same_day(day: Found, clock: Clock, now: datetime) -> datetime:
    """Of an afternoon 5点改7点 is seven in the evening."""
    local = day.at.astimezone(now.tzinfo)
    later = not (day.date_only or clock.sure) and local.hour >= 12 and clock.since < HALF_DAY
    return _instant(local.date(), now, clock.since + (HALF_DAY if later else timedelta(0)))


def _moved(text: str, found: Found, now: datetime) -> Found | None:
    """周三下午3点改4点: on the same day."""
    to = MOVED.match(text, found.end)
    clock = _clock_at(text, to.end()) if to else None
    if clock is None or found.past or found.date_only or found.recurring:
        return None
    return replace(found, at=_on_same_day(found, clock, now), end=clock.end, ambiguous="")


def _more_days(text: str, found: Found, now: datetime) -> Found | None:
    """下周三、四, 周三四下午3点, 周三到五: the second day has no 周 of its own."""
    name, more = text[found.start : found.end], ONE_MORE.match(text, found.end)
    if more is None or not re.search(rf"{SEVEN}[一二三四五六1-6]$", name):
        return None
    if not more["sep"] and not _run_together(name[-1] + more["day"], text, more.end()):
        return None
    first = _at(f"{name}{text[more.end() : more.end() + 12]}", 0, now)
    if first is None or first.past:
        return None
    first = replace(first, start=found.start, end=more.end() + first.end - len(name))
    if more["to"]:
        return first
    return replace(first, ambiguous=f"是{name}，还是{name[:-1]}{more['day']}{more['rest']}？")


def _run_together(days: str, text: str, end: int) -> bool:
    """周三四 is two days; 周三五 as well where nothing is counted by the 五."""
    first, second = (DAYS_OF_WEEK.find(day.replace("天", "日")) for day in days)
    follows = first >= 0 and second == first + 1
    return follows or (0 <= first < second and FREE.match(text, end) is not None)


def _one_day_more(text: str, found: Found, now: datetime) -> Found | None:
    """周三周四, 明天后天, 25号和26号: which of them is not said."""
    gap = AND.match(text, found.end)
    kind = next((kind for kind in KINDS if kind.match(text, found.start)), None)
    if gap is None or kind is None or not kind.match(text, gap.end()):
        return None
    other = _at(text, gap.end(), now)
    if other is None or other.past or found.past or other.at.date() == found.at.date():
        return None
    one, two = (text[f.start : f.end] for f in (found, other))
    return replace(found, end=other.end, ambiguous=f"是{one}，还是{two}？")


def _listed(text: str, start: int, now: datetime) -> Found | None:
    """25、26号, 25-26号: 号 stands behind the last of them only."""
    match = LISTED.match(text, start)
    if match is None or not (days := value(match["two"]) - value(match["one"])) > 0:
        return None
    dated = not match["head"] and value(match["one"]) <= 12 and match[0][len(match["one"])] in "-/"
    if dated and (days >= SHORT_RUN or not match["to"]):
        return None  # 5-26号 and 5/6号 are dates
    name = f"{match['head'] or ''}{match['one']}号"
    found = _dated(f"{name}{text[match.end() : match.end() + 12]}", 0, now)
    if found is None:
        return None
    found = replace(found, start=start, end=match.end() + found.end - len(name))
    one, two = match["one"], match["two"]
    if dated:
        return replace(found, ambiguous=f"是{one}号到{two}号，还是{one}月{two}号？")
    return found if match["to"] else replace(found, ambiguous=f"是{one}号，还是{two}号？")


def _shortly(text: str, start: int, now: datetime) -> Found | None:
    """Hours and minutes from now."""
    match = SHORTLY.match(text, start)
    if match is None:
        return None
    try:
        span = timedelta(seconds=quantity(match) * SECONDS[match["unit"][0]])
        at = now.astimezone(UTC) + span
    except (ValueError, OverflowError):
        return None
    found = Found(at, False, start, match.end())
    if ABOUT.match(match["n"]):
        found = replace(found, ambiguous=WHICH_HOUR)
    return _unless_over(found, now)


def _english_shortly(text: str, start: int, now: datetime) -> Found | None:
    """In half an hour, 20 minutes later."""
    match = ENGLISH_SHORTLY.match(text, start)
    if match is None:
        return None
    unit = timedelta(minutes=1) if match["unit"].startswith("m") else timedelta(hours=1)
    said = match["n"] or match["later"]
    span = unit / 2 if said == "half an" else unit * english_count(said)
    return Found(now.astimezone(UTC) + span, False, start, match.end())


def _vaguely(text: str, start: int, now: datetime) -> Found | None:
    vague = read_vague(text, start)
    if vague is None:
        return None
    end, question = vague
    at = datetime.combine(now.date() + 3 * DAY, MORNING, now.tzinfo).astimezone(UTC)
    return Found(at, True, start, end, question, vague=True)


def _no_such_day(text: str, start: int, now: datetime) -> Found | None:
    """下个月31号, when that month has thirty days."""
    match = DAY_OF_MONTH.match(text, start)
    if match is None or (
        match["month"] and match["month"].isdecimal() and int(match["month"]) > 12
    ):
        return None
    phrase = read_date(text, start, now.date())
    if phrase is not None and phrase.end >= match.end():
        return None
    at = datetime.combine(now.date() + 3 * DAY, MORNING, now.tzinfo).astimezone(UTC)
    doubt = f"没有{match[0]}，改到哪一天？"
    return Found(at, True, start, match.end(), doubt, vague=True)


def _unless_over(found: Found, now: datetime) -> Found:
    if found.at > now:
        return found
    return replace(found, past=True, ambiguous="这个时间已经过了，改到什么时候？")


def _dated(text: str, start: int, now: datetime) -> Found | None:
    """A date, and the time of day behind it if there is one."""
    every = EVERY.match(text, start)
    phrase = read_date(text, every.end() if every else start, now.date())
    if phrase is None:
        return None
    phrase, doubt = _agreeing(text, every.end() if every else start, phrase, now.date())
    phrase = phrase if every else _from_then_on(text, phrase)
    clock = _same_time(text, phrase.end, now) or _clock_after(text, phrase.end)
    found = _timed(start, phrase, clock, now) if clock else _day(start, phrase, now)
    if text[start] == "每":
        return replace(found, recurring=True, ambiguous="")
    vague = WHICH_DAY if INEXACT.search(text, start, phrase.end) else ""
    return replace(found, ambiguous=doubt or vague or found.ambiguous)


def _from_then_on(text: str, phrase: DatePhrase) -> DatePhrase:
    """周三以后, 25号后: what comes after the day itself."""
    after = AFTER_DAY.match(text, phrase.end)
    if after is None or text[phrase.end - 1] in "后内":
        return phrase
    days = tuple(Days(last + DAY, last + DAY) for _, last in phrase.days)
    return replace(phrase, days=days, end=after.end())


def _same_time(text: str, end: int, now: datetime) -> Clock | None:
    """明天这个时候: to the minute what it is now."""
    match = SAME_TIME.match(text, end)
    return Clock(timedelta(hours=now.hour, minutes=now.minute), match.end()) if match else None


def _agreeing(text: str, start: int, phrase: DatePhrase, today: date) -> tuple[DatePhrase, str]:
    """Read 下周三 11月25日 as one date, and ask when they are not the same day."""
    gap = TOUCHING.match(text, phrase.end)
    second = read_date(text, gap.end(), today) if gap else None
    if second is None:
        return phrase, ""
    both = tuple(day for day in second.days if any(a <= day.first <= z for a, z in phrase.days))
    if both:
        surer = second.rule if phrase.rule.again else phrase.rule
        return DatePhrase(surer, both, second.end), ""
    same_kind = phrase.rule is second.rule or not (phrase.rule.weekday or second.rule.weekday)
    if (same_kind and not (gap and "的" in gap[0])) or (gap and "," in gap[0]):
        return phrase, ""
    one, two = text[start : phrase.end].strip(), text[gap.end() if gap else 0 : second.end]
    return replace(phrase, end=second.end), f"{one}和{two}对不上，以哪个为准？"


def _day(start: int, phrase: DatePhrase, now: datetime) -> Found:
    today, doubt = now.date(), ""
    for days in phrase.days:
        if days.last < today:
            continue
        if days.first == today and phrase.rule.again and len(phrase.days) > 1:
            doubt = "说的就是今天，还是下一个？"
            continue
        morning = _instant(days.first, now)
        day = days.first if morning > now else days.last
        # This morning is over: of a week its end is left, of today some hour nobody has named.
        late = "今天几点？" if day == today and _instant(day, now) <= now else ""
        return Found(_instant(day, now), True, start, phrase.end, doubt or late)
    over = _instant(phrase.days[-1].first, now)
    return _unless_over(Found(over, True, start, phrase.end), now)


def _timed(start: int, phrase: DatePhrase, clock: Clock, now: datetime) -> Found:
    ats = [at for days in phrase.days for at in _on(days, clock, now)]
    at = next((at for at in ats if at > now), ats[-1])
    return _unless_over(Found(at, False, start, clock.end), now)


def _on(days: Days, clock: Clock, now: datetime) -> Iterator[datetime]:
    """The instants of that time of day in a run of days that has begun or will."""
    today = now.date()
    if days.first < today <= days.last:
        yield from (_moment(day, clock, now) for day in (today, min(today + DAY, days.last)))
    else:
        yield _moment(days.first, clock, now)


def _moment(day: date, clock: Clock, now: datetime) -> datetime:
    """The instant; today's 8点 said at ten is 20:00, this afternoon at three is four o'clock."""
    at = _instant(day, now, clock.since)
    if day != now.date() or at > now:
        return at
    if not clock.sure and at + HALF_DAY > now:
        return at + HALF_DAY
    hour = now.hour + 1
    return _instant(day, now, timedelta(hours=hour)) if hour < clock.until else at


def _instant(day: date, now: datetime, since: timedelta = timedelta(hours=9)) -> datetime:
    """Wall-clock time of the writer's zone as aware UTC."""
    return (datetime.combine(day, time(), now.tzinfo) + since).astimezone(UTC)


def _clock_alone(text: str, start: int, now: datetime) -> Found | None:
    """A time of day without a date: today's, else tomorrow's."""
    clock = _bare_clock(text, start)
    if clock is None:
        return None
    today = _instant(now.date(), now, clock.since)
    doubt = not clock.sure and today <= now < today + HALF_DAY
    at = _moment(now.date(), clock._replace(sure=True), now)
    if at <= now:
        at = _instant(now.date() + DAY, now, clock.since)
    return Found(at, False, start, clock.end, "是今天晚上，还是明天早上？" if doubt else "")


def _clock_first(text: str, start: int, now: datetime) -> Found | None:
    """3pm next Wednesday, at 9am on Monday: in English the day may come second."""
    closing = ENGLISH_ALONE.match(text, start)
    clock = _part_clock(closing) if closing else _english_clock(text, start)
    gap = ON.match(text, clock.end) if clock else None
    phrase = read_date(text, gap.end(), now.date()) if gap else None
    if clock is None or phrase is None:
        return None
    return _timed(start, phrase, clock._replace(end=phrase.end), now)


def _bare_clock(text: str, start: int) -> Clock | None:
    if word := WORD_ALONE.match(text, start):
        return _clock_at(text, start) or _part_clock(word)
    if word := ENGLISH_ALONE.match(text, start):
        return _part_clock(word)
    little = A_LITTLE.match(text, start) and not (start == 0 and ALL_OF_IT.match(text))
    if little or BEFORE_CLOCK.search(text, max(0, start - 1), start):
        return None
    return None if COUNTED_AT.match(text, start) else _clock_at(text, start)


def _clock_after(text: str, end: int) -> Clock | None:
    gap = BETWEEN.match(text, end)
    place = gap.end() if gap else end
    if clock := _clock_at(text, place):
        return clock
    if dotted := DOTTED.match(text, end):
        hour, minute = int(dotted["hour"]), int(dotted["minute"])
        return Clock(timedelta(hours=hour + 12 * (hour < 7), minutes=minute), dotted.end())
    part = PART_ALONE.match(text, place) or ENGLISH_PART.match(text, place)
    return _part_clock(part) if part else None


def _part_clock(match: re.Match[str]) -> Clock:
    said = "下班前" if match.groupdict().get("closing") else match["part"]
    part = PARTS.get(said) or ENGLISH_PARTS[said]
    return Clock(timedelta(hours=part.default), match.end(), until=part.until)


def _english_clock(text: str, start: int) -> Clock | None:
    """3pm, at 15:00, 9:30 am, noon; a bare number needs ``at`` before it."""
    match = ENGLISH_CLOCK.match(text, start)
    if match is None:
        return None
    hour, minute = int(match["hour"] or 12), int(match["minute"] or 0)
    if hour > 24 or minute > 59:
        return None
    if half_day := match["half_day"]:
        hour = hour % 12 + (12 if half_day == "p" else 0)
    elif match["part"]:
        hour += 12 if hour in ENGLISH_PARTS[match["part"]].later else 0
    elif 1 <= hour <= 6 and not match["minute"]:
        hour += 12
    return Clock(timedelta(hours=hour, minutes=minute), match.end())


def _clock_at(text: str, start: int) -> Clock | None:
    if less := LESS.match(text, start):  # 差5分3点
        clock = _english_clock(text, less.end()) or _chinese_clock(text, less.end())
        minutes = _fewer(less)
        return clock and clock._replace(since=clock.since - timedelta(minutes=minutes))
    return _english_clock(text, start) or _chinese_clock(text, start)


def _fewer(match: re.Match[str]) -> int:
    return value(match["quarter"]) * 15 if match["quarter"] else value(match["minute"])


def _chinese_clock(text: str, start: int) -> Clock | None:
    match = CLOCK.match(text, start)
    if match is None or NOT_A_CLOCK.search(text, match.start("hour"), match.end() + 4):
        return None
    hour, minute = value(match["from"] or match["hour"]), _minute(match)
    apart = match["next"] and value(match["hour"]) != hour + 1  # 9、10点, but not 12、3点
    if hour > 24 or minute > 59 or apart:
        return None
    hour, sure = _hour(match, hour)
    second = int(match["second"] or 0)
    since = timedelta(hours=hour, minutes=minute, seconds=second)
    if but := BUT.match(text, match.end()):  # 三点差五分
        return Clock(since - timedelta(minutes=_fewer(but)), but.end(), sure)
    return Clock(since, match.end(), sure)


def _minute(match: re.Match[str]) -> int:
    if match["from"]:
        return 0
    if match["quarter"]:
        return value(match["quarter"]) * 15
    return 30 if match["half"] else value(match["colon"] or match["few"] or match["minute"] or "0")


def _hour(match: re.Match[str], hour: int) -> tuple[int, bool]:
    """The hour of 24, and whether that is sure. Nobody makes appointments at 3点 in the night."""
    if half_day := match["half_day"]:
        return hour % 12 + (12 if half_day.startswith("p") else 0), True
    if part := match["part"]:
        return _hour_of_part(part, hour), True
    written = match["colon"] and len(match["hour"]) == 2
    if 1 <= hour <= 6 and not written:
        return hour + 12, True
    return hour, bool(match["colon"]) or hour >= 12 or hour == 0


def _hour_of_part(part: str, hour: int) -> int:
    if hour in PARTS[part].later:
        return hour + 12
    if part == "凌晨":
        return hour % 12
    if part in LATE and (hour == 12 or hour < 5):
        return hour % 12 + 24
    return hour
