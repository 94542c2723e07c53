"""What a lead is worth after something happened to it, and what follows from that."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from handlers.announce import record
from handlers.assign import dispatch
from handlers.clocks import regraded
from handlers.reply import Reply
from store.db import Tx
from store.domain.errors import BadCommand, Refused
from store.domain.lead import (
    QUALIFICATIONS,
    QUALIFIED,
    Change,
    Lead,
    LeadId,
    Place,
    may_see,
)
from store.domain.rules import Scale
from store.domain.scoring import LEVELS, comes_back, judged, rated, signals
from store.domain.team import Member, Role

Back = Callable[[Lead, Lead, Scale], bool]
COOLED = 500
"""Scores of one transaction that fade: one statement reads them, two write them."""
HIGH = {
    "高": "A", "重要": "A", "a": "A", "high": "A", "急": "A", "较高": "B", "b": "B",
    "中": "C", "普通": "C", "一般": "C", "c": "C", "medium": "C", "normal": "C",
    "低": "D", "不重要": "D", "d": "D", "low": "D",
}  # fmt: skip
CLEARED = {"自动", "清除", "取消", "auto", "clear", "none"}


@dataclass(frozen=True, slots=True)
class Weight:
    """A lead, and how important it is by hand: A to D, "" for what the rules say."""

    lead_id: LeadId
    importance: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """A lead, what somebody takes it for, and why."""

    lead_id: LeadId
    to: str
    why: str


async def happened(
    tx: Tx, change: Change, *, was: Lead, stops: str = "scored", back: Back = comes_back
) -> Lead:
    """Record ``change``, the score it leads to, and what follows: MQL, and back to a rep.

    ``stops``: why a journey ends, if one does; ``back``: whether it goes to a rep. Returns
    the lead as stored.
    """
    event = change.event
    did = [
        *(await tx.leads.did([change.lead.id])).get(change.lead.id, ()),
        *signals(event.kind, event.at, event.data),
    ]
    changes = list(judged(change, did, tx.now, tx.rules.scale))
    after = changes[-1].lead
    if back(was, after, tx.rules.scale):
        changes += await dispatch(tx, [after])
    if changes[-1].lead.place != Place.MARKETING:
        await tx.journeys.stop(after.id, stops)
    [stored] = await record(tx, *changes)
    return stored


async def cool(tx: Tx) -> int:
    """Derive again what fades, in one go; how many there were.

    Who waits for a call, the first or one back, keeps their score until it is made: the
    promise on the card goes by it.
    """
    leads = await tx.leads.cooling(tx.now, COOLED)
    if not leads:
        return 0
    did = await tx.leads.did([lead.id for lead in leads])
    derived = [(lead, rated(lead, did.get(lead.id, ()), tx.now, tx.rules.scale)) for lead in leads]
    kept = [(old, _kept(old, new)) for old, new in derived]
    await tx.leads.regrade([new for _, new in kept])
    await regraded(
        tx,
        [
            replace(new, version=old.version + 1)
            for old, new in kept
            if (new.score, new.grade) != (old.score, old.grade) and new.place != Place.MARKETING
        ],
    )
    return len(leads)


def _kept(old: Lead, new: Lead) -> Lead:
    promised = old.offered or old.waits
    return replace(old, cools_at=new.cools_at) if promised else new


async def weigh(tx: Tx, by: Member, wanted: Weight) -> Reply:
    """How important a lead is, by hand; it wins until somebody leaves it to the rules again."""
    lead = await tx.leads.get(wanted.lead_id)
    if not may_see(lead, by):
        raise Refused(f"#{lead.id} 不在你名下，请主管来设")
    label = LEVELS.get(wanted.importance, "按规则")
    change = lead.weigh(by, wanted.importance, tx.now, label)
    after = await happened(tx, change, was=lead)
    if wanted.importance:
        text = f"#{lead.id} 已设为{label}，按 {after.score} 分 {after.grade} 级算，到「重要 {lead.id} 自动」为止"
    else:
        text = f"#{lead.id} 又按规则算了：{after.score} 分 {after.grade} 级"
    return Reply(text=text, told=True)


def weight(lead_id: LeadId, words: str) -> Weight:
    """Without a word it is important. Raises ValueError."""
    word = words.strip().casefold()
    if word in CLEARED:
        return Weight(lead_id, "")
    if word and word not in HIGH:
        raise ValueError(words)
    return Weight(lead_id, HIGH.get(word, "A"))


async def qualify(tx: Tx, by: Member, wanted: Verdict) -> Reply:
    """MQL is marketing's word, SQL the owner's, each with the reason; who said so is kept."""
    lead = await tx.leads.get(wanted.lead_id)
    _check(lead, by, wanted)
    change = lead.qualify(wanted.to, tx.now, wanted.why, by=by)
    changes = [change]
    if lead.owner is None and lead.open:
        changes += await dispatch(tx, [change.lead])
        await tx.journeys.stop(lead.id, "qualified")
    [after] = await record(tx, *changes)
    went = f"，已给 {after.owner.name}" if after.owner and lead.owner is None else ""
    return Reply(text=f"#{lead.id} {QUALIFIED[wanted.to]}{went}", told=True)


def _check(lead: Lead, by: Member, wanted: Verdict) -> None:
    """Raises Refused: who may say so, and that there is something to say it of."""
    if not lead.open:
        raise Refused(f"#{lead.id} 已经结束，不用再认定")
    if wanted.to == "SQL" and not (lead.owned_by(by) or by.manages):
        raise Refused("SQL 由负责的销售来认定：需求、预算、拍板的人都问清了再记")
    if not may_see(lead, by):
        raise Refused(f"#{lead.id} 不在你名下")
    if wanted.to == "MQL" and by.role == Role.REP:
        raise Refused(f"MQL 由市场来认定，你这边问清了就发「认定 {lead.id} SQL 理由」")
    if not wanted.why:
        raise BadCommand(f"为什么？例如：认定 {lead.id} {wanted.to} 有预算，老板拍板")


def verdict(lead_id: LeadId, words: str) -> Verdict:
    """MQL or SQL, and why. Raises ValueError."""
    to, _, why = words.strip().partition(" ")
    if to.upper() not in QUALIFICATIONS[1:3]:
        raise ValueError(words)
    return Verdict(lead_id, to.upper(), why.strip())
