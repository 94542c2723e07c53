"""
Who may have what lies in a pool, and who may read it, after behaviour.md and not after the code.

Everything is worked out from the histories: what somebody had, claimed today, was asked to grab.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote

from store.domain.lead import Kind, Lead, Stage
from store.domain.team import Member, off_duty
from tests.scenarios.company import (
    COMPANIES,
    DAILY_CLAIMS,
    MINUTES_FRESH,
    NAMES,
    OTHER_NAMES,
    PEOPLE,
    mailbox,
    phone,
    pool_of,
)
from tests.scenarios.folded import Book, Step, reads
from tests.scenarios.promised import ZONE

COOLDOWN = timedelta(days=7)
FRESH = timedelta(minutes=MINUTES_FRESH)
PARTING = frozenset({Kind.RELEASED, Kind.RETURNED, Kind.RECLAIMED, Kind.LEFT, Kind.TRANSFERRED})
"""How somebody ceases to have a lead that was theirs."""
SECRETS = (
    *(word for word in (*NAMES, *OTHER_NAMES, *COMPANIES) if word),
    *(say(who) for who in range(PEOPLE) for say in (phone, mailbox)),
)
"""All that says who somebody is, or how to reach them."""


# -- claims ----------------------------------------------------------------------------


def takes(
    book: Book, leads: Mapping[int, Lead], by: Member, ids: Iterable[int], now: datetime
) -> set[int]:
    """Which of ``ids`` are theirs, if they claim them in this order."""
    got: set[int] = set()
    room = by.capacity - sum(
        told[-1].after.open and told[-1].after.owner == by.id for told in book.steps.values()
    )
    left = DAILY_CLAIMS - claims_of(book, by.id, now)
    for number in ids:
        if number in leads and len(got) < min(room, left) and free(book, leads[number], by, now):
            got.add(number)
    return got


def claims_of(book: Book, member: int, now: datetime) -> int:
    """How many they have claimed on this local day, whatever became of them."""
    day = now.astimezone(ZONE).date()
    return sum(
        step.line.kind == Kind.CLAIMED
        and step.line.by_id == member
        and step.line.at.astimezone(ZONE).date() == day
        for told in book.steps.values()
        for step in told
    )


def free(book: Book, lead: Lead, by: Member, now: datetime) -> bool:
    """Whether ``by`` may claim it, as far as the lead and its pool go."""
    told = book.now(lead.id)
    there = told.owner is None and told.place == "pool" and told.open and not told.hold
    if not there or by.name not in pool_of(lead, [by]).claim or off_duty(by, now):
        return False
    if told.grab:
        last = next(s.line for s in reversed(book.steps[lead.id]) if s.line.kind == Kind.GRAB)
        if not last.data.get("open"):
            return by.id in last.data["grab"]
    elif told.placed_at + FRESH > now:
        return False
    return not had_it(book, lead.id, by.id, now)


def had_it(book: Book, lead_id: int, member: int, now: datetime) -> bool:
    """Whether it was theirs in the last days, or what went into it was."""
    return any(at > now - COOLDOWN for at in partings(book, lead_id, member))


def partings(book: Book, lead_id: int, member: int) -> Sequence[datetime]:
    """Each time they ceased to have it, or what went into it."""
    return [
        step.line.at
        for number in _family(book, lead_id)
        for step in book.steps[number]
        if _parts(step, member)
    ]


def _parts(step: Step, member: int) -> bool:
    was = step.before
    if was is None or was.owner != member:
        return False
    declined = step.line.kind == Kind.DECLINED and was.accepted_at is not None
    return declined or step.line.kind in PARTING


def _family(book: Book, lead_id: int) -> Iterator[int]:
    yield lead_id
    for number, told in book.steps.items():
        if told[-1].after.stage == Stage.MERGED and into(told) == lead_id:
            yield from _family(book, number)


def into(told: Sequence[Step]) -> int:
    """Where a lead that was merged went."""
    return next(s.line.data["into"] for s in reversed(told) if "into" in s.line.data)


# -- secrets ---------------------------------------------------------------------------


def found_in(said: Any) -> Sequence[str]:
    """The secrets that stand in a message."""
    text = unquote(str(said))
    return [word for word in SECRETS if word in text]


def named_in(lead: Lead) -> set[str]:
    """The secrets of the lead as it is kept, those in somebody's words as well."""
    kept = (lead.name, lead.company, lead.phone, lead.email, lead.wechat)
    words = (*kept, lead.message, lead.title, lead.product, str(lead.fields))
    return set(found_in(" ".join(words)))


def may_read(book: Book, about: Iterable[int], reader: Member, lately: Mapping[int, int]) -> bool:
    """Whether one of the leads that a secret is ``about`` is theirs to read.

    ``lately``: with how many of its last states each lead still counts, besides the newest.
    """
    return any(
        reads(reader, step.after)
        for lead_id in about
        for step in book.steps[lead_id][-1 - lately.get(lead_id, 0) :]
    )
