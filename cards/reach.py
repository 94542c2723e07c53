"""A way to reach somebody that was filled in, said back."""

from cards.lead import dialled, shown_name
from cards.limits import plain
from cards.model import Button, Card
from store.domain.custom import said
from store.domain.lead import Lead
from store.domain.masking import hidden, sees_whole
from store.domain.phones import national
from store.domain.reach import BESIDE
from store.domain.team import Member


def reached_card(lead: Lead, reader: Member, way: tuple[str, str], note: str) -> Card:
    """What was filled in, said back as it was understood; ``way``: what it is called, its column."""
    name, column = way
    whole = sees_whole(lead, reader)
    told = lead if whole else hidden(lead)
    value = dialled(told) if column == "phone" else getattr(told, column)
    beside = said(lead.fields, BESIDE[column]) if whole and column in BESIDE else ""
    beside = "、".join(map(national, beside.split("、")))
    return Card(
        title=f"#{lead.id} {shown_name(lead, hidden=not whole)}：{name}记下了",
        note=note,
        rows=tuple((n, plain(v)) for n, v in ((name, value), (f"其他{name}", beside)) if v),
        buttons=(
            Button(f"看 #{lead.id}", f"/线索 {lead.id}", primary=True),
            Button("撤销", f"/撤销 {lead.id}"),
        ),
    )
