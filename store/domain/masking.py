"""What is masked until a lead is claimed, also where it stands in somebody's words."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Protocol

from store.domain.custom import FieldRule, said
from store.domain.emails import masked_email
from store.domain.lead import NAMING, Lead, Place, may_see
from store.domain.names import SURNAMES, masked_name
from store.domain.phones import masked, spelled_digits
from store.domain.team import Member

NUMBER = re.compile(r"[+＋]?[\d０-９](?:[\s\-—()（）.]?[\d０-９]){6,}")
_DIGIT = r"[\d０-９〇零幺一二三四五六七八九①-⑨]"
SPACED = re.compile(rf"{_DIGIT}(?:[\s\-—–－_·•./*()（）]{{0,3}}{_DIGIT}){{10,}}")
"""A mobile number whose writer meant to be read by people only: 138 - 0013 - 8000, 一三八零零…"""
NO_NAME = "想|要|需|买|咨询|了解|打|来|去|在|说|问|的|了|是|有|没|电话|手机|微信|公司|报价"
INTRODUCED = re.compile(
    rf"(?P<by>我是|我叫|叫我|姓名|名字|联系人)(?P<mark>\s*[:：是叫]?\s*)"
    rf"(?P<who>(?:{SURNAMES})(?:(?!{NO_NAME})[\u4e00-\u9fff·]){{1,2}})"
)
NAMED = ("姓名", "公司", "邮箱", "微信")
"""What says who somebody is, as it is filled in by hand."""
ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", re.ASCII)


class Said(Protocol):
    """A line of a history, as far as it may name somebody."""

    @property
    def data(self) -> Mapping[str, Any]: ...


def pooled(lead: Lead) -> bool:
    """Whether it lies in a pool, where nobody sees name and number before it is claimed."""
    return lead.owner is None and lead.place == Place.POOL


def sees_whole(lead: Lead, by: Member) -> bool:
    """Whether ``by`` sees name and number."""
    return may_see(lead, by) and not pooled(lead)


def names_told(story: Iterable[Said]) -> set[str]:
    """Everything the person was called in the enquiries and corrections of ``story``."""
    names: set[str] = set()
    for past in story:
        enquiry = past.data.get("enquiry", {})
        names |= {str(enquiry.get(name) or "") for name in NAMING}
        names |= {str(past.data["from"])} if past.data.get("field") in NAMED else set()
    return names


def redacted(text: str, lead: Lead, names: Iterable[str] = ()) -> str:
    """``text`` without what says who or how to reach them; ``names``: what else they were called."""
    text = NUMBER.sub(lambda found: masked(found[0]), text)
    text = SPACED.sub(lambda found: masked(spelled_digits(found[0])), text)
    text = INTRODUCED.sub(_introduced, text)
    text = ADDRESS.sub(lambda found: masked_email(found[0]), text)
    for secret in (lead.email, lead.wechat):
        text = text.replace(secret, masked(secret)) if secret else text
    # The longest first: 云栖 within 云栖机密制造 must not leave the rest of it.
    known = {lead.name, lead.company, *lead.other_names, *names}
    for name in sorted(known, key=lambda n: (-len(n), n)):
        text = text.replace(name, masked_name(name)) if name else text
    return text


def _introduced(found: re.Match[str]) -> str:
    """Who says who they are may be known by another name."""
    return f"{found['by']}{found['mark']}{masked_name(found['who'])}"


def hidden(lead: Lead, fields: Sequence[FieldRule] = ()) -> Lead:
    """As whoever has not claimed it may have it on paper; what is not in a pool stays whole.

    ``fields``: the company's own, of which those that are not hidden are told.
    """
    if not pooled(lead):
        return lead
    return replace(
        lead,
        name=masked_name(lead.name) if lead.name else "",
        company=masked_name(lead.company) if lead.company else "",
        phone=_masked(lead.phone),
        email=_masked(lead.email),
        wechat=_masked(lead.wechat),
        message=redacted(lead.message, lead),
        title=redacted(lead.title, lead),
        product=redacted(lead.product, lead),
        keyword=redacted(lead.keyword, lead),
        consent_text=redacted(lead.consent_text, lead),
        other_names=(),
        external_userid="",
        external_id="",
        fields={rule.name: value for rule in fields if (value := told_field(lead, rule)) != ""},
    )


def told_field(lead: Lead, rule: FieldRule) -> Any:
    """The lead's value as who may only see it masked is told; "" when it is hidden or blank."""
    value = lead.fields.get(rule.name)
    if rule.hidden or value is None or isinstance(value, int | float):
        return "" if rule.hidden or value is None else value
    text = said(lead.fields, rule.name)
    return text if _is_day(text) else redacted(text, lead)


def _is_day(text: str) -> bool:
    """A date has as many digits as a number to call."""
    try:
        return len(text) == len("2026-03-02") and bool(date.fromisoformat(text))
    except ValueError:
        return False


def _masked(value: str) -> str:
    return masked(value) if value else ""
