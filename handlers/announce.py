"""Who sees what after a change: the one place that decides it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cards.lead import View, lead_card
from cards.lists import NUMBERED, PAGE, ROWS, many_card, nurtured_card, pool_card, waiting_card
from cards.model import Card
from handlers import tasks, todos
from handlers.claims import bars, taking
from handlers.nurture import nurture
from handlers.phones import by_day, put_for
from handlers.profiles import keep_profiles
from store.db import Tx
from store.domain.consent import put_aside
from store.domain.deadlines import schedule
from store.domain.lead import NIGHT, Change, Event, Kind, Lead
from store.domain.pools import Bar, distributors, may_give, overseers, staffed, takes_own
from store.domain.quota import Rank
from store.domain.routing import fits, proposed
from store.domain.team import Channel, Member, Role, off_duty
from store.domain.told import Told, in_vain, workdays_ago
from store.domain.undo import undoable
from store.leads import Past
from store.outbox import Put, Recent

MANY = 5
"""More new cards than this at once for one person become one list."""
AT_ONCE = timedelta(minutes=1)
GATHER = timedelta(seconds=5)
"""How long a list that has just been sent waits before it is sent again with what came since."""
PRESSING = timedelta(seconds=1)
"""A press is answered sooner; DingTalk gives up after two seconds."""
OWNER_HEARS = {
    Kind.ASSIGNED, Kind.TRANSFERRED, Kind.ASKED_AGAIN, Kind.WARNED, Kind.REMINDED, Kind.SPOKE,
    Kind.NUDGED, Kind.LATE, Kind.GRACE, Kind.RETIMED, Kind.OPTED_OUT,
}  # fmt: skip
JUDGED = {
    Kind.CAPTURED, Kind.ASKED_AGAIN, Kind.ASSIGNED, Kind.GRAB, Kind.UNSUITABLE, Kind.RECLAIMED,
}  # fmt: skip
"""What the rules decided: such an event names their version."""
AT_ANY_HOUR = {Kind.ASSIGNED, Kind.GRAB, Kind.UNSUITABLE, Kind.REMINDED}
"""What the gate of working time has let out, and what somebody wanted to be told then."""
MANAGERS_SEE = {Kind.LATE, Kind.EXTENDED}
TAKES_OVER = {Kind.ASSIGNED, Kind.CLAIMED, Kind.TRANSFERRED}
SUGGESTED = 3


async def record(tx: Tx, *changes: Change) -> Sequence[Lead]:
    """Write what the rules decided, and put it on every phone concerned.

    Several changes of one lead build on each other: the last one is how it is
    now. Returns the leads as stored. Raises Stale.
    """
    last = {change.lead.id: change for change in changes}.values()
    aside = (put_aside(change, tx.now) for change in last)
    changes = (*changes, *(change for change in aside if change is not None))
    planned = [planned_change(tx, change) for change in changes]
    await tx.leads.save(planned)
    for change in planned:
        if change.lead.owner is not None and change.event.kind in TAKES_OVER:
            await tasks.hand_on(tx, change.lead, change.event.data.get("from"))
    await tasks.keep_occasions(tx, {change.lead.id: change.lead for change in planned}.values())
    await todos.settle_all(tx, [(change.lead, change.event.kind) for change in planned])
    stored = [Change(replace(c.lead, version=c.lead.version + 1), c.event) for c in planned]
    await nurture(tx, stored)
    await announce(tx, stored)
    return list({change.lead.id: change.lead for change in stored}.values())


def planned_change(tx: Tx, change: Change) -> Change:
    """``change`` with the deadline that its lead now has, and the rules that judged it."""
    lead, event = change
    if event.kind in JUDGED:
        lead = replace(lead, rules=tx.rules.version)
        event = replace(event, data={**event.data, "rules": tx.rules.version})
    return Change(schedule(lead, tx.rules.limits, tx.rules.calendar), event)


@dataclass(frozen=True, slots=True)
class Audience:
    """The readers of one lead's card, which of them are to notice it, when, and who did it."""

    lead: Lead
    readers: Mapping[int, bool]
    actors: frozenset[int | None] = frozenset()
    rings_at: datetime | None = None

    def later(self, reader: int) -> datetime | None:
        """When the card of ``reader`` rings; None: now, or never."""
        return self.rings_at if self.readers[reader] else None

    def rank(self, reader: Member) -> Rank:
        """What matters most to ``reader``: what rings, then what they did themselves."""
        if self.readers[reader.id]:
            return Rank.MATTERS
        if reader.id in self.actors:
            return Rank.ASKED
        return Rank.KEPT if self.lead.owned_by(reader) else Rank.QUIET


async def announce(tx: Tx, changes: Sequence[Change]) -> None:
    """Put the card of each changed lead on the phones that hold it or have to see it."""
    leads = {change.lead.id: change.lead for change in changes}
    events: dict[int, list[Event]] = {lead_id: [] for lead_id in leads}
    for change in changes:
        events[change.lead.id].append(change.event)
    holders = await tx.outbox.holders(list(leads))
    audiences = [
        Audience(
            lead,
            await _readers(tx, lead, events[lead.id], holders.get(lead.id, ())),
            frozenset(event.by for event in events[lead.id]),
            _rings_at(tx, events[lead.id]),
        )
        for lead in leads.values()
    ]
    await _put_cards(tx, audiences, holders)
    await keep_profiles(tx, leads.values())


def _rings_at(tx: Tx, events: Sequence[Event]) -> datetime | None:
    """What happens by itself at night rings in the morning, and counts from when it happened."""
    by_itself = all(e.by is None and e.kind not in AT_ANY_HOUR for e in events)
    return by_day(tx.now, tx.rules.calendar) if by_itself else None


async def refresh(tx: Tx, leads: Sequence[Lead]) -> None:
    """Bring every card of ``leads`` up to date: nothing happened, but what it says is no longer so."""
    holders = await tx.outbox.holders([lead.id for lead in leads])
    held = [Audience(lead, dict.fromkeys(holders.get(lead.id, ()), False)) for lead in leads]
    await _put_cards(tx, held, holders)


async def catch_up(tx: Tx, back: Sequence[int]) -> None:
    """Who was gone has cards from before that: they say how things are, without a sound."""
    behind = await tx.outbox.behind(back)
    leads = await tx.leads.many(list(behind))
    held = [Audience(lead, dict.fromkeys(behind[lead.id], False)) for lead in leads]
    await _put_cards(tx, held, behind)


async def _readers(
    tx: Tx, lead: Lead, events: Sequence[Event], holders: Sequence[int]
) -> Mapping[int, bool]:
    """Member → whether the card rings. Whoever holds a card keeps a true one."""
    readers = dict.fromkeys(holders, False)
    kinds = {event.kind for event in events}
    if lead.owner is not None:
        rings = bool(kinds & OWNER_HEARS) and lead.owner.id not in {event.by for event in events}
        readers[lead.owner.id] = rings
    if kinds & {Kind.UNSUITABLE, Kind.LEFT}:
        people = distributors((await tx.members.all()).values(), lead, tx.rules.limits)
        readers |= {m.id: True for m in people}
    if kinds & MANAGERS_SEE:
        # A deadline that has passed rings; an extension is only to be known.
        people = overseers((await tx.members.all()).values(), lead)
        readers |= {m.id: Kind.LATE in kinds for m in people}
    if kinds & {Kind.RETURNED, Kind.IDLE} or (Kind.HELD in kinds and lead.hold != NIGHT):
        readers |= {m.id: True for m in await tx.members.active(Role.MARKETING)}
    for event in events:
        if event.kind == Kind.RECLAIMED and event.data.get("from"):
            readers[int(event.data["from"])] = True
        if event.kind == Kind.MERGED and event.data.get("from"):
            readers.setdefault(int(event.data["from"]), True)  # theirs went into this one
        if event.kind == Kind.ASSISTED:
            readers[int(event.data["to"])] = True
        if event.kind == Kind.GRAB:
            readers |= {int(m): True for m in event.data.get("grab", ())}
    return readers


async def _put_cards(
    tx: Tx, audiences: Sequence[Audience], holders: Mapping[int, Sequence[int]]
) -> None:
    team = await tx.members.all()
    pasts = await _pasts(tx, _viewed(team, audiences))
    loads = await _suggestions(tx, audiences)
    new: dict[int, list[Audience]] = {}
    puts: list[Put] = []
    for audience in audiences:
        for member_id, ring in audience.readers.items():
            reader = team.get(member_id)
            if reader is None or reader.phone is None or not reader.active:
                continue
            if member_id not in holders.get(audience.lead.id, ()):
                new.setdefault(member_id, []).append(audience)
            view = _view(tx, audience.lead, reader, pasts, loads)
            rank = audience.rank(reader)
            put = card_put(audience.lead, reader, view, ring=ring, rank=rank)
            later = audience.later(member_id)
            puts.append(replace(put, not_before=later) if later else put)
    recent = await tx.outbox.recent(tx.now - AT_ONCE) if new else Recent()
    crowded = {m for m, some in new.items() if len(some) + recent.cards.get(m, 0) > MANY}
    kept = [p for p in puts if p.member_id not in crowded or _holds(holders, p)]
    lists: list[Put] = []
    for m in sorted(crowded):
        put = await _list_put(tx, team[m], again=m in recent.lists)
        when = [audience.later(m) for audience in new[m]]
        lists.append(replace(put, not_before=when[0]) if all(when) else put)
    await tx.outbox.put([*kept, *lists])


@dataclass(frozen=True, slots=True)
class _Pasts:
    """What cards tell of the past of their leads: what was logged, and what was done last.

    ``bars``: who may not claim what lies before them, by member and lead.
    """

    told: Mapping[int, Sequence[Told]]
    newest: Mapping[int, Past]
    bars: Mapping[tuple[int, int], Bar]
    team: Mapping[int, Member]


def _viewed(
    team: Mapping[int, Member], audiences: Sequence[Audience]
) -> Sequence[tuple[Lead, Sequence[Member]]]:
    return [(a.lead, [team[m] for m in a.readers if m in team]) for a in audiences]


async def _pasts(tx: Tx, viewed: Sequence[tuple[Lead, Sequence[Member]]]) -> _Pasts:
    ids = [lead.id for lead, _ in viewed]
    kept = await bars(tx, [(reader, lead) for lead, readers in viewed for reader in readers])
    told, newest = await tx.leads.told(ids), await tx.leads.newest(ids)
    return _Pasts(told, newest, kept, await tx.members.all())


def _view(
    tx: Tx, lead: Lead, reader: Member, pasts: _Pasts, loads: Sequence[tuple[int, Member]]
) -> View:
    logs, last = pasts.told.get(lead.id, ()), pasts.newest.get(lead.id)
    since = workdays_ago(tx.now, tx.rules.reach_workdays, tx.rules.calendar)
    tries = [at for at in in_vain(logs) if at.astimezone(tx.rules.zone).date() >= since]
    return View(
        now=tx.now,
        rules=replace(tx.rules, limits=staffed(tx.rules.limits, pasts.team.values())),
        last=logs[-1].log.text if logs else "",
        missed=len(tries) if logs and logs[-1].log.missed else 0,
        suggested=_suited(tx, _others(tx, loads, reader, lead), lead)
        if _gives(tx, reader)
        else (),
        undo=last is not None and undoable(last, reader.id, tx.now),
        bar=pasts.bars.get((reader.id, lead.id)),
        overseen=bool(overseers(pasts.team.values(), lead)),
    )


def _holds(holders: Mapping[int, Sequence[int]], put: Put) -> bool:
    return put.member_id in holders.get(put.lead_id or 0, ())


def card_put(
    lead: Lead, reader: Member, view: View, *, ring: bool, rank: Rank = Rank.ASKED
) -> Put:
    """The card of ``lead`` for the phone of ``reader``, who has one."""
    card, key = lead_card(lead, reader, view), f"lead:{lead.id}/{reader.id}"
    put = put_for(reader, key, card, interactive=view.rules.interactive)
    return replace(
        put,
        ring=ring,
        lead_id=lead.id,
        member_id=reader.id,
        not_before=None if ring or rank <= Rank.ASKED else _after_presses(put.channel, view),
        rank=rank,
    )


def _after_presses(channel: str, view: View) -> datetime | None:
    """When a card may change that somebody may be pressing: DingTalk wants no call meanwhile.

    Who does press it just then sees the change in the answer, and it costs no call.
    """
    presses = view.rules.interactive and channel == Channel.DINGTALK
    return view.now + PRESSING if presses else None


async def list_puts(tx: Tx, readers: Sequence[int]) -> Sequence[Put]:
    """The lists for those whose phones have no room for more cards just now."""
    team = await tx.members.all()
    recent = await tx.outbox.recent(tx.now - AT_ONCE)
    there = [team[m] for m in readers if m in team and team[m].phone]
    return [await _list_put(tx, reader, again=reader.id in recent.lists) for reader in there]


async def _list_put(tx: Tx, reader: Member, *, again: bool) -> Put:
    """Many new cards at once are one list. ``again``: the last one is fresh, so it only grows."""
    day = tx.now.astimezone(tx.rules.zone).date()
    return replace(
        put_for(reader, f"list:{day}/{reader.id}", await _list_card(tx, reader)),
        ring=not again,
        member_id=reader.id,
        not_before=tx.now + GATHER if again else None,
        rank=Rank.MATTERS,
    )


async def _list_card(tx: Tx, reader: Member) -> Card:
    """What came lately and waits for this reader."""
    waiting, count = await tx.leads.waiting(PAGE) if reader.manages else ((), 0)
    if waiting:
        return waiting_card(waiting, count)
    if reader.role == Role.MARKETING:
        return nurtured_card(*await tx.leads.nurtured(PAGE))
    unseen, count = await tx.leads.unseen(reader, ROWS + NUMBERED)
    if unseen:
        return many_card(unseen, count)
    pooled = await tx.leads.pool(reader, "", tx.rules.limits, tx.now, (PAGE, 0))
    return pool_card(*pooled, "", 1, await taking(tx, reader, pooled[0]))


async def _suggestions(tx: Tx, audiences: Sequence[Audience]) -> Sequence[tuple[int, Member]]:
    """Who can take one, the fewest open leads first, if a manager is among the readers."""
    team = await tx.members.all()
    if not any(_gives(tx, team[m]) for a in audiences for m in a.readers if m in team):
        return ()
    loads = await tx.leads.loads()
    reps = await tx.members.active(Role.REP)
    there = [m for m in reps if not off_duty(m, tx.now) and loads.get(m.id, 0) < m.capacity]
    return sorted(((loads.get(m.id, 0), m) for m in there or reps), key=lambda x: (x[0], x[1].id))


def _gives(tx: Tx, reader: Member) -> bool:
    return may_give(reader, tx.rules.limits)


def _others(
    tx: Tx, loads: Sequence[tuple[int, Member]], reader: Member, lead: Lead
) -> Sequence[tuple[int, Member]]:
    """To whom ``reader`` may give ``lead``: the admin of its pool does not keep it."""
    return [one for one in loads if not takes_own(reader, one[1], lead, tx.rules.limits)]


def _suited(tx: Tx, loads: Sequence[tuple[int, Member]], lead: Lead) -> tuple[Member, ...]:
    """Who said no already comes last, then whom the rule did not name, then whom it does not fit."""
    named = proposed(lead, tx.rules.routing)
    order = sorted(
        (m for _, m in loads),
        key=lambda m: (int(m.id) in lead.refused, m.name not in named, not fits(m, lead)),
    )
    return tuple(order[:SUGGESTED])


async def show(tx: Tx, lead: Lead, reader: Member, *, ring: bool = True) -> None:
    """Put the lead's card on one phone because its owner asked for it."""
    if reader.phone is None:
        return
    loads = await _suggestions(tx, [Audience(lead, {reader.id: True})])
    view = _view(tx, lead, reader, await _pasts(tx, [(lead, [reader])]), loads)
    await tx.outbox.put([card_put(lead, reader, view, ring=ring)])
