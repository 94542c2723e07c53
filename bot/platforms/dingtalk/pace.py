"""How fast DingTalk may be called: 20 times a second for each API (D:how-to-process-api-throttling-…)."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import uuid4

from bot.platforms.dingtalk.answers import BANNED
from store.db import Store
from store.leases import Leases

PER_SECOND = 20  # calls of one API by one app
WINDOW = 1.1  # seconds; calls sent a second apart may arrive closer together
BLOCKS, EACH = 4, 5  # all processes share so many blocks, of so many calls
PROMPT = 0.2  # seconds in which the calls of a block begin, or are forfeited
HELD = timedelta(seconds=WINDOW + PROMPT)
LOOK = 0.05  # seconds between two looks for a free block
SHARED_ID = "/v1.0/todo/"  # its paths hold ids; the API is the same for all of them


class Gate(Protocol):
    async def enter(self, path: str) -> None:
        """Wait until ``path`` may be called; whoever came first goes first."""


def api_of(path: str) -> str:
    """Which API a path belongs to."""
    return SHARED_ID if path.startswith(SHARED_ID) else path.partition("?")[0]


@dataclass(slots=True)
class Window:
    """The calls of the last second, so that no API sees more than ``most`` of them."""

    most: int = PER_SECOND
    calls: deque[tuple[float, str]] = field(default_factory=deque)

    async def enter(self, path: str) -> None:
        api, now = api_of(path), asyncio.get_running_loop().time()
        at = max(now, self._free(api, now))
        self.calls.append((at, api))
        await asyncio.sleep(at - now)

    def _free(self, api: str, now: float) -> float:
        while self.calls and self.calls[0][0] <= now - WINDOW:
            self.calls.popleft()
        same = [at for at, called in self.calls if called == api]
        return same[-self.most] + WINDOW if len(same) >= self.most else now


@dataclass(slots=True)
class Block:
    """What is left of a block, and until when (the loop's time)."""

    left: int = 0
    until: float = 0.0


@dataclass(slots=True)
class SharedWindow:
    """The same for all processes of an installation: they hand each other blocks of calls."""

    store: Store
    _locks: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    _blocks: dict[str, Block] = field(default_factory=lambda: defaultdict(Block))

    async def enter(self, path: str) -> None:
        api, clock = api_of(path), asyncio.get_running_loop().time
        async with self._locks[api]:
            block = self._blocks[api]
            while not block.left or clock() > block.until:
                if await self._take(api):
                    block.left, block.until = EACH, clock() + PROMPT
                else:
                    await asyncio.sleep(LOOK)
            block.left -= 1

    async def _take(self, api: str) -> bool:
        """A block nobody has used for a second. A new holder each time: none is prolonged."""
        async with self.store.begin() as tx:
            # DingTalk counts real seconds, whatever the time is where we work.
            leases = Leases(tx.conn, datetime.now(UTC))
            for number in range(BLOCKS):
                if await leases.take(f"dingtalk:{number}:{api}"[:100], uuid4().hex, HELD):
                    return True
        return False


class Firewall:
    """Whether DingTalk's firewall has banned this address: each further call would prolong it."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._until: datetime | None = None

    def met(self) -> None:
        """Its page came instead of an answer: leave everything alone for five minutes (row 17)."""
        self._until = self._clock() + BANNED

    @property
    def left(self) -> timedelta:
        """How long to wait; zero where there is no ban."""
        return max(self._until - self._clock(), timedelta(0)) if self._until else timedelta(0)
