"""The company's own fields, on whatever card a lead has."""

from dataclasses import replace

from cards.limits import plain
from cards.model import Card
from store.domain.custom import FieldRule, missing, said
from store.domain.lead import Lead
from store.domain.masking import sees_whole, told_field
from store.domain.team import Member

ROWS = 6
LACKING = "还缺"


def with_own(card: Card, lead: Lead, reader: Member, rules: tuple[FieldRule, ...]) -> Card:
    """``card`` with a row for each of the fields, and for the owner what is still missing."""
    rows = own_rows(lead, reader, tuple(rule for rule in rules if rule.card))
    if lead.owned_by(reader) and lead.open and (lacks := missing(rules, lead.fields)):
        rows = ((LACKING, f"{'、'.join(lacks)}，发「资料 {lead.id} {lacks[0]} …」"), *rows)
    return replace(card, rows=(*card.rows[: max(ROWS - len(rows), 3)], *rows)[:ROWS])


def own_rows(
    lead: Lead, reader: Member, rules: tuple[FieldRule, ...]
) -> tuple[tuple[str, str], ...]:
    """What is filled in; a hidden one only for who may see the whole lead."""
    whole = sees_whole(lead, reader)
    # A number of the person's may stand in a field that is not hidden.
    shown = {
        rule.name: lead.fields.get(rule.name) if whole else told_field(lead, rule)
        for rule in rules
    }
    return tuple((name, plain(value)) for name in shown if (value := said(shown, name)))
