"""Giving leads to people: by the rules, and by the managers."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from store.db import Tx
from store.domain.lead import Change, Event, Kind, Lead
from store.domain.routing import Desk, choose
from store.domain.team import Member, MemberId, Role

INSTANT = timedelta(microseconds=1)


@dataclass(slots=True)
class Dispatcher:
    """The team at its desks while leads are given out, so that a batch obeys the caps too."""

    tx: Tx
    desks: dict[int, Desk]
    turns: dict[int, datetime] = field(default_factory=dict)

    @classmethod
    async def open(cls, tx: Tx) -> "Dispatcher":
        await tx.lock("dispatch")
        loads = await tx.leads.loads()
        turns = await tx.members.turns()
        reps = await tx.members.active(Role.REP)
        return cls(tx, {m.id: Desk(m, loads.get(m.id, 0), turns[m.id]) for m in reps})

    async def give(self, lead: Lead, *, fresh: bool = False) -> Sequence[Change]:
        """Offer ``lead`` to whoever the rules choose; nobody: the managers are asked."""
        former = None if fresh else await self._former(lead)
        choice = choose(lead, self.tx.rules.routing, list(self.desks.values()), former)
        if choice.to is not None:
            self._sit(choice.to)
            return [lead.assign(choice.to, self.tx.now, why=choice.why)]
        if choice.grab:
            return [_grab(lead, choice.grab, self.tx.now)]
        return [lead.unsuitable(self.tx.now, choice.why)]

    async def _former(self, lead: Lead) -> MemberId | None:
        owners = await self.tx.leads.owners(lead.id)
        return owners[-1] if owners else None

    def _sit(self, member: Member) -> None:
        # Each turn comes after every other, also within one transaction and when this
        # process's clock is behind: else the next lead goes to the same person again.
        turns = (d.turn_at for d in self.desks.values() if d.turn_at is not None)
        turn = max([self.tx.now, *(at + INSTANT for at in turns)])
        desk = self.desks[member.id]
        desk.load += 1
        desk.turn_at = self.turns[member.id] = turn

    async def close(self) -> None:
        await self.tx.members.took_turns(self.turns)


def _grab(lead: Lead, group: Sequence[Member], at: datetime) -> Change:
    """Everybody who may take it sees it; the first press wins."""
    data = {"grab": [int(member.id) for member in group]}
    return Change(
        replace(lead, why="谁先点谁跟", placed_at=at),
        Event(kind=Kind.GRAB, at=at, data=data),
    )


async def pass_on(tx: Tx, lead: Lead, by: Member | None) -> Sequence[Change]:
    """The offer goes to the next rep; after enough tries, to the pool and the managers."""
    passed = lead.pass_on(by, tx.now)
    if passed.lead.tries >= tx.rules.limits.accept_tries:
        return [passed, passed.lead.unsuitable(tx.now, f"{passed.lead.tries} 个人都没接")]
    dispatcher = await Dispatcher.open(tx)
    given = await dispatcher.give(passed.lead, fresh=True)
    await dispatcher.close()
    return [passed, *given]
