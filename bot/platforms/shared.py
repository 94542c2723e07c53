"""What all processes have in common: the tokens, what is held back, and who may connect."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from uuid import uuid4

from store.connections import State
from store.db import Store, Tx
from store.domain.errors import Down, Held, Later
from store.quota import Hold
from store.tokens import Token

Fetch = Callable[[], Awaitable[Token]]

FETCH = 5.0
"""Seconds a fetch may take: a welcome has 20 in all (D:92137), so one that hangs is tried again."""
FETCHING = timedelta(seconds=FETCH + 2)  # and the writing down; who dies meanwhile loses the turn
LOOK = 0.05  # seconds between two looks at what another process is fetching
CONNECTED = timedelta(seconds=30)  # how long a connection stays a dead process's


class Tokens(Protocol):
    async def get(self, key: str, refused: str, fetch: Fetch) -> Token:
        """The token of ``key`` that is not ``refused``. Raises what ``fetch`` raises."""


class OwnTokens:
    """For a program that runs alone."""

    async def get(self, key: str, refused: str, fetch: Fetch) -> Token:
        return await _in_time(fetch)


async def _in_time(fetch: Fetch) -> Token:
    """Raises what ``fetch`` raises, Later after ``FETCH`` seconds: nobody has been asked for more."""
    try:
        async with asyncio.timeout(FETCH):
            return await fetch()
    except TimeoutError:
        raise Down("a token: TimeoutError") from None


@dataclass(frozen=True, slots=True)
class SharedTokens:
    """Kept in the database: of all processes one fetches, the others find it there."""

    store: Store

    async def get(self, key: str, refused: str, fetch: Fetch) -> Token:
        """As Tokens says; Later when another process fetches and does not come to an end."""
        clock, turn = asyncio.get_running_loop().time, uuid4().hex
        late = clock() + FETCHING.total_seconds()
        while clock() < late:
            token, mine = await self._look(key, refused, turn)
            if token is not None:
                return token
            if mine:
                return await self._fetch(key, turn, fetch)
            await asyncio.sleep(LOOK)
        raise Later("another process has been asking for a token for too long")

    async def _look(self, key: str, refused: str, turn: str) -> tuple[Token | None, bool]:
        """A good token, or whether it is our turn to fetch one."""
        async with self.store.begin() as tx:
            # In this order: whoever had the turn before us has left the token there.
            mine = await tx.leases.take(_turn(key), turn, FETCHING)
            token = await tx.tokens.find(key)
            if token is None or token.value == refused:
                return None, mine
            await tx.leases.drop(_turn(key), turn)
            return token, False

    async def _fetch(self, key: str, turn: str, fetch: Fetch) -> Token:
        token = None
        try:
            token = await _in_time(fetch)
        finally:
            async with self.store.begin() as tx:
                if token is not None:
                    await tx.tokens.keep(key, token)
                await tx.leases.drop(_turn(key), turn)
        return token


def _turn(key: str) -> str:
    return f"token:{key}"


PROBING = timedelta(seconds=30)  # a call takes 20 at most
LOOK_AGAIN = timedelta(seconds=5)
"""How soon those look again who wait for the one call that shows whether a hold is over."""


class Holds(Protocol):
    """Which calls a platform does not want for a while, by key."""

    def entered(self, *keys: str) -> AbstractAsyncContextManager[None]:
        """Around a call of all these kinds.

        Raises Held while one of them is held. When a hold has run out, one call goes
        ahead and the others wait: that it is not Later releases it.
        """

    async def hold(self, key: str, first: timedelta, most: timedelta) -> timedelta:
        """How long nobody calls that any more: ``first``, twice as long each further time."""

    async def release(self, key: str) -> None:
        """Whoever wants may call that again."""


@dataclass(slots=True)
class OwnHolds:
    """For a program that runs alone."""

    clock: Callable[[], datetime]
    _held: dict[str, Hold] = field(default_factory=dict)

    @asynccontextmanager
    async def entered(self, *keys: str) -> AsyncIterator[None]:
        now = self.clock()
        for key in keys:
            if key in self._held and self._held[key].until > now:
                raise held(key, self._held[key].until - now)
        try:
            yield
        except (Later, asyncio.CancelledError):
            raise
        except Exception:
            self._release(keys)
            raise
        self._release(keys)

    def _release(self, keys: Sequence[str]) -> None:
        for key in keys:
            self._held.pop(key, None)

    async def hold(self, key: str, first: timedelta, most: timedelta) -> timedelta:
        last, now = self._held.get(key), self.clock()
        if last is not None and last.until > now:
            return last.until - now
        times = last.times + 1 if last is not None else 0
        span = min(first * float(2 ** min(times, 20)), most)
        self._held[key] = Hold(now + span, times)
        return span

    async def release(self, key: str) -> None:
        self._release([key])


@dataclass(frozen=True, slots=True)
class SharedHolds:
    """Kept in the ledger: what one process is told, all of them heed."""

    store: Store

    @asynccontextmanager
    async def entered(self, *keys: str) -> AsyncIterator[None]:
        turn = uuid4().hex
        probed = await self._enter(keys, turn)
        try:
            yield
        except (Later, asyncio.CancelledError):
            await self._leave(probed, turn, over=False)
            raise
        except Exception:
            await self._leave(probed, turn, over=True)
            raise
        await self._leave(probed, turn, over=True)

    async def _enter(self, keys: Sequence[str], turn: str) -> Sequence[str]:
        """Those of ``keys`` whose hold has run out, and which are ours to try."""
        async with self.store.read() as tx:
            if not _run_out(tx, await tx.quota.holds(keys)):
                return ()
        async with self.store.begin() as tx:
            run_out = _run_out(tx, await tx.quota.holds(keys))
            for key in run_out:
                if not await tx.leases.take(_probe(key), turn, PROBING):
                    raise held(key, LOOK_AGAIN)
            # Whoever had the turn before us may have been refused between our two looks.
            return _run_out(tx, await tx.quota.holds(keys))

    async def _leave(self, keys: Sequence[str], turn: str, *, over: bool) -> None:
        if not keys:
            return
        async with self.store.begin() as tx:
            if over:
                await tx.quota.release(keys)
            for key in keys:
                await tx.leases.drop(_probe(key), turn)

    async def hold(self, key: str, first: timedelta, most: timedelta) -> timedelta:
        async with self.store.begin() as tx:
            return await tx.quota.hold(key, first, most)

    async def release(self, key: str) -> None:
        async with self.store.begin() as tx:
            await tx.quota.release([key])


def _run_out(tx: Tx, holds: Mapping[str, Hold]) -> Sequence[str]:
    """Those whose hold has run out and is not released. Raises Held for one that has not."""
    for key, hold in holds.items():
        if hold.until > tx.now:
            raise held(key, hold.until - tx.now)
    return sorted(holds)


def held(key: str, after: timedelta) -> Held:
    return Held(f"{key.rpartition(':')[2]} is held back", after)


def _probe(key: str) -> str:
    return f"probe:{key}"[:100]


class Claim(Protocol):
    """The right to be the one process that is connected."""

    async def take(self) -> bool:
        """Take or renew it; False while another process has it."""

    async def drop(self) -> None:
        """Let another process have it now."""

    async def note(self, state: State) -> bool:
        """Renew it and write down how the connection is; False, and nothing, if it is not ours."""

    async def state(self) -> State | None:
        """How it was last, whoever had it; None: nobody has ever had it."""

    async def anew(self) -> None:
        """Whoever was kicked may connect again."""


class SharedClaim:
    """A lease in the database; a process that dies loses it after ``CONNECTED``."""

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._name = name
        self._holder = uuid4().hex

    async def take(self) -> bool:
        async with self._store.begin() as tx:
            return await tx.leases.take(self._name, self._holder, CONNECTED)

    async def drop(self) -> None:
        async with self._store.begin() as tx:
            await tx.leases.drop(self._name, self._holder)

    async def note(self, state: State) -> bool:
        async with self._store.begin() as tx:
            ours = await tx.leases.take(self._name, self._holder, CONNECTED)
            if ours:
                await tx.connections.note(self._name, state)
            return ours

    async def state(self) -> State | None:
        async with self._store.read() as tx:
            found = await tx.connections.find(self._name)
            return found.state if found else None

    async def anew(self) -> None:
        async with self._store.begin() as tx:
            await tx.connections.again()
