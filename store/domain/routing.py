"""Who gets a lead: rules in order, the first whose conditions hold and that finds somebody."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from store.domain.conditions import holds, matches
from store.domain.lead import Lead
from store.domain.rules import RoutingRule
from store.domain.team import Member, MemberId, Role

DEFAULT = (RoutingRule(name="轮流分配"),)
NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class Desk:
    """A member at work: how many open leads, and when the last one was given."""

    member: Member
    load: int
    turn_at: datetime | None

    @property
    def full(self) -> bool:
        return self.load >= self.member.capacity


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """``to`` None: ask the managers; ``grab``: these may take it, first press wins."""

    to: Member | None
    why: str
    grab: tuple[Member, ...] = ()


def fits(member: Member, lead: Lead) -> bool:
    """What is not known of a lead excludes nobody."""
    return all(
        not (wanted and value) or any(matches(name, value, w) for w in wanted)
        for name, wanted, value in (
            ("region", member.regions, lead.region),
            ("product", member.products, lead.product),
            ("industry", member.industries, lead.industry),
        )
    )


def choose(
    lead: Lead,
    rules: Sequence[RoutingRule],
    desks: Sequence[Desk],
    former: MemberId | None = None,
) -> Choice:
    """Decide who is offered ``lead``. ``desks``: every active rep of the team."""
    able = [d for d in desks if _able(d, lead)]
    for desk in desks:
        if lead.rep == desk.member.name and (desk in able or _befriended(desk, lead)):
            return Choice(to=desk.member, why=f"客户指名找 {lead.rep}")
    for desk in able:
        if former is not None and desk.member.id == former and fits(desk.member, lead):
            return Choice(to=desk.member, why="之前就是你跟的")
    for rule in rules or DEFAULT:
        if holds(rule.when, lead):
            choice = _apply(rule, lead, able)
            if choice is not None:
                return choice
    return Choice(to=None, why=_nobody(lead, desks))


def _able(desk: Desk, lead: Lead) -> bool:
    return _asked(desk, lead) and not desk.full


def _befriended(desk: Desk, lead: Lead) -> bool:
    """Who has the contact in WeCom has it, however full their hands: nobody else can write."""
    return bool(lead.external_userid) and lead.source == "wecom" and _asked(desk, lead)


def _asked(desk: Desk, lead: Lead) -> bool:
    member = desk.member
    return member.active and member.role == Role.REP and int(member.id) not in lead.refused


def _apply(rule: RoutingRule, lead: Lead, able: Sequence[Desk]) -> Choice | None:
    """None: this rule finds nobody, the next one may."""
    suited = [d for d in able if (d.member.name in rule.to if rule.to else fits(d.member, lead))]
    if rule.assign == "manager":
        return Choice(to=None, why=f"规则「{rule.name}」请主管决定")
    if not suited:
        return None
    if rule.assign == "grab":
        return Choice(to=None, why=rule.name, grab=tuple(d.member for d in suited))
    desk = min(suited, key=_order(rule.assign, lead))
    return Choice(to=desk.member, why=_because(rule, lead, desk.member))


def _order(strategy: str, lead: Lead) -> "_Key":
    return _Key(strategy, lead.grade)


@dataclass(frozen=True, slots=True)
class _Key:
    strategy: str
    grade: str

    def __call__(self, desk: Desk) -> tuple[int, int, datetime, int]:
        load = desk.load if self.strategy == "least_load" else 0
        gap = 0
        if self.strategy == "grade":
            gap = abs(ord((desk.member.grade or "Z")[0]) - ord(self.grade or "D"))
        return gap, load, desk.turn_at or NEVER, int(desk.member.id)


def _because(rule: RoutingRule, lead: Lead, member: Member) -> str:
    known: Mapping[str, str] = {
        "region": lead.region,
        "product": lead.product,
        "industry": lead.industry,
        "source": lead.source,
    }
    asked = rule.when or (("region",) if member.regions else ())
    facts = "、".join(known[name] for name in asked if known.get(name))
    how = {"least_load": "手上最少", "grade": "级别匹配"}.get(rule.assign, "轮到你")
    return "，".join(part for part in (facts, how) if part)


def _nobody(lead: Lead, desks: Sequence[Desk]) -> str:
    reps = [d for d in desks if d.member.active and d.member.role == Role.REP]
    if not reps:
        return "团队里还没有销售"
    suited = [d for d in reps if fits(d.member, lead)]
    if suited and all(d.full for d in suited):
        return "合适的人都满了"
    if suited:
        return "合适的人都没接"
    return "没有人负责这个" + ("地区" if lead.region else "产品或行业")
