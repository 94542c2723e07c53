"""What all processes of an installation have in common: the tokens, and who may connect."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol
from uuid import uuid4

from store.db import Store
from store.domain.errors import Later
from store.tokens import Token

Fetch = Callable[[], Awaitable[Token]]

FETCHING = timedelta(seconds=30)  # a call takes 20 at most; whoever dies meanwhile loses the turn
LOOK = 0.05  # seconds between two looks at what another process is fetching
CONNECTED = timedelta(seconds=30)  # how long a connection stays a dead process's


class Tokens(Protocol):
    async def get(self, key: str, refused: str, fetch: Fetch) -> Token:
        """The token of ``key`` that is not ``refused``. Raises what ``fetch`` raises."""


class OwnTokens:
    """For a program that runs alone."""

    async def get(self, key: str, refused: str, fetch: Fetch) -> Token:
        return await fetch()


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
            token = await fetch()
        finally:
            async with self.store.begin() as tx:
                if token is not None:
                    await tx.tokens.keep(key, token)
                await tx.leases.drop(_turn(key), turn)
        return token


def _turn(key: str) -> str:
    return f"token:{key}"


class Claim(Protocol):
    """The right to be the one process that is connected."""

    async def take(self) -> bool:
        """Take or renew it; False while another process has it."""

    async def drop(self) -> None:
        """Let another process have it now."""


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
