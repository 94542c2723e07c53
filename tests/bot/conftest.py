import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import select

from bot.app import Service, create_app, open_service
from bot.config import Settings, parse
from bot.demo import reserved_port
from store import tables as t
from tests.conftest import team

KEY = "a-long-random-key"


@dataclass
class Web:
    """The running product, and a client that talks to it over a socket."""

    service: Service
    client: TestClient

    async def post(self, lead: Any, key: str = KEY, **more: Any):
        """The status and the JSON of ``POST /api/leads``."""
        headers = {"Authorization": f"Bearer {key}"}
        async with self.client.post("/api/leads", json=lead, headers=headers, **more) as answer:
            return answer.status, await answer.json()

    async def send(self, body: bytes, **headers: str):
        """The same, byte for byte."""
        sent = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"} | headers
        async with self.client.post("/api/leads", data=body, headers=sent) as answer:
            return answer.status, await answer.json()

    async def get(self, path: str, key: str = KEY):
        headers = {"Authorization": f"Bearer {key}"}
        async with self.client.get(path, headers=headers) as answer:
            return answer.status, await answer.json()

    async def rows(self, table: Any) -> list[Any]:
        async with self.service.store.read() as tx:
            return list(await tx.conn.execute(select(table)))

    async def count(self, table: Any = t.leads) -> int:
        return len(await self.rows(table))

    async def payloads(self) -> list[dict[str, Any]]:
        """Everything that waits to be shown on somebody's phone."""
        return [row.payload for row in await self.rows(t.outbox)]


Start = Callable[[Settings], Awaitable[Web]]


@pytest.fixture
async def start(clock) -> AsyncIterator[Start]:
    async with AsyncExitStack() as stack:

        async def run(settings: Settings) -> Web:
            service = await stack.enter_async_context(open_service(settings, clock, role="web"))
            client = TestClient(TestServer(create_app(service)))
            await stack.enter_async_context(client)
            return Web(service, client)

        yield run


@pytest.fixture
def free_port() -> Iterator[int]:
    """Nobody listens there until the test does."""
    with reserved_port() as port:
        yield port


@pytest.fixture
def given() -> dict[str, Any]:
    """What a test module adds to the configuration."""
    return {}


def configured(url: str, **more: Any) -> Settings:
    api = {"keys": {"website": KEY, "partner": KEY[::-1]}}
    return parse(team(database={"url": url}, api=api) | more)


@pytest.fixture
async def web(database, start, given) -> Web:
    """On each of both databases."""
    return await start(configured(database, **given))


@pytest.fixture
def sqlite(sqlite_template: Path, tmp_path: Path) -> str:
    """The URL of an empty database; for what is the same on both."""
    path = tmp_path / "only.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite+aiosqlite:///{path}"


@pytest.fixture
async def lite(start, sqlite, given) -> Web:
    return await start(configured(sqlite, **given))
