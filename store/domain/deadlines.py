"""When the clock acts on a lead. Derived from the lead alone, so no path can forget to set it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from store.domain.calendar import WorkCalendar, opening_of
from store.domain.conditions import holds
from store.domain.lead import NIGHT, Due, Lead, Place
from store.domain.team import Away

MINUTE = timedelta(minutes=1)
NOTHING = timedelta(0)
ONCE = frozenset({Due.NUDGE, Due.WARN})
"""What is only said: missed, it is not made up for."""
UNCONVERTED = "一直没有转化"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Other spans for some leads: the first policy whose conditions hold. ``exempt``: never."""

    name: str
    when: Mapping[str, object] = field(default_factory=dict)
    exempt: bool = False
    spans: Mapping[str, timedelta] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """A pool of its own. No ``members``: every rep; no ``admins``: every manager."""

    name: str
    when: Mapping[str, object] = field(default_factory=dict)
    admins: tuple[str, ...] = ()
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The numbers of ``[sla]`` and ``[pool]``; spans marked (w) count working time."""

    accept: timedelta  # (w)
    accept_tries: int
    first_response: timedelta  # (w)
    first_response_hot: timedelta  # (w)
    grace: timedelta  # (w)
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
    embargo: timedelta
    hot: int
    exempt_stages: tuple[str, ...] = ()
    policies: tuple[Policy, ...] = ()
    scopes: tuple[Scope, ...] = ()


def policy_of(lead: Lead, limits: Limits) -> Policy | None:
    """The first policy that is about this lead."""
    return next((policy for policy in limits.policies if holds(policy.when, lead)), None)


def _own(lead: Lead, limits: Limits) -> Limits | None:
    """The spans of this lead; None: it is never reclaimed."""
    policy = policy_of(lead, limits)
    if lead.stage in limits.exempt_stages or (policy and policy.exempt):
        return None
    return replace(limits, **policy.spans) if policy else limits  # type: ignore[arg-type]


def first_response(score: int, limits: Limits) -> timedelta:
    """How much working time may pass before the first call."""
    return limits.first_response_hot if score >= limits.hot else limits.first_response


def respond_by(lead: Lead, limits: Limits, calendar: WorkCalendar) -> datetime:
    """The first-response target: hot leads sooner, in working time, afresh for each owner.

    It begins anew when the person asks again. A manager may have given more time.
    """
    at = _respond(lead, first_response(lead.score, limits), calendar)
    return max(at, _graced(lead, limits, calendar) or at)


def _graced(lead: Lead, limits: Limits, calendar: WorkCalendar) -> datetime | None:
    """Until when a manager has given the owner for the call; a leave takes nothing of it."""
    if lead.grace_at is None:
        return None
    return calendar.add(lead.grace_at, limits.grace, _away(lead))


def _respond(lead: Lead, span: timedelta, calendar: WorkCalendar) -> datetime:
    return calendar.add(max(lead.asked_at, lead.placed_at), span, _away(lead))


def accept_by(lead: Lead, limits: Limits, calendar: WorkCalendar) -> datetime | None:
    """When the offer moves on; an offer does not wait for somebody who goes on leave meanwhile."""
    if lead.owner is None or not lead.offered or lead.left_alone:
        return None
    leaves = lead.owner.leaves_at(lead.placed_at)
    lapses = calendar.add(lead.placed_at, limits.accept)
    return lapses if leaves is None else min(lapses, leaves)


def _away(lead: Lead) -> tuple[Away, ...]:
    return lead.owner.away if lead.owner else ()


def _days(at: datetime, span: timedelta, lead: Lead) -> datetime:
    """``span`` of plain time after ``at``, of which the owner's leave is none."""
    end = at + span
    for start, back in _away(lead):
        if at < back and start < end:
            end += back - max(start, at)
    return end


def _since(lead: Lead, at: datetime) -> datetime:
    """``at``, or when the person asked again: before that nobody was to call."""
    return max(at, lead.back_at or at)


def reclaim_at(lead: Lead, limits: Limits, calendar: WorkCalendar) -> tuple[datetime, str] | None:
    """When an owned lead goes back to the pool, and why; None while nothing threatens it.

    Neither its owner's leave counts nor the time while its person wanted to be left alone.
    """
    own = _own(lead, limits)
    if lead.owner is None or not lead.open or lead.left_alone or own is None:
        return None
    at, why = min(_threats(lead, own, calendar))
    at = _days(at, own.extend, lead) if lead.extended else at
    last = hard_end(lead, limits)
    if last is not None and last < at:
        at, why = last, UNCONVERTED
    kept = (lead.spare_at, _graced(lead, limits, calendar))
    return max([at, *filter(None, kept)]), why


def hard_end(lead: Lead, limits: Limits) -> datetime | None:
    """The hard maximum: neither a follow-up nor an extension keeps the lead longer.

    None before the first contact, and for what is never reclaimed.
    """
    own = _own(lead, limits)
    if own is None or lead.contacted_at is None:
        return None
    return _days(_since(lead, lead.contacted_at), own.hard_max, lead)


def extension(lead: Lead, limits: Limits, calendar: WorkCalendar) -> timedelta:
    """By how much one 延期 puts off, or has put off, the reclaim of this lead as things stand."""
    plain = reclaim_at(replace(lead, extended=False), limits, calendar)
    later = reclaim_at(replace(lead, extended=True), limits, calendar)
    return later[0] - plain[0] if plain and later else NOTHING


def extendable(lead: Lead, limits: Limits, calendar: WorkCalendar) -> bool:
    """Whether a 延期 would change anything."""
    return not lead.extended and extension(lead, limits, calendar) >= MINUTE


def _threats(lead: Lead, limits: Limits, calendar: WorkCalendar) -> Sequence[tuple[datetime, str]]:
    """Everything that takes a lead back, but for the hard maximum."""
    if lead.called_at is None:
        due = calendar.add(_held(lead), limits.no_contact, _away(lead)), "没有及时联系"
        return [due, *_unconverted(lead, limits)]
    # Never followed up is not followed up when it came, not stale for ever.
    last = _last(lead)
    quiet = max(_days(last, limits.no_follow_up, lead), _protected(lead, limits) or last)
    return [(quiet, "太久没有跟进"), *_unconverted(lead, limits)]


def _held(lead: Lead) -> datetime:
    """Since when its owner could have called."""
    return _since(lead, lead.placed_at)


def _last(lead: Lead) -> datetime:
    """When something was last done with it, its being given included."""
    return _since(lead, max(filter(None, (lead.followed_at, lead.contacted_at, lead.placed_at))))


def _unconverted(lead: Lead, limits: Limits) -> Sequence[tuple[datetime, str]]:
    if lead.contacted_at is None:
        return ()
    first = _since(lead, lead.contacted_at)
    late = _days(first, limits.no_conversion, lead)
    return [(max(late, _protected(lead, limits) or first), UNCONVERTED)]


def _protected(lead: Lead, limits: Limits) -> datetime | None:
    """Until when the last follow-up that said something keeps the lead."""
    return _days(lead.followed_at, limits.protect, lead) if lead.followed_at else None


def threatened(lead: Lead, now: datetime, limits: Limits, calendar: WorkCalendar) -> bool:
    """Whether the first warning before a reclaim has come: from then on the card is about that."""
    reclaim = reclaim_at(lead, limits, calendar)
    if reclaim is None:
        return False
    return any(moment <= now for moment in _warnings(lead, reclaim[0], limits, calendar))


def schedule(lead: Lead, limits: Limits, calendar: WorkCalendar) -> Lead:
    """``lead`` with its pool, and with the next thing the clock will do to it."""
    pending = [
        (at, due)
        for at, due in _moments(lead, limits, calendar)
        if at > lead.swept_at or due not in ONCE
    ]
    at, due = min(pending, default=(None, Due.NONE))
    return replace(lead, due_at=at, due=due, scope=scope_of(lead, limits))


def scope_of(lead: Lead, limits: Limits) -> str:
    """The pool the lead belongs to: the first scope whose conditions hold, or the common one."""
    return next((scope.name for scope in limits.scopes if holds(scope.when, lead)), "")


def _moments(lead: Lead, limits: Limits, calendar: WorkCalendar) -> list[tuple[datetime, Due]]:
    asleep = lead.owner is not None and lead.left_alone
    if not lead.open or lead.place == Place.MARKETING or asleep:
        return []
    if lead.hold == NIGHT:
        return [(opening_of(lead.placed_at, calendar), Due.DISPATCH)]
    if lead.place == Place.POOL:
        return [(lead.placed_at + limits.idle_to_marketing, Due.IDLE)]
    if (lapses := accept_by(lead, limits, calendar)) is not None:
        return [(lapses, Due.ACCEPT)]
    return [*_response(lead, limits, calendar), *_reclaim(lead, limits, calendar)]


def _response(
    lead: Lead, limits: Limits, calendar: WorkCalendar
) -> Sequence[tuple[datetime, Due]]:
    """Half of the time for the call is over; all of it is."""
    if not lead.waits or lead.late_at is not None:
        return ()
    half = _respond(lead, first_response(lead.score, limits) / 2, calendar)
    return [(half, Due.NUDGE), (respond_by(lead, limits, calendar), Due.LATE)]


def _reclaim(lead: Lead, limits: Limits, calendar: WorkCalendar) -> Sequence[tuple[datetime, Due]]:
    reclaim = reclaim_at(lead, limits, calendar)
    if reclaim is None:
        return ()
    at, _ = reclaim
    warnings = [(moment, Due.WARN) for moment in _warnings(lead, at, limits, calendar)]
    return [*warnings, (at, Due.RECLAIM)]


def _warnings(lead: Lead, at: datetime, limits: Limits, calendar: WorkCalendar) -> list[datetime]:
    """At half, and so long before, but not while everybody sleeps.

    What lies before the lead was placed warns nobody.
    """
    own = _own(lead, limits) or limits
    moments = [_before(at, span, calendar, _away(lead)) for span in limits.warn_before]
    if lead.called_at is None:
        half = calendar.add(_held(lead), own.no_contact / 2, _away(lead))
        moments.append(min(calendar.opens(half), at - MINUTE))
    return [moment for moment in moments if _last(lead) < moment < at]


def _before(
    at: datetime, span: timedelta, calendar: WorkCalendar, away: Sequence[Away]
) -> datetime:
    """``span`` before ``at``; out of hours, so much working time before, at most a workday.

    Told only when the doors open, nobody could do anything about Monday 09:10.
    """
    moment = at - span
    gone = any(start <= moment < end for start, end in away)
    if calendar.is_open(moment) and not gone:
        return moment
    return calendar.ago(at, min(span, calendar.workday), away)
