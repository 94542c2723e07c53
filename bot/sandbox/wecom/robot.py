"""The group robot, webhook/send (D:99110): the key in the URL is its only credential."""

import base64
from collections.abc import Callable, Mapping
from hashlib import md5
from secrets import token_urlsafe
from typing import Any

from bot.sandbox.limits import PerMinute, size
from bot.sandbox.state import Media, State, group_of
from bot.sandbox.wecom import cards
from bot.sandbox.wecom.api import Call, Company
from bot.sandbox.wecom.errors import No

PER_MINUTE = 20
TEXT_BYTES = 2048
MARKDOWN_BYTES = 4096
IMAGE_BYTES = 2 << 20
NAME = "线索助手"

Shown = tuple[str, dict[str, Any]]


class Robot:
    def __init__(self, company: Company, state: State) -> None:
        self._company = company
        self._state = state
        self._count = PerMinute(state.clock, PER_MINUTE)

    def send(self, call: Call) -> dict[str, Any]:
        if call.query.get("key") != self._company.robot_key:
            raise No(93000, "invalid webhook url")
        kind = call.body.get("msgtype")
        read = CONTENTS.get(str(kind))
        content = call.body.get(str(kind))
        if read is None:
            raise No(40008, "invalid message type")
        if not isinstance(content, dict):
            raise No(40063, f"some parameters are empty: {kind}")
        self._say(read(content))
        return {}

    def _say(self, shown: Shown) -> None:
        if not self._count.take():
            raise No(45009, "api freq out of limit")
        kind, body = shown
        if "bytes" in body:
            name = token_urlsafe(12)
            self._state.keep(name, Media(body["type"], body["bytes"]))
            body = {"media": name}
        self._state.show(group_of("wecom"), kind, body, by=NAME)
        self._state.tick("digest")


def _text(content: Mapping[str, Any]) -> Shown:
    return "text", {"text": _limited(content, "text", TEXT_BYTES)}


def _markdown(content: Mapping[str, Any]) -> Shown:
    return "markdown", {"text": _limited(content, "markdown", MARKDOWN_BYTES)}


def _limited(content: Mapping[str, Any], kind: str, most: int) -> str:
    text = content.get("content")
    if not isinstance(text, str) or not text:
        raise No(44004, "empty content")
    if size(text) > most:
        raise No(40058, f"{kind}.content exceed max length {most}. invalid Request Parameter")
    return text


def _image(content: Mapping[str, Any]) -> Shown:
    try:
        data = base64.b64decode(str(content.get("base64", "")), validate=True)
    except ValueError:
        raise No(40058, "image.base64 is not base64. invalid Request Parameter") from None
    if not data or len(data) > IMAGE_BYTES:
        raise No(40009, "invalid image size")
    kind = next((kind for magic, kind in MAGIC.items() if data.startswith(magic)), None)
    if kind is None:
        raise No(40123, "invalid image format")
    if md5(data, usedforsecurity=False).hexdigest() != str(content.get("md5", "")).lower():
        raise No(301019, "file md5 not match")
    return "image", {"bytes": data, "type": kind}


def _card(content: Mapping[str, Any]) -> Shown:
    cards.check(content, robot=True)
    return "card", {**content}


MAGIC = {b"\x89PNG\r\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
CONTENTS: dict[str, Callable[[Mapping[str, Any]], Shown]] = {
    "text": _text,
    "markdown": _markdown,
    "markdown_v2": _markdown,
    "image": _image,
    "template_card": _card,
}
