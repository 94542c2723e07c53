"""
The day's funnel as a PNG, to be read on a phone held in one hand.

Drawn with Pillow alone: 50 ms and no plotting library. It is work for a
processor, so a coroutine calls it through ``asyncio.to_thread``.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import as_file, files
from pathlib import Path
from threading import Lock

from PIL import Image, ImageDraw, ImageFont

from cards.digest import weekday
from cards.limits import fit, plain
from cards.words import money
from store.domain.errors import LeadbotError
from store.domain.figures import Figures, PersonFigures

WIDTH, MARGIN, PAD, GAP = 1080, 40, 40, 28
SHARPER = 2
"""Everything is drawn this many times larger and scaled down: Pillow's shapes have no soft edges."""

PAGE, PAPER, INK, GREY, LINE = "#F3F5F9", "#FFFFFF", "#1D2433", "#7A8499", "#E6EAF1"
RED, GREEN, BLUE, PALE = "#E5484D", "#18965D", "#3D6FE0", "#D5E0F8"
BANDS = ("#2F5FD0", "#3F74E3", "#5B8CEE", "#6FA0EA", "#3FA2C4", "#22A38B", "#18965D")

BAND, STEP, FUNNEL_WIDTH, NARROWEST, MIDDLE = 84, 104, 540, 96, 520
PERSON = 84
MOST_PEOPLE, MOST_STAGES = 12, 12
MISSING = "\uffff"
"""No font has a glyph for it, so what is drawn for it is the box of a missing glyph."""

_one_at_a_time = Lock()


class NoFont(LeadbotError):
    """There is no font that can draw Chinese; the digest goes out as text."""


@dataclass(frozen=True, slots=True)
class Look:
    """``anchor`` is Pillow's: l, m or r across, m for the middle of the line."""

    size: int
    colour: str = INK
    anchor: str = "lm"
    bold: bool = False
    room: float = WIDTH


@dataclass(frozen=True, slots=True)
class Sheet:
    """A drawing in pixels of the finished picture, and the font it is lettered with."""

    draw: ImageDraw.ImageDraw
    font: Path

    def box(self, left: float, top: float, right: float, bottom: float, colour: str) -> None:
        """Nothing if it has no width; a little of something stays visible."""
        if right > left:
            right = max(right, left + 4)
            corners = [left * SHARPER, top * SHARPER, right * SHARPER - 1, bottom * SHARPER - 1]
            radius = min(16.0, (right - left) / 4, (bottom - top) / 4) * SHARPER
            self.draw.rounded_rectangle(corners, radius, colour)

    def shape(self, points: Sequence[tuple[float, float]], colour: str) -> None:
        self.draw.polygon([(x * SHARPER, y * SHARPER) for x, y in points], colour)

    def text(self, at: tuple[float, float], words: str, look: Look) -> None:
        font = _load(self.font, look.size * SHARPER)
        shown = _narrowed(font, _with_glyphs(font, words), look.room * SHARPER)
        place = (at[0] * SHARPER, at[1] * SHARPER)
        stroke = look.size / 48 * SHARPER if look.bold else 0  # the font has one weight
        self.draw.text(place, shown, look.colour, font, look.anchor, stroke_width=stroke)


def funnel(figures: Figures, font: Path | None = None) -> bytes:
    """A PNG 1080 pixels wide. Raises NoFont if ``font`` (or the installed one) cannot be read."""
    path = font or _installed()
    with _one_at_a_time:  # a FreeType face shared by two threads draws garbage
        tall = _everything(_blank(1, 1, path)[1], figures)
        image, sheet = _blank(WIDTH, tall, path)
        _everything(sheet, figures)
    image = image.resize((WIDTH, tall), Image.Resampling.BOX)
    held = io.BytesIO()
    image.quantize(128, dither=Image.Dither.NONE).save(held, "PNG", optimize=True)
    return held.getvalue()


def try_font() -> None:
    """Letter one word with the installed font: a digest's picture takes a hundred times as long.

    Raises NoFont if there is no font or it cannot be read.
    """
    path = _installed()
    with _one_at_a_time:
        _blank(1, 1, path)[1].text((0, 0), "销售日报", Look(56))


def _blank(wide: int, tall: int, font: Path) -> tuple[Image.Image, Sheet]:
    image = Image.new("RGB", (wide * SHARPER, tall * SHARPER), PAGE)
    return image, Sheet(ImageDraw.Draw(image), font)


def _everything(sheet: Sheet, figures: Figures) -> int:
    down = _heading(sheet, figures)
    down = _tiles(sheet, figures, down)
    if figures.funnel:
        down = _stages(sheet, figures.funnel[:MOST_STAGES], down)
    if figures.people:
        down = _people(sheet, figures.people, down)
    return down + MARGIN - GAP


def _heading(sheet: Sheet, figures: Figures) -> int:
    sheet.text((MARGIN + 4, 82), "销售日报", Look(56, bold=True))
    day = f"{figures.day.month} 月 {figures.day.day} 日 {weekday(figures.day)}"
    sheet.text((WIDTH - MARGIN - 4, 86), day, Look(36, GREY, "rm"))
    return 144


def _tiles(sheet: Sheet, figures: Figures, top: int) -> int:
    won = f"成交 {money(figures.won_amount)}" if figures.won_amount else "成交"
    tiles = (
        (figures.new, "新增", INK),
        (figures.responded_in_time, "按时响应", INK),
        (figures.overdue, "超时", RED if figures.overdue else INK),
        (figures.claimed, "领取", INK),
        (figures.won, won, GREEN if figures.won else INK),
        (figures.pool, "公海", INK),
    )
    wide = (WIDTH - 2 * MARGIN - 2 * GAP) / 3
    for place, (count, label, colour) in enumerate(tiles):
        left, down = MARGIN + place % 3 * (wide + GAP), top + place // 3 * (168 + GAP)
        sheet.box(left, down, left + wide, down + 168, PAPER)
        sheet.text((left + wide / 2, down + 66), f"{count:,}", Look(68, colour, "mm", bold=True))
        sheet.text((left + wide / 2, down + 130), label, Look(32, GREY, "mm", room=wide - 24))
    return top + 2 * (168 + GAP)


def _stages(sheet: Sheet, stages: Sequence[tuple[str, int]], top: int) -> int:
    bottom = top + 112 + STEP * len(stages) + PAD - (STEP - BAND)
    sheet.box(MARGIN, top, WIDTH - MARGIN, bottom, PAPER)
    sheet.text((MARGIN + PAD, top + 60), "漏斗", Look(40, bold=True))
    sheet.text((MARGIN + PAD + 104, top + 62), "近 30 天", Look(30, GREY))
    sheet.text((WIDTH - MARGIN - PAD, top + 62), "走到下一步的比例", Look(30, GREY, "rm"))
    for place, (label, count) in enumerate(stages):
        down = top + 112 + STEP * place
        sheet.text((MARGIN + PAD, down + BAND / 2), plain(label), Look(34, room=170))
        _band(sheet, stages, place, down)
        if place:
            _rate(sheet, stages[place - 1][1], count, down - (STEP - BAND) / 2)
    return bottom + GAP


def _band(sheet: Sheet, stages: Sequence[tuple[str, int]], place: int, top: int) -> None:
    """One stage, as wide as its count above and as the next one's below: a funnel, not bars."""
    largest = max(count for _, count in stages) or 1
    counts = [count for _, count in stages] + [stages[-1][1]]
    above, below = (
        NARROWEST + (FUNNEL_WIDTH - NARROWEST) * max(0, count) / largest
        for count in counts[place : place + 2]
    )
    narrowing = above + (below - above) * BAND / STEP
    corners = [
        (MIDDLE - above / 2, top),
        (MIDDLE + above / 2, top),
        (MIDDLE + narrowing / 2, top + BAND),
        (MIDDLE - narrowing / 2, top + BAND),
    ]
    sheet.shape(corners, BANDS[_spread(place, len(stages))])
    sheet.text((MIDDLE, top + BAND / 2), f"{counts[place]:,}", Look(40, PAPER, "mm", bold=True))


def _spread(place: int, count: int) -> int:
    return round(place * (len(BANDS) - 1) / max(1, count - 1))


def _rate(sheet: Sheet, before: int, count: int, middle: float) -> None:
    rate = f"{count / before:.0%}" if before > 0 else "—"
    right = WIDTH - MARGIN - PAD
    sheet.text((right, middle), rate, Look(36, INK, "rm"))
    left = right - 118
    sheet.shape([(left - 11, middle - 7), (left + 11, middle - 7), (left, middle + 9)], GREY)


COLUMNS = ((700, "新增"), (820, "跟进"), (940, "成交"))


def _people(sheet: Sheet, people: Sequence[PersonFigures], top: int) -> int:
    shown = people[:MOST_PEOPLE]
    more = len(people) - len(shown)
    bottom = top + 120 + PERSON * len(shown) + (64 if more else 0) + 16
    sheet.box(MARGIN, top, WIDTH - MARGIN, bottom, PAPER)
    _people_heading(sheet, top + 60)
    most = max(1, *(person.open for person in shown))
    for place, person in enumerate(shown):
        _person(sheet, person, most, top + 120 + PERSON * place)
    if more:
        sheet.text((MARGIN + PAD, bottom - 48), f"还有 {more} 人", Look(30, GREY))
    return bottom + GAP


def _people_heading(sheet: Sheet, middle: int) -> None:
    sheet.text((MARGIN + PAD, middle), "成员", Look(40, bold=True))
    for left, colour, label in ((270, BLUE, "在手"), (410, RED, "超时")):
        sheet.box(left, middle - 12, left + 24, middle + 12, colour)
        sheet.text((left + 36, middle), label, Look(30, GREY))
    for centre, label in COLUMNS:
        sheet.text((centre, middle), label, Look(30, GREY, "mm"))


def _person(sheet: Sheet, person: PersonFigures, most: int, top: int) -> None:
    middle = top + PERSON / 2
    sheet.box(MARGIN + PAD, top, WIDTH - MARGIN - PAD, top + 2, LINE)
    sheet.text((MARGIN + PAD, middle), plain(person.name), Look(34, room=170))
    _load_bar(sheet, person, most, middle)
    values = (person.new, person.followed, person.won)
    for (centre, label), value in zip(COLUMNS, values, strict=True):
        done = GREEN if label == "成交" else INK
        sheet.text((centre, middle), f"{value:,}", Look(36, done if value else GREY, "mm"))


def _load_bar(sheet: Sheet, person: PersonFigures, most: int, middle: float) -> None:
    left, longest = 270, 250
    long = longest * max(0, person.open) / most
    late = longest * min(max(0, person.overdue), max(0, person.open)) / most
    sheet.box(left, middle - 16, left + longest, middle + 16, PAGE)
    sheet.box(left, middle - 16, left + long, middle + 16, BLUE)
    sheet.box(left, middle - 16, left + late, middle + 16, RED)
    sheet.text((left + longest + 16, middle), f"{person.open:,}", Look(34, room=124))


def _installed() -> Path:
    try:
        with as_file(files("pylopdf_fonts_zh_cn") / "NotoSansSC-Regular.otf") as path:
            return path
    except ModuleNotFoundError:
        raise NoFont("no font for Chinese: install pylopdf-fonts-zh-cn or name a file") from None


@lru_cache(maxsize=64)
def _load(path: Path, size: int) -> ImageFont.FreeTypeFont:
    try:
        return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)
    except OSError as error:
        raise NoFont(f"cannot read the font {path.name}: {error}") from None


def _with_glyphs(font: ImageFont.FreeTypeFont, words: str) -> str:
    """Without the characters the font cannot draw: an empty box tells nobody anything."""
    return "".join(_drawable(font, words)).strip() or "?"


def _drawable(font: ImageFont.FreeTypeFont, words: str) -> Iterator[str]:
    box = _looks(font, MISSING)
    for char in fit(words, 40):
        if char == " " or _looks(font, char) != box:
            yield char


@lru_cache(maxsize=4096)
def _looks(font: ImageFont.FreeTypeFont, char: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(char)
    return mask.size, bytes(mask)


def _narrowed(font: ImageFont.FreeTypeFont, words: str, room: float) -> str:
    limit = len(words)
    shown = words
    while font.getlength(shown) > room and limit > 1:
        limit -= 1
        shown = fit(words, limit)
    return shown
