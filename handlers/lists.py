"""What can be looked at: my leads, today, the pool, one lead, a search, the manual."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from cards.lead import View, detail_text
from cards.lists import PAGE, found_card, mine_card, pool_card, today_card, unseen_card
from cards.own import own_rows
from cards.words import SOURCES, moment
from handlers.announce import show
from handlers.claims import taking
from handlers.leadpage import consents, reading
from handlers.reply import Reply
from store.db import Tx
from store.domain.agenda import in_working_order, rates
from store.domain.errors import BadCommand
from store.domain.lead import KINDS, Lead, LeadId, may_see
from store.domain.masking import sees_whole
from store.domain.team import Member
from store.leads import Past

T = TypeVar("T")
Read = Callable[[int], Awaitable[tuple[Sequence[T], int]]]
YEAR = timedelta(days=365)
"""What a source has come to lately says more than all that it ever has."""
CODES = {label: source for source, label in SOURCES.items()}
"""A source is looked for as the cards call it: 官网."""
LINES = 8
"""The newest lines of a history that a phone screen holds."""


@dataclass(frozen=True, slots=True)
class Page:
    words: str
    number: int = 1

    @property
    def skip(self) -> int:
        # A page with a button to the next one shows one line less.
        return (self.number - 1) * (PAGE - 1)


@dataclass(frozen=True, slots=True)
class Look:
    """A lead by number, or words to search for."""

    lead_id: LeadId | None
    words: str = ""


async def turned(page: Page, read: Read[T]) -> tuple[Sequence[T], int, Page]:
    """What stands on the page and how many there are; behind the last page, the last one."""
    lines, count = await read(page.skip)
    if lines or not count:
        return lines, count, page
    last = Page(page.words, max(1, -(-(count - 1) // (PAGE - 1))))
    return (await read(last.skip))[0], count, last


async def mine(tx: Tx, by: Member, page: Page) -> Reply:
    leads, count, page = await turned(page, lambda skip: tx.leads.mine(by, PAGE, skip))
    view = View(now=tx.now, rules=tx.rules)
    return Reply(card=mine_card(leads, count, page.number, view), private=True)


async def unseen(tx: Tx, by: Member, page: Page) -> Reply:
    """What was only named in a list so far, because too much came at once."""
    leads, count, page = await turned(page, lambda skip: tx.leads.unseen(by, PAGE, skip))
    return Reply(card=unseen_card(leads, count, page.number), private=True)


async def today(tx: Tx, by: Member, _: str) -> Reply:
    leads = await agenda(tx, by)
    return Reply(card=today_card(leads, View(now=tx.now, rules=tx.rules)), private=True)


async def agenda(tx: Tx, by: Member) -> Sequence[Lead]:
    """What is to be done today, the first thing first."""
    local = tx.now.astimezone(tx.rules.zone)
    leads = await tx.leads.today(by, local.replace(hour=23, minute=59, second=59))
    rate = rates(await tx.leads.conversion(tx.now - YEAR)) if leads else {}
    return in_working_order(leads, tx.rules.limits, tx.rules.calendar, rate)


async def pool(tx: Tx, by: Member, page: Page) -> Reply:
    limits = tx.rules.limits
    words = " ".join(CODES.get(word, word) for word in page.words.split())
    leads, count, page = await turned(
        page, lambda skip: tx.leads.pool(by, words, limits, tx.now, (PAGE, skip))
    )
    how = await taking(tx, by, leads)
    return Reply(card=pool_card(leads, count, page.words, page.number, how))


async def look(tx: Tx, by: Member, wanted: Look) -> Reply:
    if wanted.lead_id is None:
        return await _search(tx, by, wanted.words)
    lead = await tx.leads.one(wanted.lead_id)
    if not wanted.words:
        await show(tx, lead, by)
        return Reply()
    own = tuple(f"{name}：{value}" for name, value in own_rows(lead, by, tx.rules.fields))
    told = await _told(tx, by, lead) if may_see(lead, by) else ()
    return Reply(text=detail_text(lead, by, (*own, *told)), private=True)


async def _told(tx: Tx, by: Member, lead: Lead) -> tuple[str, ...]:
    """What the person agreed to, and the newest lines of the history."""
    story = await tx.leads.story(lead.id)
    read = await reading(tx, by, lead, story)
    newest = [_line(tx, lead, past) for past in story[-LINES:]]
    return tuple(read(line) for line in (*await consents(tx, lead.id), *newest))


def _line(tx: Tx, lead: Lead, past: Past) -> str:
    who = past.by.name if past.by else ""
    said = "" if past.text == lead.message else past.text  # it stands above, in full
    words = " ".join(part for part in (who, KINDS[past.kind], said) if part)
    return f"{moment(past.at, tx.now, tx.rules.zone)} {words}"


async def _search(tx: Tx, by: Member, words: str) -> Reply:
    """What the reader may not see whole can only be found by its number."""
    if not words:
        raise BadCommand("找哪一条？发「线索 42」，或「线索 张三」按名字找")
    found = await tx.leads.search(by, words, 50)
    seen = [lead for lead in found if sees_whole(lead, by)]
    return Reply(card=found_card(seen, words), private=True)
