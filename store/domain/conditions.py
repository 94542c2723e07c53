"""Conditions of the rules: every one of a ``when`` must hold."""

from collections.abc import Mapping
from typing import Any

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
)  # fmt: skip


def in_region(region: str, wanted: str) -> bool:
    """Whether ``region`` ("江苏苏州") lies in ``wanted`` ("华东", "江苏", "苏州")."""
    return any(part in region for part in (wanted, *BIG_REGIONS.get(wanted, ())))


def matches(name: str, value: str, wanted: str) -> bool:
    if name == "region":
        return in_region(value, wanted)
    if name in {"source", "channel", "stage"}:
        return value.casefold() == wanted.casefold()
    return wanted.casefold() in value.casefold()


def holds(when: Mapping[str, Any], lead: Any) -> bool:
    """Whether all conditions hold for ``lead``, which has the attributes they name.

    A tuple holds if one of its values matches; ``True`` if there is any value.
    """
    return all(_holds(name, wanted, lead) for name, wanted in when.items())


def _holds(name: str, wanted: Any, lead: Any) -> bool:
    if name == "min_score":
        return int(getattr(lead, "score", 0)) >= int(wanted)
    value = str(getattr(lead, name, ""))
    if wanted is True:
        return bool(value)
    options = wanted if isinstance(wanted, tuple | list) else (wanted,)
    return bool(value) and any(matches(name, value, str(option)) for option in options)
