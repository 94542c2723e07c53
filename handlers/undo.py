"""Taking one's own last action back, as a new event: the history keeps both."""

from collections.abc import Sequence
from typing import Any

from cards import render
from cards.lists import answered_card
from cards.words import moment
from handlers.announce import record
from handlers.doubts import unask
from handlers.follow import echo_key, refresh_echo
from handlers.reply import Reply
from store.actions import Action, Scene, Step
from store.db import Tx
from store.domain.enquiry import BLANKS
from store.domain.errors import Refused
from store.domain.lead import Change, Event, Kind, Lead, LeadId
from store.domain.merge import keys_in
from store.domain.reach import BROUGHT
from store.domain.scoring import rated
from store.domain.team import Channel, Member
from store.domain.undo import INSTEAD, WINDOW, obstacle

RATED = frozenset({"importance", "fields", "message", *BLANKS})
"""What a score is made of: where one of them goes back, it is derived again."""
SENT = frozenset({Kind.MAILED, Kind.GREETED})
TOO_LATE = "最后一步是{at} 的「{label}」，过了 {minutes} 分钟，撤不回来了"


async def before(tx: Tx, lead_ids: Sequence[int]) -> Scene:
    """How things are before something is done to these leads."""
    return await tx.actions.look(lead_ids)


async def remember(tx: Tx, by: Member, label: str, scene: Scene) -> None:
    """Keep what was done since ``scene``, so that it can be taken back."""
    if scene.leads:
        await tx.actions.keep(by.id, label, scene)


async def passed(tx: Tx, by: Member, label: str, lead_ids: Sequence[int]) -> None:
    """Keep that ``by`` did something that cannot be taken back: nothing before it can be either."""
    await tx.actions.passed(by.id, label, lead_ids)


async def undo(tx: Tx, by: Member, lead_id: LeadId | None) -> Reply:
    """Take back what ``by`` did last; a lead that is named has to be the one it was about."""
    action = await tx.actions.last(by.id)
    _check(tx, action, lead_id)
    assert action is not None  # noqa: S101 - _check refuses
    leads = {lead.id: lead for lead in await tx.leads.many(_ids(action), lock=True)}
    sent = [await _between(tx, by, step) for step in action.steps]
    changes = [await _rewind(tx, by, action, step, leads[step.lead_id]) for step in action.steps]
    await _room(tx, by, leads, changes)
    for step in action.steps:
        await tx.actions.restore(step)
        await _unlearn(tx, step)
    stored = await record(tx, *changes)
    await tx.actions.undone(action)
    for lead in stored:
        await _settle(tx, by, lead)
    numbers = " ".join(f"#{n}" for n in _ids(action)[:5]) + ("…" if len(action.steps) > 5 else "")
    late = "，已经发给客户的消息收不回来" if any(sent) else ""
    return Reply(text=f"已撤销「{action.label}」{numbers}{late}", told=True)


def _ids(action: Action) -> list[LeadId]:
    return [step.lead_id for step in action.steps]


def _check(tx: Tx, action: Action | None, lead_id: LeadId | None) -> None:
    if action is None or action.undone_at is not None:
        done = "上一步已经撤销过了" if action else "没有可以撤销的"
        raise Refused(f"{done}，10 分钟内做的最后一步才能撤销")
    numbers = _ids(action)
    if not action.undoable:
        of = f" #{numbers[0]} 的" if numbers else ""
        how = INSTEAD.get(action.label, "").format(n=numbers[0] if numbers else "编号")
        raise Refused(
            "，".join(filter(None, (f"你最后一步是{of}「{action.label}」，撤不回来", how)))
        )
    if lead_id is not None and lead_id not in numbers:
        raise Refused(f"你最后一步是 #{numbers[0]} 的「{action.label}」，要撤销它发「撤销」")
    if tx.now - action.at > WINDOW:
        at = moment(action.at, tx.now, tx.rules.zone)
        at = f" {at}" if at[0].isdecimal() else at
        minutes = int(WINDOW.total_seconds() // 60)
        raise Refused(TOO_LATE.format(at=at, label=action.label, minutes=minutes))


async def _between(tx: Tx, by: Member, step: Step) -> bool:
    """Whether a prospect was written to meanwhile. Raises Refused when somebody came between."""
    since = await tx.leads.since(step.lead_id, max(step.events))
    why = obstacle(step.lead_id, since, by)
    if why:
        raise Refused(why)
    return any(line.kind in SENT for line in since)


async def _rewind(tx: Tx, by: Member, action: Action, step: Step, lead: Lead) -> Change:
    """What the action changed is as before; what changed since by itself stays."""
    now = tx.leads.columns(lead)
    values = {
        name: back
        for name, (old, new) in step.columns.items()
        if (back := _back(now[name], old, new)) != now[name]
    }
    back = await tx.leads.rewound(lead, values)
    if step.columns.keys() & RATED:
        did = (await tx.leads.did([lead.id])).get(lead.id, ())
        back = rated(back, did, tx.now, tx.rules.scale)
    data = {"undid": list(step.events), "to": back.owner.id if back.owner else None}
    event = Event(kind=Kind.UNDONE, by=by.id, at=tx.now, text=action.label, data=data)
    return Change(back, event)


def _back(now: Any, old: Any, new: Any) -> Any:
    """``old``, unless it has changed again since ``new``; of a mapping every key by itself."""
    if not (isinstance(now, dict) and isinstance(old, dict) and isinstance(new, dict)):
        return old if now == new else now
    changed = {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
    mine = {key for key in changed if now.get(key) == new.get(key)}
    return {k: v for k, v in now.items() if k not in mine} | {k: old[k] for k in mine if k in old}


async def _unlearn(tx: Tx, step: Step) -> None:
    """The lead is not known by the number any more that was filled in, nor asked about for it."""
    for past in await tx.leads.since(step.lead_id, min(step.events) - 1):
        kept = past.data.get(BROUGHT)
        if kept and past.id in step.events:
            await tx.leads.forget_keys(keys_in(kept), step.lead_id)
            await unask(tx, step.lead_id, kept["doubles"])


async def _room(tx: Tx, by: Member, leads: dict[LeadId, Lead], changes: Sequence[Change]) -> None:
    """Whoever gets a lead back has to be there and to have room for it."""
    await tx.lock("dispatch")
    loads = dict(await tx.leads.loads())
    for lead, _ in changes:
        owner, was = lead.owner, leads[lead.id]
        if owner is None or not lead.open or (was.open and was.owned_by(owner)):
            continue
        if not owner.active:
            raise Refused(f"{owner.name} 已经离开，#{lead.id} 撤不回去，可以「分配」给别人")
        loads[owner.id] = loads.get(owner.id, 0) + 1
        if loads[owner.id] > owner.capacity and not by.manages:
            raise Refused(f"{owner.name} 手上已满（{owner.capacity} 条），#{lead.id} 撤不回去")


async def _settle(tx: Tx, by: Member, lead: Lead) -> None:
    """What else is on phones: letters on their way, the card that said it back."""
    if lead.opted_out_at is not None:
        await tx.journeys.stop(lead.id, "opted out")
    if not await tx.journeys.live(lead.id):
        await tx.outbox.drop_waiting(lead.id, [Channel.MAIL, Channel.WECOM_MASS])
    key = echo_key(lead.id, by)
    phone = await tx.outbox.phone(key)
    logs = (await tx.leads.told([lead.id])).get(lead.id, ())
    if phone is not None and logs and logs[-1].by_id == by.id:
        await refresh_echo(tx, by, lead)
    elif phone is not None:
        await tx.outbox.show(key, render(answered_card(f"#{lead.id} 的跟进已撤销"), phone[0]))
