"""DingTalk, as far as the adapter can tell: an HTTP API and a stream gateway on loopback."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

ROBOT = "/v1.0/im/bot/messages/get"
CUT = (0, "")
"""No answer: the connection ends."""
SILENCE = (-1, "")
"""No answer, as long as somebody waits for one."""


async def eventually(happened: Callable[[], Any]) -> None:
    """Poll until it is so; fails after a minute."""
    async with asyncio.timeout(60):
        while not happened():  # noqa: ASYNC110 -- what a test waits for has no event
            await asyncio.sleep(0.002)


async def undisturbed(seconds: float, count: Callable[[], int], *, pause: float) -> int:
    """Real seconds in which this process is never held up for ``pause``; ``count`` at their start."""
    clock = asyncio.get_running_loop().time
    async with asyncio.timeout(60):
        while True:
            before, end, last = count(), clock() + seconds, clock()
            while last < end and clock() - last < pause:
                last = clock()
                await asyncio.sleep(0.01)
            if last >= end and clock() - last < pause:
                return before
            await asyncio.sleep(seconds)  # what that has done shows meanwhile


def frame(type_: str, topic: str, message_id: str, data: object) -> dict[str, Any]:
    headers = {"topic": topic, "messageId": message_id, "contentType": "application/json"}
    return {"specVersion": "1.0", "type": type_, "headers": headers, "data": json.dumps(data)}


def said(line: str, msg_id: str, message_id: str) -> dict[str, Any]:
    body = {
        "conversationType": "1",
        "chatbotCorpId": "ding0corp",
        "senderCorpId": "ding0corp",
        "senderStaffId": "user01",
        "senderNick": "张三",
        "msgId": msg_id,
        "msgtype": "text",
        "text": {"content": line},
    }
    return frame("CALLBACK", ROBOT, message_id, body)


@dataclass
class FakeGateway:
    """Gives out tickets, accepts websockets, pushes what a test tells it to."""

    opens: list[dict[str, Any]] = field(default_factory=list)
    accepts: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    tickets: list[str] = field(default_factory=list)
    sockets: list[web.WebSocketResponse] = field(default_factory=list)
    acks: list[dict[str, Any]] = field(default_factory=list)
    story: list[str] = field(default_factory=list)
    bad: list[tuple[int, str]] = field(default_factory=list)
    opening: asyncio.Event = field(default_factory=asyncio.Event)
    upgrading: asyncio.Event = field(default_factory=asyncio.Event)
    on_connect: Callable[[web.WebSocketResponse], Any] | None = None
    base: str = ""

    def __post_init__(self) -> None:
        self.opening.set()
        self.upgrading.set()

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/v1.0/gateway/connections/open", self.open)
        app.router.add_get("/connect", self.connect)
        return app

    async def open(self, request: web.Request) -> web.Response:
        self.times.append(asyncio.get_running_loop().time())
        self.opens.append(await request.json())
        self.accepts.append(request.headers.get("Accept", ""))
        await self.opening.wait()
        if self.bad:
            status, text = self.bad.pop(0)
            return web.Response(status=status, text=text)
        self.tickets.append(f"t1cket+/=&-{len(self.opens)}")
        endpoint = self.base.replace("http://", "ws://") + "/connect"
        return web.json_response({"endpoint": endpoint, "ticket": self.tickets[-1]})

    async def connect(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("ticket") not in self.tickets:
            return web.Response(status=403)
        self.tickets.remove(request.query["ticket"])
        await self.upgrading.wait()
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        self.sockets.append(ws)
        number = len(self.sockets)
        self.story.append(f"open {number}")
        if self.on_connect:
            await self.on_connect(ws)
        async for message in ws:
            if message.type is WSMsgType.TEXT:
                self.acks.append(message.json() | {"socket": number})
        self.story.append(f"close {number}")
        return ws

    async def push(self, value: dict[str, Any], socket: int = -1) -> None:
        await self.sockets[socket].send_json(value)

    async def goodbye(self, socket: int = -1) -> None:
        await self.push(frame("SYSTEM", "disconnect", "", {"reason": "expired"}), socket)

    def acked(self) -> list[str]:
        return [ack["headers"]["messageId"] for ack in self.acks]


@dataclass
class FakeApi:
    """Answers each path with what a test put there, in order; the last answer stays."""

    answers: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    calls: list[tuple[str, str, dict[str, str], dict[str, str], Any]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    tokens: int = 0
    answering: asyncio.Event = field(default_factory=asyncio.Event)
    base: str = ""

    def __post_init__(self) -> None:
        self.answering.set()

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/v1.0/oauth2/accessToken", self.token)
        app.router.add_route("*", "/{path:.*}", self.anything)
        return app

    def says(self, path: str, *answers: Any) -> None:
        """Each answer is a body for HTTP 200, a pair of status and body, CUT or SILENCE."""
        self.answers[path] = list(answers)

    async def token(self, request: web.Request) -> web.StreamResponse:
        if self.answers["token"]:
            return self._next("token")
        await asyncio.sleep(0.01)  # long enough for a second caller to come by
        self.tokens += 1
        return web.json_response({"accessToken": f"t0ken-{self.tokens}", "expireIn": 7200})

    async def anything(self, request: web.Request) -> web.StreamResponse:
        self.times.append(asyncio.get_running_loop().time())
        body = json.loads(await request.read() or b"null")
        query, headers = dict(request.query), dict(request.headers)
        self.calls.append((request.method, request.path, query, headers, body))
        await self.answering.wait()
        if self.answers[request.path][:1] in ([CUT], [SILENCE]):
            return await self._nothing(request)
        return self._next(request.path)

    async def _nothing(self, request: web.Request) -> web.StreamResponse:
        answers = self.answers[request.path]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        waited = request.transport
        while answer is SILENCE and waited and not waited.is_closing():  # noqa: ASYNC110 -- nothing tells when
            await asyncio.sleep(0.01)
        if request.transport is not None:
            request.transport.close()
        return web.Response()

    def _next(self, path: str) -> web.Response:
        answers = self.answers[path] or [{}]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        status, body = answer if isinstance(answer, tuple) else (200, answer)
        if isinstance(body, str):
            return web.Response(status=status, text=body, content_type="text/html")
        return web.json_response(body, status=status)

    def paths(self) -> list[str]:
        return [path for _, path, *_ in self.calls]

    def bodies(self, path: str) -> list[Any]:
        return [body for _, called, _, _, body in self.calls if called == path]
