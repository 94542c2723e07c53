"""What people say when they want to be left alone."""

import re

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


def withdraws(text: str) -> bool:
    """Whether the person's own words take their consent back: 别再联系, 退订, unsubscribe."""
    return _LEAVE_ALONE.search(text) is not None
