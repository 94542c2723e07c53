"""Tokens the platforms gave us, for every process of the installation."""

from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store import tables as t
from store.upsert import upsert


@dataclass(frozen=True, slots=True)
class Token:
    """``until``: when to fetch the next one, a while before the platform refuses this one."""

    value: str = field(repr=False)
    until: datetime


def token_key(*parts: str) -> str:
    """What a token is kept under: the app's id and secret, unreadable. A new secret is a new key."""
    return sha256("\0".join(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Tokens:
    conn: AsyncConnection
    now: datetime

    async def find(self, key: str) -> Token | None:
        row = (
            await self.conn.execute(
                select(t.tokens).where(t.tokens.c.key == key, t.tokens.c.until > self.now)
            )
        ).one_or_none()
        return Token(row.value, row.until) if row else None

    async def keep(self, key: str, token: Token) -> None:
        """The newest one, instead of the one before; what has run out goes."""
        await self.conn.execute(delete(t.tokens).where(t.tokens.c.until <= self.now))
        insert = upsert(self.conn, t.tokens).values(key=key, value=token.value, until=token.until)
        await self.conn.execute(
            insert.on_conflict_do_update(
                index_elements=[t.tokens.c.key],
                set_={"value": insert.excluded.value, "until": insert.excluded.until},
            )
        )
