"""Whose turn it is to write, where only one can."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum
from heapq import heappop, heappush

PLACES = 500
"""Of those who wait already, how many let somebody go first who looks at a phone."""


class Hurry(Enum):
    PERSON = "person"  # looks at the phone and waits for the answer
    NORMAL = "normal"
    CROWD = "crowd"  # comes by the hundred: new contacts after a campaign


class Turns:
    """One at a time. Who came first goes first, but a person before everybody else.

    Nobody waits for ever: each is overtaken by so many later ones and no more.
    A crowd goes no later than others: with each contact a welcome of 20 seconds begins.
    """

    def __init__(self) -> None:
        self._taken = False
        self._came = 0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def take(self, hurry: Hurry = Hurry.NORMAL) -> AsyncIterator[None]:
        await self._wait(hurry)
        try:
            yield
        finally:
            self._hand_on()

    async def _wait(self, hurry: Hurry) -> None:
        self._came += 1
        if not self._taken:
            self._taken = True
            return
        turn = asyncio.get_running_loop().create_future()
        ahead = PLACES if hurry is Hurry.PERSON else 0
        heappush(self._waiting, (self._came - ahead, self._came, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it was ours already
                self._hand_on()
            raise

    def _hand_on(self) -> None:
        while self._waiting:
            *_, turn = heappop(self._waiting)
            if not turn.done():
                turn.set_result(None)
                return
        self._taken = False
