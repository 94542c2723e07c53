"""
When the clock has to act on a lead, after the numbers of behaviour.md and not after the code.

Working time is walked piece by piece; nothing here asks the product but which days are worked.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

from store.domain.team import Away
from tests.scenarios.company import EXEMPT
from tests.scenarios.folded import Folded

ZONE = ZoneInfo("Asia/Shanghai")
HOURS = ((time(9), time(12)), (time(13, 30), time(18, 30)))
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
HOT = 80
Works = Callable[[date], bool]
Moment = tuple[datetime, str]


def open_spans(at: datetime, works: Works, away: Sequence[Away]) -> Iterator[Away]:
    """The pieces of working time from ``at`` on in which the owner is there."""
    day = at.astimezone(ZONE).date()
    while True:
        for begin, end in HOURS if works(day) else ():
            first, last = (datetime.combine(day, t, ZONE).astimezone(UTC) for t in (begin, end))
            yield from _without(max(at, first), last, away)
        day += DAY


def _without(start: datetime, end: datetime, away: Sequence[Away]) -> Iterator[Away]:
    for gone, back in away:
        if gone < end and back > start:
            if start < gone:
                yield start, gone
            start = max(start, back)
    if start < end:
        yield start, end


def worked(at: datetime, span: timedelta, works: Works, away: Sequence[Away] = ()) -> datetime:
    """When so much working time has passed since ``at``."""
    for start, end in open_spans(at, works, away):
        if span <= end - start:
            return start + span
        span -= end - start
    raise AssertionError


def passed(at: datetime, span: timedelta, away: Sequence[Away]) -> datetime:
    """When so much time has passed since ``at`` in which the owner was not on leave."""
    for start, end in _without(at, at + 900 * DAY, away):
        if span <= end - start:
            return start + span
        span -= end - start
    raise AssertionError


def due(told: Folded, score: int, works: Works, away: Sequence[Away]) -> Moment | None:
    """The next thing the clock does to the lead; None: nothing, for ever."""
    if not told.open or told.place == "marketing" or (told.owner and told.alone):
        return None
    if told.hold == "hours":
        return opening(told.placed_at, works), "dispatch"
    if told.place == "pool":
        return told.placed_at + 30 * DAY, "idle"
    if told.accepted_at is None:
        lapses = worked(told.placed_at, 5 * MINUTE, works)
        return min([lapses, *(gone for gone, _ in away if gone > told.placed_at)]), "accept"
    moments = [*_call(told, score, works, away), *_taken(told, works, away)]
    once = {"nudge", "warn"}
    pending = [(at, what) for at, what in moments if at > told.swept_at or what not in once]
    return min(pending, default=None)


def opening(at: datetime, works: Works) -> datetime:
    """When people are there again; ``at`` itself while they are, at lunch too."""
    day = at.astimezone(ZONE).date()
    while True:
        begin, end = (datetime.combine(day, t, ZONE) for t in (HOURS[0][0], HOURS[-1][1]))
        if works(day) and at < end:
            return max(at, begin).astimezone(UTC)
        day += DAY


def _call(told: Folded, score: int, works: Works, away: Sequence[Away]) -> Iterator[Moment]:
    waits = told.called_at is None or told.called_at < told.asked_at
    if not waits or told.late_at:
        return
    target = 5 * MINUTE if score >= HOT else 30 * MINUTE
    begun = max(told.asked_at, told.placed_at)
    yield worked(begun, target / 2, works, away), "nudge"
    late = worked(begun, target, works, away)
    yield max([late, *_graced(told, works, away)]), "late"


def _graced(told: Folded, works: Works, away: Sequence[Away]) -> Iterator[datetime]:
    if told.grace_at:
        yield worked(told.grace_at, HOUR, works, away)


def _taken(told: Folded, works: Works, away: Sequence[Away]) -> Iterator[Moment]:
    """Back to the pool; the warnings a day and two hours before, and at half without a call."""
    if told.stage == EXEMPT:
        return
    spare = [told.spare_at] if told.spare_at else []
    at = _reclaim(told, works, away)
    if told.extended:
        at = passed(at, 7 * DAY, away)
    if told.contacted_at is not None:
        at = min(at, passed(_since(told, told.contacted_at), 20 * DAY, away))
    at = max([at, *spare, *_graced(told, works, away)])
    yield at, "reclaim"
    warnings = [_before(at, span, works, away) for span in (DAY, 2 * HOUR)]
    if told.called_at is None:
        half = worked(_since(told, told.placed_at), 12 * HOUR, works, away)
        warnings.append(min(next(open_spans(half, works, ()))[0], at - MINUTE))
    since = _since(told, told.followed_at, told.contacted_at, told.placed_at)
    for warning in warnings:
        if since < warning < at:
            yield warning, "warn"


def _before(at: datetime, span: timedelta, works: Works, away: Sequence[Away]) -> datetime:
    """So long before, if the owner works then; else so much work before, of a day at most."""
    start, end = next(open_spans(at - span, works, away))
    if start <= at - span < end:
        return at - span
    span = min(span, 8 * HOUR)
    pieces = open_spans(at - 90 * DAY, works, away)
    for start, end in reversed(list(takewhile(lambda piece: piece[0] < at, pieces))):
        if span <= min(end, at) - start:
            return min(end, at) - span
        span -= min(end, at) - start
    raise AssertionError


def _since(told: Folded, *moments: datetime | None) -> datetime:
    """The last of them; after a time in which nobody was to call, when the person asked again."""
    asked = told.asked_at if told.opted_out_at else None
    return max(filter(None, (*moments, asked)))


def _reclaim(told: Folded, works: Works, away: Sequence[Away]) -> datetime:
    """24 working hours without a call; 15 days of silence; 14 without a deal."""
    protected = [passed(told.followed_at, 10 * DAY, away)] if told.followed_at else []
    ends = []
    if told.called_at is None:
        ends.append(worked(_since(told, told.placed_at), 24 * HOUR, works, away))
    else:
        last = _since(told, told.followed_at, told.contacted_at, told.placed_at)
        ends.append(max([passed(last, 15 * DAY, away), *protected]))
    if told.contacted_at is not None:
        begun = _since(told, told.contacted_at)
        ends.append(max([passed(begun, 14 * DAY, away), *protected]))
    return min(ends)
