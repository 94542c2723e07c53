"""
The stream gateway (section 1): a ticket, a websocket, frames that want an answer.

A push goes to one connection at random. What nobody acknowledges comes again
after 16 and after 60 seconds under a new messageId. These are real seconds:
the wire does not care about the demo's clock.
"""

import asyncio
import json
import random
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any
from uuid import uuid4

from aiohttp import ClientConnectionResetError, WSMsgType, web

from bot.sandbox import wire
from bot.sandbox.dingtalk.api import Org, json_body, reply
from bot.sandbox.dingtalk.errors import Fault
from bot.sandbox.dingtalk.push import HttpPush
from bot.sandbox.state import State
from bot.sandbox.trouble import Swap

ROBOT_TOPIC = "/v1.0/im/bot/messages/get"
CARD_TOPIC = "/v1.0/card/instances/callback"
TICKET_SECONDS = 90.0
LARGEST_FRAME = 256 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Real seconds. ``again``: when an unacknowledged message comes once more."""

    ping: float = 25.0
    again: tuple[float, ...] = (16.0, 60.0)
    goodbye: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    topics: frozenset[str]
    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """``about``: more headers, those of an event."""

    kind: str = "CALLBACK"
    topic: str = ROBOT_TOPIC
    data: Mapping[str, Any]
    about: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True, eq=False)
class Connection:
    id: str
    topics: frozenset[str]
    socket: web.WebSocketResponse
    transport: asyncio.BaseTransport | None = None
    deaf: bool = False  # told to go: nothing is pushed to it any more
    half_open: bool = False  # looks alive, and nothing gets through
    waiting: dict[str, asyncio.Future[Any]] = field(default_factory=dict)


class Gateway:
    def __init__(self, org: Org, state: State, pace: Pace | None = None) -> None:
        self._org = org
        self._state = state
        self._log = wire.Sent(state, "dingtalk")
        self.pace = pace or Pace()
        self.http: HttpPush | None = None
        """Where pushes go instead, when the product is in HTTP mode."""
        self._tickets: dict[str, Ticket] = {}
        self._connections: list[Connection] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._swap = Swap()
        self._faults = state.faults
        for name, deed in (
            ("away", lambda: self._spawn(self.send_away())),
            ("cut", self.cut),
            ("half_open", self._go_deaf),
        ):
            self._faults.deed("dingtalk", name, deed)

    @property
    def connected(self) -> int:
        """How many connections get pushes."""
        return len([c for c in self._connections if not c.deaf])

    async def open(self, request: web.Request) -> web.StreamResponse:
        """connections/open: a ticket for one connection, good for 90 seconds."""
        body = await json_body(request)
        renewed = self._faults.take("dingtalk", "secret")
        if renewed or (body.get("clientId"), body.get("clientSecret")) != self._credentials:
            raise Fault(401, "authFailed", "鉴权失败")
        ticket = str(uuid4())
        until = time.monotonic() + TICKET_SECONDS
        self._tickets[ticket] = Ticket(topics=_topics(body), until=until)
        answer = {"endpoint": f"ws://{request.host}/connect", "ticket": ticket}
        if "application/json" not in request.headers.get("Accept", ""):
            return _as_xml(answer)
        return reply(answer)

    @property
    def _credentials(self) -> tuple[str, str]:
        return self._org.client_id, self._org.client_secret

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """The websocket. A ticket opens it once."""
        ticket = self._tickets.pop(request.query.get("ticket", ""), None)
        if ticket is None or time.monotonic() > ticket.until:
            raise Fault(401, "authFailed", "ticket 无效或已过期")
        socket = web.WebSocketResponse(max_msg_size=LARGEST_FRAME)
        await socket.prepare(request)
        connection = Connection(
            id=str(uuid4()),
            topics=ticket.topics,
            socket=socket,
            transport=request.transport,
        )
        self._connections.append(connection)
        self._log("WS 已连接", 101, {"topics": sorted(ticket.topics)}, "")
        await self._serve(connection)
        return socket

    async def _serve(self, connection: Connection) -> None:
        pings = asyncio.create_task(self._keep_pinging(connection))
        try:
            async for message in connection.socket:
                if message.type is WSMsgType.TEXT:
                    _settle(connection, message.data)
        finally:
            pings.cancel()
            self._connections.remove(connection)
            self._log("WS 已断开", 0, "", "")

    async def _keep_pinging(self, connection: Connection) -> None:
        with suppress(ClientConnectionResetError):
            while True:
                await asyncio.sleep(self.pace.ping)
                data = {"opaque": str(uuid4())}
                if not connection.half_open:
                    await connection.socket.send_json(_frame(connection, "SYSTEM", "ping", data))

    async def push(self, data: Mapping[str, Any]) -> None:
        """Push a robot message; go on in the background until somebody acknowledges it."""
        http = self.http
        if http is None:
            await self._push(Push(data=data))
        elif self._faults.take("dingtalk", "swapped"):
            self._spawn(self._swap.through(lambda: self._post(http, data)))
        else:
            self._spawn(self._post(http, data))

    async def _post(self, http: HttpPush, data: Mapping[str, Any]) -> None:
        await http.robot(data)
        if self._faults.take("dingtalk", "twice"):
            await http.robot(data)

    async def report(self, event: str, data: Mapping[str, Any], event_id: str = "") -> None:
        """Push an event; LATER asks for it once more, as silence does."""
        event_id = event_id or token_hex(16)
        if self.http is not None:
            self._spawn(self.http.event(event, data, event_id))
            return
        about = {
            "eventId": event_id,
            "eventType": event,
            "eventCorpId": self._org.corp_id,
            "eventBornTime": str(int(time.time() * 1000)),
            "eventUnifiedAppId": "sandbox",
        }
        await self._push(Push(kind="EVENT", topic="*", data=data, about=about))

    async def ask(self, push: Push, seconds: float) -> Any:
        """Push what wants an answer; the acknowledgement, None if it does not come in time."""
        waiting = await self._push_once(push)
        if self._faults.take("dingtalk", "twice"):
            await self._push_once(push)
        return waiting.result() if waiting and await _within(waiting, seconds) else None

    async def _push(self, push: Push) -> None:
        if self._faults.take("dingtalk", "swapped"):
            self._spawn(self._swap.through(lambda: self._deliver(push)))
        else:
            await self._deliver(push)

    async def _deliver(self, push: Push) -> None:
        acknowledged = await self._push_once(push)
        if acknowledged is None or not acknowledged.done():
            self._spawn(self._insist(push, acknowledged))
        if self._faults.take("dingtalk", "twice"):
            await self._push_once(push)

    async def _insist(self, push: Push, waiting: asyncio.Future[Any] | None) -> None:
        before = 0.0
        for at in self.pace.again:
            if await _within(waiting, at - before):
                return
            before = at
            waiting = await self._push_once(push)

    async def _push_once(self, push: Push) -> asyncio.Future[Any] | None:
        """None if nobody listens."""
        live = [c for c in self._connections if push.topic in c.topics and not c.deaf]
        if not live:
            self._log(f"WS {push.kind} {push.topic}", 0, push.data, "没有连接，稍后重推")
            return None
        connection = random.choice(live)  # noqa: S311 - the platform picks one at random
        frame = _frame(connection, push.kind, push.topic, push.data)
        frame["headers"] |= push.about
        waiting = asyncio.get_running_loop().create_future()
        waiting.add_done_callback(lambda done: self._acknowledged(push, done))
        if not self._faults.take("dingtalk", "unheard"):
            connection.waiting[frame["headers"]["messageId"]] = waiting
        if not connection.half_open:
            with suppress(ClientConnectionResetError):
                await connection.socket.send_json(frame)
        return waiting

    def _acknowledged(self, push: Push, done: asyncio.Future[Any]) -> None:
        if not done.cancelled():
            ack = done.result()
            code = ack.get("code") if isinstance(ack.get("code"), int) else 0
            self._log(f"WS {push.kind} {push.topic}", code, push.data, ack)

    async def send_away(self, reason: str = "connection is expired") -> None:
        """Tell every connection to go: nothing more comes on it, and it closes after a while."""
        for connection in list(self._connections):
            connection.deaf = True
            frame = _frame(connection, "SYSTEM", "disconnect", {"reason": reason})
            await connection.socket.send_json(frame)
            self._spawn(self._close_later(connection))

    def cut(self) -> None:
        """Every connection breaks without a word."""
        for connection in self._connections:
            if connection.transport is not None:
                connection.transport.close()

    def _go_deaf(self) -> None:
        for connection in self._connections:
            connection.half_open = True

    async def _close_later(self, connection: Connection) -> None:
        await asyncio.sleep(self.pace.goodbye)
        await connection.socket.close()

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for connection in list(self._connections):
            await connection.socket.close()

    def _spawn(self, coroutine: Any) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _topics(body: Mapping[str, Any]) -> frozenset[str]:
    subscriptions = body.get("subscriptions")
    if not isinstance(subscriptions, list):
        raise Fault(400, "invalidParameter.subscriptions", "subscriptions 应为数组")
    return frozenset(str(s.get("topic", "")) for s in subscriptions if isinstance(s, dict))


def _as_xml(answer: Mapping[str, str]) -> web.Response:
    """Who does not ask for JSON gets XML."""
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in answer.items())
    text = f'<?xml version="1.0" encoding="UTF-8"?><OpenConnectionResponse>{inner}</OpenConnectionResponse>'
    return web.Response(text=text, content_type="application/xml")


def _frame(
    connection: Connection, kind: str, topic: str, data: Mapping[str, Any]
) -> dict[str, Any]:
    headers = {
        "appId": "sandbox",
        "connectionId": connection.id,
        "contentType": "application/json",
        "messageId": token_hex(16),
        "time": str(int(time.time() * 1000)),
        "topic": topic,
    }
    text = json.dumps(data, ensure_ascii=False)
    return {"specVersion": "1.0", "type": kind, "headers": headers, "data": text}


def _settle(connection: Connection, text: str) -> None:
    """An acknowledgement; anything else is not understood and changes nothing."""
    try:
        ack = json.loads(text)
        waiting = connection.waiting.pop(ack["headers"]["messageId"], None)
    except (ValueError, KeyError, TypeError):
        return
    if waiting is not None and not waiting.done() and not _asks_again(ack):
        waiting.set_result(ack)


def _asks_again(ack: Any) -> bool:
    """An event may be put off: ``{"status":"LATER"}`` inside the text ``data``."""
    try:
        said = json.loads(ack.get("data") or "null")
    except (ValueError, TypeError):
        return False
    return isinstance(said, dict) and said.get("status") == "LATER"


async def _within(waiting: asyncio.Future[Any] | None, seconds: float) -> bool:
    if waiting is None:
        await asyncio.sleep(seconds)
        return False
    done, _ = await asyncio.wait([waiting], timeout=seconds)
    return bool(done)
