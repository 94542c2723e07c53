"""
The AI bot's long connection (D:101463), so that a group can @ it and be answered.

Read from the top: claim, connect, subscribe, listen, answer. WeCom allows one
connection per bot and kicks the older one, so of all processes only the one that
holds the claim connects, and whoever is kicked does not fight back.
"""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any
from uuid import uuid4

import structlog
from aiohttp import (
    ClientError,
    ClientSession,
    ClientWebSocketResponse,
    ClientWSTimeout,
    WSMsgType,
)

from bot.config import AiBot as Settings
from bot.incoming import Answer, Entered, Heard, Incoming
from bot.platforms.shared import CONNECTED, Claim
from bot.platforms.wecom.aibot_frames import Cmd, Frame, read, read_frame
from bot.platforms.wire import back_off, finish, own, uncut
from store.domain.quota import Api

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

CLOSING = ClientWSTimeout(ws_close=2)  # a dead peer never says goodbye
DAY = 86400.0
SORRY = {"msgtype": "markdown", "markdown": {"content": "没处理成，请过一会儿再发一次"}}
IN_TIME = {Cmd.RESPOND: 300.0, Cmd.WELCOME: 4.5, Cmd.UPDATE: 4.5, Cmd.PUSH: 300.0}
"""Seconds until an answer is too late: a stream ends after 6 minutes, an event's after 5 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How patient the connection is, in seconds."""

    look: float = 5  # between two looks whether the claim is free
    renew: float = 10  # a third of what a dead process keeps it
    ping: float = 30
    deaf: float = 75  # two pings without an answer
    ack: float = 5
    open: float = 10
    first: float = 1  # the first wait after a failure; it doubles
    most: float = 30
    refused: float = 60  # wrong bot id or secret; subscribing is rate-limited
    kicked: float = 600  # somebody outside of this installation uses the bot; it doubles
    steady: float = 60  # a connection that lived this long starts the waits over
    finish: float = 10  # for what is being answered when the service stops


class End(Enum):
    """Why a connection is over."""

    LOST = auto()
    KICKED = auto()
    REFUSED = auto()


class AiBot:
    """Hands what people say to ``hear`` and its answer back, for whoever holds ``claim``."""

    def __init__(  # noqa: PLR0913 -- all of them are somebody else's
        self,
        session: ClientSession,
        settings: Settings,
        corp_id: str,
        hear: Callable[[Heard], Awaitable[Answer]],
        claim: Claim,
        *,
        pace: Pace | None = None,
        spend: Callable[[Api, str], None] = lambda *_: None,
    ) -> None:
        """``spend`` is told of every message that a conversation's limit counts."""
        self._session = session
        self._spend = spend
        self._settings = settings
        self._corp_id = corp_id
        self._hear = hear
        self._claim = claim
        self._pace = pace or Pace()
        self._ours_until = 0.0
        self._ws: ClientWebSocketResponse | None = None
        self._online = asyncio.Event()
        self._acks: dict[str, asyncio.Future[int | None]] = {}
        self._work: set[asyncio.Task[None]] = set()

    @property
    def connected(self) -> bool:
        return self._online.is_set()

    @property
    def well(self) -> bool:
        """Connected, or another process's business."""
        return self.connected or not self._ours_until

    async def run(self) -> None:
        """Until cancelled; then what was begun is answered and the claim is free."""
        try:
            while True:
                if await self._ours():
                    await self._hold()
                await asyncio.sleep(self._pace.look)
        finally:
            with suppress(Exception):
                await self._claim.drop()

    async def _ours(self) -> bool:
        """Renew the claim. While the database is away it is ours until it has run out."""
        now = asyncio.get_running_loop().time()
        try:
            ours = await uncut(self._claim.take())
        except Exception as error:  # noqa: BLE001 -- whatever is wrong with the database
            log.warning("aibot_claim_unknown", why=type(error).__name__)
            return now < self._ours_until
        self._ours_until = now + CONNECTED.total_seconds() - self._pace.renew if ours else 0.0
        return ours

    async def _hold(self) -> None:
        """Stay connected for as long as the claim is ours."""
        connecting = asyncio.create_task(self._keep_connected(), name="aibot")
        try:
            while await self._ours():
                over, _ = await asyncio.wait({connecting}, timeout=self._pace.renew)
                if over:
                    break
        finally:
            # First answer what was heard: without the connection nobody could.
            await finish(self._work, self._pace.finish)
            connecting.cancel()
            [end] = await asyncio.gather(connecting, return_exceptions=True)
            if not isinstance(end, asyncio.CancelledError):
                log.error("aibot_failed", exc_info=end)

    async def _keep_connected(self) -> None:
        clock, failures, kicks = asyncio.get_running_loop().time, 0, 0
        while True:
            since = clock()
            end = await self._connection()
            if clock() - since >= self._pace.steady:
                failures = kicks = 0
            failures, kicks = failures + 1, kicks + (end is End.KICKED)
            await asyncio.sleep(self._wait(end, failures, kicks))

    def _wait(self, end: End, failures: int, kicks: int) -> float:
        if end is End.KICKED:
            # Who took over by the claim keeps it, and we are told so at the next renewal.
            log.error("aibot_kicked", hint="another program is connected as this bot")
            return back_off(kicks, self._pace.kicked, DAY)
        wait = back_off(failures, self._pace.first, self._pace.most)
        return max(wait, self._pace.refused) if end is End.REFUSED else wait

    # -- one connection ---------------------------------------------------------

    async def _connection(self) -> End:
        try:
            async with asyncio.timeout(self._pace.open):
                ws = await self._session.ws_connect(self._settings.url, timeout=CLOSING)
        except (ClientError, TimeoutError, OSError) as error:
            log.warning("aibot_not_opened", why=type(error).__name__)
            return End.LOST
        pings = asyncio.create_task(self._ping(ws))
        try:
            return await self._listen(ws)
        except (ClientError, TimeoutError, OSError) as error:
            log.warning("aibot_broken", why=type(error).__name__)
            return End.LOST
        finally:
            self._down()
            pings.cancel()
            with suppress(ClientError, OSError):
                await ws.close()

    async def _listen(self, ws: ClientWebSocketResponse) -> End:
        # Only answers to our own pings count as life: the rest may come from
        # machines that have long stopped listening.
        async with asyncio.timeout(self._pace.ack) as patience:
            subscribed = await self._subscribe(ws)
            async for message in ws:
                frame = _frame(message.data) if message.type is WSMsgType.TEXT else None
                if frame is None:
                    continue
                if frame.req_id == subscribed and frame.errcode:
                    log.error("aibot_refused", code=frame.errcode, hint="check [wecom.aibot]")
                    return End.REFUSED
                if frame.kicks:
                    return End.KICKED
                if frame.req_id == subscribed:
                    self._up(ws)
                if frame.req_id == subscribed or frame.req_id.startswith(Cmd.PING):
                    patience.reschedule(asyncio.get_running_loop().time() + self._pace.deaf)
                self._take(frame)
        return End.LOST

    async def _subscribe(self, ws: ClientWebSocketResponse) -> str:
        secret = self._settings.secret.get_secret_value()
        req_id = _new("sub")
        await _send(ws, Cmd.SUBSCRIBE, req_id, {"bot_id": self._settings.bot_id, "secret": secret})
        return req_id

    async def _ping(self, ws: ClientWebSocketResponse) -> None:
        with suppress(ClientError, OSError):
            while True:
                await asyncio.sleep(self._pace.ping)
                await _send(ws, Cmd.PING, _new(Cmd.PING))

    def _up(self, ws: ClientWebSocketResponse) -> None:
        self._ws = ws
        self._online.set()
        log.info("aibot_connected")

    def _down(self) -> None:
        self._ws = None
        self._online.clear()
        for waiting in self._acks.values():
            if not waiting.done():
                waiting.set_result(None)

    def _take(self, frame: Frame) -> None:
        if frame.cmd in {Cmd.MESSAGE, Cmd.EVENT}:
            # A task of the bot, not of this connection: its answer may take the next one.
            own(self._work, asyncio.create_task(self._answer(frame)))
        waiting = self._acks.get(frame.req_id) if not frame.cmd else None
        if waiting is not None and not waiting.done():
            waiting.set_result(frame.errcode)

    # -- answers ----------------------------------------------------------------

    async def _answer(self, frame: Frame) -> None:
        heard = read(frame, self._corp_id)
        if heard is None:
            return
        answer = await self._heard(heard)
        if isinstance(heard, Entered):
            if answer.text:
                self._count(heard.account)
                words = {"msgtype": "text", "text": {"content": answer.text}}
                await self._respond(Cmd.WELCOME, frame.req_id, words)
            return
        body = _named(answer.body or SORRY, heard.id)
        cmd, sent = (
            (Cmd.UPDATE, {"response_type": "update_template_card", **_card_of(body)})
            if heard.press and "template_card" in body
            else (Cmd.RESPOND, _stream(body, heard.id))
        )
        self._count(_to(heard)["chatid"])
        if not await self._respond(cmd, frame.req_id, sent):
            self._count(_to(heard)["chatid"])
            await self._respond(Cmd.PUSH, _new("push"), {**_to(heard), **body})

    def _count(self, conversation: str) -> None:
        """Replies and pushes together, 30 a minute and 1,000 an hour (D:101463)."""
        for api in (Api.AIBOT_MINUTE, Api.AIBOT_HOUR):
            self._spend(api, conversation)

    async def _heard(self, heard: Heard) -> Answer:
        try:
            return await self._hear(heard)
        except Exception:
            log.exception("aibot_message_failed", id=heard.id)
            return Answer()

    async def _respond(self, cmd: Cmd, req_id: str, body: Mapping[str, Any]) -> bool:
        """Whether WeCom took it, on this connection or the next one, before it is too late."""
        clock = asyncio.get_running_loop().time
        late = clock() + IN_TIME[cmd]
        while clock() < late:
            with suppress(TimeoutError, ClientError, OSError):
                async with asyncio.timeout(late - clock()):
                    await self._online.wait()
                code = await self._ask(cmd, req_id, body)
                if code is not None:
                    if code:
                        log.warning("aibot_answer_refused", cmd=cmd, code=code)
                    return code == 0
        log.error("aibot_answer_lost", cmd=cmd)
        return False

    async def _ask(self, cmd: Cmd, req_id: str, body: Mapping[str, Any]) -> int | None:
        """WeCom's errcode; None when the connection ended before it came."""
        if self._ws is None:
            return None
        waiting: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self._acks[req_id] = waiting
        try:
            await _send(self._ws, cmd, req_id, body)
            async with asyncio.timeout(self._pace.ack):
                return await waiting
        finally:
            self._acks.pop(req_id, None)


def _new(kind: str) -> str:
    return f"{kind}-{uuid4().hex}"


async def _send(
    ws: ClientWebSocketResponse, cmd: Cmd, req_id: str, body: Mapping[str, Any] | None = None
) -> None:
    frame: dict[str, Any] = {"cmd": cmd, "headers": {"req_id": req_id}}
    if body is not None:
        frame["body"] = body
    await ws.send_str(json.dumps(frame, ensure_ascii=False))


def _frame(text: str) -> Frame | None:
    try:
        return read_frame(text)
    except (ValueError, RecursionError) as error:
        log.warning("aibot_frame_unreadable", why=type(error).__name__)
        return None


def _stream(body: Mapping[str, Any], id_: str) -> Mapping[str, Any]:
    """Markdown as a stream that is finished at once; sent twice it is shown once."""
    if "markdown" not in body:
        return body
    stream = {"id": _short(id_), "finish": True, "content": body["markdown"]["content"]}
    return {"msgtype": "stream", "stream": stream}


def _named(body: Mapping[str, Any], id_: str) -> Mapping[str, Any]:
    """A card gets the task_id of the message it answers: sent twice, it is the same card."""
    if "template_card" not in body:
        return body
    return {**body, "template_card": {**body["template_card"], "task_id": f"aibot-{_short(id_)}"}}


def _card_of(body: Mapping[str, Any]) -> dict[str, Any]:
    return {"template_card": body["template_card"]}


def _short(id_: str) -> str:
    return hashlib.sha256(id_.encode()).hexdigest()[:32]


def _to(heard: Incoming) -> dict[str, Any]:
    if heard.group is not None:
        return {"chatid": heard.group.id, "chat_type": 2}
    return {"chatid": heard.account, "chat_type": 1}
