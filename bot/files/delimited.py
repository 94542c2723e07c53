"""CSV as it really comes: any encoding, any delimiter, broken quotes."""

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterator

DELIMITERS = ",;\t|"
SAMPLE = 64 * 1024  # characters that decide the delimiter and the encoding
CONTROLS_LIMIT = 0.005  # share of control characters that no text has

NOT_TEXT = "不是表格文件，请用 XLSX 或 CSV"
BROKEN_ENCODING = "文字编码已损坏，请用 Excel 另存为 CSV UTF-8 后再试"
CELL_TOO_LONG = "有一格太长，可能是引号没有成对"

_BOMS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_SEP = re.compile(r"sep=(.)(?:\r\n|\r|\n)")
_LINE = re.compile(r"\r\n|\r|\n")


def read(data: bytes) -> list[list[str]]:
    """The rows; short ones are filled up to the first row's width. Raises ValueError."""
    text = decode(data)
    told = _SEP.match(text)
    delimiter = told[1] if told else _delimiter(text[:SAMPLE])
    try:
        rows = _rows(text[told.end() :] if told else text, delimiter)
    except csv.Error as error:
        raise ValueError(CELL_TOO_LONG) from error
    width = next((len(row) for row in rows if row), 0)
    return [_fitted(row, width, delimiter) for row in rows]


def decode(data: bytes) -> str:
    """The text, its encoding told by a mark or else by what reads most like language.

    Raises ValueError when it is no text.
    """
    text = _decoded(data)
    controls = sum(unicodedata.category(char) == "Cc" for char in text[:SAMPLE])
    controls -= sum(text.count(char, 0, SAMPLE) for char in "\t\r\n")
    if controls > CONTROLS_LIMIT * len(text[:SAMPLE]):
        raise ValueError(NOT_TEXT)
    return text.replace("\0", "")


def _decoded(data: bytes) -> str:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _strict(data, encoding)
    if b"\0" in data[:SAMPLE]:
        low = data[1:SAMPLE:2].count(0) > data[:SAMPLE:2].count(0)
        return _strict(data, "utf-16-le" if low else "utf-16-be")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return max(_readings(data), key=lambda reading: reading[0])[1]


def _strict(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(BROKEN_ENCODING) from error


def _readings(data: bytes) -> Iterator[tuple[float, str]]:
    """Every way to read the bytes, with how much of it looks like language, 0 to 1."""
    for encoding, common in _COMMON.items():
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        yield _share(text, common), text
    text = data.decode(errors="replace")
    yield _share(text, lambda char: char != "\ufffd"), text
    text = data.decode("cp1252", errors="replace")
    alone = re.findall(rb"(?<![\x80-\xff])[\xc0-\xff](?![\x80-\xff])", data)
    foreign = sum(byte > 0x7F for byte in data)
    yield len(alone) / foreign, text if "\ufffd" not in text else data.decode("latin-1")


def _share(text: str, common: Callable[[str], bool]) -> float:
    foreign = [char for char in text[:SAMPLE] if char > "\x7f"]
    return sum(map(common, foreign)) / len(foreign) if foreign else 0.0


def _lead(char: str, encoding: str) -> int:
    code = char.encode(encoding, "ignore")
    return code[0] if len(code) == 2 else 0


_COMMON: dict[str, Callable[[str], bool]] = {
    # The half of each set that people write with, and its punctuation.
    "gb18030": lambda char: (
        0xA1 <= (lead := _lead(char, "gb2312")) <= 0xA3 or 0xB0 <= lead <= 0xD7
    ),
    "big5": lambda char: 0xA1 <= _lead(char, "big5") <= 0xC6,
}


def _delimiter(sample: str) -> str:
    """The one that gives the most rows the width of the first."""

    def rows_of_one_width(delimiter: str) -> tuple[int, int]:
        rows = [row for row in _loose(sample, delimiter) if row]
        width = len(rows[0]) if rows else 0
        return (sum(len(row) == width for row in rows), width) if width > 1 else (0, 0)

    return max(DELIMITERS, key=rows_of_one_width)


def _loose(text: str, delimiter: str) -> list[list[str]]:
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error:
        return []


def _rows(text: str, delimiter: str) -> list[list[str]]:
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error:
        return [_record(line, delimiter) for line in _mended(text, delimiter)]


def _record(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter), [])


def _mended(text: str, delimiter: str) -> Iterator[str]:
    """Records one by one. A quote that no later line closes ends where its line ends."""
    lines = _LINE.split(text.rstrip("\r\n"))
    at = 0
    while at < len(lines):
        end = _closes(lines, at, delimiter) if lines[at].count('"') % 2 else at
        yield "\n".join(lines[at : end + 1]) if end is not None else lines[at] + '"'
        at = (at if end is None else end) + 1


def _closes(lines: list[str], at: int, delimiter: str) -> int | None:
    for later in range(at + 1, len(lines)):
        if '"' in lines[later]:
            opens = re.match(rf'(?:[^"]*{re.escape(delimiter)})?"', lines[later])
            return None if opens or not lines[later].count('"') % 2 else later
    return None


def _fitted(row: list[str], width: int, delimiter: str) -> list[str]:
    """A row of another delimiter is split by that one; a short row is filled up."""
    if len(row) == 1 and width > 1:
        others = (_loose(row[0], other) for other in DELIMITERS if other != delimiter)
        row = next((rows[0] for rows in others if rows and len(rows[0]) == width), row)
    return row + [""] * (width - len(row))
