"""What one process at a time may do: a name, who holds it, until when."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, or_
from sqlalchemy.ext.asyncio import AsyncConnection

from store import tables as t
from store.upsert import upsert


@dataclass(frozen=True, slots=True)
class Leases:
    conn: AsyncConnection
    now: datetime

    async def take(self, name: str, holder: str, span: timedelta) -> bool:
        """Hold ``name`` from now on for ``span``; False while somebody else does.

        Taking again renews. A holder who died loses it by itself.
        """
        insert = upsert(self.conn, t.leases).values(
            name=name, holder=holder, until=self.now + span
        )
        taken = await self.conn.execute(
            insert.on_conflict_do_update(
                index_elements=[t.leases.c.name],
                set_={"holder": holder, "until": self.now + span},
                where=or_(t.leases.c.holder == holder, t.leases.c.until <= self.now),
            )
        )
        return taken.rowcount == 1

    async def drop(self, name: str, holder: str) -> None:
        """Somebody else may have it at once; nothing if it is not ``holder``'s."""
        mine = (t.leases.c.name == name, t.leases.c.holder == holder)
        await self.conn.execute(delete(t.leases).where(*mine))
