"""
A card as DingTalk wants it: an ActionCard whose buttons are links that say a line.

With a template of the customer's card platform, also as its variables: such a card
calls back and changes in place.

Message kinds of D:robot-message-type; lengths of D:the-robot-sends-a-group-message
(msgParam, in bytes) and of what clients show (text, in characters).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote, unquote

from cards.limits import clean, fit, fit_lines, json_bytes, plain, unmarked, utf8
from cards.model import Button, Card

UNTITLED = "线索"
UNNAMED = "其他"
SAY = "dtmd://dingtalkclient/sendMessage?content="
NEWLINE = "  \n  "

PARAM_BYTES = 15_000
TEXT_CHARS = 3_800
TEXT_BYTES = 9_000  # leaves PARAM_BYTES room for the title and five buttons at their longest
TITLE_CHARS = 64
HEADING_CHARS, NAME_CHARS, VALUE_CHARS, QUOTE_CHARS = (
    120,
    20,
    300,
    1_000,
)  # ours: nothing crowds out the rest
BUTTON_CHARS = 24
URL_BYTES = 900
MAX_BUTTONS = 5
WEBHOOK_BUTTONS = 8
VARIABLE_BYTES = 1_000  # of the 1 KB of one variable (D:create-and-deliver-cards)
CARD_BUTTONS = 4
NOTIFICATION_BYTES = 1_800  # of 2,048 for the whole msg (D:asynchronous-sending-of-…)
MOST_LINES = 5
LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
ADDRESS = re.compile(
    r"[a-z]+://\S+|(?<![@\w.-])(?:[a-z0-9-]+\.)+[a-z]{2,}\b(?!@)(?::\d+)?(?:/[^\s）]*)?",
    re.IGNORECASE,
)
MARKUP = re.compile(r"^(?:#{1,6} |> )|\*\*|\\(?=[!-/:-@\[-`{-~])", re.MULTILINE)
UNSHOWN = "有一条消息没通过钉钉的内容检查，发「我的」看看手上的线索"
BY_KEY = {"updateCardDataByKey": True, "updatePrivateDataByKey": True}
"""Without these a change wipes every variable it does not name (D:card-update)."""


def render(card: Card) -> dict[str, Any]:
    """``{"msgKey", "msgParam"}``, every value of msgParam a string.

    A button whose line does not fit is left out: cut, it would be another command.
    """
    return group_message(plain(card.title) or UNTITLED, _markdown(card), card.buttons)


def interactive(card: Card) -> dict[str, Any]:
    """The variables of our template: ``cardParamMap``, and ``private``, those of the reader.

    Every value is a string of at most 1 KB; each variable is there each time, so that
    nothing of the card before shines through. Whether a button can be pressed is
    private: on anybody else's screen there is none.
    """
    buttons = _pressable(card.buttons)
    places = range(1, CARD_BUTTONS + 1)
    shown = _shown(card)
    for place, (caption, line, primary) in zip(places, buttons, strict=False):
        shown |= {f"button{place}": caption, f"line{place}": line}
        shown[f"color{place}"] = "blue" if primary else "gray"
    can_press = {f"canPress{place}": _flag(place <= len(buttons)) for place in places}
    return {"cardParamMap": shown, "private": can_press}


def redrawn(variables: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a press: the card as it is now (D:event-callback-card)."""
    return {
        "cardUpdateOptions": BY_KEY,
        "cardData": {"cardParamMap": variables["cardParamMap"]},
        "userPrivateData": {"cardParamMap": variables["private"]},
    }


def text(text: str) -> dict[str, Any]:
    shown = fit(clean(text).strip() or "…", TEXT_CHARS)
    return {
        "msgKey": "sampleText",
        "msgParam": {"content": fit(shown, PARAM_BYTES - 50, json_bytes)},
    }


def gentler(payload: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What to say where the content check refuses ``payload``: without links, then only that."""
    spell = text if "msgKey" in payload else _webhook_plain
    yield spell(unlinked(payload))
    yield spell(UNSHOWN)


def unlinked(payload: Mapping[str, Any]) -> str:
    """A robot's or a webhook's message as plain text; what its buttons say can be typed."""
    content = payload["msgParam"] if "msgKey" in payload else payload[payload["msgtype"]]
    words = LINK.sub(r"\1", str(content.get("text") or content.get("content") or ""))
    shown = MARKUP.sub("", ADDRESS.sub("（链接）", words)).strip()
    lines = _lines(content)[:MOST_LINES]
    return "\n".join(filter(None, (shown, f"可以发：{'；'.join(lines)}" if lines else "")))


def notification(payload: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """A robot's message as a work notification, where its links would do nothing.

    ``at`` stands in it: the same words twice a day reach nobody (D:asynchronous-sending-of-…).
    """
    shown = fit_lines(unlinked(payload) or "…", NOTIFICATION_BYTES, json_bytes)
    return {"msgtype": "text", "text": {"content": f"{shown}\n{at:%m-%d %H:%M:%S}"}}


def _webhook_plain(text: str) -> dict[str, Any]:
    return {"msgtype": "text", "text": {"content": fit(text or "…", TEXT_CHARS)}}


def _lines(content: Mapping[str, Any]) -> list[str]:
    buttons = [b.get("actionURL", "") for b in content.get("btns", ())]
    urls = [*buttons, *(url for name, url in content.items() if "url" in name.lower())]
    return [unquote(url.removeprefix(SAY)) for url in urls if str(url).startswith(SAY)]


def webhook_text(text: str, call: Sequence[str]) -> dict[str, Any]:
    """A text for a group robot's webhook that calls people: their staff ids stand in it, too."""
    shown = fit(clean(text).strip() or "…", TEXT_CHARS)
    return {"msgtype": "text", "text": {"content": shown}, "at": {"atUserIds": list(call)}}


def group_message(title: str, markdown: str, buttons: Sequence[Button]) -> dict[str, Any]:
    """A card for a conversation, from markdown in which people's words are already unmarked."""
    param = {"title": _title(title), "text": _fitting(markdown)}
    links = _links(buttons)[:MAX_BUTTONS]
    if len(links) <= 1:
        kind = "sampleActionCard" if links else "sampleMarkdown"
        return {"msgKey": kind, "msgParam": param | _single(links)}
    for place, (caption, url) in enumerate(links, 1):
        param |= {f"actionTitle{place}": caption, f"actionURL{place}": url}
    return {"msgKey": f"sampleActionCard{len(links)}", "msgParam": param}


def group_card(title: str, markdown: str, buttons: Sequence[Button]) -> dict[str, Any]:
    """The same for a group robot's webhook (D:custom-robots-send-group-messages)."""
    body: dict[str, Any] = {"title": _title(title), "text": _fitting(markdown)}
    links = _links(buttons)[:WEBHOOK_BUTTONS]
    if not links:
        return {"msgtype": "markdown", "markdown": body}
    if len(links) == 1:
        return {"msgtype": "actionCard", "actionCard": body | _single(links)}
    buttons_json = [{"title": caption, "actionURL": url} for caption, url in links]
    return {
        "msgtype": "actionCard",
        "actionCard": body | {"btnOrientation": "0", "btns": buttons_json},
    }


def say(line: str) -> str:
    """The link that sends ``line`` as a message of whoever presses it."""
    return SAY + quote(plain(line), safe="")


def _shown(card: Card) -> dict[str, str]:
    """What is read, a part of the template each, with a flag for each part that may be empty."""
    parts = {
        "note": fit(plain(card.note), VARIABLE_BYTES, utf8),
        "rows": fit_lines(_rows(card), VARIABLE_BYTES, utf8),
        "quote": fit(clean(card.quote).strip(), VARIABLE_BYTES, utf8),
        "why": fit(plain(card.why), VARIABLE_BYTES, utf8),
    }
    flags = {f"has{name.title()}": _flag(bool(text)) for name, text in parts.items()}
    empty = {f"{name}{n}": "" for name in ("button", "line") for n in range(1, CARD_BUTTONS + 1)}
    colors = {f"color{n}": "gray" for n in range(1, CARD_BUTTONS + 1)}
    return {"title": _title(card.title), **parts, **flags, **empty, **colors}


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _pressable(buttons: Sequence[Button]) -> list[tuple[str, str, bool]]:
    first = {plain(button.line): button for button in reversed(buttons)}
    return [
        (fit(plain(button.text) or line, BUTTON_CHARS), line, button.primary)
        for line, button in reversed(first.items())
        if line and utf8(line) <= VARIABLE_BYTES
    ][:CARD_BUTTONS]


def _rows(card: Card) -> str:
    return NEWLINE.join(_row(name, value) for name, value in card.rows if plain(value))


def _markdown(card: Card) -> str:
    heading = fit(plain(card.title) or UNTITLED, HEADING_CHARS)
    words = fit(clean(card.quote).strip(), QUOTE_CHARS).splitlines()
    parts = (
        f"### {unmarked(heading)}",
        _paragraph(card.note),
        _rows(card),
        NEWLINE.join(f"> {_paragraph(line, QUOTE_CHARS)}" for line in words),
        _paragraph(card.why),
    )
    return "\n\n".join(filter(None, parts))


def _row(name: str, value: str) -> str:
    shown = unmarked(fit(plain(value), VALUE_CHARS))
    return f"**{unmarked(fit(plain(name), NAME_CHARS)) or UNNAMED}**　{shown}"


def _paragraph(text: str, limit: int = VALUE_CHARS) -> str:
    return unmarked(fit(plain(text), limit), starts_line=True)


def _title(title: str) -> str:
    return fit(plain(title) or UNTITLED, TITLE_CHARS)


def _fitting(markdown: str) -> str:
    shown = clean(markdown).strip() or "…"
    return fit_lines(fit_lines(shown, TEXT_CHARS), TEXT_BYTES, json_bytes)


def _single(links: Sequence[tuple[str, str]]) -> dict[str, str]:
    return {"singleTitle": links[0][0], "singleURL": links[0][1]} if links else {}


def _links(buttons: Sequence[Button]) -> list[tuple[str, str]]:
    captions = [
        (plain(button.text) or plain(button.line), plain(button.line)) for button in buttons
    ]
    links = {say(line): fit(caption, BUTTON_CHARS) for caption, line in reversed(captions) if line}
    return [(caption, url) for url, caption in reversed(links.items()) if utf8(url) <= URL_BYTES]
