"""Whether an enquiry comes from somebody we know. Pure: the store finds, this decides."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from store.domain.emails import all_emails, is_role, mailbox
from store.domain.intake import OTHER_EMAILS, OTHER_PHONES
from store.domain.names import fold, same_person_name
from store.domain.newlead import NewLead
from store.domain.phones import Kind, all_phones, digits, kind_of

WRITTEN_MINIMUM = 7  # digits: a local number; fewer identify nobody
SWITCHBOARD = 3
"""People on one desk's line: from then on it is a switchboard, and nobody is asked any more."""
COMPANY_CUT, NAME_CUT = 200, 99  # characters; with the bar the 300 that are kept of a key

_COMPANY_FORMS = re.compile(
    r"(股份有限责任公司|股份有限公司|有限责任公司|有限公司|股份公司|集团公司|控股公司|总公司|公司|集团|控股|"
    r"有限合伙|合伙企业|个体工商户|株式会社|"
    r"coltd|corporation|company|limited|inc|llc|llp|plc|ltd|corp|gmbh|ptyltd|pteltd|pty|pte|bv|sarl)+$"
)


class Key(NamedTuple):
    """Something that may identify a person. ``value`` is normalised, so equal means equal.

    ``kind``: ``external`` ("source:id"), ``phone`` (E.164), ``email``, ``wechat``,
    ``external_userid``, ``written`` (a number that could not be understood),
    ``person`` ("company|name", which never identifies, only asks).
    """

    kind: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A stored lead as the rule sees it.

    ``external_ids`` are values of ``external`` keys ("source:id"). ``more`` are keys of
    earlier enquiries that were merged into the lead: a second phone, another mailbox.
    ``linked``: the same person's leads of other business lines.
    """

    lead_id: int
    name: str = ""
    phone: str = ""
    phone_sure: bool = True
    email: str = ""
    wechat: str = ""
    external_userid: str = ""
    company: str = ""
    external_ids: tuple[str, ...] = ()
    more: tuple[Key, ...] = ()
    linked: tuple[int, ...] = ()

    @property
    def person(self) -> int:
        """The same for all leads of one person: those of other business lines are linked."""
        return min((self.lead_id, *self.linked))


@dataclass(frozen=True, slots=True)
class Same:
    """It is this lead's person; ``by`` is the kind of key that shows it."""

    lead_id: int
    by: str = ""


@dataclass(frozen=True, slots=True)
class Ask:
    """It may be one of these people: keep it apart and let somebody decide."""

    lead_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class New:
    """Nobody we know."""


Verdict = Same | Ask | New


class _Says(IntEnum):
    """What one shared key says about two people, the surest first."""

    SAME = 0
    LIKELY = 1  # the same unless somebody else fits as well
    ASK = 2
    NOTHING = 3


ROW_KEY = "row"


def keys(new: NewLead) -> list[Key]:
    """What the enquiry can be recognised by, in the order in which it counts."""
    external = [Key("external", f"{new.source}:{new.external_id}")] if new.external_id else []
    beside = (new.fields.get(name) for name in (OTHER_PHONES, OTHER_EMAILS))
    texts = [*(text for text in beside if isinstance(text, str)), *new.others]
    others = [key for text in texts for key in _beside(text)]
    row = [Key(ROW_KEY, new.row)] if new.row else []
    return list(dict.fromkeys([*external, *_keys(new), *others, *row]))


def _beside(text: str) -> list[Key]:
    """What another cell of the same person holds: numbers, mailboxes, or a number as written."""
    found = [Key("phone", phone.e164) for phone in all_phones(text)]
    found = found or [Key("email", mailbox(email)) for email in all_emails(text)]
    written = "" if found else _written(text)
    return [Key("written", written)] if written else found


def decide(new: NewLead, candidates: Sequence[Known]) -> Verdict:
    """The first key that identifies one person decides; a doubt is a question, not a merge.

    ``candidates`` in the order of their age: of two that fit equally the later keys choose,
    else the first is meant.
    """
    held = [(known, frozenset(_all_keys(known))) for known in candidates]
    doubts: dict[int, None] = {}
    fitting: list[Known] = []
    by = ""
    for key in keys(new):
        said = _all_say(key, new, [known for known, has in held if key in has])
        sure = _sure(said)
        if fitting:
            sure = [known for known in sure if known in fitting]
        if len({known.person for known in sure}) == 1:
            return Same(sure[0].lead_id, by or key.kind)
        fitting, by = fitting or sure, by or (key.kind if sure else "")
        doubts |= {known.lead_id: None for says, known in said if says < _Says.NOTHING}
    if fitting:
        return Same(fitting[0].lead_id, by)
    return Ask(tuple(sorted(doubts))) if doubts else New()


def _all_say(key: Key, new: NewLead, sharing: Sequence[Known]) -> Sequence[tuple[_Says, Known]]:
    said = [(_says(key, new, known), known) for known in sharing]
    if key.kind == "phone" and kind_of(key.value) is Kind.FIXED:
        others = {
            known.person for known in sharing if same_person_name(new.name, known.name) is False
        }
        if len(others) >= SWITCHBOARD:
            return [(s if s is _Says.SAME else _Says.NOTHING, known) for s, known in said]
    return said


def _sure(said: Sequence[tuple[_Says, Known]]) -> list[Known]:
    """Who it certainly is; several only when more than one person fits equally."""
    sure = [known for says, known in said if says is _Says.SAME]
    likely = [known for says, known in said if says is _Says.LIKELY]
    alone = len({known.person for known in likely}) == 1
    return sure or (likely if alone else [])


def _keys(of: NewLead | Known) -> Iterator[Key]:
    if of.phone and of.phone_sure:
        yield Key("phone", of.phone)
    if of.email:
        yield Key("email", mailbox(of.email))
    if of.wechat:
        yield Key("wechat", of.wechat.casefold())
    if of.external_userid:
        yield Key("external_userid", of.external_userid)
    if not of.phone_sure and (written := _written(of.phone)):
        yield Key("written", written)
    if person := _person(of):
        yield Key("person", person)


def _all_keys(known: Known) -> Iterator[Key]:
    yield from (Key("external", value) for value in known.external_ids)
    yield from _keys(known)
    yield from known.more


def _written(phone: str) -> str:
    """Its digits; the stars of a masked number stay, so that it never equals a whole one."""
    plain = digits(phone)
    if len(plain) < WRITTEN_MINIMUM:
        return ""
    return re.sub(r"[^\d*]", "", phone) if "*" in phone else plain


def _person(of: NewLead | Known) -> str:
    company = fold(of.company)
    company = _COMPANY_FORMS.sub("", company) or company
    name = fold(of.name)
    # It only asks, so a cut harms nothing; folded, one character can become eighteen.
    return f"{company[:COMPANY_CUT]}|{name[:NAME_CUT]}" if company and name else ""


def _says(key: Key, new: NewLead, known: Known) -> _Says:
    match key.kind:
        case "phone":
            return _by_phone(key.value, new, known)
        case "email" if is_role(key.value):
            return _by_name(new, known, other=_Says.ASK)
        case "written":
            return _by_written(key.value, new, known)
        case "row":  # it tells what was handed in before, and of nobody who they are
            return _Says.NOTHING
        case "person":
            return _Says.NOTHING if _contradictions(new, known) > 1 else _Says.ASK
        case _:
            return _Says.SAME


def _by_phone(e164: str, new: NewLead, known: Known) -> _Says:
    """A mobile is one person's unless the names differ; a desk or a hotline is many people's."""
    kind = kind_of(e164)
    if kind not in {Kind.FIXED, Kind.SERVICE}:
        return _by_name(new, known, other=_Says.ASK)
    says = _by_name(new, known, other=_Says.ASK if kind is Kind.FIXED else _Says.NOTHING)
    return _Says.ASK if says is _Says.LIKELY else says


def _by_written(number: str, new: NewLead, known: Known) -> _Says:
    """Digits nobody could read identify only with the whole name and no other mailbox."""
    if new.email and known.email and mailbox(new.email) != mailbox(known.email):
        return _Says.NOTHING
    says = _by_name(new, known, other=_Says.NOTHING if "*" in number else _Says.ASK)
    return _Says.ASK if says is _Says.LIKELY else says


def _by_name(new: NewLead, known: Known, *, other: _Says) -> _Says:
    if not new.name and not known.name:
        return _Says.SAME
    agree = same_person_name(new.name, known.name)
    if agree is None:
        return _Says.LIKELY
    return _Says.SAME if agree else other


def _contradictions(new: NewLead, known: Known) -> int:
    pairs = ((getattr(new, kind), getattr(known, kind)) for kind in ("phone", "email", "wechat"))
    return sum(bool(a and b and a != b) for a, b in pairs)
