"""How leads fell to people, and how far they came, as cards."""

from cards.limits import fit
from cards.model import Button, Card
from store.domain.shares import Distribution, Step, Steps

ROWS = 6
EVEN = 0.9
"""Jain's index from which nobody would complain."""
NAMES = {"UQL": "进线", "MQL": "市场认可", "SQL": "销售认可", "won": "成交"}


def funnel_card(found: Steps) -> Card:
    """Every step with its part of the one before; below, the stages."""
    rates = found.rates()
    stages = "，".join(f"{name} {count}" for name, count in found.stages)
    return Card(
        title=f"最近 {found.days} 天的漏斗",
        note="右边是上一步里走到这一步的比例",
        rows=tuple(
            (NAMES[step.name], _step(step, rate))
            for step, rate in zip(found.steps, rates, strict=True)
        ),
        why=f"阶段：{stages}" if stages else "",
        buttons=(Button("看渠道", f"/渠道 {found.days}天"), Button("看日报", "/日报")),
    )


def _step(step: Step, rate: float | None) -> str:
    share = f" {rate:.0%}" if rate is not None else ""
    who = "、".join(f"{name} {count}" for name, count in step.by[:2])
    return fit(f"{step.count} 条{share}" + (f"（{who}）" if who else ""), 30)


def distribution_card(found: Distribution, days: int) -> Card:
    """Whoever is furthest from their share comes first."""
    even = found.evenness
    order = sorted(found.shares, key=lambda share: -abs(share.given - share.due))
    more = len(order) - ROWS
    return Card(
        title=f"最近 {days} 天分给 {len(order)} 个人 {found.given} 条",
        note=_note(found, even),
        rows=tuple(
            (s.name, f"{s.given} 条，按份数 {s.due:.0f} 条，接了 {s.accepted}")
            for s in order[:ROWS]
        ),
        why=f"还有 {more} 人差得更少" if more > 0 else "",
        buttons=(Button("看日报", "/日报"),),
    )


def _note(found: Distribution, even: float | None) -> str:
    if even is None:
        return "这几天没有分过线索"
    word = "比较均匀" if even >= EVEN else "不太均匀"
    by_hand = f"，主管手动分的 {found.by_hand} 条" if found.by_hand else ""
    return f"均匀度 {even:.2f}（1 最均匀），{word}{by_hand}"
