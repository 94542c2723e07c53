"""What every HTTP API does when it is not well: errors of the server, silence, lost answers."""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from bot.sandbox.faults import Faults

SLOW_SECONDS = 3.0
STILL_HANGING = 0.05  # seconds between two looks whether the fault is over
PAGE = (
    "<!DOCTYPE html><html><head><title>405</title></head>"
    "<body><h1>405</h1><p>很抱歉，由于您访问的URL有可能对网站造成安全威胁，您的访问被阻断。</p></body></html>"
)
STATUSES = {"http500": 500, "http503": 503, "http504": 504}

Refuse = Callable[[web.Request], web.StreamResponse | None]


def web_page(status: int = 405) -> web.Response:
    """What a firewall answers in the API's place."""
    return web.Response(text=PAGE, status=status, content_type="text/html")


def troubled(faults: Faults, platform: str, refuse: Refuse) -> Middleware:
    """Counts what is asked and lets the faults of ``platform`` happen; ``refuse``: its own."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        faults.asked[platform] += 1
        for name, status in STATUSES.items():
            if faults.take(platform, name):
                return web.Response(text="<html>upstream</html>", status=status)
        return refuse(request) or await _carried_out(faults, platform, request, handler)

    return middleware


async def _carried_out(
    faults: Faults, platform: str, request: web.Request, handler: Handler
) -> web.StreamResponse:
    if faults.take(platform, "hang"):
        await _hang(faults, platform, request)
        return web.Response(status=504)
    if faults.take(platform, "slow"):
        await asyncio.sleep(SLOW_SECONDS)
    response = await handler(request)
    if faults.take(platform, "lost"):
        _cut(request)
    return response


async def _hang(faults: Faults, platform: str, request: web.Request) -> None:
    """Until who asked has given up, or somebody ends the fault."""
    await request.read()  # the log shows what was asked, and soon nobody is there to read from
    for_good = not faults.is_on(platform, "hang")  # this was the last time it happens
    while request.transport is not None and not request.transport.is_closing():
        await asyncio.sleep(STILL_HANGING)
        if not for_good and not faults.is_on(platform, "hang"):
            return


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.close()


class Swap:
    """Lets the second of two go first."""

    patience: float = 2.0
    """Real seconds the first one waits for a second."""

    def __init__(self) -> None:
        self._waiting: asyncio.Event | None = None

    async def through(self, carry: Callable[[], Awaitable[None]]) -> None:
        """Carry it: the first after the next one is through, the next one at once."""
        first, self._waiting = self._waiting, None
        if first is None:
            await self._wait()
        await carry()
        if first is not None:
            first.set()

    async def _wait(self) -> None:
        mine = self._waiting = asyncio.Event()
        try:
            async with asyncio.timeout(self.patience):
                await mine.wait()
        except TimeoutError:
            self._waiting = None if self._waiting is mine else self._waiting
