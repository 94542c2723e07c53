"""
What should be on people's phones.

One row per message on one phone, named by its key. A handler puts the newest
payload; the relay makes the phone match. Putting twice before the relay comes
by sends once, and the newest payload wins.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import (
    ColumnElement,
    Row,
    String,
    and_,
    case,
    cast,
    delete,
    exists,
    func,
    literal,
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from store import tables as t
from store.domain.quota import Rank
from store.domain.team import Channel
from store.upsert import upsert

LEASE = timedelta(seconds=60)
CODE_LIFE = timedelta(hours=71, minutes=50)
"""How long a card can be changed with a code: 72 h (D:94888), less the time it takes to get there."""
REPEATS = timedelta(days=1)
"""How long ago the same may have been said, so that saying it again is meant."""
HOLD = timedelta(seconds=10)
"""How long a card that goes back with an answer is not sent: the answer takes two seconds at most."""
FIRST = t.outbox.c.channel != Channel.WECOM_WELCOME
"""A welcome is worth nothing after 20 seconds (D:92137): it overtakes whatever waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """``ring``: a new message that is noticed, not a silent change of the one that is there.

    ``lead_id`` marks a card of one lead, so that everybody who holds one can be found.
    ``rank``: what goes first when it gets tight.
    """

    key: str
    channel: Channel
    account: str
    payload: dict[str, Any]
    ring: bool = False
    lead_id: int | None = None
    member_id: int | None = None
    not_before: datetime | None = None
    rank: Rank = Rank.TOLD


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A message to be shown. ``ref`` is what the sender returned the last time."""

    key: str
    channel: Channel
    account: str
    payload: dict[str, Any]
    version: int
    attempts: int
    ring: bool
    ref: dict[str, Any] | None
    lease: str = field(repr=False, default="")
    rank: Rank = Rank.TOLD
    lead_id: int | None = None
    member_id: int | None = None
    counted_at: datetime | None = None  # in the ledger, as a message of its own
    put_at: datetime | None = None  # the same for every try of one payload
    unsure: bool = False  # a try of this payload was not answered: it may be there
    said_before: bool = False  # the same was to be shown there not long ago, and may be again


def unspent(ref: Mapping[str, Any], now: datetime) -> Sequence[dict[str, str]]:
    """The codes with which WeCom lets the card be changed, oldest first."""
    codes = sorted(ref.get("codes", ()), key=_at)
    return [code for code in codes if code["code"] and _at(code) > now - CODE_LIFE]


def _at(code: Mapping[str, str]) -> datetime:
    return datetime.fromisoformat(code["at"])


def _put(row: Row[Any]) -> Put:
    """What was put last. Whether it rang, and how much it mattered, is over."""
    return Put(
        key=row.key,
        channel=Channel(row.channel),
        account=row.account,
        payload=row.payload,
        lead_id=row.lead_id,
        member_id=row.member_id,
    )


def _track_id(ref: Mapping[str, Any] | None) -> str:
    return str((ref or {}).get("track_id", ""))


@dataclass(frozen=True, slots=True)
class Answering:
    """The variables an answer carries. ``version``: None where the row has to be sent all the same."""

    card: dict[str, Any]
    version: int | None


@dataclass(frozen=True, slots=True)
class Recent:
    """What was put lately: how many cards that are new on each member's phone, who got a list."""

    cards: Mapping[int, int] = field(default_factory=dict)
    lists: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Outbox:
    conn: AsyncConnection
    now: datetime

    async def put(self, puts: Sequence[Put]) -> None:
        """What these phones should show from now on. A card that would not change is left alone."""
        if not puts:
            return
        table = t.outbox.c
        insert = upsert(self.conn, t.outbox)
        changed = or_(
            insert.excluded.ring,
            cast(table.payload, String) != cast(insert.excluded.payload, String),
        )
        # A lead that only a list has named gets its own card when there is news for the
        # reader or the reader asks for it, not for a silent change.
        heard = or_(insert.excluded.ring, insert.excluded.rank <= Rank.ASKED)
        listed = and_(table.listed_at.is_not(None), not_(heard))
        # What is to ring in the morning is not sent, and heard, for a silent change at night.
        silent = and_(not_(insert.excluded.ring), insert.excluded.rank > Rank.ASKED)
        waits = and_(silent, table.ring, table.attempts == 0, table.due_at > self.now)
        await self.conn.execute(
            insert.on_conflict_do_update(
                index_elements=[table.key],
                set_={
                    "payload": insert.excluded.payload,
                    "version": table.version + 1,
                    "attempts": 0,
                    "error": None,
                    "unsure": False,
                    "put_at": insert.excluded.put_at,
                    # A ring that has not been sent yet is not taken back; one on its way is heard.
                    "ring": or_(insert.excluded.ring, and_(table.ring, table.lease.is_(None))),
                    "rank": case(
                        (
                            and_(table.due_at.is_not(None), table.rank < insert.excluded.rank),
                            table.rank,
                        ),
                        else_=insert.excluded.rank,
                    ),
                    "listed_at": case((listed, table.listed_at), else_=None),
                    # A row in flight stays leased: its holder will see the new version.
                    # What was to be shown sooner is not put off.
                    "due_at": case(
                        (
                            or_(
                                waits,
                                table.lease.is_not(None),
                                table.due_at < insert.excluded.due_at,
                                and_(listed, table.ref.is_(None)),
                            ),
                            table.due_at,
                        ),
                        else_=insert.excluded.due_at,
                    ),
                },
                where=changed,
            ),
            [self._row(put) for put in {put.key: put for put in puts}.values()],
        )

    def _row(self, put: Put) -> dict[str, Any]:
        at = max(put.not_before or self.now, self.now)
        return {
            "key": put.key,
            "channel": put.channel,
            "account": put.account,
            "payload": put.payload,
            "lead_id": put.lead_id,
            "member_id": put.member_id,
            "version": 1,
            "delivered": 0,
            "ring": put.ring,
            "attempts": 0,
            "due_at": at,
            "put_at": at,
            "rank": put.rank,
            "listed_at": None,
            "unsure": False,
        }

    async def holders(self, lead_ids: Sequence[int]) -> Mapping[int, Sequence[int]]:
        """Who has a card of each of these leads on their phone: lead → members."""
        return await self._cards(
            t.outbox.c.lead_id.in_(lead_ids), t.outbox.c.member_id.is_not(None)
        )

    async def behind(self, member_ids: Sequence[int]) -> Mapping[int, Sequence[int]]:
        """The cards of these members that are older than the last thing that happened to their lead.

        Lead → members, as ``holders``.
        """
        later = exists().where(
            t.events.c.lead_id == t.outbox.c.lead_id, t.events.c.at >= t.outbox.c.put_at
        )
        return await self._cards(t.outbox.c.member_id.in_(member_ids), later)

    async def _cards(self, *which: ColumnElement[bool]) -> Mapping[int, Sequence[int]]:
        found: dict[int, list[int]] = {}
        rows = await self.conn.execute(
            select(t.outbox.c.lead_id, t.outbox.c.member_id).where(*which).order_by(t.outbox.c.key)
        )
        for row in rows:
            found.setdefault(row.lead_id, []).append(row.member_id)
        return found

    async def recent(self, since: datetime) -> Recent:
        """The cards put first, and the lists put, since then."""
        of_list = t.outbox.c.lead_id.is_(None)
        rows = await self.conn.execute(
            select(t.outbox.c.member_id, of_list.label("of_list"), func.count().label("n"))
            .where(
                t.outbox.c.put_at >= since,
                t.outbox.c.member_id.is_not(None),
                or_(of_list, t.outbox.c.version == 1),
            )
            .group_by(t.outbox.c.member_id, of_list)
        )
        cards: dict[int, int] = {}
        lists = set()
        for row in rows:
            if row.of_list:
                lists.add(row.member_id)
            else:
                cards[row.member_id] = row.n
        return Recent(cards, frozenset(lists))

    async def pressed(self, key: str, account: str, task_id: str, code: str) -> bool:
        """The card that was just pressed is the one to redraw, with the code of the press.

        Whether ``account`` has that card.
        """
        row = (
            await self.conn.execute(
                select(t.outbox.c.ref).where(
                    t.outbox.c.key == key, func.lower(t.outbox.c.account) == account.lower()
                )
            )
        ).one_or_none()
        if row is None:
            return False
        known = row.ref or {}
        older = known.get("codes", []) if known.get("task_id") == task_id else []
        ref = {
            **known,
            "task_id": task_id,
            "codes": [*older, {"code": code, "at": self.now.isoformat()}],
        }
        await self.conn.execute(
            update(t.outbox).where(t.outbox.c.key == key).values(ref=ref, ring=False)
        )
        return True

    async def touched(self, key: str, account: str, track_id: str) -> bool:
        """The interactive card that was just pressed changes in place, and rings no more.

        Whether ``account`` has that card.
        """
        row = await self._of_phone(key, account)
        if row is not None and _track_id(row.ref) == track_id:
            await self.conn.execute(
                update(t.outbox).where(t.outbox.c.key == key).values(ring=False)
            )
        return row is not None

    async def answering(self, key: str, account: str, track_id: str) -> Answering | None:
        """What the pressed card shows from now on; held back, because the answer carries it.

        None when ``account`` has no such card.
        """
        row = await self._of_phone(key, account)
        if row is None or "card" not in row.payload:
            return None
        # What is in flight may land after the answer: then the newest has to follow it.
        alone = row.lease is None and not row.ring and _track_id(row.ref) == track_id
        if alone and row.due_at is not None:
            await self.conn.execute(
                update(t.outbox).where(t.outbox.c.key == key).values(due_at=self.now + HOLD)
            )
        return Answering(row.payload["card"], row.version if alone else None)

    async def answered(self, key: str, version: int) -> None:
        """The answer has arrived: the phone shows this version, unless there is a newer one."""
        await self.conn.execute(
            update(t.outbox)
            .where(
                t.outbox.c.key == key,
                t.outbox.c.version == version,
                t.outbox.c.lease.is_(None),
                t.outbox.c.ring.is_(False),
            )
            .values(delivered=version, due_at=None, error=None, attempts=0)
        )

    async def _of_phone(self, key: str, account: str) -> Row[Any] | None:
        found = await self.conn.execute(
            select(t.outbox)
            .where(t.outbox.c.key == key, func.lower(t.outbox.c.account) == account.lower())
            .with_for_update()  # SQLite has one writer and ignores this
        )
        return found.one_or_none()

    async def phone(self, key: str) -> tuple[Channel, str] | None:
        """Where the message of that name is shown: channel and account."""
        query = select(t.outbox.c.channel, t.outbox.c.account).where(t.outbox.c.key == key)
        row = (await self.conn.execute(query)).one_or_none()
        return (Channel(row.channel), row.account) if row else None

    async def show(self, key: str, payload: dict[str, Any]) -> None:
        """The message that is there says something else from now on, without a sound."""
        await self._renew(key, payload=payload, error=None)

    async def redraw(self, key: str) -> None:
        """Show the row again although it did not change: the phone has an older card."""
        await self._renew(key)

    async def _renew(self, key: str, **values: Any) -> None:
        in_flight = (t.outbox.c.lease.is_not(None), t.outbox.c.due_at)
        await self.conn.execute(
            update(t.outbox)
            .where(t.outbox.c.key == key)
            .values(
                version=t.outbox.c.version + 1,
                attempts=0,
                due_at=case(in_flight, else_=self.now),
                **values,
            )
        )

    async def drop_waiting(self, lead_id: int, channels: Sequence[Channel]) -> None:
        """What has not gone out to these channels yet never will."""
        await self.conn.execute(
            update(t.outbox)
            .where(
                t.outbox.c.lead_id == lead_id,
                t.outbox.c.channel.in_(channels),
                t.outbox.c.lease.is_(None),
            )
            .values(due_at=None, error="dropped")
        )

    async def of_lead(self, lead_id: int, channel: Channel) -> Sequence[Put]:
        """What was put last on this channel about this lead."""
        rows = await self.conn.execute(
            select(t.outbox)
            .where(t.outbox.c.lead_id == lead_id, t.outbox.c.channel == channel)
            .order_by(t.outbox.c.key)
        )
        return [_put(row) for row in rows]

    async def of_keys(self, keys: Sequence[str]) -> Sequence[Put]:
        """Those of ``keys`` that were put, as they were put last."""
        rows = await self.conn.execute(
            select(t.outbox).where(t.outbox.c.key.in_(keys)).order_by(t.outbox.c.key)
        )
        return [_put(row) for row in rows]

    async def drop_for(self, member_ids: Sequence[int]) -> None:
        """What has not reached these people yet never will: they left."""
        await self.conn.execute(
            update(t.outbox)
            .where(
                t.outbox.c.member_id.in_(member_ids),
                t.outbox.c.due_at.is_not(None),
                t.outbox.c.lease.is_(None),
            )
            .values(due_at=None, error="left")
        )

    async def keep_leads_only(self) -> None:
        """Answers and echoes of a made-up past are for nobody: only the cards of its leads stay."""
        await self.conn.execute(delete(t.outbox).where(~t.outbox.c.key.startswith("lead:")))

    async def show_again(self) -> None:
        """Every card of a lead goes out anew: the phones that had them are gone."""
        await self.conn.execute(
            update(t.outbox)
            .where(t.outbox.c.lead_id.is_not(None), t.outbox.c.member_id.is_not(None))
            .values(ref=None, lease=None, attempts=0, due_at=self.now)
        )

    async def try_again(self, channels: Sequence[Channel]) -> None:
        """What waits after a refusal goes out now, and not when the platform said."""
        await self.conn.execute(
            update(t.outbox)
            .where(
                t.outbox.c.due_at > self.now,
                t.outbox.c.channel.in_(list(channels)),
                t.outbox.c.error.is_not(None),
                t.outbox.c.lease.is_(None),
            )
            .values(due_at=self.now)
        )

    async def any_due(self, busy: Sequence[Channel] = ()) -> bool:
        """Whether there is anything to lease; asking costs no write."""
        found = await self.conn.scalar(
            select(t.outbox.c.key)
            .where(t.outbox.c.due_at <= self.now, t.outbox.c.channel.not_in(list(busy)))
            .limit(1)
        )
        return found is not None

    async def lease(self, limit: int, busy: Sequence[Channel] = ()) -> Sequence[Due]:
        """Take up to ``limit`` due rows. A lease that is not settled runs out by itself."""
        lease = uuid4().hex
        due = (
            select(t.outbox.c.key)
            .where(t.outbox.c.due_at <= self.now, t.outbox.c.channel.not_in(list(busy)))
            .order_by(FIRST, t.outbox.c.rank, t.outbox.c.due_at)
            .limit(limit)
            .with_for_update(skip_locked=True)  # SQLite has one writer and ignores this
            .cte("due")
        )
        rows = await self.conn.execute(
            update(t.outbox)
            .where(t.outbox.c.key.in_(select(due.c.key)))
            .values(
                lease=lease,
                due_at=self.now + LEASE,
                attempts=t.outbox.c.attempts + 1,
                # Whoever had it and did not settle it may have sent it.
                unsure=or_(t.outbox.c.unsure, t.outbox.c.lease.is_not(None)),
            )
            .returning(t.outbox)
        )
        leased = sorted(rows, key=lambda row: (row.rank, row.put_at, row.key))
        repeats = await self._repeats(leased)
        return [
            Due(
                key=row.key,
                channel=Channel(row.channel),
                account=row.account,
                payload=row.payload,
                version=row.version,
                attempts=row.attempts,
                ring=row.ring,
                ref=row.ref,
                lease=lease,
                rank=Rank(row.rank),
                lead_id=row.lead_id,
                member_id=row.member_id,
                put_at=row.put_at,
                unsure=row.unsure,
                said_before=row.version > 1 or row.key in repeats,
            )
            for row in leased
        ]

    async def _repeats(self, rows: Sequence[Row[Any]]) -> set[str]:
        """Those that say what another row has said to the same account within a day."""
        wecom = [r for r in rows if r.channel == Channel.WECOM]
        plain = [r.key for r in wecom if r.payload.get("msgtype") != "template_card"]
        if not plain:
            return set()
        mine, other = t.outbox, t.outbox.alias()
        same = (
            other.c.account == mine.c.account,
            other.c.put_at > self.now - REPEATS,
            other.c.put_at <= mine.c.put_at,
            other.c.key != mine.c.key,
            other.c.channel == mine.c.channel,
            cast(other.c.payload, String) == cast(mine.c.payload, String),
        )
        said = select(mine.c.key).where(mine.c.key.in_(plain), exists().where(*same))
        return set(await self.conn.scalars(said))

    async def wait(self, dues: Sequence[Due], until: datetime) -> None:
        """Leased, but not tried: there is no room before ``until``."""
        await self._release(dues, due_at=until, attempts=t.outbox.c.attempts - 1)

    async def let_go(self, dues: Sequence[Due]) -> None:
        """Leased, and not worth what is left of the day or the month. The next change may be."""
        await self._release(dues, due_at=None, error="quota")

    async def name_in_list(self, dues: Sequence[Due]) -> None:
        """Leased, but a list names these leads instead."""
        await self._release(dues, due_at=None, ring=False, listed_at=self.now)

    async def ring_in_list(self, dues: Sequence[Due]) -> None:
        """A list rings for these leads; their cards, which are there, change in silence."""
        await self.conn.execute(
            update(t.outbox)
            .where(t.outbox.c.key.in_([due.key for due in dues]))
            .values(ring=False, listed_at=self.now)
        )

    async def _release(self, dues: Sequence[Due], **values: Any) -> None:
        if dues:
            await self.conn.execute(
                update(t.outbox)
                .where(
                    t.outbox.c.key.in_([due.key for due in dues]),
                    t.outbox.c.lease.in_({due.lease for due in dues}),
                )
                .values(lease=None, **values)
            )

    async def again(self, due: Due) -> None:
        """The card that is there can no longer be changed: a new one is due, and counted as one."""
        await self._settle(
            due,
            ref=self._kept(due, {**(due.ref or {}), "codes": [], "track_id": ""}),
            error="card can no longer be changed",
            due_at=self.now,
        )

    async def sent(self, due: Due, ref: dict[str, Any] | None) -> None:
        """The phone shows ``due``. A card pressed meanwhile keeps the code of the press."""
        await self._settle(
            due,
            delivered=due.version,
            ref=self._kept(due, ref),
            ring=case((t.outbox.c.version > due.version, t.outbox.c.ring), else_=False),
            error=None,
            unsure=False,
            due_at=self._unless_newer(due, None),
        )

    def _kept(self, due: Due, ref: dict[str, Any] | None) -> ColumnElement[Any]:
        """``ref``, unless the card was pressed meanwhile: then what the press has brought."""
        pressed_meanwhile = (
            t.outbox.c.ref.is_distinct_from(due.ref) if due.ref else t.outbox.c.ref.is_not(None)
        )
        return case((pressed_meanwhile, t.outbox.c.ref), else_=literal(ref, type_=t.Json))

    async def failed(
        self,
        due: Due,
        error: str,
        again: datetime | None,
        *,
        unsure: bool = False,
        ref: dict[str, Any] | None = None,
    ) -> None:
        """``unsure``: nobody knows whether the phone shows it. ``ref``: for the next try, if any."""
        rings = or_(t.outbox.c.ring, literal(due.ring))
        same = t.outbox.c.version == due.version
        doubtful = case((same, or_(t.outbox.c.unsure, literal(unsure))), else_=t.outbox.c.unsure)
        await self._settle(
            due,
            error=error[:512],
            ring=rings,
            unsure=doubtful,
            due_at=self._unless_newer(due, again),
            **({} if ref is None else {"ref": self._kept(due, ref)}),
        )

    async def _settle(self, due: Due, **values: Any) -> None:
        await self.conn.execute(
            update(t.outbox)
            .where(t.outbox.c.key == due.key, t.outbox.c.lease == due.lease)
            .values(lease=None, **values)
        )

    def _unless_newer(self, due: Due, at: datetime | None) -> ColumnElement[Any]:
        # A payload put while this one was in flight gets its own chance as soon as it wanted.
        return case((t.outbox.c.version > due.version, t.outbox.c.put_at), else_=at)

    async def given_up(self, keys: Sequence[str], within: timedelta) -> Collection[str]:
        """Those of ``keys`` that were put not longer ago and will not reach their phone."""
        rows = await self.conn.scalars(
            select(t.outbox.c.key).where(
                t.outbox.c.key.in_(keys),
                t.outbox.c.due_at.is_(None),
                t.outbox.c.error.is_not(None),
                t.outbox.c.put_at > self.now - within,
            )
        )
        return set(rows)

    async def waiting(self) -> int:
        """How many messages have not reached their phone."""
        count = await self.conn.scalar(select(func.count()).where(t.outbox.c.due_at.is_not(None)))
        return int(count or 0)

    async def forget(self, before: datetime) -> None:
        """Messages nobody will change any more; cards of leads are kept, they may be pressed."""
        await self.conn.execute(
            delete(t.outbox).where(
                t.outbox.c.put_at < before,
                t.outbox.c.lead_id.is_(None),
                t.outbox.c.due_at.is_(None),
            )
        )
