"""A lead as programs see it: the public interface's "A lead as JSON coming out"."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from store.domain.custom import FieldRule
from store.domain.lead import KINDS, Lead
from store.domain.masking import hidden, names_told, pooled, redacted
from store.domain.merge import UNDO
from store.domain.reach import BROUGHT
from store.leads import Past

GIVEN = (
    "name", "phone", "email", "wechat", "company", "title", "region", "industry", "product",
    "message", "keyword", "campaign", "channel", "external_id", "rep", "source",
)  # fmt: skip
OTHERS_WORDS = frozenset({"enquiry", "fields", "utm", "traits"})
"""What a line of the history keeps of an enquiry as it came."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Whose key asks. ``whole``: the pool is not masked for it (``[api] whole``)."""

    source: str
    whole: bool = False
    fields: tuple[FieldRule, ...] = ()

    def handed_in(self, past: Past) -> bool:
        """Whether the line is an enquiry of theirs: what they said, they know."""
        return bool(past.data.get("enquiry", {}).get("source") == self.source)


def lead_json(lead: Lead, lines: Sequence[Past], reader: Reader) -> dict[str, Any]:
    """The lead, in which a pool masks everything that ``reader`` did not hand in themselves."""
    masked = pooled(lead) and not reader.whole
    told = _seen(lead, lines, reader) if masked else lead
    names = names_told(lines)
    history = [
        _masked_line(past, lead, names) if masked and not reader.handed_in(past) else _line(past)
        for past in lines
    ]
    tags = dict.fromkeys(tag for line in history for tag in line.get("tags", ()))
    return _facts(told) | {"masked": masked, "tags": list(tags), "history": history}


def _seen(lead: Lead, lines: Sequence[Past], reader: Reader) -> Lead:
    """``lead`` masked, but for the values that ``reader`` said, whatever they were merged with."""
    own = [past for past in lines if reader.handed_in(past)]
    said = [{**past.data["enquiry"], "message": past.text} for past in own]
    same = {
        name: value
        for name in GIVEN
        if (value := getattr(lead, name)) and any(one.get(name) == value for one in said)
    }
    theirs = {k: v for past in own for k, v in past.data.get("fields", {}).items()}
    fields = {name: value for name, value in lead.fields.items() if theirs.get(name) == value}
    told = hidden(lead, reader.fields)
    return replace(told, **same, fields={**told.fields, **fields})


def _facts(lead: Lead) -> dict[str, Any]:
    owner = lead.owner
    return {
        "id": lead.id,
        **{name: getattr(lead, name) for name in GIVEN},
        "consent": {"text": lead.consent_text, "at": _time(lead.consent_at)},
        "opted_out_at": _time(lead.opted_out_at),
        "utm": dict(lead.utm),
        "fields": dict(lead.fields),
        "stage": lead.stage,
        "qualification": lead.qualification,
        "score": lead.score,
        "grade": lead.grade,
        "owner": {"name": owner.name, "wecom": owner.wecom, "dingtalk": owner.dingtalk}
        if owner
        else None,
        "place": lead.place,
        "due": _time(lead.due_at),
        "amount": lead.amount,
        "doubles": list(lead.doubles),
        "merged_into": lead.merged_into,
        "linked": list(lead.linked),
        "line": lead.line,
        "channel_class": lead.channel_class,
        "captured_at": _time(lead.captured_at),
    }


def _line(past: Past) -> dict[str, Any]:
    return {
        **{name: value for name, value in past.data.items() if name not in {UNDO, BROUGHT}},
        "at": _time(past.at),
        "by": past.by.name if past.by else None,
        "kind": past.kind,
        "label": KINDS[past.kind],
        "text": past.text,
    }


def _masked_line(past: Past, lead: Lead, names: Iterable[str]) -> dict[str, Any]:
    data = {name: value for name, value in past.data.items() if name not in OTHERS_WORDS}
    line = _line(replace(past, data=data))
    return {name: _redacted(value, lead, tuple(names)) for name, value in line.items()}


def _redacted(value: Any, lead: Lead, names: tuple[str, ...]) -> Any:
    """Every text in ``value``; an instant has as many digits as a number to call, and stays."""
    if isinstance(value, str):
        return value if _is_instant(value) else redacted(value, lead, names)
    if isinstance(value, Mapping):
        return {name: _redacted(part, lead, names) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(part, lead, names) for part in value]
    return value


def _is_instant(text: str) -> bool:
    try:
        return "T" in text and datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _time(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
