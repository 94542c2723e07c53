"""From one person to another: everything of a leaver, an expert's help, words to the owner."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cards.handover import Word, word_card
from handlers.announce import record
from handlers.assign import Dispatcher
from handlers.follow import About
from handlers.phones import put_for
from handlers.reply import Reply
from handlers.undo import before, remember
from handlers.work import colleague
from store.db import Tx
from store.domain.errors import BadCommand, NotYours, Refused
from store.domain.lead import HANDED_OVER, Change, Event, Kind, Lead, may_see
from store.domain.quota import Rank
from store.domain.team import Member, off_duty

MOST = 200
"""Leads handed over with one line: more than anybody holds."""
LABEL = "交接"


@dataclass(frozen=True, slots=True)
class HandOver:
    """Everything of ``leaver``; ``to`` is empty when the rules decide.

    ``anyway``: the manager said 照给, to whoever is away or full.
    """

    leaver: str
    to: str = ""
    anyway: bool = False


async def hand_over(tx: Tx, by: Member, wanted: HandOver) -> Reply:
    """All open leads of one person to another, or to whom the rules choose.

    Roles, leave and caps are those of every other way; 照给 goes over leave and caps.
    """
    leaver = await _person(tx, wanted.leaver)
    example = f"交接 {leaver.name} 韩梅"
    to = await colleague(tx, wanted.to, example) if wanted.to else None
    if to is not None:
        _fit_to_take(tx, to, leaver, anyway=wanted.anyway)
    leads, more = await _held(tx, leaver)
    if not leads:
        raise Refused(f"{leaver.name} 手上没有在跟的线索")
    await tx.lock("dispatch")
    scene = await before(tx, [lead.id for lead in leads])
    changes = await (
        _to_one(tx, by, leads, to, anyway=wanted.anyway) if to else _to_many(tx, by, leads, leaver)
    )
    given = [change.lead.id for change in changes if change.lead.owner is not None]
    await tx.journeys.stop_all(given, "assigned")
    await record(tx, *changes)
    await remember(tx, by, LABEL, scene)
    again = f"。一次最多 {MOST} 条，没完，请再发一次" if more else ""
    return Reply(text=_outcome(leaver, leads, changes, to) + again, told=True)


def _fit_to_take(tx: Tx, to: Member, leaver: Member, *, anyway: bool) -> None:
    """Raises BadCommand, Refused: what is handed over is worked from now on."""
    if to.id == leaver.id:
        raise BadCommand(f"交给谁？例如：交接 {leaver.name} 韩梅，不写就按规则分给大家")
    if not anyway and (why := off_duty(to, tx.now)):
        raise Refused(
            f"{to.name} {why}，换个人，一定要给就发「交接 {leaver.name} {to.name} 照给」"
        )


async def _person(tx: Tx, name: str) -> Member:
    """Somebody of the team, who may have left. Raises BadCommand, with the names there are."""
    name = name.strip().lstrip("@")
    team = (await tx.members.all()).values()
    found = next((m for m in team if m.name == name), None)
    if found is None:
        names = "、".join(m.name for m in team if m.active)
        raise BadCommand(f"团队里没有「{name}」，可以是：{names}")
    return found


async def _held(tx: Tx, leaver: Member) -> tuple[Sequence[Lead], bool]:
    """What the person has, and what already waits because they left; whether there is more."""
    owned = await tx.leads.left_behind([leaver.id], MOST + 1)
    waiting = await tx.leads.waiting_for(f"{leaver.name} {HANDED_OVER}", MOST + 1)
    held = [*owned, *waiting]
    return held[:MOST], len(held) > MOST


async def _to_one(
    tx: Tx, by: Member, leads: Sequence[Lead], to: Member, *, anyway: bool
) -> list[Change]:
    room = max(0, to.capacity - (await tx.leads.loads()).get(to.id, 0))
    changes = [
        lead.transfer(by, to, tx.now, waiting=True) for lead in (leads if anyway else leads[:room])
    ]
    off = off_duty(to, tx.now) or ""
    over = [off or ("满了" if place >= room else "") for place in range(len(changes))]
    return [c.saying({"over": why}) if why else c for c, why in zip(changes, over, strict=True)]


async def _to_many(tx: Tx, by: Member, leads: Sequence[Lead], leaver: Member) -> list[Change]:
    """To whom the rules would give each; what nobody can take stays where it is."""
    dispatcher = await Dispatcher.open(tx)
    dispatcher.desks.pop(leaver.id, None)
    changes = []
    for lead in leads:
        given = [c.lead.owner for c in dispatcher.give(lead, gated=False)]
        if given and given[-1] is not None:
            changes.append(lead.transfer(by, given[-1], tx.now, waiting=True))
    await dispatcher.close()
    return changes


def _outcome(
    leaver: Member, leads: Sequence[Lead], changes: Sequence[Change], to: Member | None
) -> str:
    counts: dict[str, int] = {}
    for change in changes:
        name = change.lead.owner.name if change.lead.owner else ""
        counts[name] = counts.get(name, 0) + 1
    given = "、".join(f"{name} {count} 条" for name, count in counts.items())
    done = (
        f"{leaver.name} 的线索交给了 {given}" if given else f"{leaver.name} 的线索一条也没交出去"
    )
    rest = len(leads) - len(changes)
    who = f"{to.name} 手上满了" if to else "没有合适的人"
    left = f"，还有 {rest} 条没交：{who}，可以再发「交接 {leaver.name} 姓名」" if rest else ""
    left += "，一定要给他就在后面写「照给」" if rest and to else ""
    return f"{done}，跟进和提醒一起过去了{left}" if given else f"{done}{left}"


async def assist(tx: Tx, by: Member, about: About) -> Reply:
    """Bring an expert in: they see the lead and may note what they know, and do not own it."""
    lead = await tx.leads.get(about.lead_id)
    name, _, question = about.words.partition(" ")
    if not name:
        raise BadCommand(f"请谁帮忙？例如：求助 {lead.id} 王工 想问接口")
    expert = await _person(tx, name)
    if not expert.active or expert.phone is None:
        raise Refused(f"{expert.name} 收不到卡片，换个人")
    question = question.strip() or "帮忙看看这条"
    await record(tx, lead.assist(by, expert, question, tx.now))
    return Reply(text=f"#{lead.id} 请 {expert.name} 帮忙了：{question}", told=True)


async def note(tx: Tx, by: Member, about: About) -> Reply:
    """Whoever sees a lead may note something; its owner is told."""
    return await _say(tx, by, about, Kind.NOTED, "备注")


async def comment(tx: Tx, by: Member, about: About) -> Reply:
    """What the manager thinks of how a lead is worked reaches the rep."""
    return await _say(tx, by, about, Kind.COMMENTED, "点评")


async def _say(tx: Tx, by: Member, about: About, kind: Kind, verb: str) -> Reply:
    lead = await tx.leads.get(about.lead_id)
    if not may_see(lead, by):
        raise NotYours(lead.id, lead.owner.name if lead.owner else None)
    if not about.words:
        raise BadCommand(f"写什么？例如：{verb} {lead.id} 先问清楚谁决定")
    event = Event(kind=kind, by=by.id, at=tx.now, text=about.words)
    await record(tx, Change(lead, event))
    told = await _tell(tx, by, lead, verb, about.words)
    names = "、".join(m.name for m in told)
    return Reply(
        text=f"#{lead.id} {verb}记下了" + (f"，{names} 会看到" if names else ""), told=True
    )


async def _tell(tx: Tx, by: Member, lead: Lead, verb: str, words: str) -> Sequence[Member]:
    """The owner hears of it, and, when the owner writes, the experts who were asked."""
    team = await tx.members.all()
    helpers = [team[int(n)] for n in lead.experts if int(n) in team]
    heard = [lead.owner] if lead.owner is not None and lead.owner.id != by.id else helpers
    there = [m for m in heard if m.active and m.phone and m.id != by.id]
    last = (await tx.leads.told([lead.id])).get(lead.id, ())
    number = await tx.leads.last_event(lead.id)
    word = Word(by, verb, words, last[-1].log.text if last else "")
    puts = [
        put_for(reader, f"word:{lead.id}/{number}/{reader.id}", word_card(lead, reader, word))
        for reader in there
    ]
    await tx.outbox.put([replace(put, ring=True, rank=Rank.MATTERS) for put in puts])
    return there
