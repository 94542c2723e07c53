"""The database, and the only commit in the program."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any, Self

from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from store.actions import Actions
from store.alarms import Alarms, Watch
from store.clocks import Clocks
from store.connections import Connections
from store.contacts import Contacts
from store.domain.errors import Stale
from store.domain.rules import Rules
from store.figures import FiguresQuery
from store.inbox import Inbox
from store.journeys import Journeys, Links
from store.leads import Leads
from store.leases import Leases
from store.members import BoundGroup, Groups, Members
from store.models import Models
from store.outbox import Outbox
from store.people import Consents, Doubts
from store.pictures import Pictures
from store.quota import Ledger
from store.reminders import Reminders
from store.ticks import Ticks
from store.tokens import Tokens
from store.turns import Hurry, Turns
from store.versions import Versions

Clock = Callable[[], datetime]
WAITED_FOR_EACH_OTHER = {"40P01", "40001"}
"""PostgreSQL's deadlock_detected and serialization_failure."""


def utcnow() -> datetime:
    return datetime.now(UTC)


class Tx:
    """One transaction: everything in it happens, or nothing does.

    ``now`` stands still while it lasts; ``rules`` are those of the installation.
    """

    def __init__(
        self, conn: AsyncConnection, now: datetime, rules: Rules, watch: Watch | None = None
    ) -> None:
        self.conn = conn
        self.now = now
        self.rules = rules
        self.group: BoundGroup | None = None  # the group chat the line was said in
        self.members = Members(conn, now)
        self.leads = Leads(conn, self.members)
        self.models = Models(conn)
        self.versions = Versions(conn, now)
        self.outbox = Outbox(conn, now)
        self.inbox = Inbox(conn, now)
        self.ticks = Ticks(conn)
        self.reminders = Reminders(conn, now)
        self.actions = Actions(conn, now)
        self.journeys = Journeys(conn, now)
        self.links = Links(conn, now)
        self.groups = Groups(conn, now)
        self.contacts = Contacts(conn, now)
        self.pictures = Pictures(conn, now)
        self.doubts = Doubts(conn, now)
        self.consents = Consents(conn, now)
        self.quota = Ledger(conn, now, rules.meters)
        self.alarms = Alarms(conn, now, watch or Watch())
        self.clocks = Clocks(conn, now)
        self.leases = Leases(conn, now)
        self.connections = Connections(conn, now)
        self.tokens = Tokens(conn, now)
        self.figures = FiguresQuery(conn, self.members, rules)

    async def lock(self, *names: str) -> None:
        """Nobody else holds any of ``names`` until the commit.

        SQLite has one writer, who holds everything. The names are taken in
        order, so that two transactions cannot wait for each other.
        """
        if self.conn.dialect.name != "postgresql":
            return
        await self.conn.execute(
            text(
                "SELECT pg_advisory_xact_lock(id) FROM (SELECT DISTINCT hashtextextended(name, 0)"
                " AS id FROM unnest(CAST(:names AS text[])) AS name ORDER BY 1) AS ids"
            ),
            {"names": list(names)},
        )


@dataclass(frozen=True)
class Store:
    engine: AsyncEngine
    rules: Rules
    clock: Clock = utcnow
    _writer: Turns = field(default_factory=Turns, repr=False)
    _watch: Watch = field(default_factory=Watch, repr=False)
    _effective: dict[tuple[tuple[date, bool], ...], Rules] = field(
        default_factory=dict, repr=False
    )

    @asynccontextmanager
    async def begin(self, hurry: Hurry = Hurry.NORMAL) -> AsyncIterator[Tx]:
        """A transaction that may write. Raises Stale when it has to be run again.

        SQLite's writers queue here, which is fairer than polling, and lets those go first
        for whom somebody waits. PostgreSQL may find two
        of them waiting for each other, and undoes one: that one was not the first.
        """
        try:
            async with self._turn(hurry), self.engine.begin() as conn:
                yield await self._tx(conn)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", "") in WAITED_FOR_EACH_OTHER:
                raise Stale("two transactions waited for each other") from error
            raise

    def _turn(self, hurry: Hurry) -> AbstractAsyncContextManager[None]:
        """PostgreSQL has many writers; a crowd would leave no connection to anybody else."""
        if self.engine.dialect.name == "sqlite" or hurry is Hurry.CROWD:
            return self._writer.take(hurry)
        return nullcontext()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Tx]:
        """A transaction that only reads and never waits for a writer."""
        async with self.engine.execution_options(leadbot_reads=True).begin() as conn:
            yield await self._tx(conn)

    async def _tx(self, conn: AsyncConnection) -> Tx:
        """The rules as they are now: a day declared in another process counts at once."""
        now = self.clock()
        days = await Clocks(conn, now).days()
        return Tx(conn, now, self._with(days), self._watch)

    def _with(self, days: Mapping[date, bool]) -> Rules:
        if not days:
            return self.rules
        key = tuple(days.items())
        if key not in self._effective:
            self._effective.clear()
            calendar = self.rules.calendar.declared(days)
            self._effective[key] = replace(self.rules, calendar=calendar)
        return self._effective[key]

    async def close(self) -> None:
        await self.engine.dispose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def open_store(url: str, rules: Rules, clock: Clock = utcnow) -> Store:
    """Connect lazily to ``url``. SQLite files are made durable: an acknowledged lead stays."""
    # Without hide_parameters a failed statement logs what prospects wrote.
    engine = create_async_engine(url, hide_parameters=True)
    if engine.dialect.name == "sqlite":
        _serialise_writers(engine)
    return Store(engine, rules, clock)


PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000")
SETUP = "".join(f"PRAGMA {pragma};" for pragma in PRAGMAS)


def _serialise_writers(engine: AsyncEngine) -> None:
    # Without this SQLite starts a transaction as a reader and fails with
    # "database is locked" when a second one has written in between. BEGIN
    # IMMEDIATE takes the write lock up front, so writers queue instead.
    @event.listens_for(engine.sync_engine, "connect")
    def on_connect(dbapi: Any, _record: Any) -> None:
        dbapi.isolation_level = None
        # Statement by statement each pragma would be four hops to the connection's thread.
        dbapi.run_async(lambda conn: conn.executescript(SETUP))

    @event.listens_for(engine.sync_engine, "begin")
    def on_begin(conn: Any) -> None:
        reads = conn.get_execution_options().get("leadbot_reads")
        conn.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
