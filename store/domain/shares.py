"""How leads fell to people, and how far they came."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One rep: leads offered, those accepted, and what their weight was worth of all of them."""

    name: str
    given: int
    accepted: int
    due: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """Offers of a span, by rep; ``by_hand`` were given by a manager, the rest by the rules."""

    shares: tuple[Share, ...]
    by_hand: int = 0

    @property
    def given(self) -> int:
        return sum(share.given for share in self.shares)

    @property
    def evenness(self) -> float | None:
        """Jain's index of leads per weight: 1 is everybody their share, 1/n is one has it all."""
        ratios = [share.given / share.due for share in self.shares if share.due]
        squares = sum(ratio**2 for ratio in ratios)
        return sum(ratios) ** 2 / (len(ratios) * squares) if squares else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Leads that came at least to this qualification, and who said so how often."""

    name: str
    count: int
    by: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """Leads captured in a span; each step is part of the one before."""

    days: int
    steps: tuple[Step, ...]
    stages: tuple[tuple[str, int], ...] = ()

    def rates(self) -> Sequence[float | None]:
        """Of each step, how many of the one before came that far; None for the first."""
        counts = [step.count for step in self.steps]
        later = [b / a if a else None for a, b in pairwise(counts)]
        return [None, *later]
