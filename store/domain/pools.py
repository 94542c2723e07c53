"""The pools: whose they are, who may claim from them, who gives their leads to somebody."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from store.domain.deadlines import Limits, Scope, scope_of
from store.domain.errors import NotAllowed
from store.domain.lead import Lead, Place
from store.domain.team import Member, Role


class Why(StrEnum):
    """What keeps somebody from claiming one lead."""

    ADMIN = "admin"  # they give the pool's leads away
    SCOPE = "scope"  # another pool
    FRESH = "fresh"  # too new in the pool
    UNINVITED = "uninvited"  # others were asked to grab it
    HAD = "had"  # it was theirs lately


class Bar(NamedTuple):
    why: Why
    until: datetime | None = None


class Known(NamedTuple):
    """What the history of a lead says about somebody who might claim it."""

    had: datetime | None = None
    """When they last ceased to own it."""
    invited: Sequence[int] | None = None
    """Who may grab it; None: everybody."""


def staffed(limits: Limits, people: Iterable[Member]) -> Limits:
    """``limits`` with those admins of pools who are still there: else a pool is the managers'."""
    gone = {m.name for m in people if not m.active}
    if not any(gone & {*scope.admins} for scope in limits.scopes):
        return limits
    scopes = (
        replace(s, admins=tuple(a for a in s.admins if a not in gone)) for s in limits.scopes
    )
    return replace(limits, scopes=tuple(scopes))


def scope_named(name: str, limits: Limits) -> Scope:
    """The scope of that name; the common pool, which is everybody's, for any other."""
    return next((scope for scope in limits.scopes if scope.name == name), Scope(name=""))


def administers(member: Member, limits: Limits) -> bool:
    """Whether ``member`` is named as the admin of some pool."""
    return any(member.name in scope.admins for scope in limits.scopes)


def may_give(member: Member, limits: Limits) -> bool:
    """Whether the pool is there for ``member`` to give away, not to claim from."""
    return member.manages or administers(member, limits)


def visible(member: Member, limits: Limits) -> Sequence[str] | None:
    """The pools ``member`` sees; None: all of them."""
    if member.manages:
        return None
    own = [s.name for s in limits.scopes if member.name in s.admins]
    return own or [
        "",
        *(s.name for s in limits.scopes if not s.members or member.name in s.members),
    ]


def may_distribute(member: Member, lead: Lead, limits: Limits) -> bool:
    """Whether ``member`` gives this lead to somebody: a pool's admins do, else the managers."""
    scope = scope_named(lead.scope, limits)
    if lead.place == Place.POOL and lead.owner is None and scope.admins:
        return member.name in scope.admins or member.role == Role.ADMIN
    return member.manages


def distributors(people: Iterable[Member], lead: Lead, limits: Limits) -> Sequence[Member]:
    """Who is asked when nobody suits: the pool's own admins, else the managers, else the admins."""
    people = [member for member in people if member.active]
    admins = scope_named(lead.scope, limits).admins
    own = [member for member in people if member.name in admins]
    return own or _managers(people)


def _managers(people: Sequence[Member]) -> Sequence[Member]:
    """Who manages; the admins where nobody else does."""
    managers = [m for m in people if m.role == Role.MANAGER]
    return managers or [m for m in people if m.role == Role.ADMIN]


def overseers(people: Iterable[Member], lead: Lead) -> Sequence[Member]:
    """Who decides about an owned lead: who manages, not the owner about themselves."""
    return _managers([m for m in people if m.active and not lead.owned_by(m)])


def check_distribute(member: Member, lead: Lead, limits: Limits) -> None:
    """Raises NotAllowed, which says whose it is to decide."""
    if may_distribute(member, lead, limits):
        return
    admins = scope_named(lead.scope, limits).admins
    in_pool = admins and lead.owner is None
    raise NotAllowed(
        f"#{lead.id} 在「{lead.scope}」，由{'、'.join(admins)}分配"
        if in_pool
        else "这一步由主管来做"
    )


def takes_own(by: Member, to: Member, lead: Lead, limits: Limits) -> bool:
    """Whether giving ``lead`` to ``to`` would be the claim that the admin of its pool has not."""
    lies = lead.place == Place.POOL and lead.owner is None
    return lies and by.id == to.id and by.name in scope_named(lead.scope, limits).admins


def may_claim(member: Member, lead: Lead, limits: Limits) -> bool:
    """Whether ``lead`` would lie in a pool ``member`` claims from."""
    scope = scope_named(scope_of(lead, limits), limits)
    named = not scope.members or member.name in scope.members
    return named and member.name not in scope.admins


def claimable_at(lead: Lead, limits: Limits) -> datetime:
    """When it may be claimed, counted from when it came into the pool; a grab waits for nothing."""
    return lead.placed_at if lead.grab else lead.placed_at + limits.embargo


def bar(member: Member, lead: Lead, limits: Limits, now: datetime, known: Known) -> Bar | None:
    """What keeps ``member`` from claiming ``lead`` out of its pool; None: nothing about this lead."""
    scope = scope_named(lead.scope, limits)
    if member.name in scope.admins:
        return Bar(Why.ADMIN)
    if scope.members and member.name not in scope.members:
        return Bar(Why.SCOPE)
    if lead.grab and known.invited is not None:
        return None if member.id in known.invited else Bar(Why.UNINVITED)
    if (free := claimable_at(lead, limits)) > now:
        return Bar(Why.FRESH, free)
    if known.had is not None and known.had + limits.cooldown > now:
        return Bar(Why.HAD, known.had + limits.cooldown)
    return None
