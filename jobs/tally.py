"""What the clients spend between two writes: counted in memory, written once a second."""

import asyncio
from collections import Counter
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

    async def write(self, tx: Tx) -> None:
        """Put what has come together into the ledger, with whatever else ``tx`` does."""
        spent, self._spent = self._spent, Counter()
        await tx.quota.add(spent)

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
            async with self.store.begin() as tx:
                await self.write(tx)
                await tell_if_tight(tx)
        except Exception:
            log.exception("the ledger could not be written")
