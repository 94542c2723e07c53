"""Running the service until it is asked to stop."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import structlog
from aiohttp import web
from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

from bot.app import Service, create_app, open_service
from bot.config import Settings
from bot.wiring import rules
from store.db import open_store
from store.domain.errors import LeadbotError
from store.migrate import is_current, migrate

log = structlog.get_logger()


class NotRunning(LeadbotError):
    """The service cannot start; the text says why and what to do."""


async def prepare_database(settings: Settings) -> None:
    """SQLite is brought to this version by itself; PostgreSQL has to be. Raises NotRunning."""
    store = open_store(settings.database.url, rules(settings))
    _check_folder(store.engine.url)
    try:
        if store.engine.dialect.name == "sqlite":
            await migrate(store.engine)
        elif not await is_current(store.engine):
            raise NotRunning("database: older than this version; run: leadbot migrate")
    except (SQLAlchemyError, OSError) as error:
        raise NotRunning(f"database: {_first_line(error)}") from error
    finally:
        await store.close()


def _check_folder(url: URL) -> None:
    """Asked before SQLite is: its thread outlives the failure and would print a traceback."""
    if url.get_backend_name() != "sqlite" or url.database in {None, "", ":memory:"}:
        return
    folder = Path(str(url.database)).absolute().parent
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        raise NotRunning(f"database: no folder that can be written to: {folder}")


async def migrate_database(settings: Settings) -> None:
    """Bring the database to this version. Raises NotRunning."""
    store = open_store(settings.database.url, rules(settings))
    _check_folder(store.engine.url)
    try:
        await migrate(store.engine)
    except (SQLAlchemyError, OSError) as error:
        raise NotRunning(f"database: {_first_line(error)}") from error
    finally:
        await store.close()


def _first_line(error: Exception) -> str:
    return (str(getattr(error, "orig", None) or error).splitlines() or [type(error).__name__])[0]


async def serve(settings: Settings, role: str) -> None:
    """The service until SIGTERM or Ctrl-C. Raises NotRunning."""
    await prepare_database(settings)
    async with (
        open_service(settings, role=role) as service,
        listening(service, create_app(service)) as port,
    ):
        log.info("leadbot is up", role=role, port=port)
        await stopped()


@asynccontextmanager
async def listening(service: Service, app: web.Application) -> AsyncIterator[int]:
    """The app on its port, which is yielded. Raises NotRunning if somebody else has it."""
    server = service.settings.server
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=5)
    await runner.setup()
    try:
        site = web.TCPSite(runner, server.host, server.port)
        await site.start()
    except OSError as error:
        await runner.cleanup()
        raise NotRunning(f"{server.host}:{server.port}: {error.strerror or error}") from error
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def stopped() -> None:
    """Until the process is asked to end."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):
            loop.add_signal_handler(name, asked.set)
    await asked.wait()
