"""The leads of a table: each row as the values the intake reads."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from bot.files.headings import (
    DERIVED,
    EXPORT,
    KEPT,
    REACH,
    column,
    is_heading,
    is_hint,
    unique,
)
from bot.files.sheet import Cell, Sheet, restored
from store.domain.emails import read_email
from store.domain.phones import read_phone

LOOK_DOWN = 20  # rows among which the headings are looked for: a title, a note, then they come
LOOKED_FOR = "手机号、电话、邮箱、微信"

PLAIN = (
    "phone", "email", "wechat", "external_userid", "title", "industry", "product", "message",
    "keyword", "campaign", "channel", "external_id", "rep",
)  # fmt: skip
"""Columns that go to the intake as they are."""
UTM = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")

_EXAMPLE = re.compile(r"示例|样例|范例|例子|说明|example|sample|instruction", re.IGNORECASE)
_LETTER = re.compile(r"[a-zA-Z]")  # every WeChat id begins with one
_HAN = re.compile(r"[\u3400-\u9fff]")


@dataclass(frozen=True, slots=True)
class Row:
    """``number`` counts from 1 as the spreadsheet shows it; ``values`` are for ``read_fields``.

    ``problem`` says why the row cannot be right although its values can be read.
    ``others`` are the cells of the other columns of numbers and mailboxes: Phone 2, 备用邮箱.
    ``source`` is told by a file that was exported here: who handed the lead in.
    """

    number: int
    values: dict[str, Any]
    problem: str | None = None
    others: tuple[str, ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True)
class _Columns:
    """Which cells hold which column, the preferred first, and every heading.

    ``exported``: the columns that only a file of our own has, by their headings.
    """

    headings: list[str]
    at: dict[str, list[int]] = field(default_factory=dict)
    exported: dict[str, int] = field(default_factory=dict)


def lead_sheets(sheets: Iterable[Sheet]) -> tuple[list[Sheet], dict[str, str]]:
    """The sheets with leads, and why of every other one that says something, by its name.

    Raises ValueError when none has headings that are known.
    """
    tried = [sheet for sheet in sheets if _says_something(sheet)]
    headed = [sheet for sheet in tried if _heading_row(sheet) is not None]
    if not headed:
        raise _nothing_known(tried[0] if tried else Sheet("", []))
    left = {sheet.name: why for sheet in tried if (why := _no_leads(sheet))}
    read = [sheet for sheet in headed if sheet.name not in left]
    if not read:
        del left[headed[0].name]
    return read or headed[:1], left


def _says_something(sheet: Sheet) -> bool:
    return any(_text(cell) for row in sheet.rows for cell in row)


def _no_leads(sheet: Sheet) -> str:
    """Why the sheet is none of leads, where another one may be."""
    first = _heading_row(sheet)
    if first is None:
        return str(_nothing_known(sheet))
    if example := _EXAMPLE.search(sheet.name):
        return f"名字里有“{example[0]}”"
    if len(_columns(sheet, first).at) > 1 or _reaches(lead_rows(sheet)):
        return ""
    return "没有能联系到的人"  # the choices of a drop-down: 电话, 微信, 抖音


def _reaches(rows: Iterable[Row]) -> bool:
    return any(
        _is_phone(row.values.get("phone", "")) or _is_email(row.values.get("email", ""))
        for row in rows
    )


def lead_rows(sheet: Sheet) -> Iterator[Row]:
    """Every row below the headings that says something.

    Raises ValueError, in Chinese, when no row names a column that reaches anybody.
    """
    first = _heading_row(sheet)
    if first is None:
        raise _nothing_known(sheet)
    columns = _columns(sheet, first)
    return _rows(sheet, first, columns)


def _rows(sheet: Sheet, first: int, columns: _Columns) -> Iterator[Row]:
    for at in range(first + 1, len(sheet.rows)):
        row = sheet.rows[at]
        second_heading = (
            at == first + 1 and is_heading(row) and not _reaches([_row(0, row, columns)])
        )
        if second_heading or is_hint(row) or not any(_text(cell) for cell in row):
            continue
        yield _row(at + 1, row, columns)


def _heading_row(sheet: Sheet) -> int | None:
    """Where the headings are: the first row that names columns and a way to reach somebody.

    A table of many columns of its own is known by the numbers or mailboxes below a heading.
    """
    top = sheet.rows[:LOOK_DOWN]
    ways = [[at for at, cell in enumerate(row) if _reaches_by(cell)] for row in top]
    for at, row in enumerate(top):
        if ways[at] and is_heading(row):
            return at
    below = (sheet.rows[at + 1 : at + LOOK_DOWN] for at in range(len(top)))
    reached = (at for at, rows in enumerate(below) if _reached(rows, ways[at]))
    return next(reached, None)


def _reaches_by(heading: Cell) -> bool:
    found = column(heading)
    return found is not None and found[0] in REACH


def _reached(rows: Iterable[Sequence[Cell]], ways: Sequence[int]) -> bool:
    cells = (_text(row[at]) for row in rows for at in ways if at < len(row))
    return any(_is_phone(cell) or _is_email(cell) for cell in cells)


def _nothing_known(sheet: Sheet) -> ValueError:
    names = (name for row in sheet.rows[:LOOK_DOWN] if is_heading(row) for name in unique(row))
    seen = "、".join(name[:20] for name in names if column(name))
    found = f"只认出了 {seen}，" if seen else ""
    return ValueError(f"{found}没有找到表头：要有一行写着 {LOOKED_FOR} 里的至少一个")


def _columns(sheet: Sheet, first: int) -> _Columns:
    headings = unique(sheet.rows[first])
    columns = _Columns(headings, exported=_exported(headings))
    known = [
        (found, at)
        for at, cell in enumerate(sheet.rows[first])
        if (found := column(cell)) and at not in columns.exported.values()
    ]
    for (name, _), at in sorted(known, key=lambda item: (item[0][1], item[1])):
        columns.at.setdefault(name, []).append(at)
    for at in list(columns.at.get("external_id", ())):
        if _counts_up([row[at] for row in sheet.rows[first + 1 :] if at < len(row)]):
            columns.at["external_id"].remove(at)
    return columns


def _exported(headings: Sequence[str]) -> dict[str, int]:
    at = {heading: at for at, heading in enumerate(headings)}
    if not at.keys() >= EXPORT:
        return {}
    return {heading: at[heading] for heading in (DERIVED | KEPT) & at.keys()}


def _counts_up(cells: Sequence[Cell]) -> bool:
    """1, 2, 3 numbers the rows of this file and would mean other people in the next one."""
    told = [text for cell in cells if (text := _text(cell))]
    return told[:1] in (["0"], ["1"], ["001"]) and all(
        text.isdecimal() and int(text) == int(told[0]) + at for at, text in enumerate(told[:50])
    )


def _row(number: int, row: Sequence[Cell], columns: _Columns) -> Row:
    texts = [_text(cell) for cell in row]
    if columns.exported:
        texts = [restored(text) for text in texts]
    width = len(columns.headings)
    used, values = _values(texts, columns)
    more = {
        columns.headings[at] or f"第 {at + 1} 列": text
        for at, text in enumerate(texts[:width])
        if text and at not in used and at not in columns.exported.values()
    }
    problem = "这一行比表头多出几格，可能是逗号或引号写错了" if any(texts[width:]) else None
    ways = {at for name in ("phone", "email") for at in columns.at.get(name, ())}
    others = tuple(texts[at] for at in sorted(ways - used) if at < len(texts) and texts[at])
    values |= {"fields": more} if more else {}
    read = Row(number, values, problem, others)
    return _as_exported(read, texts, columns) if columns.exported else read


MASKED = "公海里没人领的，导出时打了码，导不回来；要完整的，导出时加 --unmasked"


def _as_exported(row: Row, texts: Sequence[str], columns: _Columns) -> Row:
    """With what only a file of our own tells."""
    told = {name: texts[at] for name, at in columns.exported.items() if at < len(texts)}
    values = dict(row.values)
    if told.get("consent_at") and "consent" in values:
        values["consent"] = {**values["consent"], "at": told["consent_at"]}
    try:
        for name in ("utm", "fields"):
            values[name] = {**_object(told.get(name, "")), **values.get(name, {})}
    except ValueError:
        return replace(row, problem="utm 或 fields 这一格改坏了，空着也可以")
    problem = MASKED if told.get("masked") else row.problem
    kept = {name: value for name, value in values.items() if value}
    return replace(row, values=kept, problem=problem, source=told.get("source", ""))


def _object(text: str) -> dict[str, Any]:
    """Raises ValueError for what is no JSON object."""
    value = json.loads(text or "{}")
    if not isinstance(value, dict):
        raise ValueError(text)  # noqa: TRY004 - the same to whoever reads it
    return value


@dataclass(slots=True)
class _Reading:
    """What a row says by column, and which columns found their place."""

    said: dict[str, str]
    used: set[str] = field(default_factory=set)

    def take(self, *names: str) -> str:
        """The first of the columns that says something."""
        name = next((name for name in names if name in self.said), None)
        if name is None:
            return ""
        self.used.add(name)
        return self.said[name]


def _values(texts: Sequence[str], columns: _Columns) -> tuple[set[int], dict[str, Any]]:
    """The cells that found their place, and the values by their public names."""
    picks = {name: _pick(name, ats, texts) for name, ats in columns.at.items()}
    picked = {name: at for name, at in picks.items() if at is not None}
    row = _Reading({name: texts[at] for name, at in picked.items()})
    values: dict[str, Any] = {name: row.take(name) for name in PLAIN}
    values |= {name: text for name, text in _either(row).items() if not values[name]}
    values |= _who(row, is_contact="contact" in columns.at)
    values["region"] = _where(row)
    values["utm"] = {name: text for name in UTM if (text := row.take(name))}
    if text := row.take("consent"):
        values["consent"] = {"text": text}
    used = {picked[name] for name in row.used}
    return used, {name: value for name, value in values.items() if value}


def _either(row: _Reading) -> dict[str, str]:
    """What a cell under 电话/微信 is."""
    text = row.said.get("either", "")
    name = "email" if _is_email(text) else "phone" if _is_number(text) else "wechat"
    if not text or row.said.get(name):
        return {}
    return {name: row.take("either")}


def _is_number(text: str) -> bool:
    return _is_phone(text) or not _LETTER.match(text)


def _who(row: _Reading, *, is_contact: bool) -> dict[str, str]:
    """Where a table has a 联系人, that is the person and its 姓名 or 名称 is the company."""
    if is_contact:
        return {"name": row.take("contact"), "company": row.take("company", "label", "name")}
    family, given = row.take("family"), row.take("given")
    joined = family + given if _HAN.search(family + given) else f"{given} {family}".strip()
    if name := row.take("name") or joined:
        return {"name": name, "company": row.take("company", "label")}
    return {"name": row.take("label"), "company": row.take("company")}


def _where(row: _Reading) -> str:
    province, city = row.take("province"), row.take("city")
    if province or city:
        return province if city in province else province + city
    return row.take("region")


def _pick(name: str, ats: Sequence[int], texts: Sequence[str]) -> int | None:
    """The best cell of a column that comes several times: the first that can be read."""
    told = [at for at in ats if at < len(texts) and texts[at]]
    if len(told) < 2:
        return told[0] if told else None
    reads = READS.get(name, bool)
    return next((at for at in told if reads(texts[at])), told[0])


def _is_phone(text: str) -> bool:
    try:
        return read_phone(text) is not None
    except ValueError:
        return False


def _is_email(text: str) -> bool:
    return read_email(text) is not None


READS: dict[str, Callable[[str], bool]] = {"phone": _is_phone, "email": _is_email}
"""Columns of which a cell that can be read is better than one that stands first."""


def _text(cell: Cell) -> str:
    if isinstance(cell, datetime):
        return str(cell).removesuffix(" 00:00:00")
    return "" if cell is None else str(cell).strip()
