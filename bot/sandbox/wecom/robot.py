"""The group robot, webhook/send (D:99110): the key in the URL is its only credential."""

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from hashlib import md5
from secrets import token_urlsafe
from typing import Any

from aiohttp import web

from bot.sandbox.limits import PerMinute, size
from bot.sandbox.state import Media, State, group_of
from bot.sandbox.wecom import cards
from bot.sandbox.wecom.api import MEDIA_LIFE, Call, Company, refusal, reply, uploaded
from bot.sandbox.wecom.errors import No

PER_MINUTE = 20
TEXT_BYTES = 2048
MARKDOWN_BYTES = 4096
IMAGE_BYTES = 2 << 20
NAME = "线索助手"

FILES = {"file": 20 << 20, "voice": 2 << 20}
"""What may be uploaded, and its bytes."""
AMR = b"#!AMR"
NOTHING = ("", datetime.min.replace(tzinfo=UTC), Media("", b""))

Shown = tuple[str, dict[str, Any]]


class Robot:
    def __init__(self, company: Company, state: State) -> None:
        self._company = company
        self._state = state
        self._count = PerMinute(state.clock, PER_MINUTE)
        self._uploads: dict[str, tuple[str, datetime, Media]] = {}

    async def upload(self, request: web.Request) -> web.Response:
        """upload_media (D:99110): the file is looked at before the key."""
        try:
            name = str(request.query.get("type"))
            media = _checked(name, await uploaded(request, FILES))
            self._ours(request.query)
        except No as no:
            return reply(refusal(no, {}))
        media_id, now = token_urlsafe(24), self._state.clock()
        self._uploads[media_id] = (name, now + MEDIA_LIFE, media)
        created = str(int(now.timestamp()))
        about = {"type": name, "media_id": media_id, "created_at": created}
        return reply({"errcode": 0, "errmsg": "ok", **about})

    def _ours(self, query: Mapping[str, str]) -> None:
        if query.get("key") != self._company.robot_key:
            raise No(93000, "invalid webhook url")

    def _file(self, kind: str, content: Mapping[str, Any]) -> Shown:
        """Of this robot's own uploads only: an app's media_id is another one."""
        name, until, media = self._uploads.get(str(content.get("media_id")), NOTHING)
        if name != kind or until <= self._state.clock():
            raise No(40007, "invalid media_id")
        return "text", {
            "text": f"［{'语音' if kind == 'voice' else '文件'}］{len(media.data)} 字节"
        }

    def send(self, call: Call) -> dict[str, Any]:
        self._ours(call.query)
        kind = call.body.get("msgtype")
        read = CONTENTS.get(str(kind)) or (partial(self._file, kind) if kind in FILES else None)
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


def _checked(kind: str, media: Media) -> Media:
    if kind == "voice" and not media.data.startswith(AMR):
        raise No(40005, "invalid file type: amr only")
    return media


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
