"""The demo's clock: runs like the real one, or faster, and can be moved forward."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

SQLITE = "sqlite+aiosqlite:///"


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

    def keep(self, file: Path) -> None:
        """Write down how this clock runs, for whoever else works on the demo's data."""
        kept = {"shows": self().isoformat(), "at": datetime.now(UTC).isoformat()}
        file.write_text(json.dumps(kept | {"speed": self.speed}), encoding="utf-8")

    def forward(self, span: timedelta) -> None:
        """Let ``span`` have passed. Raises ValueError for a negative one."""
        if span < timedelta():
            raise ValueError("a clock runs forward")
        self._offset += span


def beside(url: str) -> Path | None:
    """Where the clock of a demo is kept: beside its SQLite database."""
    return Path(url.removeprefix(SQLITE)).with_suffix(".clock") if url.startswith(SQLITE) else None


def kept(url: str, speed: float | None = None) -> MovableClock | None:
    """The clock a demo on the database ``url`` runs on, or ran on; None: no demo ever did."""
    file = beside(url)
    if file is None or not file.exists():
        return None
    values = json.loads(file.read_text(encoding="utf-8"))
    since = datetime.now(UTC) - datetime.fromisoformat(values["at"])
    start = datetime.fromisoformat(values["shows"]) + since * values["speed"]
    return MovableClock(speed or values["speed"], start)
