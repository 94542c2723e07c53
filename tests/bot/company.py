"""The running product with both platforms played beside it, and what happens in the company."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from bot.app import Service, create_app, open_service
from bot.config import parse
from bot.demo import HOST, reserved_port
from bot.sandbox import demo
from bot.sandbox.dingtalk.stream import Pace
from bot.serve import listening
from store.domain.team import Member, Platform
from tests.bot.dingtalk.fakes import eventually

QUICK = Pace(ping=5, again=(0.05, 0.1), goodbye=0.05)


@dataclass(frozen=True)
class Person:
    name: str
    role: str = "rep"
    wecom: str = ""
    dingtalk: str = ""


PEOPLE = (
    Person("李雷", wecom="lilei"),
    Person("韩梅", wecom="hanmei"),
    Person("陈主管", "manager", wecom="chenzg"),
    Person("王强", dingtalk="wangqiang"),
    Person("赵敏", dingtalk="zhaomin"),
    Person("孙主管", "manager", dingtalk="sunzg"),
)
ROLES = [
    {"role": "manager", "department": "管理部"},
    {"role": "rep", "department": "销售部", "regions": ["华东"], "capacity": 9},
]


@dataclass
class Company:
    service: Service
    sandbox: demo.Sandbox
    url: str

    async def step(self) -> None:
        """Let what was asked for happen: directories read, messages delivered."""
        await self.service.following.step()
        await self.service.relay.drain()

    async def read(self) -> None:
        await self.service.following.ask()
        await self.step()

    async def member(self, account: str, platform: Platform = Platform.WECOM) -> Member | None:
        async with self.service.store.read() as tx:
            return await tx.members.by_account(platform, account)

    async def rows(self, table: Any) -> list[Any]:
        async with self.service.store.read() as tx:
            return list(await tx.conn.execute(select(table)))

    async def until_row(self, table: Any, test) -> Any:
        """The first row that passes, once there is one."""
        found: list[Any] = []

        async def look() -> bool:
            found[:] = [row for row in await self.rows(table) if test(row)]
            return bool(found)

        await until(look)
        return found[0]


async def until(happened) -> None:
    """Poll until it is so; fails after a minute."""
    async with asyncio.timeout(60):
        while not await happened():  # noqa: ASYNC110 -- what a test waits for has no event
            await asyncio.sleep(0.01)


@asynccontextmanager
async def company(
    database: str, clock, *, dingtalk: dict[str, Any] | None = None, **more: Any
) -> AsyncIterator[Company]:
    """``more``: sections of the configuration; the team is the directories' unless it is given."""
    with reserved_port() as port:
        async with _opened(database, clock, port, dingtalk or {}, more) as opened:
            yield opened


@asynccontextmanager
async def _opened(
    database: str, clock, port: int, dingtalk: dict[str, Any], more: dict[str, Any]
) -> AsyncIterator[Company]:
    url = f"http://{HOST}:{port}"

    async def still(_span: object) -> None:
        return

    sandbox = await demo.start(url, clock, PEOPLE, still, pace=QUICK, gap=0.01)
    try:
        sections = sandbox.settings()
        sections["dingtalk"] |= dingtalk
        values = {
            "server": {"host": HOST, "port": port, "public_url": url},
            "database": {"url": database},
            "directory": {"sync": True},
            "role": ROLES,
            **sections,
            **more,
        }
        async with (
            open_service(parse(values), clock, role="web") as service,
            listening(service, create_app(service)),
        ):
            await eventually(lambda: sandbox.dingtalk.gateway.connected)
            yield Company(service, sandbox, url)
    finally:
        await sandbox.close()
