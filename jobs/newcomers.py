"""Contacts whose callback never came are leads, too: WeCom is asked at start and every hour."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from handlers.contacts import Met, meet
from store.db import Store
from store.domain.errors import Later, Stale, Undeliverable

log = structlog.get_logger()
JOB = "newcomers"
LOOK = 60.0
"""Seconds between looks whether it is time."""
EVERY = timedelta(hours=1)
MARGIN = timedelta(minutes=10)
"""The clocks of WeCom and ours may differ; who is known is not met again."""
KEEP = timedelta(days=30)
TRIES = 5


class Asked(Protocol):
    async def since(self, userids: Sequence[str], at: datetime) -> Sequence[Met]:
        """The contacts these members have made since ``at``. Raises Later or Undeliverable."""


@dataclass
class CatchUp:
    """Whoever was a contact before the first look is no news.

    Who has never met a customer in WeCom may have no right to ask.
    """

    store: Store
    platform: Asked
    wake: Callable[[], None]
    _next: datetime | None = None
    _over: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Until stopped."""
        while not self._over.is_set():
            if self._next is None or self.store.clock() >= self._next:
                await self._look()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), LOOK)

    def stop(self) -> None:
        """After what is under way."""
        self._over.set()

    async def _look(self) -> None:
        self._next = self.store.clock() + EVERY
        try:
            await self.step()
        except (Later, Undeliverable) as error:
            log.warning("newcomers not read", why=str(error))
        except Exception:
            log.exception("newcomers failed")

    async def step(self) -> int:
        """How many nobody had told us of. Raises Later or Undeliverable, and asks for the same again."""
        now = self.store.clock().replace(microsecond=0)
        async with self.store.read() as tx:
            last = await tx.ticks.last(JOB) if await tx.contacts.in_use() else None
            userids = [member.wecom for member in await tx.members.active() if member.wecom]
        found: Sequence[Met] = ()
        if last is not None and userids:
            found = await self.platform.since(userids, last - MARGIN)
        new = [await self._meet(met) for met in found]
        async with self.store.begin() as tx:
            await tx.ticks.first(JOB, now)
            await tx.ticks.forget(JOB, now - KEEP)
        if any(new):
            log.warning("contacts that no callback told of", count=sum(new))
            self.wake()
        return sum(new)

    async def _meet(self, met: Met) -> bool:
        for _ in range(TRIES):
            with suppress(Stale):
                async with self.store.begin() as tx:
                    return await meet(tx, met)
        return False
