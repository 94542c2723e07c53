"""What a member is told who opens the chat: what to do now, once a working day."""

from datetime import datetime, time, timedelta

from cards.greeting import SHOWN, greeting, kept_back
from cards.lead import View
from handlers.lists import agenda
from store.db import Tx
from store.domain.team import Member, Role

DAY = timedelta(days=1)


async def greet(tx: Tx, by: Member) -> str:
    """ "" for who has been greeted: the platforms report every look at the chat."""
    name, at = f"greet:{by.id}", _working_day(tx)
    if not await tx.ticks.first(name, at):
        return ""
    await tx.ticks.forget(name, at - DAY)
    view = View(now=tx.now, rules=tx.rules)
    if by.manages:
        leads, count = await tx.leads.waiting(3)
        return greeting(by, leads, count, view)
    if by.role == Role.REP:
        leads = await agenda(tx, by)
        return greeting(by, leads, len(leads), view)
    return greeting(by, (), 0, view)


async def without_words(tx: Tx, by: Member) -> str:
    """For who said or pressed something that DingTalk kept: its month is over."""
    if by.manages:
        leads, _ = await tx.leads.waiting(SHOWN)
    else:
        leads = (await agenda(tx, by))[:SHOWN]
    pages = [(lead, f"{tx.rules.public_url}/app/leads/{lead.id}") for lead in leads]
    return kept_back(pages, wecom=bool(by.wecom and tx.rules.wecom))


def _working_day(tx: Tx) -> datetime:
    """Today, or on a day off the working day before: a weekend does not use up Monday's."""
    day = tx.now.astimezone(tx.rules.zone).date()
    while not tx.rules.calendar.is_workday(day):
        day -= DAY
    return datetime.combine(day, time(), tx.rules.zone)
