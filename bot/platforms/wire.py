"""What every connection that is kept open needs: patience between tries, and tasks that are kept."""

import asyncio
import random
from collections import OrderedDict
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")
REMEMBERED = 10_000  # message ids; a redelivery comes within a minute or two


def back_off(failures: int, first: float, most: float) -> float:
    """Seconds before the next try: doubling, and spread so that not all come back at once."""
    if not failures:
        return 0.0
    longest: float = min(most, first * 2.0 ** min(failures - 1, 16))
    return longest * random.uniform(0.5, 1)  # noqa: S311 -- spreads load, guards nothing


class Seen:
    """The newest ids, so that what comes again across connections is taken once."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._ids: OrderedDict[str, None] = OrderedDict()

    def is_new(self, id_: str) -> bool:
        if id_ in self._ids:
            return False
        self._ids[id_] = None
        if len(self._ids) > self._most:
            self._ids.popitem(last=False)
        return True

    def forget(self, id_: str) -> None:
        """It was not handled after all: a redelivery gets another chance."""
        self._ids.pop(id_, None)


def own(tasks: set[asyncio.Task[None]], task: asyncio.Task[None]) -> None:
    """Keep a reference: the loop's own is weak, and a task without one can vanish."""
    tasks.add(task)
    task.add_done_callback(tasks.discard)


async def settle(tasks: set[asyncio.Task[None]], seconds: float) -> set[asyncio.Task[None]]:
    """Wait for the tasks; those still running after ``seconds``."""
    if not tasks:
        return set()
    return (await asyncio.wait(tasks, timeout=seconds))[1]


async def finish(tasks: set[asyncio.Task[None]], seconds: float) -> None:
    """Let the tasks come to an end; what is not over after ``seconds`` is cancelled."""
    unfinished = await settle(tasks, seconds)
    for task in unfinished:
        task.cancel()
    await settle(unfinished, seconds)


async def uncut(work: Awaitable[T]) -> T:
    """``work`` comes to its end also when we are cancelled: half a statement costs a connection."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
