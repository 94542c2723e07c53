"""Who is being nurtured, and the links they were sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from secrets import token_urlsafe

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store import tables as t
from store.domain.lead import Kind, LeadId


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """``step``: the next one, from 0. ``waits``: why it did not go out when it was due."""

    id: int
    lead_id: LeadId
    name: str
    step: int
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Journeys:
    conn: AsyncConnection
    now: datetime

    async def start_all(self, begun: Sequence[tuple[int, str, datetime]]) -> None:
        """Of each: the lead, the journey's name, and when its first step is due."""
        first = {"step": 0, "started_at": self.now, "ended": "", "waits": ""}
        rows = [{"lead_id": n, "name": name, "due_at": at, **first} for n, name, at in begun]
        await self.conn.execute(insert(t.journeys), rows)

    async def due(self, until: datetime, limit: int) -> Sequence[Journey]:
        rows = await self.conn.execute(
            select(t.journeys)
            .where(t.journeys.c.due_at <= until)
            .order_by(t.journeys.c.due_at, t.journeys.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return [
            Journey(
                id=r.id,
                lead_id=LeadId(r.lead_id),
                name=r.name,
                step=r.step,
                started_at=r.started_at,
            )
            for r in rows
        ]

    async def wait(self, journey_id: int, until: datetime, why: str) -> None:
        await self._set(journey_id, due_at=until, waits=why)

    async def next(self, journey_id: int, step: int, due_at: datetime) -> None:
        await self._set(journey_id, step=step, due_at=due_at, waits="")

    async def end(self, journey_id: int, why: str) -> None:
        await self._set(journey_id, due_at=None, ended=why, waits="")

    async def _set(self, journey_id: int, **values: object) -> None:
        await self.conn.execute(
            update(t.journeys).where(t.journeys.c.id == journey_id).values(**values)
        )

    async def stop(self, lead_id: int, why: str) -> None:
        await self.stop_all([lead_id], why)

    async def stop_all(self, ids: Sequence[int], why: str) -> None:
        await self.conn.execute(
            update(t.journeys)
            .where(t.journeys.c.lead_id.in_(ids), t.journeys.c.due_at.is_not(None))
            .values(due_at=None, ended=why, waits="")
        )

    async def live(self, lead_id: int) -> bool:
        """Whether the lead is being nurtured."""
        found = (t.journeys.c.lead_id == lead_id, t.journeys.c.due_at.is_not(None))
        return bool(await self.conn.scalar(select(func.count()).where(*found)))

    async def mailed_since(self, lead_id: int, since: datetime) -> tuple[int, datetime | None]:
        """How many messages this person got since then, and when the first of them went."""
        row = (
            await self.conn.execute(
                select(func.count(), func.min(t.events.c.at)).where(
                    t.events.c.lead_id == lead_id,
                    t.events.c.kind == Kind.MAILED,
                    t.events.c.at > since,
                )
            )
        ).one()
        return int(row[0]), row[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    token: str
    lead_id: LeadId
    kind: str
    label: str
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Links:
    conn: AsyncConnection
    now: datetime

    async def make(self, lead_id: int, kind: str, label: str) -> str:
        """A link nobody can guess. ``kind``: "track" or "optout"."""
        token = token_urlsafe(24)
        await self.conn.execute(
            insert(t.links).values(
                token=token, lead_id=lead_id, kind=kind, label=label, made_at=self.now
            )
        )
        return token

    async def find(self, token: str, kind: str) -> Link | None:
        row = (
            await self.conn.execute(
                select(t.links).where(t.links.c.token == token, t.links.c.kind == kind)
            )
        ).one_or_none()
        if row is None:
            return None
        return Link(
            token=row.token,
            lead_id=LeadId(row.lead_id),
            kind=row.kind,
            label=row.label,
            used_at=row.used_at,
        )

    async def use(self, token: str) -> bool:
        """Whether this is the first use of the link."""
        done = await self.conn.execute(
            update(t.links)
            .where(t.links.c.token == token, t.links.c.used_at.is_(None))
            .values(used_at=self.now)
        )
        return done.rowcount == 1
