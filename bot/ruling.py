"""``leadbot rules``: the versions of the rules, and how other rules would have decided."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import typer

from bot.config import Settings
from bot.serve import prepare_database
from bot.versions import SHOWN, go_back, in_force, listed
from bot.wiring import rules
from store.db import Store, open_store


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Store]:
    await prepare_database(settings)
    store = open_store(settings.database.url, rules(settings))
    try:
        yield store
    finally:
        await store.close()


async def list_rules(settings: Settings) -> None:
    """Print the newest versions; the first is in force. Raises NotRunning."""
    async with _opened(settings) as store, store.read() as tx:
        typer.echo(listed(tuple(await tx.versions.all(SHOWN)), settings.zone))


async def roll_back(settings: Settings, number: int) -> None:
    """The rules of version ``number`` hold again. Raises NoSuchVersion, ConfigError, NotRunning."""
    async with _opened(settings) as store, store.begin() as tx:
        await in_force(tx, settings)
        version = await go_back(tx, settings, number)
    typer.echo(f"第 {version.id} 版就是第 {number} 版的规则，重启服务生效")
