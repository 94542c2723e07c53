"""
How much the AI bot may say in one conversation: 30 a minute and 1,000 an hour (D:101463).

Counted in the database, because another process may hold the connection next.
"""

from dataclasses import dataclass
from typing import Protocol

from store.db import Store
from store.domain.quota import Api

BOT = (Api.AIBOT_MINUTE, Api.AIBOT_HOUR)
LONGEST = 128
"""Characters of a conversation's id that are counted under."""


class Room(Protocol):
    async def take(self, conversation: str, *, must: bool = False) -> float:
        """Seconds until one more message has room there; 0: it is counted and goes now.

        ``must``: it cannot wait, so it only is counted.
        """


class NoLimit:
    """For a program that counts nothing."""

    async def take(self, conversation: str, *, must: bool = False) -> float:
        return 0.0


@dataclass(frozen=True, slots=True)
class SharedRoom:
    store: Store

    async def take(self, conversation: str, *, must: bool = False) -> float:
        lines = [(api, conversation[:LONGEST]) for api in BOT]
        async with self.store.begin() as tx:
            await tx.lock("pace")
            used = await tx.quota.used(lines)
            wait = max(one.room_at(tx.now) for one in used.values()) - tx.now
            if wait and not must:
                return wait.total_seconds()
            await tx.quota.add(dict.fromkeys(lines, 1))
            return 0.0
