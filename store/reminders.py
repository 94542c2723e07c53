from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store import tables as t
from store.domain.lead import Lead, LeadId
from store.domain.team import MemberId


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminder:
    id: int
    lead_id: LeadId
    member_id: MemberId
    text: str
    # "asked": typed by somebody; "next": the next date of a follow-up; "task": of a stage;
    # "birthday", "anniversary"
    kind: str
    date_only: bool
    due_at: datetime
    made_at: datetime
    every: str = ""  # how often, in the words it was asked with

    def stands(self, lead: Lead) -> bool:
        """Whether it rings: not if ``lead``'s person has wanted to be left alone since."""
        said = lead.opted_out_at if lead.left_alone else None
        return said is None or self.made_at > said


@dataclass(frozen=True, slots=True)
class Reminders:
    conn: AsyncConnection
    now: datetime

    async def add(  # noqa: PLR0913 - one argument a column
        self,
        lead_id: int,
        member_id: int,
        at: datetime,
        text: str,
        kind: str,
        *,
        date_only: bool,
        every: str = "",
    ) -> None:
        await self.conn.execute(
            insert(t.reminders).values(
                lead_id=lead_id,
                member_id=member_id,
                text=text[:500],
                kind=kind,
                date_only=date_only,
                due_at=at,
                made_at=self.now,
                every=every or None,
            )
        )

    async def due(self, until: datetime, limit: int) -> Sequence[Reminder]:
        return await self._ringing(t.reminders.c.due_at <= until, limit=limit)

    async def coming(self, member_ids: Sequence[int], until: datetime) -> Sequence[Reminder]:
        """What these people will be reminded of by then, earliest first."""
        return await self._ringing(
            t.reminders.c.member_id.in_(member_ids),
            t.reminders.c.due_at > self.now,
            t.reminders.c.due_at <= until,
            t.reminders.c.date_only.is_(False),
        )

    async def mornings(self, member_ids: Sequence[int], until: datetime) -> Sequence[Reminder]:
        """The date-only ones of these people that are due: all of them make one card."""
        return await self._ringing(
            t.reminders.c.member_id.in_(member_ids),
            t.reminders.c.due_at <= until,
            t.reminders.c.date_only.is_(True),
        )

    async def _ringing(
        self, *which: ColumnElement[bool], limit: int | None = None
    ) -> Sequence[Reminder]:
        """Those to be rung by this process, the earliest first."""
        rows = await self.conn.execute(
            select(t.reminders)
            .where(*which)
            .order_by(t.reminders.c.due_at, t.reminders.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return [_reminder(row) for row in rows]

    async def again(self, reminder_id: int, at: datetime) -> None:
        """It comes round again."""
        await self.conn.execute(
            update(t.reminders).where(t.reminders.c.id == reminder_id).values(due_at=at)
        )

    async def cancel(self, lead_id: int, member_id: int) -> int:
        """What this person asked to be told about the lead rings no more; how many there were."""
        mine = (
            t.reminders.c.lead_id == lead_id,
            t.reminders.c.member_id == member_id,
            t.reminders.c.kind == "asked",
            t.reminders.c.due_at.is_not(None),
        )
        count = await self.conn.scalar(select(func.count()).select_from(t.reminders).where(*mine))
        await self.conn.execute(update(t.reminders).where(*mine).values(due_at=None))
        return int(count or 0)

    async def of(self, lead_id: int) -> Sequence[Reminder]:
        """What has not rung yet for this lead."""
        rows = await self.conn.execute(
            select(t.reminders)
            .where(t.reminders.c.lead_id == lead_id, t.reminders.c.due_at.is_not(None))
            .order_by(t.reminders.c.id)
        )
        return [_reminder(row) for row in rows]

    async def rung(self, ids: Sequence[int]) -> None:
        await self.conn.execute(
            update(t.reminders).where(t.reminders.c.id.in_(ids)).values(due_at=None)
        )

    async def drop(self, lead_id: int, kind: str | None = None) -> None:
        """Nobody is reminded of this lead any more (of one kind, or at all)."""
        which = t.reminders.c.lead_id == lead_id
        query = update(t.reminders).where(which, t.reminders.c.due_at.is_not(None))
        if kind is not None:
            query = query.where(t.reminders.c.kind == kind)
        await self.conn.execute(query.values(due_at=None))

    async def move_back(self, ids: Sequence[int], to: int, member_id: int | None) -> None:
        """Those of ``ids`` that have not rung yet."""
        values = {"lead_id": to} | ({"member_id": member_id} if member_id is not None else {})
        await self.conn.execute(
            update(t.reminders)
            .where(t.reminders.c.id.in_(ids), t.reminders.c.due_at.is_not(None))
            .values(**values)
        )


def _reminder(row: Any) -> Reminder:
    return Reminder(
        id=row.id,
        lead_id=LeadId(row.lead_id),
        member_id=MemberId(row.member_id),
        text=row.text,
        kind=row.kind,
        date_only=row.date_only,
        due_at=row.due_at,
        made_at=row.made_at,
        every=row.every or "",
    )
