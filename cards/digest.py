"""
The day's figures in words: for a manager's own chat and for the bound group chats.

Every command offered here is one line somebody may also type.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import date

from cards.limits import fit, plain, unmarked
from cards.model import Button, Card
from cards.words import WEEKDAYS, money, source_name
from store.domain.channels import CLASSES
from store.domain.figures import Figures, PersonFigures

MOST_BUTTONS = 3  # and one for the pool: a card has four
MOST_NAMED = 5
MOST_PEOPLE = 12
MOST_SOURCES = 6
NAME_CHARS = 12
NEWLINE = "  \n  "


def digest_card(figures: Figures) -> Card:
    """The day for one manager, with the overdue leads to press."""
    return Card(
        title=f"{_day(figures.day)}日报 · {_headline(figures)}",
        note=_waiting(figures),
        rows=tuple(_rows(figures)),
        why=_overdue_words(figures),
        buttons=tuple(_buttons(figures)),
    )


def digest_wecom_group(figures: Figures) -> str:
    """Markdown of WeCom's group robot (D:99110): font colours info, warning and comment."""
    late = _coloured("warning", figures.overdue) if figures.overdue else "0"
    won = _coloured("info", _won(figures)) if figures.won else "0"
    parts = (
        f"**{_day(figures.day)}日报** · {_headline(figures)}",
        f"新增 **{figures.new}**　按时响应 **{figures.responded_in_time}**　超时 {late}",
        f"领取 **{figures.claimed}**　成交 {won}　公海 {figures.pool}",
        "　".join(f"{name} **{count}**" for name, count in _gone(figures)),
        f"被客户删除 **{figures.unfriended}** 位" if figures.unfriended else "",
        *(f"> {line}" for line in _by_source(figures)),
        *(f"> {line}" for line in _by_person(figures)),
        *(f"超时 #{lead} {name}（{owner}）" for lead, name, owner in _named(figures)),
        *(_coloured("comment", how) for how in _how_to_assign(figures)),
    )
    return "\n".join(filter(None, parts))


def digest_dingtalk_group(
    figures: Figures, picture_url: str = ""
) -> tuple[str, str, tuple[Button, ...]]:
    """(title, markdown, buttons) for DingTalk's group card; without ``picture_url`` no picture."""
    title = f"{_day(figures.day)}日报"
    sums = NEWLINE.join(f"**{name}**　{value}" for name, value in _rows(figures))
    parts = (
        f"### {title} · {_headline(figures)}",
        f"![漏斗]({picture_url})" if picture_url else "",
        sums,
        NEWLINE.join(f"> {line}" for line in (*_by_source(figures), *_by_person(figures))),
    )
    return title, "\n\n".join(filter(None, parts)), tuple(_group_buttons(figures))


def weekday(day: date) -> str:
    return f"周{WEEKDAYS[day.weekday()]}"


def _day(day: date) -> str:
    return f"{day.month}月{day.day}日"


def _headline(figures: Figures) -> str:
    if figures.overdue:
        return f"{figures.overdue} 条超时，先处理"
    if figures.won:
        return f"成交 {_won(figures)}"
    return f"新增 {figures.new}，没有超时"


def _won(figures: Figures) -> str:
    total = f"，{money(figures.won_amount)}" if figures.won_amount else ""
    return f"{figures.won} 单{total}"


def _waiting(figures: Figures) -> str:
    lost = f"，被客户删除 {figures.unfriended} 位" if figures.unfriended else ""
    return f"公海 {figures.pool} 条，市场培育 {figures.marketing} 条{lost}"


def _rows(figures: Figures) -> Iterator[tuple[str, str]]:
    yield "新增", f"{figures.new} 条"
    yield "按时响应", f"{figures.responded_in_time} 条"
    yield "超时", f"{figures.overdue} 条"
    yield "领取", f"{figures.claimed} 条"
    yield "成交", _won(figures)
    yield from ((name, f"{count} 条") for name, count in _gone(figures))
    best = max(figures.people, key=lambda person: (person.won, person.followed), default=None)
    if best and (best.won or best.followed):
        yield "领先", f"{_name(best.name)} 跟进 {best.followed}，成交 {best.won}"


def _gone(figures: Figures) -> Iterator[tuple[str, int]]:
    """What left its owner that day; nothing is said of what did not happen."""
    counts = (("退回市场", figures.returned), ("回收到公海", figures.reclaimed))
    return ((name, count) for name, count in counts if count)


def _by_source(figures: Figures) -> Iterator[str]:
    moved = [source for source in figures.sources if source.new or source.won]
    if moved:
        shown = [_counted(source_name(s.name), s.new, s.won) for s in moved[:MOST_SOURCES]]
        more = [f"还有 {len(moved) - MOST_SOURCES} 个"] if len(moved) > MOST_SOURCES else []
        yield "渠道：" + "，".join([*shown, *more])
    kinds = Counter[str]()
    wins = Counter[str]()
    for source in moved:
        kinds[source.kind] += source.new
        wins[source.kind] += source.won
    if any(kinds):
        told = [_counted(CLASSES.get(k, "其他"), n, wins[k]) for k, n in kinds.most_common()]
        yield "类别：" + "，".join(told)


def _counted(name: str, new: int, won: int) -> str:
    return f"{_name(name)} {new}" + (f"（成交 {won}）" if won else "")


def _by_person(figures: Figures) -> Iterator[str]:
    for person in figures.people[:MOST_PEOPLE]:
        yield f"{_name(person.name)}：{_person(person)}"
    if len(figures.people) > MOST_PEOPLE:
        yield f"还有 {len(figures.people) - MOST_PEOPLE} 人"


def _person(person: PersonFigures) -> str:
    late = f"，超时 {person.overdue}" if person.overdue else ""
    won = f"，成交 {person.won}" if person.won else ""
    return f"在手 {person.open}，新增 {person.new}，跟进 {person.followed}{late}{won}"


def _named(figures: Figures) -> Iterator[tuple[int, str, str]]:
    for lead, name, owner in figures.overdue_leads[:MOST_NAMED]:
        yield lead, _name(name) or "未留名", _name(owner) or "无人负责"


def _overdue_words(figures: Figures) -> str:
    named = "，".join(f"#{lead} {name}（{owner}）" for lead, name, owner in _named(figures))
    return f"超时：{named}" if named else ""


def _how_to_assign(figures: Figures) -> Iterator[str]:
    """A group robot's message has no buttons (D:99110), so it says what to type, and where."""
    for lead, _, _ in figures.overdue_leads[:1]:
        yield f"在应用里发「分配 {lead} 姓名」换人跟"


def _buttons(figures: Figures) -> Iterator[Button]:
    for place, (lead, _, _) in enumerate(figures.overdue_leads[:MOST_BUTTONS]):
        yield Button(f"看 #{lead}", f"/线索 {lead}", primary=place == 0)
    yield Button("看公海", "/公海")


def _group_buttons(figures: Figures) -> Iterator[Button]:
    for place, (lead, name, _) in enumerate(list(_named(figures))[: MOST_BUTTONS + 1]):
        caption = f"#{lead} {fit(name, 6)} 超时 → 分配"
        yield Button(caption, f"/分配 {lead}", primary=place == 0)
    yield Button("看公海", "/公海")


def _name(name: str) -> str:
    return unmarked(fit(plain(name), NAME_CHARS))


def _coloured(colour: str, words: object) -> str:
    return f'<font color="{colour}">{words}</font>'
