from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store import tables as t
from store.domain.team import Member, MemberId, Platform, Role
from store.upsert import upsert


@dataclass(slots=True)
class Members:
    conn: AsyncConnection
    _all: dict[int, Member] = field(default_factory=dict)
    _turns: dict[int, datetime | None] = field(default_factory=dict)

    async def all(self) -> Mapping[int, Member]:
        """Everybody who ever was in the team, by id; read once per transaction."""
        if not self._all:
            for row in (await self.conn.execute(select(t.members))).mappings():
                self._all[row["id"]] = _member(row)
                self._turns[row["id"]] = row["turn_at"]
        return self._all

    async def active(self, *roles: Role) -> Sequence[Member]:
        return [
            m for m in (await self.all()).values() if m.active and (not roles or m.role in roles)
        ]

    async def turns(self) -> Mapping[int, datetime | None]:
        """When each member was last given a lead."""
        await self.all()
        return self._turns

    async def by_account(self, platform: Platform, account: str) -> Member | None:
        """WeCom's userids know no case (``Zhangsan`` comes back as ``zhangsan``)."""
        wanted = account.casefold()
        for member in await self.active():
            known = member.wecom if platform == Platform.WECOM else member.dingtalk
            if known and (known == account or known.casefold() == wanted):
                return member
        return None

    async def by_name(self, name: str) -> Member | None:
        return next((m for m in await self.active() if m.name == name), None)

    async def took_turns(self, ids: Mapping[int, datetime]) -> None:
        if ids:
            await self.conn.execute(
                update(t.members)
                .where(t.members.c.id == bindparam("member"))
                .values(turn_at=bindparam("turn")),
                [{"member": member, "turn": at} for member, at in ids.items()],
            )

    async def sync(self, people: Sequence[Mapping[str, Any]]) -> None:
        """Make the team what the configuration says; whoever left it is inactive, not forgotten.

        Accounts move between people by being freed first: the columns are unique.
        """
        await self.conn.execute(update(t.members).values(active=False, wecom=None, dingtalk=None))
        for person in people:
            insert = upsert(self.conn, t.members).values(**person, active=True)
            kept = {name: insert.excluded[name] for name in person if name != "name"}
            await self.conn.execute(
                insert.on_conflict_do_update(
                    index_elements=[t.members.c.name], set_={**kept, "active": True}
                )
            )
        self._all.clear()


def _member(row: RowMapping) -> Member:
    return Member(
        id=MemberId(row["id"]),
        name=row["name"],
        role=Role(row["role"]),
        wecom=row["wecom"],
        dingtalk=row["dingtalk"],
        regions=tuple(row["regions"]),
        products=tuple(row["products"]),
        industries=tuple(row["industries"]),
        grade=row["grade"],
        capacity=row["capacity"],
        active=row["active"],
    )


@dataclass(frozen=True, slots=True)
class BoundGroup:
    platform: Platform
    id: str
    title: str


@dataclass(frozen=True, slots=True)
class Groups:
    conn: AsyncConnection
    now: datetime

    async def bind(self, group: BoundGroup, by: Member) -> None:
        insert = upsert(self.conn, t.groups).values(**asdict(group), by_id=by.id, at=self.now)
        await self.conn.execute(
            insert.on_conflict_do_update(
                index_elements=[t.groups.c.platform, t.groups.c.id],
                set_={"title": insert.excluded.title, "by_id": insert.excluded.by_id},
            )
        )

    async def all(self) -> Sequence[BoundGroup]:
        rows = await self.conn.execute(select(t.groups).order_by(t.groups.c.at))
        return [BoundGroup(Platform(r.platform), r.id, r.title) for r in rows]
