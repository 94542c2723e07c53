"""One person, two leads: joined by who may decide it, and taken apart again."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from cards import render
from cards.doubts import doubt_card, doubts_card, merged_card
from cards.lists import PAGE, answered_card
from handlers import tasks
from handlers.announce import record
from handlers.capture import alone
from handlers.doubts import key_of
from handlers.journeys import hush
from handlers.lists import Page, turned
from handlers.nurture import begin
from handlers.reply import Reply
from handlers.score import happened
from store.db import Tx
from store.domain import merge as rules
from store.domain.errors import BadCommand, NotFound, Refused
from store.domain.lead import Change, Event, Kind, Lead, LeadId, Place
from store.domain.match import keys
from store.domain.merge import UNDO, Joined, keys_in
from store.domain.scoring import filled_in, rated
from store.domain.team import Member, MemberId
from store.leads import Past


async def merge(tx: Tx, by: Member, ids: tuple[LeadId, ...]) -> Reply:
    """The second lead goes into the first one, unless only the second has an owner."""
    one, two = await _two(tx, ids, "合并 42 57")
    rules.check_merge(by, one, two)
    kept, other = rules.kept_first(one, two)
    joined, closed = rules.merge(kept, other, by, tx.now)
    joined = await _carry(tx, joined, other)
    await record(tx, closed)
    after = await happened(tx, joined, was=kept, stops="assigned", back=filled_in)
    await tx.doubts.settle(kept.id, other.id, by.id, same=True)
    said = f"#{other.id} 已并入 #{kept.id}，要分开发「分开 {other.id}」"
    await _answer(tx, (kept, other), by, said)
    return Reply(text=said, card=merged_card(after, other, by), told=True, private=True)


async def _two(tx: Tx, ids: Sequence[LeadId], example: str) -> tuple[Lead, Lead]:
    """Both leads, ours until the commit; nobody is captured meanwhile. Raises NotFound."""
    if len(ids) != 2:
        raise BadCommand(f"要写两个编号，例如：{example}")
    await tx.lock("dispatch")
    leads = {lead.id: lead for lead in await tx.leads.many(ids, lock=True)}
    for lead_id in ids:
        if lead_id not in leads:
            raise NotFound(lead_id)
    return leads[ids[0]], leads[ids[1]]


async def _carry(tx: Tx, joined: Change, other: Lead) -> Change:
    """Keys, reminders and what was going to be sent go along; the event knows what moved."""
    held = await tx.leads.keys_of([joined.lead.id, other.id])
    moved, had = held.get(other.id, ()), set(held.get(joined.lead.id, ()))
    await tx.leads.move_keys(moved, other.id, joined.lead.id)
    await tx.journeys.stop(other.id, "merged")
    reminders = await tasks.join(tx, other, joined.lead)
    if joined.lead.opted_out_at is not None:
        await hush(tx, joined.lead.id)
        await hush(tx, other.id)
    undo = {
        **joined.event.data[UNDO],
        "keys": [[k.kind, k.value] for k in moved if k not in had],
        "moved": [[k.kind, k.value] for k in moved],
        "reminders": [list(pair) for pair in reminders],
    }
    return Change(joined.lead, replace(joined.event, data={**joined.event.data, UNDO: undo}))


async def differ(tx: Tx, by: Member, ids: tuple[LeadId, ...]) -> Reply:
    """Two people: nobody is asked about these leads any more."""
    first = await tx.leads.get(ids[0])
    others = ids[1:] or tuple(LeadId(n) for n in await tx.doubts.of(first.id))
    leads = await tx.leads.many(others, lock=True)
    if not leads:
        raise Refused(f"#{first.id} 没有要核对的重复")
    for other in leads:
        rules.check_merge(by, first, other)
        await tx.doubts.settle(first.id, other.id, by.id, same=False)
    names = "、".join(f"#{other.id}" for other in leads)
    await record(tx, *(_distinct(tx, one, by, (first, *leads)) for one in (first, *leads)))
    said = f"好，#{first.id} 和 {names} 各是各的"
    await _answer(tx, (first, *leads), by, said)
    return Reply(text=said, told=True)


def _distinct(tx: Tx, lead: Lead, by: Member, among: Sequence[Lead]) -> Change:
    others = [one for one in among if one.id != lead.id]
    told = "、".join(f"#{one.id}" for one in others)
    left = tuple(n for n in lead.doubles if n not in {int(one.id) for one in others})
    event = Event(kind=Kind.DISTINCT, by=by.id, at=tx.now, text=told)
    return Change(replace(lead, doubles=left), event)


async def _answer(tx: Tx, leads: Sequence[Lead], by: Member, said: str) -> None:
    """The question on every phone says how it was answered."""
    team = (await tx.members.all()).values()
    keys = [key_of(lead.id, member) for lead in leads for member in team]
    there = await tx.outbox.of_keys(keys)
    text = f"{by.name}：{said}"
    await tx.outbox.put(
        [replace(put, payload=render(answered_card(text), put.channel)) for put in there]
    )


async def doubts(tx: Tx, by: Member, wanted: Page | LeadId) -> Reply:
    """What is still to be decided, or the question about one lead."""
    if not isinstance(wanted, Page):
        return await _question(tx, by, wanted)
    pairs, count, page = await turned(wanted, lambda skip: tx.doubts.open(PAGE, skip))
    leads = {n.id: n for n in await tx.leads.many({n for pair in pairs for n in pair})}
    card = doubts_card([(leads[a], leads[b]) for a, b in pairs], count, page.number, by)
    return Reply(card=card, private=True)


async def _question(tx: Tx, by: Member, lead_id: LeadId) -> Reply:
    leads = await tx.leads.many([lead_id, *await tx.doubts.of(lead_id)])
    alike = [lead for lead in leads if lead.id != lead_id]
    if not alike:
        raise Refused(f"#{lead_id} 没有要核对的重复")
    [lead] = [lead for lead in leads if lead.id == lead_id]
    for other in alike:
        rules.check_merge(by, lead, other)
    return Reply(card=doubt_card(lead, alike, by), asks=True, private=True)


# -- taking apart ------------------------------------------------------------------


async def split(tx: Tx, by: Member, lead_id: LeadId) -> Reply:
    """The last enquiry or lead that was joined to this one goes its own way again."""
    await tx.lock("dispatch")
    lead = await tx.leads.get(lead_id)
    wanted = lead.id if lead.merged_into is not None else None
    kept = await tx.leads.get(lead.merged_into) if lead.merged_into is not None else lead
    rules.check_split(by, kept)
    joined = _joined((await tx.leads.history([kept.id])).get(kept.id, ()))
    last = next((j for j in reversed(joined) if wanted in {None, j.other}), None)
    if last is None:
        raise Refused(f"#{kept.id} 没有并进过别的线索或咨询")
    before = [j.at for j in joined if j.event_id != last.event_id]
    back = await _unjoined(tx, kept, last, by)
    back = replace(back, joined_at=max(before, default=None))
    other = (
        await _unmerge(tx, back, last, by) if last.other else await _release(tx, back, last, by)
    )
    await _tell_kept(tx, back, last, by, other)
    return Reply(text=f"#{kept.id} 和 #{other.id} 已分开，{_with(other)}", told=True)


async def _rated(tx: Tx, back: Lead, last: Joined) -> Lead:
    """``back`` with what it is worth without what has left, and without what only that had earned."""
    did = (await tx.leads.did([back.id], but=[last.event_id])).get(back.id, ())
    lead = rated(back, did, tx.now, tx.rules.scale)
    lines = (await tx.leads.history([back.id])).get(back.id, ())
    earned = any(p.kind == Kind.QUALIFIED and p.by is None and p.at == last.at for p in lines)
    if earned and lead.qualification == "MQL" and lead.score < tx.rules.scale.mql:
        return replace(lead, qualification="UQL")
    return lead


def _with(lead: Lead) -> str:
    return f"#{lead.id} 由 {lead.owner.name} 跟" if lead.owner else f"#{lead.id} 等主管分配"


def _joined(lines: Sequence[Past]) -> list[Joined]:
    """What was joined to a lead and not taken apart, the oldest first."""
    over = {past.data.get("of") for past in lines if past.kind == Kind.SPLIT}
    return [
        Joined(past.id, past.at, _other(past), past.data[UNDO])
        for past in lines
        if UNDO in past.data and past.id not in over
    ]


def _other(past: Past) -> LeadId | None:
    return LeadId(past.data["other"]) if "other" in past.data else None


async def _unjoined(tx: Tx, kept: Lead, last: Joined, by: Member) -> Lead:
    team = await tx.members.all()
    await tx.leads.forget_keys(keys_in(last.undo), kept.id)
    back = rules.without(kept, last.undo, _by_id(team), tx.now)
    back = rules.own_opt_out(back, last.undo, last.at, await _withdrawn(tx, kept, last))
    back = replace(back, parted_at=await tx.contacts.parted_at(back.external_userid))
    if back.place == Place.MARKETING and kept.place != Place.MARKETING:
        await begin(tx, back)
    return back


async def _withdrawn(tx: Tx, kept: Lead, last: Joined) -> Sequence[datetime]:
    """When the person of ``kept``, or of another lead that stays with it, wanted to be left alone."""
    stay = [n for n in await tx.leads.with_merged(kept.id) if n != last.other]
    said = last.undo["new"]["message"] if last.undo.get("new") else None
    return [
        entry.at
        for entry in await tx.consents.withdrawals(stay)
        if (entry.at, entry.text) != (last.at, said)
    ]


def _by_id(team: Mapping[int, Member]) -> Mapping[MemberId, Member]:
    return {member.id: member for member in team.values()}


async def _tell_kept(tx: Tx, back: Lead, last: Joined, by: Member, other: Lead) -> None:
    data = {"of": last.event_id, "other": int(other.id)}
    event = Event(kind=Kind.SPLIT, by=by.id, at=tx.now, text=f"#{other.id} 分出去", data=data)
    await record(tx, Change(await _rated(tx, back, last), event))
    await tx.doubts.settle(back.id, other.id, by.id, same=False)


async def _release(tx: Tx, kept: Lead, last: Joined, by: Member) -> Lead:
    """The enquiry as a lead of its own, with what it agreed to."""
    new = rules.enquiry(last.undo)
    split = Event(kind=Kind.SPLIT, by=by.id, at=tx.now, text=f"从 #{kept.id} 分出来")
    like = {"parted_at": await tx.contacts.parted_at(new.external_userid)}
    other = await alone(tx, new, split, like)
    await tx.consents.move(new, last.at, kept.id, other.id)
    return other


async def _unmerge(tx: Tx, kept: Lead, last: Joined, by: Member) -> Lead:
    """The other lead as it was, with the same owner if there is room."""
    other = await tx.leads.get(last.other or kept.id)
    team = await tx.members.all()
    back = rules.restored(other, last.undo["was"], _by_id(team))
    back = await _as_wanted(tx, back, kept, last)
    back = replace(back, parted_at=await tx.contacts.parted_at(back.external_userid))
    moved = keys_in(last.undo, "moved")
    await tx.leads.remember([(key, int(other.id)) for key in moved])
    owner = back.owner
    for entry in last.undo["reminders"]:
        # Merges of old kept no more than the reminder's number.
        number, whose = entry if isinstance(entry, list) else (entry, owner.id if owner else None)
        await tx.reminders.move_back([number], other.id, whose)
    event = Event(kind=Kind.SPLIT, by=by.id, at=tx.now, text=f"从 #{kept.id} 分出来")
    changes = [Change(replace(back, swept_at=tx.now), event)]
    if owner is not None and not await _has_room(tx, owner):
        changes.append(back.unsuitable(tx.now, f"原来的 {owner.name} 接不下"))
    return (await record(tx, *changes))[-1]


async def _as_wanted(tx: Tx, back: Lead, kept: Lead, last: Joined) -> Lead:
    """``back`` left alone if its person said so while both were one; also when that is in doubt."""
    lines = (await tx.leads.history([kept.id])).get(kept.id, ())
    came = {past.at: keys(rules.enquiry(past.data[UNDO])) for past in lines if _asked(past)}
    held = (await tx.leads.keys_of([kept.id])).get(kept.id, ())
    left = keys_in(last.undo, "moved")
    said = [
        entry
        for entry in await tx.consents.withdrawals([kept.id])
        if entry.at >= last.at and rules.whose(came.get(entry.at, ()), left, held)
    ]
    await tx.consents.also(said, back)
    outs = [entry.at for entry in said] + ([back.opted_out_at] if back.opted_out_at else [])
    return replace(back, opted_out_at=max(outs, default=None))


def _asked(past: Past) -> bool:
    return past.data.get(UNDO, {}).get("new") is not None


async def _has_room(tx: Tx, owner: Member) -> bool:
    return owner.active and (await tx.leads.loads()).get(owner.id, 0) < owner.capacity
