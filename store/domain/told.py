"""What was logged of a lead, as it counts today: corrected, and without what was taken back."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, Protocol

from store.domain.calendar import WorkCalendar
from store.domain.followup import FollowUp
from store.domain.lead import Kind

DAY = timedelta(days=1)


class Line(Protocol):
    """A line of a history."""

    @property
    def id(self) -> int: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def at(self) -> datetime: ...
    @property
    def by_id(self) -> int | None: ...
    @property
    def text(self) -> str: ...
    @property
    def data(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One follow-up. ``was``: what it changed of the lead, as it was before."""

    id: int
    by_id: int | None
    at: datetime
    log: FollowUp
    was: Mapping[str, Any] = field(default_factory=dict)


def told(history: Iterable[Line]) -> Sequence[Told]:
    """The follow-ups of one lead's history, oldest first."""
    lines = list(history)
    undone = {n for line in lines if line.kind == Kind.UNDONE for n in line.data.get("undid", ())}
    kept = [line for line in lines if line.id not in undone]
    logs = {line.id: _told(line) for line in kept if line.kind == Kind.FOLLOWED}
    for line in kept:
        old = logs.get(line.data.get("of", 0)) if line.kind == Kind.CORRECTED else None
        if old is not None:
            logs[old.id] = replace(old, log=FollowUp.of(old.log.text, line.data))
    return list(logs.values())


def _told(line: Line) -> Told:
    log = FollowUp.of(line.text, line.data)
    return Told(id=line.id, by_id=line.by_id, at=line.at, log=log, was=line.data.get("was", {}))


def in_vain(logs: Sequence[Told]) -> Sequence[datetime]:
    """When it was tried since somebody was last reached, oldest first."""
    tries: list[datetime] = []
    for one in reversed(logs):
        if one.log.reached:
            break
        if one.log.missed:
            tries.append(one.at)
    return tries[::-1]


def workdays_ago(now: datetime, days: int, calendar: WorkCalendar) -> date:
    """The first of the last ``days`` working days, today's among them."""
    day = now.astimezone(calendar.zone).date()
    while days > 1 or not calendar.is_workday(day):
        days -= calendar.is_workday(day)
        day -= DAY
    return day
