"""
Stream mode: one websocket to DingTalk, kept for as long as the service runs.

Read from the top: open, listen, acknowledge, hand over. A connection that ends,
falls silent or is asked to go is replaced; what was being handled is finished.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog
from aiohttp import ClientError, ClientSession, ClientWebSocketResponse, WSMsgType

from bot.config import DingTalk
from bot.incoming import Answer, Heard, Incoming, OrgEvent
from bot.platforms.dingtalk import events
from bot.platforms.dingtalk.answers import SECRET
from bot.platforms.dingtalk.bell import Bell
from bot.platforms.dingtalk.frames import Frame, read_frame, read_object
from bot.platforms.dingtalk.gateway import Banned, NotOpened, Refused, open_gateway
from bot.platforms.dingtalk.messages import read_robot
from bot.platforms.dingtalk.pace import Firewall
from bot.platforms.dingtalk.presses import Presses, in_time
from bot.platforms.wire import Seen, back_off, finish, own
from store.domain.quota import Api

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How patient the stream is, in seconds."""

    # DingTalk pings every 20-30 s; without one the socket is deaf. What was pushed to it
    # comes once more after 60 s: by then there has to be another.
    silence: float = 45
    first: float = 1  # the first wait after a failure; it doubles
    most: float = 60
    refused: float = 60  # wrong client id or secret: an admin has to act
    banned: float = 300  # the firewall's five minutes; each try before that prolongs them
    steady: float = 30  # a connection that lived this long starts the waits over
    finish: float = 10  # for what is being handled when the service stops

    def wait(self, failures: int) -> float:
        """Before the next try."""
        return back_off(failures, self.first, self.most)


class DingTalkStream:
    """Hands every robot message to ``heard``, once, after it has been acknowledged.

    DingTalk may push a message again under another messageId, and after a network
    drop it may lose one: ``heard`` must be idempotent all the same. What it says to a
    press is the answer; ``arrived`` is told when that has gone out.
    """

    def __init__(  # noqa: PLR0913 -- everything a connection has to do with
        self,
        session: ClientSession,
        settings: DingTalk,
        heard: Callable[[Heard], Awaitable[Answer | None]],
        arrived: Callable[[Answer, Incoming | None], Awaitable[None]] | None = None,
        *,
        pace: Pace | None = None,
        firewall: Firewall | None = None,
        bell: Bell | None = None,
        spend: Callable[[Api], None] = lambda _: None,
    ) -> None:
        """``firewall``: what the calls of the API know of it. ``bell`` tells an admin.

        ``spend`` is told of every push that the month's allowance pays for.
        """
        self._firewall = firewall
        self._bell = bell or Bell()
        self._session = session
        self._spend = spend
        self._settings = settings
        self._heard = heard
        self._arrived = arrived
        self._presses = Presses(settings.corp_id)
        self._pace = pace or Pace()
        self._seen = Seen()
        self._readers: set[asyncio.Task[None]] = set()
        self._work: set[asyncio.Task[Any]] = set()
        self._over: asyncio.Future[bool] | None = None

    @property
    def connected(self) -> bool:
        """Whether there is a connection that DingTalk still delivers to."""
        return self._over is not None and not self._over.done()

    async def run(self) -> None:
        """Listen until cancelled; then finish what was begun."""
        try:
            await self._supervise()
        finally:
            await self._finish()

    async def _supervise(self) -> None:
        clock = asyncio.get_running_loop().time
        failures = 0
        while True:
            await asyncio.sleep(self._pace.wait(failures))
            ws = await self._open(failures)
            # Only now: until the new connection is there, the old one is read to the end.
            self._cancel_readers()
            since = clock()
            asked = await self._listen(ws)
            failures = 0 if clock() - since >= self._pace.steady else failures + 1
            # To be asked to go after a healthy life is no failure: replace it at once.
            failures = failures if asked else max(failures, 1)

    async def _open(self, failures: int) -> ClientWebSocketResponse:
        while True:
            await self._outlast()
            failures += 1
            wait = self._pace.wait(failures)
            try:
                return await open_gateway(self._session, self._settings)
            except Refused as error:
                wait = max(wait, self._pace.refused)
                log.error("dingtalk_stream_refused", why=str(error))  # noqa: TRY400 -- no stack
                await self._tell()
            except Banned as error:
                wait = self._pace.banned
                log.error("dingtalk_stream_banned", why=str(error))  # noqa: TRY400 -- no stack
                if self._firewall is not None:
                    self._firewall.met()
            except NotOpened as error:
                log.warning("dingtalk_stream_not_opened", why=str(error), failures=failures)
            await asyncio.sleep(wait)

    async def _outlast(self) -> None:
        """The firewall may have banned this address for a call of the API."""
        left = self._firewall.left.total_seconds() if self._firewall is not None else 0.0
        if left:
            await asyncio.sleep(min(left, self._pace.banned))
            await self._outlast()

    async def _tell(self) -> None:
        try:
            await self._bell.sound(SECRET.alarm())
        except Exception:
            # Nobody heard it; the connection is what matters here.
            log.exception("dingtalk_alarm_failed")

    async def _listen(self, ws: ClientWebSocketResponse) -> bool:
        """Wait until this connection is over; True when DingTalk asked us to replace it."""
        over: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._over = over
        reader = asyncio.create_task(self._read(ws, over), name="dingtalk-stream")
        own(self._readers, reader)
        log.info("dingtalk_stream_connected")
        return await over

    async def _read(self, ws: ClientWebSocketResponse, over: asyncio.Future[bool]) -> None:
        try:
            await self._frames(ws, over)
            log.info("dingtalk_stream_closed", code=ws.close_code)
        except TimeoutError:
            log.warning("dingtalk_stream_silent", seconds=self._pace.silence)
        except (ClientError, OSError) as error:
            log.warning("dingtalk_stream_broken", why=type(error).__name__)
        finally:
            _end(over, asked=False)
            with suppress(ClientError, OSError):
                await ws.close()

    async def _frames(self, ws: ClientWebSocketResponse, over: asyncio.Future[bool]) -> None:
        # Only DingTalk's own frames count as life: a websocket pong comes from
        # machines that have long stopped delivering.
        async with asyncio.timeout(self._pace.silence) as watchdog:
            async for message in ws:
                now = asyncio.get_running_loop().time()
                watchdog.reschedule(now + self._pace.silence)
                if message.type in {WSMsgType.TEXT, WSMsgType.BINARY}:
                    self._take(ws, over, message.data)

    def _take(
        self, ws: ClientWebSocketResponse, over: asyncio.Future[bool], text: str | bytes
    ) -> None:
        try:
            frame = read_frame(text)
        except ValueError as error:
            log.warning("dingtalk_frame_unreadable", why=type(error).__name__)
            return
        if frame.says_goodbye:
            _end(over, asked=True)
            return
        # A task of the stream, not of this connection: it outlives a hand-over.
        own(self._work, asyncio.create_task(self._answer(ws, frame)))

    async def _answer(self, ws: ClientWebSocketResponse, frame: Frame) -> None:
        if frame.ack is not None:
            # A connection that is gone takes no ack; the message is handled all the same.
            with suppress(ClientError, OSError, UnicodeError):
                await ws.send_str(json.dumps(frame.ack, ensure_ascii=False))
        if frame.is_paid_for:
            self._spend(Api.DINGTALK_PUSHES)
        if frame.is_robot_message:
            await self._robot(frame.data)
        elif frame.is_event:
            await self._event(frame)
        elif frame.is_press:
            await self._press(ws, frame)

    async def _press(self, ws: ClientWebSocketResponse, frame: Frame) -> None:
        """The answer is the card's new look; one that is too late is sent by a call instead."""
        pressed = self._pressed(ws, frame)
        answer = Answer() if pressed is None else await in_time(self._work, self._heard(pressed))
        try:
            body = answer.body or {}
            await ws.send_str(json.dumps(frame.answer(body), ensure_ascii=False))
        except (ClientError, OSError, UnicodeError) as error:
            log.warning("dingtalk_press_unanswered", why=type(error).__name__)
            return
        if pressed is not None:
            self._presses.answered(pressed)
        if self._arrived is not None:
            await self._arrived(answer, pressed)

    def _pressed(self, ws: ClientWebSocketResponse, frame: Frame) -> Incoming | None:
        try:
            body = read_object(frame.data)
        except ValueError as error:
            log.warning("dingtalk_press_unreadable", why=type(error).__name__)
            return None
        return self._presses.read(body, frame.message_id, id(ws))

    async def _event(self, frame: Frame) -> None:
        try:
            body = read_object(frame.data or "{}")
        except ValueError as error:
            log.warning("dingtalk_event_unreadable", why=type(error).__name__)
            return
        event = events.Event(frame.event_type, frame.event_id, frame.corp, body)
        known = events.heard(event, self._settings)
        if known is not None and self._seen.is_new(known.id):
            await self._hand_over(known)

    async def _robot(self, data: str) -> None:
        try:
            incoming = read_robot(read_object(data), self._settings.oapi_base)
        except ValueError as error:
            log.warning("dingtalk_message_unreadable", why=type(error).__name__)
            return
        if incoming is not None and self._seen.is_new(incoming.id):
            await self._hand_over(incoming)

    async def _hand_over(self, incoming: Incoming | OrgEvent) -> None:
        try:
            await self._heard(incoming)
        except Exception:
            # Forgotten, so that a redelivery gets another chance.
            self._seen.forget(incoming.id)
            log.exception("dingtalk_message_failed", id=incoming.id)

    def _cancel_readers(self) -> None:
        for reader in self._readers:
            reader.cancel()

    async def _finish(self) -> None:
        self._cancel_readers()
        await finish(self._readers | self._work, self._pace.finish)


def _end(over: asyncio.Future[bool], *, asked: bool) -> None:
    if not over.done():
        over.set_result(asked)
