"""Where a Chinese number comes from.

The ranges are those of the `phone` package (BSD, 499,527 seven-digit prefixes). The
geocoder of the general library knows 63 % of them, and calls ranges Beijing that are not.
"""

import re
import struct
from collections import Counter
from functools import cache
from typing import NamedTuple

from phone import Phone as Ranges

from store.domain.region_codes import COUNTIES, spelled_out

PROVINCE = re.compile(
    "北京|天津|上海|重庆|河北|山西|辽宁|吉林|黑龙江|江苏|浙江|安徽|福建|江西|山东|河南|湖北|湖南|广东|海南|"
    "四川|贵州|云南|陕西|甘肃|青海|内蒙古|广西|西藏|宁夏|新疆|香港|澳门|台湾"
)
STREET = r"[东西南北中]?(?:路|街|道|大道|大街|大厦)"
"""What makes the name of a place the name of a street."""
_BEGINS = re.compile(rf"(?!河北区)(?:{PROVINCE.pattern})(?!{STREET})")
_COUNTY = re.compile("|".join(COUNTIES))
_NO_CITY = re.compile(rf"区|{STREET}")
LONGEST_CITY = 6  # characters
WORDS = frozenset(
    [
        "东方",
        "大同",
        "三明",
        "山南",
        "江汉",
        "阿里",
        "和田",
        "中卫",
        "兴安",
        "来宾",
        "朝阳",
        "安康",
        "黄山",
        "中山",
    ]
)
"""Cities whose names are as often a word, a company or a person."""


class Region(NamedTuple):
    """A province and a city without 省 and 市, as people say them; both may be blank."""

    province: str = ""
    city: str = ""

    def __str__(self) -> str:
        return self.province if self.city == self.province else self.province + self.city


NOWHERE = Region()


@cache
def _ranges() -> Ranges:
    return Ranges()


def mobile_region(national: str) -> Region:
    """Where the SIM card of an 11-digit number was sold; blank when the range is unknown."""
    found = _ranges().find(national[:7])
    return Region(found["province"], found["city"]) if found else NOWHERE


def landline_region(area_code: str) -> Region:
    """The region of an area code written with its zero (``0755``); blank when unknown."""
    return _area_codes().get(area_code, NOWHERE)


def with_province(text: str) -> str:
    """The region with its province in front, so that a rule for 江苏 or 华东 finds 苏州 too.

    A code (440305) and another spelling (Guangdong, 廣東, 粤) are named as people here say it.
    """
    text = spelled_out(text)
    place = text.removeprefix("中华人民共和国").removeprefix("中国")
    if place.startswith(("海南藏族", "海南州")):
        return "青海" + place
    if _BEGINS.match(place):
        return text
    if county := _COUNTY.match(place):
        return COUNTIES[county[0]] + place
    heads = (place[:length] for length in range(LONGEST_CITY, 1, -1))
    return next((_cities()[head] + place for head in heads if _is_city(head, place)), text)


def _is_city(head: str, place: str) -> bool:
    """朝阳区 lies in 北京 or 长春, and 南京路 in every town."""
    return head in _cities() and not _NO_CITY.match(place[len(head) :])


def place_named(text: str) -> str:
    """The province and city named in a sentence, as 浙江宁波; empty when it names none.

    A province with its city counts anywhere; one alone must begin a piece or follow 在.
    """
    for found in _places().finditer(text):
        province, city = found["province"] or "", found["city"] or found["alone"] or ""
        begins = not re.search(r"[\u4e00-\u9fffA-Za-z]$", text[: found.start()])
        told = re.search(r"(?:在|来自|位于|地址|地区|城市|客户)$", text[: found.start()])
        if (province and city) or begins or told:
            return with_province(province + city)
    return ""


@cache
def _places() -> re.Pattern[str]:
    """朝阳区 and 中山路 name no city of that name; 东方 and the like are words as well."""
    cities = "|".join(sorted(_cities().keys() - WORDS, key=len, reverse=True))
    return re.compile(
        rf"(?:(?P<province>{PROVINCE.pattern})(?:省|市|自治区|壮族自治区|回族自治区|维吾尔自治区)?"
        rf"(?P<city>{cities})?|(?P<alone>{cities}))(?!路|街|大道|东路|西路|南路|北路|区|银行|大学|菜)"
    )


@cache
def _area_codes() -> dict[str, Region]:
    return dict(reversed(_records()))


@cache
def _cities() -> dict[str, str]:
    return {region.city: region.province for _, region in reversed(_records())}


@cache
def _records() -> tuple[tuple[str, Region], ...]:
    """Every area code and region; those with the most mobile ranges come first."""
    ranges = _ranges()
    index = memoryview(ranges.buf)[ranges.first_phone_record_offset :]
    whole = len(index) // ranges.phone_fmt_length * ranges.phone_fmt_length
    count = Counter(at for _, at, _ in struct.iter_unpack(ranges.phone_fmt, index[:whole]))
    return tuple(_record(ranges.buf, at) for at, _ in count.most_common())


def _record(buf: bytes, at: int) -> tuple[str, Region]:
    province, city, _, area_code = buf[at : buf.index(b"\0", at)].decode().split("|")
    return area_code, Region(province, city)
