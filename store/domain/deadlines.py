"""When the clock acts on a lead. Derived from the lead alone, so no path can forget to set it."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from store.domain.calendar import WorkCalendar
from store.domain.lead import Due, Lead, Place
from store.domain.team import Away

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The numbers of ``[sla]`` and ``[pool]``; spans marked (w) count working time."""

    accept: timedelta  # (w)
    accept_tries: int
    first_response: timedelta  # (w)
    first_response_hot: timedelta  # (w)
    no_contact: timedelta  # (w)
    no_follow_up: timedelta
    no_conversion: timedelta
    hard_max: timedelta
    protect: timedelta
    extend: timedelta
    idle_to_marketing: timedelta
    warn_before: tuple[timedelta, ...]
    cap: int
    daily_claims: int
    cooldown: timedelta
    hot: int


def first_response(score: int, limits: Limits) -> timedelta:
    """How much working time may pass before the first call."""
    return limits.first_response_hot if score >= limits.hot else limits.first_response


def respond_by(lead: Lead, limits: Limits, calendar: WorkCalendar) -> datetime:
    """The first-response target: hot leads sooner, in working time, afresh for each owner."""
    span = first_response(lead.score, limits)
    return calendar.add(max(lead.asked_at, lead.placed_at), span, _away(lead))


def accept_by(lead: Lead, limits: Limits, calendar: WorkCalendar) -> datetime | None:
    """When the offer moves on; an offer does not wait for somebody who goes on leave meanwhile."""
    if lead.owner is None or not lead.offered:
        return None
    leaves = lead.owner.leaves_at(lead.placed_at)
    lapses = calendar.add(lead.placed_at, limits.accept)
    return lapses if leaves is None else min(lapses, leaves)


def _away(lead: Lead) -> tuple[Away, ...]:
    return lead.owner.away if lead.owner else ()


def reclaim_at(lead: Lead, limits: Limits, calendar: WorkCalendar) -> tuple[datetime, str] | None:
    """When an owned lead goes back to the pool, and why; None while nothing threatens it."""
    if lead.owner is None or not lead.open:
        return None
    if lead.contacted_at is None:
        return calendar.add(lead.placed_at, limits.no_contact, _away(lead)), "没有及时联系"
    last = lead.followed_at or lead.contacted_at
    quiet = last + limits.no_follow_up, "太久没有跟进"
    unconverted = max(lead.contacted_at + limits.no_conversion, last + limits.protect)
    slow = min(unconverted, lead.contacted_at + limits.hard_max), "一直没有转化"
    at, why = min(quiet, slow)
    return at + (limits.extend if lead.extended else timedelta(0)), why


def threatened(lead: Lead, now: datetime, limits: Limits, calendar: WorkCalendar) -> bool:
    """Whether the first warning before a reclaim has come: from then on the card is about that."""
    reclaim = reclaim_at(lead, limits, calendar)
    if reclaim is None:
        return False
    return any(moment <= now for moment in _warnings(lead, reclaim[0], limits, calendar))


def schedule(lead: Lead, limits: Limits, calendar: WorkCalendar) -> Lead:
    """``lead`` with the next thing the clock will do to it."""
    pending = [
        (at, due)
        for at, due in _moments(lead, limits, calendar)
        if at > lead.swept_at or due != Due.WARN
    ]
    at, due = min(pending, default=(None, Due.NONE))
    return replace(lead, due_at=at, due=due)


def _moments(lead: Lead, limits: Limits, calendar: WorkCalendar) -> list[tuple[datetime, Due]]:
    if not lead.open or lead.place == Place.MARKETING:
        return []
    if lead.place == Place.POOL:
        return [(lead.placed_at + limits.idle_to_marketing, Due.IDLE)]
    if (lapses := accept_by(lead, limits, calendar)) is not None:
        return [(lapses, Due.ACCEPT)]
    reclaim = reclaim_at(lead, limits, calendar)
    if reclaim is None:
        return []
    at, _ = reclaim
    warnings = [(moment, Due.WARN) for moment in _warnings(lead, at, limits, calendar)]
    return [*warnings, (at, Due.RECLAIM)]


def _warnings(lead: Lead, at: datetime, limits: Limits, calendar: WorkCalendar) -> list[datetime]:
    """At half, and so long before, but not while everybody sleeps.

    What lies before the lead was placed warns nobody.
    """
    moments = [at - before for before in limits.warn_before]
    if lead.contacted_at is None:
        moments.append(calendar.add(lead.placed_at, limits.no_contact / 2, _away(lead)))
    base = lead.followed_at or lead.contacted_at or lead.placed_at
    awake = (min(calendar.opens(moment), at - MINUTE) for moment in moments)
    return [moment for moment in awake if base < moment < at]
