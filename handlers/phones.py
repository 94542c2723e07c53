"""What is put on the phone of a member."""

from cards import render, render_text
from cards.model import Card
from store.domain.team import Member
from store.outbox import Put


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
