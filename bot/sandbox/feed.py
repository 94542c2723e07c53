"""Who is watching hears of every change, in order."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

BACKLOG = 2000  # changes a watcher may lag behind before it has to start over

Change = tuple[str, dict[str, Any]]


class Feed:
    def __init__(self) -> None:
        self._watchers: set[asyncio.Queue[Change | None]] = set()

    def publish(self, kind: str, data: dict[str, Any]) -> None:
        for queue in self._watchers:
            if queue.full():
                _hang_up(queue)
            else:
                queue.put_nowait((kind, data))

    @contextmanager
    def watch(self) -> Iterator[asyncio.Queue[Change | None]]:
        """A queue of changes; None in it means: hang up, and ask for everything again."""
        queue: asyncio.Queue[Change | None] = asyncio.Queue(BACKLOG)
        self._watchers.add(queue)
        try:
            yield queue
        finally:
            self._watchers.discard(queue)

    def close(self) -> None:
        for queue in self._watchers:
            _hang_up(queue)


def _hang_up(queue: asyncio.Queue[Change | None]) -> None:
    while not queue.empty():
        queue.get_nowait()
    queue.put_nowait(None)
