"""Two leads that are one person are joined, and what was joined is taken apart. Pure.

What a merge changed is kept with its event as plain values, so that undoing it is a rule
too: a value goes back unless somebody has changed it since.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from store.domain.consent import withdraws
from store.domain.enquiry import BLANKS, once_more
from store.domain.errors import NotAllowed, Refused
from store.domain.lead import (
    NAMING,
    Change,
    Due,
    Event,
    Kind,
    Lead,
    LeadId,
    Place,
    Stage,
    higher_of,
    naming,
)
from store.domain.match import Key
from store.domain.newlead import NewLead
from store.domain.team import Member, MemberId, Role

UNDO = "undo"
"""Where an event keeps what taking it apart needs; not for readers of the history."""
DERIVED = frozenset({"id", "version", "due", "due_at", "swept_at"})
STATE = (
    "stage", "place", "owner", "tries", "refused", "why", "reason", "placed_at", "accepted_at",
    "contacted_at", "followed_at", "closed_at", "extended", "qualification",
)  # fmt: skip
"""Where a lead stands: goes back as a whole or not at all."""
_READ: Mapping[str, Any] = {"stage": Stage, "place": Place, "due": Due, "merged_into": LeadId}
_TUPLES = frozenset({"refused", "doubles", "linked", "other_names"})


@dataclass(frozen=True, slots=True)
class Joined:
    """An event that can be taken apart: an enquiry, or a whole lead, that went to a lead."""

    event_id: int
    at: datetime
    other: LeadId | None
    undo: Mapping[str, Any]


def may_merge(by: Member, one: Lead, two: Lead) -> bool:
    """Managers; marketing where nobody has either; a rep only what is all their own."""
    if by.manages:
        return True
    if by.role == Role.MARKETING:
        return one.owner is None and two.owner is None
    return one.owned_by(by) and two.owned_by(by)


def check_merge(by: Member, one: Lead, two: Lead) -> None:
    """Raises NotAllowed, and Refused when one of them is no lead of its own any more."""
    if not may_merge(by, one, two):
        raise NotAllowed(f"#{one.id} 和 #{two.id} 要由主管来核对")
    for lead in (one, two):
        if lead.merged_into is not None:
            raise Refused(f"#{lead.id} 已并入 #{lead.merged_into}")
    if one.id == two.id:
        raise Refused(f"两个编号都是 #{one.id}，要写两条不同的")


def check_split(by: Member, lead: Lead) -> None:
    """Raises NotAllowed unless ``by`` owns the lead, manages, or is marketing."""
    if not (by.manages or by.role == Role.MARKETING or lead.owned_by(by)):
        raise NotAllowed(f"#{lead.id} 要由负责人、主管或市场来分开")


def kept_first(one: Lead, two: Lead) -> tuple[Lead, Lead]:
    """Which of two stays: a customer, else what somebody works on, else the first named."""
    kept, other = sorted((one, two), key=_standing)
    return kept, other


def _standing(lead: Lead) -> int:
    if lead.stage == Stage.WON:
        return 0
    if not lead.open:
        return 3
    return 1 if lead.owner is not None else 2


def merge(kept: Lead, other: Lead, by: Member, at: datetime) -> tuple[Change, Change]:
    """``other`` goes into ``kept``: blanks are filled, the strictest consent holds, nobody loses it.

    The first change is of ``kept``, the second of ``other``.
    """
    joined = replace(_joined(kept, other), joined_at=at)
    if joined.stage == Stage.WON and other.open:
        joined = once_more(replace(joined, owner=kept.owner or other.owner), at)
    closed = replace(
        other, stage=Stage.MERGED, merged_into=kept.id, owner=None, place=Place.POOL,
        closed_at=at, next_at=None, doubles=(), linked=(), joined_at=None,
    )  # fmt: skip
    undo = {"changed": changed(kept, joined), "was": changed(other, closed)}
    told = {"other": int(other.id), "from": int(other.owner.id) if other.owner else None}
    into = Event(
        kind=Kind.MERGED, by=by.id, at=at, text=f"并入 #{kept.id}", data={"into": kept.id}
    )
    took = Event(
        kind=Kind.MERGED, by=by.id, at=at, text=f"#{other.id} 并入", data={**told, UNDO: undo}
    )
    return Change(joined, took), Change(closed, into)


def _joined(kept: Lead, other: Lead) -> Lead:
    filled = {n: getattr(other, n) for n in BLANKS if getattr(other, n) and not getattr(kept, n)}
    if "phone" in filled:
        filled["phone_sure"] = other.phone_sure
    if "external_userid" in filled:
        filled["parted_at"] = other.parted_at
    if other.consent_text and not kept.consent_text:
        filled |= {"consent_text": other.consent_text, "consent_at": other.consent_at}
    both = {int(kept.id), int(other.id)}
    joined = replace(
        kept,
        **filled,
        **strictest(kept, other),
        message=kept.message or other.message,
        utm={**other.utm, **kept.utm},
        fields={**other.fields, **kept.fields},
        qualification=higher_of(kept.qualification, other.qualification),
        amount=kept.amount if kept.amount is not None else other.amount,
        attempts=kept.attempts + other.attempts,
        next_at=kept.next_at or (other.next_at if kept.open else None),
        doubles=tuple(sorted({*kept.doubles, *other.doubles} - both)),
        linked=tuple(sorted({*kept.linked, *other.linked} - both)),
    )
    return naming(joined, [*other.other_names, *(getattr(other, name) for name in NAMING)])


def strictest(one: Lead, two: Lead) -> dict[str, Any]:
    """Who has opted out anywhere has opted out: the latest withdrawal is the person's last word."""
    outs = [lead.opted_out_at for lead in (one, two) if lead.opted_out_at is not None]
    return {"opted_out_at": max(outs, default=None)}


def own_opt_out(
    back: Lead, undo: Mapping[str, Any], at: datetime, withdrawn: Sequence[datetime]
) -> Lead:
    """``back``, which was taken apart from what was joined ``at``, as its own person wants it.

    ``withdrawn``: when that person said so, together with whoever stays joined to it. Without
    a word of theirs an opt-out stays, unless it came with what leaves.
    """
    said_there = bool(undo.get("new")) and withdraws(undo["new"]["message"])
    theirs = said_there and back.opted_out_at == at
    kept = [] if theirs or back.opted_out_at is None else [back.opted_out_at]
    return replace(back, opted_out_at=max([*kept, *withdrawn], default=None))


def whose(said: Sequence[Key], left: Collection[Key], stays: Collection[Key]) -> bool:
    """Whether words that came with the keys ``said`` may be those of who leaves: also in doubt."""
    return bool(set(said) & set(left)) or not set(said) & set(stays)


# -- what changed, as plain values -------------------------------------------------


def changed(before: Lead, after: Lead) -> dict[str, Any]:
    """Name → [before, after] of everything that differs; of ``fields`` only what was added."""
    names = [f.name for f in fields(Lead) if f.name not in DERIVED | {"fields"}]
    pairs = {name: [plain(getattr(before, name)), plain(getattr(after, name))] for name in names}
    told: dict[str, Any] = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    added = {k: v for k, v in after.fields.items() if k not in before.fields}
    return told | ({"fields": added} if added else {})


def state(lead: Lead) -> dict[str, Any]:
    return {name: plain(getattr(lead, name)) for name in STATE}


def plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Member):
        return int(value.id)
    return list(value) if isinstance(value, tuple) else value


def restored(lead: Lead, told: Mapping[str, Any], team: Mapping[MemberId, Member]) -> Lead:
    """``lead`` with what ``changed`` told put back, unless somebody has changed it since."""
    pairs = {name: pair for name, pair in told.items() if name != "fields"}
    back = {
        name: valued(name, before, team)
        for name, (before, after) in pairs.items()
        if plain(getattr(lead, name)) == after
    }
    added = told.get("fields", {})
    kept = {k: v for k, v in lead.fields.items() if k not in added or v != added[k]}
    return replace(lead, **back, fields=kept)


def placed_back(
    lead: Lead, was: Mapping[str, Any], team: Mapping[MemberId, Member], at: datetime
) -> Lead:
    """``lead`` where it stood, with clocks that begin anew: nobody loses it for the mistake."""
    back = {name: valued(name, value, team) for name, value in was.items()}
    return replace(lead, **back | {"placed_at": at}, swept_at=at)


def valued(name: str, value: Any, team: Mapping[MemberId, Member]) -> Any:
    if name == "owner":
        return team.get(MemberId(value)) if value is not None else None
    if value is None:
        return None
    if name.endswith("_at"):
        return datetime.fromisoformat(value)
    if name in _TUPLES:
        return tuple(value)
    return _READ[name](value) if name in _READ else value


# -- an enquiry that went to a lead ------------------------------------------------


def enquiry_undo(before: Lead, after: Lead, new: NewLead, brought: set[Key]) -> dict[str, Any]:
    """What taking the enquiry out again needs: itself, what it changed, the keys it brought."""
    told = {f.name: getattr(new, f.name) for f in fields(NewLead)}
    told |= {"consent_at": plain(new.consent_at), "others": list(new.others)}
    told |= {"utm": dict(new.utm), "fields": dict(new.fields)}
    asleep = before.owner is None or not before.open
    return {
        "new": told,
        "changed": changed(before, after),
        "was": state(before) if asleep else None,
        "keys": sorted([key.kind, key.value] for key in brought),
    }


def enquiry(undo: Mapping[str, Any]) -> NewLead:
    """The enquiry as it came."""
    told = dict(undo["new"])
    told["consent_at"] = valued("consent_at", told["consent_at"], {})
    return NewLead(**told | {"others": tuple(told["others"])})


def without(
    lead: Lead, undo: Mapping[str, Any], team: Mapping[MemberId, Member], at: datetime
) -> Lead:
    """``lead`` without what was joined to it; asleep again if nobody has worked on it since."""
    states = {*STATE} if undo.get("new") else set()
    told = {name: pair for name, pair in undo["changed"].items() if name not in states}
    back = restored(lead, told, team)
    was = undo.get("was") if undo.get("new") else None
    if was and back.contacted_at is None and back.open:
        return placed_back(back, was, team, at)
    return back


def keys_in(undo: Mapping[str, Any], name: str = "keys") -> list[Key]:
    return [Key(kind, value) for kind, value in undo.get(name, ())]
