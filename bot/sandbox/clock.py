"""The demo's clock: runs like the real one, or faster, and can be moved forward."""

from datetime import UTC, datetime, timedelta


class MovableClock:
    """Calling it gives now: aware, UTC, never going back."""

    def __init__(self, speed: float = 1.0, start: datetime | None = None) -> None:
        """``speed``: seconds of the demo in one real second. Raises ValueError unless positive.

        ``start``: what the clock shows first, aware; the real time when it is left out.
        """
        if speed <= 0:
            raise ValueError("a clock runs forward: speed must be above 0")
        self.speed = speed
        self._began = datetime.now(UTC)
        self._start = (start or self._began).astimezone(UTC)
        self._offset = timedelta()

    def __call__(self) -> datetime:
        return self._start + (datetime.now(UTC) - self._began) * self.speed + self._offset

    def forward(self, span: timedelta) -> None:
        """Let ``span`` have passed. Raises ValueError for a negative one."""
        if span < timedelta():
            raise ValueError("a clock runs forward")
        self._offset += span
