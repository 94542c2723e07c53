"""What can be taken back, for how long, and what stands in the way."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from store.domain.lead import KINDS, Kind
from store.domain.team import Member

WINDOW = timedelta(minutes=10)
UNDOABLE = frozenset(
    {
        Kind.ACCEPTED, Kind.CLAIMED, Kind.DECLINED, Kind.FOLLOWED, Kind.CORRECTED, Kind.STAGE,
        Kind.WON, Kind.LOST, Kind.INVALID, Kind.RETURNED, Kind.RELEASED, Kind.TRANSFERRED,
        Kind.EXTENDED, Kind.REMINDER, Kind.ASSIGNED, Kind.ANSWERED, Kind.ASSISTED, Kind.DATED,
        Kind.GRACE,
    }
)  # fmt: skip
HARMLESS = frozenset(
    {
        Kind.WARNED, Kind.NUDGED, Kind.LATE, Kind.RETIMED, Kind.REMINDED, Kind.MAILED, Kind.CLICKED, Kind.SPOKE, Kind.FRIENDED,
        Kind.GREETED, Kind.UNGREETED, Kind.UNFRIENDED, Kind.DROPPED, Kind.HANDOVER_FAILED,
        Kind.ENRICHED, Kind.DOUBLE, Kind.ASKED_AGAIN, Kind.OPTED_OUT, Kind.NOTED, Kind.COMMENTED,
    }
)  # fmt: skip
"""What others do to a lead that does not stand in the way of taking back what was done before."""


class Line(Protocol):
    """A line of a history."""

    @property
    def kind(self) -> Kind: ...
    @property
    def at(self) -> datetime: ...
    @property
    def by(self) -> Member | None: ...


def undoable(last: Line, reader: int, now: datetime) -> bool:
    """Whether the card of ``reader`` offers to take back what was done last with its lead."""
    mine = last.by is not None and last.by.id == reader
    return mine and last.kind in UNDOABLE and now - last.at <= WINDOW


def obstacle(lead_id: int, since: Sequence[Line], by: Member) -> str:
    """Who came between, in words; empty when nobody did."""
    for line in since:
        if line.kind in {Kind.MERGED, Kind.SPLIT}:
            return f"#{lead_id} 之后{KINDS[line.kind]}过，撤不回来了"
        if line.kind in HARMLESS:
            continue
        if line.by is not None and line.by.id == by.id:
            return f"你之后又动过 #{lead_id}（{KINDS[line.kind]}），撤不回来了"
        if line.by is None:
            return f"#{lead_id} 之后有了变化（{KINDS[line.kind]}），撤不回来了"
        return (
            f"{line.by.name} 之后动过 #{lead_id}（{KINDS[line.kind]}），撤不回来了，可以和他商量"
        )
    return ""
