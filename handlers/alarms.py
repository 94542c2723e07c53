"""What only the admin can mend: who is told, and through which channel that still works."""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

from cards import render
from cards.alarms import alarm_card, alarms_card, gone_card, letter, over_card
from cards.model import Card
from handlers.reply import Reply
from store.db import Tx
from store.domain.alarms import Standing, Told
from store.domain.errors import Alarm
from store.domain.quota import Rank
from store.domain.team import Channel, Member, MemberId, Role
from store.outbox import Put

ONCE_A = timedelta(days=1)
"""How long an alarm that stays on is not told again."""
OPTIONAL = frozenset({"wecom", "wecom_group", "aibot", "dingtalk", "dingtalk_group", "mail"})
"""What a configuration can be without."""
SOON = timedelta(hours=1)
"""When it is told again if it has reached nobody."""


async def sound(tx: Tx, alarm: Alarm) -> None:
    """Keep it, and tell the admins (without one the managers): once, and again after a day.

    ``alarm.key`` begins with the channel that does not work (``wecom:60020``); an
    ``@lilei`` at its end says that it does not work for this account alone.
    """
    standing = await tx.alarms.sounded(alarm)
    if standing.told_at is None or standing.told_at <= tx.now - ONCE_A:
        told = await _who_hears(tx, standing)
        await tell(tx, alarm_card(standing, tx.now, tx.rules.zone), told)
        await tx.alarms.told(standing.key, told)


async def astray(tx: Tx, key: str) -> bool:
    """The message ``key`` has not arrived: if it tells an alarm, that goes another way.

    Whether it has gone, and the message is of no use any more.
    """
    standing = await _told_by(tx, key) if key.startswith("alarm:") else None
    if standing is None:
        return False
    ways, rest = await _who_hears(tx, standing), [o for o in standing.told if o.key != key]
    if key in {way.key for way in ways}:
        return False
    new = [way for way in ways if not _is_among(rest, way)]
    await tell(tx, alarm_card(standing, tx.now, tx.rules.zone), new)
    await tx.alarms.told(standing.key, [*rest, *new])
    return True


async def unheard(tx: Tx, key: str) -> None:
    """The message ``key`` is given up: an alarm that nobody else has heard is told again soon."""
    if await astray(tx, key) or not key.startswith("alarm:"):
        return
    standing = await _told_by(tx, key)
    if standing is not None and len(standing.told) == 1:
        await tx.alarms.told_again(standing.key, tx.now - ONCE_A + SOON)


async def _told_by(tx: Tx, key: str) -> Standing | None:
    on = await tx.alarms.on()
    return next((one for one in on if key in {told.key for told in one.told}), None)


def _is_among(told: Sequence[Told], way: Told) -> bool:
    """Letters have keys of their own, each."""
    letters = way.channel == Channel.MAIL and any(o.channel == Channel.MAIL for o in told)
    return letters or way.key in {one.key for one in told}


async def _who_hears(tx: Tx, standing: Standing) -> Sequence[Told]:
    admins, managers = [await tx.members.active(role) for role in (Role.ADMIN, Role.MANAGER)]
    return await listeners(tx, f"alarm:{standing.key}", admins or managers, managers)


async def over(tx: Tx, prefix: str, account: str = "") -> None:
    """A call under ``prefix`` (``wecom:``) worked for ``account``: what said otherwise is over.

    Cheap while no alarm is on. Whoever was told is told that, on the same card.
    """
    for standing in await tx.alarms.end(prefix, account=account):
        card = over_card(standing, tx.now, tx.rules.zone)
        await tell(tx, card, [_anew(tx, standing, one) for one in standing.told])


async def outlived(tx: Tx, channels: Collection[str] = OPTIONAL) -> None:
    """The configuration or the team has changed: what is about nobody and nothing now is over.

    ``channels``: those that are configured (``wecom_group``), without their sides.
    """
    members = await tx.members.active()
    accounts = {(Channel.WECOM.value, (one.wecom or "").lower()) for one in members}
    accounts |= {(Channel.DINGTALK.value, (one.dingtalk or "").lower()) for one in members}
    for standing in await tx.alarms.on():
        if standing.is_of(OPTIONAL - {*channels}) or standing.is_of_a_stranger(accounts):
            await tx.alarms.drop(standing.key)
            card = gone_card(standing, tx.now, tx.rules.zone)
            here = {one.id for one in members} | {None}
            heard = [one for one in standing.told if one.member_id in here]
            await tell(tx, card, [_anew(tx, standing, one) for one in heard])


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


async def listeners(
    tx: Tx, name: str, people: Sequence[Member], others: Sequence[Member] = ()
) -> Sequence[Told]:
    """Each by what works now: the other platform, e-mail; if nothing does, the ``others``.

    What does not work is tried only when nobody can be reached. The messages are named ``name``.
    """
    ways = {one.id: _ways(tx, name, one) for one in [*people, *others]}
    broken = {alarm.stops for alarm in await tx.alarms.on()}
    works = await _working(tx, ways, broken)
    told = [works[one.id] for one in people if one.id in works]
    if tx.rules.alarm_mail and (Channel.MAIL.value, "") not in broken:
        heard = len(told) >= max(len(people), 1)
        return told if heard else [*told, _letter_to(tx, name)]
    told = told or [works[one.id] for one in others if one.id in works]
    return told or [ways[one.id][0] for one in people if ways[one.id]]


def _ways(tx: Tx, name: str, member: Member) -> Sequence[Told]:
    """Every chat we could have with ``member``, on the platforms that are connected.

    A message of each: what is on one phone cannot move to another.
    """
    accounts = (
        (Channel.WECOM, member.wecom, tx.rules.wecom),
        (Channel.DINGTALK, member.dingtalk, tx.rules.dingtalk),
    )
    there = [
        (channel, account) for channel, account, connected in accounts if account and connected
    ]
    phones = there or ([member.phone] if member.phone else [])
    return [Told(f"{name}/{member.id}{c[0]}", c, account, member.id) for c, account in phones]


async def _working(
    tx: Tx, ways: Mapping[MemberId, Sequence[Told]], broken: Collection[tuple[str, str]]
) -> Mapping[MemberId, Told]:
    """The first way of each member that is not known to lead nowhere."""
    keys = [way.key for each in ways.values() for way in each]
    lost = await tx.outbox.given_up(keys, ONCE_A)
    works = {
        member: [way for way in each if way.key not in lost and not _stopped(way, broken)]
        for member, each in ways.items()
    }
    return {member: each[0] for member, each in works.items() if each}


def _stopped(way: Told, broken: Collection[tuple[str, str]]) -> bool:
    phone = (way.channel.value, way.account.lower())
    return phone in broken or (way.channel.value, "") in broken


def _letter_to(tx: Tx, name: str) -> Told:
    """Each letter is one of its own: a mail server takes two of one key for the same."""
    return Told(f"{name}/{tx.now:%d%H%M%S}", Channel.MAIL, tx.rules.alarm_mail)


def _anew(tx: Tx, standing: Standing, told: Told) -> Told:
    is_letter = told.channel == Channel.MAIL
    return _letter_to(tx, f"alarm:{standing.key}") if is_letter else told
