"""
What the AI bot of WeCom says: markdown, or in a single chat a card with buttons.

Lengths are those D:101463 gives for the bot, which are shorter than the app's. In a
group nobody can press, so a card is words there, with the lines to type.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from cards.limits import clean, fit, fit_lines, plain, unmarked, utf8
from cards.model import Button, Card
from cards.wecom import BOT, render

MARKDOWN_BYTES = 20480
APP_BYTES = 2048  # of a markdown of the app's (D:90236)
ROW_CHARS, QUOTE_CHARS = 300, 1000  # ours: nothing crowds out the rest
ELSEWHERE = "发到你的应用消息里了，去那里看"
DONE = "好了"
NEXT = (Button("我的线索", "/我的"), Button("看公海", "/公海"))


def said(text: str, card: Card | None, *, in_group: bool) -> dict[str, Any]:
    """The answer to a line: a card alone is one in a single chat, everything else is markdown."""
    if card is not None and not text and not in_group:
        return render(card, BOT)
    words = "\n\n".join(filter(None, (_words(text), _card(card) if card else "")))
    return markdown(words or ELSEWHERE)


def pressed(text: str, card: Card | None) -> dict[str, Any]:
    """What becomes of the card that was pressed; a press can be answered in no other way."""
    return render(card or Card(title=text or DONE, buttons=NEXT), BOT)


def together(parts: Sequence[tuple[str, dict[str, Any]]]) -> tuple[int, dict[str, Any]]:
    """Several answers as one message, and how many of ``parts`` it holds: as many as fit.

    Each is a line that was said and its answer, a markdown.
    """
    shown: list[str] = []
    for line, body in parts:
        part = f"> {_line(line)}\n\n{body['markdown']['content']}"
        if shown and utf8("\n\n".join([*shown, part])) > MARKDOWN_BYTES:
            break
        shown.append(part)
    return len(shown), markdown("\n\n".join(shown))


def elsewhere(line: str, body: dict[str, Any]) -> Sequence[dict[str, Any]]:
    """The same for the member's chat with the app, where the bot could not say it."""
    if "markdown" not in body:
        return [body]
    pages = [f"你发的「{_line(line)}」，在这里回答："]
    for part in body["markdown"]["content"].splitlines():
        shown = fit(part, APP_BYTES // 2, utf8)
        if utf8(f"{pages[-1]}\n{shown}") > APP_BYTES:
            pages.append(shown)
        else:
            pages[-1] += f"\n{shown}"
    return [{"msgtype": "markdown", "markdown": {"content": page}} for page in pages]


def markdown(content: str) -> dict[str, Any]:
    """``content``: markdown in which people's words are already unmarked."""
    shown = fit_lines(clean(content).strip() or "…", MARKDOWN_BYTES, utf8)
    return {"msgtype": "markdown", "markdown": {"content": shown}}


def _words(text: str) -> str:
    return unmarked(clean(text).strip(), starts_line=True)


def _card(card: Card) -> str:
    return "\n".join(_lines(card))


def _lines(card: Card) -> Iterator[str]:
    yield f"**{unmarked(plain(card.title))}**"
    yield from filter(None, (_line(card.note),))
    for name, value in card.rows:
        if plain(value):
            yield f"{_line(name)}　{unmarked(fit(plain(value), ROW_CHARS))}"
    for line in fit(clean(card.quote).strip(), QUOTE_CHARS).splitlines():
        yield f"> {_line(line)}"
    yield from filter(None, (_line(card.why),))
    if card.buttons:
        yield "要做就 @我 发："
        yield from (_typed(button) for button in card.buttons)


def _line(text: str) -> str:
    return unmarked(fit(plain(text), ROW_CHARS), starts_line=True)


def _typed(button: Button) -> str:
    return f"「{unmarked(plain(button.line).removeprefix('/'))}」　{unmarked(plain(button.text))}"
