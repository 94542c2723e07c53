"""Two leads that may be one person: those who may decide are asked, once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from cards import render
from cards.doubts import doubt_card, doubts_card
from cards.lists import PAGE, answered_card
from handlers.phones import by_day, put_for
from store.db import Tx
from store.domain.lead import Lead
from store.domain.merge import may_merge
from store.domain.team import Member, Role
from store.outbox import Put

AT_ONCE = 5
"""More questions than this within ``LATELY`` are one list."""
LATELY = timedelta(minutes=1)
GATHER = timedelta(seconds=5)
"""How long the list waits for what comes right behind."""
SHOWN = 4


def key_of(lead_id: int, reader: Member) -> str:
    """A question, which one press answers (its key ends so)."""
    return f"doubt:{lead_id}/{reader.id}/ask"


async def ask_about(tx: Tx, fresh: Sequence[Lead]) -> None:
    """Put the question about each of ``fresh``, which know whom they resemble."""
    if not fresh:
        return
    await tx.doubts.ask([(lead.id, other) for lead in fresh for other in lead.doubles])
    others = await tx.leads.many({other for lead in fresh for other in lead.doubles})
    by_id = {int(lead.id): lead for lead in others}
    readers = await _readers(tx)
    if await tx.doubts.asked_since(tx.now - LATELY) > AT_ONCE:
        await _put_lists(tx, [m for m in readers if m.manages])
        return
    puts = [put for lead in fresh for put in _questions(tx, lead, by_id, readers)]
    await tx.outbox.put(puts)


async def unask(tx: Tx, lead_id: int, others: Sequence[int]) -> None:
    """What made these alike was taken back: the question on every phone says so."""
    await tx.doubts.unask(lead_id, others)
    if await tx.doubts.of(lead_id):
        return
    team = (await tx.members.all()).values()
    there = await tx.outbox.of_keys([f"doubt:{lead_id}/{member.id}/ask" for member in team])
    card = answered_card(f"#{lead_id} 的资料撤回了，不用核对")
    await tx.outbox.put([replace(put, payload=render(card, put.channel)) for put in there])


async def _readers(tx: Tx) -> Sequence[Member]:
    team = await tx.members.active(Role.MANAGER, Role.REP)
    return [member for member in team if member.phone]


def _questions(
    tx: Tx, lead: Lead, by_id: Mapping[int, Lead], readers: Sequence[Member]
) -> Sequence[Put]:
    alike = [by_id[n] for n in lead.doubles if n in by_id][:SHOWN]
    asked = [m for m in readers if alike and all(may_merge(m, lead, other) for other in alike)]
    owners = [m for m in asked if not m.manages]
    # Who has both knows best; then no manager is troubled.
    return [_question(tx, lead, alike, reader) for reader in (owners or asked)]


def _question(tx: Tx, lead: Lead, alike: Sequence[Lead], reader: Member) -> Put:
    put = put_for(reader, key_of(lead.id, reader), doubt_card(lead, alike, reader))
    return replace(put, not_before=by_day(tx.now, tx.rules.calendar))


async def _put_lists(tx: Tx, readers: Sequence[Member]) -> None:
    pairs, count = await tx.doubts.open(PAGE)
    leads = await tx.leads.many({n for pair in pairs for n in pair})
    by_id = {int(lead.id): lead for lead in leads}
    day = tx.now.astimezone(tx.rules.zone).date()
    asked = [(by_id[a], by_id[b]) for a, b in pairs]
    puts = [
        put_for(reader, f"doubts:{day}/{reader.id}", doubts_card(asked, count, 1, reader))
        for reader in readers
    ]
    later = by_day(tx.now, tx.rules.calendar) or tx.now + GATHER
    await tx.outbox.put([replace(put, not_before=later) for put in puts])
