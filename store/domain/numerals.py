"""Numbers as Chinese people type them: 12万, 3.5万, 1千5, 一百二十万, 二〇二六, 廿一, ２０k."""

import re
from decimal import Decimal

DIGITS = {
    **{char: value for value, char in enumerate("零一二三四五六七八九")},
    **{char: value for value, char in enumerate("零壹贰叁肆伍陆柒捌玖")},
    "〇": 0,
    "两": 2,
    "俩": 2,
}
TENS = {"十": 10, "拾": 10, "百": 100, "佰": 100, "千": 1000, "仟": 1000, "k": 1000}
GROUPS = {"万": 10**4, "w": 10**4, "亿": 10**8}

CHARS = "零一二三四五六七八九壹贰叁肆伍陆柒捌玖〇两俩十拾百佰千仟万亿廿卅"
TRADITIONAL = (
    "萬億兩貳參陸週禮後點號個鐘時節聖誕慶國這婦勞動兒軍曆陰閏臘農歷幾內過間從豐萬聽晝塊錢權費"
    "電話視頻郵訊釘訪門談聯繫絡給發覆復還沒貴價預報單請確認簽約續開會議閒無興趣願買賣對競爭調貨優惠圓幣歐韓"
    "書採購讓見現場應該說問題員為遲飯剛來試樣決產漲減總計額樓產業聰準備"
)
SIMPLIFIED = (
    "万亿两贰叁陆周礼后点号个钟时节圣诞庆国这妇劳动儿军历阴闰腊农历几内过间从丰万听昼块钱权费"
    "电话视频邮讯钉访门谈联系络给发复复还没贵价预报单请确认签约续开会议闲无兴趣愿买卖对竞争调货优惠圆币欧韩"
    "书采购让见现场应该说问题员为迟饭刚来试样决产涨减总计额楼产业聪准备"
)
SAME = str.maketrans(
    {chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
    | {chr(code): chr(code + 32) for code in range(ord("A"), ord("Z") + 1)}
    | {chr(code): chr(code - 0xFEC0) for code in range(0xFF21, 0xFF3B)}
    | {"\u3000": " ", "\u00a0": " ", "￥": "¥"}  # both yen signs are typed for yuan
    | dict(zip(TRADITIONAL, SIMPLIFIED, strict=True))
)


def normalise(text: str) -> str:
    """The same text, character for character: half-width, lower case, simplified numerals."""
    return text.translate(SAME)


def number(text: str) -> Decimal:
    """Read a normalised number; ``二〇二六`` is read digit by digit, ``1千5`` is 1500.

    Raises ValueError when it is none.
    """
    text = text.replace("廿", "二十").replace("卅", "三十").replace("个", "")
    tokens = re.findall(r"\d[\d,]*(?:\.\d+)?|\S", text)
    if not tokens:
        raise ValueError("no number")
    if len(tokens) > 1 and all(token in DIGITS for token in tokens):
        return Decimal("".join(str(DIGITS[token]) for token in tokens))
    return _grouped(tokens)


def _grouped(tokens: list[str]) -> Decimal:
    total = section = Decimal(0)
    for group in _groups(tokens):
        *body, last = group
        if last not in GROUPS:
            return total + section + _section(group, before=tokens[: -len(group)])
        section = _section(body) if body else Decimal(0)
        small = total < GROUPS[last]  # 3千万亿: what stands before 亿 is multiplied as a whole
        total = (total + section) * GROUPS[last] if small else total + section * GROUPS[last]
        section = Decimal(0)
    return total


def _groups(tokens: list[str]) -> list[list[str]]:
    groups: list[list[str]] = [[]]
    for token in tokens:
        groups[-1].append(token)
        if token in GROUPS:
            groups.append([])
    return [group for group in groups if group]


def _section(tokens: list[str], before: list[str] | None = None) -> Decimal:
    """A number below ten thousand. A last bare digit counts in the next lower place: 1千5."""
    value, pending, place = Decimal(0), None, GROUPS[before[-1]] if before else 1
    for token in tokens:
        if token in TENS:
            value += (Decimal(1) if pending is None else pending) * TENS[token]
            pending, place = None, TENS[token]
        else:
            digit = _digit(token)
            if pending:
                raise ValueError("two numbers")  # 3 5万 is neither 3 nor 5万
            pending, place = digit, 1 if digit == 0 else place
    if pending is None:
        return value
    short = place > 10 and pending < 10 and pending == int(pending)
    return value + pending * (place // 10 if short else 1)


def _digit(token: str) -> Decimal:
    if token in DIGITS:
        return Decimal(DIGITS[token])
    if not token[0].isdecimal():
        raise ValueError(f"not a number: {token}")
    return Decimal(token.replace(",", ""))
