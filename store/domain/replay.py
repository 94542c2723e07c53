"""What other rules would have decided about the enquiries of the last days."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from store.domain.enquiry import start
from store.domain.newlead import NewLead
from store.domain.routing import Desk, choose, sit
from store.domain.rules import Rules
from store.domain.team import Member

ROOM = 10**9
"""Leads that were closed meanwhile cannot be known here, so nobody is ever full."""
MANAGER, GRAB = "请主管决定", "大家抢"


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
    """Every enquiry in its order through ``rules``, all reps starting with nothing."""
    desks = [Desk(replace(rep, capacity=ROOM), 0, None) for rep in reps]
    return [_decide(new, at, rules, desks) for at, new in enquiries]


def _decide(new: NewLead, at: datetime, rules: Rules, desks: Sequence[Desk]) -> Verdict:
    lead = start(new, at, rules).lead
    choice = choose(lead, rules.routing, desks, None)
    if choice.to is not None:
        desk = next(d for d in desks if d.member.id == choice.to.id)
        sit(desk, desks, at, choice.turn)
    to = choice.to.name if choice.to else GRAB if choice.grab else MANAGER
    return Verdict(to, lead.score, lead.grade, lead.score >= rules.hot, lead.score >= rules.mql)


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
