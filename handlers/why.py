"""Why this score, and why this person."""

from cards.why import Asked, Line, why_text
from handlers.reply import Reply
from store.db import Tx
from store.domain.lead import Kind, LeadId
from store.domain.learned import told
from store.domain.team import Member


async def why(tx: Tx, by: Member, lead_id: LeadId) -> Reply:
    """Points per rule as they count now, what was learned, and who was passed over and why."""
    lead = await tx.leads.one(lead_id)
    story = [
        Line(kind=past.kind, at=past.at, by=past.by, text=past.text, data=past.data)
        for past in await tx.leads.story(lead.id)
    ]
    asked = Asked(
        reader=by,
        now=tx.now,
        rules=tx.rules,
        team=await tx.members.all(),
        chance=await _chance(tx, story),
    )
    return Reply(text=why_text(lead, story, asked), private=True)


async def _chance(tx: Tx, story: list[Line]) -> tuple[str, ...]:
    """What leads like this one came to, once enough was learned."""
    model = await tx.models.current()
    first = next((line for line in story if line.kind == Kind.CAPTURED), None)
    if model is None or first is None or not model.trusted or "traits" not in first.data:
        return ()
    return told(model, first.data["traits"])
