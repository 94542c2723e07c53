"""Another business line is proposed, by a card with one press, to who has the lead."""

from collections.abc import Sequence
from dataclasses import replace

from cards.lines import line_card
from handlers.phones import by_day, put_for
from store.db import Tx
from store.domain.lead import Lead
from store.domain.team import Role


async def propose(tx: Tx, asked: Sequence[tuple[Lead, str]]) -> None:
    """Each of these leads' people asked for another line, too."""
    if not asked:
        return
    managers = await tx.members.active(Role.MANAGER)
    puts = []
    for lead, line in asked:
        for reader in [lead.owner] if lead.owner is not None else managers:
            if reader.phone is not None:
                key = f"line:{lead.id}/{reader.id}/ask"
                puts.append(put_for(reader, key, line_card(lead, line, reader)))
    later = by_day(tx.now, tx.rules.calendar)
    await tx.outbox.put([replace(put, not_before=later) for put in puts])
