"""
What the platforms allow, and what goes first when it gets tight.

WeCom drops a member's 31st message of a minute without a word (D:90236), and
DingTalk's month is over after 5,000 calls (D:how-to-process-api-throttling-…).
Nothing here counts or sends: counters in, verdicts out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from enum import IntEnum, StrEnum

from store.domain.team import Channel

CHINA = timezone(timedelta(hours=8))
"""Both platforms count their days and months there, whatever zone the team works in."""
TIGHT_FROM, CRITICAL_FROM, OVER_FROM = 0.80, 0.95, 1.0


class Rank(IntEnum):
    """What matters most comes first."""

    MATTERS = 0  # a lead for somebody, a call for the manager, a warning
    ASKED = 1  # what the reader has just done or asked for
    TOLD = 2  # reminders, lists
    KEPT = 3  # a silent change of the owner's card
    QUIET = 4  # a silent change of somebody else's
    EXTRA = 5  # digests and their pictures


class Level(IntEnum):
    """How much of a day or a month is left."""

    PLENTY = 0
    TIGHT = 1
    CRITICAL = 2
    OVER = 3


class Api(StrEnum):
    """What is counted."""

    WECOM_MEMBER = "wecom.member"
    WECOM_HOUR = "wecom.hour"
    WECOM_APP = "wecom.app"
    WECOM_ROBOT = "wecom.robot"
    WECOM_MASS = "wecom.mass"
    AIBOT_MINUTE = "wecom.aibot"
    AIBOT_HOUR = "wecom.aibot_hour"
    DINGTALK_MEMBER = "dingtalk.member"
    DINGTALK_ROBOT = "dingtalk.robot"
    DINGTALK_CALLS = "dingtalk.calls"
    DINGTALK_PUSHES = "dingtalk.pushes"


class Span(StrEnum):
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


SLIDING = {
    Span.MINUTE: (timedelta(minutes=1), timedelta(seconds=10)),
    Span.HOUR: (timedelta(hours=1), timedelta(minutes=5)),
}
"""How far back is counted, and how fine. A platform's minute may begin at any second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """``allowed`` is the platform's number, ``most`` what we use of it.

    ``each``: counted for every account on its own. ``alone``: above so many, cards
    of leads become one list and the rest is kept for answers.
    """

    api: Api
    name: str
    span: Span
    allowed: int
    most: int
    each: bool = False
    alone: int = 0

    @property
    def sliding(self) -> bool:
        return self.span in SLIDING

    def bucket(self, at: datetime) -> datetime:
        """The beginning of the stretch that ``at`` is counted in."""
        if self.sliding:
            step = SLIDING[self.span][1].total_seconds()
            return datetime.fromtimestamp(at.timestamp() // step * step, at.tzinfo)
        local = at.astimezone(CHINA).replace(hour=0, minute=0, second=0, microsecond=0)
        return (local if self.span == Span.DAY else local.replace(day=1)).astimezone(at.tzinfo)

    def since(self, now: datetime) -> datetime:
        """The first bucket that counts now; one that began earlier may still reach into it."""
        return self.bucket(now - SLIDING[self.span][0] if self.sliding else now)

    def ends(self, now: datetime) -> datetime:
        """When the day or month begins anew."""
        later = timedelta(days=1 if self.span == Span.DAY else 32)
        return self.bucket(self.bucket(now) + later)


EDITIONS = {"standard": (5_000, 3_000), "professional": (200_000, 50_000)}
"""DingTalk's calls and pushes a month (D:notice-on-the-equity-adjustment…, 2025-11-19)."""
PER_ACCOUNT = 200
"""WeCom: messages a day by one app for each account of the corp (D:90236)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What the configuration says about our accounts; the defaults are the smallest there are."""

    wecom_accounts: int = 1
    wecom_mass_per_day: int = 1
    dingtalk_calls: int = EDITIONS["standard"][0]
    dingtalk_pushes: int = EDITIONS["standard"][1]
    dingtalk_per_minute: int = 20  # to one person: refused above a number DingTalk does not tell


def meters(allowance: Allowance) -> Mapping[Api, Meter]:
    """Every limit in one table. ``most`` keeps a distance from the limits that say nothing."""
    minute = allowance.dingtalk_per_minute
    day = allowance.wecom_accounts * PER_ACCOUNT
    calls, pushes = allowance.dingtalk_calls, allowance.dingtalk_pushes
    mass = allowance.wecom_mass_per_day
    table = (
        Meter(api=Api.WECOM_MEMBER, name="企业微信每人每分钟", span=Span.MINUTE,
              allowed=30, most=24, alone=15, each=True),
        Meter(api=Api.WECOM_HOUR, name="企业微信每人每小时", span=Span.HOUR,
              allowed=1000, most=900, each=True),
        Meter(api=Api.WECOM_APP, name="企业微信今日消息", span=Span.DAY, allowed=day, most=day),
        Meter(api=Api.WECOM_ROBOT, name="企业微信群机器人每分钟", span=Span.MINUTE,
              allowed=20, most=18, each=True),
        Meter(api=Api.WECOM_MASS, name="每位客户每天群发", span=Span.DAY,
              allowed=mass, most=mass, each=True),
        Meter(api=Api.AIBOT_MINUTE, name="智能机器人每会话每分钟", span=Span.MINUTE,
              allowed=30, most=24, each=True),
        Meter(api=Api.AIBOT_HOUR, name="智能机器人每会话每小时", span=Span.HOUR,
              allowed=1000, most=900, each=True),
        Meter(api=Api.DINGTALK_MEMBER, name="钉钉每人每分钟", span=Span.MINUTE,
              allowed=minute, most=minute, alone=max(minute * 3 // 5, 1), each=True),
        Meter(api=Api.DINGTALK_ROBOT, name="钉钉群机器人每分钟", span=Span.MINUTE,
              allowed=20, most=18, each=True),
        Meter(api=Api.DINGTALK_CALLS, name="钉钉本月调用", span=Span.MONTH,
              allowed=calls, most=calls),
        Meter(api=Api.DINGTALK_PUSHES, name="钉钉本月推送", span=Span.MONTH,
              allowed=pushes, most=pushes),
    )  # fmt: skip
    return {meter.api: meter for meter in table}


METERS = meters(Allowance())


@dataclass(frozen=True, slots=True)
class Used:
    """What one account has used of a meter: how many in which stretch, oldest first.

    ``over``: the platform itself said that there is no more, whatever was counted.
    """

    meter: Meter
    buckets: Sequence[tuple[datetime, int]] = ()
    over: bool = False

    @property
    def count(self) -> int:
        return sum(count for _, count in self.buckets)

    @property
    def left(self) -> int:
        return max(self.meter.most - self.count, 0)

    @property
    def level(self) -> Level:
        """Of a day or a month; a minute is over too soon to be tight."""
        if self.meter.sliding or self.meter.each:
            return Level.PLENTY
        share = self.count / max(self.meter.allowed, 1)
        steps = (
            (OVER_FROM, Level.OVER),
            (CRITICAL_FROM, Level.CRITICAL),
            (TIGHT_FROM, Level.TIGHT),
        )
        counted = next((level for least, level in steps if share >= least), Level.PLENTY)
        return Level.OVER if self.over else counted

    def plus(self, now: datetime, count: int = 1) -> "Used":
        return replace(self, buckets=(*self.buckets, (self.meter.bucket(now), count)))

    def room_at(self, now: datetime) -> datetime:
        """When one more fits: now, when enough of the minute has passed, or the next day."""
        if self.left > 0:
            return now
        if not self.meter.sliding:
            return self.meter.ends(now)
        excess = self.count - self.meter.most + 1
        window, step = SLIDING[self.meter.span]
        for at, count in sorted(self.buckets):
            excess -= count
            if excess <= 0:
                return at + window + step
        return now + window + step


# -- verdicts ------------------------------------------------------------------


class Verdict(StrEnum):
    GO = "go"
    SILENT = "silent"  # change the card that is there, and name it in a list
    LIST = "list"  # no card of its own: name it in a list
    WAIT = "wait"
    DROP = "drop"  # not worth what is left


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A message that is due. ``message``: a new one, which counts; else a change in place.

    ``costs``: it uses up the day or the month. ``silently``: it could be a change in
    place. ``listable``: a list can stand for it.
    """

    rank: Rank
    message: bool
    costs: bool = True
    silently: bool = False
    listable: bool = False


STOPPED: Mapping[Level, frozenset[Rank]] = {
    Level.PLENTY: frozenset(),
    # Bystanders' cards are no longer rewritten: who presses one is told the truth.
    Level.TIGHT: frozenset({Rank.QUIET}),
    Level.CRITICAL: frozenset({Rank.KEPT, Rank.QUIET, Rank.EXTRA}),
    # What matters is tried all the same: our count may be wrong, and a refused call is free.
    Level.OVER: frozenset({Rank.KEPT, Rank.QUIET, Rank.EXTRA}),
}
"""What no longer goes out. Reminders merge and digests shrink before, where they are made."""


def decide(wish: Wish, level: Level, used: Sequence[Used]) -> Verdict:
    """What becomes of ``wish`` for a phone that has ``used`` so much of what limits it."""
    if wish.costs and wish.rank in STOPPED[level]:
        return Verdict.DROP
    if not wish.message:
        return Verdict.GO
    alone = all(u.count < u.meter.alone for u in used if u.meter.alone)
    if all(u.left for u in used) and (alone or not wish.listable):
        return Verdict.GO
    if not wish.listable:
        return Verdict.WAIT
    return Verdict.SILENT if wish.silently else Verdict.LIST


LIMITED: Mapping[Channel, tuple[Api, ...]] = {
    Channel.WECOM: (Api.WECOM_MEMBER, Api.WECOM_HOUR),
    Channel.WECOM_GROUP: (Api.WECOM_ROBOT,),
    Channel.WECOM_MASS: (Api.WECOM_MASS,),
    Channel.DINGTALK: (Api.DINGTALK_MEMBER,),
}
"""What limits each account of a channel."""


def limited_by(channel: Channel, account: str) -> tuple[Api, ...]:
    """The limits of one phone or group. Only DingTalk's own webhook is a robot with a limit."""
    if channel == Channel.DINGTALK_GROUP and not account:
        return (Api.DINGTALK_ROBOT,)
    return LIMITED.get(channel, ())


PAID = {
    Channel.DINGTALK, Channel.DINGTALK_GROUP, Channel.DINGTALK_TODO, Channel.DINGTALK_FORM,
}  # fmt: skip
FUNDS: Mapping[str, tuple[Api, ...]] = {
    "wecom": (Api.WECOM_APP,),
    "dingtalk": (Api.DINGTALK_CALLS, Api.DINGTALK_PUSHES),
}
"""The allowances of a day or a month."""
ALL_FUNDS = tuple(api for apis in FUNDS.values() for api in apis)
PACES: Mapping[str, tuple[Api, ...]] = {
    "wecom": (
        Api.WECOM_MEMBER, Api.WECOM_HOUR, Api.WECOM_ROBOT, Api.WECOM_MASS,
        Api.AIBOT_MINUTE, Api.AIBOT_HOUR,
    ),
    "dingtalk": (Api.DINGTALK_MEMBER, Api.DINGTALK_ROBOT),
}  # fmt: skip
"""What each account, group or customer has of its own."""


def paid_from(channel: Channel, account: str) -> Api | None:
    """The day's or month's allowance that a message of this channel uses up."""
    if channel == Channel.WECOM:
        return Api.WECOM_APP
    if channel == Channel.DINGTALK_GROUP and not account:
        return Api.DINGTALK_PUSHES
    return Api.DINGTALK_CALLS if channel in PAID else None
