from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import (
    RowMapping,
    Select,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from store import tables as t
from store.domain.directory import Colleague, RoleRule, Snapshot, rule_for
from store.domain.team import Away, Member, MemberId, Platform, Role, joined
from store.upsert import upsert

CONFIG = "config"
NAME_CHARS = 64
PAST = timedelta(days=180)
"""Leave that ended longer ago moves no clock that still runs."""
Row = RowMapping | Mapping[str, Any]


@dataclass(slots=True)
class Members:
    conn: AsyncConnection
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    _all: dict[int, Member] = field(default_factory=dict)
    _turns: dict[int, tuple[datetime | None, float | None]] = field(default_factory=dict)

    async def all(self) -> Mapping[int, Member]:
        """Everybody who ever was in the team, by id; read once per transaction."""
        if not self._all:
            away: dict[int, list[Away]] = {}
            for row in (await self.conn.execute(self._with_leave())).mappings():
                spans = away.setdefault(row["id"], [])
                if row["end_at"] is not None:
                    spans.append((row["start_at"], row["end_at"]))
                self._all[row["id"]] = _member(row, spans)
                self._turns[row["id"]] = row["turn_at"], row["turn"]
        return self._all

    def _with_leave(self) -> Select[Any]:
        """One row for each leave, and one for everybody without."""
        mine = and_(t.leaves.c.member_id == t.members.c.id, t.leaves.c.end_at > self.now - PAST)
        leave = (t.leaves.c.start_at, t.leaves.c.end_at)
        return select(t.members, *leave).outerjoin(t.leaves, mine).order_by(t.members.c.id)

    # -- leave ---------------------------------------------------------------

    async def go(self, member: Member, start: datetime, end: datetime, by: Member) -> None:
        """``member`` is away from ``start`` to ``end``."""
        values = {"start_at": start, "end_at": end, "by_id": by.id, "at": self.now}
        await self.conn.execute(insert(t.leaves).values(member_id=member.id, **values))
        self._all.clear()

    async def come_back(self, member: Member) -> bool:
        """What is left of the leaves of ``member`` is over. Whether there was any."""
        mine = t.leaves.c.member_id == member.id
        coming = await self.conn.execute(
            delete(t.leaves).where(mine, t.leaves.c.start_at >= self.now)
        )
        now = await self.conn.execute(
            update(t.leaves).where(mine, t.leaves.c.end_at > self.now).values(end_at=self.now)
        )
        self._all.clear()
        return coming.rowcount + now.rowcount > 0

    async def active(self, *roles: Role) -> Sequence[Member]:
        return [
            m for m in (await self.all()).values() if m.active and (not roles or m.role in roles)
        ]

    async def turns(self) -> Mapping[int, tuple[datetime | None, float | None]]:
        """When each member was last given a lead, and how far round they are."""
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

    async def took_turns(self, ids: Mapping[int, tuple[datetime, float]]) -> None:
        if ids:
            await self.conn.execute(
                update(t.members)
                .where(t.members.c.id == bindparam("member"))
                .values(turn_at=bindparam("at"), turn=bindparam("round")),
                [{"member": m, "at": at, "round": turn} for m, (at, turn) in ids.items()],
            )
            self._turns.update(ids)

    async def sync(self, people: Sequence[Mapping[str, Any]]) -> None:
        """Make the team what the configuration says; whoever left it is inactive, not forgotten.

        Whom a directory brought stays. Whom the configuration names is its own from
        then on, also when the directory knew them by another name.
        """
        await self._rename_to(people)
        await self.conn.execute(
            update(t.members).where(t.members.c.source == CONFIG).values(active=False)
        )
        await self._free(people)
        given = [{**person, "active": True, "source": CONFIG} for person in people]
        for names, rows in groupby(given, key=tuple):
            put = upsert(self.conn, t.members)
            kept = {name: put.excluded[name] for name in names if name != "name"}
            there = put.on_conflict_do_update(index_elements=[t.members.c.name], set_=kept)
            await self.conn.execute(there, list(rows))
        self._all.clear()

    async def _rename_to(self, people: Sequence[Mapping[str, Any]]) -> None:
        rows = await self._rows()
        names = {row["name"] for row in rows}
        for person in people:
            row = next((row for row in rows if _same_account(row, person)), None)
            if row is not None and person["name"] not in names:
                await self._write(row["id"], {"name": person["name"]})

    async def _free(self, people: Sequence[Mapping[str, Any]]) -> None:
        """Accounts move between people by being freed first: the columns are unique."""
        held = [
            func.lower(t.members.c[platform]).in_(
                [person[platform].lower() for person in people if person.get(platform)]
            )
            for platform in Platform
        ]
        named = t.members.c.name.in_([person["name"] for person in people])
        await self.conn.execute(
            update(t.members)
            .where(or_(named, *held))
            .values(active=False, wecom=None, dingtalk=None)
        )

    # -- directories ---------------------------------------------------------

    async def follow(self, snapshot: Snapshot, rules: Sequence[RoleRule]) -> None:
        """Make the team what a directory says, but for the people the configuration names."""
        rows = await self._rows()
        held = _by_account(rows, snapshot.platform)
        names = {row["name"] for row in rows}
        for person in snapshot.people:
            row = held.get(person.account.casefold())
            values = _values(row, person, rule_for(person, rules), snapshot)
            if row is None and values:
                name = _free_name(person, names)
                names.add(name)
                await self._add(snapshot.platform, person, values | {"name": name})
            elif row is not None and any(row[key] != value for key, value in values.items()):
                await self._write(row["id"], values)
        for account in snapshot.left:
            if account.casefold() in held:
                await self.leave(snapshot.platform, account, snapshot.at)
        self._all.clear()

    async def leave(
        self, platform: Platform, account: str, at: datetime, said_at: datetime | None = None
    ) -> bool:
        """This account is nobody's any more. Whether it was somebody's.

        ``at``: no reading of the directory begun before brings them back. ``said_at``: the
        time of the event, by the platform's clock; one older than their coming changes nothing.
        """
        row, key = await self._holder(platform, account), _gone_key(platform, account)
        said_at = said_at or at
        if row is None or _heard(row, key) > said_at:
            return False
        heard = {"heard": row["heard"] | {key: said_at.isoformat()}}
        await self._write(row["id"], heard | {"gone": {key: at.isoformat()} | row["gone"]})
        self._all.clear()
        return key not in row["gone"]

    async def join(
        self, platform: Platform, account: str, said_at: datetime | None = None
    ) -> bool:
        """The account is somebody's again. Whether it was nobody's.

        ``said_at`` as for ``leave``: platforms deliver out of order, and an event as old as
        the leaving, or older, is no return. None where the platform gives no time.
        """
        row, key = await self._holder(platform, account), _gone_key(platform, account)
        if row is None or (said_at is not None and _heard(row, key) >= said_at):
            return False
        gone = {k: v for k, v in row["gone"].items() if k != key}
        heard = row["heard"] | {key: (said_at or self.now).isoformat()}
        await self._write(row["id"], {"gone": gone, "heard": heard})
        self._all.clear()
        return key in row["gone"]

    async def rename(self, platform: Platform, account: str, to: str) -> bool:
        """The same person under another account, gone if they were. Whether there was one."""
        row = await self._holder(platform, account)
        if row is None or (account != to and await self._holder(platform, to) is not None):
            return False
        names = {_gone_key(platform, account): _gone_key(platform, to)}
        kept = {
            column: {names.get(key, key): at for key, at in row[column].items()}
            for column in ("gone", "heard")
        }
        await self._write(row["id"], {platform.value: to, **kept})
        self._all.clear()
        return True

    async def accounts(self, platform: Platform) -> Sequence[str]:
        """The accounts of everybody who has access through ``platform``."""
        held = (getattr(member, platform.value) for member in await self.active())
        return [account for account in held if account]

    async def _rows(self) -> Sequence[RowMapping]:
        query = select(t.members).order_by(t.members.c.id)
        return (await self.conn.execute(query)).mappings().all()

    async def _holder(self, platform: Platform, account: str) -> RowMapping | None:
        return _by_account(await self._rows(), platform).get(account.casefold())

    async def _write(self, member: int, values: Mapping[str, Any]) -> None:
        await self.conn.execute(update(t.members).where(t.members.c.id == member).values(**values))

    async def _add(self, platform: Platform, person: Colleague, values: Row) -> None:
        given = {**values, platform.value: person.account, "gone": {}, "heard": {}}
        await self.conn.execute(insert(t.members).values(**given))


def _by_account(rows: Sequence[RowMapping], platform: Platform) -> Mapping[str, RowMapping]:
    """Members by their account, which knows no case."""
    return {row[platform.value].casefold(): row for row in rows if row[platform.value]}


def _same_account(row: Row, person: Row) -> bool:
    return any(
        row[platform]
        and person.get(platform)
        and row[platform].lower() == person[platform].lower()
        for platform in Platform
    )


def _heard(row: Row, key: str) -> datetime:
    """When the platform last said that this account came or left; ages ago if never."""
    said = row["heard"].get(key)
    return datetime.fromisoformat(said) if said else datetime.min.replace(tzinfo=UTC)


def _gone_key(platform: str, account: str) -> str:
    return f"{platform}:{account.casefold()}"


def _values(
    row: Row | None, person: Colleague, rule: RoleRule | None, snapshot: Snapshot
) -> dict[str, Any]:
    """What is to be written of a person the directory shows; nothing for a stranger."""
    named = row is not None and row["source"] == CONFIG and row["active"]
    departments = list(person.departments)
    back = {"gone": _still_gone(row, person.account, snapshot)} if row is not None else {}
    if named:
        return {"departments": departments, **back}
    if rule is None:
        return {"departments": departments, "active": False, **back} if row is not None else {}
    return {
        "source": snapshot.platform.value,
        "departments": departments,
        "active": True,
        "role": rule.role.value,
        "regions": list(rule.regions),
        "products": list(rule.products),
        "industries": list(rule.industries),
        "grade": rule.grade,
        "capacity": rule.capacity,
        **back,
    }


def _still_gone(row: Row, account: str, snapshot: Snapshot) -> dict[str, str]:
    """A reading that began before somebody left does not bring them back."""
    key = _gone_key(snapshot.platform, account)
    gone: Mapping[str, str] = row["gone"]
    return {
        name: at
        for name, at in gone.items()
        if name != key or datetime.fromisoformat(at) > snapshot.at
    }


def _free_name(person: Colleague, names: set[str]) -> str:
    """People are told by name, so a second 张伟 carries their account."""
    name = (person.name or person.account)[:NAME_CHARS]
    if name not in names:
        return name
    tail = f"（{person.account}）"[:NAME_CHARS]
    return f"{name[: NAME_CHARS - len(tail)]}{tail}"


def _member(row: RowMapping, away: Sequence[Away]) -> Member:
    accounts = {platform: row[platform] for platform in Platform if row[platform]}
    here = {p: a for p, a in accounts.items() if _gone_key(p, a) not in row["gone"]}
    return Member(
        id=MemberId(row["id"]),
        name=row["name"],
        role=Role(row["role"]),
        wecom=here.get(Platform.WECOM),
        dingtalk=here.get(Platform.DINGTALK),
        regions=tuple(row["regions"]),
        products=tuple(row["products"]),
        industries=tuple(row["industries"]),
        grade=row["grade"],
        capacity=row["capacity"],
        weight=row["weight"],
        active=row["active"] and (bool(here) or not accounts),
        source=row["source"],
        departments=tuple(row["departments"]),
        away=joined(away),
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

    async def unbind(self, platform: Platform, id_: str) -> None:
        gone = (t.groups.c.platform == platform, t.groups.c.id == id_)
        await self.conn.execute(delete(t.groups).where(*gone))

    async def all(self) -> Sequence[BoundGroup]:
        rows = await self.conn.execute(select(t.groups).order_by(t.groups.c.at))
        return [BoundGroup(Platform(r.platform), r.id, r.title) for r in rows]
