"""The numbers of the digest, the chat and the dashboard: one query for all of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import RowMapping, false, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store import tables as t
from store.domain.channels import ChannelFigures, ChannelRule, Group, name_of, report
from store.domain.deadlines import first_response, respond_by
from store.domain.figures import Figures, PersonFigures, SourceFigures
from store.domain.lead import CLOSED, QUALIFICATIONS, Kind, Place, Stage
from store.domain.rules import Rules
from store.domain.shares import Distribution, Share, Step, Steps
from store.domain.team import Role
from store.domain.undo import WINDOW
from store.leads import LEFT_ALONE, lead_of, open_loads
from store.members import Members

CHANGES = (
    Kind.ASKED_AGAIN, Kind.STAGE, Kind.LOST, Kind.INVALID, Kind.RETURNED, Kind.RELEASED,
    Kind.TRANSFERRED, Kind.RECLAIMED, Kind.IDLE, Kind.LAPSED, Kind.CLICKED, Kind.OPTED_OUT,
)  # fmt: skip
ORIGIN = (
    t.leads.c.source, t.leads.c.channel, t.leads.c.campaign, t.leads.c.channel_class,
    t.leads.c.utm["utm_source"].as_string().label("utm_source"),
)  # fmt: skip
"""Where a lead came from."""
FUNNEL_SPAN = timedelta(days=30)
SHOWN = 8
WHOLE_SPAN = timedelta(days=7)
"""How long after a capture its first contact is looked for among what was undone."""


@dataclass(frozen=True, slots=True)
class FiguresQuery:
    conn: AsyncConnection
    members: Members
    rules: Rules

    async def of(self, day: date, now: datetime) -> Figures:
        """What happened on the local ``day``, as known at ``now``."""
        start = datetime.combine(day, time(), self.rules.zone).astimezone(UTC)
        end = datetime.combine(day + timedelta(days=1), time(), self.rules.zone).astimezone(UTC)
        team = await self.members.all()
        fresh = await self._captured(start, end)
        events = await self._events(start, end)
        late = await self._overdue(now)
        won = [e for e in events if e["kind"] == Kind.WON]
        return Figures(
            day=day,
            new=len(fresh),
            responded_in_time=await self._in_time(fresh),
            overdue=len(late),
            claimed=sum(e["kind"] == Kind.CLAIMED for e in events),
            won=len(won),
            won_amount=sum(int(e["data"].get("amount") or 0) for e in won),
            returned=sum(e["kind"] == Kind.RETURNED for e in events),
            reclaimed=sum(e["kind"] == Kind.RECLAIMED for e in events),
            changes=sum(e["kind"] in CHANGES for e in events),
            unfriended=sum(e["kind"] == Kind.UNFRIENDED for e in events),
            pool=await self._count(Place.POOL),
            marketing=await self._count(Place.MARKETING),
            funnel=await self._funnel(end - FUNNEL_SPAN, end),
            sources=_sources(fresh, won, self.rules.channels),
            people=await self._people(fresh, events, late),
            overdue_leads=tuple(
                (row["id"], row["name"], team[row["owner_id"]].name) for row in late[:SHOWN]
            ),
        )

    async def channels(self, days: int, now: datetime) -> tuple[ChannelFigures, ...]:
        """What the leads of the last ``days`` days became, by channel, and what they cost.

        A lead counts where its person first came from; one that was merged counts once.
        """
        lead = t.leads.c
        origin = (lead.source, lead.channel, lead.campaign, lead.channel_class)
        counted = func.count().label("n"), func.sum(lead.amount).label("amount")
        medium = lead.utm["utm_source"].as_string().label("utm_source")
        grouped = (*origin, lead.qualification, medium)
        rows = await self.conn.execute(
            select(*grouped, *counted)
            .where(lead.captured_at >= now - timedelta(days=days), lead.merged_into.is_(None))
            .group_by(*grouped)
        )
        groups = [
            Group(
                source=row.source,
                channel=row.channel,
                campaign=row.campaign,
                kind=row.channel_class,
                qualification=row.qualification,
                leads=row.n,
                amount=int(row.amount or 0),
                utm={"utm_source": row.utm_source or ""},
            )
            for row in rows
        ]
        return report(groups, self.rules.channels, days, self.rules.margin)

    async def steps(self, days: int, now: datetime) -> Steps:
        """How far the leads of the last ``days`` came, UQL to won, and who took them there."""
        start = now - timedelta(days=days)
        rows = await self.conn.execute(
            select(t.leads.c.qualification, func.count().label("n"))
            .where(t.leads.c.captured_at >= start, t.leads.c.merged_into.is_(None))
            .group_by(t.leads.c.qualification)
        )
        counts = {row.qualification: row.n for row in rows}
        said = await self._qualified(start, now)
        return Steps(
            days=days,
            steps=tuple(
                Step(
                    name=name,
                    count=sum(counts.get(later, 0) for later in QUALIFICATIONS[place:]),
                    by=tuple(said[name].most_common()),
                )
                for place, name in enumerate(QUALIFICATIONS)
            ),
            stages=await self._funnel(start, now),
        )

    async def _qualified(self, start: datetime, now: datetime) -> Mapping[str, Counter[str]]:
        """Qualification → who made leads captured since ``start`` that; what was undone nobody."""
        team = await self.members.all()
        rows = await self.conn.execute(
            select(t.events.c.lead_id, t.events.c.kind, t.events.c.by_id, t.events.c.data)
            .join(t.leads, t.leads.c.id == t.events.c.lead_id)
            .where(t.events.c.kind.in_([Kind.QUALIFIED, Kind.STAGE, Kind.WON]))
            .where(t.events.c.at >= start, t.leads.c.captured_at >= start)
            .where(t.leads.c.merged_into.is_(None))
            .where(t.events.c.id.not_in(await self._undone(start, now)))
        )
        said: dict[str, Counter[str]] = {name: Counter() for name in QUALIFICATIONS}
        for row in rows:
            to = "won" if row.kind == Kind.WON else (row.data.get("qualification") or ("", ""))[1]
            who = team[row.by_id].name if row.by_id in team else "分数"
            if to in said:
                said[to][who] += 1
        return said

    async def distribution(self, start: datetime, end: datetime) -> Distribution:
        """Who was offered how many leads, and what their weight would have given them."""
        rows = await self.conn.execute(
            select(t.events.c.kind, t.events.c.by_id, t.events.c.data)
            .where(t.events.c.kind.in_([Kind.ASSIGNED, Kind.ACCEPTED]))
            .where(t.events.c.at >= start, t.events.c.at <= end)
            .where(t.events.c.id.not_in(await self._undone(start, end)))
        )
        given: Counter[int] = Counter()
        accepted: Counter[int] = Counter()
        by_hand = 0
        for row in rows:
            if row.kind == Kind.ACCEPTED:
                accepted[row.by_id] += 1
            else:
                given[row.data.get("to")] += 1
                by_hand += row.by_id is not None
        reps = await self.members.active(Role.REP)
        total, weights = sum(given[m.id] for m in reps), sum(m.weight for m in reps)
        shares = [
            Share(
                name=m.name,
                given=given[m.id],
                accepted=accepted[m.id],
                due=total * m.weight / weights,
            )
            for m in reps
        ]
        return Distribution(shares=tuple(shares), by_hand=by_hand)

    async def _captured(self, start: datetime, end: datetime) -> Sequence[RowMapping]:
        captured = t.leads.c.captured_at
        rows = await self.conn.execute(
            select(t.leads.c.id, t.leads.c.owner_id, captured, t.leads.c.score, *ORIGIN)
            .where(captured >= start, captured < end)
        )  # fmt: skip
        return rows.mappings().all()

    async def _events(self, start: datetime, end: datetime) -> Sequence[RowMapping]:
        counted = [Kind.CLAIMED, Kind.WON, Kind.FOLLOWED, Kind.UNFRIENDED, *CHANGES]
        rows = await self.conn.execute(
            select(t.events.c.kind, t.events.c.by_id, t.events.c.data, *ORIGIN)
            .join(t.leads, t.leads.c.id == t.events.c.lead_id)
            .where(t.events.c.kind.in_(counted), t.events.c.at >= start, t.events.c.at < end)
            .where(t.events.c.id.not_in(await self._undone(start, end)))
        )
        return rows.mappings().all()

    async def _undone(self, start: datetime, end: datetime) -> Sequence[int]:
        """The events of that time that were taken back and count no more."""
        rows = await self.conn.execute(
            select(t.events.c.data).where(
                t.events.c.kind == Kind.UNDONE,
                t.events.c.at >= start,
                t.events.c.at < end + WINDOW,
            )
        )
        return [int(n) for row in rows for n in row.data.get("undid", ())]

    async def _in_time(self, fresh: Sequence[RowMapping]) -> int:
        """How many of the day's leads were contacted before their first-response target."""
        if not fresh:
            return 0
        start = min(row["captured_at"] for row in fresh)
        rows = await self.conn.execute(
            select(t.events.c.lead_id, func.min(t.events.c.at).label("at"))
            .where(t.events.c.kind.in_([Kind.FOLLOWED, Kind.STAGE, Kind.WON]))
            .where(t.events.c.at >= start)
            .where(t.events.c.id.not_in(await self._undone(start, start + WHOLE_SPAN)))
            .group_by(t.events.c.lead_id)
        )
        first = {row.lead_id: row.at for row in rows}
        limits, calendar = self.rules.limits, self.rules.calendar
        return sum(
            row["id"] in first
            and first[row["id"]]
            <= calendar.add(row["captured_at"], first_response(row["score"], limits))
            for row in fresh
        )

    async def _overdue(self, now: datetime) -> Sequence[RowMapping]:
        """Owned leads nobody has called although the target is past, the oldest first."""
        rows = await self.conn.execute(
            select(t.leads).where(
                t.leads.c.owner_id.is_not(None),
                t.leads.c.stage.not_in(list(CLOSED)),
                or_(t.leads.c.called_at.is_(None), t.leads.c.called_at < t.leads.c.asked_at),
                func.coalesce(LEFT_ALONE, false()).is_(False),
            )
        )
        team = await self.members.all()

        def due(row: RowMapping) -> datetime:
            return respond_by(lead_of(row, team), self.rules.limits, self.rules.calendar)

        late = [(due(row), row) for row in rows.mappings()]
        return [row for at, row in sorted(late, key=lambda x: (x[0], x[1]["id"])) if at < now]

    async def _count(self, place: Place) -> int:
        count = await self.conn.scalar(
            select(func.count()).where(
                t.leads.c.place == place, t.leads.c.stage.not_in(list(CLOSED))
            )
        )
        return int(count or 0)

    async def _funnel(self, start: datetime, end: datetime) -> tuple[tuple[str, int], ...]:
        """How far the leads of the last month came; each count is part of the one before."""
        reached = t.leads.c.called_at.is_not(None).label("reached")
        won = (t.leads.c.qualification == "won").label("won")
        rows = await self.conn.execute(
            select(t.leads.c.stage, reached, won, func.count().label("n"))
            .where(t.leads.c.captured_at >= start, t.leads.c.captured_at < end)
            .where(t.leads.c.merged_into.is_(None))
            .group_by(t.leads.c.stage, reached, won)
        )
        funnel = (Stage.NEW, Stage.ASSIGNED, *self.rules.stages, Stage.WON)
        counts: Counter[Stage] = Counter()
        for row in rows:
            stage = Stage.WON if row.won else Stage(row.stage)
            if stage in {Stage.LOST, Stage.INVALID}:
                stage = Stage.FOLLOWING if row.reached else Stage.ASSIGNED
            # A stage nobody uses any more was work all the same.
            counts[stage if stage in funnel else Stage.FOLLOWING] += row.n
        return tuple(
            (stage.label, sum(counts[later] for later in funnel[i:]))
            for i, stage in enumerate(funnel)
        )

    async def _people(
        self,
        fresh: Sequence[RowMapping],
        events: Sequence[RowMapping],
        late: Sequence[RowMapping],
    ) -> tuple[PersonFigures, ...]:
        new = Counter(row["owner_id"] for row in fresh)
        overdue = Counter(row["owner_id"] for row in late)
        done = Counter((e["by_id"], e["kind"]) for e in events)
        loads = await open_loads(self.conn)
        return tuple(
            PersonFigures(
                name=m.name,
                open=loads.get(m.id, 0),
                new=new[m.id],
                followed=done[m.id, Kind.FOLLOWED],
                overdue=overdue[m.id],
                won=done[m.id, Kind.WON],
            )
            for m in await self.members.active(Role.REP)
        )


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where one lead came from, as a row of the leads tells it."""

    source: str
    channel: str
    campaign: str
    utm: Mapping[str, str]


def _origin(row: RowMapping) -> _Origin:
    utm = {"utm_source": row["utm_source"] or ""}
    return _Origin(row["source"], row["channel"], row["campaign"], utm)


def _sources(
    fresh: Sequence[RowMapping], won: Sequence[RowMapping], rules: Sequence[ChannelRule]
) -> tuple[SourceFigures, ...]:
    """By channel, as the ``渠道`` report counts them; of one channel's classes the commonest."""
    named = [(name_of(_origin(row), rules), row) for row in (*fresh, *won)]
    new = Counter(name for name, _ in named[: len(fresh)])
    wins = Counter(name for name, _ in named[len(fresh) :])
    kinds = {rule.name: [rule.kind] for rule in rules}
    for name, row in named:
        kinds.setdefault(name, []).append(row["channel_class"])
    names = sorted({*new, *wins}, key=lambda name: (-new[name], -wins[name], name))
    return tuple(
        SourceFigures(name=n, new=new[n], won=wins[n], kind=_commonest(kinds[n])) for n in names
    )


def _commonest(kinds: Sequence[str]) -> str:
    told = [kind for kind in kinds if kind]
    return max(told, key=told.count, default="")
