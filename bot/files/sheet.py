"""A file's tables, whatever its name claims it to be."""

import re
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


def read_tables(data: bytes) -> list[Sheet]:
    """Every table of the file, judged by its content: a CSV is one, called ``csv``.

    Raises ValueError, in Chinese and fit to be shown, for what is no table, broken,
    under a password, or would not fit into memory. The caller says of which file.
    """
    if len(data) > BYTES_LIMIT:
        raise ValueError(f"文件超过 {BYTES_LIMIT // 1024 // 1024} MB，请分成几个文件")
    if data.startswith((ZIP, OLE)):
        return [Sheet(name, rows) for name, rows in workbook.read(data)]
    return [Sheet("csv", [list(row) for row in delimited.read(data)])]


FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")


def neutralise(cell: Cell) -> Cell:
    """The cell so that a spreadsheet shows it and never runs it as a formula."""
    return "'" + cell if isinstance(cell, str) and FORMULA.match(cell) else cell


def restored(text: str) -> str:
    """What was neutralised, as it was."""
    return text[1:] if text.startswith("'") and FORMULA.match(text) else text
