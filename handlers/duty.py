"""Off the duty roster, and back on it."""

from datetime import datetime, timedelta

from cards.words import dated
from handlers.announce import record
from handlers.assign import pass_on
from handlers.clocks import replan
from handlers.reply import Reply
from store.db import Tx
from store.domain.errors import BadCommand, NotAllowed
from store.domain.leave import Unclear, read_leave
from store.domain.team import Member

INSTANT = timedelta(microseconds=1)


async def leave(tx: Tx, by: Member, words: str) -> Reply:
    """From then to then nothing is given to them, and clocks in working time stand still."""
    member, words = await _whom(tx, by, words)
    try:
        start, end = read_leave(words, tx.now, tx.rules.zone)
    except Unclear as unclear:
        raise BadCommand(str(unclear)) from None
    await tx.lock("dispatch")
    await tx.members.go(member, start, end, by)
    await _settle(tx, member)
    who = "你" if member.id == by.id else member.name
    said = f"好，{_span(tx, start, end)}请假，这段时间不派给{who}，早回来发「上班」"
    return Reply(text=said, acted=True)


async def back(tx: Tx, by: Member, words: str) -> Reply:
    """What is left of their leave is over."""
    member, rest = await _whom(tx, by, words)
    if rest:
        raise BadCommand("回来了发「上班」就行")
    await tx.lock("dispatch")
    ended = await tx.members.come_back(member)
    await _settle(tx, member)
    who = "你" if member.id == by.id else f"{member.name} "
    said = f"好，{who}在岗，可以派单了" if ended else f"{who}本来就在岗，没有请假"
    return Reply(text=said, acted=bool(ended))


async def _whom(tx: Tx, by: Member, words: str) -> tuple[Member, str]:
    """Whom the line is about, and the rest of it; a manager may name somebody."""
    name, *rest = words.split(maxsplit=1) or [""]
    named = await tx.members.by_name(name.lstrip("@"))
    if named is None or named.id == by.id:
        return by, words if named is None else " ".join(rest)
    if not by.manages:
        raise NotAllowed("给别人请假由主管来做，自己请假直接发「请假 明天」")
    return named, " ".join(rest)


async def _settle(tx: Tx, member: Member) -> None:
    """Their deadlines are derived anew; what they are only asked to accept goes on if they are away."""
    member = (await tx.members.all())[member.id]
    leads = await tx.leads.held(member)
    away = member.back_at(tx.now) is not None
    await replan(tx, [lead for lead in leads if not (away and lead.offered)])
    for lead in leads:
        if away and lead.offered:
            await record(tx, *await pass_on(tx, lead, member))


def _span(tx: Tx, start: datetime, end: datetime) -> str:
    """ "3月5日 周四" for a whole day, else from when to when."""
    zone = tx.rules.zone
    first, last = start.astimezone(zone), (end - INSTANT).astimezone(zone)
    whole = f"{first:%H:%M}" == "00:00" and f"{end.astimezone(zone):%H:%M}" == "00:00"
    if whole:
        day, until = dated(first, tx.now, zone)[:-6], dated(last, tx.now, zone)[:-6]
        return day if first.date() == last.date() else f"{day}到{until}"
    return f"{dated(start, tx.now, zone)} 到 {dated(end, tx.now, zone)} "
