"""
Who may send now: asked in the transaction that leases, so that no two processes overdraw.

What goes out is counted before it is sent, and given back only when it turns out to
have been no message: too careful by a message after a crash, never one too many.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from handlers import quota
from handlers.announce import list_puts
from store.db import Tx
from store.domain.quota import (
    ALL_FUNDS,
    Api,
    Level,
    Rank,
    Used,
    Verdict,
    Wish,
    decide,
    limited_by,
    paid_from,
)
from store.domain.team import Channel
from store.outbox import Due
from store.quota import Line

ROBOTS = {Api.WECOM_ROBOT, Api.DINGTALK_ROBOT}
MINUTE = timedelta(minutes=1)
InPlace = Callable[[Due], bool]
"""Whether showing it changes a message that is there, and is no new one."""
Phone = tuple[Channel, str]


async def admitted(tx: Tx, dues: Sequence[Due], in_place: InPlace) -> Sequence[Due]:
    """Those of the leased ``dues`` that go out now, counted.

    The others wait for room, are named in a list instead, or are let go.
    """
    if not any(limited_by(*phone_of(due)) or paid_from(*phone_of(due)) for due in dues):
        return dues
    gate = await _Gate.open(tx, dues, in_place)
    verdicts = [(due, gate.judge(due)) for due in dues]
    await tx.quota.add(gate.spent)
    await _settle(tx, gate, verdicts)
    await (quota.tell_if_tight(tx) if gate.tight else quota.begun_anew(tx))
    go = {Verdict.GO, Verdict.SILENT}
    return [
        replace(
            due,
            ring=due.ring and verdict == Verdict.GO,
            counted_at=tx.now if gate.counts(due, verdict) else None,
        )
        for due, verdict in verdicts
        if verdict in go
    ]


async def arrived(tx: Tx, due: Due) -> None:
    """It was counted when it set out; it may have taken its time."""
    if due.counted_at is not None:
        await tx.quota.shift(lines_of(due), due.counted_at)


async def not_sent(tx: Tx, due: Due) -> None:
    """It was counted when it set out, and was no message."""
    if due.counted_at is not None:
        await tx.quota.give_back(lines_of(due), due.counted_at)


async def refused(tx: Tx, due: Due, after: timedelta, *, spent: bool) -> None:
    """The platform said how long to wait: a robot's whole group waits, not one message of it.

    ``spent``: the month is over, so somebody is told another way.
    """
    channel, account = phone_of(due)
    if ROBOTS & {*limited_by(channel, account)} and after >= MINUTE:
        await tx.quota.block(f"{channel}:{account}", tx.now + after)
    if spent:
        fund = paid_from(channel, account)
        if fund is not None:
            await quota.spent(tx, fund)
        await quota.elsewhere(tx, due)


def phone_of(due: Due) -> Phone:
    return due.channel, due.account.lower()


@dataclass(slots=True)
class _Gate:
    """What each phone has used so far, growing while the rows are judged one by one."""

    now: datetime
    in_place: InPlace
    used: dict[Line, Used]
    levels: Mapping[Api, Level]
    blocked: Mapping[str, datetime]
    spent: Counter[Line]

    @classmethod
    async def open(cls, tx: Tx, dues: Sequence[Due], in_place: InPlace) -> "_Gate":
        phones = {phone_of(due) for due in dues}
        lines = [
            (api, account) for channel, account in phones for api in limited_by(channel, account)
        ]
        used = await tx.quota.used([*lines, *((fund, "") for fund in ALL_FUNDS)])
        return cls(
            now=tx.now,
            in_place=in_place,
            used=dict(used),
            levels={fund: used[fund, ""].level for fund in ALL_FUNDS},
            blocked=await tx.quota.blocked([f"{c}:{a}" for c, a in phones]),
            spent=Counter(),
        )

    @property
    def tight(self) -> bool:
        """Of anything: what is due now need not be what has become tight."""
        return max(self.levels.values(), default=Level.PLENTY) > Level.PLENTY

    def judge(self, due: Due) -> Verdict:
        if self.blocked_until(due) is not None:
            return Verdict.WAIT
        wish = self._wish(due)
        verdict = decide(wish, self._level(due), self._limits(due))
        if verdict == Verdict.DROP and due.channel == Channel.DINGTALK_TODO and due.ref:
            return Verdict.WAIT  # an entry that is there is ticked off one day
        if self.counts(due, verdict):
            self._spend(due)
        return verdict

    def _level(self, due: Due) -> Level:
        fund = paid_from(*phone_of(due))
        return self.levels[fund] if fund else Level.PLENTY

    def counts(self, due: Due, verdict: Verdict) -> bool:
        return verdict == Verdict.GO and not self.in_place(due)

    def blocked_until(self, due: Due) -> datetime | None:
        return self.blocked.get(":".join(phone_of(due)))

    def room_at(self, due: Due) -> datetime:
        """When to look again; a moment after now at the least."""
        until = [one.room_at(self.now) for one in self._limits(due)]
        fund = paid_from(*phone_of(due))
        if fund and due.channel == Channel.DINGTALK_TODO:
            until.append(self.used[fund, ""].meter.ends(self.now))
        return max([*until, self.blocked_until(due) or self.now])

    def _wish(self, due: Due) -> Wish:
        message = not self.in_place(due)
        return Wish(
            rank=due.rank,
            message=message,
            # DingTalk counts calls, and a change is one, too.
            costs=message or due.channel == Channel.DINGTALK,
            silently=self.in_place(replace(due, ring=False)),
            listable=_listable(due),
        )

    def _limits(self, due: Due) -> list[Used]:
        channel, account = phone_of(due)
        return [self.used[api, account] for api in limited_by(channel, account)]

    def _spend(self, due: Due) -> None:
        for line in lines_of(due):
            self.spent[line] += 1
            if line in self.used:
                self.used[line] = self.used[line].plus(self.now)


def lines_of(due: Due) -> list[Line]:
    """Where a message of ``due`` is counted. DingTalk's month is counted by its client."""
    channel, account = phone_of(due)
    lines: list[Line] = [(api, account) for api in limited_by(channel, account)]
    return [*lines, (Api.WECOM_APP, "")] if channel == Channel.WECOM else lines


def _listable(due: Due) -> bool:
    """A card of a lead that is news; what was asked for comes itself, if a little later."""
    news = due.ring or due.ref is None
    return (
        due.key.startswith("lead:")
        and due.member_id is not None
        and due.rank != Rank.ASKED
        and news
    )


async def _settle(tx: Tx, gate: _Gate, verdicts: Sequence[tuple[Due, Verdict]]) -> None:
    by: dict[Verdict, list[Due]] = {verdict: [] for verdict in Verdict}
    for due, verdict in verdicts:
        by[verdict].append(due)
    for due in by[Verdict.WAIT]:
        await tx.outbox.wait([due], gate.room_at(due))
    await tx.outbox.let_go(by[Verdict.DROP])
    await tx.outbox.name_in_list(by[Verdict.LIST])
    listed = [*by[Verdict.LIST], *by[Verdict.SILENT]]
    if by[Verdict.SILENT]:
        await tx.outbox.ring_in_list(by[Verdict.SILENT])
    if listed:
        readers = {due.member_id for due in listed if due.member_id is not None}
        await tx.outbox.put(await list_puts(tx, sorted(readers)))
