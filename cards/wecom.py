"""
A card as WeCom wants it, and the other messages its chats take.

Lengths are those of D:90236 (app messages) and D:99110 (group robot). Where the
page says "characters" a code point is one.
"""

import base64
import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cards.limits import clean, fit, fit_lines, plain, utf8
from cards.model import Button, Card
from store.domain.errors import Undeliverable

SOURCE = "线索助手"
UNTITLED = "线索"
UNNAMED = "其他"
MINE = Button("我的线索", "/我的", primary=True)

SOURCE_CHARS = 20
KEYNAME_CHARS = 5
QUOTE_CHARS = 160  # the page gives none for quote_text: what the text below it may have
BUTTON_CHARS, KEY_BYTES = 10, 1024
MAX_ROWS, MAX_BUTTONS = 6, 6
MENU, MENU_ACTIONS = "可以做什么", 3
TEXT_BYTES = 2048
MARKDOWN_BYTES = 4096
PICTURE_BYTES = 2 * 1024 * 1024

KEPT = frozenset("\n+=<>|~$￥")
LINK = re.compile(r"<(?=\s*/?\s*a\b)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Sizes:
    """In characters: what is shown of an app's card."""

    title: int = 36
    desc: int = 44
    value: int = 30
    sub_title: int = 160


APP = Sizes()
BOT = Sizes(title=26, desc=30, value=26, sub_title=112)


def render(card: Card, sizes: Sizes = APP) -> dict[str, Any]:
    """A ``button_interaction`` card, without the task_id, which names one message.

    What a field cannot hold is repeated whole in sub_title_text, as far as there
    is room. A button whose line does not fit is left out: cut, it would be
    another command.
    """
    rows = [(plain(name), plain(value)) for name, value in card.rows if plain(value)]
    title, note = plain(card.title) or UNTITLED, plain(card.note)
    below = [plain(card.why), *_cut_off(title, note, rows, sizes)]
    parts = {
        "card_type": "button_interaction",
        "source": {"desc": fit(SOURCE, SOURCE_CHARS), "desc_color": 0},
        "main_title": {"title": fit(title, sizes.title), "desc": fit(note, sizes.desc)},
        "quote_area": _quote(clean(card.quote).strip()),
        "sub_title_text": fit("\n".join(filter(None, below)), sizes.sub_title),
        "horizontal_content_list": [_row(*row, sizes) for row in rows[:MAX_ROWS]],
        "button_list": _buttons(card.buttons) or _buttons([MINE]),
    }
    shown = {name: part for name, part in parts.items() if part}
    return {"msgtype": "template_card", "template_card": shown}


def notice(card: Mapping[str, Any], url: str) -> dict[str, Any]:
    """A ``button_interaction`` card as a ``text_notice``, for a WeCom that has no buttons.

    What the first buttons say stands in the menu at its corner; a press on the rest of
    it opens ``url``, which every notice has to have (D:90236).
    """
    buttons = card["button_list"][:MENU_ACTIONS]
    actions = [{"text": button["text"], "key": button["key"]} for button in buttons]
    return {
        **{name: part for name, part in card.items() if name != "button_list"},
        "card_type": "text_notice",
        "action_menu": {"desc": MENU, "action_list": actions},
        "card_action": {"type": 1, "url": url},
    }


def plainly(payload: Mapping[str, Any]) -> dict[str, Any]:
    """A card or text that WeCom refuses (82004: it would crash its clients) as harmless words.

    Of a card also what its buttons would send. Anything else stays what it is.
    """
    if payload["msgtype"] == "template_card":
        return text(_harmless("\n".join(_words(payload["template_card"]))))
    if payload["msgtype"] == "text":
        return text(_harmless(payload["text"]["content"]))
    return dict(payload)


def _words(card: Mapping[str, Any]) -> Iterator[str]:
    title, quote = card.get("main_title", {}), card.get("quote_area", {})
    yield from filter(None, (title.get("title"), title.get("desc"), quote.get("quote_text")))
    for row in card.get("horizontal_content_list", ()):
        yield f"{row['keyname']}：{row['value']}"
    yield card.get("sub_title_text", "")
    yield from (f"{one['text']}，发：{one['key']}" for one in card.get("button_list", ()))


def _harmless(words: str) -> str:
    """Letters, digits and punctuation: no marks that pile up, nothing unseen, no pictures."""
    composed = unicodedata.normalize("NFC", clean(words))
    return "".join(c for c in composed if c in KEPT or unicodedata.category(c)[0] in "LNPZ")


def text(text: str) -> dict[str, Any]:
    """A text message. ``<a href>`` of a text would be a link (D:90236): it is shown as written."""
    shown = LINK.sub("＜", clean(text)).strip() or "…"
    return {"msgtype": "text", "text": {"content": fit(shown, TEXT_BYTES, utf8)}}


def group_markdown(text: str) -> dict[str, Any]:
    """Markdown for a group robot; font colours allowed, what people wrote already unmarked."""
    shown = clean(text).strip() or "…"
    return {"msgtype": "markdown", "markdown": {"content": fit_lines(shown, MARKDOWN_BYTES, utf8)}}


def group_picture(png: bytes) -> dict[str, Any]:
    """A picture for a group robot. Raises Undeliverable above 2 MB (D:99110)."""
    if len(png) > PICTURE_BYTES:
        raise Undeliverable(f"a picture of {len(png)} bytes; WeCom takes {PICTURE_BYTES}")
    digest = hashlib.md5(png, usedforsecurity=False).hexdigest()
    return {"msgtype": "image", "image": {"base64": base64.b64encode(png).decode(), "md5": digest}}


def _row(name: str, value: str, sizes: Sizes) -> dict[str, str]:
    return {"keyname": fit(name or UNNAMED, KEYNAME_CHARS), "value": fit(value, sizes.value)}


def _quote(words: str) -> dict[str, Any] | None:
    return {"type": 0, "quote_text": fit(words, QUOTE_CHARS)} if words else None


def _cut_off(
    title: str, note: str, rows: Sequence[tuple[str, str]], sizes: Sizes
) -> Iterator[str]:
    if len(title) > sizes.title:
        yield title
    if len(note) > sizes.desc:
        yield note
    for place, (name, value) in enumerate(rows):
        if place >= MAX_ROWS or len(value) > sizes.value:
            yield f"{name or UNNAMED}：{value}"


def _buttons(buttons: Sequence[Button]) -> list[dict[str, Any]]:
    lines = {plain(button.line): button for button in reversed(buttons)}
    usable = [(line, button) for line, button in reversed(lines.items()) if line]
    fitting = [(line, button) for line, button in usable if utf8(line) <= KEY_BYTES]
    return [_button(line, button) for line, button in fitting[:MAX_BUTTONS]]


def _button(line: str, button: Button) -> dict[str, Any]:
    caption = fit(plain(button.text) or line, BUTTON_CHARS)
    return {"text": caption, "style": 1 if button.primary else 2, "key": line}
