"""Telling an admin what only they can mend, from where there is no message to say it with."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from store.domain.errors import Alarm


async def _unheard(_what: Alarm | str) -> None:
    """For a program with nobody to tell."""


@dataclass(frozen=True, slots=True)
class Bell:
    """``sound``: something has to be mended. ``over``: what has keys with this prefix works again."""

    sound: Callable[[Alarm], Awaitable[None]] = _unheard
    over: Callable[[str], Awaitable[None]] = _unheard
