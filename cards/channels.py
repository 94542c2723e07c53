"""What each channel brought and cost, as a text a phone shows whole."""

from collections.abc import Sequence

from cards.words import money, source_name
from store.domain.channels import CLASSES, ChannelFigures

SHOWN = 12


def channels_text(channels: Sequence[ChannelFigures], days: int) -> str:
    """Three lines each: how far its leads came, what it cost, what it was worth."""
    if not channels:
        return f"最近 {days} 天没有新线索"
    more = len(channels) - SHOWN
    rest = [f"另有 {more} 个渠道"] if more > 0 else []
    return "\n".join([f"渠道 最近 {days} 天", *map(_told, channels[:SHOWN]), *rest])


def _told(one: ChannelFigures) -> str:
    kind = CLASSES.get(one.kind, one.kind)
    steps = f"{one.leads} 条{_step('MQL', one.mql, one.leads)}{_step('SQL', one.sql, one.mql)}"
    return f"{source_name(one.name)}（{kind}）：{steps}{_step('成交', one.won, one.sql)}\n  {_worth(one)}"


def _step(name: str, reached: int, of: int) -> str:
    rate = f"（{reached * 100 // of}%）" if of else ""
    return f" → {name} {reached}{rate}"


def _worth(one: ChannelFigures) -> str:
    if one.roi is None:
        return f"没有花费，成交 {money(one.amount)}"
    each = f"，每条 {money(round(one.per_lead))}" if one.per_lead is not None else ""
    return f"花费 {money(round(one.cost))}{each}，成交 {money(one.amount)}，ROI {one.roi:.0%}"
