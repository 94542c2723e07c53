"""From an enquiry to a lead: the first one makes it, every later one of the same person wakes it."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from store.domain.channels import class_of, rule_for
from store.domain.consent import withdraws
from store.domain.lead import (
    CLOSED,
    NAMING,
    Change,
    Due,
    Event,
    Kind,
    Lead,
    LeadId,
    Place,
    Stage,
    naming,
)
from store.domain.learned import traits
from store.domain.lines import line_of
from store.domain.newlead import ROW, NewLead
from store.domain.rules import Rules
from store.domain.scoring import SIGNALS, rated, signals

BLANKS = (
    "name", "phone", "email", "wechat", "external_userid", "company", "title", "region",
    "industry", "product", "keyword", "campaign", "channel", "external_id", "rep",
)  # fmt: skip
INSTANT = timedelta(microseconds=1)
FRESH = LeadId(0)
"""The number of a lead that is not stored yet."""


def start(new: NewLead, at: datetime, rules: Rules) -> Change:
    """A person nobody knew. Whose first words are to be left alone wants nothing and did nothing."""
    leaves = withdraws(new.message)
    lead = Lead(
        **{name: getattr(new, name) for name in BLANKS},
        id=FRESH,
        phone_sure=new.phone_sure,
        message="" if leaves else new.message,
        source=new.source,
        consent_text=new.consent_text,
        consent_at=new.consent_at,
        opted_out_at=at if leaves else None,
        utm=dict(new.utm),
        fields=dict(new.fields),
        stage=Stage.NEW,
        qualification="UQL",
        score=0,
        grade="D",
        place=Place.POOL,
        owner=None,
        tries=0,
        refused=(),
        why="",
        reason="",
        amount=None,
        attempts=0,
        captured_at=at,
        asked_at=at,
        placed_at=at,
        accepted_at=None,
        contacted_at=None,
        followed_at=None,
        closed_at=None,
        next_at=None,
        extended=False,
        swept_at=at,
        due_at=None,
        due=Due.NONE,
        doubles=(),
        version=1,
    )
    did = _raw(new)
    if leaves:
        did.pop("event", None)
    # Rules may ask for the channel: it has to be known before the points are counted.
    lead = rated(told_apart(lead, rules), signals(Kind.CAPTURED, at, did), at, rules.scale)
    data = {"score": lead.score, "why": [[p.rule, p.points] for p in lead.points], **did}
    data["traits"] = traits(new)
    return Change(lead, Event(kind=Kind.CAPTURED, at=at, text=new.message, data=data))


def told_apart(lead: Lead, rules: Rules) -> Lead:
    """Which channel it came by, of which class, and which business line it is about."""
    rule = rule_for(lead, rules.channels)
    return replace(
        lead,
        channel=lead.channel or (rule.name if rule else ""),
        channel_class=class_of(lead, rules.channels),
        line=line_of(lead, rules.lines),
    )


def signalled(lead: Lead, new: NewLead, at: datetime) -> Change | None:
    """What a website saw somebody known do; None when it is an enquiry."""
    kind = SIGNALS.get(new.event)
    if kind is None or new.message:
        return None
    what = str(new.fields.get("what") or new.keyword or new.campaign or "")[:200]
    return lead.signal(kind, at, what)


def ask_again(lead: Lead, new: NewLead, at: datetime) -> Change:
    """The same person once more: blanks are filled, nothing is overwritten, nobody loses it."""
    woken = replace(
        _filled(lead, new),
        message=new.message or lead.message,
        asked_at=at,
        # In one batch the last word counts, though both are of one instant.
        opted_out_at=min(lead.opted_out_at, at - INSTANT) if lead.opted_out_at else None,
        late_at=None,
        grace_at=None,
    )
    woken = naming(woken, [getattr(new, name) for name in NAMING])
    if lead.stage in CLOSED - {Stage.WON}:
        woken = replace(
            woken, stage=Stage.NEW, closed_at=None, reason="", owner=None,
            place=Place.POOL, placed_at=at, swept_at=at, accepted_at=None,
            contacted_at=None, followed_at=None, called_at=None, spare_at=None,
            refused=(), tries=0, hold="",
        )  # fmt: skip
    if lead.stage == Stage.WON:
        woken = once_more(woken, at)
    return Change(woken, Event(kind=Kind.ASKED_AGAIN, at=at, text=new.message, data=_raw(new)))


def withdraw(lead: Lead, new: NewLead, at: datetime) -> Change:
    """Who is known takes their consent back: nothing begins anew, and what is over stays over.

    What they want is still what they said before; blanks are filled.
    """
    known = naming(_filled(lead, new), [getattr(new, name) for name in NAMING])
    change = known.opt_out(at, new.message)
    return change.saying(_raw(new))


def _filled(lead: Lead, new: NewLead) -> Lead:
    """What was not known, and nothing else."""
    filled: dict[str, Any] = {
        name: getattr(new, name)
        for name in BLANKS
        if getattr(new, name) and not getattr(lead, name)
    }
    if "phone" in filled:
        filled["phone_sure"] = new.phone_sure
    if new.consent_text and not lead.consent_text:
        filled |= {"consent_text": new.consent_text, "consent_at": new.consent_at}
    return replace(lead, **filled, fields={**dict(new.fields), **dict(lead.fields)})


def once_more(lead: Lead, at: datetime) -> Lead:
    """A customer who wants more is called like a new one, by the same person if still there."""
    owner = lead.owner if lead.owner and lead.owner.active else None
    return replace(
        lead, stage=Stage.ASSIGNED, owner=owner, place=Place.OWNER if owner else Place.POOL,
        closed_at=None, placed_at=at, swept_at=at, accepted_at=at if owner else None,
        contacted_at=None, followed_at=None, called_at=None, spare_at=None,
        refused=(), tries=0, attempts=0, extended=False, hold="",
    )  # fmt: skip


def says_nothing_new(lead: Lead, new: NewLead, withdrawn: Collection[str] = ()) -> bool:
    """Whether everything in ``new`` is known of ``lead``: of the same enquiry, a retry.

    ``withdrawn``: in which words the person took their consent back since they last asked.
    """
    # A list may number its rows, which tells nothing of anybody.
    names = [name for name in BLANKS if not (new.listed and name == "external_id")]
    blanks = any(getattr(new, name) and not getattr(lead, name) for name in names)
    return (
        not blanks
        and new.message in {"", lead.message, *withdrawn}
        and new.fields.keys() <= dict(lead.fields).keys()
    )


LISTED_AGAIN = timedelta(days=1)
"""A list that is handed in again within this is the same import run twice."""


def listed_again(lead: Lead, new: NewLead, at: datetime) -> bool:
    """Whether a list that names the person once more wakes the lead: only one that sleeps.

    Who wanted to be left alone is not woken by somebody else's list, nor a wrong number by
    being written down again, nor what somebody has just put to sleep.
    """
    asleep = lead.owner is None if lead.open else lead.stage == Stage.LOST
    since = max(lead.asked_at, lead.placed_at, lead.closed_at or lead.placed_at)
    fresh = at - since < LISTED_AGAIN
    return new.listed and asleep and not fresh and lead.opted_out_at is None


def repeats(lead: Lead, new: NewLead, *, numbered: bool) -> bool:
    """Whether a row was in the list before, edited perhaps: no enquiry, whatever it says now.

    ``numbered``: the lead is known by the number of the row.
    """
    other = new.numbered and lead.external_id and not lead.external_id.startswith(ROW)
    same = new.source == lead.source and not other
    return new.listed and (numbered or (same and new.message in {"", lead.message}))


def only_listed(lead: Lead, new: NewLead, at: datetime, *, again: bool) -> bool:
    """Whether a list tells of somebody whom it may not wake; ``again``: it did before.

    It calls nobody who wants to be left alone, no customer who said nothing, and restarts
    no clock by being handed in again.
    """
    if not new.listed or listed_again(lead, new, at):
        return False
    silent = lead.stage == Stage.WON and new.message in {"", lead.message}
    return again or silent or lead.opted_out_at is not None


def jotted(lead: Lead, new: NewLead, at: datetime) -> Change | None:
    """What a list knows of somebody whom it does not wake; None when it adds nothing."""
    if says_nothing_new(lead, new):
        return None
    filled = naming(_filled(lead, new), [getattr(new, name) for name in NAMING])
    event = Event(kind=Kind.ENRICHED, at=at, text=new.message, data=_raw(new))
    return Change(filled, event)


def enrich(lead: Lead, found: NewLead, at: datetime) -> Change | None:
    """What a platform knows of a contact fills blanks; None when it adds nothing.

    Nobody has asked for anything: what is over stays over, and a late call late.
    """
    filled = _filled(lead, found)
    names = [name for name in BLANKS if getattr(filled, name) != getattr(lead, name)]
    if not names:
        return None
    return Change(filled, Event(kind=Kind.ENRICHED, at=at, data={"fields": names}))


def _raw(new: NewLead) -> dict[str, Any]:
    """The enquiry as it came, so that a merge loses nothing and can be told apart later."""
    raw = {name: getattr(new, name) for name in ("source", *BLANKS) if getattr(new, name)}
    more = {name: dict(getattr(new, name)) for name in ("utm", "fields") if getattr(new, name)}
    did = {"event": new.event} if new.event else {}
    return {"enquiry": raw, **more, **did}


def recalled(text: str, data: Mapping[str, Any]) -> NewLead:
    """The enquiry of a ``captured`` event, as it came."""
    more = {name: data.get(name) or {} for name in ("utm", "fields")}
    said: dict[str, Any] = {"source": "", **data.get("enquiry", {}), **more, "message": text}
    return NewLead(**said)
