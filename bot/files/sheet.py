"""A file's tables, whatever its name claims it to be."""

from dataclasses import dataclass
from datetime import date, time, timedelta

from bot.files import delimited, workbook

BYTES_LIMIT = 50 * 1024 * 1024
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # XLS, and an XLSX under a password
ZIP = b"PK\x03\x04"

Cell = str | int | float | bool | date | time | timedelta | None


@dataclass(frozen=True, slots=True)
class Sheet:
    """Rows as the file has them. A CSV has only texts; in a workbook an empty cell is None."""

    name: str
    rows: list[list[Cell]]


def read_tables(data: bytes, filename: str = "") -> list[Sheet]:
    """Every table of the file, judged by its content: a CSV is one, called ``csv``.

    Raises ValueError, in Chinese and fit to be shown, for what is no table, broken,
    under a password, or would not fit into memory. ``filename`` only goes into that text.
    """
    if len(data) > BYTES_LIMIT:
        raise _unfit(filename, f"超过 {BYTES_LIMIT // 1024 // 1024} MB，请分成几个文件")
    try:
        if data.startswith((ZIP, OLE)):
            return [Sheet(name, rows) for name, rows in workbook.read(data)]
        return [Sheet("csv", [list(row) for row in delimited.read(data)])]
    except ValueError as reason:
        raise _unfit(filename, str(reason)) from reason


def _unfit(filename: str, reason: str) -> ValueError:
    return ValueError(f"{filename or '这个文件'}：{reason}")


def neutralise(cell: Cell) -> Cell:
    """The cell so that a spreadsheet shows it and never runs it as a formula."""
    if isinstance(cell, str) and cell.startswith(
        ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
    ):
        return "'" + cell
    return cell
