"""A number, a mailbox or a WeChat id that a colleague adds to a lead: it says who somebody is."""

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from store.domain.emails import all_emails
from store.domain.errors import BadCommand, Refused
from store.domain.intake import EXTENSION, OTHER_EMAILS, OTHER_PHONES, BadFields, read_fields
from store.domain.lead import NAMING, Change, Event, Kind, Lead, naming
from store.domain.match import Key
from store.domain.newlead import NewLead
from store.domain.phones import all_phones
from store.domain.team import Member

WAYS: Mapping[str, str] = {"电话": "phone", "邮箱": "email", "微信": "wechat"}
EXAMPLES = {"电话": "13800138000", "邮箱": "wang@example.com", "微信": "wang_88"}
BESIDE = {"phone": OTHER_PHONES, "email": OTHER_EMAILS}
"""Where what was there before is kept: it still says who they are."""
WRITTEN = re.compile(
    r"(?:(?P<电话>电话|手机|座机|phone|tel|mobile)|(?P<邮箱>邮箱|邮件|e-?mail)|(?P<微信>微信|wechat))"
    r"(?:号码?|地址|id)?\s*[:：]?\s*(?P<value>.*)",
    re.IGNORECASE | re.DOTALL,
)
BROUGHT = "brought"
"""Where an event keeps what taking it back needs: keys, and leads that were asked about."""


def way_of(words: str) -> tuple[str, str] | None:
    """Which way to reach somebody ``words`` are about, and what they say of it: 电话13800138000."""
    if found := WRITTEN.fullmatch(words.strip()):
        return next(name for name in WAYS if found[name]), found["value"].strip()
    if all_emails(words):
        return "邮箱", words
    return ("电话", words) if all_phones(words) and not re.search(r"[^\d\s+()-]", words) else None


def read_way(lead: Lead, name: str, words: str) -> NewLead:
    """Checked and normalised as every enquiry is. Raises BadCommand."""
    try:
        return read_fields({WAYS[name]: words}, lead.source)
    except BadFields as bad:
        why = "；".join(bad.problems.values())
        raise BadCommand(f"{why}。例如：资料 {lead.id} {name} {EXAMPLES[name]}") from None


def reached(lead: Lead, by: Member, name: str, new: NewLead, at: datetime) -> Change:
    """``lead`` with what ``new`` has of this way; what it had before stays beside it.

    Raises Refused.
    """
    lead.check_fills(by)
    column = WAYS[name]
    value, was = getattr(new, column), getattr(lead, column)
    values: dict[str, Any] = {column: value, "fields": _fields(lead, new, column)}
    if column == "phone":
        values |= {"phone_sure": new.phone_sure, "region": lead.region or new.region}
    filled = replace(lead, **values)
    if filled == lead:
        raise Refused(f"#{lead.id} 的{name}已经是这个")
    filled = naming(filled, [str(was)]) if column in NAMING else filled
    event = Event(
        kind=Kind.ENRICHED, by=by.id, at=at, text=f"{name}：{value}",
        data={"field": name, "from": was},
    )  # fmt: skip
    return Change(filled, event)


def _fields(lead: Lead, new: NewLead, column: str) -> dict[str, Any]:
    fields, was = dict(lead.fields), getattr(lead, column)
    extension = fields.pop(EXTENSION, "") if column == "phone" else ""
    if column not in BESIDE:
        return fields
    before = f"{was}转{extension}" if extension and was != new.phone else was
    there = str(fields.pop(BESIDE[column], ""))
    more = str(new.fields.get(BESIDE[column], ""))
    others = [one for part in (before, there, more) for one in str(part).split("、")]
    kept = [one for one in dict.fromkeys(others) if one and one != getattr(new, column)]
    own = {EXTENSION: new.fields[EXTENSION]} if EXTENSION in new.fields else {}
    return fields | own | ({BESIDE[column]: "、".join(kept)} if kept else {})


def bringing(change: Change, keys: Collection[Key], doubles: Collection[int]) -> Change:
    """``change``, by which the lead is known by ``keys`` and may be the same person as ``doubles``."""
    marked = replace(change.lead, doubles=tuple(sorted({*change.lead.doubles, *doubles})))
    told = sorted([key.kind, key.value] for key in keys)
    return Change(marked, change.event).saying({BROUGHT: {"keys": told, "doubles": [*doubles]}})
