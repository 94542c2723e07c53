"""Leads in and out as files: ``leadbot import`` and ``leadbot export``."""

import csv
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import typer
from rich.console import Console
from rich.progress import Progress
from sqlalchemy import make_url

from bot.config import SOURCE_LIMIT, Settings, stage_names
from bot.files import BYTES_LIMIT, Row, lead_rows, lead_sheets, neutralise, read_tables
from bot.gather import take_together
from bot.leadjson import GIVEN
from bot.sandbox.clock import kept
from bot.serve import NotRunning, prepare_database
from bot.versions import held, ruled
from bot.wiring import rules, team
from handlers.capture import Captured, capture
from store.db import Clock, Store, open_store, utcnow
from store.domain.custom import FieldRule
from store.domain.errors import ConfigError, LeadbotError
from store.domain.intake import EXTENSION, OTHER_EMAILS, OTHER_PHONES, BadFields, read_fields
from store.domain.lead import Lead
from store.domain.masking import hidden
from store.domain.newlead import ROW, NewLead
from store.migrate import migrate

BATCH = 200
PAGE = 500
QUOTED = 20  # characters of a value that is told back
PREVIEW = 3  # rows of which a dry run shows how they were understood
LABELS = {
    "name": "姓名", "phone": "电话", "email": "邮箱", "wechat": "微信", "company": "公司",
    "title": "职位", "region": "地区", "product": "产品", "message": "留言", "channel": "渠道",
    "rep": "销售",
}  # fmt: skip


class BadFile(LeadbotError):
    """The file cannot be read as leads; the text says why."""


@dataclass(slots=True)
class Report:
    new: int = 0
    known: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)  # where, why
    read: list[str] = field(default_factory=list)  # names of the sheets
    unread: dict[str, str] = field(default_factory=dict)  # name of the sheet: why
    preview: list[str] = field(default_factory=list)  # how the first rows were understood
    places: list[str] = field(default_factory=list)  # of the rows that are taken, in order
    odd: list[str] = field(default_factory=list)  # fields that are not what the rules want

    def count(self, news: Iterable[NewLead], taken: Iterable[Captured]) -> None:
        """What became of ``news``, the next of the rows."""
        for new, captured in zip(news, taken, strict=True):
            place = self.places[self.new + self.known]
            self.odd += [
                f"{place}的{name}{why}，「{_short(new.fields.get(name))}」先原样留着"
                for name, why in captured.wrong.items()
            ]
            self.known += captured.duplicate
            self.new += not captured.duplicate

    def lines(self) -> Iterator[str]:
        for place, why in self.refused:
            yield f"{place}没有导入：{why}"
        yield from self.odd
        for name, why in self.unread.items():
            yield f"工作表「{name}」没有读：{why}"
        if len(self.read) > 1:
            yield f"读了 {len(self.read)} 个工作表：{'、'.join(self.read)}"
        yield f"新线索 {self.new} 条，已有的人 {self.known} 条，没有导入 {len(self.refused)} 行"


async def import_leads(settings: Settings, file: Path, source: str, *, dry_run: bool) -> None:
    """Take in every row that can be read, and say of every other one why not.

    Raises BadFile. Safe to run twice: a known row says nothing new, unless its person's lead
    sleeps and the list is a later one; then it wakes.
    """
    if not source.strip() or len(source) > SOURCE_LIMIT or not source.isprintable():
        raise ConfigError([f"--source: write a name of 1 to {SOURCE_LIMIT} characters"])
    report = Report()
    ready = list(_checked(_rows(file, report), source, report))
    if dry_run:
        await _try_all(settings, ready, report)
        for line in report.preview:
            typer.echo(line)
        typer.echo("只检查，没有写入")
    else:
        await prepare_database(settings)
        async with _opened(settings, settings.database.url) as store:
            await _take_all(store, settings, ready, report)
    for line in report.lines():
        typer.echo(line)


def _rows(file: Path, report: Report) -> Iterator[tuple[str, Row]]:
    """Every row with the place by which a person finds it. Raises BadFile."""
    try:
        with file.open("rb") as content:
            data = content.read(BYTES_LIMIT + 1)
        sheets, report.unread = lead_sheets(read_tables(data))
        report.read = [sheet.name for sheet in sheets]
        for sheet in sheets:
            within = f"工作表「{sheet.name}」" if len(sheets) > 1 else ""
            for row in lead_rows(sheet):
                yield f"{within}第 {row.number} 行", row
    except OSError as error:
        raise BadFile(f"{file}：{error.strerror or error}") from error
    except ValueError as error:
        raise BadFile(f"{file.name}：{error}") from error


def _checked(rows: Iterable[tuple[str, Row]], source: str, report: Report) -> Iterator[NewLead]:
    for place, row in rows:
        if row.problem:
            report.refused.append((place, row.problem))
            continue
        by, digest = _source(row, source), _digest(row.values)
        number = row.values.get("external_id") or f"{ROW}{digest}"
        try:
            new = read_fields({**row.values, "external_id": number}, by)
        except BadFields as bad:
            report.refused.append((place, "；".join(bad.problems.values())))
            continue
        new = replace(new, others=row.others, listed=True, row=f"{by}:{digest}")
        report.places.append(place)
        if len(report.preview) < PREVIEW:
            report.preview.append(f"{place} → {_read_as(new)}")
        yield new


def _source(row: Row, given: str) -> str:
    """Who handed in a row of our own export stays so; else it is what this import is called."""
    return row.source if row.source and len(row.source) <= SOURCE_LIMIT else given


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= QUOTED else f"{text[:QUOTED]}…"


def _read_as(new: NewLead) -> str:
    """How a row was understood, for who knows what stands in it."""
    texts = ((label, getattr(new, name)) for name, label in LABELS.items())
    others = (("另有", "、".join(new.others)),)
    return "，".join(f"{label} {text}" for label, text in (*texts, *others) if text)


def _digest(values: Mapping[str, Any]) -> str:
    """What a row says, by which the same one is known when the file is imported again."""
    row = json.dumps(values, sort_keys=True, ensure_ascii=False, default=str)
    return sha256(row.encode()).hexdigest()[:20]


def _opened(settings: Settings, url: str) -> Store:
    return open_store(url, rules(settings), _clock(settings))


async def _try_all(settings: Settings, ready: Sequence[NewLead], report: Report) -> None:
    """Count what the import would do, by doing it and taking it back. Raises NotRunning.

    On SQLite in a copy: its one writer would keep the service waiting meanwhile, and a
    file that is not there or older than this version stays as it is.
    """
    url = make_url(settings.database.url)
    if url.get_backend_name() != "sqlite":
        await prepare_database(settings)
        async with _opened(settings, settings.database.url) as store:
            await _take_and_undo(store, settings, ready, report)
        return
    with TemporaryDirectory(prefix="leadbot-", ignore_cleanup_errors=True) as folder:
        copy = Path(folder) / "copy.db"
        _copy_database(url.database or "", copy)
        async with _opened(settings, f"sqlite+aiosqlite:///{copy}") as store:
            await migrate(store.engine)
            await _take_and_undo(store, settings, ready, report)


def _copy_database(name: str, copy: Path) -> None:
    if not Path(name).is_file():
        return
    try:
        # A reader that may not write would leave SQLite's -wal and -shm files behind as its own.
        with (
            closing(sqlite3.connect(f"{Path(name).absolute().as_uri()}?mode=rw", uri=True)) as old,
            closing(sqlite3.connect(copy)) as new,
        ):
            old.backup(new)
    except sqlite3.Error as error:
        raise NotRunning(f"database: {error}") from error


async def _take_and_undo(
    store: Store, settings: Settings, ready: Sequence[NewLead], report: Report
) -> None:
    async with store.begin() as tx:
        tx.rules = await held(tx, settings)
        await tx.members.sync(team(settings))
        for start in range(0, len(ready), BATCH):
            batch = ready[start : start + BATCH]
            report.count(batch, await capture(tx, batch))
        await tx.conn.rollback()


async def _take_all(
    store: Store, settings: Settings, ready: Sequence[NewLead], report: Report
) -> None:
    store = await ruled(store, settings)
    async with store.begin() as tx:
        await tx.members.sync(team(settings))
    with Progress(console=Console(stderr=True), disable=not ready) as progress:
        task = progress.add_task("导入", total=len(ready))
        for start in range(0, len(ready), BATCH):
            batch = ready[start : start + BATCH]
            report.count(batch, await take_together(store, batch))
            progress.advance(task, len(batch))


def _clock(settings: Settings) -> Clock:
    """The clock of the service that runs on this database: a demo's may have been moved."""
    return kept(settings.database.url) or utcnow


BESIDE = (EXTENSION, OTHER_PHONES, OTHER_EMAILS)
"""What stood with the number or mailbox, in columns of their own."""
LAST = (
    "utm", "fields", "consent", "consent_at", "stage", "qualification", "score", "grade", "owner",
    "place", "masked", "captured_at",
)  # fmt: skip


def headings(own: Iterable[FieldRule]) -> list[str]:
    """A field that is called like another column goes with the rest, into ``fields``."""
    return list(dict.fromkeys([*GIVEN, *BESIDE, *LAST, *(rule.name for rule in own)]))


async def export_leads(
    settings: Settings, file: Path, since: str, stage: str, *, unmasked: bool = False
) -> None:
    """Everything, or what came in since a day, or one stage. Raises BadFile, ConfigError.

    Whom nobody has claimed is masked as everywhere, unless ``unmasked``.
    """
    start, conditions = _wanted(settings, since, stage)
    if file.suffix.casefold() not in {".csv", ".xlsx"}:
        raise ConfigError([f"{file.name}: write .csv or .xlsx"])
    await prepare_database(settings)
    async with open_store(settings.database.url, rules(settings)) as store:
        try:
            count = await _write(store, file, start, conditions, unmasked=unmasked)
        except OSError as error:
            raise BadFile(f"{file}：{error.strerror or error}") from error
    typer.echo(f"已导出 {count} 条到 {file}")


def _wanted(settings: Settings, since: str, stage: str) -> tuple[datetime | None, dict[str, str]]:
    mistakes = []
    start = None
    if since:
        try:
            start = datetime.fromisoformat(since).replace(tzinfo=settings.zone).astimezone(UTC)
        except ValueError:
            mistakes.append("--since: write a day like 2026-03-01")
    known = stage_names(settings)
    if stage and stage not in known:
        mistakes.append(f"--stage: one of {', '.join(known)}")
    if mistakes:
        raise ConfigError(mistakes)
    return start, {"stage": stage} if stage else {}


async def _write(
    store: Store,
    file: Path,
    start: datetime | None,
    conditions: dict[str, str],
    *,
    unmasked: bool,
) -> int:
    columns = headings(store.rules.fields)
    rows: list[list[Any]] = [[neutralise(name) for name in columns]]
    after = 0
    while True:
        async with store.read() as tx:
            leads = await tx.leads.page(None, after, PAGE, conditions)
        wanted = [lead for lead in leads if start is None or lead.captured_at >= start]
        masked = [lead if unmasked else hidden(lead, store.rules.fields) for lead in wanted]
        rows += [
            _cells(told, columns, masked=told is not lead)
            for told, lead in zip(masked, wanted, strict=True)
        ]
        if len(leads) < PAGE:
            break
        after = leads[-1].id
    _save(file, rows)
    return len(rows) - 1


def _cells(lead: Lead, columns: Sequence[str], *, masked: bool) -> list[Any]:
    own = {name: value for name, value in lead.fields.items() if _is_cell(name, value, columns)}
    rest = {name: value for name, value in lead.fields.items() if name not in own}
    values = own | {
        **{name: getattr(lead, name) for name in (*GIVEN, *LAST) if hasattr(lead, name)},
        # A number that only says which row of which file it was is nobody's.
        "external_id": "" if lead.external_id.startswith(ROW) else lead.external_id,
        "utm": _json(lead.utm),
        "fields": _json(rest),
        "consent": lead.consent_text,
        "consent_at": lead.consent_at.isoformat() if lead.consent_at else "",
        "owner": lead.owner.name if lead.owner else "",
        "masked": "是" if masked else "",
        "captured_at": lead.captured_at.isoformat(),
    }
    return [neutralise(values.get(name, "")) for name in columns]


def _is_cell(name: str, value: object, columns: Sequence[str]) -> bool:
    """Of a list, an object or a yes a cell would not come back as it was: told with the rest."""
    plain = isinstance(value, str | int | float) and not isinstance(value, bool)
    return plain and name in columns and name not in (*GIVEN, *LAST)


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(dict(value), ensure_ascii=False) if value else ""


def _save(file: Path, rows: Sequence[Sequence[Any]]) -> None:
    if file.suffix.casefold() == ".csv":
        with file.open("w", encoding="utf-8-sig", newline="") as handle:
            csv.writer(handle).writerows(rows)
        return
    from openpyxl import Workbook  # noqa: PLC0415 - slow, and only for this

    book = Workbook(write_only=True)
    sheet = book.create_sheet("leads")
    for row in rows:
        sheet.append(list(row))
    book.save(file)
