"""What to work on first: the deadline, then the score, then how often the source comes to a deal."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from store.domain.calendar import WorkCalendar
from store.domain.deadlines import Limits, accept_by, reclaim_at, respond_by
from store.domain.lead import Lead

PRIOR = 10
"""So many leads of a source weigh as much as what all sources together show."""
Rates = Mapping[str, float]


def rates(counts: Mapping[str, tuple[int, int]]) -> Rates:
    """How often the leads of each source are won, from (won, all) of this installation alone.

    A source of few leads is taken for average; with nothing won yet all are alike.
    """
    won, total = (sum(pair[n] for pair in counts.values()) for n in (0, 1))
    average = won / total if total else 0.0
    return {name: (w + PRIOR * average) / (n + PRIOR) for name, (w, n) in counts.items()}


def next_deadline(lead: Lead, limits: Limits, calendar: WorkCalendar) -> datetime | None:
    """Until when something has to be done: accept, call, keep a date, or lose it."""
    accept = accept_by(lead, limits, calendar)
    call = respond_by(lead, limits, calendar) if lead.waits else None
    reclaim = reclaim_at(lead, limits, calendar) if accept is None else None
    moments = (accept, call, lead.next_at, reclaim[0] if reclaim else None)
    return min(filter(None, moments), default=None)


def in_working_order(
    leads: Sequence[Lead], limits: Limits, calendar: WorkCalendar, rate: Rates
) -> Sequence[Lead]:
    """By deadline to the minute; at the same one the better lead, then the better source."""

    def key(lead: Lead) -> tuple[bool, datetime, int, float, int]:
        at = next_deadline(lead, limits, calendar)
        minute = (at or lead.placed_at).replace(second=0, microsecond=0)
        return at is None, minute, -lead.score, -rate.get(lead.source, 0.0), int(lead.id)

    return sorted(leads, key=key)
