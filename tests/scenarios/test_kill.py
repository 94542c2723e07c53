"""SIGKILL in the middle of two hundred captures: what was acknowledged is there, once."""

import asyncio
import re
import sqlite3
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path

import pytest
from aiohttp import ClientError

from tests.scenarios.served import Served, open_served
from tests.scenarios.world import NAMES, World, eventually, shown

pytestmark = pytest.mark.timeout(600)  # a day's work, whatever else the machine does

LEADS = 200
AT_ONCE = 20
REGIONS = ("1995100", "1992500", "1991000", "1993800")
"""Numbers of the east, the south, the north and the west: every rep gets fifty, which is the cap."""
ENOUGH = 60
"""Acknowledged leads after which the process is killed."""


async def test_a_killed_service_loses_nothing_it_acknowledged(tmp_path):
    async with open_served(tmp_path) as served:
        await served.start()
        acknowledged: dict[str, int] = {}

        await post_until_killed(served, acknowledged)
        assert ENOUGH <= len(acknowledged) < LEADS
        a_minute_passes(tmp_path / "leadbot.db")
        await served.start()
        await is_stored(served.world, acknowledged)
        missing = [n for n in range(LEADS) if external(n) not in acknowledged]
        await asyncio.gather(*posts(served.world, missing, acknowledged))
        stored = await is_stored(served.world, acknowledged)
        assert len(stored) == LEADS
        for lead in stored:
            await is_told(served.world, lead)
        for chat in NAMES:
            await served.world.phone(chat).sees("新分到你 50 条线索")


def a_minute_passes(database: Path) -> None:
    """Leases of the dead run out; nobody waits a real minute for it here."""
    with closing(sqlite3.connect(database)) as conn, conn:
        conn.execute("UPDATE outbox SET due_at = put_at WHERE lease IS NOT NULL")


def external(number: int) -> str:
    return f"row-{number}"


async def post_until_killed(served: Served, acknowledged: dict[str, int]) -> None:
    waiting = posts(served.world, range(LEADS), acknowledged)
    while len(acknowledged) < ENOUGH:
        _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    await served.kill()
    await asyncio.gather(*waiting)


def posts(
    world: World, numbers: Iterable[int], acknowledged: dict[str, int]
) -> set[asyncio.Task[None]]:
    """One lead each; it counts only when the answer came."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def post(number: int) -> None:
        async with gate:
            with suppress(ClientError, OSError):
                acknowledged[external(number)] = (await world.posts(**enquiry(number)))["id"]

    return {asyncio.create_task(post(number)) for number in numbers}


def enquiry(number: int) -> dict[str, str]:
    return {
        "name": f"客户{number}",
        "phone": f"{REGIONS[number % 4]}{number:04}",
        "external_id": external(number),
        "message": "想要报价",
    }


async def is_stored(world: World, acknowledged: dict[str, int]) -> list[dict]:
    """Every acknowledged lead is there under its number, nobody twice."""
    stored = await world.leads()
    numbers = {lead["external_id"]: lead["id"] for lead in stored}
    assert len(numbers) == len(stored)
    assert {e: numbers.get(e) for e in acknowledged} == acknowledged
    return stored


async def is_told(world: World, lead: dict) -> None:
    """Its card is on its owner's phone, or the list is, which says how many there are."""
    chat = next(chat for chat, name in NAMES.items() if name == lead["owner"]["name"])
    phone = world.phone(chat)

    def told() -> bool:
        words = rf"#{lead['id']}\b|新分到你 \d+ 条"
        return any(re.search(words, shown(message)) for message in phone.cards())

    await eventually(told, phone.text)
