"""What can be taken back, for how long, and what stands in the way."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from store.domain.lead import KINDS, Kind
from store.domain.team import Member

WINDOW = timedelta(minutes=10)
UNDOABLE = frozenset(
    {
        Kind.ACCEPTED, Kind.CLAIMED, Kind.DECLINED, Kind.FOLLOWED, Kind.CORRECTED, Kind.STAGE,
        Kind.WON, Kind.LOST, Kind.INVALID, Kind.RETURNED, Kind.RELEASED, Kind.TRANSFERRED,
        Kind.EXTENDED, Kind.REMINDER, Kind.ASSIGNED, Kind.ANSWERED, Kind.ASSISTED, Kind.DATED,
        Kind.GRACE, Kind.QUALIFIED, Kind.IMPORTANCE, Kind.ENRICHED,
    }
)  # fmt: skip
HARMLESS = frozenset(
    {
        Kind.WARNED, Kind.NUDGED, Kind.LATE, Kind.RETIMED, Kind.REMINDED, Kind.MAILED,
        Kind.CLICKED, Kind.SPOKE, Kind.FRIENDED, Kind.VISITED, Kind.DOWNLOADED, Kind.OPENED,
        Kind.GREETED, Kind.UNGREETED, Kind.UNFRIENDED, Kind.DROPPED, Kind.HANDOVER_FAILED,
        Kind.UNREACHABLE, Kind.ENRICHED, Kind.DOUBLE, Kind.ASKED_AGAIN, Kind.OPTED_OUT, Kind.NOTED, Kind.COMMENTED,
    }
)  # fmt: skip
"""What others do to a lead that does not stand in the way of taking back what was done before."""


INSTEAD: Mapping[str, str] = {
    # What acts and is not taken back by 撤销: what to say instead, {n} is the lead.
    "备注": "写错了就再发一条「备注 {n} …」",
    "点评": "写错了就再发一条「点评 {n} …」",
    "录入": "不要的话把它「放回」，或记「无效」",
    "新线": "不要的话把新的那条「放回」，或记「无效」",
    "合并": "要分开发「分开 {n}」",
    "不同": "其实是同一位就发「合并 {n} 编号」",
    "分开": "其实是同一位就发「合并 {n} 编号」",
    "请假": "回来了发「上班」",
    "上班": "要走开发「请假 明天」",
    "活码": "不用了请到企业微信后台删",
    "获客": "不用了请到企业微信后台删",
    "日历": "要改回来再发一次「日历」，写上那天和上班或休息",
    "绑定": "要换就到别的群里发「绑定」",
    "重连": "要停用就在配置里去掉智能机器人",
}


class Line(Protocol):
    """A line of a history."""

    @property
    def kind(self) -> Kind: ...
    @property
    def at(self) -> datetime: ...
    @property
    def by(self) -> Member | None: ...
    @property
    def id(self) -> int: ...
    @property
    def data(self) -> Mapping[str, Any]: ...


def undoable(last: Line, reader: int, now: datetime) -> bool:
    """Whether the card of ``reader`` offers to take back what was done last with its lead."""
    mine = last.by is not None and last.by.id == reader
    return mine and last.kind in UNDOABLE and now - last.at <= WINDOW


def obstacle(lead_id: int, since: Sequence[Line], by: Member) -> str:
    """Who came between, in words; empty when nobody did."""
    for line in _standing(since):
        if line.kind in {Kind.MERGED, Kind.SPLIT}:
            return f"#{lead_id} 之后{KINDS[line.kind]}过，撤不回来了"
        if line.kind in HARMLESS or (line.kind == Kind.QUALIFIED and line.by is None):
            continue
        if line.by is not None and line.by.id == by.id:
            return f"你之后又动过 #{lead_id}（{KINDS[line.kind]}），撤不回来了"
        if line.by is None:
            return f"#{lead_id} 之后有了变化（{KINDS[line.kind]}），撤不回来了"
        return (
            f"{line.by.name} 之后动过 #{lead_id}（{KINDS[line.kind]}），撤不回来了，可以和他商量"
        )
    return ""


def _standing(since: Sequence[Line]) -> Sequence[Line]:
    """Without what was taken back, and without the taking back."""
    there = {line.id for line in since}
    takers = {line.id: set(line.data.get("undid", ())) for line in since}
    done = {n for n, undid in takers.items() if undid and undid <= there}
    gone = done | {event for n in done for event in takers[n]}
    return [line for line in since if line.id not in gone]
