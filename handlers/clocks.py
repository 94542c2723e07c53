"""When the clock acts anew: somebody is away, or the rules of time have changed."""

from collections.abc import Sequence
from dataclasses import replace

from handlers.announce import refresh
from store.db import Tx
from store.domain.deadlines import schedule
from store.domain.lead import Lead


async def replan(tx: Tx, leads: Sequence[Lead]) -> None:
    """Derive the deadlines of ``leads`` again, and say them again on every card."""
    planned = [schedule(lead, tx.rules.limits, tx.rules.calendar) for lead in leads]
    moved = [new for old, new in zip(leads, planned, strict=True) if new != old]
    await tx.leads.plan(moved)
    stored = {lead.id: replace(lead, version=lead.version + 1) for lead in moved}
    await refresh(tx, [stored.get(lead.id, lead) for lead in planned])
