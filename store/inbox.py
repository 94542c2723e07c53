"""What the platforms have told us: once per message, however often it is repeated."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store import tables as t
from store.upsert import upsert


@dataclass(frozen=True, slots=True)
class Inbox:
    conn: AsyncConnection
    now: datetime

    async def first(self, receipt: str) -> bool:
        """Whether ``receipt`` is new. Whoever asks at the same instant waits for our commit."""
        done = await self.conn.execute(
            upsert(self.conn, t.inbox).values(id=receipt, at=self.now).on_conflict_do_nothing()
        )
        return done.rowcount == 1

    async def keep(self, receipt: str, reply: dict[str, Any]) -> None:
        await self.conn.execute(update(t.inbox).where(t.inbox.c.id == receipt).values(reply=reply))

    async def reply(self, receipt: str) -> dict[str, Any]:
        """What was answered the first time."""
        kept = await self.conn.scalar(select(t.inbox.c.reply).where(t.inbox.c.id == receipt))
        return dict(kept or {})

    async def forget(self, before: datetime) -> None:
        await self.conn.execute(delete(t.inbox).where(t.inbox.c.at < before))
