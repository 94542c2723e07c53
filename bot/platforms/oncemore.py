"""A second try a moment later, for what nobody else tries again."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from store.domain.errors import Later

SOON = timedelta(seconds=5)
PAUSE = 1.0  # seconds; DingTalk counts calls by the second


async def once_more(call: Callable[[], Awaitable[object]]) -> None:
    """``call``, and again when the platform cannot take it now but may in a moment.

    Raises what the last try raises.
    """
    try:
        await call()
    except Later as later:
        if (later.after or SOON) > SOON:
            raise
    else:
        return
    await asyncio.sleep(PAUSE)
    await call()
