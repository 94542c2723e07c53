"""What is masked until a lead is claimed, also where it stands in somebody's words."""

import re
from collections.abc import Iterable
from dataclasses import replace

from store.domain.emails import masked_email
from store.domain.lead import Lead, Place, may_see
from store.domain.names import SURNAMES, masked_name
from store.domain.phones import masked
from store.domain.team import Member

NUMBER = re.compile(r"[+＋]?[\d０-９](?:[\s\-—()（）.]?[\d０-９]){6,}")
NO_NAME = "想|要|需|买|咨询|了解|打|来|去|在|说|问|的|了|是|有|没|电话|手机|微信|公司|报价"
INTRODUCED = re.compile(
    rf"(?P<by>我是|我叫|叫我|姓名|名字|联系人)(?P<mark>\s*[:：是叫]?\s*)"
    rf"(?P<who>(?:{SURNAMES})(?:(?!{NO_NAME})[\u4e00-\u9fff·]){{1,2}})"
)
ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", re.ASCII)


def sees_whole(lead: Lead, by: Member) -> bool:
    """Whether ``by`` sees name and number: in a pool nobody does before it is claimed."""
    pooled = lead.owner is None and lead.place == Place.POOL
    return may_see(lead, by) and not pooled


def redacted(text: str, lead: Lead, names: Iterable[str] = ()) -> str:
    """``text`` without what says who or how to reach them; ``names``: what else they were called."""
    text = NUMBER.sub(lambda found: masked(found[0]), text)
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


def hidden(lead: Lead) -> Lead:
    """As whoever has not claimed it may have it on paper; what is not in a pool stays whole."""
    if lead.owner is not None or lead.place != Place.POOL:
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
        other_names=(),
        external_userid="",
        external_id="",
        fields={},
    )


def _masked(value: str) -> str:
    return masked(value) if value else ""
