"""A lead as it came in from outside: checked, normalised, not stored."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

ROW = "row-"
"""Begins the number that a row of a list is given when it brings none of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLead:
    """One enquiry of one person. ``source`` names who handed it in.

    ``phone`` is E.164 when it could be understood, else the text as written;
    ``phone_sure`` tells which. ``external_userid`` is WeCom's id of the contact.
    ``others`` are the person's other numbers and mailboxes as written: they identify, too.
    ``listed``: it stands in a list that is handed in again and again, not in the person's words;
    ``row``: what the whole row says, by which the same one is known again.
    """

    source: str
    name: str = ""
    phone: str = ""
    phone_sure: bool = True
    email: str = ""
    wechat: str = ""
    external_userid: str = ""
    company: str = ""
    title: str = ""
    region: str = ""
    industry: str = ""
    product: str = ""
    message: str = ""
    keyword: str = ""
    campaign: str = ""
    channel: str = ""
    external_id: str = ""
    rep: str = ""
    consent_text: str = ""
    consent_at: datetime | None = None
    utm: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)
    others: tuple[str, ...] = ()
    listed: bool = False
    row: str = ""

    @property
    def event(self) -> str:
        """What the person did: said by who hands it in, or a form filled in."""
        said = self.fields.get("event")
        return said[:32] if isinstance(said, str) else "form" if self.source == "form" else ""

    @property
    def numbered(self) -> bool:
        """Whether it brings a number of its own."""
        return bool(self.external_id) and not self.external_id.startswith(ROW)

    @property
    def reachable(self) -> bool:
        return bool(self.phone or self.email or self.wechat or self.external_userid)
