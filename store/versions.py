"""The rules as they were at each time: who changed them, when, and to what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store import tables as t


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """``file`` is the fingerprint of the rules that leadbot.toml said when it was kept."""

    id: int
    at: datetime
    by: str
    why: str
    file: str
    rules: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Versions:
    conn: AsyncConnection
    now: datetime

    async def latest(self) -> Version | None:
        """The version in force."""
        newest = select(t.rule_versions).order_by(t.rule_versions.c.id.desc()).limit(1)
        row = (await self.conn.execute(newest)).mappings().first()
        return Version(**row) if row else None

    async def get(self, number: int) -> Version | None:
        query = select(t.rule_versions).where(t.rule_versions.c.id == number)
        row = (await self.conn.execute(query)).mappings().first()
        return Version(**row) if row else None

    async def all(self, limit: int) -> Sequence[Version]:
        """The newest first."""
        newest = select(t.rule_versions).order_by(t.rule_versions.c.id.desc()).limit(limit)
        return [Version(**row) for row in (await self.conn.execute(newest)).mappings()]

    async def keep(self, rules: Mapping[str, Any], *, by: str, why: str, file: str) -> Version:
        """A new version, in force from now on. Call it under ``tx.lock("rules")``."""
        last = await self.conn.scalar(select(func.max(t.rule_versions.c.id))) or 0
        new = Version(id=last + 1, at=self.now, by=by, why=why, file=file, rules=rules)
        values = {"id": new.id, "at": new.at, "by": by, "why": why, "file": file}
        await self.conn.execute(insert(t.rule_versions).values(values | {"rules": dict(rules)}))
        return new
