"""Reminders somebody asks for: once, or coming round; and the days that come round by themselves."""

import re
from dataclasses import dataclass, replace
from datetime import datetime

from cards.words import dated, moment
from handlers import tasks
from handlers.announce import record
from handlers.follow import About
from handlers.reply import Reply
from store.db import Tx
from store.domain.errors import BadCommand, NotYours
from store.domain.lead import Change, Event, Kind, Lead
from store.domain.occasions import read_yearly
from store.domain.recurrence import LONGEST, find_round
from store.domain.team import Member
from store.domain.times import find_time
from store.domain.vague import with_example

CANCEL = frozenset({"取消", "不用了", "停", "别提醒了", "cancel", "stop"})

BY = re.compile(r"(?:[之以]?前(?!台)|[之以]内|左右)")


@dataclass(frozen=True, slots=True)
class Asked:
    """When, what for, and how often (empty: once)."""

    at: datetime
    date_only: bool
    text: str
    every: str = ""


async def remind(tx: Tx, by: Member, about: About) -> Reply:
    """A reminder at that minute, or every time; without words what there is, 取消 ends it."""
    lead = await tx.leads.get(about.lead_id)
    if not lead.owned_by(by) and not by.manages and str(by.id) not in lead.experts:
        raise NotYours(lead.id, lead.owner.name if lead.owner else None)
    if about.words.strip().casefold() in CANCEL:
        return await _cancel(tx, by, lead)
    asked = _asked(tx, lead, about.words)
    await tx.reminders.add(
        lead.id, by.id, asked.at, asked.text, "asked", date_only=asked.date_only, every=asked.every
    )
    when = asked.every or dated(asked.at, tx.now, tx.rules.zone)
    event = Event(kind=Kind.REMINDER, by=by.id, at=tx.now, text=f"{when} {asked.text}")
    await record(tx, Change(_planned(lead, by, asked.at, tx.now), event))
    said = moment(asked.at, tx.now, tx.rules.zone)
    how = f"{asked.every} 提醒你，第一次 {said}" if asked.every else f"{said} 提醒你"
    return Reply(text=f"好，{how} #{lead.id} {asked.text}", told=True)


async def _cancel(tx: Tx, by: Member, lead: Lead) -> Reply:
    count = await tx.reminders.cancel(lead.id, by.id)
    if not count:
        raise BadCommand(f"#{lead.id} 没有你设的提醒。例如：提醒 {lead.id} 明天9点 打电话")
    event = Event(kind=Kind.REMINDER, by=by.id, at=tx.now, text=f"取消 {count} 个")
    await record(tx, Change(lead, event))
    return Reply(text=f"#{lead.id} 的 {count} 个提醒取消了", told=True)


def _asked(tx: Tx, lead: Lead, words: str) -> Asked:
    """Raises BadCommand, with what to write, unless there is exactly one way to understand it."""
    example = f"例如：提醒 {lead.id} 明天9点 打电话，或每周一9点 回访"
    if comes_round := find_round(words, tx.now, tx.rules.zone):
        if comes_round.doubt:
            raise BadCommand(comes_round.doubt)
        at = tasks.moment(tx, comes_round.at, date_only=comes_round.date_only)
        text = _rest(words, comes_round.start, comes_round.end)
        return Asked(at, comes_round.date_only, text, comes_round.words[:LONGEST])
    found = find_time(words, tx.now, tx.rules.zone)
    if found is None:
        raise BadCommand(f"什么时候提醒？{example}")
    if found.ambiguous or (found.past and not found.date_only):
        raise BadCommand(with_example(found.ambiguous or "这个时间已经过了。", example))
    by = BY.match(words, found.end)
    end = by.end() if by else found.end
    at = tasks.moment(tx, found.at, date_only=found.date_only)
    if by and found.date_only:
        at = tasks.moment_by(tx, found.at)
    return Asked(at, found.date_only, _rest(words, found.start, end))


def _rest(words: str, start: int, end: int) -> str:
    return " ".join((words[:start] + " " + words[end:]).split()) or "联系一下"


def _planned(lead: Lead, by: Member, at: datetime, now: datetime) -> Lead:
    """The owner's reminder is the next contact, unless an earlier one is agreed."""
    agreed = lead.next_at is not None and now < lead.next_at < at
    if agreed or not lead.owned_by(by) or not lead.open:
        return lead
    return replace(lead, next_at=at)


async def birthday(tx: Tx, by: Member, about: About) -> Reply:
    """The customer's birthday, by either calendar: the owner is told on the day."""
    lead = await tx.leads.get(about.lead_id)
    if not lead.owned_by(by) and not by.manages:
        raise NotYours(lead.id, lead.owner.name if lead.owner else None)
    day = read_yearly(about.words)
    if day is None:
        raise BadCommand(f"哪一天？例如：生日 {lead.id} 5月12日，或农历五月初五")
    known = replace(lead, fields={**lead.fields, "birthday": str(day)})
    event = Event(kind=Kind.DATED, by=by.id, at=tx.now, text=f"生日 {day}")
    await record(tx, Change(known, event))
    return Reply(text=f"记下 #{lead.id} 生日 {day}，每年那天早上提醒你", told=True)
