"""
The fault matrix: whatever goes wrong with a platform, the right things are on the phones once.

Each row is one fault of one platform, each column something people do while it
lasts. The same things done on a good day say what has to be there in the end:
which messages on which phone, which leads with which history. ``make faults``
prints the table.
"""

import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
import structlog
from aiohttp import ClientSession, ClientTimeout

import bot.platforms.dingtalk.client
import bot.platforms.wecom.client
from bot import app
from bot.demo import Demo, open_demo
from bot.platforms.dingtalk import stream
from bot.platforms.wecom import aibot
from bot.sandbox import trouble
from bot.sandbox.clock import MovableClock
from bot.sandbox.dingtalk.stream import Pace
from bot.sandbox.faults import ADMIN, KNOWN
from tests.scenarios.world import ZONE, World, shown

COLUMNS = ("capture", "claim", "follow", "digest")
MONDAY = datetime(2026, 3, 2, 10, 0, tzinfo=ZONE)
MONTH_END = datetime(2026, 3, 31, 10, 0, tzinfo=ZONE)
GIVE_UP = 0.4
"""Real seconds the product waits for an answer where none comes; else it is patient for 20.

A busy machine is late with an answer now and then, and giving it up then would be
another fault than the row's.
"""
SLOW = 0.15
LASTS = (*([5] * 12), *([60] * 9))
"""Seconds the clock is moved at a time while the fault lasts: ten minutes, finely at first."""
OVER = (*([60] * 5), *([300] * 4))
"""After it: longer than the longest wait between two tries."""
SETTINGS = {
    # Real time passes while a fault is waited out: nobody is to be late by it.
    "LEADBOT_SLA__FIRST_RESPONSE": "900h",
    "LEADBOT_SLA__FIRST_RESPONSE_HOT": "900h",
    "LEADBOT_SLA__ACCEPT": "100h",
    "LEADBOT_LIMITS__API_PER_MINUTE": "0",
}
"""Nobody waits days for a rep to accept, and we ask often."""
MENDED = (*([300] * 12), *([60] * 5))
"""After an admin has mended it: what waits for that is tried every half an hour at last."""
MOST_CALLS = 80
"""In a column: four messages at most, each tried about nine times in the ten minutes, in two ways."""
PATIENCE = 30.0
HEARD = 1.0
"""Real seconds a line gets to be heard before the clock is moved."""


@dataclass(frozen=True, slots=True)
class Rep:
    chat: str
    name: str
    phone: str
    pooled: str
    """A sample lead that somebody else gave back."""


REPS = {
    "wecom": Rep("wecom:lilei", "李雷", "19921000001", "贺鹏"),
    "dingtalk": Rep("dingtalk:wangqiang", "王强", "19910000001", "唐薇"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """``fault`` is "" for a good day."""

    platform: str
    fault: str = ""
    count: int | None = None
    after: int = 0

    @property
    def cards(self) -> bool:
        """Whether DingTalk shows interactive cards: without them some faults are never met."""
        return self.fault in OF_CARDS

    @property
    def falls_back(self) -> bool:
        """Whether all is well if it is as on a day without interactive cards."""
        return self.cards and self.fault != "card_gone"

    @property
    def told(self) -> bool:
        """Whether an admin has to mend it, and so has to hear of it."""
        return bool(self.fault) and KNOWN[self.platform][self.fault].group == ADMIN

    @property
    def start(self) -> datetime:
        """When the month's allowance is gone, it is the next month that helps."""
        return MONTH_END if self.fault == "quota" else MONDAY

    @property
    def over(self) -> tuple[int, ...]:
        to_april = tuple([1800] * 30)
        if self.told:
            return MENDED
        return (*OVER, *to_april) if self.start == MONTH_END else OVER

    def __str__(self) -> str:
        times = f" ×{self.count}" if self.count else ""
        later = f" +{self.after}" if self.after else ""
        return f"{self.platform} {self.fault}{times}{later}"


Sign = Counter[tuple[str, str]]
ALARMS = ("有问题，要你处理", "恢复了")
"""What the admin is told while it lasts, and when it is over."""
ELSEWHERE = "钉钉本月的调用用完了"
"""When the month's allowance is gone, the group robot says that there is something to see."""
USED_UP = "钉钉本月调用用完了"
"""And the managers are told it."""


@dataclass(slots=True)
class Seen:
    """What there is at the end of a column."""

    phones: Sign
    leads: list[tuple]
    calls: int
    unanswered: int = 0
    failed: str = ""
    met: int = 0
    """How often the fault has happened until then."""
    ever: Sign = field(default_factory=Counter)
    """As ``phones``, with what was taken back."""

    def differs_from(self, good: "Seen") -> list[str]:
        """What is missing, what is there too often, and what it cost."""
        if self.failed:
            return [self.failed]
        lost = self._unexcused((good.phones - self.phones).elements())
        leads = [f"lead: {mine}, not {theirs}" for mine, theirs in self._pairs(good)]
        storm = [f"{self.calls} calls"] if self.calls > MOST_CALLS else []
        more = self._unexcused((self.phones - good.phones).elements())
        # What was sent and not answered is sent again, and a card whose msgid was in the
        # lost answer cannot be taken back. WeCom's check keeps a text from being there twice.
        twice = [(chat, what) for chat, what in more if _checked(chat, what)]
        more = more if twice or len(more) > self.unanswered else []
        return [
            *(f"lost: {chat} {what!r}" for chat, what in lost),
            *(f"more: {chat} {what!r}" for chat, what in more),
            *leads,
            *storm,
        ]

    def _unexcused(self, signs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Without the admin's alarms, and the cards that wait for the next month where the group was told so."""
        signs = [sign for sign in signs if not sign[1].endswith(ALARMS)]
        if not self.told_elsewhere:
            return signs
        return [
            (chat, what)
            for chat, what in signs
            if not what.startswith("actions") and ELSEWHERE not in what and USED_UP not in what
        ]

    @property
    def told_elsewhere(self) -> bool:
        return any(ELSEWHERE in what for _, what in self.phones)

    def note(self, good: "Seen") -> str:
        """What makes it right although it is not as on a good day."""
        if self.failed or self.phones == good.phones:
            return " "
        if self.told_elsewhere:
            return "²"
        return "¹" if _without_alarms(self.phones) != _without_alarms(good.phones) else "³"

    def _pairs(self, good: "Seen") -> Iterator[tuple]:
        if len(self.leads) != len(good.leads):
            yield f"{len(self.leads)} leads", len(good.leads)
        yield from (
            pair for pair in zip(self.leads, good.leads, strict=False) if pair[0] != pair[1]
        )


def _without_alarms(phones: Sign) -> Sign:
    return Counter({sign: n for sign, n in phones.items() if not sign[1].endswith(ALARMS)})


def _checked(chat: str, what: str) -> bool:
    """Whether it can be there only once, whatever was lost."""
    return chat.startswith("wecom:") and not what.startswith("card")


@dataclass(slots=True)
class Trial:
    """One running product and one fault; the columns follow each other like a day's work."""

    row: Row
    world: World
    demo: Demo
    rep: Rep = field(init=False)
    lead: int = 0
    pooled: int = 0

    def __post_init__(self) -> None:
        self.rep = REPS[self.row.platform]

    async def column(self, name: str, good: Seen | None) -> Seen:
        """As ``_column``; what somebody could not do is what is wrong with it."""
        try:
            return await self._column(name, good)
        except AssertionError as error:
            return Seen(Counter(), [], 0, failed=str(error).splitlines()[0])

    async def _column(self, name: str, good: Seen | None) -> Seen:
        """Do it while the fault lasts; what there is once it is over and all is quiet."""
        await self._before(name)
        asked = self.demo.sandbox.faults.asked
        calls = asked[self.row.platform]
        self._break()
        await getattr(self, f"_{name}")()
        await self._heard(good)
        await self._pass(LASTS)
        self.demo.sandbox.faults.off()
        during = asked[self.row.platform] - calls
        await self._pass(self.row.over)
        return await self._settled(good, during)

    async def _before(self, name: str) -> None:
        if name == "digest":
            at = self.world.now.replace(hour=18, minute=29, second=30)
            await self.world.move_to(at)

    def _break(self) -> None:
        row, faults = self.row, self.demo.sandbox.faults
        if row.fault:
            faults.on(row.platform, row.fault, count=row.count, after=row.after)
        if row.fault == "shut":  # is met by who has to connect
            faults.on(row.platform, "cut")

    async def _pass(self, spans: Iterable[int]) -> None:
        for seconds in spans:
            await self.world.move(minutes=seconds / 60)

    async def _heard(self, good: Seen | None) -> None:
        """The phone's own network is fast: a line is heard before a minute is over."""
        late = time.monotonic() + HEARD
        while time.monotonic() < late:
            if good is not None and await self._leads() == good.leads:
                return
            await asyncio.sleep(0.1)

    async def _settled(self, good: Seen | None, calls: int) -> Seen:
        """Waits for it to be as on a good day; what there is if it never is."""
        late = time.monotonic() + PATIENCE
        while True:
            met = self.demo.sandbox.faults.met
            lost, fault = (met[self.row.platform, name] for name in ("lost", self.row.fault))
            seen = Seen(self._phones(), await self._leads(), calls, lost, met=fault)
            seen.ever = self._phones(ever=True)
            quiet = not await self.world.waiting()
            fine = good is None or not seen.differs_from(good)
            if quiet and fine and (good or await self._is_still(seen)):
                return seen
            if time.monotonic() > late:
                return seen
            await asyncio.sleep(0.1)

    async def _is_still(self, seen: Seen) -> bool:
        await asyncio.sleep(0.3)
        return self._phones() == seen.phones

    # -- the columns ---------------------------------------------------------------

    async def _capture(self) -> None:
        lead = {"name": "林知夏", "phone": self.rep.phone, "rep": self.rep.name, "product": "CRM"}
        self.lead = (await self.world.posts(**lead))["id"]
        every = await self.world.leads()
        self.pooled = next(one["id"] for one in every if one["name"] == self.rep.pooled)

    async def _claim(self) -> None:
        phone = self.world.phone(self.rep.chat)
        await asyncio.gather(phone.press("接受", of=self.lead), self._say(f"领取 {self.pooled}"))

    async def _follow(self) -> None:
        await asyncio.gather(
            self._say(f"跟进 {self.lead} 电话 聊了预算，12万"),
            self._say(f"跟进 {self.pooled} 微信 发了报价单"),
        )

    async def _digest(self) -> None:
        """It comes by itself, at half past six."""

    async def _say(self, line: str) -> None:
        await self.world.act("say", phone=self.rep.chat, text=line)

    # -- what there is ----------------------------------------------------------------

    def _phones(self, *, ever: bool = False) -> Sign:
        """How often each message is on each phone of the platform, by its first line."""
        return Counter(
            (chat, f"{KINDS.get(m.kind, m.kind)} {shown(m).split(chr(10), 1)[0][:40]}")
            for chat, messages in self.world.state.chats.items()
            for m in messages
            if (ever or not m.recalled) and not m.mine
        )

    async def _leads(self) -> list[tuple]:
        return [
            (
                lead["id"],
                lead["stage"],
                (lead["owner"] or {}).get("name"),
                tuple(line["kind"] for line in lead["history"]),
            )
            for lead in [await self.world.lead(one["id"]) for one in await self.world.leads()]
        ]


@asynccontextmanager
async def open_trial(row: Row, data: Path, *, cards: bool = False) -> AsyncIterator[Trial]:
    clock = MovableClock(start=row.start.astimezone(UTC))
    with hurried(row):
        async with open_demo(data, clock=clock, cards=cards) as demo, ClientSession() as http:
            world = World(demo.url, demo.api_key, demo.sandbox.state, http, clock, data)
            demo.sandbox.wecom.courier.gap = 0.02
            demo.sandbox.dingtalk.gateway.pace = Pace(ping=0.2, again=(0.5, 2.5), goodbye=0.2)
            await world.quiet()
            yield Trial(row, world, demo)


@contextmanager
def hurried(row: Row) -> Iterator[None]:
    """Real seconds are short here, and nobody waits days for a rep to accept."""
    timeout = ClientTimeout(total=GIVE_UP if row.fault == "hang" else 20)
    pace = stream.Pace(silence=1.5, first=0.02, most=0.1, refused=0.1, steady=0.2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bot.platforms.wecom.client, "TIMEOUT", timeout)
        patch.setattr(bot.platforms.wecom.client, "PAUSES", (0.01, 0.01, 0.01))
        patch.setattr(bot.platforms.dingtalk.client, "TIMEOUT", timeout)
        patch.setattr(trouble, "SLOW_SECONDS", SLOW)
        patch.setattr(trouble.Swap, "patience", 0.3)
        patch.setattr(app, "DingTalkStream", partial(stream.DingTalkStream, pace=pace))
        patch.setattr(app, "AiBot", partial(aibot.AiBot, pace=aibot.Pace(ping=0.5, deaf=1.5)))
        for name, value in SETTINGS.items():
            patch.setenv(name, value)
        yield


@dataclass(frozen=True, slots=True)
class Cell:
    """``calls``: how many the platform got while it lasted. ``wrong``: nothing, if it is right."""

    calls: int
    wrong: list[str]
    note: str = " "

    def __str__(self) -> str:
        return f"{'!!' if self.wrong else 'ok'}{self.note}{self.calls:3}"


class Matrix:
    """Good days are lived once for each platform and kept."""

    def __init__(self) -> None:
        self._good: dict[tuple[str, datetime, bool, bool], dict[str, Seen]] = {}

    async def good(self, row: Row) -> dict[str, Seen]:
        key = row.platform, row.start, row.cards and not row.falls_back, row.told
        if key not in self._good:
            self._good[key] = await _lived(row, {}, fault=False, cards=key[2])
        return self._good[key]

    async def run(self, row: Row) -> dict[str, Cell]:
        """What came of each column."""
        good = await self.good(row)
        seen = await _lived(row, good)
        cells = {
            name: Cell(
                seen[name].calls, seen[name].differs_from(good[name]), seen[name].note(good[name])
            )
            for name in COLUMNS
        }
        last = seen[COLUMNS[-1]]
        cells[COLUMNS[-1]].wrong.extend(shown_nothing(row, last))
        return cells


def shown_nothing(row: Row, last: Seen) -> Iterator[str]:
    """What makes a row of good cells worth nothing; ``last``: how things are after all of it."""
    if row.fault in KEPT_WITHIN:
        if last.met:
            yield "met: a message vanished"
    elif not last.met:
        yield "not met: the fault never happened"
    if row.told and not any(what.endswith(ALARMS[0]) for _, what in last.ever):
        yield "not told: no admin heard of it"


async def _lived(
    row: Row, good: dict[str, Seen], *, fault: bool = True, cards: bool | None = None
) -> dict[str, Seen]:
    with tempfile.TemporaryDirectory(prefix="leadbot-faults-") as folder:
        with_cards = row.cards if cards is None else cards
        async with open_trial(row, Path(folder), cards=with_cards) as trial:
            if not fault:
                trial.demo.sandbox.faults.on = lambda *_, **__: None  # type: ignore[method-assign]
            return {name: await trial.column(name, good.get(name)) for name in COLUMNS}


KEPT_WITHIN = {"drop"}
"""Nobody gets so many messages that WeCom would drop one; 300 at once: ``test_burst``."""
SHORT = {("dingtalk", "rate"): 5}
"""Faults that do not last: a second later there is room again."""
WAITED_FOR = {
    *(
        ("dingtalk", name)
        for name in ("secret", "scope", "muted", "minute", "busy", "card_scope", "card_data")
    ),
    ("wecom", "secret"),
}
"""Faults after which another way is taken or the admin is called, and in the end all is there.

The others that are not alike change what is said or are given up with a word to the admin:
tests/bot/dingtalk/test_falling.py, test_table.py and tests/bot/sandbox/test_dingtalk_odd.py.
"""
KINDS = {"instance": "actions"}
"""DingTalk's two kinds of cards say the same."""
OF_CARDS = {"undelivered", "template", "card_gone", "card_scope", "card_data"}
"""What goes wrong with DingTalk's interactive cards only."""


def rows() -> list[Row]:
    """Every fault there is, as long as it lasts; those of single calls at each of the first calls."""
    whole = [
        Row(platform, fault, count=SHORT.get((platform, fault)))
        for platform, known in KNOWN.items()
        for fault in known
        if known[fault].alike or (platform, fault) in WAITED_FOR
    ]
    single = [
        Row(platform, fault, count=1, after=after)
        for platform in KNOWN
        for fault in ("http500", "rate", "hang", "lost")
        for after in range(3)
    ]
    return [*whole, *(row for row in single if row not in whole)]


def unknown(names: list[str]) -> list[str]:
    """Those that are no fault and no platform of the table."""
    return sorted(set(names) - {name for row in rows() for name in (row.fault, row.platform)})


def chosen(names: list[str]) -> list[Row]:
    """All rows, or those of the faults and platforms named."""
    return [row for row in rows() if not names or {row.fault, row.platform} & set(names)]


def lines(row: Row, cells: dict[str, Cell]) -> Iterator[str]:
    """A row of the table, with what is wrong in it below."""
    yield f"{row!s:28}" + "".join(f"{cell!s:>12}" for cell in cells.values())
    for name, cell in cells.items():
        yield from (f"    {name}: {line}" for line in cell.wrong)


async def table(names: list[str]) -> AsyncIterator[str]:
    """Line by line, as they come about; the last one says how many cells are wrong."""
    matrix, wrong = Matrix(), 0
    yield f"{'':28}" + "".join(f"{name:>12}" for name in COLUMNS)
    for row in chosen(names):
        cells = await matrix.run(row)
        for line in lines(row, cells):
            yield line
        wrong += sum(bool(cell.wrong) for cell in cells.values())
    yield "¹ an answer was lost: one message is there twice, or an older card could not be taken back"
    yield "² told through the group robot: the month's calls are used up"
    yield "³ the admin was told what to mend, and that it is over"
    yield f"{wrong} wrong" if wrong else OK


OK = "nothing lost, nothing doubled, no storm"


async def main(names: list[str]) -> int:
    """The exit code: 0 all is well, 1 something is wrong, 2 there is no such row."""
    if strangers := unknown(names):
        known = sorted({row.fault for row in rows()})
        sys.stderr.write(f"no such row: {', '.join(strangers)}\nknown: {', '.join(known)}\n")
        return 2
    line = ""
    async for line in table(names):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    return 0 if line == OK else 1


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    sys.exit(asyncio.run(main(sys.argv[1:])))
