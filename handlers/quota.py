"""What the platforms still allow, and who is told when it gets tight."""

from collections.abc import AsyncIterator, Sequence

from cards import dingtalk, render
from cards.quota import quota_card, tight_card
from handlers.reply import Reply
from store.db import Tx
from store.domain.quota import Api, Level, Rank, Used
from store.domain.team import Channel, Member, Role
from store.outbox import Due, Put

FUNDS = {
    "wecom": (Api.WECOM_APP,),
    "dingtalk": (Api.DINGTALK_CALLS, Api.DINGTALK_PUSHES),
}
"""The allowances of a day or a month."""
PACES = {
    "wecom": (Api.WECOM_MEMBER, Api.WECOM_ROBOT),
    "dingtalk": (Api.DINGTALK_MEMBER, Api.DINGTALK_ROBOT),
}


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


async def tell_if_tight(tx: Tx) -> None:
    """The managers, once a day or month for each allowance."""
    for api in (api for apis in FUNDS.values() for api in apis):
        used = await tx.quota.total(api)
        begun = used.meter.bucket(tx.now)
        if used.level > Level.PLENTY and await tx.ticks.first(f"quota {api}", begun):
            await tx.outbox.put([put async for put in _warnings(tx, used)])


async def _warnings(tx: Tx, used: Used) -> AsyncIterator[Put]:
    card = tight_card(used, tx.now, tx.rules.zone)
    begun = used.meter.bucket(tx.now).date()
    for manager in await tx.members.active(Role.MANAGER, Role.ADMIN):
        if manager.phone is None:
            continue
        channel, account = manager.phone
        yield Put(
            key=f"quota:{used.meter.api}:{begun}/{manager.id}",
            channel=channel,
            account=account,
            payload=render(card, channel),
            ring=True,
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
    await tx.outbox.put(
        [
            Put(
                key=f"nudge:{tx.now:%Y%m%d%H}/{due.account}"[:100],
                channel=Channel.DINGTALK_GROUP,
                account="",
                payload=dingtalk.webhook_text(text, [due.account]),
                rank=Rank.MATTERS,
            )
        ]
    )
