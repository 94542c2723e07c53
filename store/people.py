"""Who may be whom, and what people agreed to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store import tables as t
from store.domain.lead import Lead, LeadId
from store.domain.newlead import NewLead
from store.domain.team import MemberId
from store.upsert import upsert


@dataclass(frozen=True, slots=True)
class Doubts:
    """Pairs of leads that may be one person, asked about until somebody decides."""

    conn: AsyncConnection
    now: datetime

    async def ask(self, pairs: Sequence[tuple[int, int]]) -> None:
        if pairs:
            await self.conn.execute(
                upsert(self.conn, t.doubts).on_conflict_do_nothing(),
                [{"lead_id": a, "other_id": b, "asked_at": self.now} for a, b in pairs],
            )

    async def asked_since(self, since: datetime) -> int:
        """How many pairs have been asked about since then and wait for an answer."""
        waiting = and_(t.doubts.c.settled_at.is_(None), t.doubts.c.asked_at >= since)
        return int(await self.conn.scalar(select(func.count()).where(waiting)) or 0)

    async def of(self, lead_id: int) -> Sequence[int]:
        """The leads that this one is still compared with."""
        mine = or_(t.doubts.c.lead_id == lead_id, t.doubts.c.other_id == lead_id)
        rows = await self.conn.execute(
            select(t.doubts).where(mine, t.doubts.c.settled_at.is_(None))
        )
        return sorted({row.lead_id + row.other_id - lead_id for row in rows})

    async def told_apart(self, lead_id: int) -> set[int]:
        """The leads of which somebody decided that this one's person is another."""
        mine = or_(t.doubts.c.lead_id == lead_id, t.doubts.c.other_id == lead_id)
        rows = await self.conn.execute(select(t.doubts).where(mine, t.doubts.c.same.is_(False)))
        return {row.lead_id + row.other_id - lead_id for row in rows}

    async def unask(self, lead_id: int, others: Sequence[int]) -> None:
        """Nobody has to decide about these any more: what made them alike was taken back."""
        pair = or_(
            and_(t.doubts.c.lead_id == lead_id, t.doubts.c.other_id.in_(others)),
            and_(t.doubts.c.other_id == lead_id, t.doubts.c.lead_id.in_(others)),
        )
        await self.conn.execute(delete(t.doubts).where(pair, t.doubts.c.settled_at.is_(None)))

    async def settle(self, one: int, two: int, by: MemberId, *, same: bool) -> None:
        low, high = sorted((one, two))
        decided = {"settled_at": self.now, "by_id": by, "same": same}
        row = {"lead_id": high, "other_id": low, "asked_at": self.now, **decided}
        done = await self.conn.execute(
            update(t.doubts)
            .where(
                or_(
                    and_(t.doubts.c.lead_id == one, t.doubts.c.other_id == two),
                    and_(t.doubts.c.lead_id == two, t.doubts.c.other_id == one),
                )
            )
            .values(**decided)
        )
        if not done.rowcount:
            await self.conn.execute(insert(t.doubts).values(**row))

    async def open(self, limit: int, skip: int = 0) -> tuple[Sequence[tuple[LeadId, LeadId]], int]:
        """A page of what nobody has decided, the newest first, and how many there are."""
        asked = t.doubts.c.settled_at.is_(None)
        count = await self.conn.scalar(select(func.count()).select_from(t.doubts).where(asked))
        rows = await self.conn.execute(
            select(t.doubts)
            .where(asked)
            .order_by(t.doubts.c.lead_id.desc(), t.doubts.c.other_id)
            .offset(skip)
            .limit(limit)
        )
        return [(LeadId(row.lead_id), LeadId(row.other_id)) for row in rows], int(count or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """``given`` False: taken back. ``at``: when the person said so."""

    lead_id: LeadId
    given: bool
    text: str
    source: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Consents:
    """The ledger: what was agreed to and taken back, in whose words, when and where."""

    conn: AsyncConnection
    now: datetime

    async def given(self, enquiries: Sequence[tuple[int, NewLead]]) -> None:
        """Those of ``enquiries`` that came with a consent."""
        rows = [
            self._row(lead_id, new.consent_text, new.source, new.consent_at, given=True)
            for lead_id, new in enquiries
            if new.consent_text
        ]
        if rows:
            await self.conn.execute(insert(t.consents), rows)

    async def withdrawn(self, lead: Lead, how: str) -> None:
        """``how``: the words or the way."""
        await self.conn.execute(
            insert(t.consents).values(**self._row(lead.id, how, lead.source, None, given=False))
        )

    def _row(
        self, lead_id: int, text: str, source: str, at: datetime | None, *, given: bool
    ) -> dict[str, object]:
        return {
            "lead_id": lead_id, "given": given, "text": text, "source": source,
            "at": at or self.now, "made_at": self.now,
        }  # fmt: skip

    async def move(self, new: NewLead, made_at: datetime, source: int, to: int) -> None:
        """What came with an enquiry goes with it, when it turns out to be another person's."""
        entry = t.consents.c
        agreed = and_(
            entry.given.is_(True), entry.source == new.source, entry.text == new.consent_text
        )
        took_back = and_(entry.given.is_(False), entry.text == new.message)
        await self.conn.execute(
            update(t.consents)
            .where(entry.lead_id == source, entry.made_at == made_at, or_(agreed, took_back))
            .values(lead_id=to)
        )

    async def also(self, withdrawals: Sequence[Consent], lead: Lead) -> None:
        """These were said by ``lead``'s person, too, or nobody can tell by whom."""
        for one in withdrawals:
            row = self._row(lead.id, one.text, one.source, one.at, given=False)
            await self.conn.execute(insert(t.consents).values(**row))

    async def withdrawals(self, lead_ids: Sequence[int]) -> Sequence[Consent]:
        """What these people took back, oldest first."""
        return [entry for entry in await self.of(lead_ids) if not entry.given]

    async def of(self, lead_ids: Sequence[int]) -> Sequence[Consent]:
        """Every entry of these leads, oldest first."""
        rows = await self.conn.execute(
            select(t.consents).where(t.consents.c.lead_id.in_(lead_ids)).order_by(t.consents.c.id)
        )
        return [
            Consent(
                lead_id=LeadId(row.lead_id), given=row.given, text=row.text, source=row.source,
                at=row.at,
            )
            for row in rows
        ]  # fmt: skip
