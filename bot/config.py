"""
The configuration: ``leadbot.toml``, then the environment, every mistake at once.

The names are those of ``leadbot.example.toml``; an unknown key is a mistake, a
platform without a section is off. ``LEADBOT_WECOM__SECRET`` is ``[wecom] secret``.
"""

import os
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from store.domain.conditions import FIELDS, NUMBERS
from store.domain.errors import ConfigError
from store.domain.intake import EXTENSION, OTHER_EMAILS, OTHER_PHONES
from store.domain.lead import REASONS, STAGES, WORKING, Stage
from store.domain.scoring import EVENTS, MOST
from store.domain.team import Role

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
HUNDREDS = frozenset({"min_score", "min_complete"})
SOURCE_LIMIT = 64  # characters that are kept of a source's name
PLAIN_BASES = ("http://", "https://")
GRADES = ("A", "B", "C", "D")


def duration(text: object) -> timedelta:
    """Read ``"30m"``, ``"24h"``, ``"15d"``, ``"10s"``."""
    match = re.fullmatch(r"(\d{1,6})\s*([smhd])", str(text).strip())
    if match is None:
        raise ValueError('write a duration like "10s", "30m", "24h" or "15d"')
    return timedelta(**{UNITS[match[2]]: int(match[1])})


def span(text: object) -> tuple[time, time]:
    """Read ``"09:00-12:00"``; the end may lie after midnight (``"21:00-09:00"``)."""
    try:
        start, end = (time.fromisoformat(part.strip()) for part in str(text).split("-"))
    except ValueError:
        raise ValueError('write a span like "09:00-12:00"') from None
    return start, end


def spelled(length: timedelta) -> str:
    """``length`` as it is written in the file: what ``duration`` reads."""
    seconds = int(length.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _spelled_span(hours: tuple[time, time]) -> str:
    return "-".join(at.isoformat() for at in hours)


def _lasts(length: timedelta) -> timedelta:
    if not length:
        raise ValueError('write more than 0, like "1m"')
    return length


def _base(url: str) -> str:
    if not url.startswith((*PLAIN_BASES, "ws://", "wss://")):
        raise ValueError("write a whole URL, with https:// in front")
    return url.rstrip("/")


Duration = Annotated[
    timedelta, BeforeValidator(duration), PlainSerializer(spelled, when_used="json")
]
Span = Annotated[
    tuple[time, time], BeforeValidator(span), PlainSerializer(_spelled_span, when_used="json")
]
Lasting = Annotated[Duration, AfterValidator(_lasts)]
"""A span after which something is taken or told: none at all would be at once, for ever."""
Base = Annotated[str, AfterValidator(_base)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Server(Section):
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    public_url: Base = "http://127.0.0.1:8080"


class Database(Section):
    url: str = "sqlite+aiosqlite:///leadbot.db"

    @field_validator("url")
    @classmethod
    def _known(cls, url: str) -> str:
        if not url.startswith(("sqlite+aiosqlite://", "postgresql+asyncpg://")):
            raise ValueError("write sqlite+aiosqlite:///FILE or postgresql+asyncpg://…")
        try:
            make_url(url)
        except (ArgumentError, ValueError):
            raise ValueError("cannot be read: a port is a number, odd signs are %XX") from None
        return url


class Api(Section):
    """``whole``: sources whose key reads also what lies unclaimed in a pool unmasked."""

    keys: dict[str, SecretStr] = {}
    whole: tuple[str, ...] = ()

    @field_validator("keys")
    @classmethod
    def _long_enough(cls, keys: dict[str, SecretStr]) -> dict[str, SecretStr]:
        short = [name for name, key in keys.items() if len(key.get_secret_value()) < 16]
        if short:
            raise ValueError(f"shorter than 16 characters: {', '.join(short)}")
        return keys

    @field_validator("keys")
    @classmethod
    def _tell_apart(cls, keys: dict[str, SecretStr]) -> dict[str, SecretStr]:
        long = [name for name in keys if not 1 <= len(name) <= SOURCE_LIMIT]
        if long:
            raise ValueError(f"write source names of 1 to {SOURCE_LIMIT} characters")
        if len({key.get_secret_value() for key in keys.values()}) < len(keys):
            raise ValueError("two sources have the same key")
        return keys

    @model_validator(mode="after")
    def _whole_to_whom(self) -> Self:
        unknown = sorted(set(self.whole) - set(self.keys))
        if unknown:
            raise ValueError(f"whole: no key is called {', '.join(unknown)}")
        return self


class AiBot(Section):
    bot_id: str
    secret: SecretStr
    name: str = Field(default="", max_length=64)  # needed where it has blanks
    url: Base = "wss://openws.work.weixin.qq.com"


WELCOME = "你好，很高兴认识你。想了解什么，直接在这里发给我就行。"
WELCOME_WORDS = frozenset({"name", "rep", "channel"})
WELCOME_BYTES = 3000
"""WeCom takes 4,000 (D:92137); the rest is room for the names."""


def _fitting_welcome(text: str) -> str:
    unknown = set(re.findall(r"\{(.*?)\}", text)) - WELCOME_WORDS
    if unknown:
        raise ValueError(f"{{{min(unknown)}}} is none of {{name}}, {{rep}}, {{channel}}")
    if len(text.encode()) > WELCOME_BYTES:
        most = f"{WELCOME_BYTES} bytes, about {WELCOME_BYTES // 3} characters"
        raise ValueError(f"longer than {most}")
    return text


class WeCom(Section):
    corp_id: str
    agent_id: int
    secret: SecretStr
    token: SecretStr
    encoding_aes_key: SecretStr
    api_base: Base = "https://qyapi.weixin.qq.com"
    login_base: Base = "https://open.weixin.qq.com"
    group_webhook: SecretStr = SecretStr("")
    accounts: int = Field(default=0, ge=0)  # of the corp, for its messages a day; 0 = the team's
    mass_per_day: int = Field(default=1, ge=1)  # 群发 tasks one customer may be in
    welcome: str = WELCOME
    welcomes: dict[str, str] = {}
    remarks: bool = False
    tags: bool = False
    aibot: AiBot | None = None

    @field_validator("encoding_aes_key")
    @classmethod
    def _forty_three(cls, key: SecretStr) -> SecretStr:
        if not re.fullmatch(r"[A-Za-z0-9+/]{43}", key.get_secret_value()):
            raise ValueError("copy the 43 letters and digits from the console")
        return key

    @field_validator("welcome")
    @classmethod
    def _a_welcome(cls, text: str) -> str:
        return _fitting_welcome(text)

    @field_validator("welcomes")
    @classmethod
    def _some_welcomes(cls, texts: dict[str, str]) -> dict[str, str]:
        return {channel: _fitting_welcome(text) for channel, text in texts.items()}


MAY_REACH = frozenset({"phone", "email", "wechat"})


def _reaching(fields: dict[str, str]) -> dict[str, str]:
    if not MAY_REACH & fields.keys():
        raise ValueError(f"nobody can be reached: name one of {', '.join(sorted(MAY_REACH))}")
    empty = sorted(name for name, where in fields.items() if not where.strip())
    if empty:
        raise ValueError(f"say where it stands: {', '.join(empty)}")
    return fields


Mapped = Annotated[dict[str, str], AfterValidator(_reaching)]
"""A lead's field and where its value stands in what the other side sends."""


class Approval(Section):
    """A DingTalk approval that serves as a form: a lead's field is the label of one of its parts."""

    process_code: str = Field(min_length=1)
    fields: Mapped


class DingTalk(Section):
    corp_id: str
    client_id: str
    client_secret: SecretStr
    mode: Literal["stream", "http"] = "stream"
    api_base: Base = "https://api.dingtalk.com"
    oapi_base: Base = "https://oapi.dingtalk.com"
    token: SecretStr = SecretStr("")
    encoding_aes_key: SecretStr = SecretStr("")
    card_template_id: str = ""
    agent_id: int = Field(default=0, ge=0)  # for work notifications, where the robot cannot write
    edition: Literal["standard", "professional"] = "standard"
    calls_per_month: int = Field(default=0, ge=0)  # 0 = the edition's; more with an add-on
    pushes_per_month: int = Field(default=0, ge=0)
    member_per_minute: int = Field(default=20, ge=1)  # messages to one person
    group_webhook: SecretStr = SecretStr("")
    group_webhook_secret: SecretStr = SecretStr("")
    jsapi_url: Base = "https://g.alicdn.com/dingding/dingtalk-jsapi/3.0.25/dingtalk.open.js"
    todo: bool = False
    approval: tuple[Approval, ...] = ()

    @model_validator(mode="after")
    def _http_needs_keys(self) -> Self:
        key = self.encoding_aes_key.get_secret_value()
        if self.mode == "http" and not (self.token.get_secret_value() and len(key) == 43):
            raise ValueError('mode = "http" needs token and the 43 characters of encoding_aes_key')
        return self


def _letter(grade: str) -> str:
    """Grades of people are those of leads, which they are matched with."""
    if grade.upper() not in {"", *GRADES}:
        raise ValueError(f"write one of {', '.join(GRADES)}")
    return grade.upper()


Grade = Annotated[str, AfterValidator(_letter)]


class Person(Section):
    name: str = Field(min_length=1, max_length=64)
    wecom: str = Field(default="", max_length=64)
    dingtalk: str = Field(default="", max_length=64)
    role: Role = Role.REP
    regions: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    industries: tuple[str, ...] = ()
    grade: Grade = ""
    capacity: int = Field(default=0, ge=0)  # 0 = [pool] cap
    weight: int = Field(default=1, ge=1, le=100)  # turns for each one of somebody with 1

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if not (self.wecom or self.dingtalk):
            raise ValueError("write their wecom or dingtalk account, or no card reaches them")
        return self


class Directory(Section):
    """``sync``: the team is who the platforms' directories and [[role]] say, besides [[team]].

    ``dingtalk_departments``: where reading begins; 1 is the whole organisation.
    """

    sync: bool = False
    dingtalk_departments: tuple[int, ...] = Field(default=(1,), min_length=1)


class RoleGrant(Section):
    """Everybody of ``department`` and below it, with ``tag``, is in the team as this."""

    role: Role = Role.REP
    department: str = ""
    tag: str = ""
    regions: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    industries: tuple[str, ...] = ()
    grade: Grade = ""
    capacity: int = Field(default=0, ge=0)  # 0 = [pool] cap

    @model_validator(mode="after")
    def _of_somebody(self) -> Self:
        if not (self.department or self.tag):
            raise ValueError("write a department or a tag, or everybody would have this role")
        return self


class Hook(Section):
    """A program that posts JSON to ``/hooks/{source}``; ``fields`` and ``dedupe`` are paths."""

    source: str = Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")
    secret: SecretStr
    fields: Mapped
    dedupe: str = ""

    @field_validator("secret")
    @classmethod
    def _long_enough(cls, secret: SecretStr) -> SecretStr:
        if len(secret.get_secret_value()) < 16:
            raise ValueError("shorter than 16 characters")
        return secret


class Calendar(Section):
    timezone: str = "Asia/Shanghai"
    always_open: bool = False
    hours: tuple[Span, ...] = ((time(9), time(12)), (time(13, 30), time(18, 30)))
    workdays: tuple[Annotated[int, Field(ge=1, le=7)], ...] = (1, 2, 3, 4, 5)
    holidays: tuple[date, ...] = ()
    extra_workdays: tuple[date, ...] = ()

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError('unknown; write one like "Asia/Shanghai"') from None
        return name

    @model_validator(mode="after")
    def _open_at_times(self) -> Self:
        if not self.always_open and not (self.hours and self.workdays):
            raise ValueError("write hours and workdays of 1 to 7, or always_open = true")
        return self


class Sla(Section):
    first_response: Lasting = timedelta(minutes=30)
    first_response_hot: Lasting = timedelta(minutes=5)
    accept: Lasting = timedelta(minutes=5)
    accept_tries: int = Field(default=3, ge=1)
    grace: Lasting = timedelta(hours=1)  # what a manager's 再给一小时 gives


def _wanted(value: object) -> bool | int | str | tuple[str, ...]:
    """Told in one line, whatever else was written."""
    if isinstance(value, bool | int | str):
        return value
    if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
        return tuple(value)
    raise ValueError("write a text, a list of texts, a whole number or true")


Wanted = dict[str, Annotated[Any, AfterValidator(_wanted)]]


def _conditions(when: Wanted) -> Wanted:
    unknown = sorted(set(when) - set(FIELDS))
    if unknown:
        raise ValueError(f"unknown: {', '.join(unknown)}; there are {', '.join(FIELDS)}")
    for name, wanted in when.items():
        mistake = _no_number(name, wanted) if name in NUMBERS else _no_value(name, wanted)
        if mistake:
            raise ValueError(f"{name}: {mistake}")
    return when


def _no_number(name: str, wanted: object) -> str:
    if not isinstance(wanted, int) or isinstance(wanted, bool):
        return "write a number"
    if wanted < 0 or (name in HUNDREDS and wanted > MOST):
        return f"write a number from 0 to {MOST}" if name in HUNDREDS else "write 0 or more"
    return ""


def _no_value(name: str, wanted: object) -> str:
    """What holds for nobody, or for everybody who said anything, was meant otherwise."""
    values = wanted if isinstance(wanted, tuple) else (wanted,)
    if wanted is False or not values or not all(str(value).strip() for value in values):
        return "write what it has to be, or true for any value"
    if name == "grade" and wanted is not True:
        unknown = [str(v) for v in values if str(v).upper() not in GRADES]
        return f"unknown: {unknown[0]}; there are {', '.join(GRADES)}" if unknown else ""
    return ""


def _scoring_conditions(when: Wanted) -> Wanted:
    """Those of routing but for the score itself, and what the person did."""
    scored = sorted({"min_score", "grade"} & set(when))
    if scored:
        raise ValueError(f"{', '.join(scored)}: a rule that gives points cannot ask for them")
    _conditions({name: wanted for name, wanted in when.items() if name != "event"})
    if "event" in when:
        _check_event(when["event"])
    return when


def _check_event(given: object) -> None:
    names = given if isinstance(given, tuple) and given else (given,)
    unknown = sorted({*names} - set(EVENTS), key=str)
    if unknown:
        there = f"there are {', '.join(EVENTS)}"
        raise ValueError(f"event: unknown: {unknown[0] or '[]'}; {there}")


Conditions = Annotated[Wanted, AfterValidator(_conditions)]
ScoringConditions = Annotated[Wanted, AfterValidator(_scoring_conditions)]


def _stage(name: str) -> str:
    """The code of a stage, which may be written as the cards call it."""
    return next((str(code) for code, label in STAGES.items() if name in {code, label}), name)


def _with_stages(when: Wanted) -> Wanted:
    """Conditions of the clock: those of all rules, and the stage."""
    rest = _conditions({name: value for name, value in when.items() if name != "stage"})
    if "stage" not in when:
        return rest
    stages = when["stage"]
    named = (stages,) if isinstance(stages, str) else stages
    if not isinstance(named, tuple) or not named:
        raise ValueError("stage: write the name of a stage, or a list of them")
    return rest | {"stage": tuple(map(_stage, named))}


StageName = Annotated[str, AfterValidator(_stage)]


class Policy(Section):
    """Other spans for some leads: the first whose conditions all hold."""

    name: str = Field(max_length=32)
    when: Annotated[Wanted, AfterValidator(_with_stages)] = {}
    exempt: bool = False
    no_contact: Lasting | None = None
    no_follow_up: Lasting | None = None
    no_conversion: Lasting | None = None
    hard_max: Lasting | None = None
    protect: Duration | None = None
    extend: Duration | None = None


class Scope(Section):
    """A pool of its own: who may claim from it, and who gives its leads to somebody."""

    name: str = Field(min_length=1, max_length=32)
    when: Conditions = {}
    members: tuple[str, ...] = ()
    admins: tuple[str, ...] = ()


class Pool(Section):
    no_contact: Lasting = timedelta(hours=24)
    no_follow_up: Lasting = timedelta(days=15)
    no_conversion: Lasting = timedelta(days=14)
    hard_max: Lasting = timedelta(days=20)
    protect: Duration = timedelta(days=10)
    extend: Duration = timedelta(days=7)
    idle_to_marketing: Lasting = timedelta(days=30)
    cap: int = Field(default=50, ge=1)
    daily_claims: int = Field(default=10, ge=0)
    cooldown: Duration = timedelta(days=7)
    embargo: Duration = timedelta(0)
    warn_before: tuple[Duration, ...] = (timedelta(hours=24), timedelta(hours=2))
    exempt_stages: tuple[StageName, ...] = ()
    policy: tuple[Policy, ...] = ()
    scope: tuple[Scope, ...] = ()

    @field_validator("scope")
    @classmethod
    def _scopes_differ(cls, scopes: tuple[Scope, ...]) -> tuple[Scope, ...]:
        twice = _twice(scope.name for scope in scopes)
        if twice:
            raise ValueError(f"name: twice: {', '.join(twice)}")
        return scopes


class Routing(Section):
    name: str = Field(min_length=1)
    when: Conditions = {}
    assign: Literal["named", "former", "round_robin", "least_load", "grade", "manager", "grab"] = (
        "round_robin"
    )
    to: tuple[str, ...] = ()
    weights: dict[str, Annotated[int, Field(ge=1, le=100)]] = {}


class Scoring(Section):
    name: str = Field(min_length=1)
    when: ScoringConditions = {}
    points: int = Field(ge=-1000, le=1000)


class Score(Section):
    """``grades``: least points of A, B and C."""

    mql: int = Field(default=60, ge=0, le=MOST)
    hot: int = Field(default=80, ge=0, le=MOST)
    half_life: Duration = timedelta(days=14)
    grades: tuple[int, int, int] = (80, 60, 40)

    @field_validator("half_life")
    @classmethod
    def _takes_time(cls, span: timedelta) -> timedelta:
        if span < timedelta(minutes=14):
            raise ValueError("write at least 14m, or points would be gone at once")
        return span

    @field_validator("grades")
    @classmethod
    def _falling(cls, grades: tuple[int, int, int]) -> tuple[int, int, int]:
        a, b, c = grades
        if not MOST >= a > b > c > 0:
            raise ValueError("write the least points of A, B and C, like [80, 60, 40]")
        return grades


class Dispatch(Section):
    """What must be true of a lead before it is given to anybody by itself."""

    required: tuple[str, ...] = ()
    min_score: int = Field(default=0, ge=0, le=100)
    consent: bool = False
    working_time: bool = True


class Digest(Section):
    at: str = "18:30"

    @field_validator("at")
    @classmethod
    def _a_time(cls, text: str) -> str:
        time.fromisoformat(text)
        return text


class Nurture(Section):
    quiet: str = "21:00-09:00"
    per_day: int = Field(default=1, ge=0)

    @field_validator("quiet")
    @classmethod
    def _a_span(cls, text: str) -> str:
        if text:
            span(text)
        return text


class Step(Section):
    after: Duration
    channel: Literal["email", "wecom"]
    template: Literal["brand", "product", "case", "event"]  # those of cards.mail


class Journey(Section):
    name: str = Field(max_length=64)
    reasons: tuple[str, ...] = ()
    steps: tuple[Step, ...] = Field(min_length=1)

    @field_validator("reasons")
    @classmethod
    def _known(cls, reasons: tuple[str, ...]) -> tuple[str, ...]:
        unknown = sorted(set(reasons) - set(REASONS))
        if unknown:
            raise ValueError(f"unknown: {', '.join(unknown)}; there are {', '.join(REASONS)}")
        return reasons


def _wake_up() -> tuple[Journey, ...]:
    days = (("1d", "brand"), ("3d", "product"), ("7d", "case"), ("10d", "event"))
    steps = tuple(
        Step.model_validate({"after": after, "channel": "email", "template": name})
        for after, name in days
    )
    return (Journey(name="wake-up", steps=steps),)


class Question(Section):
    """``id`` is the field that keeps the answer; ``options`` are answers to press."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    label: str = Field(min_length=1, max_length=20)
    options: tuple[str, ...] = ()


class StageOfOwn(Section):
    """A stage of the work, in the order they are written; none written: 跟进中, 意向, 已报价."""

    name: StageName
    exempt: bool = False

    @field_validator("name")
    @classmethod
    def _work(cls, name: str) -> str:
        if name in set(STAGES) - set(WORKING):
            raise ValueError(f"{name} is no stage of the work: choose another name")
        if name not in STAGES and not re.fullmatch(r"\S{1,8}", name):
            raise ValueError("write a name of 1 to 8 characters without blanks")
        return name


class Sop(Section):
    """How a stage is worked. Leads below ``min_score`` have no such rule, or a milder one."""

    stage: StageName
    min_score: int = 0
    every: Lasting | None = None
    channel: str = Field(default="", max_length=10)
    questions: tuple[Question, ...] = ()

    @field_validator("questions")
    @classmethod
    def _differ(cls, questions: tuple[Question, ...]) -> tuple[Question, ...]:
        twice = _twice(name for q in questions for name in {q.id, q.label})
        if twice:
            raise ValueError(f"twice: {', '.join(twice)}")
        return questions


class Task(Section):
    """What is to be done so long after a stage was entered."""

    stage: StageName
    after: Duration
    text: str = Field(min_length=1, max_length=100)


def _quote_task() -> tuple[Task, ...]:
    return (Task.model_validate({"stage": "quoted", "after": "3d", "text": "问问报价看得怎么样"}),)


class Attempts(Section):
    """Tries in vain, in so many working days, after which a return is suggested."""

    most: int = Field(default=6, ge=1)
    workdays: int = Field(default=10, ge=1)


class Mail(Section):
    host: str = "127.0.0.1"
    port: int = 25
    username: str = ""
    password: SecretStr = SecretStr("")
    tls: Literal["none", "starttls", "tls"] = "none"
    sender: str = Field(default="leadbot@localhost", alias="from")
    alarms: str = Field(default="", pattern=r"^([^@\s]+@[^@\s]+)?$")  # the admin's mailbox


class Channel(Section):
    """``sources``: sources, channels, campaigns and utm_source values that belong to it."""

    name: str = Field(min_length=1, max_length=100)
    kind: Literal["own", "paid", "free", "partner", "rep"] = "own"
    sources: tuple[str, ...] = ()
    per_month: float = Field(default=0, ge=0)  # yuan
    per_lead: float = Field(default=0, ge=0)  # yuan
    commission: float = Field(default=0, ge=0, le=1)  # a partner's part of what is won


class Roi(Section):
    margin: float = Field(default=1, gt=0, le=1)  # gross profit in what is won


class Line(Section):
    """A business line; one person may have a lead in each."""

    name: str = Field(min_length=1, max_length=64)
    products: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _recognisable(self) -> Self:
        if not any((*self.products, *self.keywords)):
            raise ValueError("write products or keywords, or nothing belongs to this line")
        return self


class Limits(Section):
    api_per_minute: int = Field(default=600, ge=0)
    body_bytes: int = Field(default=65536, ge=1024)


TAKEN = frozenset({"event", "what", EXTENSION, OTHER_PHONES, OTHER_EMAILS})
"""Names in ``fields`` that have a meaning already; those of the lead's columns have, too."""


class CustomField(Section):
    """A field of the company's own: asked for, kept with its type, shown where it should be."""

    name: str = Field(min_length=1, max_length=20, pattern=r"^\S+$")
    type: Literal["text", "number", "date", "choice"] = "text"
    choices: tuple[str, ...] = ()
    required: bool = False
    card: bool = True
    hidden: bool = False

    @field_validator("name")
    @classmethod
    def _of_its_own(cls, name: str) -> str:
        from bot.files.headings import column  # noqa: PLC0415 - spreadsheets take time to load

        if name in TAKEN or column(name):
            raise ValueError(f"every lead has {name} already: choose another name")
        return name

    @field_validator("choices")
    @classmethod
    def _tell_apart(cls, choices: tuple[str, ...]) -> tuple[str, ...]:
        if not all(choice == choice.strip() != "" for choice in choices) or _twice(choices):
            raise ValueError("write each choice once, and no empty one")
        return choices

    @model_validator(mode="after")
    def _a_choice_has_choices(self) -> Self:
        if (self.type == "choice") != bool(self.choices):
            raise ValueError('write choices = ["…"], and type = "choice"')
        return self


class Form(Section):
    """A hosted form, ``/f/{name}``. A project without any gets one named ``default``."""

    name: str = Field(pattern=r"^[a-z0-9-]{1,40}$")
    title: str = "留下联系方式，我们马上联系你"
    intro: str = ""
    product: str = ""
    campaign: str = ""
    consent: str = "我同意贵公司用以上信息与我联系，可随时要求停止联系"
    thanks: str = "收到了，我们会尽快联系你"


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix="LEADBOT_",
        env_nested_delimiter="__",
        hide_input_in_errors=True,
    )
    server: Server = Server()
    database: Database = Database()
    api: Api = Api()
    wecom: WeCom | None = None
    dingtalk: DingTalk | None = None
    team: tuple[Person, ...] = ()
    directory: Directory = Directory()
    role: tuple[RoleGrant, ...] = ()
    hook: tuple[Hook, ...] = ()
    calendar: Calendar = Calendar()
    sla: Sla = Sla()
    pool: Pool = Pool()
    routing: tuple[Routing, ...] = ()
    scoring: tuple[Scoring, ...] = ()
    score: Score = Score()
    dispatch: Dispatch = Dispatch()
    digest: Digest = Digest()
    nurture: Nurture = Nurture()
    journey: tuple[Journey, ...] = Field(default_factory=_wake_up)
    stage: tuple[StageOfOwn, ...] = ()
    sop: tuple[Sop, ...] = ()
    task: tuple[Task, ...] = Field(default_factory=_quote_task)
    attempts: Attempts = Attempts()
    mail: Mail | None = None
    channel: tuple[Channel, ...] = ()
    roi: Roi = Roi()
    line: tuple[Line, ...] = ()
    limits: Limits = Limits()
    field: tuple[CustomField, ...] = ()
    form: tuple[Form, ...] = (Form(name="default"),)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings  # the environment wins over the file

    @property
    def named(self) -> tuple[set[str], set[str]]:
        """The people whom the routing names, and those whom the pools name."""
        routed = {to for rule in self.routing for to in (*rule.to, *rule.weights)}
        return routed, {n for pool in self.pool.scope for n in (*pool.members, *pool.admins)}

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        names = {person.name for person in self.team}
        unknown, strangers = (sorted(told - names) for told in self.named)
        mistakes = []
        for key in ("name", "wecom", "dingtalk"):
            twice = _twice(getattr(person, key) for person in self.team)
            if twice:
                mistakes.append(f"[[team]] {key}: twice: {', '.join(twice)}")
        if strangers and not self.directory.sync:
            mistakes.append(f"[[pool.scope]]: not in the team: {', '.join(strangers)}")
        if unknown and not self.directory.sync:
            mistakes.append(f"[[routing]] to: not in the team: {', '.join(unknown)}")
        others = {person.name for person in self.team if person.role != Role.REP}
        if nobody := sorted(self.named[0] & others):
            mistakes.append(f"[[routing]] to: no rep: {', '.join(nobody)}")
        if twice := _twice(rule.name for rule in self.routing):
            mistakes.append(f"[[routing]] name: twice: {', '.join(twice)}")
        if mistakes:
            raise ValueError("\n".join(mistakes))
        return self

    @model_validator(mode="after")
    def _stages_are_known(self) -> Self:
        work = stages(self)
        mistakes = [
            f"[[stage]] name: twice: {name}" for name in _twice(s.name for s in self.stage)
        ]
        if self.stage and work[0] != Stage.FOLLOWING:
            mistakes.append("[[stage]] name: the first is following: the first call enters it")
        named = [
            *(("[[sop]] stage", sop.stage, work) for sop in self.sop),
            *(
                ("[[task]] stage", task.stage, work)
                for task in self.task
                if "task" in self.model_fields_set
            ),
            *(
                ("[pool] exempt_stages", name, stage_names(self))
                for name in self.pool.exempt_stages
            ),
            *(
                ("[[pool.policy]] when.stage", name, stage_names(self))
                for policy in self.pool.policy
                for name in _several(policy.when.get("stage", ()))
            ),
        ]
        for where, name, known in named:
            if name not in known:
                mistakes.append(f"{where}: unknown: {name}; there are {', '.join(known)}")
        if mistakes:
            raise ValueError("\n".join(mistakes))
        return self

    @model_validator(mode="after")
    def _fields_differ(self) -> Self:
        twice = _twice(field.name for field in self.field)
        if twice:
            raise ValueError(f"[[field]] name: twice: {', '.join(twice)}")
        return self

    @model_validator(mode="after")
    def _gate_asks_for_what_there_is(self) -> Self:
        known = [name for name in FIELDS if name not in {*NUMBERS, "grade"}]
        there = [*known, "name", *(field.name for field in self.field)]
        if unknown := sorted({*self.dispatch.required} - {*there}):
            told = f"unknown: {', '.join(unknown)}; there are {', '.join(there)}"
            raise ValueError(f"[dispatch] required: {told}")
        return self

    @model_validator(mode="after")
    def _hooks_differ(self) -> Self:
        twice = _twice(hook.source for hook in self.hook)
        if twice:
            raise ValueError(f"[[hook]] source: twice: {', '.join(twice)}")
        return self

    @model_validator(mode="after")
    def _channels_and_lines_differ(self) -> Self:
        for key, entries in (("channel", self.channel), ("line", self.line)):
            twice = _twice(entry.name for entry in entries)
            if twice:
                raise ValueError(f"[[{key}]] name: twice: {', '.join(twice)}")
        return self

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.calendar.timezone)


NO_RULES = frozenset({
    "server", "database", "api", "wecom", "dingtalk", "team", "directory", "role", "hook", "mail",
    "limits", "form",
})  # fmt: skip
RULES = frozenset(Settings.model_fields) - NO_RULES
"""The sections that say how leads are treated: each change of them is a version of its own."""


def stages(settings: Settings) -> tuple[Stage, ...]:
    """The stages of the work, in their order."""
    return tuple(Stage(one.name) for one in settings.stage) or WORKING


def stage_names(settings: Settings) -> tuple[str, ...]:
    """Every stage a lead can be in, by its code."""
    own = [stage for stage in stages(settings) if stage not in STAGES]
    return tuple(str(stage) for stage in (*STAGES, *own))


def _several(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _twice(values: Iterable[str]) -> list[str]:
    """What occurs more than once; accounts know no case."""
    counts = Counter(value.casefold() for value in values if value)
    return sorted(value for value, count in counts.items() if count > 1)


def find(path: Path | None, env: Mapping[str, str] = os.environ) -> Path | None:
    """The file to read: ``--config``, then ``LEADBOT_CONFIG``, then ``leadbot.toml`` if there."""
    named = path or (Path(env["LEADBOT_CONFIG"]) if env.get("LEADBOT_CONFIG") else None)
    if named is not None:
        return named
    return Path("leadbot.toml") if Path("leadbot.toml").exists() else None


def load(path: Path | None) -> Settings:
    """Read the configuration. Raises ConfigError with every mistake: file, key, reason."""
    name = str(path) if path else "environment"
    try:
        # Notepad writes a byte order mark, which TOML does not know.
        values = tomllib.loads(path.read_text(encoding="utf-8-sig")) if path else {}
    except FileNotFoundError:
        raise ConfigError([f"{name}: no such file"]) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError([f"{name}: {error}"]) from error
    return parse(values, name)


def parse(values: Mapping[str, Any], name: str = "configuration") -> Settings:
    # pydantic-settings takes names with an underscore as wishes of its own.
    hidden = [f"{name}: {key}: unknown key" for key in values if key.startswith("_")]
    try:
        settings = Settings(**{key: value for key, value in values.items() if key[:1] != "_"})
    except ValidationError as error:
        wrong = [line for e in error.errors() for line in _readable(name, dict(e))]
        raise ConfigError([*wrong, *hidden]) from None
    except SettingsError as error:
        raise ConfigError([f"environment: {error}"]) from None
    if hidden:
        raise ConfigError(hidden)
    return settings


def _readable(name: str, error: dict[str, Any]) -> list[str]:
    """The mistake as lines; several when they were only found by comparing sections."""
    key = ".".join(str(part) for part in error["loc"])
    plain = {"extra_forbidden": "unknown key", "tuple_type": _a_list(error["loc"])}
    reason = plain.get(error["type"]) or error["msg"]
    lines = reason.removeprefix("Value error, ").splitlines()
    return [f"{name}: {key or 'file'}: {line}" for line in lines]


def _a_list(loc: Sequence[str | int]) -> str:
    """A table that comes several times, or several values."""
    return f"write [[{loc[0]}]], with two brackets" if len(loc) == 1 else 'write a list: ["…"]'
