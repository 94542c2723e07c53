"""Where leads come from, what that costs, and what it is worth."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

CLASSES: Mapping[str, str] = {
    "own": "自有", "paid": "付费", "free": "免费", "partner": "伙伴", "rep": "销售自带",
}  # fmt: skip
BY_SOURCE: Mapping[str, str] = {
    "website": "own", "form": "own", "wecom": "own", "dingtalk": "own", "chat": "rep",
}  # fmt: skip
"""The class of a source no rule names; anything else is free."""
PAID = frozenset({"cpc", "ppc", "paid", "sem", "cpm", "feed", "ads", "ad"})
"""``utm_medium`` of what was paid for."""
MONTH = 30  # days a monthly cost is spread over


class Came(Protocol):
    """What says where a lead came from: an enquiry, or a lead."""

    @property
    def source(self) -> str: ...
    @property
    def channel(self) -> str: ...
    @property
    def campaign(self) -> str: ...
    @property
    def utm(self) -> Mapping[str, str]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRule:
    """``sources``: the sources, channels, campaigns or ``utm_source`` values that belong to it.

    ``per_month`` and ``per_lead`` in yuan; ``commission``: a partner's part of what was won.
    """

    name: str
    kind: str
    sources: tuple[str, ...] = ()
    per_month: float = 0
    per_lead: float = 0
    commission: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelFigures:
    """Leads of one channel: each count is part of the one before. Money in yuan."""

    name: str
    kind: str
    leads: int = 0
    mql: int = 0
    sql: int = 0
    won: int = 0
    amount: int = 0
    cost: float = 0
    margin: float = 1

    @property
    def profit(self) -> float:
        """Gross: what was won, as far as it is not spent on delivering it."""
        return self.amount * self.margin

    @property
    def roi(self) -> float | None:
        """(gross profit - cost) / cost; None where nothing was spent."""
        return (self.profit - self.cost) / self.cost if self.cost else None

    @property
    def per_lead(self) -> float | None:
        return self.cost / self.leads if self.leads else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """``leads`` leads of one origin and qualification, and what the won ones of them brought."""

    source: str
    channel: str
    campaign: str
    kind: str
    qualification: str
    leads: int
    amount: int
    utm: Mapping[str, str]


def rule_for(came: Came, rules: Sequence[ChannelRule]) -> ChannelRule | None:
    """The first rule that names the channel, else the campaign, the utm_source, the source."""
    for said in (came.channel, came.campaign, str(came.utm.get("utm_source", "")), came.source):
        for rule in rules:
            if said and said.casefold() in {s.casefold() for s in (rule.name, *rule.sources)}:
                return rule
    return None


def name_of(came: Came, rules: Sequence[ChannelRule]) -> str:
    """What it is counted under: the rule's name, else the channel it named, else its source."""
    rule = rule_for(came, rules)
    return rule.name if rule else came.channel or came.source


def class_of(came: Came, rules: Sequence[ChannelRule]) -> str:
    """own, paid, free, partner or rep."""
    rule = rule_for(came, rules)
    if rule is not None:
        return rule.kind
    if str(came.utm.get("utm_medium", "")).casefold() in PAID:
        return "paid"
    return BY_SOURCE.get(came.source, "free")


def report(
    groups: Iterable[Group], rules: Sequence[ChannelRule], days: int, margin: float
) -> tuple[ChannelFigures, ...]:
    """Quality and return of each channel, the most leads first; what only cost money comes too."""
    found: dict[str, list[Group]] = {rule.name: [] for rule in rules}
    for group in groups:
        found.setdefault(name_of(group, rules), []).append(group)
    by_name = {rule.name: rule for rule in rules}
    told = (_figures(n, gs, by_name.get(n), days, margin) for n, gs in found.items())
    return tuple(sorted((f for f in told if f.leads or f.cost), key=lambda f: (-f.leads, f.name)))


def _figures(
    name: str, groups: Sequence[Group], rule: ChannelRule | None, days: int, margin: float
) -> ChannelFigures:
    won = sum(g.amount for g in groups if g.qualification == "won")
    leads = sum(g.leads for g in groups)
    kinds = [g.kind for g in groups if g.kind]
    return ChannelFigures(
        name=name,
        kind=rule.kind if rule else max(kinds, key=kinds.count, default="free"),
        leads=leads,
        mql=_came_to(groups, "MQL", "SQL", "won"),
        sql=_came_to(groups, "SQL", "won"),
        won=_came_to(groups, "won"),
        amount=won,
        cost=_cost(rule, leads, won, days) if rule else 0,
        margin=margin,
    )


def _came_to(groups: Sequence[Group], *qualified: str) -> int:
    return sum(group.leads for group in groups if group.qualification in qualified)


def _cost(rule: ChannelRule, leads: int, won: int, days: int) -> float:
    return rule.per_month * days / MONTH + rule.per_lead * leads + rule.commission * won
