"""Points for what is known of a lead and for what the person did; every score says where it comes from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from store.domain.conditions import holds
from store.domain.lead import NIGHT, Change, Kind, Lead, Part, Place
from store.domain.rules import Scale, ScoringRule

EVENTS: Mapping[str, str] = {
    # What a rule may name as its event, and how it is told.
    "form": "填表单",
    "asked_again": "再次咨询",
    "page": "看网页",
    "download": "下载资料",
    "mail_opened": "打开邮件",
    "link_clicked": "点开链接",
    "replied": "回复",
    "befriended": "加好友",
}
HEARD: Mapping[Kind, str] = {
    Kind.ASKED_AGAIN: "asked_again",
    Kind.VISITED: "page",
    Kind.DOWNLOADED: "download",
    Kind.OPENED: "mail_opened",
    Kind.CLICKED: "link_clicked",
    Kind.SPOKE: "replied",
    Kind.FRIENDED: "befriended",
}
DID = (Kind.CAPTURED, *HEARD)
"""Lines of a history that say what the prospect did."""
SIGNALS: Mapping[str, Kind] = {
    "page": Kind.VISITED,
    "download": Kind.DOWNLOADED,
    "mail_opened": Kind.OPENED,
}
"""What a website reports of somebody known, as ``fields.event``, is no new enquiry."""

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
    ScoringRule(name="再次咨询", when={"event": "asked_again"}, points=20),
    # Who reads our letter and comes back has raised a hand: enough for a call by itself.
    ScoringRule(name="点开链接", when={"event": "link_clicked"}, points=60),
    ScoringRule(name="回复", when={"event": "replied"}, points=30),
    ScoringRule(name="下载资料", when={"event": "download"}, points=15),
    ScoringRule(name="看网页", when={"event": "page"}, points=5),
    ScoringRule(name="打开邮件", when={"event": "mail_opened"}, points=5),
)
MOST = 100
LEVELS: Mapping[str, str] = {"A": "高", "B": "较高", "C": "普通", "D": "低"}
"""Importance set by hand, and its word."""
BEATS_A_HALF_LIFE = 14
"""How often a score is derived again while it falls by half."""


class Signal(NamedTuple):
    """Something the prospect did, under the name the rules have for it."""

    event: str
    at: datetime


class Score(NamedTuple):
    """``points`` is what counts; ``derived`` what the rules say, before anybody's hand."""

    points: int
    derived: int
    grade: str
    parts: tuple[Part, ...]

    @property
    def why(self) -> tuple[tuple[str, int], ...]:
        return tuple((part.rule, part.points) for part in self.parts)


def signals(kind: Kind, at: datetime, data: Mapping[str, Any]) -> Sequence[Signal]:
    """What a line of the history says the prospect did; an enquiry may be a form as well."""
    names = (HEARD.get(kind, ""), str(data.get("event", "")) if kind in DID else "")
    return [Signal(name, at) for name in dict.fromkeys(names) if name in EVENTS]


def score(lead: Lead, did: Iterable[Signal], at: datetime, scale: Scale) -> Score:
    """The two dimensions together, 0 to 100: who it is, and what they did lately."""
    did = list(did)
    rules = scale.rules or DEFAULTS
    parts = [part for rule in rules if (part := _part(rule, lead, did, at, scale.half_life))]
    derived = max(0, min(MOST, sum(part.points for part in parts)))
    points = _by_hand(lead.importance, derived, scale)
    return Score(points, derived, lead.importance or grade(points, scale), tuple(parts))


def _part(
    rule: ScoringRule, lead: Lead, did: Sequence[Signal], at: datetime, half_life: timedelta
) -> Part | None:
    """None: the rule says nothing about this lead."""
    when = {name: wanted for name, wanted in rule.when.items() if name != "event"}
    if not holds(when, lead):
        return None
    if "event" not in rule.when:
        return Part(rule.name, rule.points, rule.points)
    times = [signal.at for signal in did if _named(signal.event, rule.when["event"])]
    if not times:
        return None
    worth = sum(rule.points * 0.5 ** max(0.0, (at - then) / half_life) for then in times)
    full = rule.points * len(times)
    return Part(rule.name, round(worth), full, len(times), max(times).isoformat())


def _named(event: str, wanted: object) -> bool:
    return event in wanted if isinstance(wanted, tuple | list) else event == wanted


def grade(points: int, scale: Scale) -> str:
    """A, B, C or D."""
    return next((g for g, least in zip("ABC", scale.grades, strict=True) if points >= least), "D")


def _by_hand(importance: str, derived: int, scale: Scale) -> int:
    """What somebody set wins: the points move into the band of that grade, and no further."""
    a, b, c = scale.grades
    bands = {"A": (max(a, scale.hot), MOST), "B": (b, a - 1), "C": (c, b - 1), "D": (0, c - 1)}
    if importance not in bands:
        return derived
    least, most = bands[importance]
    return max(least, min(most, derived))


def rated(lead: Lead, did: Iterable[Signal], at: datetime, scale: Scale) -> Lead:
    """``lead`` with its score as of ``at``, where it comes from, and when to look again."""
    now = score(lead, did, at, scale)
    warm = any(part.last and part.points for part in now.parts)
    return replace(
        lead,
        score=now.points,
        grade=now.grade,
        points=now.parts,
        cools_at=at + scale.half_life / BEATS_A_HALF_LIFE if warm else None,
    )


def earned(lead: Lead, at: datetime, scale: Scale) -> Change | None:
    """The score alone makes a marketing lead of it."""
    if not lead.open or lead.left_alone or lead.qualification != "UQL" or lead.score < scale.mql:
        return None
    return lead.qualify("MQL", at, f"{lead.score} 分，过了 {scale.mql} 分")


def judged(
    change: Change, did: Iterable[Signal], at: datetime, scale: Scale
) -> tuple[Change, ...]:
    """``change`` with the score it leads to, and the qualification that this earns."""
    lead = rated(change.lead, did, at, scale)
    higher = earned(lead, at, scale)
    return (Change(lead, change.event), *([higher] if higher else []))


def comes_back(before: Lead, after: Lead, scale: Scale) -> bool:
    """Whether somebody without an owner is to be given to a rep, for what was done meanwhile."""
    if after.owner is not None or not after.open or after.opted_out_at is not None:
        return False
    if after.hold:
        return after.hold != NIGHT
    if after.place == Place.MARKETING:
        return after.score >= scale.mql
    return before.score < scale.mql <= after.score


def filled_in(before: Lead, after: Lead, scale: Scale) -> bool:
    """Whether what somebody filled in gives the lead to a rep: it waited, or is worth it now.

    Who was given back and always had the points stays with marketing.
    """
    waited = bool(after.hold) or before.score < scale.mql
    return waited and comes_back(before, after, scale)
