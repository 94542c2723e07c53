"""Who gets a lead: rules in order, the first whose conditions hold and that finds somebody."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from store.domain.conditions import failing, matches
from store.domain.lead import Lead, Stage
from store.domain.rules import RoutingRule
from store.domain.team import Member, MemberId, Role

NAMED = RoutingRule(name="客户指名", assign="named")
FORMER = RoutingRule(name="之前跟过", assign="former")
ROUND = RoutingRule(name="轮流分配")
NEVER = datetime.min.replace(tzinfo=UTC)
INSTANT = timedelta(microseconds=1)
LATELY = timedelta(days=30)
"""How long after a leave least load does not fill somebody's empty hands at once."""


@dataclass(slots=True)
class Desk:
    """A member at work: how many open leads, when and how far round the last one was given.

    ``off``: why they are not there; "" when they are. ``back``: they came back lately.
    """

    member: Member
    load: int
    turn_at: datetime | None
    turn: float | None = None
    off: str = ""
    back: bool = False

    @property
    def full(self) -> bool:
        return self.load >= self.member.capacity


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """``to`` None: ask the managers; ``grab``: these may take it, first press wins.

    ``rule`` decided it, after ``passed`` (rule, why not) had not; ``skipped``: reason →
    the members it kept. ``turn``: how far round ``to`` is with this one.
    """

    to: Member | None
    why: str
    grab: tuple[Member, ...] = ()
    rule: str = ""
    turn: float = 0.0
    passed: tuple[tuple[str, str], ...] = ()
    skipped: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


def fits(member: Member, lead: Lead) -> bool:
    """What is not known of a lead excludes nobody."""
    return not misfit(member, lead)


def misfit(member: Member, lead: Lead) -> str:
    """The first of region, product and industry that is not theirs; "" when all are."""
    for name, wanted, value in (
        ("region", member.regions, lead.region),
        ("product", member.products, lead.product),
        ("industry", member.industries, lead.industry),
    ):
        if wanted and value and not any(matches(name, value, w) for w in wanted):
            return name
    return ""


def lately(back_at: datetime | None, now: datetime) -> bool:
    """Whether somebody came back from a leave not long ago."""
    return back_at is not None and timedelta(0) <= now - back_at < LATELY


def sit(desk: Desk, desks: Iterable[Desk], at: datetime, turn: float) -> None:
    """Who sits at ``desk`` has one lead more, and it was their turn.

    Each turn comes after every other, also within one transaction and when this process's
    clock is behind: else the next lead goes to the same person again.
    """
    moments = (d.turn_at for d in desks if d.turn_at is not None)
    desk.turn_at = max([at, *(moment + INSTANT for moment in moments)])
    desk.turn = turn
    desk.load += 1


def choose(
    lead: Lead,
    rules: Sequence[RoutingRule],
    desks: Sequence[Desk],
    former: MemberId | None = None,
) -> Choice:
    """Decide who is offered ``lead``. ``desks``: every active rep of the team."""
    kept = {int(d.member.id): reason for d in desks if (reason := unable(d, lead))}
    passed: list[tuple[str, str]] = []
    for rule in _in_order(rules):
        failed = failing(rule.when, lead)
        choice = None if failed else _Turn(rule, lead, desks, kept, former).choose()
        if choice is not None:
            return replace(choice, passed=tuple(passed))
        silent = rule is FORMER or (rule is NAMED and not lead.rep)
        if not silent:
            passed.append((rule.name, failed or "nobody"))
    skipped = _Turn(ROUND, lead, desks, kept).skipped()
    return Choice(
        to=None, why=_nobody(lead, desks), passed=tuple(passed), skipped=_grouped(skipped)
    )


def _in_order(rules: Sequence[RoutingRule]) -> Iterable[RoutingRule]:
    """Who was named and who had it come first, unless the rules themselves say when."""
    told = {rule.assign for rule in rules}
    first = [rule for rule in (NAMED, FORMER) if rule.assign not in told]
    return (*first, *rules, ROUND)


def unable(desk: Desk, lead: Lead) -> str:
    """Why this member is not given this lead, whatever the rule; "" when nothing is in the way."""
    member = desk.member
    reasons = (
        ("inactive", not member.active or member.role != Role.REP),
        ("refused", int(member.id) in lead.refused),
        ("off", bool(desk.off)),
        ("full", desk.full),
    )
    return next((reason for reason, true in reasons if true), "")


def _only_they(desk: Desk, lead: Lead) -> bool:
    """Whether a new contact in WeCom is of somebody whose hands are full.

    They are there and nobody else can write: no colleague is given it, nor they more than
    they may have. Who is on leave is passed over like for every other lead.
    """
    contact = bool(lead.external_userid) and lead.source == "wecom" and lead.stage == Stage.NEW
    return contact and desk.member.name == lead.rep and unable(desk, lead) == "full"


@dataclass(frozen=True, slots=True)
class _Turn:
    """One rule, asked for one lead. ``kept``: who cannot have it whatever the rule, and why."""

    rule: RoutingRule
    lead: Lead
    desks: Sequence[Desk]
    kept: Mapping[int, str]
    former: MemberId | None = None

    def choose(self) -> Choice | None:
        """None: this rule finds nobody, the next one may."""
        if self.rule.assign in {"named", "former"}:
            return self._particular()
        skipped = self.skipped()
        suited = [d for d in self.desks if int(d.member.id) not in skipped]
        if self.rule.assign == "manager":
            return Choice(
                to=None, why=asks(self.rule), rule=self.rule.name, skipped=_grouped(skipped)
            )
        if not suited:
            return None
        if self.rule.assign == "grab":
            group = tuple(d.member for d in suited)
            return Choice(
                to=None,
                why=self.rule.name,
                grab=group,
                rule=self.rule.name,
                skipped=_grouped(skipped),
            )
        return self._next(suited, skipped)

    def skipped(self) -> dict[int, str]:
        """Member → why this rule passes them over."""
        reasons = {int(d.member.id): self._reason(d.member) for d in self.desks}
        return {member: reason for member, reason in reasons.items() if reason}

    def _reason(self, member: Member) -> str:
        if self.rule.to and member.name not in self.rule.to:
            return "not_named"
        misfitting = "" if self.rule.to else misfit(member, self.lead)
        return self.kept.get(int(member.id)) or misfitting

    def _particular(self) -> Choice | None:
        """The one the prospect named, or who had the lead before."""
        for desk in self.desks:
            if self.rule.assign == "named" and _only_they(desk, self.lead):
                why = f"客户加的是 {desk.member.name} 的企业微信，他手上满了"
                kept = _grouped(self.kept)
                return Choice(to=None, why=why, rule=self.rule.name, skipped=kept)
            able = int(desk.member.id) not in self.kept
            told = not self.rule.to or desk.member.name in self.rule.to
            if told and (why := self._meant(desk, able=able)):
                others = {int(d.member.id): "other" for d in self.desks if d is not desk}
                return Choice(
                    to=desk.member,
                    why=why,
                    rule=self.rule.name,
                    turn=(desk.turn or 0.0) + 1 / self._weight(desk),
                    skipped=_grouped(others | dict(self.kept)),
                )
        return None

    def _meant(self, desk: Desk, *, able: bool) -> str:
        lead, member = self.lead, desk.member
        if self.rule.assign == "named" and lead.rep == member.name:
            return f"客户指名找 {lead.rep}" if able else ""
        had = self.rule.assign == "former" and self.former == member.id
        return "之前就是你跟的" if had and able and fits(member, lead) else ""

    def _next(self, suited: Sequence[Desk], skipped: Mapping[int, str]) -> Choice:
        chosen = min(suited, key=lambda desk: self._order(desk, suited))
        reason = {"least_load": "load", "grade": "grade"}.get(self.rule.assign, "turn")
        others = {int(d.member.id): reason for d in suited if d is not chosen}
        return Choice(
            to=chosen.member,
            why=_because(self.rule, self.lead, chosen.member),
            rule=self.rule.name,
            turn=self._turn(chosen, suited),
            skipped=_grouped({**others, **skipped}),
        )

    def _order(self, desk: Desk, suited: Sequence[Desk]) -> tuple[int, int, float, datetime, int]:
        load = self._felt(desk, suited) if self.rule.assign == "least_load" else 0
        gap = 0
        if self.rule.assign == "grade":
            gap = abs(ord((desk.member.grade or "Z")[0]) - ord(self.lead.grade or "D"))
        turn = round(self._turn(desk, suited), 6)
        return gap, load, turn, desk.turn_at or NEVER, int(desk.member.id)

    def _turn(self, desk: Desk, suited: Sequence[Desk]) -> float:
        """How far round ``desk`` would be with this lead: a weight of 2 goes half as far each time.

        Nobody is further behind than the last one served, so that who was away gets the next
        lead and not all of them.
        """
        served = max((d.turn for d in suited if d.turn is not None), default=0.0)
        each = 1 / self._weight(desk)
        return max(each / 2 if desk.turn is None else desk.turn + each, served)

    def _felt(self, desk: Desk, suited: Sequence[Desk]) -> int:
        """The open leads as least load counts them.

        Who came back lately has empty hands and would get every lead until they are full:
        they count like the least loaded of the others, and so take turns with them.
        """
        others = [d.load for d in suited if not d.back]
        return max(desk.load, min(others)) if desk.back and others else desk.load

    def _weight(self, desk: Desk) -> int:
        return self.rule.weights.get(desk.member.name, desk.member.weight)


def asks(rule: RoutingRule) -> str:
    """Why nobody has a lead that ``rule`` leaves to the managers."""
    return f"规则「{rule.name}」请主管决定"


def proposed(lead: Lead, rules: Sequence[RoutingRule]) -> tuple[str, ...]:
    """Whom the rule names that left ``lead`` to the managers."""
    left = (rule for rule in rules if rule.assign == "manager" and lead.why == asks(rule))
    return next((rule.to for rule in left), ())


def _grouped(reasons: Mapping[int, str]) -> dict[str, tuple[int, ...]]:
    grouped: dict[str, tuple[int, ...]] = {}
    for member, reason in reasons.items():
        grouped[reason] = (*grouped.get(reason, ()), member)
    return grouped


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
    if not suited:
        return "没有人负责这个" + ("地区" if lead.region else "产品或行业")
    if all(d.off for d in suited):
        return "合适的人都不在"
    if all(d.full or d.off for d in suited):
        return "合适的人都满了"
    return "合适的人都没接"
