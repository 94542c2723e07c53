"""
The learned probability: how often leads like this one became customers here.

A scorecard: every trait is in a range or is one of some values, each with a weight. So a
probability explains itself, and telling it needs no library; fitting does (jobs.learning).
It puts leads in order. It refuses nobody, and never touches what a person set.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from store.domain.conditions import BIG_REGIONS
from store.domain.newlead import NewLead

Traits = Mapping[str, str | float]
"""What was known of a lead when it came in, by name."""

LEAST = 50
"""Won and lost leads each, before anything can be learned from them."""
USEFUL = 0.55
"""The least share of pairs a model has to put in the right order; a coin has one half."""
MOST_FIELDS = 40
VALUE_CHARS = 60
MISSING = "没填"
OTHER = "别的"
NAMES: Mapping[str, str] = {
    "source": "来源", "channel": "渠道", "campaign": "活动", "keyword": "关键词",
    "product": "产品", "region": "地区", "industry": "行业", "title": "职位", "words": "留言字数",
    "phone": "电话", "email": "邮箱", "wechat": "微信", "company": "公司",
}  # fmt: skip


def traits(new: NewLead) -> dict[str, str | float]:
    """What may be learned from: known at the first moment, and saying nothing of who it is."""
    said: dict[str, str | float] = {
        name: str(getattr(new, name))[:VALUE_CHARS]
        for name in ("source", "channel", "campaign", "keyword", "product", "industry", "title")
        if getattr(new, name)
    }
    if new.region:
        said["region"] = province(new.region)
    for name in ("phone", "email", "wechat", "company"):
        said[name] = "有" if getattr(new, name) else MISSING
    said["words"] = float(len(new.message))
    more = [*_named("utm", new.utm), *_named("fields", new.fields)]
    return said | dict(more[:MOST_FIELDS])


def province(region: str) -> str:
    known = (name for group in BIG_REGIONS.values() for name in group)
    return next((name for name in known if region.startswith(name)), region[:VALUE_CHARS])


def _named(group: str, values: Mapping[str, Any]) -> Iterable[tuple[str, str | float]]:
    for name, value in values.items():
        if value not in (None, ""):
            yield f"{group}.{name}"[:VALUE_CHARS], measured(value)


def measured(value: object) -> str | float:
    """A number where it is one, so that it can be more or less than another."""
    try:
        number = float(str(value))
    except ValueError:
        return str(value)[:VALUE_CHARS]
    return number if math.isfinite(number) else str(value)[:VALUE_CHARS]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One trait: its ranges (``edges``) or its values, and what each of them weighs.

    ``usual``: what it weighed on average, so that a reason is a difference.
    """

    name: str
    edges: tuple[float, ...]
    weights: Mapping[str, float]
    usual: float = 0.0

    def label(self, told: Traits) -> str:
        """The range or value ``told`` is in."""
        value = told.get(self.name)
        if value is None:
            return MISSING
        if self.edges:
            return str(bisect_right(self.edges, value)) if isinstance(value, float) else OTHER
        label = plain(value)
        return label if label in self.weights else OTHER

    def effect(self, told: Traits) -> float:
        return self.weights.get(self.label(told), self.usual) - self.usual

    def says(self, told: Traits) -> str:
        """What a reason names: 渠道 展会, 停留时间 ≥ 674."""
        group, _, own = self.name.partition(".")
        name = NAMES.get(self.name) or own or group
        label = self.label(told)
        return f"{name} {_range(self.edges, int(label)) if self._ranged(label) else label}"

    def _ranged(self, label: str) -> bool:
        return bool(self.edges) and label.isdecimal()


def plain(value: str | float) -> str:
    """A value as a label; a whole number without its point."""
    return f"{value:g}" if isinstance(value, float) else value


def _range(edges: Sequence[float], place: int) -> str:
    if place == 0:
        return f"< {edges[0]:g}"
    if place == len(edges):
        return f"≥ {edges[-1]:g}"
    return f"{edges[place - 1]:g}-{edges[place]:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What was learned at ``at`` from so many leads.

    ``auc``: the share of (won, lost) pairs it puts in the right order, on leads it was not
    fitted to; ``later``: the same when fitted to the older leads and asked about the newer
    ones. ``calibration``: (told, happened, leads) for groups of leads, the unlikely first;
    ``fifths``: the probabilities that part the leads in five like groups.
    """

    at: datetime
    won: int
    lost: int
    base: float
    features: tuple[Feature, ...]
    auc: float
    later: float
    calibration: tuple[tuple[float, float, int], ...]
    fifths: tuple[float, ...]

    @property
    def n(self) -> int:
        return self.won + self.lost

    @property
    def drifts(self) -> bool:
        """Whether what held for older leads does not hold for newer ones."""
        allowed = max(0.05, 3 * _error(self.later, 0.4 * self.won, 0.4 * self.lost))
        return self.later < self.auc - allowed

    @property
    def trusted(self) -> bool:
        """Whether leads may be put in its order."""
        return self.auc >= USEFUL and not self.drifts

    def chance(self, told: Traits) -> float:
        """The probability that a lead with these traits is won, 0 to 1."""
        logit = self.base + sum(f.usual + f.effect(told) for f in self.features)
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, logit))))

    def reasons(self, told: Traits, most: int = 3) -> tuple[tuple[str, bool], ...]:
        """The strongest reasons, each with whether it speaks for the lead."""
        effects = sorted(((f.effect(told), f) for f in self.features), key=lambda e: -abs(e[0]))
        return tuple((f.says(told), e > 0) for e, f in effects[:most] if abs(e) >= 0.05)


def _error(auc: float, won: float, lost: float) -> float:
    """The standard error of an AUC (Hanley and McNeil 1982)."""
    won, lost = max(won, 1.0), max(lost, 1.0)
    one, two = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    spread = auc * (1 - auc) + (won - 1) * (one - auc**2) + (lost - 1) * (two - auc**2)
    return math.sqrt(max(spread, 0.0) / (won * lost))


SHIFTED = 0.25
"""A population stability index from here on is called a shift in credit scoring."""


def shift(model: Model, recent: Sequence[Traits]) -> float:
    """How far the leads that come in now lie from those learned from: 0 is not at all."""
    counts = [0] * (len(model.fifths) + 1)
    for told in recent:
        counts[bisect_right(model.fifths, model.chance(told))] += 1
    expected = 1 / len(counts)
    shares = [max(count / max(len(recent), 1), 0.001) for count in counts]
    return sum((share - expected) * math.log(share / expected) for share in shares)


def told(model: Model, about: Traits) -> tuple[str, ...]:
    """The probability in words, for whoever asks why."""
    lines = [f"成交可能：{round(100 * model.chance(about))}%，从 {model.n} 条结果学来"]
    signs = [f"{name} {'↑' if good else '↓'}" for name, good in model.reasons(about)]
    return (*lines, f"主要看：{'，'.join(signs)}") if signs else tuple(lines)


def to_json(model: Model) -> dict[str, Any]:
    features = [
        {"name": f.name, "edges": list(f.edges), "weights": dict(f.weights), "usual": f.usual}
        for f in model.features
    ]
    kept = ("won", "lost", "base", "auc", "later", "calibration", "fifths")
    return {name: getattr(model, name) for name in kept} | {
        "at": model.at.isoformat(),
        "features": features,
    }


def from_json(data: Mapping[str, Any]) -> Model:
    features = tuple(
        Feature(name=f["name"], edges=tuple(f["edges"]), weights=f["weights"], usual=f["usual"])
        for f in data["features"]
    )
    return Model(
        at=datetime.fromisoformat(data["at"]),
        won=data["won"],
        lost=data["lost"],
        base=data["base"],
        features=features,
        auc=data["auc"],
        later=data["later"],
        calibration=tuple((a, b, c) for a, b, c in data["calibration"]),
        fifths=tuple(data["fifths"]),
    )
