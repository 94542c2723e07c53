"""What keeps somebody from claiming, in words: the refusal of a press, and what a card says before it."""

from collections.abc import Mapping, Sequence

from cards.lists import Taking
from cards.words import dated, stamp
from store.db import Tx
from store.domain.errors import NotAllowed, Refused
from store.domain.lead import Lead, Place
from store.domain.pools import Bar, Known, Why, bar, may_give, scope_named
from store.domain.team import Member, Role


async def check_claim(tx: Tx, by: Member, lead: Lead) -> None:
    """Raises Refused: a leave, the pool and its limits, the private cap, the claims of the local day."""
    if by.role not in {Role.REP, Role.ADMIN}:
        raise NotAllowed(f"公海里的由销售来领，你来给：分配 {lead.id} 姓名")
    check_on_duty(tx, by)
    await tx.lock("dispatch")
    kept = (await _bars(tx, [(by, lead)])).get((by.id, lead.id))
    if kept is not None:
        raise Refused(_refusal(tx, lead, kept))
    if said := await too_many(tx, by):
        raise Refused(said)


def check_on_duty(tx: Tx, by: Member) -> None:
    """Raises Refused: during a leave the clocks stand still, and what is taken would lie there."""
    if by.back_at(tx.now) is not None:
        raise Refused("你在请假，回来了先发「上班」再接新的")


async def too_many(tx: Tx, by: Member) -> str:
    """Why ``by`` has enough of all leads just now; "" while one more is all right."""
    held = (await tx.leads.loads()).get(by.id, 0)
    if held >= by.capacity:
        return f"手上已有 {held} 条，上限 {by.capacity}，先放回或推进几条再领"
    most = tx.rules.limits.daily_claims
    midnight = tx.now.astimezone(tx.rules.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    claimed = await tx.leads.claims_since(by, midnight) if most else 0
    return (
        f"今天已领 {claimed} 条，每天最多 {most} 条，明天再来" if most and claimed >= most else ""
    )


async def closed_to(tx: Tx, by: Member) -> str:
    """Why ``by`` can claim nothing at all now; "" when they can."""
    if by.back_at(tx.now) is not None:
        return "你在请假，回来了先发「上班」再领"
    return await too_many(tx, by)


async def taking(tx: Tx, by: Member, leads: Sequence[Lead]) -> Taking:
    """What ``by`` may do with these leads of the pool: only that can be pressed.

    In a group anybody may press, so what keeps ``by`` from it is nobody's business.
    """
    if may_give(by, tx.rules.limits) or tx.group is not None:
        return Taking(gives=may_give(by, tx.rules.limits))
    return Taking(closed=await closed_to(tx, by), barred=await barred(tx, by, leads))


async def barred(tx: Tx, by: Member, leads: Sequence[Lead]) -> Mapping[int, str]:
    """Of leads of a pool those that ``by`` may not claim now, with what a list says instead."""
    bars = await _bars(tx, [(by, lead) for lead in leads])
    told = {int(lead.id): lead for lead in leads}
    return {n: _short(tx, told[n], kept) for (_, n), kept in bars.items()}


async def bars(tx: Tx, readers: Sequence[tuple[Member, Lead]]) -> Mapping[tuple[int, int], Bar]:
    """Who may not claim what lies in a pool before them, by member and lead."""
    asked = [(m, lead) for m, lead in readers if m.role == Role.REP and _lies(lead)]
    return await _bars(tx, asked) if asked else {}


def _lies(lead: Lead) -> bool:
    return lead.place == Place.POOL and lead.owner is None and lead.open


async def _bars(tx: Tx, asked: Sequence[tuple[Member, Lead]]) -> Mapping[tuple[int, int], Bar]:
    """As many statements for a batch as for one."""
    limits = tx.rules.limits
    ids = list(dict.fromkeys(lead.id for _, lead in asked))
    had = await tx.leads.partings(ids, tx.now - limits.cooldown)
    invited = await tx.leads.invitations([lead.id for _, lead in asked if lead.grab])
    found: dict[tuple[int, int], Bar] = {}
    for member, lead in asked:
        known = Known(had.get(lead.id, {}).get(member.id), invited.get(lead.id))
        kept = bar(member, lead, limits, tx.now, known)
        if kept is not None:
            found[member.id, lead.id] = kept
    return found


def _refusal(tx: Tx, lead: Lead, kept: Bar) -> str:
    until = dated(kept.until, tx.now, tx.rules.zone) if kept.until else ""
    scope = scope_named(lead.scope, tx.rules.limits).name
    return {
        Why.ADMIN: f"「{scope}」由你分配，自己不领：分配 {lead.id} 姓名",
        Why.SCOPE: f"#{lead.id} 在「{scope}」，不归你领，发「公海」看看能领的",
        Why.FRESH: f"#{lead.id} 刚进公海，{until} 起可以领，先看看其他的",
        Why.UNINVITED: f"#{lead.id} 请了指定的同事来抢，发「公海」看看能领的",
        Why.HAD: f"#{lead.id} 之前是你跟的，{until} 之后可以再领，先让给同事",
    }[kept.why]


def _short(tx: Tx, lead: Lead, kept: Bar) -> str:
    """As it fits a line of a list."""
    until = stamp(kept.until, tx.now, tx.rules.zone) if kept.until else ""
    return {
        Why.ADMIN: "由你分配",
        Why.SCOPE: f"在「{lead.scope}」",
        Why.FRESH: f"{until} 起可领",
        Why.UNINVITED: "请了别的同事抢",
        Why.HAD: f"你跟过，{until} 起可再领",
    }[kept.why]
