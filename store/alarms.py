"""What only the admin can mend, as long as it lasts, and who has been told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store import tables as t
from store.domain.alarms import Standing, Told
from store.domain.errors import Alarm
from store.domain.team import Channel
from store.upsert import upsert

KEY_CHARS = 80
FRESH = timedelta(seconds=10)
"""How long "no alarm is on" is believed: other processes sound some, too."""
AGAIN = timedelta(minutes=1)
"""How long an alarm that sounds all the time is not written down again."""


@dataclass(slots=True)
class Watch:
    """What this process knows: when it last saw that no alarm was on."""

    quiet_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Alarms:
    conn: AsyncConnection
    now: datetime
    watch: Watch

    async def on(self) -> Sequence[Standing]:
        """Every alarm that is on, the oldest first."""
        rows = await self.conn.execute(select(t.alarms).order_by(t.alarms.c.since, t.alarms.c.key))
        return [_standing(row) for row in rows]

    async def sounded(self, alarm: Alarm) -> Standing:
        """Note that it sounds now. Most of the time this only reads."""
        key = alarm.key[:KEY_CHARS]
        known = (
            await self.conn.execute(select(t.alarms).where(t.alarms.c.key == key))
        ).one_or_none()
        if known and known.text == alarm.text and known.seen_at > self.now - AGAIN:
            return _standing(known)
        self.watch.quiet_at = None
        insert = upsert(self.conn, t.alarms).values(
            key=key, text=alarm.text, since=self.now, seen_at=self.now, told=[]
        )
        row = await self.conn.execute(
            insert.on_conflict_do_update(
                index_elements=[t.alarms.c.key], set_={"text": alarm.text, "seen_at": self.now}
            ).returning(t.alarms)
        )
        return _standing(row.one())

    async def told(self, key: str, told: Sequence[Told]) -> None:
        """These messages say it."""
        rows = [[one.key, one.channel, one.account, one.member_id] for one in told]
        await self.conn.execute(
            update(t.alarms).where(t.alarms.c.key == key).values(told_at=self.now, told=rows)
        )

    async def told_again(self, key: str, told_at: datetime) -> None:
        """It counts as told then: nobody has heard it."""
        await self.conn.execute(
            update(t.alarms).where(t.alarms.c.key == key).values(told_at=told_at)
        )

    async def drop(self, key: str) -> None:
        """It is about nothing that there is."""
        await self.conn.execute(delete(t.alarms).where(t.alarms.c.key == key))

    async def forget(self, prefix: str, before: datetime) -> None:
        """Those under ``prefix`` that have not sounded since: nothing shows when they are over."""
        old = (t.alarms.c.key.startswith(prefix, autoescape=True), t.alarms.c.seen_at < before)
        await self.conn.execute(delete(t.alarms).where(*old))

    async def end(self, *prefixes: str, account: str = "") -> Sequence[Standing]:
        """Those that a success under ``prefixes`` ends. No query while it is known to be quiet."""
        quiet = self.watch.quiet_at
        if quiet is not None and quiet <= self.now < quiet + FRESH:
            return ()
        # Whoever ends one just now tells of it: waiting for them could be waiting for us.
        rows = await self.conn.execute(select(t.alarms).with_for_update(skip_locked=True))
        standing = [_standing(row) for row in rows]
        self.watch.quiet_at = None if standing else self.now
        over = [one for one in standing if one.ended_by(prefixes, account)]
        if over:
            keys = [one.key for one in over]
            await self.conn.execute(delete(t.alarms).where(t.alarms.c.key.in_(keys)))
        return over


def _standing(row: Row[Any]) -> Standing:
    return Standing(
        key=row.key,
        text=row.text,
        since=row.since,
        seen_at=row.seen_at,
        told_at=row.told_at,
        told=tuple(Told(key, Channel(c), account, m) for key, c, account, m in row.told),
    )
