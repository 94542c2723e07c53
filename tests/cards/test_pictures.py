import io
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw, ImageFont

from cards import pictures
from cards.pictures import NoFont, funnel
from store.domain.figures import Figures, PersonFigures

DAY = Figures(
    day=date(2026, 11, 20),
    new=38,
    responded_in_time=31,
    overdue=3,
    claimed=12,
    won=4,
    won_amount=486_000,
    pool=57,
    funnel=(("新线索", 412), ("已分配", 368), ("跟进中", 241), ("有意向", 118), ("成交", 19)),
    people=(
        PersonFigures(name="李雷", open=42, new=9, followed=14, overdue=2, won=1),
        PersonFigures(name="韩梅梅", open=36, new=8, followed=11, won=2),
    ),
)


def opened(png):
    return Image.open(io.BytesIO(png))


def test_the_funnel_is_a_png_a_phone_shows_at_once():
    png = funnel(DAY)

    assert opened(png).format == "PNG"
    assert opened(png).width == 1080
    assert len(png) <= 200_000


def test_every_chinese_label_of_the_picture_has_a_glyph():
    font = pictures._load(pictures._installed(), 40)
    labels = set(re.findall("[\u4e00-\u9fff]", Path(pictures.__file__).read_text("utf-8")))

    drawn = {label: pictures._looks(font, label) for label in labels}

    assert len(labels) > 20
    assert pictures._looks(font, pictures.MISSING) not in drawn.values()
    assert len(set(drawn.values())) == len(labels)


def test_the_heading_in_the_picture_is_chinese_and_not_boxes():
    place = (30, 40, 300, 124)
    drawn = opened(funnel(DAY)).convert("L").crop(place)

    wanted, boxes = (lettered(words).crop(place) for words in ("销售日报", "\uffff" * 4))

    assert difference(drawn, wanted) < 4
    assert difference(drawn, boxes) > 20


def lettered(words):
    image = Image.new("L", (2160, 400), 245)
    font = ImageFont.truetype(str(pictures._installed()), 112)
    ImageDraw.Draw(image).text((88, 164), words, 36, font, "lm", stroke_width=56 / 24)
    return image.resize((1080, 200))


def difference(one, other):
    """The mean distance of two grey pictures, 0 to 255."""
    counts = ImageChops.difference(one, other).histogram()
    return sum(value * count for value, count in enumerate(counts)) / sum(counts)


def test_the_funnel_narrows_with_its_counts():
    image = opened(funnel(DAY)).convert("RGB")
    blue = {
        row: sum(coloured(image.getpixel((x, row))) for x in range(240, 800)) for row in (690, 900)
    }

    assert blue[690] > blue[900] > 100


def coloured(pixel):
    return max(pixel) - min(pixel) > 60


def test_a_day_without_anything_can_be_drawn():
    png = funnel(Figures(day=date(2026, 1, 5), funnel=(("新线索", 0), ("成交", 0))))

    assert opened(png).width == 1080


def test_a_large_team_and_large_numbers_stay_one_small_picture():
    people = tuple(PersonFigures(name=f"销售 {n}", open=n * 1_000, overdue=n) for n in range(300))
    stages = tuple((f"第 {n} 步" * 9, 10**9) for n in range(40))

    png = funnel(Figures(day=date(2026, 1, 5), new=10**9, people=people, funnel=stages))

    assert len(png) <= 200_000
    assert opened(png).height < 4_000


@settings(max_examples=8)
@given(name=st.text(st.characters(), max_size=80))
def test_any_name_can_be_drawn(name):
    people = (PersonFigures(name=name, open=1), PersonFigures(name=name * 60, open=2))

    assert funnel(Figures(day=date(2026, 1, 5), people=people, funnel=((name, 3),)))


def test_a_character_without_a_glyph_is_left_out_and_not_an_empty_box():
    font = pictures._load(pictures._installed(), 40)

    assert pictures._with_glyphs(font, "😀王工\U0001f680") == "王工"
    assert pictures._with_glyphs(font, "😀") == "?"


def test_pictures_drawn_at_once_are_the_same_picture():
    with ThreadPoolExecutor(4) as threads:
        pngs = set(threads.map(lambda _: funnel(DAY), range(8)))

    assert pngs == {funnel(DAY)}


def test_another_font_can_be_named():
    serif = pictures._installed().with_name("NotoSerifSC-Regular.otf")

    assert funnel(DAY, serif) != funnel(DAY)


@pytest.mark.parametrize("content", [None, b"", b"not a font"])
def test_without_a_font_the_error_says_which(tmp_path, content):
    font = tmp_path / "missing.ttf"
    if content is not None:
        font.write_bytes(content)

    with pytest.raises(NoFont, match=r"missing\.ttf"):
        funnel(DAY, font)


@pytest.mark.parametrize("content", [b"", b"not a font"])
def test_a_font_that_cannot_be_read_fails_the_trial(tmp_path, monkeypatch, content):
    font = tmp_path / "broken.ttf"
    font.write_bytes(content)
    monkeypatch.setattr(pictures, "_installed", lambda: font)

    with pytest.raises(NoFont, match=r"broken\.ttf"):
        pictures.try_font()
