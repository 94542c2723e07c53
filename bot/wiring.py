"""From the configuration to the values the rules work with."""

from collections.abc import Collection
from datetime import time
from typing import Any

from bot import config
from bot.config import Settings, WeCom, span
from store.domain.calendar import WorkCalendar
from store.domain.channels import ChannelRule
from store.domain.custom import FieldRule
from store.domain.deadlines import Limits, Policy, Scope
from store.domain.directory import RoleRule
from store.domain.lines import LineRule
from store.domain.quota import EDITIONS, Allowance, meters
from store.domain.rules import (
    Gates,
    JourneyPlan,
    JourneyStep,
    RoutingRule,
    Rules,
    Scale,
    ScoringRule,
)
from store.domain.sop import Question, Sop, StageTask


def rules(settings: Settings) -> Rules:
    return Rules(
        zone=settings.zone,
        calendar=_calendar(settings),
        limits=_limits(settings),
        routing=tuple(RoutingRule(**rule.model_dump()) for rule in settings.routing),
        scoring=tuple(ScoringRule(**rule.model_dump()) for rule in settings.scoring),
        stages=config.stages(settings),
        fields=tuple(FieldRule(**one.model_dump()) for one in settings.field),
        journeys=_journeys(settings),
        quiet=span(settings.nurture.quiet) if settings.nurture.quiet else None,
        per_day=settings.nurture.per_day,
        digest_at=time.fromisoformat(settings.digest.at),
        mql=settings.score.mql,
        hot=settings.score.hot,
        public_url=settings.server.public_url,
        mails=settings.mail is not None,
        alarm_mail=settings.mail.alarms if settings.mail else "",
        wecom=settings.wecom is not None,
        wecom_group=bool(settings.wecom and settings.wecom.group_webhook.get_secret_value()),
        dingtalk=settings.dingtalk is not None,
        dingtalk_group=bool(
            settings.dingtalk and settings.dingtalk.group_webhook.get_secret_value()
        ),
        interactive=bool(settings.dingtalk and settings.dingtalk.card_template_id),
        sops=_sops(settings),
        tasks=tuple(StageTask(**task.model_dump()) for task in settings.task),
        reach_attempts=settings.attempts.most,
        reach_workdays=settings.attempts.workdays,
        roles=_roles(settings),
        todo=bool(settings.dingtalk and settings.dingtalk.todo),
        channels=tuple(ChannelRule(**channel.model_dump()) for channel in settings.channel),
        margin=settings.roi.margin,
        lines=tuple(LineRule(**line.model_dump()) for line in settings.line),
        meters=meters(allowance(settings)),
        scale=_scale(settings),
        gates=Gates(**settings.dispatch.model_dump()),
        **_contacts(settings.wecom),
    )


def _scale(settings: Settings) -> Scale:
    given = tuple(ScoringRule(**rule.model_dump()) for rule in settings.scoring)
    return Scale(rules=given, **settings.score.model_dump())


def allowance(settings: Settings) -> Allowance:
    """What the platforms allow accounts like ours; a platform that is off keeps its defaults."""
    wecom, dingtalk = settings.wecom, settings.dingtalk
    team = sum(1 for person in settings.team if person.wecom)
    calls, pushes = EDITIONS[dingtalk.edition if dingtalk else "standard"]
    return Allowance(
        wecom_accounts=(wecom.accounts if wecom else 0) or max(team, 1),
        wecom_mass_per_day=wecom.mass_per_day if wecom else 1,
        dingtalk_calls=(dingtalk.calls_per_month if dingtalk else 0) or calls,
        dingtalk_pushes=(dingtalk.pushes_per_month if dingtalk else 0) or pushes,
        dingtalk_per_minute=dingtalk.member_per_minute if dingtalk else 20,
    )


def _contacts(wecom: WeCom | None) -> dict[str, Any]:
    if wecom is None:
        return {}
    return wecom.model_dump(include={"welcome", "welcomes", "remarks", "tags"})


def _calendar(settings: Settings) -> WorkCalendar:
    calendar = settings.calendar
    return WorkCalendar(
        zone=settings.zone,
        hours=calendar.hours,
        workdays=calendar.workdays,
        holidays=frozenset(calendar.holidays),
        extra_workdays=frozenset(calendar.extra_workdays),
        always_open=calendar.always_open,
    )


def _limits(settings: Settings) -> Limits:
    pool = settings.pool.model_dump(exclude={"policy", "scope", "exempt_stages"})
    own = (stage.name for stage in settings.stage if stage.exempt)
    return Limits(
        **settings.sla.model_dump(),
        **pool,
        hot=settings.score.hot,
        exempt_stages=(*settings.pool.exempt_stages, *own),
        policies=tuple(map(_policy, settings.pool.policy)),
        scopes=tuple(Scope(**scope.model_dump()) for scope in settings.pool.scope),
    )


def _policy(policy: config.Policy) -> Policy:
    spans = policy.model_dump(exclude={"name", "when", "exempt"}, exclude_none=True)
    return Policy(name=policy.name, when=policy.when, exempt=policy.exempt, spans=spans)


def _journeys(settings: Settings) -> tuple[JourneyPlan, ...]:
    return tuple(
        JourneyPlan(
            name=journey.name,
            reasons=journey.reasons,
            steps=tuple(JourneyStep(**step.model_dump()) for step in journey.steps),
        )
        for journey in settings.journey
    )


def _sops(settings: Settings) -> tuple[Sop, ...]:
    return tuple(
        Sop(
            **sop.model_dump(exclude={"questions"}),
            questions=tuple(Question(**question.model_dump()) for question in sop.questions),
        )
        for sop in settings.sop
    )


def _roles(settings: Settings) -> tuple[RoleRule, ...]:
    granted = settings.role if settings.directory.sync else ()
    return tuple(
        RoleRule(**rule.model_dump() | {"capacity": rule.capacity or settings.pool.cap})
        for rule in granted
    )


def team(settings: Settings) -> list[dict[str, Any]]:
    """The people of the configuration, as the store keeps them."""
    return [
        {
            "name": person.name,
            "role": person.role,
            "wecom": person.wecom or None,
            "dingtalk": person.dingtalk or None,
            "regions": list(person.regions),
            "products": list(person.products),
            "industries": list(person.industries),
            "grade": person.grade,
            "capacity": person.capacity or settings.pool.cap,
            "weight": person.weight,
        }
        for person in settings.team
    ]


def channels(settings: Settings) -> Collection[str]:
    """What is configured, by the names that alarms have."""
    wecom, dingtalk = settings.wecom, settings.dingtalk
    there = {
        "wecom": wecom,
        "wecom_group": wecom and wecom.group_webhook.get_secret_value(),
        "aibot": wecom and wecom.aibot,
        "dingtalk": dingtalk,
        "dingtalk_group": dingtalk,  # groups are bound by calling the bot in them, too
        "mail": settings.mail,
    }
    return {name for name, section in there.items() if section}
