"""What the platforms still allow, and who is told when it gets tight."""

from collections.abc import Sequence

from cards import dingtalk
from cards.quota import quota_card, tight_card
from handlers.alarms import listeners, tell
from handlers.reply import Reply
from store.db import Tx
from store.domain.alarms import Told
from store.domain.errors import Alarm
from store.domain.quota import ALL_FUNDS, FUNDS, PACES, PAID, Api, Level, Rank, Used
from store.domain.team import Channel, Member, Role
from store.outbox import Due, Put


async def quota(tx: Tx, by: Member, _: str) -> Reply:
    """What has been used of each limit; of those that each account has, by the busiest."""
    return Reply(card=quota_card(await counted(tx)))


async def counted(tx: Tx) -> Sequence[Used]:
    """Every limit of the platforms that are connected: days and months, then minutes."""
    there = {"wecom": tx.rules.wecom, "dingtalk": tx.rules.dingtalk}
    on = [name for name in FUNDS if there[name]]
    funds = [await tx.quota.total(api) for name in on for api in FUNDS[name]]
    paces = [await tx.quota.busiest(api) for name in on for api in PACES[name]]
    return [*funds, *paces]


async def spent(tx: Tx, api: Api) -> None:
    """The platform says that ``api`` is used up, whatever we have counted."""
    await tx.quota.spent(api)
    await tell_if_tight(tx)


async def tell_if_tight(tx: Tx) -> None:
    """The managers: once a day or month for each allowance and each step it gets tighter."""
    totals = await tx.quota.used([(api, "") for api in ALL_FUNDS])
    await begun_anew(tx, [api for (api, _), used in totals.items() if used.level < Level.OVER])
    for (api, _), used in totals.items():
        begun = used.meter.bucket(tx.now)
        if used.level > Level.PLENTY and await tx.ticks.first(f"quota {api} {used.level}", begun):
            await _warn(tx, used)


async def try_again(tx: Tx) -> None:
    """The service starts: more may have been bought, so what waits for the next month tries once."""
    again = [api for api in ALL_FUNDS if await tx.quota.try_again(api)]
    if Api.DINGTALK_CALLS in again:
        await tx.outbox.try_again(sorted(PAID))


async def begun_anew(tx: Tx, apis: Sequence[Api] = ALL_FUNDS) -> None:
    """Of ``apis`` nothing is used up any more. Nobody is called for it at midnight."""
    await tx.alarms.end(*(_alarm_key(api) for api in apis))


async def _warn(tx: Tx, used: Used) -> None:
    """On one card for each, which gets graver. What is used up is an alarm until it begins anew."""
    over = await tx.alarms.sounded(_alarm(used)) if used.level == Level.OVER else None
    begun = used.meter.bucket(tx.now).date()
    people = await tx.members.active(Role.MANAGER, Role.ADMIN)
    told = await listeners(tx, f"quota:{used.meter.api}:{begun}", people)
    await tell(tx, tight_card(used, tx.now, tx.rules.zone), told)
    if over is not None:
        await tx.alarms.told(over.key, told)
        await _call_managers(tx, used, told)


def _alarm(used: Used) -> Alarm:
    """Named after what is used up: ``dingtalk.calls:over``."""
    return Alarm(_alarm_key(used.meter.api), f"{used.meter.name}用完了")


def _alarm_key(api: Api) -> str:
    return f"{api}:over"


async def _call_managers(tx: Tx, used: Used, told: Sequence[Told]) -> None:
    """Whom the robot cannot reach any more is called in the group, where there is one."""
    unheard = [one.account for one in told if one.channel == Channel.DINGTALK]
    if used.meter.api != Api.DINGTALK_CALLS or not unheard or not tx.rules.dingtalk_group:
        return
    names = " ".join(f"@{account}" for account in unheard)
    text = f"{names} {used.meter.name}用完了，卡片发不出去了：换专业版，或等下个月"
    await tx.outbox.put([_in_group(f"quota:group:{tx.now:%Y%m}", text, unheard)])


def _in_group(key: str, text: str, call: Sequence[str]) -> Put:
    return Put(
        key=key[:100],
        channel=Channel.DINGTALK_GROUP,
        account="",
        payload=dingtalk.webhook_text(text, call),
        rank=Rank.MATTERS,
    )


async def elsewhere(tx: Tx, due: Due) -> None:
    """DingTalk's month is over: the group's robot, which has its own, calls the person once an hour.

    Without anything of the customer: a group reads it. What they say to the robot is
    still answered, through its session.
    """
    if due.channel != Channel.DINGTALK or due.rank > Rank.MATTERS or not tx.rules.dingtalk_group:
        return
    text = f"@{due.account} 有新线索等你，钉钉本月的调用用完了：到机器人里发「待看」"
    key = f"nudge:{tx.now:%Y%m%d%H}/{due.account}"
    await tx.outbox.put([_in_group(key, text, [due.account])])
