"""The page of one lead: what a card cannot hold, with the same rights."""

from dataclasses import dataclass

from cards.lead import detail_text
from store.db import Tx
from store.domain.errors import NotFound
from store.domain.lead import KINDS, LeadId, may_see
from store.domain.team import Member
from store.leads import Past


@dataclass(frozen=True, slots=True)
class LeadPage:
    """``heading`` names the lead; ``facts`` and ``story`` are lines of text, the newest last."""

    heading: str
    facts: tuple[str, ...]
    story: tuple[str, ...]


async def lead_page(tx: Tx, by: Member, lead_id: LeadId) -> LeadPage:
    """Masked, and without its history, for who may not see the lead whole. Raises NotFound."""
    leads = await tx.leads.many([lead_id])
    if not leads:
        raise NotFound(lead_id)
    [lead] = leads
    heading, *facts = detail_text(lead, by, ()).split("\n")
    if not may_see(lead, by):
        return LeadPage(heading, tuple(facts), ())
    past = await tx.leads.story(lead.id)
    return LeadPage(heading, tuple(facts), tuple(_line(tx, one) for one in past))


def _line(tx: Tx, past: Past) -> str:
    """With its date: a page is read long after."""
    at = f"{past.at.astimezone(tx.rules.zone):%Y-%m-%d %H:%M}"
    who = past.by.name if past.by else ""
    return " ".join(part for part in (at, who, KINDS[past.kind], past.text) if part)
