"""Is it the same person? Questions about two leads, for those who decide about both."""

from collections.abc import Sequence

from cards.lead import reach_for, shown_name
from cards.limits import fit, plain
from cards.lists import ROW, next_page, paged
from cards.model import Button, Card
from store.domain.lead import Lead
from store.domain.masking import sees_whole
from store.domain.phones import masked
from store.domain.team import Member

OTHERS = 2
"""Leads that have a button of their own beside 都不是 and 看."""


def doubt_card(lead: Lead, alike: Sequence[Lead], reader: Member) -> Card:
    """``lead`` is the new one; ``alike`` are those it may be the same person as, one at least."""
    names = "、".join(f"#{other.id}" for other in alike[:OTHERS])
    # The number of the one may be that of the other, which nobody has claimed.
    whole = all(sees_whole(one, reader) for one in (lead, *alike))
    return Card(
        title=f"疑似重复 #{lead.id} {_name(lead, reader)}",
        note=f"和 {names} 是同一位吗，{_shared(lead, alike[0])}",
        rows=tuple(_row(one, reader, whole=whole) for one in (lead, *alike[: OTHERS + 1])),
        buttons=(*_same(lead, alike[:OTHERS]), _other(lead, alike), _look(alike[0])),
    )


def _shared(lead: Lead, other: Lead) -> str:
    if lead.phone and lead.phone == other.phone:
        return "电话一样，名字对不上"
    if lead.email and lead.email == other.email:
        return "邮箱一样，名字对不上"
    return "公司和名字一样" if lead.company and lead.name else "有些资料一样"


def _name(lead: Lead, reader: Member) -> str:
    return shown_name(lead, hidden=not sees_whole(lead, reader))


def _row(lead: Lead, reader: Member, *, whole: bool = True) -> tuple[str, str]:
    whose = lead.owner.name if lead.owner else lead.stage.label
    parts = (fit(_name(lead, reader), 8), _reach(lead, reader, whole=whole), whose)
    return f"#{lead.id}", fit(plain(" ".join(part for part in parts if part)), ROW)


def _reach(lead: Lead, reader: Member, *, whole: bool) -> str:
    reach = reach_for(lead, reader)
    return reach if whole or not reach else masked(reach)


def _same(lead: Lead, alike: Sequence[Lead]) -> tuple[Button, ...]:
    if len(alike) == 1:
        return (Button("是同一位", f"/合并 {alike[0].id} {lead.id}", primary=True),)
    return tuple(Button(f"是 #{other.id}", f"/合并 {other.id} {lead.id}") for other in alike)


def _other(lead: Lead, alike: Sequence[Lead]) -> Button:
    numbers = " ".join(str(other.id) for other in alike)
    return Button("不是" if len(alike) == 1 else "都不是", f"/不同 {lead.id} {numbers}")


def _look(lead: Lead) -> Button:
    return Button(f"看 #{lead.id}", f"/线索 {lead.id}")


def doubts_card(pairs: Sequence[tuple[Lead, Lead]], count: int, page: int, reader: Member) -> Card:
    """Everything nobody has decided yet; each line is opened by a press."""
    if not pairs:
        return Card(title="没有要核对的重复", buttons=(Button("我的线索", "/我的"),))
    shown, more = paged(pairs, count, page)
    return Card(
        title=f"疑似重复 {count} 对",
        note=f"点一对就核对，也可以发「合并 {pairs[0][1].id} {pairs[0][0].id}」",
        rows=tuple((f"#{a.id} #{b.id}", _both(a, b, reader)) for a, b in shown),
        buttons=(
            *(Button(f"#{a.id} #{b.id}", f"/重复 {a.id}") for a, b in shown),
            *next_page("/重复", page, more=more),
        ),
    )


def _both(one: Lead, two: Lead, reader: Member) -> str:
    names = (fit(_name(lead, reader), 8) for lead in (one, two))
    return fit(f"{' '.join(names)} {_shared(one, two)}", ROW)


def merged_card(kept: Lead, other: Lead, reader: Member) -> Card:
    """What became of the two, and the way back."""
    owner = kept.owner.name if kept.owner else "暂时没有负责人"
    return Card(
        title=f"#{other.id} 已并入 #{kept.id} {_name(kept, reader)}",
        note=f"由 {owner} 接着跟，历史都在" if kept.owner else f"{owner}，历史都在",
        rows=(_row(kept, reader),),
        buttons=(
            Button(f"看 #{kept.id}", f"/线索 {kept.id}", primary=True),
            Button("分开", f"/分开 {other.id}"),
        ),
    )
