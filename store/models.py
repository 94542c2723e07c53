"""What was learned, and what it is learned from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store import tables as t
from store.domain.lead import CLOSED, Kind, Stage
from store.domain.learned import Model, Traits, from_json, to_json

MOST = 20_000
"""Outcomes that are learned from, the newest ones."""
KEPT = 30
_READ: dict[tuple[str, datetime], Model] = {}
"""The newest model by database and time: it never changes, and every capture needs it."""


@dataclass(frozen=True, slots=True)
class Models:
    conn: AsyncConnection

    async def current(self) -> Model | None:
        """The newest model; None before there is one."""
        at = await self.conn.scalar(select(func.max(t.models.c.at)))
        if at is None:
            return None
        key = str(self.conn.engine.url), at
        if key not in _READ:
            query = select(t.models.c.data).where(t.models.c.at == at)
            data = (await self.conn.execute(query)).scalar_one()
            _READ.clear()
            _READ[key] = from_json(data)
        return _READ[key]

    async def keep(self, model: Model) -> None:
        await self.conn.execute(insert(t.models).values(at=model.at, data=to_json(model)))
        old = select(t.models.c.at).order_by(t.models.c.at.desc()).offset(KEPT).limit(1)
        await self.conn.execute(delete(t.models).where(t.models.c.at <= old.scalar_subquery()))

    async def outcomes(self) -> Sequence[tuple[Traits, bool]]:
        """The newest closed leads as they came in, the oldest first, and whether they were won."""
        closed = (
            select(t.leads.c.id, t.leads.c.stage)
            .where(t.leads.c.closed_at.is_not(None), t.leads.c.stage.in_(list(CLOSED)))
            .order_by(t.leads.c.closed_at.desc())
            .limit(MOST)
            .subquery()
        )
        query = (
            select(t.events.c.data["traits"].label("traits"), closed.c.stage, closed.c.id)
            .join(closed, t.events.c.lead_id == closed.c.id)
            .where(t.events.c.kind == Kind.CAPTURED)
            .order_by(t.events.c.at, t.events.c.id)
        )
        rows = await self.conn.execute(query)
        first = {row.id: (row.traits, row.stage == Stage.WON) for row in reversed(rows.all())}
        return [outcome for outcome in reversed(first.values()) if outcome[0]]

    async def came_since(self, at: datetime) -> Sequence[Traits]:
        query = select(t.events.c.data["traits"]).where(
            t.events.c.kind == Kind.CAPTURED, t.events.c.at >= at
        )
        return [traits for (traits,) in await self.conn.execute(query) if traits]

    async def open_after(self, lead_id: int, limit: int) -> Mapping[int, Traits]:
        """Open leads with higher numbers, as they came in."""
        captured = and_(t.events.c.lead_id == t.leads.c.id, t.events.c.kind == Kind.CAPTURED)
        query = (
            select(t.leads.c.id, t.events.c.data["traits"])
            .join(t.events, captured)
            .where(t.leads.c.id > lead_id, t.leads.c.stage.not_in(list(CLOSED)))
            .order_by(t.leads.c.id)
            .limit(limit)
        )
        return {row[0]: row[1] or {} for row in await self.conn.execute(query)}

    async def tell(self, chances: Mapping[int, float | None]) -> None:
        """Keep each lead's probability. Only the order of lists depends on it: no new version."""
        if chances:
            await self.conn.execute(
                update(t.leads)
                .where(t.leads.c.id == bindparam("lead"))
                .values(chance=bindparam("told")),
                [{"lead": lead, "told": told} for lead, told in chances.items()],
            )
