"""Who comes and goes: the team follows the platforms' directories; leavers' leads do not get lost."""

from collections.abc import Sequence
from datetime import datetime

from handlers.alarms import outlived
from handlers.announce import catch_up, record, refresh
from store.db import Tx
from store.domain.directory import Snapshot
from store.domain.pools import staffed
from store.domain.team import Member, Platform

BATCH = 200


async def follow(tx: Tx, snapshot: Snapshot) -> int:
    """Make the team what the directory says; how many leads were left behind by it."""
    await tx.lock("dispatch")
    before = {member.id for member in await tx.members.active()}
    await tx.members.follow(snapshot, tx.rules.roles)
    await _are_back(tx, [m for m in await tx.members.active() if m.id not in before])
    await outlived(tx)
    return await hand_over(tx)


async def join(tx: Tx, platform: Platform, account: str, said_at: datetime | None = None) -> None:
    """The account is somebody's again, and what it has on its phone is true again.

    ``said_at``: as for ``leave``.
    """
    if await tx.members.join(platform, account, said_at):
        member = await tx.members.by_account(platform, account)
        await _are_back(tx, [member] if member else [])


async def _are_back(tx: Tx, members: Sequence[Member]) -> None:
    """Their cards say how things are now, and nobody else gives away what lies in their pools."""
    await catch_up(tx, [member.id for member in members])
    names = {member.name for member in members}
    theirs = [scope.name for scope in tx.rules.limits.scopes if names & {*scope.admins}]
    if theirs:
        await refresh(tx, await tx.leads.of_pools(theirs, BATCH))


async def leave(tx: Tx, platform: Platform, account: str, said_at: datetime | None = None) -> int:
    """From now on this account is nobody's; how many leads were left behind.

    ``said_at``: when it happened, by the platform's clock; None where it does not say.
    """
    await tx.lock("dispatch")
    await tx.members.leave(platform, account, tx.now, said_at)
    await outlived(tx)
    return await hand_over(tx)


async def ask_directory(tx: Tx, platform: Platform, at: datetime | None = None) -> None:
    """Have the directory read, as soon as possible or at ``at``; asking often reads once."""
    await tx.ticks.first(f"directory:{platform}", at or tx.now)


async def missing(tx: Tx, _account: str) -> None:
    """WeCom does not know a member's account (60111): who is there is read anew."""
    await ask_directory(tx, Platform.WECOM)


async def hand_over(tx: Tx) -> int:
    """Whoever left holds nothing: their open leads are offered to the managers.

    A lead keeps its stage, its history and its reminders, which ring at a manager
    until somebody has taken it.
    """
    gone = [m.id for m in (await tx.members.all()).values() if not m.active]
    leads = await tx.leads.left_behind(gone, BATCH) if gone else ()
    await tx.outbox.drop_for(gone)
    await _without_admins(tx)
    if not leads:
        return 0
    await record(tx, *(lead.orphan(tx.now) for lead in leads))
    return len(leads) + (await hand_over(tx) if len(leads) == BATCH else 0)


async def _without_admins(tx: Tx) -> None:
    """What lies in a pool whose admins have left is the managers' to give away: their cards say so."""
    there = staffed(tx.rules.limits, (await tx.members.all()).values())
    pairs = zip(tx.rules.limits.scopes, there.scopes, strict=True)
    bare = [was.name for was, now in pairs if was.admins and not now.admins]
    if bare:
        await refresh(tx, await tx.leads.of_pools(bare, BATCH))
