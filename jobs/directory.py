"""The team follows the platforms' directories: at start, every night, and when something changed."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from apscheduler.triggers.cron import CronTrigger

from handlers.alarms import over, sound
from handlers.people import ask_directory, follow
from jobs.scheduler import Act, Daily
from store.db import Store, Tx
from store.domain.directory import Snapshot
from store.domain.errors import Alarm, Later, LeadbotError, Stale, Undeliverable
from store.domain.team import Platform

log = structlog.get_logger()
LOOK = 2.0
"""Seconds between looks for what other processes have asked for."""
AGAIN = timedelta(minutes=10)
"""After a reading that failed: an admin may have mended it by then."""
KEEP = timedelta(days=30)
TRIES = 5


class Reader(Protocol):
    """Reads one platform's directory; everything slow is in here."""

    @property
    def platform(self) -> Platform: ...

    async def read(self, known: Sequence[str]) -> Snapshot:
        """``known``: accounts that have access now. Raises Later or Undeliverable."""


@dataclass
class Following:
    """Asked for by a tick; the first process to see it reads, then one transaction applies it."""

    store: Store
    readers: Sequence[Reader]
    wake: Callable[[], None]
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _over: bool = False

    async def run(self) -> None:
        """Until stopped."""
        await self.ask()
        while not self._over:
            try:
                await self.step()
            except Exception:
                log.exception("following the directory failed")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), LOOK)
            self._woken.clear()

    def stop(self) -> None:
        """After what is under way."""
        self._over = True
        self._woken.set()

    async def ask(self) -> None:
        """Read every directory as soon as possible."""
        if self.readers:
            async with self.store.begin() as tx:
                await self._ask(tx)
        self._woken.set()

    async def _ask(self, tx: Tx) -> None:
        for reader in self.readers:
            await ask_directory(tx, reader.platform)

    async def step(self) -> None:
        """Read what was asked for since the last time."""
        for reader in self.readers:
            if await self._mine(reader.platform):
                await self._follow(reader)

    async def _mine(self, platform: Platform) -> bool:
        """Whether somebody asked, and this process is the one that does it."""
        async with self.store.read() as tx:
            asked = await tx.ticks.newest(f"directory:{platform}", tx.now)
            done = await tx.ticks.last(f"read:{platform}")
        if asked is None or (done is not None and done >= asked):
            return False
        async with self.store.begin() as tx:
            for job in (f"directory:{platform}", f"read:{platform}"):
                await tx.ticks.forget(job, asked - KEEP)
            return await tx.ticks.first(f"read:{platform}", asked)

    async def _follow(self, reader: Reader) -> None:
        async with self.store.read() as tx:
            known = await tx.members.accounts(reader.platform)
        try:
            snapshot = await reader.read(known)
            left = await self._apply(snapshot)
        except (Later, Undeliverable) as error:
            log.warning("directory not read", platform=reader.platform, why=str(error))
            await self._again(reader.platform, error.alarm)
        except Exception:
            await self._again(reader.platform)
            raise
        else:
            size = len(snapshot.people)
            log.info("directory read", platform=reader.platform, people=size, left=left)
            self.wake()

    async def _again(self, platform: Platform, alarm: Alarm | None = None) -> None:
        async with self.store.begin() as tx:
            if alarm is not None:
                await sound(tx, alarm)
            await ask_directory(tx, platform, tx.now + AGAIN)

    async def _apply(self, snapshot: Snapshot) -> int:
        for _ in range(TRIES):
            with suppress(Stale):
                async with self.store.begin() as tx:
                    if snapshot.alarm is None:
                        await over(tx, f"{snapshot.platform}_directory:")
                    else:
                        await sound(tx, snapshot.alarm)
                        await ask_directory(tx, snapshot.platform, tx.now + AGAIN)
                    return await follow(tx, snapshot)
        raise LeadbotError("too many changes at once")

    def nightly(self, store: Store) -> Daily:
        """Events get lost: once a night everything is compared."""

        async def prepare(store: Store, slot: datetime) -> Act:
            return self._ask

        trigger = CronTrigger(hour=4, minute=20, timezone=store.rules.zone)
        return Daily("directory", trigger, prepare)
