"""Settings, published material and a platform to talk to."""

import asyncio
import json
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bot.config import WeCom
from bot.platforms.wecom.pictures import drawn

DATA = Path(__file__).parents[3] / "../shared/data"
NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
TOKEN = "QDG6eK"
AES_KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
CORP = "wx5823bf96d3bd56c7"
HANG_UP, HANG, IN_PIECES = object(), object(), object()


def settings(**changes: Any) -> WeCom:
    values = {
        "corp_id": CORP,
        "agent_id": 1000002,
        "secret": "s3cr3t-of-the-app",
        "token": TOKEN,
        "encoding_aes_key": AES_KEY,
    }
    return WeCom.model_validate(values | changes)


def lines(name: str) -> list[Any]:
    """The cases of one file; one that skips, with the reason, where the file is absent."""
    path = DATA / name
    if not path.exists():
        return [pytest.param(None, id=name, marks=pytest.mark.skip(f"no ../shared/data/{name}"))]
    cases = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [pytest.param(case, id=case["id"]) for case in cases]


@dataclass
class Clock:
    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **span: float) -> None:
        self.now += timedelta(**span)


@dataclass
class Seen:
    method: str
    path: str
    query: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


@dataclass
class Gateway:
    """Plays qyapi: hands out tokens, checks them, answers what the test has scripted."""

    seen: list[Seen] = field(default_factory=list)
    scripted: dict[str, deque[Any]] = field(default_factory=lambda: defaultdict(deque))
    always: dict[str, Any] = field(default_factory=dict)
    valid: set[str] = field(default_factory=set)
    handed_out: int = 0
    at_once: Counter[str] = field(default_factory=Counter)
    most_at_once: Counter[str] = field(default_factory=Counter)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_route("*", "/cgi-bin/{path:.*}", self.handle)
        return app

    def answers(self, path: str, *answers: Any) -> None:
        self.scripted[path].extend(answers)

    def calls(self, path: str) -> list[Seen]:
        return [seen for seen in self.seen if seen.path == path]

    def bodies(self, path: str) -> list[Any]:
        return [seen.body for seen in self.calls(path)]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        self.at_once[path] += 1
        self.most_at_once[path] = max(self.most_at_once[path], self.at_once[path])
        try:
            await asyncio.sleep(0.001)  # so that two at once are seen to be
            return await self.answered(request, path)
        finally:
            self.at_once[path] -= 1

    async def answered(self, request: web.Request, path: str) -> web.StreamResponse:
        query = dict(request.query)
        self.seen.append(Seen(request.method, path, query, await request.read()))
        if self.scripted[path]:
            answer = self.scripted[path].popleft()
        else:
            answer = self.always.get(path) or self.usual(path, query.get("access_token"))
        if answer is HANG_UP:
            request.transport.abort()
            return web.Response()
        if answer is HANG:
            await asyncio.Event().wait()
        if answer is IN_PIECES:
            return await in_pieces(request, drawn("x"))
        return answer if isinstance(answer, web.StreamResponse) else web.json_response(answer)

    def usual(self, path: str, token: str | None) -> dict[str, Any]:
        if path == "gettoken":
            return self.hand_out()
        if path != "webhook/send" and token not in self.valid:
            return {"errcode": 40014, "errmsg": "invalid access_token", "follow_user": []}
        return {"errcode": 0, "errmsg": "ok"}

    def hand_out(self) -> dict[str, Any]:
        self.handed_out += 1
        token = f"token-{self.handed_out}"
        self.valid.add(token)
        return {"errcode": 0, "errmsg": "ok", "access_token": token, "expires_in": 7200}


async def in_pieces(request: web.Request, png: bytes) -> web.StreamResponse:
    """A picture that the network brings byte by byte at first."""
    response = web.StreamResponse(headers={"Content-Type": "image/png"})
    await response.prepare(request)
    for piece in (png[:20], png[20:40], png[40:]):
        await response.write(piece)
        await asyncio.sleep(0.01)
    await response.write_eof()
    return response


def refusal(code: int, errmsg: str = "no") -> dict[str, Any]:
    return {"errcode": code, "errmsg": errmsg, "invaliduser": "", "external_userid": []}
