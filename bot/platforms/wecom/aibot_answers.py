"""
What the AI bot answers, in the order it was asked, within what each conversation takes.

An answer that has no room waits, and those that have waited go out together as one
message. Nothing is repeated without end: what WeCom does not acknowledge is tried a
few times, and what it never takes is handed to ``lost``.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import uuid4

import structlog

from bot.incoming import Incoming
from bot.platforms.wecom.aibot_frames import Cmd
from bot.platforms.wecom.aibot_pace import Room
from cards.aibot import together

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

Body = Mapping[str, Any]
Lost = Callable[[Incoming, Body], Awaitable[None]]
IN_TIME = {Cmd.RESPOND: 300.0, Cmd.WELCOME: 4.5, Cmd.UPDATE: 4.5, Cmd.PUSH: 300.0}
"""Seconds until an answer is too late: a stream ends after 6 minutes, an event's after 5 s."""
AGAIN: Mapping[Cmd, Sequence[float]] = {
    Cmd.RESPOND: (1, 4, 16, 16),
    Cmd.WELCOME: (1,),
    Cmd.UPDATE: (1,),
    Cmd.PUSH: (16,),  # shown twice when only the acknowledgement got lost
}
"""Between two tries that are not acknowledged, in waits for one; another connection ends them."""
BUSY = frozenset({-1, 45009, 45033})
"""Codes that pass. Which one the 31st message of a minute gets is not documented."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """In seconds."""

    ack: float = 5
    room: float = 2  # between two looks whether a conversation has room
    busy: float = 20  # after WeCom has said that it has none
    busy_tries: int = 6


class Wire(Protocol):
    """The connection there is at the moment, whichever that is."""

    async def until_connected(self) -> None:
        """Wait until there is one."""

    async def renewed(self, seconds: float) -> None:
        """Wait until this one is over, at most so long."""

    async def ask(self, cmd: Cmd, req_id: str, body: Body) -> int | None:
        """WeCom's errcode; None without an acknowledgement."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Said:
    """An answer to ``heard``, which came with ``req_id`` at ``since`` of the loop's clock."""

    heard: Incoming
    req_id: str
    body: Body
    since: float

    @property
    def conversation(self) -> str:
        return conversation(self.heard)


@dataclass(slots=True)
class Lane:
    """One conversation: one answer at a time, the others wait here in order."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: list[Said] = field(default_factory=list)


class Answers:
    def __init__(self, wire: Wire, room: Room, lost: Lost, patience: Patience) -> None:
        self._wire = wire
        self._room = room
        self._lost = lost
        self._patience = patience
        self._lanes: dict[str, Lane] = {}
        self._closing = asyncio.Event()

    def close(self) -> None:
        """From now on nothing waits: everything goes out together, or is handed over."""
        self._closing.set()

    def open(self) -> None:
        self._closing.clear()

    async def at_once(self, cmd: Cmd, req_id: str, where: str, body: Body) -> bool:
        """What has five seconds: a greeting, a card that was pressed. Whether WeCom took it."""
        await self._take(where, must=True)
        return await self._send(cmd, req_id, body) == 0

    async def in_turn(self, said: Said) -> None:
        """When there is room, and with whatever else has waited in that conversation."""
        lane = self._lanes.setdefault(said.conversation, Lane())
        lane.waiting.append(said)
        async with lane.turn:
            if said in lane.waiting:
                late = await self._wait(said.conversation)
                await self._deliver(_next(lane.waiting, merged=late))
        if not lane.waiting:
            self._lanes.pop(said.conversation, None)

    async def _wait(self, where: str) -> bool:
        """Until there is room; whether that took time, or there is none left."""
        waited = False
        while wait := await self._take(where, must=self._closing.is_set()):
            waited = True
            await self._pause(min(wait, self._patience.room))
        return waited or self._closing.is_set()

    async def _take(self, where: str, *, must: bool) -> float:
        try:
            return await self._room.take(where, must=must)
        except Exception as error:  # noqa: BLE001 -- whatever is wrong with the database
            log.warning("aibot_pace_unknown", why=type(error).__name__)
            return 0.0

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()

    # -- one message --------------------------------------------------------------

    async def _deliver(self, group: Sequence[Said]) -> None:
        last, body = group[-1], _body(group)
        name = _short("+".join(said.heard.id for said in group))
        for attempt in range(self._patience.busy_tries):
            code = await self._answer(last, body, name)
            if code not in BUSY or self._closing.is_set():
                break
            log.warning("aibot_busy", code=code, attempt=attempt)
            await self._pause(self._patience.busy)
        if code != 0:
            await self._hand_over(group)

    async def _answer(self, said: Said, body: Body, name: str) -> int | None:
        """As the answer to what was said; as a message of its own when it is too late for that."""
        body = _named(body, name)
        if asyncio.get_running_loop().time() < said.since + IN_TIME[Cmd.RESPOND]:
            code = await self._send(Cmd.RESPOND, said.req_id, _stream(body, name))
            if code == 0 or code in BUSY:
                return code
        return await self._send(Cmd.PUSH, f"push-{uuid4().hex}", {**_to(said.heard), **body})

    async def _send(self, cmd: Cmd, req_id: str, body: Body) -> int | None:
        """WeCom's errcode, on this connection or a later one; None: never acknowledged."""
        late = asyncio.get_running_loop().time() + IN_TIME[cmd]
        for wait in (*AGAIN[cmd], 0):
            code = await self._once(cmd, req_id, body, late)
            if code is not None:
                if code:
                    log.warning("aibot_answer_refused", cmd=cmd, code=code)
                return code
            if _left(late) <= 0 or self._closing.is_set():
                break
            await self._wire.renewed(min(wait * self._patience.ack, _left(late)))
        log.error("aibot_answer_unacknowledged", cmd=cmd)
        return None

    async def _once(self, cmd: Cmd, req_id: str, body: Body, late: float) -> int | None:
        try:
            async with asyncio.timeout(_left(late)):
                await self._wire.until_connected()
        except TimeoutError:
            return None
        return await self._wire.ask(cmd, req_id, body)

    async def _hand_over(self, group: Sequence[Said]) -> None:
        for said in group:
            log.error("aibot_answer_handed_over", id=said.heard.id)
            try:
                await self._lost(said.heard, said.body)
            except Exception:
                log.exception("aibot_answer_lost", id=said.heard.id)


def conversation(heard: Incoming) -> str:
    """What its messages are counted under: a group, or one person."""
    return heard.group.id if heard.group is not None else heard.account


def _left(late: float) -> float:
    return late - asyncio.get_running_loop().time()


def _next(waiting: list[Said], *, merged: bool) -> Sequence[Said]:
    """Take what goes out now: the first, and when it has waited the words behind it, too."""
    words = next((n for n, said in enumerate(waiting) if not _is_words(said)), len(waiting))
    taken = max(words, 1) if merged else 1
    if taken > 1:
        taken, _ = together([(said.heard.line, dict(said.body)) for said in waiting[:taken]])
    group = waiting[:taken]
    del waiting[:taken]
    return group


def _is_words(said: Said) -> bool:
    return "markdown" in said.body


def _body(group: Sequence[Said]) -> Body:
    if len(group) == 1:
        return group[0].body
    return together([(said.heard.line, dict(said.body)) for said in group])[1]


def _stream(body: Body, name: str) -> Body:
    """Markdown as a stream that is finished at once; sent twice it is shown once."""
    if "markdown" not in body:
        return body
    stream = {"id": name, "finish": True, "content": body["markdown"]["content"]}
    return {"msgtype": "stream", "stream": stream}


def _named(body: Body, name: str) -> Body:
    """A card gets the task_id of the message it answers: sent twice, it is the same card."""
    return with_task_id(body, name) if "template_card" in body else body


def with_task_id(body: Body, id_: str) -> Body:
    return {**body, "template_card": {**body["template_card"], "task_id": f"aibot-{_short(id_)}"}}


def _short(id_: str) -> str:
    return hashlib.sha256(id_.encode()).hexdigest()[:32]


def _to(heard: Incoming) -> dict[str, Any]:
    if heard.group is not None:
        return {"chatid": heard.group.id, "chat_type": 2}
    return {"chatid": heard.account, "chat_type": 1}
