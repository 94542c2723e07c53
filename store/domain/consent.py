"""
Who wants to be left alone: how people say it, and what follows.

- It earns no points, begins nothing, and is not what they want.
- It is offered to nobody: what has no owner, or only somebody who has yet to accept, lies
  with marketing, which is told why, and goes into no pool. A manager may still give it.
- Who has accepted it keeps it and closes it. No clock of theirs runs and nothing reminds of
  it until the person asks again; the time until then counts for nothing (``deadlines``).
"""

import re
from datetime import datetime

from store.domain.lead import CONSENT, Change, Kind

_LEAVE_ALONE = re.compile(
    r"(?:别|不要|请勿|勿|不用|不必|不想|不准|禁止)(?:再|继续)?(?:来|给我|跟我|和我|向我|被|被你们|你们)?"
    r"(?:联系我?了?(?!方式)|打电话|打给|打来|打扰|骚扰|推销|发短信|发邮件|发信息|发消息|发微信|发广告)"
    r"|别再(?:打|发|联系|来|烦)|不要再(?:打|发|联系|来|烦)"
    r"|(?:请|要求|希望)?(?:停止|终止|取消)(?:联系|推送|营销|订阅|打扰|骚扰)|退订|拒收|"
    r"删除我的(?:信息|资料|电话|号码|个人信息)|撤回(?:我的)?(?:同意|授权)|"
    r"\bunsubscribe\b|\bopt[ -]?out\b|\b(?:do not|don'?t|stop) (?:contact|call|email|text|messag)\w*",
    re.IGNORECASE,
)
LEFT_ALONE = "客户要求不再联系"


SAID = frozenset({Kind.OPTED_OUT, Kind.MERGED})
"""Lines by which a lead becomes one of somebody who wants to be left alone."""


def put_aside(change: Change, at: datetime) -> Change | None:
    """What follows from ``change``: nobody is to find in a pool, or accept, who may not be called."""
    lead = change.lead
    nobodys = lead.owner is None or (lead.offered and change.event.kind in SAID)
    there = (lead.hold, lead.why) == (CONSENT, LEFT_ALONE)
    if not (lead.left_alone and lead.open and nobodys) or there:
        return None
    return lead.wait(CONSENT, LEFT_ALONE, at)


def withdraws(text: str) -> bool:
    """Whether the person's own words take their consent back: 别再联系, 退订, unsubscribe."""
    return _LEAVE_ALONE.search(text) is not None
