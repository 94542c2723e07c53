"""The rules of this installation, as values: what the configuration says, ready to decide with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from zoneinfo import ZoneInfo

from store.domain.calendar import WorkCalendar
from store.domain.custom import FieldRule
from store.domain.deadlines import Limits
from store.domain.directory import RoleRule
from store.domain.quota import METERS, Api, Meter
from store.domain.sop import Sop, StageTask


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingRule:
    name: str
    when: Mapping[str, object] = field(default_factory=dict)
    assign: str = "round_robin"
    to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringRule:
    name: str
    when: Mapping[str, object]
    points: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyStep:
    after: timedelta
    channel: str
    template: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyPlan:
    name: str
    reasons: tuple[str, ...]
    steps: tuple[JourneyStep, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    zone: ZoneInfo
    calendar: WorkCalendar
    limits: Limits
    routing: tuple[RoutingRule, ...]
    scoring: tuple[ScoringRule, ...]
    journeys: tuple[JourneyPlan, ...]
    quiet: tuple[time, time] | None
    per_day: int
    digest_at: time
    mql: int
    hot: int
    public_url: str
    mails: bool  # a mail server is configured
    wecom: bool
    wecom_group: bool  # the managers' group robots are configured
    dingtalk: bool
    dingtalk_group: bool
    alarm_mail: str = ""  # who hears by e-mail that a platform cannot be reached
    sops: tuple[Sop, ...] = ()
    tasks: tuple[StageTask, ...] = ()
    reach_attempts: int = 6  # tries in vain, in so many working days, before a return is suggested
    reach_workdays: int = 10
    roles: tuple[RoleRule, ...] = ()  # who of the platforms' directories is in the team
    interactive: bool = False  # DingTalk's card platform has our template
    todo: bool = False  # reminders are to-do entries in DingTalk, too
    welcome: str = ""  # to a new WeCom contact; "" = none
    welcomes: Mapping[str, str] = field(default_factory=dict)  # channel → its own welcome
    remarks: bool = False  # new contacts get a remark
    tags: bool = False  # contacts are tagged with their lead's stage
    fields: tuple[FieldRule, ...] = ()  # of the company's own
    version: int = 0  # of the rules of this installation; 0 = not kept
    meters: Mapping[Api, Meter] = field(default_factory=lambda: METERS)  # what the platforms allow
