"""Giving leads to people: by the rules, and by the managers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from store.db import Tx
from store.domain.gates import closed, keeps
from store.domain.lead import GRABBING, Change, Event, Kind, Lead, Place
from store.domain.pools import may_claim
from store.domain.routing import Choice, Desk, choose, fits, lately, sit
from store.domain.team import Member, MemberId, Role, off_duty


@dataclass(slots=True)
class Dispatcher:
    """The team at its desks while leads are given out, so that a batch obeys the caps too."""

    tx: Tx
    desks: dict[int, Desk]
    loads: Mapping[int, int]
    turns: dict[int, tuple[datetime, float]] = field(default_factory=dict)

    @classmethod
    async def open(cls, tx: Tx) -> "Dispatcher":
        await tx.lock("dispatch")
        loads = await tx.leads.loads()
        turns = await tx.members.turns()
        reps = await tx.members.active(Role.REP)
        desks: dict[int, Desk] = {
            m.id: _desk(m, loads.get(m.id, 0), *turns[m.id], tx.now) for m in reps
        }
        return cls(tx, desks, loads)

    def give(
        self, lead: Lead, former: MemberId | None = None, *, gated: bool = True
    ) -> Sequence[Change]:
        """Offer ``lead`` to whoever the rules choose; nobody: the managers are asked.

        What a gate keeps waits, and says for what; nothing happens to what waits already.
        What somebody has brought does not wait for being theirs.
        """
        rules = self.tx.rules
        now, mql = self.tx.now, rules.scale.mql
        gate = closed(lead, rules.gates, rules.calendar, now, mql) if gated else None
        choice = choose(lead, rules.routing, list(self.desks.values()), former)
        if gate is not None and not keeps(lead, choice):
            same = (lead.hold, lead.why) == gate
            return [] if same else [lead.wait(gate.name, gate.why, self.tx.now)]
        trace = _trace(choice)
        if choice.to is not None:
            self.sit(choice.to, choice.turn)
            return [lead.assign(choice.to, self.tx.now, why=choice.why).saying(trace)]
        group = [m for m in choice.grab if may_claim(m, lead, rules.limits)]
        if group:
            return [grab(lead, group, self.tx.now).saying(trace)]
        why = "能抢的人都不在它的公海里" if choice.grab else choice.why
        return [lead.unsuitable(self.tx.now, why).saying(trace)]

    def may_take(self, member: Member) -> bool:
        """Whether one more lead may be given to ``member`` now."""
        desk = self.desks.get(member.id)
        return desk is not None and not desk.full and not desk.off

    def seat(self, member: Member) -> Desk:
        """The desk of ``member``, also of a manager who takes one personally."""
        if member.id not in self.desks:
            load = self.loads.get(member.id, 0)
            self.desks[member.id] = _desk(member, load, None, None, self.tx.now)
        return self.desks[member.id]

    def sit(self, member: Member, turn: float | None = None) -> None:
        """``member`` has one lead more, and it was their turn."""
        desk = self.desks[member.id]
        turn = (desk.turn or 0.0) + 1 / member.weight if turn is None else turn
        sit(desk, self.desks.values(), self.tx.now, turn)
        self.turns[member.id] = desk.turn_at or self.tx.now, turn

    async def close(self) -> None:
        await self.tx.members.took_turns(self.turns)


def _desk(
    member: Member, load: int, turn_at: datetime | None, turn: float | None, now: datetime
) -> Desk:
    return Desk(
        member=member,
        load=load,
        turn_at=turn_at,
        turn=turn,
        off=off_duty(member, now) or "",
        back=lately(member.came_back(now), now),
    )


def _trace(choice: Choice) -> dict[str, Any]:
    """What was looked at, kept with the assignment: it answers why this one and why not that one."""
    return {
        "rule": choice.rule,
        "passed": [list(rule) for rule in choice.passed],
        "skipped": {reason: list(members) for reason, members in choice.skipped.items()},
    }


def grab(lead: Lead, group: Sequence[Member], at: datetime, *, everybody: bool = False) -> Change:
    """The ``group`` sees it, and only they take it unless ``everybody`` may; the first press wins."""
    data: dict[str, Any] = {"grab": [int(member.id) for member in group]}
    data |= {"open": True} if everybody else {}
    why = f"{lead.why}，{GRABBING}" if lead.why else GRABBING
    return Change(
        replace(lead, place=Place.POOL, why=why, placed_at=at, hold="", grab=True),
        Event(kind=Kind.GRAB, at=at, data=data),
    )


def went(lead: Lead, given: str = "已给") -> str:
    """Where the rules put ``lead``, as it is told."""
    if lead.owner is not None:
        return f"{given} {lead.owner.name}"
    if lead.hold:
        return lead.why
    return "大家可以抢，先点先得" if lead.grab else "已请主管分配"


def went_on(was: Lead, after: Lead) -> str:
    """What became of a lead that nobody had, after a comma; empty where it lies as before."""
    moved = was.owner is None and (after.owner, after.hold, after.place, after.grab) != (
        None, was.hold, was.place, was.grab,
    )  # fmt: skip
    return f"，{went(after)}" if moved or after.hold else ""


async def dispatch(tx: Tx, leads: Iterable[Lead]) -> Sequence[Change]:
    """Give ``leads``, which nobody has, out in this order, former owners first."""
    leads = list(leads)
    if not leads:
        return []
    dispatcher = await Dispatcher.open(tx)
    owners = await tx.leads.owners_of([lead.id for lead in leads])
    changes = [
        change
        for lead in leads
        for change in dispatcher.give(lead, next(reversed(owners.get(lead.id, ())), None))
    ]
    await dispatcher.close()
    return changes


async def pass_on(tx: Tx, lead: Lead, by: Member | None) -> Sequence[Change]:
    """The offer goes to the next rep; after enough tries everybody may grab it, and the managers know.

    A small team is through before that: then there is nobody left to wait for either.
    """
    passed = lead.pass_on(by, tx.now)
    dispatcher = await Dispatcher.open(tx)
    if passed.lead.tries >= tx.rules.limits.accept_tries:
        asked = passed.lead.unsuitable(tx.now, f"{passed.lead.tries} 个人都没接")
        return [passed, *await _last_resort(dispatcher, asked, by)]
    given = dispatcher.give(passed.lead)
    if given and _nobody_left(given[-1].event):
        return [passed, *await _last_resort(dispatcher, given[-1], by)]
    await dispatcher.close()
    return [passed, *given]


def _nobody_left(event: Event) -> bool:
    """Nobody could be given it; a rule that leaves it to the managers is none of that."""
    return event.kind == Kind.UNSUITABLE and not event.data.get("rule")


async def _last_resort(
    dispatcher: Dispatcher, asked: Change, by: Member | None
) -> Sequence[Change]:
    """The managers are asked, and meanwhile whoever has not said no may take it."""
    tx, lead = dispatcher.tx, asked.lead
    had = await tx.leads.parted(lead.id, tx.now - tx.rules.limits.cooldown)
    said_no = {*await tx.leads.decliners(lead.id), *([int(by.id)] if by else []), *had}
    group = [
        desk.member
        for desk in dispatcher.desks.values()
        if int(desk.member.id) not in said_no
        and dispatcher.may_take(desk.member)
        and fits(desk.member, lead)
        and may_claim(desk.member, lead, tx.rules.limits)
    ]
    return [asked, grab(asked.lead, group, tx.now, everybody=True)] if group else [asked]
