"""Cards of several leads, and questions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from cards.lead import View, give_buttons, shown_name
from cards.limits import fit, plain
from cards.model import Button, Card
from cards.words import exact, money, source_name, stamp
from store.domain.deadlines import accept_by, respond_by
from store.domain.lead import HANDED_OVER, REASONS, Lead
from store.domain.masking import redacted
from store.domain.team import Member

T = TypeVar("T")
PAGE = 4
ROW = 30  # characters that WeCom shows of a row
REASONS_ASKED = ("not_ready", "no_budget", "bad_number", "not_mine")


def _line(lead: Lead, *parts: str, hidden: bool = False) -> str:
    """Who and what, on one line of a list."""
    return fit(" ".join((fit(shown_name(lead, hidden=hidden), 8), *filter(None, parts))), ROW)


def _wants(lead: Lead, *, hidden: bool = False) -> str:
    said = lead.product or lead.message
    wish = fit(plain(redacted(said, lead) if hidden else said), 12)
    parts = (wish, lead.region, source_name(lead.source))
    return " ".join(part for part in parts if part)


def paged(lines: Sequence[T], count: int, page: int) -> tuple[Sequence[T], bool]:
    """The lines that fit beside the button to the next page, and whether there is one."""
    more = count > (page - 1) * (PAGE - 1) + len(lines)
    return (lines[: PAGE - 1] if more else lines), more


def next_page(line: str, page: int, *, more: bool) -> tuple[Button, ...]:
    return (Button("下一页", f"{line} {page + 1}页"),) if more else ()


def _page_of(page: int, count: int) -> str:
    """Every page but the last shows one line less; one page needs no number."""
    pages = max(1, -(-(count - 1) // (PAGE - 1)))
    return f"，第 {page}/{pages} 页" if pages > 1 else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    """What the reader of a pool may do with its leads. ``gives``: give them away, not claim.

    ``closed``: why they can claim none at all now. ``barred``: what is true of those that
    they may not claim.
    """

    gives: bool = False
    closed: str = ""
    barred: Mapping[int, str] = field(default_factory=dict)


def pool_card(
    leads: Sequence[Lead], count: int, words: str, page: int, how: Taking = Taking()
) -> Card:
    """Leads of the pool, masked, a press each; a manager gives them to somebody."""
    if not leads:
        about = f"没有和「{fit(words, 12)}」有关的" if words else "现在是空的"
        again = Button("看公海", "/公海") if words else Button("我的线索", "/我的")
        return Card(title=f"公海{about}", buttons=(again,))
    shown, more = paged(leads, count, page)
    free = [] if how.closed else [lead for lead in shown if lead.id not in how.barred]
    verb = "分配" if how.gives else "领取"
    return Card(
        title=f"公海 {count} 条" + (f"（{fit(words, 12)}）" if words else ""),
        note=(how.closed or _usage(free, how)) + _page_of(page, count),
        rows=tuple((f"#{lead.id}", _pooled(lead, how)) for lead in shown),
        buttons=(
            *(Button(f"{verb} #{lead.id}", f"/{verb} {lead.id}") for lead in free),
            *next_page(f"/公海 {words}".strip(), page, more=more),
        )
        or (Button("我的线索", "/我的"),),
    )


def _usage(free: Sequence[Lead], how: Taking) -> str:
    if not free:
        return "这几条现在还不能领"
    if how.gives:
        return f"点一条就选人，也可以发「分配 {free[0].id} 姓名」"
    return f"点一条就领走，也可以发「领取 {free[0].id}」"


def _pooled(lead: Lead, how: Taking) -> str:
    said = how.barred.get(lead.id) or _wants(lead, hidden=True)
    return _line(lead, said, hidden=True)


def mine_card(leads: Sequence[Lead], count: int, page: int, view: View) -> Card:
    """My open leads, the most urgent first."""
    if not leads:
        return Card(title="你手上没有在跟的线索", buttons=(Button("看公海", "/公海"),))
    shown, more = paged(leads, count, page)
    return Card(
        title=f"我的线索 {count} 条",
        note="最急的在前面" + _page_of(page, count),
        rows=tuple((f"#{lead.id}", _state(lead, view)) for lead in shown),
        buttons=(*map(_open, shown), *next_page("/我的", page, more=more)),
    )


def _open(lead: Lead) -> Button:
    return Button(fit(f"#{lead.id} {shown_name(lead)}", 10), f"/线索 {lead.id}")


def today_card(leads: Sequence[Lead], view: View) -> Card:
    """What to work on today, in order."""
    if not leads:
        return Card(title="今天没有待办的线索", buttons=(Button("看公海", "/公海"),))
    return Card(
        title=f"今天 {len(leads)} 件，从上往下做",
        rows=tuple((f"#{lead.id}", _state(lead, view)) for lead in leads[:6]),
        buttons=tuple(map(_open, leads[:PAGE])),
    )


def _state(lead: Lead, view: View) -> str:
    limits, calendar = view.rules.limits, view.rules.calendar
    if lead.left_alone:
        what = "要求不再联系"
    elif lead.offered:
        what = f"等你接受 {_by(accept_by(lead, limits, calendar), view)}"
    elif lead.waits:
        what = f"待联系 {_by(respond_by(lead, limits, calendar), view)}"
    elif lead.next_at is not None:
        what = f"{lead.stage.label} {stamp(lead.next_at, view.now, view.rules.zone)}"
    else:
        what = lead.stage.label
    return _line(lead, what)


def _by(at: datetime | None, view: View) -> str:
    if at is None:
        return ""
    said = stamp(at, view.now, view.rules.zone)
    return f"{said} 前" if at > view.now else f"已超时（{said}）"


def found_card(leads: Sequence[Lead], words: str) -> Card:
    """What a search found."""
    return Card(
        title=f"「{words[:12]}」找到 {len(leads)} 条" if leads else f"没找到「{words[:12]}」",
        rows=tuple((f"#{lead.id}", _line(lead, _whose(lead))) for lead in leads[:6]),
        buttons=tuple(map(_open, leads[:PAGE])) or (Button("我的线索", "/我的"),),
    )


def _whose(lead: Lead) -> str:
    return f"{lead.owner.name} {lead.stage.label}" if lead.owner else lead.stage.label


ROWS = 6
NUMBERED = 24
"""Leads that a list names by their number alone, below the rows."""
AT_ONCE = 20  # numbers that one 领取 takes


def many_card(leads: Sequence[Lead], count: int) -> Card:
    """Many leads at once are one list; ``count`` of them wait to be looked at.

    It says of each lead only what stays true, and every line can be pressed later.
    """
    offered = [lead for lead in leads if lead.offered]
    what = "新分到你" if len(offered) == len(leads) else "等你看"
    return Card(
        title=f"{what} {count} 条线索",
        note="一条条看发「待看」",
        rows=tuple(map(_unseen_row, leads[:ROWS])),
        why=_numbers(leads[ROWS:], count - len(leads)),
        buttons=(
            Button("一条条看", "/待看", primary=True),
            *_accept_all(offered[:AT_ONCE]),
            *(Button(f"接受 #{lead.id}", f"/领取 {lead.id}") for lead in offered[:2]),
        ),
    )


def _numbers(leads: Sequence[Lead], more: int) -> str:
    numbers = " ".join(f"#{lead.id}" for lead in leads)
    rest = f"，另有 {more} 条" if more > 0 else ""
    return f"还有 {numbers}{rest}" if numbers else ""


def _accept_all(leads: Sequence[Lead]) -> tuple[Button, ...]:
    numbers = " ".join(str(lead.id) for lead in leads)
    caption = f"接受这 {len(leads)} 条"
    return (Button(caption, f"/领取 {numbers}"),) if len(leads) > 1 else ()


def unseen_card(leads: Sequence[Lead], count: int, page: int) -> Card:
    """What only a list has named so far, a press each."""
    if not leads:
        return Card(title="没有还没看的线索", buttons=(Button("我的线索", "/我的"),))
    shown, more = paged(leads, count, page)
    return Card(
        title=f"待看 {count} 条",
        rows=tuple(map(_unseen_row, shown)),
        buttons=(
            *(Button(f"看 #{lead.id}", f"/线索 {lead.id}") for lead in shown),
            *next_page("/待看", page, more=more),
        ),
    )


def _unseen_row(lead: Lead) -> tuple[str, str]:
    hidden = lead.owner is None
    return f"#{lead.id}", _line(lead, _wants(lead, hidden=hidden), hidden=hidden)


def nurtured_card(leads: Sequence[Lead], count: int) -> Card:
    """For marketing: so many leads are being nurtured, the newest first."""
    return Card(
        title=f"培育中 {count} 条线索",
        note="刚转来的在前面",
        rows=tuple((f"#{lead.id}", _line(lead, _returned(lead), _wants(lead))) for lead in leads),
        buttons=tuple(map(_open, leads[:PAGE])),
    )


def _returned(lead: Lead) -> str:
    return REASONS[lead.reason][0] if lead.reason in REASONS else "没人领"


def waiting_card(leads: Sequence[Lead], count: int) -> Card:
    """For the manager: nobody is suitable for so many leads, or their owner has left."""
    left = bool(leads) and all(lead.why.endswith(HANDED_OVER) for lead in leads)
    return Card(
        title=f"{count} 条线索{'要交接' if left else '没有合适的人'}",
        note="已放进公海，可以直接分配",
        rows=tuple(
            (f"#{lead.id}", _line(lead, lead.region, lead.why, hidden=True)) for lead in leads
        ),
        buttons=tuple(Button(f"分配 #{lead.id}", f"/分配 {lead.id}") for lead in leads[:PAGE]),
    )


def answered_card(text: str) -> Card:
    """What became of a question or a reminder, in its place."""
    return Card(title=text, buttons=(Button("我的线索", "/我的"),))


def reason_card(lead: Lead) -> Card:
    """Why is it returned? A press answers; anything else can be typed."""
    return Card(
        title=f"退回 #{lead.id} {shown_name(lead)}，为什么",
        note=f"也可以直接写：退回 {lead.id} 明年再说",
        buttons=tuple(
            Button(REASONS[code][0], f"/退回 {lead.id} {REASONS[code][0]}")
            for code in REASONS_ASKED
        ),
    )


def amount_card(lead: Lead) -> Card:
    """Is it the amount that was talked about? A press says yes; another one can be typed."""
    said = money(lead.amount or 0)
    return Card(
        title=f"#{lead.id} {shown_name(lead)} 成交多少",
        note=f"聊到过 {said}，别的数直接写：成交 {lead.id} 12万",
        buttons=(
            Button(f"成交 {said}", f"/成交 {lead.id} {exact(lead.amount or 0)}", primary=True),
            Button("查看", f"/线索 {lead.id} 详情"),
        ),
    )


def assign_card(lead: Lead, suggested: Sequence[tuple[Member, int, str]]) -> Card:
    """Whom to give it to; the ones with the fewest open leads first. Member, open leads, why not."""
    hidden = lead.owner is None
    return Card(
        title=f"#{lead.id} {shown_name(lead, hidden=hidden)} 给谁",
        rows=tuple(
            (m.name, "，".join(filter(None, (f"手上 {load} 条", why))))
            for m, load, why in suggested[:PAGE]
        ),
        buttons=give_buttons(lead, [m for m, _, _ in suggested[:PAGE]]),
    )


def full_card(lead: Lead, to: Member, why: str, others: Sequence[Member]) -> Card:
    """``to`` should get nothing now: somebody else, or all the same."""
    return Card(
        title=f"{fit(to.name, 8)} {why}",
        note=f"#{lead.id} {shown_name(lead, hidden=lead.owner is None)} 还没给，要给发「分配 {lead.id} {to.name} 照给」",
        buttons=(
            *give_buttons(lead, others[:2]),
            Button("照给", f"/分配 {lead.id} {to.name} 照给", primary=not others),
        ),
    )


def calendar_card(year: int) -> Card:
    """For the admin: which days of that year are off is not known yet."""
    return Card(
        title=f"{year} 年的放假安排还没有",
        note="先按周一到周五算。公布后升级，或发「日历 日期 上班」补上",
        buttons=(Button("看日历", "/日历"),),
    )
