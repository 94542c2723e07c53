"""The manager gives leads to people: one, several, to one or in turns among some."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from cards.lists import assign_card, full_card
from handlers.announce import record
from handlers.assign import Dispatcher
from handlers.reply import Reply
from handlers.work import colleague
from store.db import Tx
from store.domain.errors import Refused
from store.domain.lead import Change, Lead, LeadId
from store.domain.pools import check_distribute, staffed, takes_own
from store.domain.routing import Choice, Desk, choose, fits
from store.domain.rules import RoutingRule
from store.domain.team import Member, Role

ANYWAY = ("照给", "超额", "强制", "anyway", "force")
BY_RULE = ("自动", "按规则", "auto")
WORDS = re.compile(r"[\s,，、]+")
NOTE_CHARS = 100


@dataclass(frozen=True, slots=True)
class Give:
    """Leads, and to whom: names, then 照给 and a note when nothing else helps."""

    ids: tuple[LeadId, ...]
    words: str = ""


@dataclass(slots=True)
class _Outcome:
    """What became of a batch, to be said in a few lines."""

    given: dict[str, list[int]] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        done = [
            f"已给 {name}：{' '.join(f'#{n}' for n in ids)}" for name, ids in self.given.items()
        ]
        return "\n".join([*done, *self.kept])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """What the manager said, and the team at its desks. ``anyway``: whoever is full or away."""

    by: Member
    people: tuple[Member, ...]
    note: str
    anyway: bool
    dispatcher: Dispatcher

    def next(self, lead: Lead) -> Change:
        """To whoever of the named is next, of everybody it fits when nobody was named.

        Raises Refused.
        """
        choice = self._chosen(lead)
        to, turn = choice.to, choice.turn or None
        if to is None and self.anyway and self.people:
            to = min(self.people, key=lambda m: (self.dispatcher.desks[m.id].load, m.id))
        if to is None:
            raise Refused(f"#{lead.id} 没给：{self._why_not(lead, choice)}")
        return self.give(lead, to, turn)

    def _chosen(self, lead: Lead) -> Choice:
        """By the rules, or of those who are named somebody else than who has it, if there is one."""
        if not self.people:
            return choose(lead, self.dispatcher.tx.rules.routing, self._desks())
        desks = [d for d in self._desks() if not lead.owned_by(d.member)] or self._desks()
        # Among those the manager named it is their turn that counts, not the prospect's wish,
        # and a manager takes turns like the others.
        peers = [replace(d, member=replace(d.member, role=Role.REP)) for d in desks]
        choice = choose(replace(lead, rep=""), [self._mine()], peers)
        to = next((m for m in self.people if choice.to and m.id == choice.to.id), None)
        return replace(choice, to=to)

    def _mine(self) -> RoutingRule:
        return RoutingRule(name="主管分配", to=tuple(person.name for person in self.people))

    def _desks(self) -> list[Desk]:
        named = {person.id for person in self.people}
        return [d for d in self.dispatcher.desks.values() if not named or d.member.id in named]

    def _why_not(self, lead: Lead, choice: Choice) -> str:
        """What was in the way, of each one who was named or of the rules, and what to send."""
        if not self.people:
            why = f"规则「{choice.rule}」让大家抢" if choice.grab else choice.why
            return f"{why}，要给就发「分配 {lead.id} 姓名」"
        why = "，".join(f"{d.member.name} {_obstacle(d, lead)}" for d in self._desks())
        return f"{why}。要给就发「分配 {lead.id} {self.people[0].name} 照给」"

    def give(self, lead: Lead, to: Member, turn: float | None = None) -> Change:
        """``to`` has it from now on; that nobody else would have given it is kept.

        Raises Refused: asking somebody again would only give them the time again.
        """
        check_not_theirs(lead, to)
        if takes_own(self.by, to, lead, self.dispatcher.tx.rules.limits):
            raise Refused(f"「{lead.scope}」由你分配，自己不领：分配 {lead.id} 同事的姓名")
        over = in_the_way(self.dispatcher.desks[to.id])
        if lead.owner is not None and lead.accepted_at is not None:
            change = lead.transfer(self.by, to, self.dispatcher.tx.now)
        else:
            why = "，".join(filter(None, (f"{self.by.name} 分配", self.note)))
            change = lead.assign(to, self.dispatcher.tx.now, why=why, by=self.by)
        self.dispatcher.sit(to, turn)
        kept = {name: said for name, said in (("note", self.note), ("over", over)) if said}
        return change.saying(kept) if kept else change


def check_not_theirs(lead: Lead, to: Member) -> None:
    """Raises Refused when ``lead`` is with ``to`` already."""
    if lead.offered and lead.owned_by(to):
        raise Refused(f"#{lead.id} 已经派给 {to.name} 了，在等他接受")


async def assign(tx: Tx, by: Member, wanted: Give) -> Reply:
    """To one or several by name, each in turn; without a name, whom to choose from.

    Who is away or full is given nothing unless the manager says 照给, and that is kept.
    """
    leads = [await tx.leads.get(lead_id) for lead_id in wanted.ids]
    order = await _order(tx, by, wanted)
    if len(leads) > 1 or _by_rule(wanted) or len(order.people) > 1:
        return await _several(tx, leads, order)
    await _check(tx, by, leads[0])
    if not order.people:
        return await _ask(tx, leads[0], order)
    return await _one(tx, leads[0], order.people[0], order)


def _by_rule(wanted: Give) -> bool:
    return wanted.words.strip().casefold() in BY_RULE


async def _check(tx: Tx, by: Member, lead: Lead) -> None:
    """Raises Refused: a pool's own admins give its leads away; what is over is nobody's to give."""
    check_distribute(by, lead, staffed(tx.rules.limits, (await tx.members.all()).values()))
    if not lead.open:
        raise Refused(f"#{lead.id} 已经结束，不用再分配")


async def _order(tx: Tx, by: Member, wanted: Give) -> _Order:
    """The people named, and what follows them. Raises BadCommand, with the names there are."""
    people: list[Member] = []
    words = WORDS.split(wanted.words.strip())
    if wanted.words.strip() and not _by_rule(wanted):
        people = [await colleague(tx, words.pop(0), f"分配 {wanted.ids[0]} 李雷")]
        sales = {m.name: m for m in await tx.members.active(Role.REP, Role.MANAGER) if m.phone}
        while words and words[0].lstrip("@") in sales:
            people.append(sales[words.pop(0).lstrip("@")])
    dispatcher = await Dispatcher.open(tx)
    for person in people:
        dispatcher.seat(person)
    anyway = bool(people and words) and words[0].casefold() in ANYWAY
    note = " ".join(words[anyway:])[:NOTE_CHARS] if people else ""
    return _Order(
        by=by,
        people=tuple(dict.fromkeys(people)),
        note=note,
        anyway=anyway,
        dispatcher=dispatcher,
    )


async def _ask(tx: Tx, lead: Lead, asked: _Order) -> Reply:
    """Whom to choose from: the reps, and where there are none, whoever manages."""
    desks = [desk for desk in asked.dispatcher.desks.values() if desk.member.phone]
    if not desks:
        managers = [m for m in await tx.members.active(Role.MANAGER) if m.phone]
        desks = [asked.dispatcher.seat(m) for m in managers]
    desks = [d for d in desks if not takes_own(asked.by, d.member, lead, tx.rules.limits)]
    order = sorted(desks, key=lambda desk: _unsuited(desk, lead))
    rows = [(d.member, d.load, d.off or ("满了" if d.full else "")) for d in order]
    return Reply(card=assign_card(lead, rows), asks=True, private=True)


def _unsuited(desk: Desk, lead: Lead) -> tuple[bool, bool, bool, int, int]:
    """Who cannot take one comes last, then who said no, then whom it does not fit."""
    refused = int(desk.member.id) in lead.refused
    busy = bool(desk.off) or desk.full
    return busy, refused, not fits(desk.member, lead), desk.load, int(desk.member.id)


def in_the_way(desk: Desk) -> str:
    """Why nothing more should be given to them; "" when it may."""
    if desk.off:
        return desk.off
    return f"手上 {desk.load} 条，满了" if desk.full else ""


def _obstacle(desk: Desk, lead: Lead) -> str:
    """Why who was named is not given this one."""
    return in_the_way(desk) or "没接这一条"


async def _one(tx: Tx, lead: Lead, to: Member, order: _Order) -> Reply:
    check_not_theirs(lead, to)
    desks = order.dispatcher.desks
    why = in_the_way(desks[to.id])
    if why and not order.anyway:
        others = sorted(desks.values(), key=lambda desk: _unsuited(desk, lead))
        free = [d.member for d in others if not in_the_way(d) and d.member.id != to.id]
        return Reply(card=full_card(lead, to, why, free), asks=True, private=True)
    await _settle(tx, [order.give(lead, to)], order.dispatcher)
    return Reply(
        text=f"#{lead.id} 已给 {to.name}" + (f"（{why}，照给）" if why else ""), told=True
    )


async def _several(tx: Tx, leads: Sequence[Lead], order: _Order) -> Reply:
    outcome, changes = _Outcome(), []
    for lead in leads:
        try:
            await _check(tx, order.by, lead)
            change = order.next(lead)
        except Refused as refusal:
            outcome.kept.append(str(refusal))
            continue
        changes.append(change)
        name = change.lead.owner.name if change.lead.owner else ""
        outcome.given.setdefault(name, []).append(int(lead.id))
    await _settle(tx, changes, order.dispatcher)
    return Reply(text=str(outcome), told=len(leads) == 1)


async def _settle(tx: Tx, changes: Sequence[Change], dispatcher: Dispatcher) -> None:
    await dispatcher.close()
    if changes:
        await tx.journeys.stop_all([change.lead.id for change in changes], "assigned")
        await record(tx, *changes)
