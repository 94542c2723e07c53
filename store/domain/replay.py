"""What other rules would have decided about the enquiries of the last days."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from store.domain.calendar import opening_of
from store.domain.enquiry import start
from store.domain.gates import Gate, closed, keeps
from store.domain.lead import CONSENT, FIELDS, NIGHT, SCORE, Lead
from store.domain.newlead import NewLead
from store.domain.routing import Choice, Desk, choose, sit
from store.domain.rules import Rules
from store.domain.team import Member

ROOM = 10**9
"""Leads that were closed meanwhile cannot be known here, so nobody is ever full."""
MANAGER, GRAB = "请主管决定", "大家抢"
WAITS: Mapping[str, str] = {FIELDS: "等资料", CONSENT: "等客户同意", SCORE: "先培育"}
"""What a gate keeps, by its name."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who would have got one lead, how many points it would have had, and whether that is hot."""

    to: str
    points: int
    grade: str
    hot: bool
    ready: bool


def replay(
    enquiries: Sequence[tuple[datetime, NewLead]], rules: Rules, reps: Sequence[Member]
) -> Sequence[Verdict]:
    """Every enquiry, the oldest first, through ``rules``, all reps starting with nothing.

    What a gate keeps is nobody's; what comes at night goes out at the opening, the best first.
    """
    trial = _Trial(rules, [Desk(replace(rep, capacity=ROOM), 0, None) for rep in reps])
    for at, new in enquiries:
        trial.hear(at, new)
    trial.open(None)
    return [trial.verdicts[number] for number in range(len(enquiries))]


@dataclass(slots=True)
class _Trial:
    """``night``: what waits, with the opening it waits for and its place among the enquiries."""

    rules: Rules
    desks: list[Desk]
    verdicts: dict[int, Verdict] = field(default_factory=dict)
    night: list[tuple[datetime, int, Lead]] = field(default_factory=list)
    heard: int = 0

    def hear(self, at: datetime, new: NewLead) -> None:
        self.open(at)
        number, lead = self.heard, start(new, at, self.rules).lead
        self.heard += 1
        choice = choose(lead, self.rules.routing, self.desks, None)
        gate = self._gate(lead, at)
        if gate is None or keeps(lead, choice):
            self._give(number, lead, choice, at)
        elif gate.name == NIGHT:
            self.night.append((opening_of(at, self.rules.calendar), number, lead))
        else:
            self._judge(number, lead, WAITS[gate.name])

    def open(self, at: datetime | None) -> None:
        """What has waited for an opening until ``at`` goes out; None: all of it."""
        due = [one for one in self.night if at is None or one[0] <= at]
        self.night = [one for one in self.night if one not in due] if due else self.night
        for opens, number, lead in sorted(due, key=lambda one: (one[0], -one[2].score, one[1])):
            choice = choose(lead, self.rules.routing, self.desks, None)
            self._give(number, lead, choice, opens)

    def _gate(self, lead: Lead, at: datetime) -> Gate | None:
        rules = self.rules
        return closed(lead, rules.gates, rules.calendar, at, rules.scale.mql)

    def _give(self, number: int, lead: Lead, choice: Choice, at: datetime) -> None:
        if choice.to is not None:
            desk = next(d for d in self.desks if d.member.id == choice.to.id)
            sit(desk, self.desks, at, choice.turn)
        self._judge(
            number, lead, choice.to.name if choice.to else GRAB if choice.grab else MANAGER
        )

    def _judge(self, number: int, lead: Lead, to: str) -> None:
        hot, ready = lead.score >= self.rules.hot, lead.score >= self.rules.mql
        self.verdicts[number] = Verdict(to, lead.score, lead.grade, hot, ready)


@dataclass(frozen=True, slots=True)
class Shift:
    """How the leads would fall: per person (now, then), and how many would go to somebody else."""

    leads: int
    people: Mapping[str, tuple[int, int]]
    moved: int
    grades: Mapping[str, tuple[int, int]]
    hot: tuple[int, int]
    ready: tuple[int, int]


def compare(now: Sequence[Verdict], then: Sequence[Verdict], reps: Sequence[str]) -> Shift:
    before, after = Counter(v.to for v in now), Counter(v.to for v in then)
    names = dict.fromkeys([*reps, *sorted({*before, *after} - set(reps))])
    old, new = Counter(v.grade for v in now), Counter(v.grade for v in then)
    return Shift(
        leads=len(now),
        people={name: (before[name], after[name]) for name in names},
        moved=sum(a.to != b.to for a, b in zip(now, then, strict=True)),
        grades={grade: (old[grade], new[grade]) for grade in "ABCD"},
        hot=(sum(v.hot for v in now), sum(v.hot for v in then)),
        ready=(sum(v.ready for v in now), sum(v.ready for v in then)),
    )
