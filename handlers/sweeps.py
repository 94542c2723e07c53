"""What happens when the clock comes by: offers lapse, owners are warned, leads are reclaimed."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from cards import render
from cards.model import Card
from cards.reminders import morning_card, reminder_card
from handlers.announce import record
from handlers.assign import pass_on
from handlers.journeys import begin
from store.db import Tx
from store.domain.deadlines import reclaim_at
from store.domain.lead import Due, Lead, LeadId
from store.outbox import Put
from store.reminders import Reminder

BATCH = 100
LEADS = 20
"""Of one transaction: each takes milliseconds, and a capture must not wait long for the writer."""


async def deadlines(tx: Tx) -> int:
    """Do to each lead what is due; how many there were. Each acts once: its deadline moves."""
    due = await tx.leads.due(tx.now, LEADS)
    for lead in due:
        await _act(tx, lead)
    return len(due)


async def _act(tx: Tx, lead: Lead) -> None:
    if lead.due == Due.ACCEPT:
        await record(tx, *await pass_on(tx, lead, None))
    elif lead.due == Due.WARN:
        await record(tx, lead.warn(tx.now))
    elif lead.due == Due.RECLAIM:
        await _reclaim(tx, lead)
    elif lead.due == Due.IDLE:
        change = lead.idle(tx.now)
        await record(tx, change)
        await begin(tx, change.lead)


async def _reclaim(tx: Tx, lead: Lead) -> None:
    """The number enforced is the number shown: both come from the same function."""
    why = reclaim_at(lead, tx.rules.limits, tx.rules.calendar)
    await tx.reminders.drop(lead.id)
    await record(tx, lead.reclaim(tx.now, why[1] if why else "到期"))


async def reminders(tx: Tx) -> int:
    """Ring what is due; the date-only ones of one person together, as one morning card."""
    due = await tx.reminders.due(tx.now, BATCH)
    if not due:
        return 0
    leads = {lead.id: lead for lead in await tx.leads.many(r.lead_id for r in due)}
    mornings: dict[int, list[Reminder]] = {}
    for reminder in due:
        if reminder.date_only:
            mornings.setdefault(reminder.member_id, []).append(reminder)
        else:
            await _ring(tx, reminder, leads[reminder.lead_id])
    for member_id, together in mornings.items():
        await _morning(tx, member_id, together, leads)
    await tx.reminders.rung([r.id for r in due])
    return len(due)


async def _ring(tx: Tx, reminder: Reminder, lead: Lead) -> None:
    card = reminder_card(lead, reminder.text)
    await _put(tx, f"remind:{reminder.id}", reminder.member_id, card)


async def _morning(
    tx: Tx, member_id: int, together: Sequence[Reminder], leads: Mapping[LeadId, Lead]
) -> None:
    if len(together) == 1:
        await _ring(tx, together[0], leads[together[0].lead_id])
        return
    card = morning_card([(leads[r.lead_id], r.text) for r in together])
    day = tx.now.astimezone(tx.rules.zone).date()
    await _put(tx, f"morning:{day}/{member_id}/{together[0].id}", member_id, card)


async def _put(tx: Tx, key: str, member_id: int, card: Card) -> None:
    member = (await tx.members.all())[member_id]
    if member.phone is None or not member.active:
        return
    channel, account = member.phone
    payload = render(card, channel)
    await tx.outbox.put([Put(key=key, channel=channel, account=account, payload=payload)])


KEEP = timedelta(days=30)


async def forget(tx: Tx) -> None:
    """Receipts, sent messages and pictures older than a month serve nobody."""
    before = tx.now - KEEP
    await tx.inbox.forget(before)
    await tx.outbox.forget(before)
    await tx.pictures.forget(before)
