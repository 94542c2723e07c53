"""Correcting one thing of a follow-up: what can be corrected, and what it says then."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, tzinfo

from store.domain.errors import BadCommand
from store.domain.followup import (
    METHODS,
    OBJECTIONS,
    OUTCOMES,
    TAG,
    FollowUp,
    named,
    tells_something,
)
from store.domain.money import find_amount
from store.domain.numerals import normalise
from store.domain.times import find_time
from store.domain.vague import with_example

NONE = re.compile(r"(?:无|没有|不要|清掉|取消|不提醒|none|no)$", re.IGNORECASE)
FIELDS = ("时间", "方式", "结果", "金额", "标签", "异议", "痛点", "下一步")
ALIASES = {
    "下次": "时间", "日期": "时间", "下次时间": "时间", "time": "时间", "date": "时间",
    "method": "方式", "outcome": "结果", "amount": "金额", "报价": "金额", "价格": "金额",
    "tag": "标签", "tags": "标签", "objection": "异议", "顾虑": "异议", "pain": "痛点",
    "step": "下一步", "next": "下一步",
}  # fmt: skip


def field_of(name: str) -> str | None:
    name = name.strip(" ：:").casefold()
    return name if name in FIELDS else ALIASES.get(name)


def mend(log: FollowUp, field: str, words: str, now: datetime, zone: tzinfo) -> FollowUp:
    """``log`` with ``field`` as ``words`` say; 无 clears it. Raises BadCommand, with an example."""
    words = "" if NONE.match(words) else words
    if field == "时间":
        return _at(log, words, now, zone)
    new = SETTERS[field](log, words)
    return replace(new, effective=tells_something(new, now, zone) or _more(new))


def _more(log: FollowUp) -> bool:
    """What was put in by hand tells something, too; a call nobody answered does not."""
    return not log.missed and bool(log.objection or log.pains)


def _at(log: FollowUp, words: str, now: datetime, zone: tzinfo) -> FollowUp:
    if not words:
        return replace(log, next_at=None, next_date_only=False)
    found = find_time(words, now, zone)
    if found is None or found.ambiguous or (found.past and not found.date_only):
        why = found.ambiguous if found else ""
        raise BadCommand(with_example(why or "什么时候？", "例如：时间 明天9点"))
    return replace(log, next_at=found.at, next_date_only=found.date_only)


def _method(log: FollowUp, words: str) -> FollowUp:
    return replace(log, method=_one_of("方式", METHODS, words), attempt=True)


def _outcome(log: FollowUp, words: str) -> FollowUp:
    return replace(log, outcome=_one_of("结果", OUTCOMES, words))


def _one_of(label: str, groups: dict[str, str], words: str) -> str:
    if not words:
        return ""
    found = words if words in groups else named(groups, normalise(words))
    if not found:
        raise BadCommand(f"{label}可以是：{'、'.join(groups)}")
    return found


def _amount(log: FollowUp, words: str) -> FollowUp:
    if not words:
        return replace(log, amount=None)
    found = find_amount(words)
    if found is None or not found.exact:
        raise BadCommand(f"{'准数是' if found else ''}多少？例如：金额 12万")
    return replace(log, amount=found.yuan)


def _tags(log: FollowUp, words: str) -> FollowUp:
    tags = TAG.findall(words) or words.replace("#", " ").split()
    return replace(log, tags=tuple(dict.fromkeys(tag[:20] for tag in tags))[:10])


def _objection(log: FollowUp, words: str) -> FollowUp:
    found = words if words in OBJECTIONS else named(OBJECTIONS, normalise(words)) or words
    return replace(log, objection=found[:20])


def _pain(log: FollowUp, words: str) -> FollowUp:
    return replace(log, pains=(words[:40],) if words else ())


def _step(log: FollowUp, words: str) -> FollowUp:
    return replace(log, step=words[:40])


SETTERS: dict[str, Callable[[FollowUp, str], FollowUp]] = {
    "方式": _method, "结果": _outcome, "金额": _amount, "标签": _tags,
    "异议": _objection, "痛点": _pain, "下一步": _step,
}  # fmt: skip


def said(log: FollowUp, field: str, now: datetime, zone: tzinfo) -> str:
    """What was understood, short; 无 when nothing was."""
    value = {
        "方式": log.method, "结果": log.outcome,
        "金额": f"{log.amount:,} 元" if log.amount else "",
        "标签": " ".join(f"#{tag}" for tag in log.tags),
        "异议": log.objection, "痛点": "、".join(log.pains), "下一步": log.step,
        "时间": _when(log, now, zone),
    }[field]  # fmt: skip
    return value or "无"


def _when(log: FollowUp, now: datetime, zone: tzinfo) -> str:
    if log.next_at is None:
        return ""
    local = log.next_at.astimezone(zone)
    clock = "" if log.next_date_only else f" {local:%H:%M}"
    year = "" if local.year == now.astimezone(zone).year else f"{local.year}年"
    return f"{year}{local.month}月{local.day}日{clock}"
