"""Short ways to say who did what."""

from hashlib import sha256
from itertools import count
from typing import Any

from sqlalchemy import select

from bot.dispatch import hear
from bot.incoming import Incoming
from handlers.capture import capture
from store import tables as t
from store.db import Store
from store.domain.intake import read_fields
from store.domain.lead import Lead
from store.domain.team import Platform

IDS = count(1)
MOBILE = "199{:08d}"


def enquiry(**values):
    given = {"name": "王五", "phone": MOBILE.format(next(IDS)), "message": "想要报价"} | values
    source = given.pop("source", "website")
    return read_fields({name: value for name, value in given.items() if value}, source)


async def captured(store: Store, **values) -> Lead:
    async with store.begin() as tx:
        [done] = await capture(tx, [enquiry(**values)])
        return await tx.leads.get(done.id)


async def lead(store: Store, lead_id: int) -> Lead:
    async with store.begin() as tx:
        return await tx.leads.get(lead_id)


async def says(store: Store, account: str, line: str, platform=Platform.WECOM) -> str:
    """What the person is answered: in the HTTP answer, or with a message of its own."""
    receipt = f"m{next(IDS)}"
    answer = await hear(store, Incoming(platform=platform, id=receipt, account=account, line=line))
    return answer.text or await _sent(store, platform, receipt)


async def _sent(store: Store, platform: Platform, receipt: str) -> str:
    rows = await answers(store)
    key = "reply:" + sha256(f"{platform}:{receipt}".encode()).hexdigest()[:32]
    sent = [row for name, row in rows.items() if name.startswith(key)]
    # A follow-up is said back on a card of its own.
    newest = max(
        (row for name, row in rows.items() if name.startswith("log:")),
        key=lambda row: (row.put_at, row.version),
        default=None,
    )
    return "\n".join(str(row.payload) for row in sent or [newest] if row is not None)


async def answers(store: Store) -> dict[str, Any]:
    """Everything that is or will be on somebody's phone, by key."""
    async with store.read() as tx:
        rows = await tx.conn.execute(select(t.outbox).order_by(t.outbox.c.key))
        return {row.key: row for row in rows}
