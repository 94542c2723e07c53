"""Makes the phones match the outbox. No lock is held while sending."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol, runtime_checkable

import structlog
from prometheus_client import Counter as Metric

from handlers.alarms import astray, over, sound, unheard
from jobs.pacing import admitted, arrived, not_sent, refused
from jobs.tally import Tally
from store.db import Store, Tx
from store.domain.errors import Alarm, Anew, Held, Later, Lost, Spent, Stale, Undeliverable
from store.domain.quota import Rank
from store.domain.team import Channel
from store.outbox import LEASE, Due

log = structlog.get_logger()
SENT = Metric("leadbot_messages", "Messages handed to a platform", ["channel", "result"])

TRIES = 5
"""Of a transaction that another one was in the way of."""
IDLE = 0.5
"""Seconds between looks for what other processes have put."""
WIDTH = 16
"""Messages of one channel on their way at once; the platforms allow more in parallel than per minute."""
WIDE = 64
"""Welcomes on their way at once: none of them may wait for a platform that is slow to others."""
TIMEOUT = LEASE.total_seconds() - 10
"""A send that takes longer would outlive its lease and be repeated by somebody else."""
SLOWEST = timedelta(minutes=10)
PAUSE = timedelta(seconds=30)
"""How long a channel rests at most before one message shows whether its platform is well again."""
HURRIED = {Channel.WECOM_WELCOME}
"""Worth nothing after 20 seconds (D:92137), and with tries of its own."""
SLOW, SLOWEST_MENDING = timedelta(minutes=1), timedelta(minutes=30)
"""What waits for the admin is tried after a minute first, and every half an hour at last."""
OLD_NEWS = timedelta(days=2)
"""A digest that has waited so long for the admin is of no use to anybody."""


class Sender(Protocol):
    async def show(self, due: Due) -> dict[str, Any] | None:
        """Make the phone show ``due``; what is needed to change it later.

        Raises Later or Undeliverable.
        """


@runtime_checkable
class Changes(Protocol):
    """A sender that can change what a phone shows without a new message."""

    def in_place(self, due: Due) -> bool:
        """Whether ``show`` would do so for ``due``."""


@runtime_checkable
class Proves(Protocol):
    """A sender whose success ends more alarms than those about its channel."""

    def proves(self, due: Due, ref: Mapping[str, Any] | None) -> Sequence[str]:
        """The keys of those that ``ref``, what ``show`` has given, ends."""


@runtime_checkable
class Detours(Protocol):
    """A sender that may get there another way, which shows nothing about the usual one."""

    def detour(self, due: Due, ref: Mapping[str, Any] | None) -> bool:
        """Whether it has: what says that the usual way is closed is not over."""


@dataclass(frozen=True, slots=True)
class _Rest:
    """A channel whose platform is not well. ``times``: how often that was seen in a row."""

    until: datetime
    times: int


class Relay:
    def __init__(
        self, store: Store, senders: Mapping[Channel, Sender], tally: Tally | None = None
    ) -> None:
        self._store = store
        self._tally = tally or Tally(store)
        self._senders = senders
        self._woken = asyncio.Event()
        self._flying: dict[asyncio.Task[None], Channel] = {}
        self._down: dict[Channel, _Rest] = {}
        self._stopping = False
        self.alive = False

    def stop(self) -> None:
        """Take nothing more; ``run`` ends once what is on its way has landed."""
        self._stopping = True
        self._woken.set()

    def wake(self) -> None:
        """Something was put: do not wait for the next look."""
        self._woken.set()

    async def run(self) -> None:
        """Until stopped or cancelled; what is on its way then is finished first."""
        self.alive = True
        try:
            while not self._stopping:
                if not await self._take():
                    await self._rest()
        finally:
            self.alive = False
            await asyncio.gather(*self._flying, return_exceptions=True)

    async def _rest(self) -> None:
        waits: set[asyncio.Task[Any]] = {asyncio.create_task(self._woken.wait()), *self._flying}
        done, _ = await asyncio.wait(waits, timeout=IDLE, return_when=asyncio.FIRST_COMPLETED)
        for task in waits - done - set(self._flying):
            task.cancel()
        self._woken.clear()

    async def drain(self) -> None:
        """Send everything that is due now, and what becomes due by it."""
        while True:
            # Asked before the look: what lands during it may have put something.
            flying = bool(self._flying)
            if not await self._take() and not flying:
                return
            if self._flying:
                await asyncio.wait(set(self._flying), return_when=asyncio.FIRST_COMPLETED)

    async def _take(self) -> int:
        counts, now = Counter(self._flying.values()), self._store.clock()
        busy = [c for c in Channel if counts[c] >= self._room(c, now) or c not in self._senders]
        try:
            leased, dues = await self._lease(busy)
        except Stale:
            return 1  # what another transaction was in the way of is still there
        except Exception:
            log.exception("the outbox could not be read")
            await asyncio.sleep(IDLE)
            return 0
        for due in dues:
            task = asyncio.create_task(self._show(due), name=f"show {due.key}")
            self._flying[task] = due.channel
            task.add_done_callback(self._landed)
        return leased

    async def _lease(self, busy: list[Channel]) -> tuple[int, Sequence[Due]]:
        """How many were due, and those of them that go out now."""
        async with self._store.read() as tx:
            if not await tx.outbox.any_due(busy):
                return 0, ()
        async with self._store.begin() as tx:
            # Whoever counts the same phone at the same time would count past its limit.
            await tx.lock("pace")
            dues = await tx.outbox.lease(WIDTH, busy)
            return len(dues), await admitted(tx, await self._tried(tx, dues), self._in_place)

    def _room(self, channel: Channel, now: datetime) -> int:
        """How many of ``channel`` may be on their way: one, to see whether it is well again."""
        rest = self._down.get(channel)
        if rest is None:
            return WIDE if channel == Channel.WECOM_WELCOME else WIDTH
        return int(rest.until <= now)

    async def _tried(self, tx: Tx, dues: Sequence[Due]) -> Sequence[Due]:
        """Without those that wait to see how the first of their channel fares."""
        firsts: dict[Channel, Due] = {}
        for due in dues:
            firsts.setdefault(due.channel, due)
        waits = [due for due in dues if due.channel in self._down and firsts[due.channel] != due]
        await tx.outbox.wait(waits, tx.now)
        return [due for due in dues if due not in waits]

    def _fell(self, channel: Channel) -> None:
        """Those that were on their way together fall together: that counts once."""
        now, last = self._store.clock(), self._down.get(channel)
        if channel in HURRIED or (last is not None and last.until > now):
            return
        times = last.times + 1 if last is not None else 1
        self._down[channel] = _Rest(now + min(backoff(times), PAUSE), times)

    def _in_place(self, due: Due) -> bool:
        sender = self._senders.get(due.channel)
        return isinstance(sender, Changes) and sender.in_place(due)

    def _landed(self, task: asyncio.Task[None]) -> None:
        del self._flying[task]
        if not task.cancelled() and task.exception() is not None:
            log.error("a message could not be settled", error=type(task.exception()).__name__)
        self._woken.set()

    async def _show(self, due: Due) -> None:
        try:
            async with asyncio.timeout(TIMEOUT):
                ref = await self._senders[due.channel].show(due)
        except Anew as anew:
            self._down.pop(due.channel, None)
            log.info("a card is sent anew", key=due.key, why=str(anew))
            await self._settle(lambda tx: tx.outbox.again(due))
        except Held as held:
            await self._hold_back(due, held)
        except Later as later:
            await self._again(due, later)
        except TimeoutError:
            await self._again(due, Lost("no answer in time"))
        except Undeliverable as error:
            await self._give_up(due, str(error), error.alarm)
        except Exception as error:
            # A bug in one renderer or sender must not stop everybody's messages.
            log.exception("sender failed", key=due.key, channel=due.channel)
            await self._again(due, _bug(error))
        else:
            self._down.pop(due.channel, None)
            SENT.labels(due.channel, "sent").inc()
            await self._settle(partial(self._sent, due=due, ref=ref))

    async def _settle(self, say: Callable[[Tx], Awaitable[None]]) -> None:
        """Write what became of a message, and what it cost.

        Once more if another transaction was in the way: what is not written goes out twice.
        """
        for left in reversed(range(TRIES)):
            try:
                async with self._tally.begin() as tx:
                    await say(tx)
            except Stale:
                if not left:
                    raise
            else:
                return

    async def _sent(self, tx: Tx, due: Due, ref: dict[str, Any] | None) -> None:
        await arrived(tx, due)
        await tx.outbox.sent(due, ref)
        await self._all_clear(tx, due, ref)

    async def _all_clear(self, tx: Tx, due: Due, ref: Mapping[str, Any] | None) -> None:
        """What said that this could not work is over."""
        sender: object = self._senders.get(due.channel)
        if isinstance(sender, Detours) and sender.detour(due, ref):
            return
        await over(tx, f"{due.channel}:", due.account)
        if isinstance(sender, Proves):
            for key in sender.proves(due, ref):
                await over(tx, key, due.account)

    async def _hold_back(self, due: Due, held: Held) -> None:
        """Nobody was asked: it counts as no try, and as no message."""
        SENT.labels(due.channel, "held").inc()
        await self._settle(partial(_held, due=due, held=held))

    async def _again(self, due: Due, later: Later) -> None:
        SENT.labels(due.channel, "later").inc()
        if later.down:
            self._fell(due.channel)
        else:
            self._down.pop(due.channel, None)
        why, wait = str(later), _wait(due, later)
        log.warning(
            "message waits", key=due.key, channel=due.channel, why=why, attempts=due.attempts
        )
        await self._settle(partial(_failed, due=due, later=later, wait=wait))

    async def _give_up(self, due: Due, why: str, alarm: Alarm | None) -> None:
        SENT.labels(due.channel, "undeliverable").inc()
        self._down.pop(due.channel, None)
        log.error("message given up", key=due.key, channel=due.channel, why=why)
        await self._settle(partial(_given_up, due=due, why=why, alarm=alarm))


async def _held(tx: Tx, due: Due, held: Held) -> None:
    await not_sent(tx, due)
    if _is_old_news(due, tx.now) or await astray(tx, due.key):
        await tx.outbox.failed(due, str(held), None)
    await tx.outbox.wait([due], tx.now + (held.after or backoff(due.attempts)))


async def _failed(tx: Tx, due: Due, later: Later, wait: timedelta) -> None:
    await (not_sent(tx, due) if later.unsent else arrived(tx, due))
    if later.alarm is not None:
        await sound(tx, later.alarm)
    idle = later.alarm and (_is_old_news(due, tx.now) or await astray(tx, due.key))
    again = None if idle else tx.now + wait
    unsure = isinstance(later, Lost)
    await tx.outbox.failed(due, str(later), again, unsure=unsure, ref=later.ref)
    if later.after is not None:
        await refused(tx, due, later.after, spent=isinstance(later, Spent))


async def _given_up(tx: Tx, due: Due, why: str, alarm: Alarm | None) -> None:
    await arrived(tx, due)
    await tx.outbox.failed(due, why, None)
    if alarm is not None:
        await sound(tx, alarm)
    await unheard(tx, due.key)


def _bug(error: Exception) -> Lost:
    """It may have been done; of the platform it says nothing."""
    lost = Lost(type(error).__name__)
    lost.down = False
    return lost


def _wait(due: Due, later: Later) -> timedelta:
    if later.after is not None:
        return later.after
    if later.alarm is not None:
        return min(SLOW * float(2 ** min(due.attempts - 1, 20)), SLOWEST_MENDING)
    return backoff(due.attempts)


def _is_old_news(due: Due, now: datetime) -> bool:
    return due.rank == Rank.EXTRA and due.put_at is not None and now - due.put_at > OLD_NEWS


def backoff(attempts: int) -> timedelta:
    """1, 2, 4 … seconds, at most ten minutes, jittered so that retries do not march in step."""
    seconds = min(2.0 ** min(attempts - 1, 20), SLOWEST.total_seconds())
    return timedelta(seconds=seconds * random.uniform(0.8, 1.2))  # noqa: S311 - not a secret
