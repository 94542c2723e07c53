"""When the clock acts anew: somebody is away, or the rules of time have changed."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

from cards.lists import calendar_card
from cards.words import WEEKDAYS, dated
from handlers.announce import record, refresh
from handlers.assign import dispatch
from handlers.nurture import nurture
from handlers.phones import by_day, put_for
from handlers.reply import Reply
from store.db import Tx
from store.domain.blanks import squeeze
from store.domain.calendar import DAY, MAKE_UP_WORKDAYS, PUBLIC_HOLIDAYS
from store.domain.dates import read_date
from store.domain.deadlines import reclaim_at, schedule, threatened
from store.domain.errors import BadCommand, NotAllowed
from store.domain.gates import closed
from store.domain.lead import NIGHT, SCORE, Change, Due, Lead, Place
from store.domain.numerals import normalise
from store.domain.rules import Rules
from store.domain.team import Member, Role

LEADS = 100
"""Of one transaction."""
BY_SCORE = frozenset({"min_score", "grade"})
"""Conditions that hold no longer when nothing but time has passed."""
WHOLE_DAY = frozenset({"", "全天", "一天", "整天", "一整天", "调休", "全体", "大家", "公司"})
WEEKS = 9
"""What 日历 looks ahead: over the next long holiday in most of the year."""


async def replan(tx: Tx, leads: Sequence[Lead]) -> None:
    """Derive the deadlines of ``leads`` again, and say them again on the cards that name one."""
    planned = [schedule(lead, tx.rules.limits, tx.rules.calendar) for lead in leads]
    moved = {new.id for old, new in zip(leads, planned, strict=True) if new != old}
    await tx.leads.plan([lead for lead in planned if lead.id in moved])
    stored = [
        replace(lead, version=lead.version + 1) if lead.id in moved else lead for lead in planned
    ]
    await refresh(tx, [lead for lead in stored if lead.id in moved or _named(tx, lead)])


def _named(tx: Tx, lead: Lead) -> bool:
    """Whether its cards say a deadline that may have moved behind the one that is next."""
    return lead.waits or threatened(lead, tx.now, tx.rules.limits, tx.rules.calendar)


# -- changed rules -----------------------------------------------------------


def fingerprint(rules: Rules) -> str:
    """What the deadlines and the gates depend on besides the leads, in short."""
    calendar = rules.calendar
    days = [PUBLIC_HOLIDAYS, MAKE_UP_WORKDAYS, calendar.holidays, calendar.extra_workdays]
    told = [sorted(some) for some in (*days, calendar.days_off)]
    hours = (calendar.zone.key, calendar.hours, calendar.workdays, calendar.always_open)
    return hashlib.sha256(
        repr((rules.limits, hours, told, rules.gates, rules.mql)).encode()
    ).hexdigest()


async def watch(tx: Tx) -> None:
    """If the deadlines stand by other rules than these, they are derived anew, bit by bit."""
    stands = await tx.clocks.standing()
    if stands is None or stands.rules != fingerprint(tx.rules):
        await tx.clocks.begin(fingerprint(tx.rules))


async def go_on(tx: Tx, most: int = LEADS) -> bool:
    """The next leads after a change of the rules. Whether there may be more."""
    stands = await tx.clocks.turn()
    if stands is None or stands.done is None:
        return False
    leads = await tx.leads.after(stands.done, most)
    await _retime(tx, [lead for lead in leads if lead.place != Place.MARKETING])
    await _let_out(tx, leads)
    more = len(leads) == most
    await tx.clocks.reached(leads[-1].id if more else None)
    return more


async def _let_out(tx: Tx, leads: Sequence[Lead]) -> None:
    """What waits at a gate that is there no more goes on, the best first.

    The night ends by its own deadline; whoever wants to be left alone waits for no rule.
    """
    waits = [lead for lead in leads if lead.hold not in {"", NIGHT} and not lead.left_alone]
    rules = tx.rules
    through = [
        lead
        for lead in waits
        if (gate := closed(lead, rules.gates, rules.calendar, tx.now, rules.scale.mql)) is None
        or gate.name != lead.hold
    ]
    changes = await dispatch(tx, sorted(through, key=lambda lead: (-lead.score, lead.id)))
    gone = [change.lead.id for change in changes if change.lead.hold != SCORE]
    if changes:
        await tx.journeys.stop_all(gone, "assigned")
        await record(tx, *changes)
        await nurture(tx, changes)


async def regraded(tx: Tx, leads: Sequence[Lead]) -> None:
    """Scores have faded: where the rules of time go by them, they are other rules now."""
    limits = tx.rules.limits
    conditions = [*(p.when for p in limits.policies), *(s.when for s in limits.scopes)]
    if any(BY_SCORE & when.keys() for when in conditions):
        await _retime(tx, leads)


async def _retime(tx: Tx, leads: Sequence[Lead]) -> None:
    """What moves is written down and said; nothing is taken that nobody was warned of."""
    limits, calendar = tx.rules.limits, tx.rules.calendar
    planned = [schedule(lead, limits, calendar) for lead in leads]
    pairs = list(zip(leads, planned, strict=True))
    moved = [old for old, new in pairs if (old.due, old.due_at) != (new.due, new.due_at)]
    await record(tx, *[await _told(tx, lead) for lead in moved])
    ids = {lead.id for lead in moved}
    await replan(tx, [lead for lead in leads if lead.id not in ids])


async def _told(tx: Tx, lead: Lead) -> Change:
    reclaim = reclaim_at(lead, tx.rules.limits, tx.rules.calendar)
    if lead.owner is None or lead.offered or reclaim is None:
        return lead.retime(tx.now, "", None)
    spare = _spare(tx, lead, reclaim[0])
    at = max(reclaim[0], spare or reclaim[0])
    return lead.retime(tx.now, f"现在 {dated(at, tx.now, tx.rules.zone)} 前没有进展会回收", spare)


def _spare(tx: Tx, lead: Lead, at: datetime) -> datetime | None:
    """Until when it is kept at least, if the new rules take it sooner than anybody was told."""
    notice = tx.rules.calendar.opens(tx.now + max(tx.rules.limits.warn_before, default=DAY))
    warned = lead.due in {Due.WARN, Due.RECLAIM} and lead.due_at is not None
    later = warned and lead.due_at is not None and tx.now < lead.due_at <= at
    return None if at >= notice or later else notice


# -- the admin's calendar ----------------------------------------------------


async def calendar(tx: Tx, by: Member, words: str) -> Reply:
    """The exceptions of the next weeks, or one more of them."""
    if not words.strip():
        return Reply(text=_coming(tx), private=True)
    day, works = _read(tx, words)
    await _check_admin(tx, by)
    await tx.clocks.declare(day, by, works=works)
    tx.rules = replace(tx.rules, calendar=tx.rules.calendar.declared({day: works}))
    await tx.clocks.begin(fingerprint(tx.rules))
    await go_on(tx)
    said = f"好，{_called(day)} {'上班' if works else '休息'}，到期时间都按这个算了"
    return Reply(text=said, acted=True)


def _read(tx: Tx, words: str) -> tuple[date, bool]:
    """Raises BadCommand unless a day that is to come and 上班 or 休息 were said."""
    told = re.fullmatch(r"(.+?)\s*(上班|上课|补班|休息|放假|休|on|off)", words.strip())
    example = "这样写：日历 2027-02-06 上班，或 日历 2027-02-05 休息"
    today = tx.now.astimezone(tx.rules.zone).date()
    words = squeeze(normalise(told[1].strip())).text if told else ""
    phrase = read_date(words, 0, today)
    if told is None or phrase is None:
        raise BadCommand(example)
    if words[phrase.end :].strip(" 的要,") not in WHOLE_DAY:
        raise BadCommand(f"一次写一整天，几天就分几次发。{example}")
    days = next((days for days in phrase.days if days.last >= today), phrase.days[-1])
    if days.first != days.last or days.first < today:
        raise BadCommand(f"一次写一整天，从今天起的。{example}")
    return days.first, told[2] in {"上班", "上课", "补班", "on"}


async def _check_admin(tx: Tx, by: Member) -> None:
    if by.role != Role.ADMIN and await tx.members.active(Role.ADMIN):
        raise NotAllowed("上班日由管理员来改，发「日历」看看接下来几周")


def _coming(tx: Tx) -> str:
    today = tx.now.astimezone(tx.rules.zone).date()
    lines = [
        f"{_called(day)} {'上班' if works else '休息'}"
        for day, works in tx.rules.calendar.exceptions(today, WEEKS * 7)
    ]
    if year := tx.rules.calendar.unknown_soon(today):
        lines.append(f"{year} 年的放假安排还没有，先按周一到周五算，公布后升级或用「日历」补上")
    said = "\n".join(lines) or "没有调休和假日"
    return f"接下来 {WEEKS} 周和平常不一样的日子：\n{said}\n要改发：日历 2027-02-06 上班"


async def warn_of_year(tx: Tx) -> None:
    """Tell the admins, once, that nobody knows yet which days of the coming year are off."""
    year = tx.rules.calendar.unknown_soon(tx.now.astimezone(tx.rules.zone).date())
    if year is None or not await tx.ticks.first(f"year:{year}", _new_year(year)):
        return
    people = await tx.members.active(Role.ADMIN) or await tx.members.active(Role.MANAGER)
    puts = [
        replace(
            put_for(m, f"year:{year}/{m.id}", calendar_card(year)),
            member_id=m.id,
            not_before=by_day(tx.now, tx.rules.calendar),
        )
        for m in people
        if m.phone
    ]
    await tx.outbox.put(puts)


def _new_year(year: int) -> datetime:
    return datetime(year, 1, 1, tzinfo=UTC)


def _called(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日 周{WEEKDAYS[day.weekday()]}"
