"""Pictures a group chat fetches by an address nobody can guess."""

from base64 import b64decode, b64encode
from dataclasses import dataclass
from datetime import datetime
from secrets import token_urlsafe

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store import tables as t


@dataclass(frozen=True, slots=True)
class Pictures:
    conn: AsyncConnection
    now: datetime

    async def keep(self, png: bytes) -> str:
        token = token_urlsafe(24)
        await self.conn.execute(
            insert(t.pictures).values(token=token, png=b64encode(png).decode(), made_at=self.now)
        )
        return token

    async def find(self, token: str) -> bytes | None:
        png = await self.conn.scalar(select(t.pictures.c.png).where(t.pictures.c.token == token))
        return b64decode(png) if png is not None else None

    async def forget(self, before: datetime) -> None:
        await self.conn.execute(delete(t.pictures).where(t.pictures.c.made_at < before))
