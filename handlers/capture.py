"""Taking in leads: one function for the form, the API, the platforms, the chat and files."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from handlers import todos
from handlers.announce import announce, planned_change
from handlers.assign import Dispatcher
from handlers.doubts import ask_about
from handlers.journeys import hush, leave_alone
from handlers.lines import propose
from handlers.nurture import nurture
from handlers.score import happened
from store.db import Tx
from store.domain.consent import put_aside, withdraws
from store.domain.custom import checked
from store.domain.enquiry import (
    ask_again,
    enrich,
    jotted,
    listed_again,
    only_listed,
    repeats,
    says_nothing_new,
    signalled,
    start,
    withdraw,
)
from store.domain.gates import brought
from store.domain.lead import SCORE, Change, Event, Kind, Lead, LeadId, Place, Stage
from store.domain.learned import Model, traits
from store.domain.lines import line_of
from store.domain.match import ROW_KEY, Ask, Key, Known, Same, Verdict, decide, keys
from store.domain.merge import UNDO, enquiry_undo
from store.domain.newlead import NewLead
from store.domain.rules import Scale
from store.domain.scoring import Signal, comes_back, earned, judged, rated, signals


@dataclass(frozen=True, slots=True)
class Captured:
    """``duplicate``: the person was known and the enquiry went to their lead.

    ``wrong``: fields that are kept as they were written, and what is wrong with them.
    """

    id: LeadId
    duplicate: bool
    wrong: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Slot:
    """One person while a batch is worked through; ``number`` is negative until it is stored."""

    number: int
    lead: Lead
    stored: bool
    held: set[Key] = field(default_factory=set)
    events: list[Event] = field(default_factory=list)
    keys: set[Key] = field(default_factory=set)
    doubles: tuple[int, ...] = ()
    news: list[NewLead] = field(default_factory=list)
    did: list[Signal] = field(default_factory=list)
    calls: bool = True
    """Whether somebody has to call now; a page that was looked at is no reason."""
    customer: bool = False
    """Bought before and is back, at the desk of who sold it."""
    quiet: bool = False
    """The last word was to be left alone: nobody is sent to call."""
    withdrawn: set[str] = field(default_factory=set)
    """In which words consent was taken back since the person last asked."""
    asked_for: str = ""
    """Another business line that an enquiry was about, which has no lead yet."""

    @property
    def known(self) -> Known:
        """The person as the matching rule sees them."""
        lead = self.lead
        return Known(
            lead_id=self.number,
            name=lead.name,
            phone=lead.phone,
            phone_sure=lead.phone_sure,
            email=lead.email,
            wechat=lead.wechat,
            external_userid=lead.external_userid,
            company=lead.company,
            more=tuple(self.held | self.keys),
            linked=lead.linked,
        )

    def take(self, change: Change) -> None:
        self.lead = change.lead
        self.events.append(change.event)

    def weigh(self, change: Change, scale: Scale, *, asked: bool) -> None:
        """What the person did now, with all it is worth."""
        before, event = self.lead, change.event
        self.did += signals(event.kind, event.at, event.data)
        for judged_change in judged(change, self.did, event.at, scale):
            self.take(judged_change)
        self.customer = before.stage == Stage.WON and self.lead.owner is not None
        self.calls = asked or comes_back(before, self.lead, scale)
        if asked:
            self.quiet = False
            self.withdrawn.clear()

    def had(self, new: NewLead) -> bool:
        """Whether the very same row was handed in before."""
        return bool(new.row) and Key(ROW_KEY, new.row) in self.held | self.keys

    def jot(self, change: Change, scale: Scale) -> None:
        """More is known, which calls nobody unless somebody is to be called already."""
        called = bool(self.events) and self.calls
        self.weigh(change, scale, asked=False)
        self.calls = self.calls or called

    def leave(self, change: Change) -> None:
        """The person took their consent back, which is worth nothing and begins nothing."""
        self.take(change)
        self.quiet = True
        self.withdrawn.add(change.event.text)

    @property
    def hushed(self) -> Sequence[Event]:
        """Every time the person took their consent back, also once more."""
        return [event for event in self.events if event.kind == Kind.OPTED_OUT]


async def capture(tx: Tx, news: Sequence[NewLead]) -> Sequence[Captured]:
    """Take in ``news``, in order, with a fixed number of statements whatever their number.

    Every one is a new lead or wakes the lead of the person it comes from, is
    given to somebody, and is shown. Each of ``news`` must be reachable.
    """
    own, today = tx.rules.fields, tx.now.astimezone(tx.rules.zone).date()
    read = [checked(own, new.fields, today) for new in news]
    news = [replace(new, fields=kept) for new, (kept, _) in zip(news, read, strict=True)]
    wanted = [keys(new) for new in news]
    await tx.lock("dispatch", *(f"{k.kind}:{k.value}" for ks in wanted for k in ks))
    book = await _book(tx, [key for ks in wanted for key in ks])
    book.model = await tx.models.current()
    slots = [_place(tx, book, new, ks) for new, ks in zip(news, wanted, strict=True)]
    touched = list({slot.number: slot for slot, _ in slots}.values())
    await _dispatch(tx, touched)
    numbers = await _store(tx, touched)
    return [
        Captured(numbers[slot.number], duplicate, wrong)
        for (slot, duplicate), (_, wrong) in zip(slots, read, strict=True)
    ]


@dataclass(slots=True)
class _Book:
    by_key: dict[Key, list[int]]
    slots: dict[int, _Slot]
    model: Model | None = None

    def candidates(self, wanted: Iterable[Key]) -> Sequence[_Slot]:
        numbers = [number for key in wanted for number in self.by_key.get(key, ())]
        return [self.slots[number] for number in dict.fromkeys(numbers)]

    def add(self, slot: _Slot, wanted: Iterable[Key]) -> None:
        self.slots[slot.number] = slot
        for key in wanted:
            entry = self.by_key.setdefault(key, [])
            if slot.number not in entry:
                entry.append(slot.number)
                slot.keys.add(key)


async def recognise(
    tx: Tx, new: NewLead, but: Collection[int] = ()
) -> tuple[Verdict, Mapping[int, Lead]]:
    """Who ``new`` would be found to come from, and the leads that were looked at.

    ``but``: leads that it is not compared with.
    """
    wanted = keys(new)
    book = await _book(tx, wanted, lock=False)
    others = [slot.known for slot in book.candidates(wanted) if slot.number not in but]
    said = decide(new, others)
    return said, {number: slot.lead for number, slot in book.slots.items()}


async def _book(tx: Tx, wanted: Sequence[Key], *, lock: bool = True) -> _Book:
    """Everybody the enquiries might come from."""
    found = await tx.leads.known(wanted)
    leads = await tx.leads.many({n for ns in found.values() for n in ns}, lock=lock)
    leads = [*leads, *await _of_other_lines(tx, leads, lock=lock)]
    held = await tx.leads.keys_of([lead.id for lead in leads]) if leads else {}
    did = await tx.leads.did([lead.id for lead in leads])
    said = await _withdrawn(tx, leads)
    slots = {
        int(lead.id): _Slot(
            int(lead.id),
            lead,
            stored=True,
            held=set(held.get(lead.id, ())),
            did=list(did.get(lead.id, ())),
            withdrawn=said.get(lead.id, set()),
        )
        for lead in leads
    }
    return _Book({key: list(ns) for key, ns in found.items()}, slots)


async def _of_other_lines(tx: Tx, leads: Sequence[Lead], *, lock: bool) -> Sequence[Lead]:
    """What else the same people ask about: one of theirs may not have the mail they write from."""
    others = {n for lead in leads for n in lead.linked} - {int(lead.id) for lead in leads}
    return await tx.leads.many(others, lock=lock) if others else ()


async def _withdrawn(tx: Tx, leads: Sequence[Lead]) -> Mapping[int, set[str]]:
    """The words of who wants to be left alone and has not asked since."""
    alone = {int(lead.id): lead for lead in leads if lead.left_alone}
    said: dict[int, set[str]] = {number: set() for number in alone}
    for entry in await tx.consents.withdrawals(sorted(alone)) if alone else ():
        if entry.at >= alone[entry.lead_id].asked_at:
            said[entry.lead_id].add(entry.text)
    return said


def _place(tx: Tx, book: _Book, new: NewLead, wanted: Sequence[Key]) -> tuple[_Slot, bool]:
    """The slot of the person, known or new, and whether they were known."""
    candidates = book.candidates(wanted)
    verdict = decide(new, [slot.known for slot in candidates])
    if isinstance(verdict, Same):
        slot = _of_line(tx, book, book.slots[verdict.lead_id], new)
        # The same enquiry handed in twice is no second one: nobody is called again.
        numbered = verdict.by == "external"
        again = repeats(slot.lead, new, numbered=numbered)
        known = (numbered or again) and says_nothing_new(slot.lead, new, slot.withdrawn)
        if not (known or slot.had(new)) or listed_again(slot.lead, new, tx.now):
            _hear(tx, slot, new, wanted, again=again)
            slot.news.append(new)
    else:
        slot = _fresh(tx, book, new, start(new, tx.now, tx.rules))
        slot.doubles = verdict.lead_ids if isinstance(verdict, Ask) else ()
        slot.news.append(new)
        if withdraws(new.message):
            slot.leave(slot.lead.opt_out(tx.now, new.message))
    book.add(slot, wanted)
    return slot, isinstance(verdict, Same)


def _hear(
    tx: Tx, slot: _Slot, new: NewLead, wanted: Iterable[Key], *, again: bool = False
) -> None:
    """Who is known asks again, was seen on a page, stands in a list, or wants to be left alone."""
    if withdraws(new.message):
        slot.leave(_joined(slot, new, wanted, withdraw(slot.lead, new, tx.now)))
        return
    if only_listed(slot.lead, new, tx.now, again=again):
        if told := jotted(slot.lead, new, tx.now):
            slot.jot(_joined(slot, new, wanted, told), tx.rules.scale)
        return
    seen = signalled(slot.lead, new, tx.now)
    change = seen or _joined(slot, new, wanted, ask_again(slot.lead, new, tx.now))
    slot.weigh(change, tx.rules.scale, asked=seen is None)


def _fresh(tx: Tx, book: _Book, new: NewLead, change: Change, *then: Event) -> _Slot:
    """Somebody nobody knew; ``then``: what happened besides."""
    lead = _likely(change.lead, book.model, new)
    slot = _Slot(-len(book.slots) - 1, lead, stored=False)
    slot.did += signals(change.event.kind, tx.now, change.event.data)
    for event in (change.event, *then):
        slot.take(Change(lead, event))
    if (higher := earned(lead, tx.now, tx.rules.scale)) is not None:
        slot.take(higher)
    return slot


def _joined(slot: _Slot, new: NewLead, wanted: Iterable[Key], change: Change) -> Change:
    """The enquiry goes to the lead of its person, so that it can be taken out again."""
    after = replace(change.lead, joined_at=change.event.at)
    undo = enquiry_undo(slot.lead, after, new, set(wanted) - slot.held - slot.keys)
    return Change(after, change.event).saying({UNDO: undo})


def _of_line(tx: Tx, book: _Book, slot: _Slot, new: NewLead) -> _Slot:
    """Of the leads one person has in several business lines, the one the enquiry is about."""
    wanted = line_of(new, tx.rules.lines)
    if not wanted or slot.lead.line == wanted:
        return slot
    for other in filter(None, map(book.slots.get, slot.lead.linked)):
        if other.lead.line == wanted and other.lead.merged_into is None:
            return other
    if slot.lead.line:
        slot.asked_for = slot.asked_for if withdraws(new.message) else wanted
    else:
        slot.lead = replace(slot.lead, line=wanted)
    return slot


def _likely(lead: Lead, model: Model | None, new: NewLead) -> Lead:
    if model is None or not model.trusted:
        return lead
    return replace(lead, chance=model.chance(traits(new)))


async def _dispatch(tx: Tx, slots: Sequence[_Slot]) -> None:
    """Everybody without an owner is given one, former owner first."""
    moved = [s for s in slots if s.events and (s.calls or s.quiet) and s.lead.open]
    moved = [s for s in moved if s.lead.owner is None or s.customer or s.quiet]
    if not moved:
        return
    dispatcher = await Dispatcher.open(tx)
    known = [slot.lead.id for slot in moved if slot.stored]
    owners = await tx.leads.owners_of(known) if known else {}
    waited = {slot.number for slot in moved if slot.lead.hold == SCORE}
    for slot in moved:
        if slot.quiet and (slot.stored or not brought(slot.lead)):
            _spare(slot, tx.now)
            continue
        former = next(reversed(owners.get(slot.lead.id, ())), None)
        if not slot.customer or not _stays(dispatcher, slot):
            for change in dispatcher.give(slot.lead, former):
                slot.take(change)
    # Who still waits for a better score has not been called: the letters are all they get.
    on = {slot.lead.id for slot in moved if slot.number in waited and slot.lead.hold == SCORE}
    on |= {slot.lead.id for slot in moved if slot.quiet}  # whose letters stop for that
    if known:
        await tx.journeys.stop_all([n for n in known if n not in on], "asked again")
    await dispatcher.close()


def _spare(slot: _Slot, at: datetime) -> None:
    """A manager may still give it; nobody is sent to call who said not to."""
    aside = put_aside(Change(slot.lead, slot.events[-1]), at)
    if aside is not None:
        slot.take(aside)


def _stays(dispatcher: Dispatcher, slot: _Slot) -> bool:
    """A customer stays with whoever sold to them, unless they are away or full."""
    owner = slot.lead.owner
    if owner is not None and dispatcher.may_take(owner):
        dispatcher.sit(owner)
        return True
    slot.lead = replace(slot.lead, owner=None, place=Place.POOL, accepted_at=None)
    return False


async def _store(tx: Tx, slots: Sequence[_Slot]) -> Mapping[int, LeadId]:
    fresh = [slot for slot in slots if not slot.stored]
    old = [slot for slot in slots if slot.stored and slot.events]
    added = await tx.leads.add([planned_change(tx, Change(s.lead, s.events[-1])) for s in fresh])
    numbers = {int(slot.number): LeadId(slot.number) for slot in slots if slot.stored}
    for slot, number in zip(fresh, added, strict=True):
        numbers[slot.number] = number
    for slot in fresh:
        doubles = tuple(int(numbers.get(d, LeadId(d))) for d in slot.doubles)
        slot.lead = replace(slot.lead, id=numbers[slot.number], doubles=doubles)
    await tx.leads.mark_doubles({s.lead.id: s.lead.doubles for s in fresh if s.doubles})
    known = [planned_change(tx, Change(s.lead, e)) for s in old for e in s.events]
    begun = [planned_change(tx, Change(s.lead, e)) for s in fresh for e in s.events]
    await tx.leads.save(known)
    await tx.leads.write([(change.lead.id, change.event) for change in begun])
    await tx.leads.remember([(k, int(numbers[s.number])) for s in slots for k in s.keys])
    await _keep_consents(tx, slots, numbers)
    await _settle_todos(tx, slots)
    await nurture(tx, [*known, *begun])
    await announce(tx, [*known, *begun])
    await ask_about(tx, [s.lead for s in fresh if s.lead.doubles])
    await propose(tx, [(s.lead, s.asked_for) for s in old if s.asked_for and not s.quiet])
    return numbers


async def _keep_consents(tx: Tx, slots: Sequence[_Slot], numbers: Mapping[int, LeadId]) -> None:
    await tx.consents.given([(numbers[s.number], new) for s in slots for new in s.news])
    for slot in slots:
        for event in slot.hushed:
            await tx.consents.withdrawn(slot.lead, event.text)
            await hush(tx, slot.lead.id)
            linked = await tx.leads.many(slot.lead.linked, lock=True)
            await leave_alone(tx, linked, event.text)


async def _settle_todos(tx: Tx, slots: Sequence[_Slot]) -> None:
    """What was to be done ends with a withdrawal, and stands again when the person asks."""
    for slot in slots:
        if slot.stored and slot.events and slot.lead.opted_out_at is not None:
            await todos.settle(tx, slot.lead)


async def alone(tx: Tx, new: NewLead, event: Event, like: Mapping[str, Any]) -> Lead:
    """A lead of its own for ``new``, whoever it looks like, given to somebody and shown.

    ``like``: what it has from the lead it comes from, beside the enquiry.
    """
    book = _Book({}, {}, await tx.models.current())
    begun = start(new, tx.now, tx.rules)
    did = signals(begun.event.kind, tx.now, begun.event.data)
    lead = rated(replace(begun.lead, **like), did, tx.now, tx.rules.scale)
    slot = _fresh(tx, book, new, begun._replace(lead=lead), event)
    slot.quiet = withdraws(new.message)
    book.add(slot, keys(new))
    await _dispatch(tx, [slot])
    numbers = await _store(tx, [slot])
    return await tx.leads.get(numbers[slot.number])


async def found(tx: Tx, lead: Lead, details: NewLead) -> None:
    """What WeCom knows of a contact, looked up after the lead was stored."""
    change = enrich(lead, details, tx.now)
    if change is not None:
        await tx.leads.remember([(key, int(lead.id)) for key in keys(details)])
        await happened(tx, change, was=lead)
