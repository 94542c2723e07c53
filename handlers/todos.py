"""Reminders that also stand in DingTalk's to-do list, until the lead is worked on or moves on."""

from collections.abc import Sequence

from store.db import Tx
from store.domain.lead import Kind, Lead
from store.domain.quota import Rank
from store.domain.team import Channel, Member
from store.outbox import Put
from store.reminders import Reminder

SETTLES = frozenset(
    {
        Kind.FOLLOWED, Kind.WON, Kind.LOST, Kind.INVALID, Kind.RETURNED, Kind.RELEASED,
        Kind.RECLAIMED, Kind.LEFT, Kind.IDLE, Kind.TRANSFERRED, Kind.DECLINED, Kind.LAPSED,
        Kind.ASSIGNED, Kind.CLAIMED, Kind.REMINDER, Kind.MERGED, Kind.SPLIT,
        Kind.STAGE, Kind.CORRECTED, Kind.UNDONE, Kind.DATED, Kind.OPTED_OUT,
    }
)  # fmt: skip
"""After these it is looked what is still to be done. A reminder that rang is: nobody called yet."""


async def settle(tx: Tx, lead: Lead) -> None:
    """An entry for each reminder still to come; what is no longer to be done is ticked off."""
    if not tx.rules.todo:
        return
    team = await tx.members.all()
    coming = [r for r in await tx.reminders.of(lead.id) if r.stands(lead)] if lead.open else ()
    puts = [_put(tx, lead, reminder, team.get(reminder.member_id)) for reminder in coming]
    wanted = {put.key: put for put in puts if put is not None}
    there = await tx.outbox.of_lead(lead.id, Channel.DINGTALK_TODO)
    over = [_ticked(put) for put in there if put.key not in wanted and not put.payload["done"]]
    await tx.outbox.put([*wanted.values(), *over])


async def settle_all(tx: Tx, changed: Sequence[tuple[Lead, Kind]]) -> None:
    """``settle`` for those of the leads that something happened to which matters here."""
    for lead in {lead.id: lead for lead, kind in changed if kind in SETTLES}.values():
        await settle(tx, lead)


def _put(tx: Tx, lead: Lead, reminder: Reminder, member: Member | None) -> Put | None:
    if member is None or not member.active or not member.dingtalk:
        return None
    payload = {
        "subject": " ".join(part for part in (f"#{lead.id}", lead.name, reminder.text) if part),
        "due": reminder.due_at.isoformat(),
        # Mandatory since 2024-02-01 (D:add-dingtalk-to-do-task): pressing the entry goes there.
        "url": f"{tx.rules.public_url}/app/leads/{lead.id}",
        "done": False,
    }
    return Put(
        key=f"todo:{lead.id}/{reminder.id}/{member.id}",
        channel=Channel.DINGTALK_TODO,
        account=member.dingtalk,
        payload=payload,
        lead_id=lead.id,
        # The card rings all the same: an entry is the first thing to go when it gets tight.
        rank=Rank.QUIET,
    )


def _ticked(put: Put) -> Put:
    return Put(
        key=put.key,
        channel=put.channel,
        account=put.account,
        payload=put.payload | {"done": True},
        lead_id=put.lead_id,
        rank=Rank.KEPT,
    )
