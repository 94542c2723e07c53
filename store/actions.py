"""What somebody did lately, with how things were before: what taking it back needs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Table, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store import tables as t
from store.domain.lead import LeadId

Rows = Mapping[int, Mapping[str, Any]]
CLOCKWORK = frozenset({"id", "version", "due", "due_at", "score", "grade", "chance", "rules"})
"""Columns that follow from others, or that no action of a person sets."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Leads as their rows, with what was going to ring and to be sent. ``event``: the last one."""

    leads: Rows = field(default_factory=dict)
    reminders: Rows = field(default_factory=dict)
    journeys: Rows = field(default_factory=dict)
    event: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What an action did to one lead. Each value is a pair: before, after."""

    lead_id: LeadId
    events: Sequence[int]
    columns: Mapping[str, tuple[Any, Any]]
    reminders: Rows
    journeys: Rows
    made: Mapping[str, Sequence[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    id: int
    at: datetime
    label: str
    steps: Sequence[Step]
    undone_at: datetime | None

    @property
    def undoable(self) -> bool:
        """Whether it was kept what it did; else only that it was done last."""
        return bool(self.steps) and all(step.events for step in self.steps)


@dataclass(frozen=True, slots=True)
class Actions:
    conn: AsyncConnection
    now: datetime

    async def look(self, lead_ids: Iterable[int]) -> Scene:
        """How these leads are now; locked, so that nobody comes between."""
        ids = sorted(set(lead_ids))
        leads = await self._rows(t.leads, t.leads.c.id.in_(ids))
        if not leads:
            return Scene()
        last = await self.conn.scalar(
            select(func.max(t.events.c.id)).where(t.events.c.lead_id.in_(ids))
        )
        live = [
            (x, x.c.lead_id.in_(ids), x.c.due_at.is_not(None)) for x in (t.reminders, t.journeys)
        ]
        reminders, journeys = [await self._rows(*query) for query in live]
        return Scene(leads, reminders, journeys, int(last or 0))

    async def _rows(self, table: Table, *where: Any) -> Rows:
        query = select(table).where(*where).order_by(table.c.id).with_for_update()
        rows = (await self.conn.execute(query)).mappings()
        return {row["id"]: {name: _plain(value) for name, value in row.items()} for row in rows}

    async def keep(self, by: int, label: str, before: Scene) -> None:
        """Remember what ``by`` did since ``before``; nothing, if it wrote no history."""
        written = await self._written(by, before)
        if not written:
            return
        after = await self.look(written)
        steps = [_step(n, written[n], before, after) for n in sorted(written)]
        await self.conn.execute(
            insert(t.actions).values(member_id=by, at=self.now, label=label, steps=steps)
        )

    async def passed(self, by: int, label: str, lead_ids: Sequence[int]) -> None:
        """``by`` did something about these leads that cannot be taken back."""
        empty: dict[str, Any] = {"events": [], "columns": {}, "reminders": {}, "journeys": {}}
        steps = [{"lead_id": int(n), **empty, "made": {}} for n in lead_ids]
        await self.conn.execute(
            insert(t.actions).values(member_id=by, at=self.now, label=label, steps=steps)
        )

    async def _written(self, by: int, before: Scene) -> Mapping[int, list[int]]:
        """The events of this action, by lead."""
        found: dict[int, list[int]] = {}
        if not before.leads:
            return found
        rows = await self.conn.execute(
            select(t.events.c.id, t.events.c.lead_id, t.events.c.by_id)
            .where(t.events.c.lead_id.in_(before.leads), t.events.c.id > before.event)
            .order_by(t.events.c.id)
        )
        mine = list(rows)
        if any(row.by_id == by for row in mine):
            for row in mine:
                found.setdefault(row.lead_id, []).append(row.id)
        return found

    async def last(self, by: int) -> Action | None:
        """What ``by`` did last, undone or not."""
        query = select(t.actions).where(t.actions.c.member_id == by)
        query = query.order_by(t.actions.c.id.desc()).limit(1).with_for_update()
        row = (await self.conn.execute(query)).one_or_none()
        if row is None:
            return None
        steps = [_read(step) for step in row.steps]
        return Action(id=row.id, at=row.at, label=row.label, steps=steps, undone_at=row.undone_at)

    async def undone(self, action: Action) -> None:
        await self.conn.execute(
            update(t.actions).where(t.actions.c.id == action.id).values(undone_at=self.now)
        )

    async def restore(self, step: Step) -> None:
        """Reminders and journeys as they were; what the action began ends."""
        for table, made in ((t.reminders, "reminders"), (t.journeys, "journeys")):
            await self.conn.execute(
                update(table).where(table.c.id.in_(step.made[made])).values(due_at=None)
            )
            rows = step.reminders if made == "reminders" else step.journeys
            for number, row in rows.items():
                values = {name: _value(value) for name, value in row.items()}
                await self.conn.execute(update(table).where(table.c.id == number).values(**values))

    async def forget(self, before: datetime) -> None:
        await self.conn.execute(delete(t.actions).where(t.actions.c.at < before))


def _step(lead_id: int, events: Sequence[int], before: Scene, after: Scene) -> dict[str, Any]:
    was, now = before.leads[lead_id], after.leads[lead_id]
    changed = {
        name: [was[name], now[name]]
        for name in was
        if was[name] != now[name] and name not in CLOCKWORK
    }
    step: dict[str, Any] = {"lead_id": lead_id, "events": list(events), "columns": changed}
    made = {}
    for name in ("reminders", "journeys"):
        old = _of(lead_id, getattr(before, name))
        new = _of(lead_id, getattr(after, name))
        step[name] = {n: row for n, row in old.items() if new.get(n) != row}
        made[name] = [n for n in new if n not in old]
    return step | {"made": made}


def _of(lead_id: int, rows: Rows) -> Rows:
    return {n: row for n, row in rows.items() if row["lead_id"] == lead_id}


def _read(step: Mapping[str, Any]) -> Step:
    columns = {name: (_value(a), _value(z)) for name, (a, z) in step["columns"].items()}
    return Step(
        lead_id=LeadId(step["lead_id"]),
        events=tuple(step["events"]),
        columns=columns,
        reminders={int(n): row for n, row in step["reminders"].items()},
        journeys={int(n): row for n, row in step["journeys"].items()},
        made=step["made"],
    )


def _plain(value: Any) -> Any:
    """An instant cannot stand in JSON."""
    return {"$at": value.isoformat()} if isinstance(value, datetime) else value


def _value(value: Any) -> Any:
    if isinstance(value, dict) and value.keys() == {"$at"}:
        return datetime.fromisoformat(value["$at"])
    return value
