"""
Budgets and prices in yuan, read out of a sentence: 12万, 1千5, ￥12,000, 12万到15万.

Amounts of other currencies are no amount here: nobody wants 5万美元 booked as 5万. What
can be read in two ways is no amount either: ``doubtful`` says what to ask about.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from store.domain.blanks import squeeze
from store.domain.numerals import CHARS, DIGITS, TENS, normalise, number

LONGEST = 2000  # characters looked at; a follow-up is a sentence or two
FEW = 100  # yuan; nobody offers less as the lower end of thousands
LARGEST = Decimal(10**13)  # yuan; a longer row of digits is an account or a serial number

FOREIGN = (
    r"(?:美元|美金|美刀|(?<=\d\d\d)刀|(?<=[kw万千])刀|港元|港币|新台币|台币|日元|日币|日圆|欧元|英镑|韩元|韩币|澳元|澳币|加元|加币"
    r"|新元|新币|(?<=[\d万千kw])欧(?![派莱美式洲普])|(?<=[\d万千kw])镑|(?<=\d\d\d)u(?![a-z])|卢布|泰铢|法郎|usd|hkd|eur|jpy|gbp"
    r"|(?:us|hk|nt|sg|au|ca|[asc])?\$|€|£|dollars?|bucks|euros?|pounds?(?![a-z]))"
)
MARK = r"(?:人民币|rmb|cny|¥)"
YUAN = r"(?:元|圆|块|人民币|rmb|cny)"
FIRST = (
    "零一二三四五六七八九壹贰叁肆伍陆柒捌玖两俩十拾廿卅"  # 千万别 and 万一 are words, not numbers
)
DATED = r"(?![\d月日号点天年周个:/小分折套台件条张次辆])"  # 5万12月付: the 12 belongs to the month
EACH = r"(?![套个台年月天期次人])"  # 12万一套: the 一 belongs to the set
# The loop is possessive: a long row of numerals must not be tried in every division.
RUN = (
    rf"(?:\d+(?:,\d{{3,4}}(?!\d))*+(?:\.\d+)?|[几数](?=[十百千万亿])|百(?=万)|千(?=万[元块])|[{FIRST}])"
    rf"(?:[多余来](?=[万亿])| ?w(?=[1-9](?![\da-z]))| ?[wk](?![a-z0-9])| ?(?:个?[万亿]|个w(?![a-z0-9])|[十百千])"
    rf"|(?<=[十拾百佰千仟万亿w])\d+{DATED}|(?!一)[{CHARS}几]|一{EACH})*+"
)
TO = r"(?:\s*(?:到|至|~|-+|–|—+)\s*)"
CHANGE = (
    rf"(?P<jiao>\d|[{CHARS}])(?:[角毛](?:(?:\d|[{CHARS}])分)?|(?![\d{CHARS}年月日号点天个折]))"
)
AMOUNT = re.compile(
    rf"(?<![\da-z.#])(?<!\d,)(?P<foreign>{FOREIGN}\s*)?(?P<mark>{MARK}\s*)?"
    rf"(?:(?P<low>{RUN})(?:{YUAN}|\(含\))?{TO}(?={RUN}))?(?P<high>{RUN})"
    rf"(?:[多余]|左右|上下)?(?P<yuan>\s*{YUAN}(?:{CHANGE})?)?(?P<abroad>\s*{FOREIGN})?"
)
TWO = re.compile(
    "([一二三四五六七八])((?<=一)二|(?<=二)三|(?<=三)四|(?<=四)五|(?<=五)六|(?<=六)七|(?<=七)八|(?<=八)九)(?=[十百千万亿])"
)
BIG = re.compile(r"[千仟万亿wk]")
COUNTED = re.compile(  # 5万人, 3千个客户, 4k屏: counted, not paid
    r"[多余]?\s*(?:多|余)?(?:人|个|家|台|件|条|次|套|名|位|户|吨|米|平|公里|字|步|粉|份|张|辆|枚|只|亩|度|点|年|月|天|小时|分钟|屏|分辨|显示|号|级|用户|客户|并发|条|行|夜|[a-z%])"
)
ABOUT = re.compile(r"[多余来]|左右|上下|出头|不到|以[内上下]|起|\+")
NEARLY = re.compile(
    r"(?:不到|最多|至多|最少|至少|起码|将近|接近|近|大约|大概|约|差不多|超过|上|过|小)[^\S\n]?$"
)
BELOW_ZERO = re.compile(r"(?:(?:^|[\s¥])[-−–]|负)\s?[¥]?\s?$")  # 报价-5万 has a dash, -5万 a sign
ASKED = re.compile(
    r"(?:预算|报价|金额|总价|价格|单价|费用|首付|定金|尾款|回款|付款|年费|成交价?|合同额|一口价|月费|租金|全款|合计|共计|底价|现价|售价|出价|开价|定价)[^\d,。;!?，；]{0,4}$"
)


APART = (
    # 2 0 万 and 2 0万 are one number, 12 000 元 too; of 1 2万 nobody knows.
    re.compile(r"(?<![\d.,#])\d(?: \d)+ (?=[万千百亿元块wk])"),
    re.compile(r"(?<![\d.,#])[1-9](?: \d)* 0(?= ?(?:[万千百亿元块]|[wk](?![a-z0-9])))"),
    re.compile(r"(?<=¥)(?: ?\d)+(?![\d万千])(?= |$)"),
    re.compile(
        r"(?<![\d.,#])[1-9]\d{0,2}(?: 0\d\d| \d{3}(?= \d{3}))(?: \d{3})*(?!\d)(?= ?[元块万])"
    ),
)
UNSURE = re.compile(
    r"(?<![\d/:.\-#])\d{1,3} \d{1,4}(?:\.\d+)? ?(?:[万千亿元块]|[wk](?![a-z0-9]))"
    r"|\d+[。] ?\d+ ?(?:[万千亿]|[wk](?![a-z0-9]))"
    r"|(?<![\d.,])(?:\d{1,2}[,、] ?\d{1,2}|[一二两三四五六七八九十]、[二三四五六七八九十]) ?(?:[万千亿]|[wk](?![a-z0-9]))|\d+w\d+k(?![a-z0-9])|半个?亿"
    r"|(?<![一二两三四五六七八九\d])(?:百八十|百十来?|千八百)[块元万]"
    # 三点五万 is 3.5万 or an hour and 5万.
    r"|[\d一二两三四五六七八九十]+点[\d一二三四五六七八九]+个?[万亿千]|(?<!\d)\d+几[万千亿]|[\d.]+[万千亿](?:零\d+|0\d(?!\d))[百千]?"
    r"|[\d一二两三四五六七八九十]万[一二三四五六七八九十]万"
    r"|(?:预算|报价|金额|总价)[ :]?\d{1,3} \d{3}(?![\d万千个台套人])"
    r"|[万千百]把[块元万]|[一二两三四五六七八九十\d]位数|[大好]几[十百千万亿]+[块元]?"
)
"""Money of which nobody can say how much it is."""


@dataclass(frozen=True, slots=True)
class Amount:
    """``yuan`` is the amount, or the lower end of a range whose upper end is ``upper``.

    ``start`` and ``end`` are its place in the text. Jiao and fen are rounded to whole yuan.
    ``vague``: 几十万 names no end at all; ``about``: 十多万, 12万左右, 不到10万.
    """

    yuan: int
    start: int
    end: int
    upper: int | None = None
    vague: bool = False
    about: bool = False

    @property
    def exact(self) -> bool:
        """One amount and no other."""
        return self.upper is None and not (self.vague or self.about)


def find_amount(text: str) -> Amount | None:
    """The first amount of yuan in the text; None when there is none."""
    return next(find_amounts(text), None)


def find_amounts(text: str) -> Iterator[Amount]:
    """Every amount of yuan in the text, in order, without what is doubtful; nothing is no amount."""
    written = squeeze(normalise(text[:LONGEST]), *APART)
    unsure = [match.span() for match in UNSURE.finditer(written.text)]
    for match in AMOUNT.finditer(written.text):
        if any(match.start() < end and start < match.end() for start, end in unsure):
            continue
        if _is_yuan(written.text, match) and (amount := _read(match)) is not None:
            start, end = written.span(amount.start, amount.end)
            yield replace(amount, start=start, end=end, about=_is_about(written.text, match))


@dataclass(frozen=True, slots=True)
class Doubt:
    """Words that are money and no amount to book; ``foreign``: of another currency."""

    words: str
    start: int
    foreign: bool = False


def doubts(text: str) -> Iterator[Doubt]:
    """What has to be asked about: 1 2万, 万把块, 几十万, 12到3万, $3k."""
    written = squeeze(normalise(text[:LONGEST]), *APART)
    found = [(*match.span(), False) for match in UNSURE.finditer(written.text)]
    for match in AMOUNT.finditer(written.text):
        if any(match.start() < end and start < match.end() for start, end, _ in found):
            continue
        if match["foreign"] or match["abroad"]:
            found.append((*match.span(), True))
        elif _is_yuan(written.text, match) and ((one := _read(match)) is None or one.vague):
            found.append((*match.span(), False))
    for start, end, foreign in sorted(found):
        first, last = written.span(start, end)
        yield Doubt(text[first:last].strip(), first, foreign)


def _is_about(text: str, match: re.Match[str]) -> bool:
    said = match[0] + text[match.end() : match.end() + 2]
    return ABOUT.search(said) is not None or NEARLY.search(text, 0, match.start()) is not None


def _is_yuan(text: str, match: re.Match[str]) -> bool:
    """Whether it is money, and ours: a mark, a big unit with nothing counted, or a question."""
    if match["foreign"] or match["abroad"] or BELOW_ZERO.search(text, 0, match.start("high")):
        return False
    if match["mark"] or match["yuan"]:
        return True
    if BIG.search(match["high"]):
        return COUNTED.match(text, match.end()) is None
    if match["low"] is None and text.strip() == match[0].strip():
        return _is_price(match["high"])
    return _is_price(match["high"]) and ASKED.search(text, 0, match.start()) is not None


def _is_price(run: str) -> bool:
    """A bare number may be a price, not a phone number, an account or a one-digit count."""
    digits = run.replace(",", "")
    return digits[0] in "123456789" and 3 <= len(digits.partition(".")[0]) <= 9


def _read(match: re.Match[str]) -> Amount | None:
    try:
        change = number(match["jiao"]) / 10 if match["jiao"] else Decimal(0)
        low, high = (end + change for end in _range(match["low"], match["high"]))
    except (ValueError, InvalidOperation):
        return None
    yuan, upper = _whole(low), _whole(high)
    if max(low, high) > LARGEST or not yuan:
        return None
    vague = "几" in match[0] or "数" in match[0]
    return Amount(yuan, match.start(), match.end(), upper if upper > yuan else None, vague)


def _range(low: str | None, high: str) -> tuple[Decimal, Decimal]:
    first, last = _about(high)
    if low is None:
        return first, last
    start = _about(low)[0]
    return _shared_unit(start, high, last), last


def _shared_unit(start: Decimal, high: str, last: Decimal) -> Decimal:
    """12-15万 starts at 12万, 8500到3万 at 8500, 两到三千 at 2000."""
    unit = next((char for char in reversed(high) if char in "十百千仟佰万亿wk"), None)
    if unit is None:
        return start
    scaled = start * number("1" + unit)
    if scaled >= last and start < FEW:
        raise ValueError("no range")  # 12到3万: neither 12 yuan nor 12万 comes before 3万
    return scaled if scaled < last else start


def _about(run: str) -> tuple[Decimal, Decimal]:
    """The lowest and the highest value: 几十万 is 10万 to 100万, 八九亿 is 8亿 to 9亿."""
    run = re.sub(r"[多余来\s]", "", run)
    if "几" in run or run[0] == "数":
        return _some(run.replace("数", "几"))
    if len(run) > 2 and {run[0], run[1]} <= DIGITS.keys() and (run[2] in TENS or run[2] in "万亿"):
        return number(run[0] + run[2:]), number(run[1:])
    if pair := TWO.search(run):
        first, second = pair.span(1), pair.span(2)
        return number(run[: second[0]] + run[second[1] :]), number(
            run[: first[0]] + run[second[0] :]
        )
    return number(run), number(run)


def _some(run: str) -> tuple[Decimal, Decimal]:
    nine, eight = (number(run.replace("几", digit)) for digit in "九八")
    lowest = run.replace("几", "一") if run[0] == "几" else run.replace("几", "")
    return number(lowest), nine + (nine - eight)


def _whole(value: Decimal) -> int:
    return int(value.quantize(Decimal(1), rounding=ROUND_HALF_UP))
