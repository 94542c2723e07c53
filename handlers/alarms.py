"""What only the admin can mend: who is told, and through which channel that still works."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from cards import render
from cards.alarms import alarm_card, alarms_card, letter, over_card
from cards.model import Card
from handlers.reply import Reply
from store.db import Tx
from store.domain.alarms import Standing, Told
from store.domain.errors import Alarm
from store.domain.quota import Rank
from store.domain.team import Channel, Member, Role
from store.outbox import Put

ONCE_A = timedelta(days=1)
"""How long an alarm that stays on is not told again."""


async def sound(tx: Tx, alarm: Alarm) -> None:
    """Keep it, and tell the admins (without one the managers): once, and again after a day.

    ``alarm.key`` begins with the channel that does not work (``wecom:60020``); an
    ``@lilei`` at its end says that it does not work for this account alone.
    """
    standing = await tx.alarms.sounded(alarm)
    first = standing.told_at is None or standing.told_at <= tx.now - ONCE_A
    if first:
        told = await _listeners(tx, standing)
        await tx.outbox.put(_puts(told, alarm_card(standing, tx.now, tx.rules.zone), ring=True))
        await tx.alarms.told(standing.key, told)


async def over(tx: Tx, prefix: str, account: str = "") -> None:
    """A call under ``prefix`` (``wecom:``) worked for ``account``: what said otherwise is over.

    Cheap while no alarm is on. Whoever was told is told that, on the same card.
    """
    for standing in await tx.alarms.end(prefix, account):
        card = over_card(standing, tx.now, tx.rules.zone)
        told = [_anew(tx, standing, one) for one in standing.told]
        await tx.outbox.put(_puts(told, card, ring=True))


async def standing(tx: Tx, by: Member, _: str) -> Reply:
    """What is on now, and since when."""
    return Reply(card=alarms_card(await tx.alarms.on(), tx.now, tx.rules.zone))


async def _listeners(tx: Tx, standing: Standing) -> Sequence[Told]:
    """Each by what still works: the other platform, e-mail, and if there is nothing the same."""
    broken = {(one.channel, one.account.lower()) for one in [*await tx.alarms.on(), standing]}
    people = await tx.members.active(Role.ADMIN) or await tx.members.active(Role.MANAGER)
    ways = {member.id: _way(tx, member, broken) for member in people}
    told = [
        Told(f"alarm:{standing.key}/{member}", *way, member)
        for member, (way, works) in ways.items()
        if way is not None and (works or not _mails(tx, broken))
    ]
    unheard = len(told) < len(ways) or not ways
    return [*told, _letter_to(tx, standing)] if unheard and _mails(tx, broken) else told


def _way(
    tx: Tx, member: Member, broken: set[tuple[str, str]]
) -> tuple[tuple[Channel, str] | None, bool]:
    """Where to tell ``member``, and whether that works."""
    there = {Channel.WECOM: tx.rules.wecom, Channel.DINGTALK: tx.rules.dingtalk}
    phones = [
        (channel, account)
        for channel, account in (
            (Channel.WECOM, member.wecom),
            (Channel.DINGTALK, member.dingtalk),
        )
        if account and there[channel]
    ]
    works = [
        (channel, account)
        for channel, account in phones
        if not {(channel.value, ""), (channel.value, account.lower())} & broken
    ]
    return next(iter([*works, *phones]), member.phone), bool(works)


def _mails(tx: Tx, broken: set[tuple[str, str]]) -> bool:
    return bool(tx.rules.alarm_mail) and (Channel.MAIL.value, "") not in broken


def _letter_to(tx: Tx, standing: Standing) -> Told:
    return Told(_letter_key(tx, standing), Channel.MAIL, tx.rules.alarm_mail)


def _letter_key(tx: Tx, standing: Standing) -> str:
    """Each letter is one of its own: a mail server takes two of one key for the same."""
    return f"alarm:{standing.key}/{tx.now:%d%H%M%S}"


def _anew(tx: Tx, standing: Standing, told: Told) -> Told:
    return _letter_to(tx, standing) if told.channel == Channel.MAIL else told


def _puts(told: Sequence[Told], card: Card, *, ring: bool) -> Sequence[Put]:
    return [
        Put(
            key=one.key,
            channel=one.channel,
            account=one.account,
            payload=_payload(card, one.channel),
            ring=ring,
            rank=Rank.MATTERS,
        )
        for one in told
    ]


def _payload(card: Card, channel: Channel) -> dict[str, Any]:
    return letter(card) if channel == Channel.MAIL else render(card, channel)
