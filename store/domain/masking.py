"""What is masked until a lead is claimed, also where it stands in somebody's words."""

import re
from collections.abc import Iterable
from dataclasses import replace

from store.domain.emails import masked_email
from store.domain.lead import Lead, Place, may_see
from store.domain.names import masked_name
from store.domain.phones import masked
from store.domain.team import Member

NUMBER = re.compile(r"[+＋]?[\d０-９](?:[\s\-—()（）.]?[\d０-９]){6,}")
ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", re.ASCII)


def sees_whole(lead: Lead, by: Member) -> bool:
    """Whether ``by`` sees name and number: in a pool nobody does before it is claimed."""
    pooled = lead.owner is None and lead.place == Place.POOL
    return may_see(lead, by) and not pooled


def redacted(text: str, lead: Lead, names: Iterable[str] = ()) -> str:
    """``text`` without what says who or how to reach them; ``names``: what else they were called."""
    text = NUMBER.sub(lambda found: masked(found[0]), text)
    text = ADDRESS.sub(lambda found: masked_email(found[0]), text)
    for secret in (lead.email, lead.wechat):
        text = text.replace(secret, masked(secret)) if secret else text
    # The longest first: 云栖 within 云栖机密制造 must not leave the rest of it.
    known = {lead.name, lead.company, *lead.other_names, *names}
    for name in sorted(known, key=lambda n: (-len(n), n)):
        text = text.replace(name, masked_name(name)) if name else text
    return text


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
