"""Which WeCom customers are whose contacts, and the QR codes and links they come by."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import RowMapping, and_, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store import tables as t
from store.domain.ways import Way, WayKind
from store.upsert import upsert

UNKNOWN = "unknown"
"""WeCom says that they are no contacts, and not who ended it."""


@dataclass(frozen=True, slots=True)
class Contacts:
    conn: AsyncConnection
    now: datetime

    async def meet(
        self, external_userid: str, userid: str, state: str, at: datetime | None = None
    ) -> bool:
        """They are contacts since ``at`` (now); False if they were already, or no longer are.

        A second event waits for our commit. Whoever parted before they met, as far as we
        heard, is taken for met once more: WeCom is asked who it is, and says if it is nobody.
        """
        since, of = at or self.now, t.contacts.c
        insert = upsert(self.conn, t.contacts).values(
            external_userid=external_userid, userid=userid, state=state, met_at=since, gone=""
        )
        never = or_(of.gone == UNKNOWN, of.gone_at == of.met_at)
        done = await self.conn.execute(
            insert.on_conflict_do_update(
                index_elements=[of.external_userid, of.userid],
                set_={"state": state, "met_at": since, "gone_at": None, "gone": ""},
                where=and_(of.gone_at.is_not(None), or_(never, of.gone_at <= since)),
            )
        )
        if done.rowcount == 1:
            return True
        # They met again, and the event of the parting is still on its way.
        pair = and_(of.external_userid == external_userid, of.userid == userid)
        again = and_(pair, of.gone_at.is_(None), of.met_at < since)
        await self.conn.execute(update(t.contacts).where(again).values(met_at=since))
        return False

    async def part(
        self, external_userid: str, userid: str, gone: str, at: datetime | None = None
    ) -> bool:
        """They no longer are, since ``at``; ``gone`` says who ended it.

        False if that is known, or if they have met since. Without ``at`` they are no contacts
        now, whatever was before.
        """
        when, of = at or self.now, t.contacts.c
        insert = upsert(self.conn, t.contacts).values(
            external_userid=external_userid,
            userid=userid,
            state="",
            met_at=when,
            gone_at=when,
            gone=gone,
        )
        newest = of.met_at <= at if at is not None else true()
        done = await self.conn.execute(
            insert.on_conflict_do_update(
                index_elements=[of.external_userid, of.userid],
                set_={"gone_at": when, "gone": gone},
                where=and_(of.gone_at.is_(None), newest),
            )
        )
        return done.rowcount == 1

    async def in_use(self) -> bool:
        """Whether there ever was a contact, a QR code or a link."""
        for table in (t.contacts, t.ways):
            if await self.conn.scalar(select(table.c[0]).limit(1)) is not None:
                return True
        return False

    async def followers(self, external_userid: str) -> Sequence[str]:
        """The userids of those who have this contact, the first one first."""
        rows = await self.conn.scalars(
            select(t.contacts.c.userid)
            .where(t.contacts.c.external_userid == external_userid, t.contacts.c.gone_at.is_(None))
            .order_by(t.contacts.c.met_at, t.contacts.c.userid)
        )
        return list(rows)

    async def parted_at(self, external_userid: str) -> datetime | None:
        """Since when nobody has this contact any more; None while somebody has, or nobody ever had."""
        rows = await self.conn.scalars(
            select(t.contacts.c.gone_at).where(t.contacts.c.external_userid == external_userid)
        )
        moments = list(rows)
        return None if None in moments else max(moments, default=None)

    async def keep_way(self, way: Way) -> None:
        """Remember a QR code or link; one that is there already has other members from now on.

        WeCom has it, whatever it said before.
        """
        insert = upsert(self.conn, t.ways).values(
            id=way.id,
            kind=way.kind,
            name=way.name,
            url=way.url,
            userids=list(way.userids),
            made_at=self.now,
        )
        kept = {name: insert.excluded[name] for name in ("url", "userids")}
        await self.conn.execute(
            insert.on_conflict_do_update(
                index_elements=[t.ways.c.id], set_={**kept, "gone_at": None}
            )
        )

    async def lose_way(self, way_id: str) -> None:
        """WeCom no longer has it: its name is free for another one."""
        await self.conn.execute(
            update(t.ways)
            .where(t.ways.c.id == way_id, t.ways.c.gone_at.is_(None))
            .values(gone_at=self.now)
        )

    async def ways(self, kind: WayKind, limit: int = 20) -> Sequence[Way]:
        """Those WeCom still has, the newest first."""
        rows = await self.conn.execute(
            select(t.ways)
            .where(t.ways.c.kind == kind, t.ways.c.gone_at.is_(None))
            .order_by(t.ways.c.made_at.desc(), t.ways.c.id)
            .limit(limit)
        )
        return [_way(row) for row in rows.mappings()]

    async def named(self, kind: WayKind, name: str) -> Sequence[Way]:
        """Those of one channel that WeCom still has, the newest first."""
        rows = await self.conn.execute(
            select(t.ways)
            .where(t.ways.c.kind == kind, t.ways.c.name == name, t.ways.c.gone_at.is_(None))
            .order_by(t.ways.c.made_at.desc(), t.ways.c.id)
        )
        return [_way(row) for row in rows.mappings()]

    async def way(self, way_id: str) -> Way | None:
        """Also one that WeCom no longer has."""
        row = (await self.conn.execute(select(t.ways).where(t.ways.c.id == way_id))).mappings()
        found = row.one_or_none()
        return _way(found) if found else None


def _way(row: RowMapping) -> Way:
    return Way(
        kind=WayKind(row["kind"]),
        name=row["name"],
        userids=tuple(row["userids"]),
        id=row["id"],
        url=row["url"],
    )
