"""Requests that arrive together share one transaction."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from handlers.capture import Captured, capture
from store.db import Store
from store.domain.errors import LeadbotError, Stale
from store.domain.newlead import NewLead

log = structlog.get_logger()
MOST = 200
"""Leads of one transaction: enough to be fast, few enough that nobody waits long for the commit."""
WAITING = 2000
TRIES = 5


class Busy(LeadbotError):
    """More is waiting than will be stored soon: the caller should come back."""


@dataclass(slots=True)
class Gatherer:
    """Takes what is waiting, never waits for more. One task works, all others hand over."""

    store: Store
    _waiting: list[tuple[NewLead, asyncio.Future[Captured]]] = field(default_factory=list)
    _task: asyncio.Task[None] | None = None

    async def take(self, new: NewLead) -> Captured:
        """Returns once ``new`` is stored for good. Raises Busy."""
        if len(self._waiting) >= WAITING:
            raise Busy("too many leads at once")
        future: asyncio.Future[Captured] = asyncio.get_running_loop().create_future()
        self._waiting.append((new, future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work(), name="gather")
        return await asyncio.shield(future)

    async def close(self) -> None:
        if self._task is not None:
            with suppress(Exception):
                await self._task

    async def _work(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            try:
                taken = await take_together(self.store, [new for new, _ in batch])
            except Exception:
                log.exception("a batch of leads failed, each goes alone", size=len(batch))
                await self._alone(batch)
            else:
                for (_, future), captured in zip(batch, taken, strict=True):
                    future.set_result(captured)

    async def _alone(self, batch: Sequence[tuple[NewLead, asyncio.Future[Captured]]]) -> None:
        for new, future in batch:
            try:
                [captured] = await take_together(self.store, [new])
            except Exception as error:
                log.exception("a lead could not be stored", source=new.source)
                future.set_exception(error)
            else:
                future.set_result(captured)


async def take_together(store: Store, news: Sequence[NewLead]) -> Sequence[Captured]:
    """Capture ``news`` in one transaction, again if somebody was faster."""
    for _ in range(TRIES):
        with suppress(Stale):
            async with store.begin() as tx:
                return await capture(tx, news)
    raise Busy("too many changes at once")
