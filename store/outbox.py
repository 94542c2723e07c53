"""
What should be on people's phones.

One row per message on one phone, named by its key. A handler puts the newest
payload; the relay makes the phone match. Putting twice before the relay comes
by sends once, and the newest payload wins.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, case, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store import tables as t
from store.domain.team import Channel
from store.upsert import upsert

LEASE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """``ring``: a new message that is noticed, not a silent change of the one that is there.

    ``lead_id`` marks a card of one lead, so that everybody who holds one can be found.
    """

    key: str
    channel: Channel
    account: str
    payload: dict[str, Any]
    ring: bool = False
    lead_id: int | None = None
    member_id: int | None = None
    not_before: datetime | None = None


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
