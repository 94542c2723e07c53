"""The page of one lead: what a card cannot hold, with the same rights."""

from dataclasses import dataclass

from cards.lead import detail_text
from cards.words import source_name
from store.db import Tx
from store.domain.errors import NotFound
from store.domain.lead import KINDS, LeadId, may_see
from store.domain.masking import redacted, sees_whole
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
    story = [_line(tx, one) for one in await tx.leads.story(lead.id)]
    ledger = await consents(tx, lead.id)
    if not sees_whole(lead, by):
        story = [redacted(line, lead) for line in story]
        ledger = tuple(redacted(line, lead) for line in ledger)
    return LeadPage(heading, (*facts, *ledger), tuple(story))


async def consents(tx: Tx, lead_id: LeadId) -> tuple[str, ...]:
    """What the person agreed to and took back, in their words, when and where."""
    entries = await tx.consents.of(await tx.leads.with_merged(lead_id))
    return tuple(
        f"{'同意' if entry.given else '不再同意'}：{entry.at.astimezone(tx.rules.zone):%Y-%m-%d %H:%M} "
        f"{source_name(entry.source)} {entry.text}".strip()
        for entry in entries
    )


def _line(tx: Tx, past: Past) -> str:
    """With its date: a page is read long after."""
    at = f"{past.at.astimezone(tx.rules.zone):%Y-%m-%d %H:%M}"
    who = past.by.name if past.by else ""
    return " ".join(part for part in (at, who, KINDS[past.kind], past.text) if part)
