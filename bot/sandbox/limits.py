"""What a platform counts: how long a token lives, how often a robot may speak."""

from collections import deque
from datetime import datetime, timedelta
from secrets import token_urlsafe

from bot.sandbox.state import Clock

TWO_HOURS = timedelta(hours=2)
MINUTE = timedelta(minutes=1)


class Tokens:
    """One access token at a time; asking again within its life gives the same one."""

    def __init__(self, clock: Clock, life: timedelta = TWO_HOURS) -> None:
        self._clock = clock
        self._life = life
        self._current = ""
        self._until: datetime | None = None

    @property
    def life(self) -> int:
        """Seconds."""
        return int(self._life.total_seconds())

    def issue(self) -> str:
        if not self.alive(self._current):
            self._current = token_urlsafe(48)
            self._until = self._clock() + self._life
        return self._current

    def known(self, token: str) -> bool:
        return bool(token) and token == self._current

    def alive(self, token: str) -> bool:
        return self.known(token) and self._until is not None and self._clock() < self._until

    def forget(self) -> None:
        """The platform may take a token back at any time."""
        self._current = ""

    def expire(self) -> None:
        """It was good until now; the platform still knows it."""
        self._until = self._clock()


class PerMinute:
    """Lets ``most`` through in a minute, or another ``span``."""

    def __init__(self, clock: Clock, most: int, span: timedelta = MINUTE) -> None:
        self._clock = clock
        self._most = most
        self._span = span
        self._seen: deque[datetime] = deque()

    def take(self) -> bool:
        now = self._clock()
        while self._seen and now - self._seen[0] >= self._span:
            self._seen.popleft()
        if len(self._seen) >= self._most:
            return False
        self._seen.append(now)
        return True


def cut(text: str, most: int) -> str:
    """At most ``most`` bytes of UTF-8, no half characters."""
    return text.encode(errors="replace")[:most].decode("utf-8", "ignore")


def size(text: str) -> int:
    """Bytes of UTF-8."""
    return len(text.encode(errors="replace"))
