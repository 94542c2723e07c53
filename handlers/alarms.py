"""What only the admin can mend: who is told, and through which channel that still works."""

from collections.abc import Sequence
from datetime import timedelta

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
    if standing.told_at is None or standing.told_at <= tx.now - ONCE_A:
        people = await tx.members.active(Role.ADMIN) or await tx.members.active(Role.MANAGER)
        told = await listeners(tx, f"alarm:{standing.key}", people)
        await tell(tx, alarm_card(standing, tx.now, tx.rules.zone), told)
        await tx.alarms.told(standing.key, told)


async def over(tx: Tx, prefix: str, account: str = "") -> None:
    """A call under ``prefix`` (``wecom:``) worked for ``account``: what said otherwise is over.

    Cheap while no alarm is on. Whoever was told is told that, on the same card.
    """
    for standing in await tx.alarms.end(prefix, account=account):
        card = over_card(standing, tx.now, tx.rules.zone)
        await tell(tx, card, [_anew(tx, standing, one) for one in standing.told])


async def standing(tx: Tx, by: Member, _: str) -> Reply:
    """What is on now, and since when."""
    return Reply(card=alarms_card(await tx.alarms.on(), tx.now, tx.rules.zone))


async def tell(tx: Tx, card: Card, told: Sequence[Told]) -> None:
    """``card``, with a ring, to each of them."""
    await tx.outbox.put(
        [
            Put(
                key=one.key,
                channel=one.channel,
                account=one.account,
                payload=letter(card) if one.channel == Channel.MAIL else render(card, one.channel),
                ring=True,
                rank=Rank.MATTERS,
            )
            for one in told
        ]
    )


async def listeners(tx: Tx, name: str, people: Sequence[Member]) -> Sequence[Told]:
    """Each by what works now: the other platform, e-mail, and if there is nothing the same.

    The messages are named ``name``.
    """
    broken = {alarm.stops for alarm in await tx.alarms.on()}
    phones = {member.id: _phones(tx, member) for member in people}
    working = {
        member: next((phone for phone in there if not _stopped(phone, broken)), None)
        for member, there in phones.items()
    }
    mails = bool(tx.rules.alarm_mail) and (Channel.MAIL.value, "") not in broken
    told = [
        Told(f"{name}/{member}", *phone, member)
        for member, there in phones.items()
        if there and (phone := working[member] or (None if mails else there[0]))
    ]
    return [*told, _letter_to(tx, name)] if mails and len(told) < max(len(people), 1) else told


def _phones(tx: Tx, member: Member) -> Sequence[tuple[Channel, str]]:
    """Every chat we could have with ``member``, on the platforms that are connected."""
    accounts = (
        (Channel.WECOM, member.wecom, tx.rules.wecom),
        (Channel.DINGTALK, member.dingtalk, tx.rules.dingtalk),
    )
    there = [
        (channel, account) for channel, account, connected in accounts if account and connected
    ]
    return there or ([member.phone] if member.phone else [])


def _stopped(phone: tuple[Channel, str], broken: set[tuple[str, str]]) -> bool:
    channel, account = phone
    return bool({(channel.value, ""), (channel.value, account.lower())} & broken)


def _letter_to(tx: Tx, name: str) -> Told:
    """Each letter is one of its own: a mail server takes two of one key for the same."""
    return Told(f"{name}/{tx.now:%d%H%M%S}", Channel.MAIL, tx.rules.alarm_mail)


def _anew(tx: Tx, standing: Standing, told: Told) -> Told:
    is_letter = told.channel == Channel.MAIL
    return _letter_to(tx, f"alarm:{standing.key}") if is_letter else told
