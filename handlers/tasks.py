"""What is to be done without anybody asking: a stage's tasks, its rhythm, birthdays."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from store.db import Tx
from store.domain.lead import Lead, Stage, may_see
from store.domain.occasions import BIRTHDAY, CONTRACT, KINDS, Occasion, occasions
from store.domain.sop import sop_for
from store.domain.team import Member
from store.reminders import Reminder

DATED = frozenset({*BIRTHDAY, *CONTRACT})
DAY = timedelta(days=1)


def moment(tx: Tx, at: datetime, *, date_only: bool) -> datetime:
    """A date alone is the opening of that working day, or of the next one."""
    return tx.rules.calendar.opens(at) if date_only else at


def moment_by(tx: Tx, at: datetime) -> datetime:
    """Of what is due by a day off the last working day before, while that is still to come."""
    day = at
    while not tx.rules.calendar.is_workday(day.astimezone(tx.rules.zone).date()):
        day -= DAY
    return moment(tx, day if day > tx.now else at, date_only=True)


def later(tx: Tx, span: timedelta) -> tuple[datetime, bool]:
    """The instant ``span`` from now; whole days mean that morning. Whether it is a date alone."""
    at, date_only = tx.now + span, span % DAY == timedelta(0)
    if date_only:
        local = at.astimezone(tx.rules.zone)
        at = local.replace(hour=9, minute=0, second=0, microsecond=0)
    return moment(tx, at, date_only=date_only), date_only


async def enter(tx: Tx, lead: Lead) -> Lead:
    """A stage is entered: the tasks of the last one are over, those of this one begin.

    The lead with the next date it has by that.
    """
    await tx.reminders.drop(lead.id, "task")
    if lead.owner is None:
        return lead
    for task in tx.rules.tasks:
        if task.stage == lead.stage:
            at, date_only = later(tx, task.after)
            await tx.reminders.add(
                lead.id, lead.owner.id, at, task.text, "task", date_only=date_only
            )
            lead = _with_next(tx, lead, at)
    return lead


def _with_next(tx: Tx, lead: Lead, at: datetime) -> Lead:
    agreed = lead.next_at is not None and tx.now < lead.next_at < at
    return lead if agreed else replace(lead, next_at=at)


async def hand_on(tx: Tx, lead: Lead, former: int | None) -> None:
    """Who has ``lead`` now has its reminders, but what others asked for themselves is theirs."""
    if lead.owner is not None:
        coming = await _not_others(tx, lead, former)
        ids = [r.id for r in coming if r.member_id != lead.owner.id]
        if ids:
            await tx.reminders.move_back(ids, lead.id, lead.owner.id)


async def let_go(tx: Tx, lead: Lead, former: int | None) -> None:
    """``former`` has ``lead`` no more and is reminded of nothing; others are, as they asked."""
    await tx.reminders.rung([r.id for r in await _not_others(tx, lead, former)])


async def join(tx: Tx, other: Lead, kept: Lead) -> Sequence[tuple[int, int]]:
    """The reminders of ``other`` go to ``kept``: each with whose it was, for taking it apart.

    Its owner's go to the one who has ``kept``, or end when nobody has.
    """
    former = int(other.owner.id) if other.owner is not None else None
    going = {r.id for r in await _not_others(tx, kept, former, of=other.id)}
    moved = []
    for r in await tx.reminders.of(other.id):
        if r.id in going and kept.owner is None:
            await tx.reminders.rung([r.id])
            continue
        to = kept.owner.id if r.id in going and kept.owner is not None else None
        await tx.reminders.move_back([r.id], kept.id, to)
        moved.append((r.id, int(r.member_id)))
    return moved


async def _not_others(
    tx: Tx, lead: Lead, former: int | None, *, of: int | None = None
) -> Sequence[Reminder]:
    """What belongs to the lead and its owner, not to somebody else who may see it and asked."""
    coming = await tx.reminders.of(lead.id if of is None else of)
    team = await tx.members.all() if coming else {}
    return [r for r in coming if not _others(r, team[r.member_id], lead, former)]


def _others(reminder: Reminder, member: Member, lead: Lead, former: int | None) -> bool:
    mine = reminder.kind == "asked" and member.active and member.id != former
    return mine and may_see(lead, member)


def rhythm(tx: Tx, lead: Lead) -> tuple[datetime, bool, str] | None:
    """When a lead nothing is agreed with is to be called again, by the rule of its stage."""
    sop = sop_for(lead, tx.rules.sops)
    if sop is None or sop.every is None or (lead.next_at is not None and lead.next_at > tx.now):
        return None
    at, date_only = later(tx, sop.every)
    return at, date_only, f"{sop.channel or '联系'}跟进（按节奏）"


async def keep_occasions(tx: Tx, leads: Iterable[Lead]) -> None:
    """The owner is reminded of birthdays and anniversaries, whoever that is by now."""
    for lead in leads:
        if DATED & lead.fields.keys() or lead.stage == Stage.WON:
            coming = [] if lead.left_alone else occasions(lead, tx.now, tx.rules.calendar)
            await _keep(tx, lead, coming)


async def _keep(tx: Tx, lead: Lead, coming: list[Occasion]) -> None:
    wanted = {(one.kind, one.at, one.text): one for one in coming}
    there = [r for r in await tx.reminders.of(lead.id) if r.kind in KINDS and r.due_at > tx.now]
    known = {(r.kind, r.due_at, r.text) for r in there}
    await tx.reminders.rung([r.id for r in there if (r.kind, r.due_at, r.text) not in wanted])
    for one in (one for what, one in wanted.items() if what not in known):
        owner = lead.owner
        if owner is not None:
            await tx.reminders.add(lead.id, owner.id, one.at, one.text, one.kind, date_only=True)
