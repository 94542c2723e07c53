"""What the platforms have told us: once per message, however often it is repeated."""

from dataclasses import dataclass
from datetime import datetime, timedelta
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

    async def unanswered(self, wire: str, receipt: str, within: timedelta) -> str:
        """The receipt under which what comes by ``wire`` is known, as long as it has no answer.

        For what a platform repeats without saying so, to whichever process: ``receipt``
        counts from now on where the last one was answered, or is longer ago than ``within``.
        """
        if not await self.first(wire):
            found = await self.conn.execute(
                select(t.inbox.c.reply, t.inbox.c.at).where(t.inbox.c.id == wire).with_for_update()
            )
            row = found.one()
            last = dict(row.reply or {})
            if last.get("receipt") == receipt or (
                last.get("open") and self.now - row.at < within and row.at <= self.now
            ):
                return str(last["receipt"])
        await self._on(wire, receipt, is_open=True)
        return receipt

    async def answered(self, wire: str, receipt: str) -> None:
        """Whoever waited has the answer; waits for whoever is still at it."""
        if await self.first(wire) or (await self.reply(wire)).get("receipt") == receipt:
            await self._on(wire, receipt, is_open=False)

    async def _on(self, wire: str, receipt: str, *, is_open: bool) -> None:
        await self.conn.execute(
            update(t.inbox)
            .where(t.inbox.c.id == wire)
            .values(at=self.now, reply={"receipt": receipt, "open": is_open})
        )

    async def forget(self, before: datetime) -> None:
        await self.conn.execute(delete(t.inbox).where(t.inbox.c.at < before))
