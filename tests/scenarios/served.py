"""The service as its own process, and both platforms in the test's, which outlive it."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from aiohttp import ClientError, ClientSession

from bot.demo import FORM, HOST, PEOPLE, TEAM, _toml, reserved_port
from bot.sandbox import demo as sandbox
from bot.sandbox.clock import MovableClock
from tests.scenarios.world import World

KEY = "a-key-for-the-website"
ROOT = Path(__file__).parents[2]


@dataclass(slots=True)
class Served:
    """A service that can be killed and started again on the same data."""

    world: World
    config: Path
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", "serve", "--config", str(self.config), cwd=ROOT,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        async with asyncio.timeout(120):
            while not await self._up():
                assert self.process.returncode is None, "the service ended by itself"
                await asyncio.sleep(0.1)

    async def _up(self) -> bool:
        try:
            async with self.world.http.get(f"{self.world.url}/readyz") as answer:
                return answer.status == 200
        except (ClientError, OSError):
            return False

    async def kill(self) -> None:
        """SIGKILL: no goodbye, no flush."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def open_served(data: Path, **more: Mapping) -> AsyncIterator[Served]:
    """Nothing runs yet: ``start()`` it. The clock is the real one, always working time."""
    with reserved_port() as port:
        async with _prepared(data, port, more) as served:
            yield served


@asynccontextmanager
async def _prepared(data: Path, port: int, more: Mapping[str, Mapping]) -> AsyncIterator[Served]:
    url = f"http://{HOST}:{port}"
    clock = MovableClock()
    stand_ins = await sandbox.start(url, clock, PEOPLE, _stay)
    config = data / "leadbot.toml"
    values = {
        "server": {"host": HOST, "port": port, "public_url": url},
        "database": {"url": f"sqlite+aiosqlite:///{data / 'leadbot.db'}"},
        "api": {"keys": {"website": KEY}},
        "limits": {"api_per_minute": 0},
        "calendar": {"always_open": True},
        **stand_ins.settings(),
        **more,
        "team": list(TEAM),
        "form": [FORM],
    }
    config.write_text("\n".join(_toml(values)), encoding="utf-8")
    async with ClientSession() as http:
        served = Served(World(url, KEY, stand_ins.state, http, clock, data), config)
        try:
            yield served
        finally:
            if served.process is not None:
                await served.kill()
            await stand_ins.close()


async def _stay(span: timedelta) -> None:
    raise AssertionError(f"the clock of a served product is the real one, not {span} ahead")
