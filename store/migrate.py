"""Bring a database to this version's schema. Alembic takes a second to import, so only here."""

from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

FOLDER = Path(__file__).parent / "migrations"


async def migrate(engine: AsyncEngine) -> None:
    """Run what has not run yet; several processes at once are fine."""
    async with engine.begin() as conn:
        await conn.run_sync(_upgrade)


async def is_current(engine: AsyncEngine) -> bool:
    """Whether the schema is the one this version works with."""
    async with engine.connect() as conn:
        return bool(await conn.run_sync(_current))


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        # Two processes that start together must not both create the tables.
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7271520)")
    if not _current(connection):
        _run(connection)


def _run(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - slow

    command.upgrade(_config(connection), "head")


def _config(connection: Connection) -> Any:
    from alembic.config import Config  # noqa: PLC0415 - slow

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _current(connection: Connection) -> bool:
    from alembic.migration import MigrationContext  # noqa: PLC0415 - slow

    return MigrationContext.configure(connection).get_current_revision() == _head()


@cache
def _head() -> str | None:
    """Once for each process: every migration is read for it."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - slow

    return ScriptDirectory(FOLDER).get_current_head()
