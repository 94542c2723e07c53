"""Fields of one's own: what a company asks that nobody else does."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from store.domain.numerals import normalise, number

TEXT, NUMBER, DATE, CHOICE = "text", "number", "date", "choice"
KINDS = {TEXT: "文字", NUMBER: "数字", DATE: "日期", CHOICE: "选项"}
NUMERAL = r"\d{1,2}|[一二三]?十[一二三四五六七八九]?|[一二三四五六七八九]"
WRITTEN = re.compile(
    rf"(?:(?P<year>(?:19|20)\d\d)[-/.年])?(?P<month>{NUMERAL})[-/.月](?P<day>{NUMERAL})[日号]?"
)
LONGEST = 200  # characters
MINUS = frozenset({"-", "−", "负"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRule:
    """``card``: a row of the lead's card; ``hidden``: not shown to who may only see it masked."""

    name: str
    type: str = TEXT
    choices: tuple[str, ...] = ()
    required: bool = False
    card: bool = True
    hidden: bool = False


def read(rule: FieldRule, value: object, today: date) -> str | int | float:
    """``value`` as its type keeps it. Raises ValueError with what to write instead.

    3月15日 is the next one from ``today``.
    """
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise ValueError(f"要写成{KINDS[rule.type]}")  # noqa: TRY004 - told like every other reason
    text = str(value).strip()
    if rule.type == NUMBER:
        return _number(text)
    if rule.type == DATE:
        return _date(text, today)
    if rule.type == CHOICE:
        return _choice(rule, text)
    if len(text) > LONGEST:
        raise ValueError(f"最多 {LONGEST} 个字")
    return text


def _number(text: str) -> int | float:
    written = normalise(text.rstrip("元")).strip()
    bare, sign = (written[1:], -1) if written[:1] in MINUS else (written, 1)
    try:
        found = sign * number(bare)
    except (ValueError, ArithmeticError):
        raise ValueError("要写成数字，像 20 或 1.5万") from None
    return int(found) if found == int(found) else float(found)


def _date(text: str, today: date) -> str:
    match = WRITTEN.fullmatch("".join(normalise(text).split()))
    try:
        return (_day(match, today) if match else date.fromisoformat(text)).isoformat()
    except ValueError:
        raise ValueError("要写成日期，像 2026-03-02 或 3月2日") from None


def _day(match: re.Match[str], today: date) -> date:
    """Without a year the next such day. Raises ValueError when there is none."""
    month, day = (int(number(match[part])) for part in ("month", "day"))
    if match["year"]:
        return date(int(match["year"]), month, day)
    this = date(today.year, month, day)
    return this if this >= today else date(today.year + 1, month, day)


def _choice(rule: FieldRule, text: str) -> str:
    chosen = next((c for c in rule.choices if c.casefold() == text.casefold()), None)
    if chosen is None:
        raise ValueError(f"只能是{'、'.join(rule.choices)}")
    return chosen


def checked(
    rules: Sequence[FieldRule], fields: Mapping[str, Any], today: date
) -> tuple[dict[str, Any], dict[str, str]]:
    """The fields as their types keep them, and what is wrong with the others, which stay as they are."""
    kept, wrong = dict(fields), {}
    for rule in rules:
        value = fields.get(rule.name)
        if value is None or value == "":
            continue
        try:
            kept[rule.name] = read(rule, value, today)
        except ValueError as why:
            wrong[rule.name] = str(why)
    return kept, wrong


def missing(rules: Sequence[FieldRule], fields: Mapping[str, Any]) -> tuple[str, ...]:
    """The required ones that nobody has filled in."""
    return tuple(rule.name for rule in rules if rule.required and not said(fields, rule.name))


def said(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return "" if value is None else f"{value:.15g}" if isinstance(value, float) else str(value)
