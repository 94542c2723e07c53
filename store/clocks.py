"""The admin's own days of the calendar, and by which rules the deadlines stand."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store import tables as t
from store.domain.team import Member
from store.upsert import upsert

LIMITS = "limits"


class Standing(NamedTuple):
    """``done``: up to which lead the deadlines follow these rules; None: all of them do."""

    rules: str
    done: int | None


@dataclass(frozen=True, slots=True)
class Clocks:
    conn: AsyncConnection
    now: datetime

    async def days(self) -> Mapping[date, bool]:
        """The days somebody has declared: True a workday, False a day off."""
        days = t.calendar_days.c
        rows = await self.conn.execute(select(days.day, days.works).order_by(days.day))
        return {row.day: row.works for row in rows}

    async def declare(self, day: date, by: Member, *, works: bool) -> None:
        values = {"works": works, "by_id": by.id, "at": self.now}
        put = upsert(self.conn, t.calendar_days).values(day=day, **values)
        key = [t.calendar_days.c.day]
        await self.conn.execute(put.on_conflict_do_update(index_elements=key, set_=values))

    async def standing(self) -> Standing | None:
        row = (await self.conn.execute(self._row())).one_or_none()
        return Standing(row.rules, row.done_id) if row else None

    async def turn(self) -> Standing | None:
        """The same for who goes on with it; None while another process does."""
        mine = self._row().with_for_update(skip_locked=True)
        row = (await self.conn.execute(mine)).one_or_none()
        return Standing(row.rules, row.done_id) if row else None

    def _row(self) -> Select[Any]:
        return select(t.clocks).where(t.clocks.c.name == LIMITS)

    async def begin(self, rules: str) -> None:
        """Every deadline is to be derived anew, by ``rules``."""
        values = {"rules": rules, "done_id": 0}
        put = upsert(self.conn, t.clocks).values(name=LIMITS, **values)
        key = [t.clocks.c.name]
        await self.conn.execute(put.on_conflict_do_update(index_elements=key, set_=values))

    async def reached(self, done: int | None) -> None:
        await self.conn.execute(
            update(t.clocks).where(t.clocks.c.name == LIMITS).values(done_id=done)
        )
