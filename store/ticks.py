from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store import tables as t
from store.upsert import upsert


@dataclass(frozen=True, slots=True)
class Ticks:
    conn: AsyncConnection

    async def first(self, job: str, at: datetime) -> bool:
        """Whether this process is the one that runs ``job`` for the tick ``at``."""
        done = await self.conn.execute(
            upsert(self.conn, t.ticks).values(job=job, at=at).on_conflict_do_nothing()
        )
        return done.rowcount == 1

    async def last(self, job: str) -> datetime | None:
        query = select(func.max(t.ticks.c.at)).where(t.ticks.c.job == job)
        at: datetime | None = await self.conn.scalar(query)
        return at

    async def newest(self, job: str, until: datetime) -> datetime | None:
        """The newest tick that is not in the future."""
        query = select(func.max(t.ticks.c.at)).where(t.ticks.c.job == job, t.ticks.c.at <= until)
        at: datetime | None = await self.conn.scalar(query)
        return at

    async def forget(self, job: str, before: datetime) -> None:
        await self.conn.execute(delete(t.ticks).where(t.ticks.c.job == job, t.ticks.c.at < before))
