"""What one person says to another about a lead."""

from dataclasses import dataclass

from cards.lead import shown_name
from cards.limits import fit, plain
from cards.lists import ROW
from cards.model import Button, Card
from store.domain.lead import Lead
from store.domain.masking import sees_whole
from store.domain.team import Member

WORDS = 120


@dataclass(frozen=True, slots=True)
class Word:
    """Who said what, and how it is called: 点评, 备注. ``last``: the newest follow-up."""

    by: Member
    verb: str
    words: str
    last: str = ""


def word_card(lead: Lead, reader: Member, word: Word) -> Card:
    """A manager's comment or somebody's note, for the owner; an answer, for the expert."""
    hidden = not sees_whole(lead, reader)
    rows = (("阶段", lead.stage.label), ("上次", "" if hidden else fit(plain(word.last), ROW)))
    return Card(
        title=f"{word.by.name} {word.verb} #{lead.id} {shown_name(lead, hidden=hidden)}",
        note=fit(plain(word.words), WORDS),
        rows=tuple(row for row in rows if row[1]),
        buttons=(
            Button("看线索", f"/线索 {lead.id}", primary=True),
            Button("看历史", f"/线索 {lead.id} 详情"),
        ),
    )
