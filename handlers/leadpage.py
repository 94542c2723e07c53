"""The page of one lead: what a card cannot hold, with the same rights."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cards.lead import detail_text
from cards.words import source_name
from store.db import Tx
from store.domain.lead import KINDS, NAMING, Lead, LeadId, may_see
from store.domain.masking import names_told, redacted, sees_whole
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
    lead = await tx.leads.one(lead_id)
    heading, *facts = detail_text(lead, by, ()).split("\n")
    if not may_see(lead, by):
        return LeadPage(heading, tuple(facts), ())
    lines = await tx.leads.story(lead.id)
    read = await reading(tx, by, lead, lines)
    ledger = [read(entry) for entry in await consents(tx, lead.id)]
    return LeadPage(heading, (*facts, *ledger), tuple(read(_line(tx, one)) for one in lines))


async def reading(tx: Tx, by: Member, lead: Lead, story: Sequence[Past]) -> Callable[[str], str]:
    """How ``by`` may read a line of the ``story``: also without what the person was called before."""
    if sees_whole(lead, by):
        return str
    merged = await tx.leads.many(await tx.leads.with_merged(lead.id))
    names = {getattr(one, name) for one in merged for name in NAMING}
    told = names | names_told(story)
    return lambda line: redacted(line, lead, told)


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
