"""The rules of this installation, as values: what the configuration says, ready to decide with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from zoneinfo import ZoneInfo

from store.domain.calendar import WorkCalendar
from store.domain.channels import ChannelRule
from store.domain.custom import FieldRule
from store.domain.deadlines import Limits
from store.domain.directory import RoleRule
from store.domain.lead import WORKING, Stage
from store.domain.lines import LineRule
from store.domain.quota import METERS, Api, Meter
from store.domain.sop import Sop, StageTask


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingRule:
    name: str
    when: Mapping[str, object] = field(default_factory=dict)
    assign: str = "round_robin"
    to: tuple[str, ...] = ()
    weights: Mapping[str, int] = field(default_factory=dict)  # name → turns; else the member's


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringRule:
    name: str
    when: Mapping[str, object]
    points: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How leads are rated: the rules, and what their points mean.

    ``grades``: least points of A, B and C. Behaviour is worth half after ``half_life``.
    """

    rules: tuple[ScoringRule, ...] = ()
    mql: int = 60
    hot: int = 80
    half_life: timedelta = timedelta(days=14)
    grades: tuple[int, int, int] = (80, 60, 40)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """What must be true of a lead before it is given to anybody by itself."""

    required: tuple[str, ...] = ()
    min_score: int = 0
    consent: bool = False
    working_time: bool = True


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
    stages: tuple[Stage, ...] = WORKING  # of the work, in their order
    version: int = 0  # of the rules of this installation; 0 = not kept
    channels: tuple[ChannelRule, ...] = ()
    margin: float = 1  # of what is won, what is left as gross profit
    lines: tuple[LineRule, ...] = ()  # business lines, each with leads of its own
    meters: Mapping[Api, Meter] = field(default_factory=lambda: METERS)  # what the platforms allow
    scale: Scale = field(default_factory=Scale)
    gates: Gates = field(default_factory=Gates)
