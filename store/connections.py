"""How a connection of which there may be only one is doing, and since when.

Kept for longer than whoever holds it: who asks later learns how it was, and that
this database has had it at all.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store import tables as t
from store.upsert import upsert


class State(StrEnum):
    """What is known of it while somebody holds it."""

    UP = "up"
    AWAY = "away"  # being tried again and again
    REFUSED = "refused"  # the platform does not know these credentials
    KICKED = "kicked"  # another program has it: nobody tries before the admin says so


@dataclass(frozen=True, slots=True)
class Connection:
    state: State
    since: datetime


@dataclass(frozen=True, slots=True)
class Connections:
    conn: AsyncConnection
    now: datetime

    async def find(self, name: str) -> Connection | None:
        """None: this database has never had it."""
        query = select(t.connections).where(t.connections.c.name == name)
        row = (await self.conn.execute(query)).one_or_none()
        return Connection(State(row.state), row.since) if row else None

    async def note(self, name: str, state: State) -> None:
        """It is ``state`` now; since when is kept while that does not change."""
        insert = upsert(self.conn, t.connections).values(name=name, state=state, since=self.now)
        await self.conn.execute(
            insert.on_conflict_do_update(
                index_elements=[t.connections.c.name],
                set_={"state": state, "since": self.now},
                where=t.connections.c.state != state,
            )
        )

    async def again(self) -> bool:
        """Whoever stays away after a kick may try again. Whether anybody did."""
        tried = await self.conn.execute(
            update(t.connections)
            .where(t.connections.c.state == State.KICKED)
            .values(state=State.AWAY, since=self.now)
        )
        return bool(tried.rowcount)
