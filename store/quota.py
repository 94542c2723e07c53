"""The ledger of what the platforms allow: counters, kept across processes and restarts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store import tables as t
from store.domain.quota import Api, Level, Meter, Used
from store.upsert import upsert

Line = tuple[Api, str]
"""What is counted, and for which account ("": for all of us)."""
BLOCKED = "blocked"
OVER = "over"
"""The account of the platform's own word that a day or month is used up."""
HELD = "held"
MOST_DOUBLINGS = 20
KEEP = timedelta(days=93)
"""Days and months are kept for a while, to be looked at; minutes and hours are of no use."""
FINE = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Hold:
    """``times``: how often it has been prolonged."""

    until: datetime
    times: int


@dataclass(frozen=True, slots=True)
class Ledger:
    conn: AsyncConnection
    now: datetime
    meters: Mapping[Api, Meter]

    async def add(self, spent: Mapping[Line, int]) -> None:
        """Count what was spent just now; negative numbers give back."""
        rows = [
            {"api": api, "account": account, "at": self._bucket(api), "n": count}
            for (api, account), count in sorted(spent.items())
            if count
        ]
        await self._write(rows)

    async def shift(self, lines: Iterable[Line], counted_at: datetime) -> None:
        """What was counted when it set out has arrived just now, and counts from now on."""
        rows = [
            {"api": api, "account": account, "at": at, "n": count}
            for api, account in lines
            for at, count in (
                (self.meters[api].bucket(counted_at), -1),
                (self._bucket(api), 1),
            )
            if self.meters[api].bucket(counted_at) != self._bucket(api)
        ]
        await self._write(rows)

    async def give_back(self, lines: Iterable[Line], counted_at: datetime) -> None:
        """What was counted when it set out has turned out to be no message."""
        await self._write(
            [
                {
                    "api": api,
                    "account": account,
                    "at": self.meters[api].bucket(counted_at),
                    "n": -1,
                }
                for api, account in lines
            ]
        )

    async def _write(self, rows: Sequence[dict[str, object]]) -> None:
        if not rows:
            return
        insert = upsert(self.conn, t.sent)
        added = t.sent.c.n + insert.excluded.n
        keys = [t.sent.c.api, t.sent.c.account, t.sent.c.at]
        await self.conn.execute(
            insert.on_conflict_do_update(index_elements=keys, set_={"n": added}), rows
        )

    def _bucket(self, api: Api) -> datetime:
        return self.meters[api].bucket(self.now)

    async def used(self, lines: Iterable[Line]) -> Mapping[Line, Used]:
        """What has been used of each, as it counts now."""
        buckets: dict[Line, list[tuple[datetime, int]]] = {line: [] for line in lines}
        over: set[Api] = set()
        if buckets:
            wanted = [self._counts(api, account) for api, account in buckets]
            rows = await self.conn.execute(
                select(t.sent).where(or_(*wanted)).order_by(t.sent.c.at)
            )
            for row in rows:
                if (Api(row.api), row.account) in buckets:
                    buckets[Api(row.api), row.account].append((row.at, row.n))
                else:
                    over.add(Api(row.api))
        return {
            line: Used(self.meters[line[0]], found, over=line[0] in over)
            for line, found in buckets.items()
        }

    def _counts(self, api: Api, account: str) -> ColumnElement[bool]:
        """The rows of one line that count now; of a fund also what the platform said."""
        accounts = [account] if account else [account, OVER]
        return and_(
            t.sent.c.api == api,
            t.sent.c.account.in_(accounts),
            t.sent.c.at >= self.meters[api].since(self.now),
        )

    async def spent(self, api: Api) -> None:
        """The platform says that the day or month is used up, whatever we have counted."""
        row = {"api": api, "account": OVER, "at": self._bucket(api), "n": 0}
        insert = upsert(self.conn, t.sent).values(row)
        await self.conn.execute(insert.on_conflict_do_nothing())

    async def try_again(self, api: Api) -> bool:
        """Forget what the platform said; whether it had said so of this day or month."""
        word = (t.sent.c.api == api, t.sent.c.account == OVER, t.sent.c.at == self._bucket(api))
        return (await self.conn.execute(delete(t.sent).where(*word))).rowcount > 0

    async def total(self, api: Api) -> Used:
        """What all of us have used of a day or a month."""
        return (await self.used([(api, "")]))[api, ""]

    async def level(self, *apis: Api) -> Level:
        """How tight it is, by the tightest of ``apis``."""
        used = await self.used([(api, "") for api in apis])
        return max((one.level for one in used.values()), default=Level.PLENTY)

    async def busiest(self, api: Api) -> Used:
        """Of a limit that each account has: the account that has used most of it now."""
        meter = self.meters[api]
        row = (
            await self.conn.execute(
                select(t.sent.c.account, func.sum(t.sent.c.n).label("n"))
                .where(t.sent.c.api == api, t.sent.c.at >= meter.since(self.now))
                .group_by(t.sent.c.account)
                .order_by(func.sum(t.sent.c.n).desc())
                .limit(1)
            )
        ).one_or_none()
        return Used(meter, [(meter.bucket(self.now), row.n)] if row else [])

    async def block(self, phone: str, until: datetime) -> None:
        """The platform wants nothing for this phone or group until then."""
        insert = upsert(self.conn, t.sent).values(api=BLOCKED, account=phone, at=until, n=0)
        await self.conn.execute(insert.on_conflict_do_nothing())

    async def hold(self, key: str, first: timedelta, most: timedelta) -> timedelta:
        """The platform wants no call of this kind for a while: for how long.

        Twice as long, up to ``most``, as the last time if that has not been released:
        the call that was to show whether it is over was refused, too. Calls that were
        under way together are refused together, which counts once.
        """
        last = (await self.holds([key])).get(key)
        if last is not None and last.until > self.now:
            return last.until - self.now
        times = last.times + 1 if last is not None else 0
        span = min(first * float(2 ** min(times, MOST_DOUBLINGS)), most)
        await self.release([key])
        insert = upsert(self.conn, t.sent).values(
            api=HELD, account=key, at=self.now + span, n=times
        )
        await self.conn.execute(insert.on_conflict_do_nothing())
        return span

    async def holds(self, keys: Iterable[str]) -> Mapping[str, Hold]:
        """Those of ``keys`` that are held, or were and have not been released."""
        rows = await self.conn.execute(
            select(t.sent.c.account, t.sent.c.at, t.sent.c.n)
            .where(t.sent.c.api == HELD, t.sent.c.account.in_(list(keys)))
            .order_by(t.sent.c.at)
        )
        return {row.account: Hold(row.at, row.n) for row in rows}

    async def release(self, keys: Iterable[str]) -> None:
        """A call of this kind went well."""
        await self.conn.execute(
            delete(t.sent).where(t.sent.c.api == HELD, t.sent.c.account.in_(list(keys)))
        )

    async def blocked(self, phones: Iterable[str]) -> Mapping[str, datetime]:
        """Until when; those that are not blocked are left out."""
        rows = await self.conn.execute(
            select(t.sent.c.account, func.max(t.sent.c.at).label("until"))
            .where(
                t.sent.c.api == BLOCKED,
                t.sent.c.account.in_(list(phones)),
                t.sent.c.at > self.now,
            )
            .group_by(t.sent.c.account)
        )
        return {row.account: row.until for row in rows}

    async def forget(self) -> None:
        """Stretches that will never count again."""
        fine = [BLOCKED, HELD, *(api for api, meter in self.meters.items() if meter.sliding)]
        await self.conn.execute(
            delete(t.sent).where(
                or_(
                    t.sent.c.at < self.now - KEEP,
                    and_(t.sent.c.api.in_(fine), t.sent.c.at < self.now - FINE),
                )
            )
        )
