"""
Blanks inside a number, a date or a time of day: 3 月 15 号, 下午 3 点, 12 万 8.

They are taken out only where what stands on both sides can be nothing but one
expression. Two groups of digits are never joined: in 「12 3点」 the 12 is something else.
"""

import re
from typing import NamedTuple

HAN = "零一二两三四五六七八九十"
NUMBER = rf"(?:\d{{1,2}}(?!\d)|[{HAN}]{{1,3}}(?![{HAN}]))"
SEVEN = "周|星期|礼拜"
ENDS = r"(?=\s*(?:$|[,，。;；!?、\s]|[上下中]午|早|晚|傍晚|\d))"
UNIT = (
    r"(?:月(?!薪|度|费|供|租|结)|[日号](?!程|报|常|码|召|称|线|楼|店|门)|年(?!薪|费|度|营|会|付)"
    r"|点(?!评|击|名|赞|餐|单)|时(?!候|间|代|节|长)|分(?!享|析|公|为|别|店|期|成|批)|刻|秒|小时|钟头|季度|天(?!气)|工作日"
    rf"|(?:{SEVEN})(?![一二三四五六日天末\d年期])|个(?=\s*(?:半|月|{SEVEN}|小时|钟头|季度|工作日)))"
)
# 8 周五 is money and a day, 8 点 is an hour, 8 台 is counted.
TAIL = (
    r"(?!\d|\s*(?:[点时:/.\-~号日月年天周件台套个家人位名次分折期%倍条辆亩]|到|至)(?!(?:[一二三四五六日末天]|期[一二三四五六日]))"
    r"|\s*(?:星期|礼拜)(?![一二三四五六日天]))"
)
BLANK = "[ \t]{1,3}"
INSIDE = re.compile(
    "|".join(
        (
            rf"(?<=\d)(?<!\d{{5}}){BLANK}(?={UNIT})",
            rf"(?<=[{HAN}半几])(?<![周期拜第][{HAN}]){BLANK}(?={UNIT})",
            rf"(?<=[天周月年时钟日期拜头度]){BLANK}(?=(?:之|以)?(?:后(?!天|来|续|面)|内(?!部|容)))",
            rf"(?<=月){BLANK}(?={NUMBER}\s*[日号])",
            rf"(?<=月){BLANK}(?=\d{{1,2}}\s+(?:[上下中]午|早上|晚上))",
            rf"(?<=年){BLANK}(?={NUMBER}\s*月)",
            rf"(?<=[点时]){BLANK}(?={NUMBER}\s*分(?!享|析|公)|半(?!小时|个|天|年|月|价)|[一三13]\s*刻|整|钟)",
            rf"(?<=[点时]){BLANK}(?=[0-5]\d(?:$|[,，。;；]|\s*(?:再|见|开会)))",
            rf"(?<=[上下中]午|[早晚]上|凌晨|傍晚){BLANK}(?={NUMBER}\s*[点时:])",
            rf"(?<=\d){BLANK}(?=:\s{{0,3}}[0-5]\d(?!\d|\s*[人万元台套个家天年]))",
            rf"(?<=\d:){BLANK}(?=[0-5]\d(?!\d|\s*[人万元台套个家天年]))",
            rf"(?<=\d\s:){BLANK}(?=[0-5]\d(?!\d|\s*[人万元台套个家天年]))",
            rf"(?<=[上下这本每隔个两]周|星期|礼拜){BLANK}(?=[一二三四五六日天]{ENDS})",
            rf"(?<=[\d{HAN} ]个){BLANK}(?=半|月|{SEVEN}|小时|钟头|季度|工作日)",
            rf"(?<=个半){BLANK}(?=月|小时|钟头)",
            rf"(?<=[\d{HAN} ]月){BLANK}(?=底|初|末|中旬|上旬|下旬)",
            rf"(?<=过){BLANK}(?={NUMBER}\s*(?:[天周年日]|个|小时|分钟))",
            rf"(?<=每){BLANK}(?=天|日|月|年|个|两|\d|工作日|{SEVEN})",
            rf"(?<=[万亿千]){BLANK}(?=[1-9](?:\d{{3}})?{TAIL})",
        )
    )
)


class Squeezed(NamedTuple):
    """``text`` without such blanks; ``places``: where each character stood, and the end."""

    text: str
    places: tuple[int, ...]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """A place of ``text`` as a place of what was written."""
        return self.places[start], self.places[end - 1] + 1 if end > start else self.places[start]


def squeeze(text: str, *apart: re.Pattern[str]) -> Squeezed:
    """A normalised text without the blanks inside its numbers, dates and times.

    ``apart``: what else is one expression, all of its blanks go.
    """
    gone = {at for match in INSIDE.finditer(text) for at in range(*match.span())}
    spans = [match.span() for pattern in apart for match in pattern.finditer(text)]
    gone |= {at for start, end in spans for at in range(start, end) if text[at] == " "}
    kept = [at for at in range(len(text)) if at not in gone]
    return Squeezed("".join(text[at] for at in kept), (*kept, len(text)))
