"""A form that was filled in and agreed to in DingTalk."""

from collections.abc import Mapping
from typing import Any

from handlers.capture import capture
from handlers.phones import put_for
from store.db import Tx
from store.domain.intake import BadFields, read_fields
from store.domain.mapping import as_enquiry
from store.domain.team import Member, Platform, Role

SOURCE = "dingtalk"
CHANNEL = "审批"


async def agreed(tx: Tx, instance: str, by: str, values: Mapping[str, Any]) -> bool:
    """Take it in as an enquiry; ``by``: the userid of who filled it in. Whether it was one.

    What cannot be read is said to who wrote it: nobody else would miss it. A rep's form
    is the rep's lead, unless it names somebody.
    """
    member = await tx.members.by_account(Platform.DINGTALK, by) if by else None
    enquiry = {"external_id": instance[:200], "channel": CHANNEL, **as_enquiry(values)}
    if member is not None and member.role == Role.REP:
        enquiry = {"rep": member.name, **enquiry}
    try:
        new = read_fields(enquiry, SOURCE)
    except BadFields as bad:
        await _tell(tx, instance, member, bad)
        return False
    if await tx.inbox.first(f"approval:{instance}"[:300]):
        await capture(tx, [new])
    return True


async def _tell(tx: Tx, instance: str, member: Member | None, bad: BadFields) -> None:
    if member is None or member.phone is None:
        return
    reasons = "；".join(dict.fromkeys(bad.problems.values()))
    words = f"你提交的审批没有录成线索：{reasons}。可以直接发「录入 王五 13800138000 想要报价」"
    await tx.outbox.put([put_for(member, f"approval:{instance[:60]}/no", words)])
