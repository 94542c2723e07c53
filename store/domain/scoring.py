"""Points for what is known of a lead; every score can say where it comes from."""

from collections.abc import Sequence
from typing import NamedTuple

from store.domain.conditions import holds
from store.domain.newlead import NewLead
from store.domain.rules import ScoringRule

DEFAULTS = (
    # What makes a lead worth a call at once; [[scoring]] in the configuration replaces them.
    ScoringRule(name="留了手机", when={"phone": True}, points=20),
    ScoringRule(name="说了需求", when={"message": True}, points=15),
    ScoringRule(name="写了公司", when={"company": True}, points=15),
    ScoringRule(name="指明产品", when={"product": True}, points=10),
    ScoringRule(name="留了邮箱", when={"email": True}, points=5),
    ScoringRule(
        name="决策人",
        when={"title": ("总监", "总经理", "CEO", "老板", "董事", "采购", "负责人", "创始人")},
        points=20,
    ),
    ScoringRule(
        name="急",
        when={"message": ("报价", "尽快", "马上", "急", "预算", "采购", "合同")},
        points=15,
    ),
)
GRADES = ((80, "A"), (60, "B"), (40, "C"), (0, "D"))


class Score(NamedTuple):
    points: int
    grade: str
    why: tuple[tuple[str, int], ...]


def score(lead: NewLead, rules: Sequence[ScoringRule]) -> Score:
    """The profile score of an enquiry, 0 to 100, with the points per rule."""
    why = tuple((r.name, r.points) for r in rules or DEFAULTS if holds(r.when, lead))
    points = max(0, min(100, sum(points for _, points in why)))
    return Score(points, next(g for at, g in GRADES if points >= at), why)
