"""What the channels are worth, for those who pay for them."""

import re

from cards.channels import channels_text
from handlers.reply import Reply
from store.db import Tx
from store.domain.team import Member

DAYS, MOST_DAYS = 30, 366


def days(text: str) -> int:
    """``90天``, ``90 days``, ``90``; 30 without a number. Raises ValueError."""
    found = re.fullmatch(r"(?:最近|近)?\s*(\d{1,3})?\s*(?:天|日|days?)?", text.strip())
    if found is None or not 0 < int(found[1] or DAYS) <= MOST_DAYS:
        raise ValueError(text)
    return int(found[1] or DAYS)


async def channels(tx: Tx, by: Member, span: int) -> Reply:
    """Leads, MQL, SQL, won, cost and return of each channel."""
    return Reply(text=channels_text(await tx.figures.channels(span, tx.now), span), private=True)
