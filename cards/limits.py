"""
Text that fits: cleaned of what cannot be seen, cut where a reader would cut it.

Platforms count bytes in one field and characters in the next, and answer a
text that is too long with an error. Nothing here raises, whatever it is given.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from itertools import takewhile

ELLIPSIS = "…"
Size = Callable[[str], int]
"""How much room a text takes: the size of two texts together is the sum of both."""

ZWJ = "\u200d"
INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Drawn as nothing although Unicode calls them letters, marks or symbols."""
UNSEEN = frozenset({"Cc", "Cf", "Cs"})  # bidi and zero-width marks are Cf
JOINED = frozenset({"Mn", "Mc", "Me"})
LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
PLAIN = re.compile("[ -~\n\u3000-\u3020\u3041-\u3096\u4e00-\u9fff\uff01-\uff60]*")


def clean(text: str) -> str:
    """Drop what cannot be seen or encoded; every kind of line end becomes a newline."""
    text = LINE_ENDS.sub("\n", text).replace("\t", " ")
    if PLAIN.fullmatch(text):
        return text
    return "".join(char for at, char in enumerate(text) if _seen(text, at))


def plain(text: str) -> str:
    """``clean``, on one line, with single spaces."""
    return " ".join(clean(text).split())


def fit(text: str, limit: int, size: Size = len) -> str:
    """Cut ``text`` to ``limit``, whole graphemes only, with an ellipsis where it was cut."""
    if size(text) <= limit:
        return text
    room = limit - size(ELLIPSIS)
    kept = _head(_clusters(text), room, size) or _head(iter(text), room, size)
    return (kept.rstrip() + ELLIPSIS) if room >= 0 else ""


def fit_lines(text: str, limit: int, size: Size = len) -> str:
    """Cut ``text`` between two lines, so that no markup is left open.

    A text whose first line is already too long is cut inside it.
    """
    if size(text) <= limit:
        return text
    lines = text.splitlines(keepends=True)
    kept = _head(iter(lines), limit - size(ELLIPSIS), size)
    return kept + ELLIPSIS if kept else fit(lines[0].rstrip("\n"), limit, size)


def utf8(text: str) -> int:
    """The size in bytes as sent; a lone surrogate counts as the three bytes it would take."""
    return len(text.encode("utf-8", "surrogatepass"))


def json_bytes(text: str) -> int:
    """The size in bytes inside a JSON string, quotes not counted."""
    return utf8(json.dumps(text, ensure_ascii=False)) - 2


def _head(pieces: Iterator[str], room: int, size: Size) -> str:
    used = 0

    def fits(piece: str) -> bool:
        nonlocal used
        used += size(piece)
        return used <= room

    return "".join(takewhile(fits, pieces))


def _clusters(text: str) -> Iterator[str]:
    start = 0
    for at in range(1, len(text)):
        if not _continues(text, at):
            yield text[start:at]
            start = at
    yield text[start:]


def _continues(text: str, at: int) -> bool:
    """Whether a reader sees the character at ``at`` as part of the one before it."""
    char = text[at]
    if _flag(char):
        before = sum(1 for _ in takewhile(_flag, reversed(text[max(0, at - 64) : at])))
        return before % 2 == 1
    return (
        char == ZWJ
        or text[at - 1] == ZWJ
        or "\U0001f3fb" <= char <= "\U0001f3ff"  # skin tones
        or "\u1160" <= char <= "\u11ff"  # the later letters of a Korean syllable
        or unicodedata.category(char) in JOINED
    )


def _flag(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _seen(text: str, at: int) -> bool:
    char = text[at]
    if char == ZWJ:
        return _emoji(text[at - 1 : at]) and _emoji(text[at + 1 : at + 2])
    if char in INVISIBLE or ord(char) & 0xFFFE == 0xFFFE or "\ufdd0" <= char <= "\ufdef":
        return False  # the last two kinds are what Unicode promises never to use
    return char == "\n" or unicodedata.category(char) not in UNSEEN


def _emoji(char: str) -> bool:
    """So is the symbol, Sk its skin tone, Mn the selector that asks for the coloured one."""
    return char != "" and (char == "\ufe0f" or unicodedata.category(char) in {"So", "Sk"})


INLINE = str.maketrans("[]<>*`\\", "［］＜＞∗｀＼")
BLOCK = re.compile(
    r"^(\s*)(#+(?!\d)|[-+](?=\s|$)|[-=_~]{2,}|=(?=\s*$)|\||\d{1,9}[.)](?=\s|$))", re.MULTILINE
)
ENTITY = re.compile(r"&(?=#?\w+;)")
WIDE = str.maketrans("#-+=~|_.)", "＃－＋＝～｜＿．）")


def unmarked(text: str, *, starts_line: bool = False) -> str:
    """What somebody wrote, so that markdown shows it and does not obey it.

    Full-width look-alikes, not backslashes: neither platform promises to honour
    a backslash, and a link out of a prospect's name would be ours to answer for.
    """
    text = ENTITY.sub("＆", text).translate(INLINE)
    if not (starts_line or "\n" in text):
        return text
    return BLOCK.sub(lambda found: found[1] + found[2].translate(WIDE), text)
