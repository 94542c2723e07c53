"""The wire log: what went over the wire, readable, without the secrets."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from bot.sandbox.state import PlatformName, State

LONGEST = 1500  # characters of one value; what is longer is a picture
SECRET = re.compile(
    r"token|secret|sign$|signature|ticket|session|echostr|^encrypt$|nonce|^key$|appkey|base64"
    r"|_code$|processquerykey",
    re.IGNORECASE,
)
IN_BODY = re.compile(r"^key$|appkey", re.IGNORECASE)  # a button's key is its command line
UNSHOWN = "multipart/"


def short(text: str) -> str:
    """The beginning of something secret: enough to tell two apart, no use to anybody."""
    return f"{text[:4]}…" if len(text) > 4 else "…"


def readable(value: Any, name: str = "") -> Any:
    """JSON with the JSON inside its strings opened, secrets and pictures cut short."""
    if isinstance(value, Mapping):
        return {str(key): readable(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [readable(item, name) for item in value]
    if not isinstance(value, str):
        return value
    if SECRET.search(name) and not IN_BODY.search(name):
        return short(value)
    return _opened(_without_tokens(value))


def _opened(text: str) -> Any:
    if text[:1] in ("{", "["):
        try:
            return readable(json.loads(text))
        except ValueError:
            pass
    return text if len(text) <= LONGEST else f"{text[:60]}…（{len(text)} 字符）"


def _without_tokens(text: str) -> str:
    """A URL inside a value may carry a secret too."""
    return re.sub(
        r"((?:session|access_token|key|ticket)=)([^&\s\"]+)", lambda m: m[1] + short(m[2]), text
    )


def address(request: web.BaseRequest) -> str:
    """Path and query, secrets cut short."""
    query = [
        f"{name}={short(value) if SECRET.search(name) else value}"
        for name, value in request.query.items()
    ]
    return unquote(request.path) + ("?" + "&".join(query) if query else "")


def parsed(text: str) -> Any:
    """The JSON of a body, or its text."""
    try:
        return readable(json.loads(text))
    except ValueError:
        return readable(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One line of the log. ``direction``: ``out`` from the product to the platform, ``in`` back."""

    platform: PlatformName
    direction: Literal["out", "in"]
    call: str
    status: int
    asked: Any
    answered: Any


def note(state: State, line: Exchange) -> None:
    """Add a line to the log, made readable."""
    shown = {"asked": readable(line.asked), "answered": readable(line.answered)}
    where = {"platform": line.platform, "direction": line.direction, "call": line.call}
    state.wired({**where, "status": line.status, **shown})


@dataclass(frozen=True, slots=True)
class Sent:
    """What ``platform`` sends the product by itself, written down: see ``Exchange``."""

    state: State
    platform: PlatformName

    def __call__(self, call: str, status: int, asked: Any, answered: Any = "") -> None:
        line = Exchange(
            platform=self.platform,
            direction="in",
            call=call,
            status=status,
            asked=asked,
            answered=answered,
        )
        note(self.state, line)


def logged(state: State, platform: PlatformName) -> Middleware:
    """Write down every request the product makes."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        if isinstance(response, web.Response):
            note(state, await _exchange(platform, request, response))
        return response

    return middleware


async def _exchange(
    platform: PlatformName, request: web.Request, response: web.Response
) -> Exchange:
    return Exchange(
        platform=platform,
        direction="out",
        call=f"{request.method} {address(request)}",
        status=response.status,
        asked=await _body(request),
        answered=_words(response),
    )


def _words(response: web.Response) -> Any:
    if response.content_type.startswith("image/"):
        return "（图片）"
    return parsed(response.text or "")


async def _body(request: web.Request) -> Any:
    if request.content_type.startswith(UNSHOWN):
        return "（文件）"
    return parsed((await request.read()).decode("utf-8", "replace"))
