"""The same person asks for something else, too."""

from cards.lead import WORDS_CHARS, shown_name
from cards.limits import clean, fit, plain
from cards.model import Button, Card
from store.domain.lead import Lead
from store.domain.masking import redacted, sees_whole
from store.domain.team import Member

NAME_CHARS = 12


def line_card(lead: Lead, line: str, reader: Member) -> Card:
    """For who has the lead: one press makes a lead of its own for the other line."""
    whole = sees_whole(lead, reader)
    message = lead.message if whole else redacted(lead.message, lead)
    return Card(
        title=f"#{lead.id} {shown_name(lead, hidden=not whole)} 还问到 {fit(plain(line), NAME_CHARS)}",
        note=f"这条是「{fit(plain(lead.line), NAME_CHARS)}」，可以另建一条关联的线索",
        quote=fit(clean(message).strip(), WORDS_CHARS),
        buttons=(
            Button("另建一条", f"/新线 {lead.id} {plain(line)}", primary=True),
            Button("查看", f"/线索 {lead.id} 详情"),
        ),
    )
