"""What is put on the phone of a member."""

from datetime import datetime

from cards import render, render_text
from cards.model import Card
from store.domain.calendar import WorkCalendar, opening_of
from store.domain.team import Member
from store.outbox import Put


def by_day(now: datetime, calendar: WorkCalendar) -> datetime | None:
    """When people may hear of what nobody of them did; None: now. Nothing rings at night."""
    opens = opening_of(now, calendar)
    return opens if opens > now else None


def put_for(reader: Member, key: str, said: Card | str, *, interactive: bool = False) -> Put:
    """A card or words for ``reader``, who has a phone: see ``Member.phone``."""
    if reader.phone is None:
        raise ValueError(reader.name)
    channel, account = reader.phone
    if isinstance(said, str):
        payload = render_text(said, channel)
    else:
        payload = render(said, channel, interactive=interactive)
    return Put(key=key, channel=channel, account=account, payload=payload)
