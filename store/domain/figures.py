"""What happened on one day, as the digest, its picture and the chat show it."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFigures:
    """One channel. ``won`` counts today's wins, whenever the lead came in.

    ``kind``: own, paid, free, partner or rep; "" where nothing was told apart.
    """

    name: str
    new: int = 0
    won: int = 0
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonFigures:
    """``open`` and ``overdue`` are how it stands now, the others what was done that day."""

    name: str
    open: int = 0
    new: int = 0
    followed: int = 0
    overdue: int = 0
    won: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One local day. ``won_amount`` in yuan; ``unfriended``: customers who
    deleted their rep in WeCom; ``pool`` and ``marketing`` are how it stands now.

    ``funnel`` holds (stage, leads that came at least that far) of the leads captured in
    the 30 days up to ``day``, first stage first: each count is part of the one before.
    ``overdue_leads`` holds (lead id, prospect's name, owner's name), the longest overdue first.
    """

    day: date
    new: int = 0
    responded_in_time: int = 0
    overdue: int = 0
    claimed: int = 0
    won: int = 0
    won_amount: int = 0
    returned: int = 0
    reclaimed: int = 0
    changes: int = 0  # other things that happened to leads
    unfriended: int = 0
    pool: int = 0
    marketing: int = 0
    funnel: tuple[tuple[str, int], ...] = ()
    sources: tuple[SourceFigures, ...] = ()
    people: tuple[PersonFigures, ...] = ()
    overdue_leads: tuple[tuple[int, str, str], ...] = ()

    @property
    def empty(self) -> bool:
        """Nothing changed that day and nothing waits for anybody: no digest."""
        changed = self.new or self.responded_in_time or self.claimed or self.won
        waiting = self.overdue or self.overdue_leads
        followed = any(person.followed for person in self.people)
        return not (changed or waiting or followed or self.changes)
