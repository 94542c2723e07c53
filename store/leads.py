"""Leads and their history."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Row,
    RowMapping,
    Text,
    and_,
    bindparam,
    case,
    delete,
    exists,
    false,
    func,
    insert,
    or_,
    select,
    text,
    true,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from store import tables as t
from store.domain.conditions import BIG_REGIONS
from store.domain.deadlines import Limits
from store.domain.enquiry import recalled
from store.domain.errors import NotFound, Stale
from store.domain.lead import (
    CLOSED,
    HANDED_OVER,
    Change,
    Due,
    Event,
    Kind,
    Lead,
    LeadId,
    Part,
    Place,
    Stage,
)
from store.domain.match import Key
from store.domain.newlead import NewLead
from store.domain.pools import may_give, visible
from store.domain.scoring import DID, Signal, signals
from store.domain.team import Member, MemberId, Role
from store.domain.told import Told, told
from store.members import Members
from store.upsert import upsert

OPEN = t.leads.c.stage.not_in(list(CLOSED))
LEFT_ALONE = t.leads.c.opted_out_at >= t.leads.c.asked_at
"""``Lead.left_alone``; null, not false, for who has never said so."""
BY_HAND = case({"A": 0, "B": 1, "D": 3}, value=t.leads.c.importance, else_=2)
BEST = (BY_HAND, t.leads.c.chance.desc().nulls_last(), t.leads.c.score.desc())
COLUMNS = [f.name for f in fields(Lead) if f.name not in {"owner", "id"}]
KEYS_PER_QUERY = 400
LEAST_DIGITS = 4
"""Of a number to call, which a search of the pool must not find."""
PARTING = {
    Kind.RELEASED, Kind.RETURNED, Kind.RECLAIMED, Kind.LEFT, Kind.TRANSFERRED, Kind.DECLINED,
}  # fmt: skip
"""What ends somebody's ownership: it names them as ``from``, or they did it themselves."""


@dataclass(frozen=True, slots=True)
class Past:
    """An event as it is told: with the name of who did it."""

    lead_id: LeadId
    kind: Kind
    at: datetime
    by: Member | None
    text: str
    data: Mapping[str, Any]
    id: int = 0

    @property
    def by_id(self) -> int | None:
        return self.by.id if self.by else None


@dataclass(frozen=True, slots=True)
class Leads:
    conn: AsyncConnection
    members: Members

    # -- one lead ------------------------------------------------------------

    async def get(self, lead_id: int) -> Lead:
        """Raises NotFound. On PostgreSQL the row is ours until the commit."""
        return await self.one(lead_id, lock=True)

    async def one(self, lead_id: int, *, lock: bool = False) -> Lead:
        """The lead as it is, to be read. Raises NotFound."""
        found = await self.many([lead_id], lock=lock)
        if not found:
            raise NotFound(lead_id)
        return found[0]

    async def many(self, ids: Iterable[int], *, lock: bool = False) -> Sequence[Lead]:
        query = select(t.leads).where(t.leads.c.id.in_(sorted(set(ids)))).order_by(t.leads.c.id)
        return await self._read(query.with_for_update() if lock else query)

    async def _read(self, query: Any) -> Sequence[Lead]:
        team = await self.members.all()
        return [lead_of(row, team) for row in (await self.conn.execute(query)).mappings()]

    async def save(self, changes: Sequence[Change]) -> None:
        """Write leads that are stored already, and their events. Raises Stale."""
        leads = list({change.lead.id: change.lead for change in changes}.values())
        if len(leads) == 1:
            await self._set(leads[0], _row(leads[0]))
        else:
            await self._save_many(leads)
        await self.write([(change.lead.id, change.event) for change in changes])

    async def _set(self, lead: Lead, values: Mapping[str, Any]) -> None:
        done = await self.conn.execute(
            update(t.leads)
            .where(t.leads.c.id == lead.id, t.leads.c.version == lead.version)
            .values({**values, "version": lead.version + 1})
        )
        if done.rowcount != 1:
            raise _moved_on(lead)

    async def _save_many(self, leads: Sequence[Lead]) -> None:
        """The same for a batch, with as many statements as for two. Raises Stale."""
        if not leads:
            return
        ids = [lead.id for lead in leads]
        found = select(t.leads.c.id, t.leads.c.version).where(t.leads.c.id.in_(ids))
        rows = await self.conn.execute(found.order_by(t.leads.c.id).with_for_update())
        stored = {row.id: row.version for row in rows}
        for lead in leads:
            if stored.get(lead.id) != lead.version:
                raise _moved_on(lead)
        await self.conn.execute(
            update(t.leads).where(t.leads.c.id == bindparam("lead")),
            [{**_row(lead), "version": lead.version + 1, "lead": lead.id} for lead in leads],
        )

    async def plan(self, leads: Sequence[Lead]) -> None:
        """Write when the clock acts on ``leads`` next: nothing happened to them. Raises Stale."""
        for lead in leads:
            planned = {"due_at": lead.due_at, "due": lead.due, "scope": lead.scope}
            await self._set(lead, planned)

    async def add(self, changes: Sequence[Change]) -> Sequence[LeadId]:
        """Store new leads with their first events; their numbers, in the same order."""
        if not changes:
            return []
        numbers = await self._numbers(len(changes))
        await self.conn.execute(
            insert(t.leads),
            [_row(c.lead) | {"id": n} for c, n in zip(changes, numbers, strict=True)],
        )
        return numbers

    async def _numbers(self, count: int) -> Sequence[LeadId]:
        """Fresh numbers. Asking for them first keeps the insert one statement on both databases.

        SQLite's only writer may count for itself: a lead is never deleted.
        """
        if self.conn.dialect.name == "postgresql":
            rows = await self.conn.execute(
                text("SELECT nextval('leads_id_seq') FROM generate_series(1, :count)"),
                {"count": count},
            )
            return [LeadId(row[0]) for row in rows]
        last = await self.conn.scalar(select(func.max(t.leads.c.id))) or 0
        return [LeadId(last + n) for n in range(1, count + 1)]

    async def write(self, lines: Sequence[tuple[int, Event]]) -> None:
        if lines:
            await self.conn.execute(
                insert(t.events),
                [
                    {
                        "lead_id": lead_id,
                        "kind": event.kind,
                        "by_id": event.by,
                        "at": event.at,
                        "text": event.text,
                        "data": dict(event.data),
                    }
                    for lead_id, event in lines
                ],
            )

    # -- who is who ----------------------------------------------------------

    async def known(self, keys: Sequence[Key]) -> Mapping[Key, Sequence[int]]:
        """The leads behind each of ``keys``."""
        found: dict[Key, list[int]] = {}
        wanted = list(dict.fromkeys(keys))
        for start in range(0, len(wanted), KEYS_PER_QUERY):
            part = [(k.kind, k.value) for k in wanted[start : start + KEYS_PER_QUERY]]
            rows = await self.conn.execute(
                select(t.keys)
                .where(tuple_(t.keys.c.kind, t.keys.c.value).in_(part))
                .order_by(t.keys.c.lead_id)
            )
            for row in rows:
                found.setdefault(Key(row.kind, row.value), []).append(row.lead_id)
        return found

    async def remember(self, keys: Sequence[tuple[Key, int]]) -> None:
        if keys:
            await self.conn.execute(
                upsert(self.conn, t.keys).on_conflict_do_nothing(),
                [{"kind": k.kind, "value": k.value, "lead_id": lead} for k, lead in keys],
            )

    async def keys_of(self, ids: Sequence[int]) -> Mapping[int, Sequence[Key]]:
        """Everything each of these leads was ever recognised by."""
        held: dict[int, list[Key]] = {}
        rows = await self.conn.execute(select(t.keys).where(t.keys.c.lead_id.in_(ids)))
        for row in rows:
            held.setdefault(row.lead_id, []).append(Key(row.kind, row.value))
        return held

    async def move_keys(self, keys: Sequence[Key], source: int, to: int) -> None:
        """What identified the one now identifies the other."""
        await self.forget_keys(keys, source)
        await self.remember([(key, to) for key in keys])

    async def forget_keys(self, keys: Sequence[Key], lead_id: int) -> None:
        for start in range(0, len(keys), KEYS_PER_QUERY):
            part = [(k.kind, k.value) for k in keys[start : start + KEYS_PER_QUERY]]
            await self.conn.execute(
                delete(t.keys).where(
                    t.keys.c.lead_id == lead_id, tuple_(t.keys.c.kind, t.keys.c.value).in_(part)
                )
            )

    async def mark_doubles(self, doubles: Mapping[int, Sequence[int]]) -> None:
        """These leads may be the same people as those; somebody will decide."""
        if doubles:
            await self.conn.execute(
                update(t.leads)
                .where(t.leads.c.id == bindparam("lead"))
                .values(doubles=bindparam("others", type_=t.Json)),
                [{"lead": lead, "others": list(others)} for lead, others in doubles.items()],
            )

    # -- lists ---------------------------------------------------------------

    async def pool(
        self, by: Member, words: str, limits: Limits, now: datetime, page: tuple[int, int]
    ) -> tuple[Sequence[Lead], int]:
        """What ``by`` may claim or give to somebody, best first, and how many there are.

        ``page``: how many of them, and after how many. What is masked is not searched.
        """
        limit, skip = page
        scopes = visible(by, limits)
        fresh = t.leads.c.placed_at > now - limits.embargo
        free = and_(t.leads.c.hold == "", or_(~fresh, t.leads.c.grab))
        found = and_(
            t.leads.c.place == Place.POOL,
            OPEN,
            true() if scopes is None else t.leads.c.scope.in_(scopes),
            true() if may_give(by, limits) else free,
            *_unmasked(words, ("region", "product", "industry", "source")),
        )
        count = await self.conn.scalar(select(func.count()).where(found))
        ordered = (
            select(t.leads).where(found).order_by(*BEST, t.leads.c.id).offset(skip).limit(limit)
        )
        return await self._read(ordered), int(count or 0)

    async def of_pools(self, scopes: Sequence[str], limit: int) -> Sequence[Lead]:
        """What lies in these pools, the newest first."""
        query = select(t.leads).where(
            t.leads.c.place == Place.POOL, OPEN, t.leads.c.scope.in_(scopes)
        )
        return await self._read(query.order_by(t.leads.c.placed_at.desc()).limit(limit))

    async def mine(self, by: Member, limit: int, skip: int = 0) -> tuple[Sequence[Lead], int]:
        found = and_(t.leads.c.owner_id == by.id, OPEN)
        count = await self.conn.scalar(select(func.count()).where(found))
        page = (
            select(t.leads)
            .where(found)
            .order_by(t.leads.c.due_at.nulls_last(), t.leads.c.id)
            .offset(skip)
            .limit(limit)
        )
        return await self._read(page), int(count or 0)

    async def today(self, by: Member, until: datetime) -> Sequence[Lead]:
        """What ``by`` should work on until ``until``: what is due, what waits for a call."""
        called = t.leads.c.called_at
        waits = or_(called.is_(None), called < t.leads.c.asked_at)
        due = or_(waits, t.leads.c.next_at < until, t.leads.c.due_at < until)
        mine = and_(t.leads.c.owner_id == by.id, func.coalesce(LEFT_ALONE, false()).is_(False))
        query = select(t.leads).where(mine, OPEN, due)
        return await self._read(query.order_by(t.leads.c.id))

    async def conversion(self, since: datetime) -> Mapping[str, tuple[int, int]]:
        """Of each source, how many leads captured since then were won, and how many there were."""
        won = func.sum(case((t.leads.c.qualification == "won", 1), else_=0))
        rows = await self.conn.execute(
            select(t.leads.c.source, won.label("won"), func.count().label("n"))
            .where(t.leads.c.captured_at >= since)
            .group_by(t.leads.c.source)
        )
        return {row.source: (int(row.won or 0), row.n) for row in rows}

    async def left_behind(self, owners: Sequence[int], limit: int) -> Sequence[Lead]:
        """Open leads of ``owners``, who are no longer with us."""
        query = select(t.leads).where(t.leads.c.owner_id.in_(owners), OPEN)
        return await self._read(query.order_by(t.leads.c.id).limit(limit).with_for_update())

    async def held(self, by: Member) -> Sequence[Lead]:
        """Every open lead of ``by``, to be changed."""
        query = select(t.leads).where(t.leads.c.owner_id == by.id, OPEN)
        return await self._read(query.order_by(t.leads.c.id).with_for_update())

    async def after(self, lead_id: int, limit: int) -> Sequence[Lead]:
        """The next leads that have a deadline or wait at a gate, by their numbers, to be changed."""
        timed = or_(t.leads.c.place != Place.MARKETING, t.leads.c.hold != "")
        query = select(t.leads).where(t.leads.c.id > lead_id, timed, OPEN)
        return await self._read(query.order_by(t.leads.c.id).limit(limit).with_for_update())

    async def search(self, by: Member, words: str, limit: int) -> Sequence[Lead]:
        """Leads that ``by`` may see whole and whose name, company or phone contains ``words``."""
        query = (
            select(t.leads)
            .where(_seen_by(by))
            .where(*_about(words, ("name", "company", "phone", "email", "wechat")))
            .order_by(t.leads.c.id.desc())
            .limit(limit)
        )
        return await self._read(query)

    async def waiting(self, limit: int) -> tuple[Sequence[Lead], int]:
        """Leads the managers were asked about, in the pool: nobody suited, or the owner left."""
        asked = or_(t.leads.c.stage == Stage.NEW, t.leads.c.why.endswith(HANDED_OVER))
        found = and_(t.leads.c.place == Place.POOL, OPEN, asked, t.leads.c.hold == "")
        count = await self.conn.scalar(select(func.count()).where(found))
        query = select(t.leads).where(found).order_by(t.leads.c.id).limit(limit)
        return await self._read(query), int(count or 0)

    async def unseen(self, by: Member, limit: int, skip: int = 0) -> tuple[Sequence[Lead], int]:
        """What ``by`` has yet to accept, or knows from a list only; the newest first."""
        mine = t.leads.c.owner_id == by.id
        listed = exists().where(
            t.outbox.c.lead_id == t.leads.c.id,
            t.outbox.c.member_id == by.id,
            t.outbox.c.listed_at.is_not(None),
        )
        free = true() if by.manages else or_(mine, t.leads.c.owner_id.is_(None))
        found = and_(OPEN, or_(and_(mine, t.leads.c.accepted_at.is_(None)), and_(listed, free)))
        return await self._newest(found, limit, skip)

    async def nurtured(self, limit: int) -> tuple[Sequence[Lead], int]:
        """What marketing has, the newest first."""
        return await self._newest(and_(t.leads.c.place == Place.MARKETING, OPEN), limit)

    async def _newest(
        self, found: ColumnElement[bool], limit: int, skip: int = 0
    ) -> tuple[Sequence[Lead], int]:
        count = await self.conn.scalar(select(func.count()).select_from(t.leads).where(found))
        newest = select(t.leads).where(found).order_by(t.leads.c.placed_at.desc(), t.leads.c.id)
        return await self._read(newest.offset(skip).limit(limit)), int(count or 0)

    async def page(
        self, source: str | None, after: int, limit: int, conditions: Mapping[str, str]
    ) -> Sequence[Lead]:
        """Leads with a number above ``after``, for the API; of one source or of all."""
        query = select(t.leads).where(t.leads.c.id > after)
        if source is not None:
            query = query.where(t.leads.c.source == source)
        for name, value in conditions.items():
            query = query.where(t.leads.c[name] == value)
        return await self._read(query.order_by(t.leads.c.id).limit(limit))

    async def due(self, until: datetime, limit: int) -> Sequence[Lead]:
        """Leads the clock has to act on, the earliest and best first; each process takes others."""
        query = (
            select(t.leads)
            .where(t.leads.c.due_at <= until)
            .order_by(t.leads.c.due_at, t.leads.c.score.desc(), t.leads.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return await self._read(query)

    async def cooling(self, until: datetime, limit: int) -> Sequence[Lead]:
        """Leads whose score has to be derived again; each process takes others."""
        query = (
            select(t.leads)
            .where(t.leads.c.cools_at <= until)
            .order_by(t.leads.c.cools_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return await self._read(query)

    async def regrade(self, leads: Sequence[Lead]) -> None:
        """Write the scores of leads that this transaction holds, and nothing else of them."""
        if leads:
            values = ("score", "grade", "cools_at")
            columns: dict[str, Any] = {name: bindparam(f"new_{name}") for name in values}
            await self.conn.execute(
                update(t.leads)
                .where(t.leads.c.id == bindparam("lead"))
                .values(
                    **columns,
                    points=bindparam("new_points", type_=t.Json),
                    version=t.leads.c.version + 1,
                ),
                [
                    {"lead": lead.id, "new_points": [list(part) for part in lead.points]}
                    | {f"new_{name}": getattr(lead, name) for name in values}
                    for lead in leads
                ],
            )

    # -- counts --------------------------------------------------------------

    async def loads(self) -> Mapping[int, int]:
        """How many open leads each member owns, by member id."""
        return await open_loads(self.conn)

    async def claims_since(self, by: Member, since: datetime) -> int:
        """Claims are events: returning one gives none back."""
        count = await self.conn.scalar(
            select(func.count()).where(
                t.events.c.by_id == by.id,
                t.events.c.at >= since,
                t.events.c.kind == Kind.CLAIMED,
            )
        )
        return int(count or 0)

    # -- history -------------------------------------------------------------

    async def history(self, ids: Iterable[int]) -> Mapping[int, Sequence[Past]]:
        """Every line of each lead's history, oldest first."""
        team = await self.members.all()
        lines: dict[int, list[Past]] = {}
        rows = await self.conn.execute(
            select(t.events)
            .where(t.events.c.lead_id.in_(sorted(set(ids))))
            .order_by(t.events.c.lead_id, t.events.c.id)
        )
        for row in rows:
            lines.setdefault(row.lead_id, []).append(_past(row, team))
        return lines

    async def story(self, lead_id: int) -> Sequence[Past]:
        """The history of the lead and of those that were merged into it, oldest first."""
        lines = await self.history(await self.with_merged(lead_id))
        return sorted((past for ps in lines.values() for past in ps), key=lambda p: (p.at, p.id))

    async def with_merged(self, lead_id: int) -> Sequence[int]:
        """The lead and all that were merged into it, and into those."""
        ids = last = [lead_id]
        while last := await self._merged_into(last):
            ids = [*ids, *last]
        return ids

    async def _merged_into(self, ids: Sequence[int]) -> list[int]:
        rows = await self.conn.execute(select(t.leads.c.id).where(t.leads.c.merged_into.in_(ids)))
        return [row.id for row in rows]

    async def current(self, lead_id: int) -> Lead:
        """The lead, or the one its person was found to have. Raises NotFound."""
        lead = await self.get(lead_id)
        while lead.merged_into is not None:
            lead = await self.get(lead.merged_into)
        return lead

    async def captured_since(self, at: datetime) -> Sequence[tuple[datetime, NewLead]]:
        """Every first enquiry since then as it came, the oldest first."""
        agreed = (
            select(func.max(t.consents.c.text))
            .where(t.consents.c.lead_id == t.events.c.lead_id, t.consents.c.given)
            .where(t.consents.c.made_at == t.events.c.at)
            .scalar_subquery()
        )
        query = select(t.events, agreed.label("agreed"))
        first = query.where(t.events.c.kind == Kind.CAPTURED, t.events.c.at >= at)
        rows = await self.conn.execute(first.order_by(t.events.c.at, t.events.c.id))
        return [
            (row.at, replace(recalled(row.text, row.data), consent_text=row.agreed or ""))
            for row in rows
        ]

    async def did(
        self, ids: Sequence[int], but: Collection[int] = ()
    ) -> Mapping[int, Sequence[Signal]]:
        """What each of these prospects did that is worth points, oldest first.

        Also what was done while they were taken for two; not what was split off, nor the
        events ``but``.
        """
        found: dict[int, list[Signal]] = {}
        if not ids:
            return found
        family = self._family(ids)
        rows = await self.conn.execute(
            select(family.c.root, t.events.c.id, t.events.c.kind, t.events.c.at, t.events.c.data)
            .join(family, family.c.id == t.events.c.lead_id)
            .where(t.events.c.kind.in_([*DID, Kind.SPLIT]))
            .order_by(t.events.c.id)
        )
        lines = rows.all()
        gone = {*but, *(row.data.get("of") for row in lines if row.kind == Kind.SPLIT)}
        for row in lines:
            if row.id not in gone:
                said = signals(Kind(row.kind), row.at, row.data)
                found.setdefault(row.root, []).extend(said)
        return found

    def _family(self, ids: Sequence[int]) -> CTE:
        """Each of these leads with all that were merged into it, and into those."""
        mine = select(t.leads.c.id.label("root"), t.leads.c.id).where(t.leads.c.id.in_(ids))
        family = mine.cte("family", recursive=True)
        more = select(family.c.root, t.leads.c.id).join(
            family, t.leads.c.merged_into == family.c.id
        )
        return family.union_all(more)

    async def told(self, ids: Sequence[int]) -> Mapping[int, Sequence[Told]]:
        """What was logged of each of these leads, as corrected and not undone, oldest first."""
        kinds = [Kind.FOLLOWED, Kind.CORRECTED, Kind.UNDONE]
        rows = await self.conn.execute(
            select(t.events)
            .where(t.events.c.lead_id.in_(ids), t.events.c.kind.in_(kinds))
            .order_by(t.events.c.lead_id, t.events.c.id)
        )
        lines: dict[int, list[Row[Any]]] = {}
        for row in rows:
            lines.setdefault(row.lead_id, []).append(row)
        return {lead_id: told(of_lead) for lead_id, of_lead in lines.items()}

    async def newest(self, ids: Sequence[int]) -> Mapping[int, Past]:
        """The last thing somebody did with each of these leads; WeCom greets by itself in their name."""
        last = (
            select(func.max(t.events.c.id))
            .where(t.events.c.lead_id.in_(ids), t.events.c.by_id.is_not(None))
            .where(t.events.c.kind.not_in([Kind.GREETED, Kind.UNGREETED]))
            .group_by(t.events.c.lead_id)
        )
        rows = await self.conn.execute(select(t.events).where(t.events.c.id.in_(last)))
        team = await self.members.all()
        return {row.lead_id: _past(row, team) for row in rows}

    async def last_event(self, lead_id: int) -> int:
        """The number of the newest line of the lead's history."""
        query = select(func.max(t.events.c.id)).where(t.events.c.lead_id == lead_id)
        return int(await self.conn.scalar(query) or 0)

    async def waiting_for(self, why: str, limit: int) -> Sequence[Lead]:
        """Open leads in the pool that lie there for this reason."""
        found = and_(t.leads.c.place == Place.POOL, OPEN, t.leads.c.why == why)
        query = select(t.leads).where(found).order_by(t.leads.c.id).limit(limit)
        return await self._read(query.with_for_update())

    async def since(self, lead_id: int, event_id: int) -> Sequence[Past]:
        """What happened to the lead after that event."""
        found = and_(t.events.c.lead_id == lead_id, t.events.c.id > event_id)
        rows = await self.conn.execute(select(t.events).where(found).order_by(t.events.c.id))
        team = await self.members.all()
        return [_past(row, team) for row in rows]

    @staticmethod
    def columns(lead: Lead) -> Mapping[str, Any]:
        """The lead as its row."""
        return _row(lead)

    async def rewound(self, lead: Lead, values: Mapping[str, Any]) -> Lead:
        """``lead`` with these columns as they were."""
        row = _row(lead) | {"id": lead.id} | dict(values)
        return lead_of(row, await self.members.all())

    async def parted(self, lead_id: int, since: datetime) -> Mapping[int, datetime]:
        """Who ceased to own it, or what was merged into it, after ``since``, and when last."""
        return (await self.partings([lead_id], since)).get(lead_id, {})

    async def partings(
        self, ids: Sequence[int], since: datetime
    ) -> Mapping[int, Mapping[int, datetime]]:
        """The same of several leads, those of nobody left out."""
        roots = await self._families(ids)
        rows = await self.conn.execute(
            select(t.events)
            .where(
                t.events.c.lead_id.in_(list(roots)),
                t.events.c.at > since,
                t.events.c.kind.in_(list(PARTING)),
            )
            .order_by(t.events.c.at, t.events.c.id)
        )
        ends: dict[int, dict[int, datetime]] = {}
        for row in rows:
            # Who turns down an offer, which names nobody, has not had it.
            offer = row.kind == Kind.DECLINED and "from" not in row.data
            member = None if offer else row.data.get("from") or row.by_id
            if member is not None:
                ends.setdefault(roots[row.lead_id], {})[member] = row.at
        return ends

    async def _families(self, ids: Sequence[int]) -> Mapping[int, int]:
        """These leads and all that were merged into them, each with the one of ``ids``."""
        roots = {int(n): int(n) for n in ids}
        last = list(roots)
        while last:
            merged = (t.leads.c.id, t.leads.c.merged_into)
            rows = await self.conn.execute(select(*merged).where(t.leads.c.merged_into.in_(last)))
            more = {row.id: roots[row.merged_into] for row in rows}
            last = [n for n in more if n not in roots]
            roots |= more
        return roots

    async def invited(self, lead_id: int) -> Sequence[int] | None:
        """Who may take what was last put up for grabs; None: everybody of its pool."""
        return (await self.invitations([lead_id])).get(lead_id)

    async def invitations(self, ids: Sequence[int]) -> Mapping[int, Sequence[int]]:
        """The same of several leads; what everybody may take is left out."""
        if not ids:
            return {}
        grabs = (t.events.c.lead_id.in_(ids), t.events.c.kind == Kind.GRAB)
        last = select(func.max(t.events.c.id)).where(*grabs).group_by(t.events.c.lead_id)
        rows = await self.conn.execute(select(t.events).where(t.events.c.id.in_(last)))
        return {row.lead_id: row.data["grab"] for row in rows if not row.data.get("open")}

    async def owners(self, lead_id: int) -> Sequence[MemberId]:
        """Everybody who had the lead; who had it last is last."""
        return (await self.owners_of([lead_id])).get(lead_id, ())

    async def owners_of(self, ids: Sequence[int]) -> Mapping[int, Sequence[MemberId]]:
        """Everybody who had each of these leads; who had it last is last."""
        query = select(t.events).where(t.events.c.lead_id.in_(ids))
        had = {Kind.CLAIMED, Kind.ACCEPTED, Kind.TRANSFERRED, Kind.FOLLOWED, Kind.RETURNED,
               Kind.RELEASED, Kind.RECLAIMED, Kind.UNDONE}  # fmt: skip
        rows = await self.conn.execute(
            query.where(t.events.c.kind.in_(list(had))).order_by(t.events.c.id)
        )
        held: dict[int, list[MemberId]] = {}
        for row in rows:
            # What was taken back gave the lead to whom its event names, not to who took it back.
            back = row.kind == Kind.UNDONE
            member = row.data.get("to") or row.data.get("from") or (None if back else row.by_id)
            if member is not None:
                held.setdefault(row.lead_id, []).append(MemberId(member))
        return {
            lead: tuple(reversed(dict.fromkeys(reversed(members))))
            for lead, members in held.items()
        }

    async def decliners(self, lead_id: int) -> Sequence[int]:
        """Everybody who said no to the lead."""
        rows = await self.conn.execute(
            select(t.events.c.by_id).where(
                t.events.c.lead_id == lead_id, t.events.c.kind == Kind.DECLINED
            )
        )
        return [row.by_id for row in rows if row.by_id is not None]


def _seen_by(by: Member) -> ColumnElement[bool]:
    """The leads that may be theirs to see; ``may_see`` decides about each."""
    masked = and_(t.leads.c.place == Place.POOL, t.leads.c.owner_id.is_(None))
    if by.manages:
        return ~masked
    helping = t.leads.c.experts.cast(Text).contains(f'"{by.id}":', autoescape=True)
    mine = or_(t.leads.c.owner_id == by.id, and_(helping, ~masked))
    if by.role == Role.MARKETING:
        return or_(mine, t.leads.c.place == Place.MARKETING)
    return mine


def _unmasked(words: str, columns: Sequence[str]) -> list[ColumnElement[bool]]:
    """A number that may be somebody's finds nothing, wherever it is written, also in pieces."""
    return [false()] if len(re.findall(r"\d", words)) >= LEAST_DIGITS else _about(words, columns)


def _about(words: str, columns: Sequence[str]) -> list[ColumnElement[bool]]:
    """Each word has to occur in one of ``columns``; 华东 is found in every province of it."""
    return [
        or_(
            *(
                t.leads.c[name].icontains(part, autoescape=True)
                for name in columns
                for part in (word, *BIG_REGIONS.get(word, ()))
            )
        )
        for word in words.split()
    ]


def _moved_on(lead: Lead) -> Stale:
    return Stale(f"lead {lead.id} moved on from version {lead.version}")


def _past(row: Row[Any], team: Mapping[int, Member]) -> Past:
    return Past(
        LeadId(row.lead_id),
        Kind(row.kind),
        row.at,
        team.get(row.by_id),
        row.text,
        row.data,
        row.id,
    )


def _row(lead: Lead) -> dict[str, Any]:
    row = {name: getattr(lead, name) for name in COLUMNS}
    return row | {
        "owner_id": lead.owner.id if lead.owner else None,
        "refused": list(lead.refused),
        "doubles": list(lead.doubles),
        "linked": list(lead.linked),
        "other_names": list(lead.other_names),
        "utm": dict(lead.utm),
        "fields": dict(lead.fields),
        "experts": dict(lead.experts),
        "points": [list(part) for part in lead.points],
    }


def lead_of(row: Mapping[str, Any] | RowMapping, team: Mapping[int, Member]) -> Lead:
    values = {name: row[name] for name in COLUMNS}
    values |= {
        "id": LeadId(row["id"]),
        "owner": team.get(row["owner_id"]),
        "stage": Stage(row["stage"]),
        "place": Place(row["place"]),
        "due": Due(row["due"]),
        "refused": tuple(row["refused"]),
        "doubles": tuple(row["doubles"]),
        "linked": tuple(row["linked"]),
        "other_names": tuple(row["other_names"]),
        "points": tuple(Part(*part) for part in row["points"]),
    }
    return Lead(**values)


async def open_loads(conn: AsyncConnection) -> Mapping[int, int]:
    """How many open leads each member owns, by member id."""
    rows = await conn.execute(
        select(t.leads.c.owner_id, func.count().label("n"))
        .where(t.leads.c.owner_id.is_not(None), OPEN)
        .group_by(t.leads.c.owner_id)
    )
    return {row.owner_id: row.n for row in rows}
