"""What the clients spend between two writes: counted in memory, written once a second."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog

from handlers.quota import tell_if_tight
from store.db import Store, Tx
from store.domain.quota import Api
from store.quota import Line

log = structlog.get_logger()
PAUSE = 1.0  # seconds; what a process that is killed loses of a month's count


@dataclass(slots=True)
class Tally:
    store: Store
    _spent: Counter[Line] = field(default_factory=Counter)

    def add(self, api: Api, account: str = "") -> None:
        """One more call of ``api`` was made; ``account``: whose it is, of a limit each has."""
        self._spent[api, account] += 1

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Tx]:
        """A transaction that puts what has come together into the ledger, if it comes to its end."""
        spent, self._spent = self._spent, Counter()
        try:
            async with self.store.begin() as tx:
                await tx.quota.add(spent)
                yield tx
        except BaseException:
            self._spent.update(spent)
            raise

    async def run(self) -> None:
        """Until cancelled, and once more then."""
        try:
            while True:
                await asyncio.sleep(PAUSE)
                await self._flush()
        finally:
            await asyncio.shield(self._flush())

    async def _flush(self) -> None:
        if not self._spent:
            return
        try:
            async with self.begin() as tx:
                await tell_if_tight(tx)
        except Exception:
            log.exception("the ledger could not be written")
