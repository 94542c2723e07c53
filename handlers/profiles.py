"""What members see of a customer in WeCom itself: a remark, and a tag that follows the stage."""

from collections.abc import Iterable
from typing import Any

from cards.contacts import remark
from store.db import Tx
from store.domain.lead import Lead
from store.domain.team import Channel
from store.outbox import Put


async def keep_profiles(tx: Tx, leads: Iterable[Lead]) -> None:
    """Make the remark and the tag of each contact say what its lead says now.

    One row per member and customer: ten changes are one call, and never two of
    them at once, which WeCom refuses (45035). Its own writes come back as no event.
    """
    if not (tx.rules.tags or tx.rules.remarks):
        return
    whole = [lead for lead in leads if lead.merged_into is None]
    known = [lead for lead in whole if lead.external_userid and lead.parted_at is None]
    puts = [
        _put(tx, lead, userid)
        for lead in known
        for userid in await tx.contacts.followers(lead.external_userid)
    ]
    await tx.outbox.put(puts)


def _put(tx: Tx, lead: Lead, userid: str) -> Put:
    return Put(
        key=f"profile:{lead.id}/{userid}",
        channel=Channel.WECOM_PROFILE,
        account=lead.external_userid,
        payload={"userid": userid, "remark": _remark(tx, lead), "tag": _tag(tx, lead)},
        lead_id=lead.id,
    )


def _remark(tx: Tx, lead: Lead) -> dict[str, Any]:
    if not tx.rules.remarks:
        return {}
    phone = lead.phone if lead.phone_sure else ""
    about = {"remark": remark(lead), "company": lead.company, "phone": phone}
    return {name: value for name, value in about.items() if value}


def _tag(tx: Tx, lead: Lead) -> str:
    return lead.stage.label if tx.rules.tags else ""
