"""
What WeCom's error codes mean and what to do about them (D:90313).

Only codes our own calls can meet; errmsg is never matched, the platform may change it.
"""

import re
from datetime import timedelta

STALE_TOKEN = frozenset({40014, 42001})  # 40001 is not here: for WeCom it means a bad secret
CODE_USED = 42022  # the sheet knows both for a response_code used twice (section 12)
CODE_SPENT = 60140  # a response_code that was used or is older than 72 h
NO_RELATION = 84061
NO_SUCH_CARD = 42031  # this kind of template card is not known here
TASK_ID_TAKEN = 42014
UNTRUSTED_ADDRESS = 60020

NEEDS_AN_ADMIN = frozenset(
    {40001, 40013, 40056, 41004, 43012, 48002, 48006, 50003, UNTRUSTED_ADDRESS, 301002}
)
"""About the app and not about the message: it goes out once an admin has mended it."""

BUSY: dict[int, timedelta | None] = {
    -1: None,
    45009: timedelta(seconds=60),  # the shortest window (D:90312)
    45033: None,
    45035: None,
}
"""Codes that pass; how long to wait, None: the relay's back-off."""

MEANING: dict[int, str] = {
    -1: "the platform is busy",
    40001: "wrong secret, or the app is disabled: check [wecom] secret",
    40003: "invalid userid",
    40008: "invalid msgtype",
    40013: "wrong corp id: check [wecom] corp_id",
    40014: "the platform refuses the token it has just given",
    40033: "illegal characters",
    40035: "invalid parameter",
    40056: "wrong agent id: check [wecom] agent_id",
    40058: "invalid parameter",
    40063: "empty parameter",
    40096: "invalid external_userid",
    40098: "this member has no verified name",
    41001: "access_token missing",
    41004: "secret missing",
    41048: "no customer to send to",
    41054: "this member has not activated WeCom",
    41063: "the message is still being dispatched",
    42001: "the platform refuses the token it has just given",
    43012: "the app has no callback URL: set 接收消息 in the console",
    44004: "empty text",
    45002: "the message is too long",
    45009: "frequency limit",
    45033: "too many calls at once",
    45034: "a link without https://",
    45035: "too many calls at once for one customer",
    48002: "this app may not call this: list it under 可调用接口的应用 in the console",
    48006: "the right was withdrawn from a long unused app: re-enable it in the console",
    50002: "the member is outside the app's visible range",
    50003: "the app is disabled",
    60011: "no right on this member",
    60020: "this machine's address is not trusted: add it under 企业可信IP",
    60021: "the member is outside the app's visible range",
    60111: "no such userid",
    60140: "the card can no longer be changed with this code",
    81013: "none of the receivers can be reached",
    82001: "no receiver",
    82004: "content that would crash the clients",
    84061: "the member and the customer are not contacts",
    84074: "the member may not use 客户联系",
    84083: "the member does not serve customers",
    84084: "the member does not follow this customer",
    92000: "the member is outside the app's visible range",
    93000: "the group robot's webhook is wrong, or the robot was removed",
    93004: "the group robot is disabled",
    93006: "no such group",
    93008: "the robot is not in the group",
    301002: "the secret belongs to another app: check [wecom] agent_id",
    301021: "no such userid",
}

TEMPLATE_CARD = range(42014, 42052)
"""Everything that can be wrong with a template card's fields or its task_id."""


def meaning(code: int, errmsg: str) -> str:
    """In words; ``errmsg`` speaks for itself only where the table does not know the code."""
    said = errmsg.partition(", hint:")[0][:200]
    if code == UNTRUSTED_ADDRESS:
        return f"{MEANING[code]}{_address(errmsg)}"
    if code in TEMPLATE_CARD:
        return f"the card is malformed ({said})"
    return MEANING.get(code) or said or "unknown error"


def _address(errmsg: str) -> str:
    """WeCom names the address it sees, which is the one to enter: ``from ip: 1.2.3.4``."""
    match = re.search(r"from ip: ([0-9A-Fa-f.:]+)", errmsg)
    return f" ({match[1]})" if match else ""
