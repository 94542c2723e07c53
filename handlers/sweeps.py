"""What happens when the clock comes by: offers lapse, owners are warned, leads are reclaimed."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from cards.model import Card
from cards.reminders import morning_card, reminder_card
from handlers import tasks
from handlers.announce import record
from handlers.assign import dispatch, pass_on
from handlers.clocks import replan
from handlers.nurture import begin
from handlers.phones import put_for
from store.db import Tx
from store.domain.deadlines import reclaim_at, respond_by, schedule
from store.domain.lead import Due, Lead, LeadId, may_see
from store.domain.occasions import KINDS as OCCASIONS
from store.domain.quota import Level, paid_from
from store.domain.recurrence import following
from store.domain.team import Role
from store.reminders import Reminder

BATCH = 100
SEVERAL = 3
"""More reminders than this at one minute for one person become one card."""
AHEAD = {
    Level.TIGHT: timedelta(minutes=30),
    Level.CRITICAL: timedelta(hours=4),
    Level.OVER: timedelta(hours=4),
}
"""How far ahead reminders are gathered when the allowance is tight."""
LEADS = 20
"""Of one transaction: each takes milliseconds, and a capture must not wait long for the writer."""


async def deadlines(tx: Tx) -> int:
    """Do to each lead what is due; how many there were. Each acts once: its deadline moves."""
    due = await tx.leads.due(tx.now, LEADS)
    for lead in due:
        if lead.due != Due.DISPATCH:
            await _act(tx, lead)
    await _open(tx, [lead for lead in due if lead.due == Due.DISPATCH])
    return len(due)


async def _open(tx: Tx, night: Sequence[Lead]) -> None:
    """The night is over: what came goes out together, the best first.

    A lead that still has to wait is told anew until when, or it would be due for ever.
    """
    if night:
        best = sorted(night, key=lambda lead: (-lead.score, lead.id))
        await record(tx, *await dispatch(tx, [replace(lead, hold="") for lead in best]))


async def _act(tx: Tx, lead: Lead) -> None:
    now = schedule(lead, tx.rules.limits, tx.rules.calendar)
    if (now.due, now.due_at) != (lead.due, lead.due_at):
        # The rules have changed since it was written down: only what they say now is done.
        await replan(tx, [lead])
    elif lead.due == Due.ACCEPT:
        await record(tx, *await pass_on(tx, lead, None))
    elif lead.due in {Due.NUDGE, Due.LATE}:
        # Half of the time is no news when all of it is over.
        over = respond_by(lead, tx.rules.limits, tx.rules.calendar) <= tx.now
        await record(tx, lead.late(tx.now) if over else lead.nudge(tx.now))
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
    change = lead.reclaim(tx.now, why[1] if why else "到期")
    await tasks.let_go(tx, change.lead, change.event.data["from"])
    await record(tx, change)


async def reminders(tx: Tx) -> int:
    """Ring what is due; the date-only ones of one person together, as one morning card."""
    due = await tx.reminders.due(tx.now, BATCH)
    if not due:
        return 0
    ringing = await _together(tx, due)
    leads = {lead.id: lead for lead in await tx.leads.many(r.lead_id for r in ringing)}
    await tx.reminders.rung([r.id for r in ringing])
    mornings: dict[int, list[Reminder]] = {}
    alive = [r for r in ringing if leads[r.lead_id].open or r.kind in OCCASIONS]
    alive = [r for r in alive if r.stands(leads[r.lead_id])]
    wanted = await _rightful(tx, alive, leads)
    many = await _crowded(tx, wanted)
    for reminder in wanted:
        if reminder.date_only or reminder.member_id in many:
            mornings.setdefault(reminder.member_id, []).append(reminder)
        else:
            await _ring(tx, reminder, leads[reminder.lead_id])
    for member_id, together in mornings.items():
        await _morning(tx, member_id, together, leads)
    await _again(tx, wanted, leads)
    return len(due)


async def _rightful(
    tx: Tx, ringing: Sequence[Reminder], leads: Mapping[LeadId, Lead]
) -> Sequence[Reminder]:
    """Who has lost a lead is not reminded of it: its owner is, or a manager while nobody has it."""
    team = await tx.members.all()
    managers = await tx.members.active(Role.MANAGER) or await tx.members.active(Role.ADMIN)
    kept = []
    for reminder in ringing:
        lead, member = leads[reminder.lead_id], team[reminder.member_id]
        if not (member.active and may_see(lead, member)):
            heirs = [lead.owner] if lead.owner and lead.owner.active else managers
            kept += [replace(reminder, member_id=heir.id) for heir in heirs[:1]]
        else:
            kept.append(reminder)
    return kept


async def _together(tx: Tx, due: Sequence[Reminder]) -> Sequence[Reminder]:
    """Of whoever is reminded of a date, every one of that morning; and what soon comes, if tight."""
    days = {r.member_id for r in due if r.date_only}
    mornings = await tx.reminders.mornings(sorted(days), tx.now) if days else ()
    found = {r.id: r for r in (*due, *mornings, *await _ahead(tx, due))}
    return sorted(found.values(), key=lambda r: (r.due_at, r.id))


async def _again(tx: Tx, rung: Sequence[Reminder], leads: Mapping[LeadId, Lead]) -> None:
    """What comes round is due once more, however many times were missed."""
    for reminder in rung:
        if reminder.every:
            at = following(reminder.every, reminder.due_at, tx.now, tx.rules.zone)
            if at is not None:
                at = tasks.moment(tx, at, date_only=reminder.date_only)
                await tx.reminders.again(reminder.id, at)
    await tasks.keep_occasions(tx, [leads[r.lead_id] for r in rung if r.kind in OCCASIONS])


async def _ahead(tx: Tx, due: Sequence[Reminder]) -> Sequence[Reminder]:
    """When the allowance is tight, what comes soon rings along: one message, early, not three."""
    coming: list[Reminder] = []
    levels = await _levels(tx, {r.member_id for r in due})
    for level, span in AHEAD.items():
        members = [m for m, now in levels.items() if now == level]
        if members:
            coming += await tx.reminders.coming(members, tx.now + span)
    return coming


async def _crowded(tx: Tx, ringing: Sequence[Reminder]) -> set[int]:
    """Who gets one card for everything: several at once, or two when it is tight."""
    exact = Counter(r.member_id for r in ringing if not r.date_only)
    levels = await _levels(tx, exact)
    return {m for m, n in exact.items() if n > (SEVERAL if levels[m] == Level.PLENTY else 1)}


async def _levels(tx: Tx, members: Iterable[int]) -> Mapping[int, Level]:
    """How tight it is for each; whose messages are paid from one fund share the answer."""
    team = await tx.members.all()
    funds = {m: paid_from(*phone) if (phone := team[m].phone) else None for m in members}
    levels = {fund: await tx.quota.level(fund) for fund in {*funds.values()} if fund}
    return {m: levels[fund] if fund else Level.PLENTY for m, fund in funds.items()}


async def _ring(tx: Tx, reminder: Reminder, lead: Lead) -> None:
    reader = (await tx.members.all())[reminder.member_id]
    card = reminder_card(lead, reminder.text, reader, again=bool(reminder.every))
    # What comes round rings as a message of its own every time.
    turn = f"/{reminder.due_at:%Y%m%d%H%M}" if reminder.every else ""
    await _put(tx, f"remind:{reminder.id}{turn}", reminder.member_id, card)


async def _morning(
    tx: Tx, member_id: int, together: Sequence[Reminder], leads: Mapping[LeadId, Lead]
) -> None:
    if len(together) == 1:
        await _ring(tx, together[0], leads[together[0].lead_id])
        return
    reader = (await tx.members.all())[member_id]
    card = morning_card([(leads[r.lead_id], _when(tx, r)) for r in together], reader)
    day = tx.now.astimezone(tx.rules.zone).date()
    await _put(tx, f"morning:{day}/{member_id}/{together[0].id}", member_id, card)


def _when(tx: Tx, reminder: Reminder) -> str:
    """What to do, after the minute to do it at."""
    at = "" if reminder.date_only else f"{reminder.due_at.astimezone(tx.rules.zone):%H:%M} "
    return f"{at}{reminder.text}"


async def _put(tx: Tx, key: str, member_id: int, card: Card) -> None:
    member = (await tx.members.all())[member_id]
    if member.phone is not None and member.active:
        await tx.outbox.put([put_for(member, key, card)])


KEEP = timedelta(days=30)
DAY = timedelta(days=1)


async def forget(tx: Tx) -> None:
    """Receipts, sent messages and pictures older than a month serve nobody."""
    before = tx.now - KEEP
    await tx.inbox.forget(before)
    await tx.outbox.forget(before)
    await tx.pictures.forget(before)
    await tx.quota.forget()
    await tx.alarms.forget("wecom_refused:", tx.now - DAY)
    await tx.actions.forget(tx.now - DAY)
