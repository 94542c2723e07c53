"""How leads fell to people, and how far they came."""

from datetime import timedelta

from cards.shares import distribution_card, funnel_card
from handlers import channels
from handlers.reply import Reply
from store.db import Tx
from store.domain.team import Member

WEEK = 7


def week(text: str) -> int:
    """Days, a week without a number. Raises ValueError."""
    return channels.days(text) if text.strip() else WEEK


async def funnel(tx: Tx, by: Member, days: int) -> Reply:
    """UQL, MQL, SQL and won of the leads of the last days, with the conversion at every step."""
    return Reply(card=funnel_card(await tx.figures.steps(days, tx.now)))


async def distribution(tx: Tx, by: Member, days: int) -> Reply:
    """Leads per rep, and how even that is."""
    found = await tx.figures.distribution(tx.now - timedelta(days=days), tx.now)
    return Reply(card=distribution_card(found, days), private=True)
