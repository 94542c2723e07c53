"""
The AI bot's long connection (D:101463), so that a group can @ it and be answered.

Read from the top: claim, connect, subscribe, listen, answer. WeCom allows one
connection per bot and kicks the older one, so of all processes only the one that
holds the claim connects, and whoever is kicked does not fight back: none of them
connects again before an admin says so or the service is started anew.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any
from uuid import uuid4
from weakref import WeakValueDictionary

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
from bot.platforms.wecom.aibot_answers import (
    Answers,
    Lost,
    Patience,
    Said,
    conversation,
    with_task_id,
)
from bot.platforms.wecom.aibot_frames import Cmd, Frame, read, read_frame
from bot.platforms.wecom.aibot_pace import NoLimit, Room
from bot.platforms.wire import back_off, finish, own, uncut
from store.connections import State
from store.domain.errors import Alarm

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

CLOSING = ClientWSTimeout(ws_close=2)  # a dead peer never says goodbye
TOO_LATE = float("-inf")
SORRY = {"msgtype": "markdown", "markdown": {"content": "没处理成，请过一会儿再发一次"}}
KICKED = Alarm(
    "aibot:kicked",
    "智能机器人被别的程序连走了，群里 @ 它这边听不到，也不会自己连回来。一个机器人只能连一处："
    "停掉另一处再发「重连」；找不到就在智能机器人的页面重置 Secret，写进 [wecom.aibot] 后重启",
)
REFUSED = Alarm(
    "aibot:refused",
    "智能机器人连不上，Bot ID 或 Secret 不对。到智能机器人的页面核对，写进 [wecom.aibot] 后重启",
)
AWAY = Alarm(
    "aibot:away",
    "智能机器人连不上企业微信，群里 @ 它没有应答。看这台机器能不能访问 [wecom.aibot] 的 url",
)


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
    kicked: float = 5  # after a kick: between two looks whether an admin has said to connect again
    steady: float = 60  # a connection that lived this long starts the waits over
    away: float = 300  # without a connection, before the admin is told
    finish: float = 10  # for what is being answered when the service stops
    room: float = 2  # between two looks whether a conversation has room
    busy: float = 20  # after WeCom has said that it has none


async def _logged(heard: Incoming, body: Mapping[str, Any]) -> None:
    log.error("aibot_answer_lost", id=heard.id)


async def _unheard(alarm: Alarm) -> None:
    log.error("aibot_alarm", key=alarm.key)


async def _nothing() -> None:
    return


class End(Enum):
    """Why a connection is over."""

    LOST = auto()
    KICKED = auto()
    REFUSED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What the bot asks for besides answers.

    ``room``: how much a conversation takes. ``lost``: gets what WeCom did not take.
    ``sound`` and ``over``: an alarm for the admin, and that it works again.
    """

    room: Room = field(default_factory=NoLimit)
    lost: Lost = _logged
    sound: Callable[[Alarm], Awaitable[None]] = _unheard
    over: Callable[[], Awaitable[None]] = _nothing


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
        beside: Beside | None = None,
    ) -> None:
        self._session = session
        self._settings = settings
        self._corp_id = corp_id
        self._hear = hear
        self._claim = claim
        self._pace = pace or Pace()
        self._ours_until = 0.0
        self._ws: ClientWebSocketResponse | None = None
        self._online = asyncio.Event()
        self._over = asyncio.Event()
        self._acks: dict[str, asyncio.Future[int | None]] = {}
        self._work: set[asyncio.Task[None]] = set()
        # What is said in one conversation is done in the order it was said.
        self._ears: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._beside = beside or Beside()
        patience = Patience(ack=self._pace.ack, room=self._pace.room, busy=self._pace.busy)
        self._answers = Answers(self, self._beside.room, self._beside.lost, patience)

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
            with suppress(Exception):
                # Who starts the service anew has had a look at what took the bot away.
                await uncut(self._claim.anew())
            while True:
                if await self._ours():
                    await self._hold()
                await asyncio.sleep(self._pace.look)
        finally:
            with suppress(Exception):
                if await self._claim.state() is State.UP:
                    await self._claim.note(State.AWAY)
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
        self._answers.open()
        connecting = asyncio.create_task(self._keep_connected(), name="aibot")
        try:
            while await self._ours():
                over, _ = await asyncio.wait({connecting}, timeout=self._pace.renew)
                if over:
                    break
        finally:
            # First answer what was heard: without the connection nobody could.
            self._answers.close()
            await finish(self._work, self._pace.finish)
            connecting.cancel()
            [end] = await asyncio.gather(connecting, return_exceptions=True)
            if not isinstance(end, asyncio.CancelledError):
                log.error("aibot_failed", exc_info=end)

    async def _keep_connected(self) -> None:
        clock, failures = asyncio.get_running_loop().time, 0
        seen = clock()
        await self._until_asked()
        await self._note(State.AWAY)
        while True:
            since = clock()
            end = await self._connection()
            if clock() - since >= self._pace.steady:
                failures, seen = 0, clock()
            if end is End.KICKED:
                await self._kicked()
                failures, seen = 0, clock()
                continue
            failures += 1
            await self._note(State.REFUSED if end is End.REFUSED else State.AWAY)
            await self._tell(end, clock() - seen)
            await asyncio.sleep(self._wait(end, failures))

    async def _kicked(self) -> None:
        """Stay away (D:101463). Who took over by the claim keeps it, and this ends at the renewal."""
        log.error("aibot_kicked", hint="another program is connected as this bot")
        # Before it is written down nobody can say that it is over.
        while not await self._note(State.KICKED):  # noqa: ASYNC110 -- it is the database's
            await asyncio.sleep(self._pace.kicked)
        await self._sound(KICKED)
        await self._until_asked()

    async def _until_asked(self) -> None:
        """As long as it is written down that another program has the connection."""
        while await self._last() in {State.KICKED, None}:  # noqa: ASYNC110 -- another process says it
            await asyncio.sleep(self._pace.kicked)

    async def _last(self) -> State | None:
        """As the database has it; None while that is not known."""
        try:
            state = await uncut(self._claim.state())
        except Exception as error:  # noqa: BLE001 -- whatever is wrong with the database
            log.warning("aibot_claim_unknown", why=type(error).__name__)
            return None
        return state or State.AWAY

    async def _note(self, state: State) -> bool:
        """False when the claim is not ours any more, or the database is away."""
        with suppress(Exception):
            return await uncut(self._claim.note(state))
        return False

    async def _tell(self, end: End, away: float) -> None:
        """The admin, where waiting mends nothing."""
        if end is End.REFUSED:
            await self._sound(REFUSED)
        elif away >= self._pace.away:
            await self._sound(AWAY)

    async def _sound(self, alarm: Alarm) -> None:
        with suppress(Exception):
            await uncut(self._beside.sound(alarm))

    def _wait(self, end: End, failures: int) -> float:
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
        beside = [asyncio.create_task(task) for task in (self._ping(ws), self._prove())]
        try:
            return await self._listen(ws)
        except (ClientError, TimeoutError, OSError) as error:
            log.warning("aibot_broken", why=type(error).__name__)
            return End.LOST
        finally:
            self._down()
            for task in beside:
                task.cancel()
            with suppress(ClientError, OSError):
                await ws.close()
            # What one of them is writing down comes before what is written next.
            await asyncio.gather(*beside, return_exceptions=True)

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

    async def _prove(self) -> None:
        """A connection that lasts ends the alarm; one that is kicked again at once does not."""
        await self._online.wait()
        await self._note(State.UP)
        await asyncio.sleep(self._pace.steady)
        with suppress(Exception):
            await uncut(self._beside.over())

    def _up(self, ws: ClientWebSocketResponse) -> None:
        self._ws = ws
        self._over.clear()
        self._online.set()
        log.info("aibot_connected")

    def _down(self) -> None:
        self._ws = None
        self._online.clear()
        self._over.set()
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
        since = asyncio.get_running_loop().time()
        heard = read(frame, self._corp_id, self._settings.name)
        if heard is None:
            return
        where = heard.account if isinstance(heard, Entered) else conversation(heard)
        async with self._ears.setdefault(where, asyncio.Lock()):
            answer = await self._heard(heard)
        if isinstance(heard, Entered):
            if answer.text:
                words = {"msgtype": "text", "text": {"content": answer.text}}
                await self._answers.at_once(Cmd.WELCOME, frame.req_id, heard.account, words)
            return
        body = answer.body or SORRY
        if heard.press and "template_card" in body:
            await self._redraw(frame.req_id, heard, body)
        else:
            await self._answers.in_turn(_said(heard, frame.req_id, body, since))

    async def _redraw(self, req_id: str, heard: Incoming, body: Mapping[str, Any]) -> None:
        """The card that was pressed; five seconds later only a message of its own can say it."""
        card = {"template_card": with_task_id(body, heard.id)["template_card"]}
        update = {"response_type": "update_template_card", **card}
        where = conversation(heard)
        if not await self._answers.at_once(Cmd.UPDATE, req_id, where, update):
            await self._answers.in_turn(_said(heard, req_id, body, TOO_LATE))

    async def _heard(self, heard: Heard) -> Answer:
        try:
            return await self._hear(heard)
        except Exception:
            log.exception("aibot_message_failed", id=heard.id)
            return Answer()

    # -- the wire of the answers --------------------------------------------------

    async def until_connected(self) -> None:
        await self._online.wait()

    async def renewed(self, seconds: float) -> None:
        """Wait until this connection is over, at most so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._over.wait()

    async def ask(self, cmd: Cmd, req_id: str, body: Mapping[str, Any]) -> int | None:
        """WeCom's errcode; None when none came in time, or the connection ended before."""
        if self._ws is None:
            return None
        waiting: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self._acks[req_id] = waiting
        try:
            await _send(self._ws, cmd, req_id, body)
            async with asyncio.timeout(self._pace.ack):
                return await waiting
        except (TimeoutError, ClientError, OSError):
            return None
        finally:
            self._acks.pop(req_id, None)


def claim_name(settings: Settings) -> str:
    """Of the claim that the processes of an installation hand each other."""
    return f"aibot:{settings.bot_id}"[:100]


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


def _said(heard: Incoming, req_id: str, body: Mapping[str, Any], since: float) -> Said:
    return Said(heard=heard, req_id=req_id, body=body, since=since)
