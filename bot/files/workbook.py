"""XLSX and XLS, after a look at how big they become."""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from datetime import date, time, timedelta
from itertools import accumulate
from typing import IO

from python_calamine import CalamineError, CalamineWorkbook, PasswordError

EXPANDED_LIMIT = 200 * 1024 * 1024  # bytes
CELLS_LIMIT = 5_000_000
COLUMNS = 16_384  # the most a sheet can have
EXACT = 2**53  # up to here a float holds every whole number
CHUNK = 1 << 20

BROKEN = "文件打不开，可能已损坏，请用 Excel 另存为 XLSX 后再试"
LOCKED = "文件有密码，请去掉密码后再试"
TOO_BIG = "解开后太大，请删掉多余的内容或分成几个文件"
OTHER_ZIP = "不是 XLSX 表格，请用 Excel 另存为 XLSX 或 CSV"

_AT = re.compile(rb"""\br\s*=\s*["']([A-Za-z]{0,3})(\d{1,7})["']""")
_CELL = re.compile(rb"<(?:\w+:)?c[\s/>]")
_Value = str | int | float | bool | date | time | timedelta | None


def read(data: bytes) -> Iterator[tuple[str, list[list[_Value]]]]:
    """The name and the rows of every sheet. Raises ValueError."""
    if data.startswith(b"PK"):
        _refuse_bombs(data)
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        for name in book.sheet_names:
            rows = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
            yield name, [[_value(cell) for cell in row] for row in rows]
    except PasswordError as error:
        raise ValueError(LOCKED) from error
    except (CalamineError, ValueError, OverflowError, OSError) as error:
        raise ValueError(BROKEN) from error
    except BaseException as error:  # a panic of the library is no Exception
        if type(error).__name__ != "PanicException":
            raise
        raise ValueError(BROKEN) from error


def _value(cell: _Value) -> _Value:
    if isinstance(cell, float) and cell.is_integer() and abs(cell) <= EXACT:
        return int(cell)
    return None if cell == "" else cell


def _refuse_bombs(data: bytes) -> None:
    """Two cells far apart are a few bytes here and gigabytes in the reader."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(member.file_size for member in archive.infolist()) > EXPANDED_LIMIT:
                raise ValueError(TOO_BIG)
            _look_at(archive)
    except RuntimeError as error:
        raise ValueError(LOCKED) from error
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, OSError) as error:
        raise ValueError(BROKEN) from error


def _look_at(archive: zipfile.ZipFile) -> None:
    if "xl/workbook.xml" not in archive.namelist():
        raise ValueError(OTHER_ZIP)
    spans = (_span(member, archive) for member in archive.infolist())
    if any(cells > CELLS_LIMIT for cells in accumulate(spans)):
        raise ValueError(TOO_BIG)


def _span(member: zipfile.ZipInfo, archive: zipfile.ZipFile) -> int:
    """How many cells a sheet spans, from the places its rows and cells claim to be at."""
    rows, columns, unplaced = 0, 0, 0
    with archive.open(member) as content:
        for text in _whole_tags(content):
            places = _AT.findall(text)
            named = {name for name, _ in places}
            rows = max([rows, *(int(row) for _, row in places)])
            columns = max([columns, *map(_column, named)])
            unplaced += len(_CELL.findall(text)) - sum(bool(name) for name, _ in places)
    return rows * max(columns, min(unplaced, COLUMNS))


def _whole_tags(content: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    while chunk := content.read(CHUNK):
        text = rest + chunk
        cut = text.rfind(b"<")
        cut = cut if cut > 0 else len(text)
        yield text[:cut]
        rest = text[cut:]
    yield rest


def _column(name: bytes) -> int:
    number = 0
    for letter in name.upper():
        number = number * 26 + letter - 64
    return number
