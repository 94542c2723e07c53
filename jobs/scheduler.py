"""The metronome: sweeps at every beat, and daily jobs once per tick across all processes."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger

from handlers import clocks, sweeps
from handlers.journeys import advance
from handlers.score import COOLED, cool
from jobs.digest import prepare_digest
from jobs.learning import prepare_learning
from store.db import Store, Tx

log = structlog.get_logger()
BEAT = 1
"""Seconds of real time between two looks at the clock."""
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
Act = Callable[[Tx], Awaitable[None]]
Prepare = Callable[[Store, datetime], Awaitable[Act]]


@dataclass(frozen=True, slots=True)
class Daily:
    """A job with a time of day. ``prepare`` does what is slow, before the transaction."""

    name: str
    trigger: CronTrigger
    prepare: Prepare

    def slot(self, now: datetime) -> datetime | None:
        """The newest tick at or before ``now``, within the last day."""
        at = self.trigger.get_next_fire_time(None, now - DAY + SECOND)
        return at if at is not None and at <= now else None


async def run_once(store: Store, job: Daily, slot: datetime) -> bool:
    """Do ``job`` for ``slot`` unless somebody has: the tick and the work are one transaction.

    An installation's first look only notes the tick: yesterday's digest is not news.
    """
    async with store.read() as tx:
        last = await tx.ticks.last(job.name)
    if last is not None and last >= slot:
        return False
    act = await job.prepare(store, slot) if last is not None else _nothing
    async with store.begin() as tx:
        if not await tx.ticks.first(job.name, slot):
            return False
        await act(tx)
        await tx.ticks.forget(job.name, slot - 30 * DAY)
    return last is not None


async def _nothing(tx: Tx) -> None:
    return


async def _calendar(store: Store, slot: datetime) -> Act:
    return clocks.warn_of_year


async def _forget(store: Store, slot: datetime) -> Act:
    return sweeps.forget


def daily_jobs(store: Store) -> Sequence[Daily]:
    zone, at = store.rules.zone, store.rules.digest_at
    return (
        Daily(
            "digest", CronTrigger(hour=at.hour, minute=at.minute, timezone=zone), prepare_digest
        ),
        Daily("learn", CronTrigger(hour=2, minute=30, timezone=zone), prepare_learning),
        Daily("calendar", CronTrigger(hour=9, minute=30, timezone=zone), _calendar),
        Daily("forget", CronTrigger(hour=3, minute=30, timezone=zone), _forget),
    )


async def _retimes(tx: Tx) -> bool:
    stands = await tx.clocks.standing()
    return stands is not None and stands.done is not None


@dataclass
class Clockwork:
    """Everything that happens without being asked. ``wake``: tell the relay."""

    store: Store
    wake: Callable[[], None]
    jobs: Sequence[Daily] = field(default_factory=tuple)
    _watched: bool = False
    _done: dict[str, datetime] = field(default_factory=dict, repr=False)
    _one: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    def __post_init__(self) -> None:
        self.jobs = self.jobs or daily_jobs(self.store)

    async def beat(self) -> None:
        """One look at the clock, one at a time. A job that fails is tried again at the next."""
        async with self._one:
            await self._tried("sweeps", self._sweeps())
            for job in self.jobs:
                await self._tried(job.name, self._daily(job))

    async def _tried(self, name: str, work: Awaitable[None]) -> None:
        """One that fails keeps no other from being done."""
        try:
            await work
        except Exception:
            log.exception("a job failed", job=name)

    async def _sweeps(self) -> None:
        """Most beats find nothing to do, and ask that in one go."""
        if self._watched and not await self._anything_due():
            return
        for sweep in (self._clocks, self._sweep, self._journeys, self._cool):
            await self._tried(sweep.__name__.lstrip("_"), sweep())

    async def _anything_due(self) -> bool:
        async with self.store.read() as tx:
            return bool(
                await tx.leads.due(tx.now, 1)
                or await tx.reminders.due(tx.now, 1)
                or await tx.journeys.due(tx.now, 1)
                or await tx.leads.cooling(tx.now, 1)
                or await _retimes(tx)
            )

    async def rest(self) -> None:
        """Until the beat that is under way is over."""
        async with self._one:
            return

    async def _clocks(self) -> None:
        """What a change of the rules moves, bit by bit; whether there is one is asked once."""
        if not self._watched:
            async with self.store.begin() as tx:
                await clocks.watch(tx)
            self._watched = True
        while await self._retime():
            async with self.store.begin() as tx:
                more = await clocks.go_on(tx)
            self.wake()
            if not more:
                break

    async def _retime(self) -> bool:
        async with self.store.read() as tx:
            return await _retimes(tx)

    async def _sweep(self) -> None:
        for step, most in ((sweeps.deadlines, sweeps.LEADS), (sweeps.reminders, sweeps.BATCH)):
            while await self._any_due():
                async with self.store.begin() as tx:
                    done = await step(tx)
                self.wake()
                if done < most:
                    break

    async def _any_due(self) -> bool:
        async with self.store.read() as tx:
            return bool(await tx.leads.due(tx.now, 1) or await tx.reminders.due(tx.now, 1))

    async def _journeys(self) -> None:
        """Each journey in its own transaction: one person's trouble is not everybody's."""
        while True:
            async with self.store.read() as tx:
                if not await tx.journeys.due(tx.now, 1):
                    return
            async with self.store.begin() as tx:
                for journey in await tx.journeys.due(tx.now, 1):
                    await advance(tx, journey)
            self.wake()

    async def _cool(self) -> None:
        """What prospects did grows old: their scores are derived again, many at a time."""
        while True:
            async with self.store.read() as tx:
                if not await tx.leads.cooling(tx.now, 1):
                    return
            async with self.store.begin() as tx:
                if await cool(tx) < COOLED:
                    return

    async def _daily(self, job: Daily) -> None:
        slot = job.slot(self.store.clock())
        if slot is None or self._done.get(job.name) == slot:
            return
        if await run_once(self.store, job, slot):
            log.info("job done", job=job.name, slot=slot.isoformat())
            self.wake()
        self._done[job.name] = slot

    def start(self) -> AsyncIOScheduler:
        """The metronome itself; ``shutdown()`` it."""
        scheduler = AsyncIOScheduler(
            timezone=self.store.rules.zone,
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        scheduler.add_job(self.beat, "interval", seconds=BEAT, id="beat")
        scheduler.start()
        return scheduler
