"""Conditions of the rules: every one of a ``when`` must hold."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from store.domain.custom import said
from store.domain.regions import STREET

BIG_REGIONS: Mapping[str, tuple[str, ...]] = {
    "华东": ("上海", "江苏", "浙江", "安徽", "福建", "江西", "山东"),
    "华南": ("广东", "广西", "海南"),
    "华中": ("湖北", "湖南", "河南"),
    "华北": ("北京", "天津", "河北", "山西", "内蒙古"),
    "西南": ("重庆", "四川", "贵州", "云南", "西藏"),
    "西北": ("陕西", "甘肃", "青海", "宁夏", "新疆"),
    "东北": ("辽宁", "吉林", "黑龙江"),
    "港澳台": ("香港", "澳门", "台湾"),
}
FIELDS = (
    "region", "product", "industry", "source", "channel", "keyword", "campaign", "title",
    "company", "message", "phone", "email", "wechat", "min_score", "external_userid",
    "company_size", "min_size", "max_size", "grade", "min_complete",
)  # fmt: skip
NUMBERS = ("min_score", "min_size", "max_size", "min_complete")
"""Conditions that compare: points, people of the company, percent of what can be known."""
SIZE_NAMES = (
    "company_size", "公司规模", "企业规模", "规模", "人数", "员工数", "员工人数", "团队规模",
    "employees", "No. of Employees", "Employees",
)  # fmt: skip
"""Where ``fields`` says how many people a company has."""
COMPLETE = (
    "name", "phone", "email", "company", "title", "region", "industry", "product", "message",
    "company_size",
)  # fmt: skip
"""What makes a profile complete, a tenth each."""
_SIZE = re.compile(r"(\d[\d,]*(?:\.\d+)?)\s*(万|千|k)?", re.IGNORECASE)
_UNITS = {"万": 10_000, "千": 1000, "k": 1000}
_MORE = re.compile(r"以上|[+＋>＞≥]|多于|超过|大于|不少于")
_LESS = re.compile(r"以下|以内|[<＜≤]|少于|不到|小于|不超过")


_AREAS = frozenset({*BIG_REGIONS, *(name for names in BIG_REGIONS.values() for name in names)})
_AREA = re.compile(rf"(?!河北区)(?:{'|'.join(sorted(_AREAS, key=len, reverse=True))})(?!{STREET})")
_HAINAN_OF_QINGHAI = re.compile(r"(?<=青海)海南|(?<=青海省)海南|海南(?=藏族|州)")


def in_region(region: str, wanted: str) -> bool:
    """Whether ``region`` ("江苏苏州") lies in ``wanted`` ("华东", "江苏", "苏州").

    上海南汇 is not in 海南, 江西南昌 not in 西南, and 青海海南 is a prefecture of 青海.
    """
    if wanted not in _AREAS:
        return re.search(rf"{re.escape(wanted)}(?!{STREET})", region) is not None
    return not {wanted, *BIG_REGIONS.get(wanted, ())}.isdisjoint(_areas(region))


@lru_cache(maxsize=4096)
def _areas(region: str) -> frozenset[str]:
    """The provinces and parts of the country that ``region`` names, read from its beginning."""
    return frozenset(_AREA.findall(_HAINAN_OF_QINGHAI.sub("", region)))


def matches(name: str, value: str, wanted: str) -> bool:
    if name == "region":
        return in_region(value, wanted)
    if name in {"source", "channel", "stage"}:
        return value.casefold() == wanted.casefold()
    if name == "company_size":
        return _names_size(value, wanted)
    return wanted.casefold() in value.casefold()


def _names_size(value: str, wanted: str) -> bool:
    """Whether ``wanted`` stands in ``value`` with whole numbers: 50人以下 is not in 150人以下."""
    before = r"(?<!\d)(?<!\d[.,])" if wanted[:1].isdecimal() else ""
    after = r"(?!\d|[.,]\d)" if wanted[-1:].isdecimal() else ""
    return re.search(before + re.escape(wanted) + after, value, re.IGNORECASE) is not None


def company_size(lead: Any) -> str:
    """How many people the company has, as it was said; "" when nobody said."""
    given = getattr(lead, "fields", {})
    return next((str(given[name]).strip() for name in SIZE_NAMES if given.get(name)), "")


def size_range(text: str) -> tuple[int, int | None] | None:
    """ "100-499人" is (100, 499), "500人以上" (500, None), "50人以下" (0, 50); None: no number."""
    found = [
        int(float(number.replace(",", "")) * _UNITS.get(unit.lower(), 1))
        for number, unit in _SIZE.findall(text)
    ]
    if not found:
        return None
    if len(found) > 1:
        return min(found[:2]), max(found[:2])
    if _MORE.search(text):
        return found[0], None
    return (0, found[0]) if _LESS.search(text) else (found[0], found[0])


def complete(lead: Any) -> int:
    """How much of what can be known of a lead is known, in percent."""
    return 100 * sum(bool(value_of(name, lead)) for name in COMPLETE) // len(COMPLETE)


def holds(when: Mapping[str, Any], lead: Any) -> bool:
    """Whether all conditions hold for ``lead``, which has the attributes they name.

    A tuple holds if one of its values matches; ``True`` if there is any value.
    """
    return failing(when, lead) == ""


def failing(when: Mapping[str, Any], lead: Any) -> str:
    """The first condition that does not hold; "" when all do."""
    return next((name for name, wanted in when.items() if not _holds(name, wanted, lead)), "")


def _holds(name: str, wanted: Any, lead: Any) -> bool:
    if name in NUMBERS:
        return _compares(name, int(wanted), lead)
    value = value_of(name, lead)
    if wanted is True:
        return bool(value)
    options = wanted if isinstance(wanted, tuple | list) else (wanted,)
    return bool(value) and any(matches(name, value, str(option)) for option in options)


def _compares(name: str, wanted: int, lead: Any) -> bool:
    if name == "min_score":
        return int(getattr(lead, "score", 0)) >= wanted
    if name == "min_complete":
        return complete(lead) >= wanted
    known = size_range(company_size(lead))
    if known is None:
        return False
    least, most = known
    return least >= wanted if name == "min_size" else most is not None and most <= wanted


def value_of(name: str, lead: Any) -> str:
    """What a condition compares, as text; a name that is none of the lead's is a field of its own."""
    if name in {*FIELDS, "name", "stage"}:
        return company_size(lead) if name == "company_size" else str(getattr(lead, name, ""))
    return said(getattr(lead, "fields", {}), name)
