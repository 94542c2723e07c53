"""The pools: whose they are, who may claim from them, who gives their leads to somebody."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from store.domain.deadlines import Limits, Scope, scope_of
from store.domain.errors import NotAllowed, Refused
from store.domain.lead import Lead, Place
from store.domain.team import Member, Role


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
    """Who is asked when nobody suits; every manager if the pool's own admins are not there."""
    people = [member for member in people if member.active]
    admins = scope_named(lead.scope, limits).admins
    own = [member for member in people if member.name in admins]
    return own or [m for m in people if m.role == Role.MANAGER]


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


def check_scope(member: Member, lead: Lead, limits: Limits) -> None:
    """Raises Refused unless ``member`` may claim from the pool of ``lead``."""
    scope = scope_named(lead.scope, limits)
    if member.name in scope.admins:
        raise Refused(f"「{scope.name}」由你分配，自己不领：分配 {lead.id} 姓名")
    if scope.members and member.name not in scope.members:
        raise Refused(f"#{lead.id} 在「{scope.name}」，不归你领，发「公海」看看能领的")


def may_claim(member: Member, lead: Lead, limits: Limits) -> bool:
    """Whether ``lead`` would lie in a pool ``member`` claims from."""
    scope = scope_named(scope_of(lead, limits), limits)
    named = not scope.members or member.name in scope.members
    return named and member.name not in scope.admins


def claimable_at(lead: Lead, limits: Limits) -> datetime:
    """When it may be claimed, counted from when it came into the pool; a grab waits for nothing."""
    return lead.placed_at if lead.grab else lead.placed_at + limits.embargo
