"""What can be wrong on our own side: the clock, the database, the font, and what is used up."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

from aiohttp import ClientError, ClientSession, ClientTimeout
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from bot.config import Settings
from bot.doctor.check import Check, bad, good
from bot.wiring import rules
from cards.alarms import name
from cards.pictures import NoFont, try_font
from cards.quota import amount
from handlers.quota import counted
from store.db import Store, open_store
from store.domain.quota import Level
from store.members import CONFIG
from store.migrate import is_current

PATIENCE = ClientTimeout(total=10)
SKEW = timedelta(seconds=60)
"""DingTalk refuses robot signatures an hour off; tokens and deadlines go wrong before."""
TRY = "doctor"
Clock = Callable[[], datetime]


async def clock_skew(session: ClientSession, settings: Settings, clock: Clock) -> Check:
    """Against the ``Date`` of whichever platform is configured."""
    bases = [section.api_base for section in (settings.wecom, settings.dingtalk) if section]
    for base in bases:
        try:
            async with session.get(base, timeout=PATIENCE, allow_redirects=False) as answer:
                at = parsedate_to_datetime(answer.headers["Date"])
        except (ClientError, OSError, TimeoutError, KeyError, ValueError):
            continue
        return _skew(datetime.now(UTC) - at)
    return bad("时钟", "问不到平台的时间", "检查网络")


def _skew(ahead: timedelta) -> Check:
    if abs(ahead) <= SKEW:
        return good("时钟")
    minutes = round(abs(ahead).total_seconds() / 60, 1)
    which = "快" if ahead > timedelta(0) else "慢"
    do = "打开时间同步：timedatectl set-ntp true"
    return bad("时钟", f"比平台{which} {minutes:g} 分钟", do)


async def checks(settings: Settings, clock: Clock) -> AsyncIterator[Check]:
    """The database first: what is used up stands in it."""
    async with open_store(settings.database.url, rules(settings), clock) as store:
        database = await _database(store)
        yield database
        if database.ok:
            yield await _quota(store)
            yield await _alarms(store)
            yield await _calendar(store)
    yield await asyncio.to_thread(_font)


async def _database(store: Store) -> Check:
    if missing(store):
        return bad("数据库", "还没有建", "运行 leadbot migrate")
    try:
        if not await is_current(store.engine):
            return bad("数据库", "表结构不是这个版本的", "运行 leadbot migrate")
        await _write(store)
    except (SQLAlchemyError, OSError) as error:
        lines = str(getattr(error, "orig", None) or error).splitlines()
        why = lines[0] if lines else type(error).__name__
        return bad("数据库", f"用不了（{why}）", "看 [database] url、目录权限和磁盘空间")
    return good("数据库", store.engine.dialect.name)


def missing(store: Store) -> bool:
    """There is no such file, and looking at it would make an empty one."""
    url = make_url(str(store.engine.url.render_as_string(hide_password=True)))
    name = url.database or ""
    return url.get_backend_name() == "sqlite" and name != ":memory:" and not Path(name).exists()


async def _write(store: Store) -> None:
    async with store.begin() as tx:
        await tx.leases.take(TRY, TRY, timedelta(seconds=1))
        await tx.leases.drop(TRY, TRY)


async def meets_customers(settings: Settings, clock: Clock) -> bool:
    """Whether something of 客户联系 is used here: by the configuration, or ever before."""
    wecom = settings.wecom
    asked = wecom is not None and (wecom.remarks or wecom.tags or wecom.welcomes)
    steps = {step.channel for journey in settings.journey for step in journey.steps}
    return bool(asked) or "wecom" in steps or await _met_any(settings, clock)


async def _met_any(settings: Settings, clock: Clock) -> bool:
    async with open_store(settings.database.url, rules(settings), clock) as store:
        try:
            if missing(store):
                return False
            async with store.read() as tx:
                return await tx.contacts.in_use()
        except (SQLAlchemyError, OSError):
            return False  # the line of the database says why


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the team, by the accounts they have."""

    name: str
    wecom: str
    dingtalk: str


async def people(settings: Settings, clock: Clock) -> Sequence[Person]:
    """The team: whom the configuration names, and whom a directory has brought."""
    named = [Person(one.name, one.wecom or "", one.dingtalk or "") for one in settings.team]
    async with open_store(settings.database.url, rules(settings), clock) as store:
        try:
            if missing(store):
                return named
            async with store.read() as tx:
                members = await tx.members.active()
        except (SQLAlchemyError, OSError):
            return named  # the line of the database says why
    names = {one.name for one in named}
    # Whom the configuration no longer names, a directory that is followed may keep.
    brought = [one for one in members if settings.directory.sync or one.source != CONFIG]
    return [
        *named,
        *(
            Person(one.name, one.wecom or "", one.dingtalk or "")
            for one in brought
            if one.name not in names
        ),
    ]


def nobody_in_team(check: str, platform: str, settings: Settings) -> Check:
    """Nobody to look for, which is not that everybody is there."""
    if not settings.directory.sync:
        return good(check, f"[[team]] 里没有{platform}账号，没有要查的人")
    do = "启动 leadbot 读一次通讯录再看，还没有就核对 [[role]]"
    return bad(check, f"团队里还没有{platform}的人", do)


async def _alarms(store: Store) -> Check:
    async with store.read() as tx:
        alarms = await tx.alarms.on()
    if not alarms:
        return good("告警", "没有")
    says = "；".join(f"{name(one)}：{one.text}" for one in alarms)
    return Check("告警", ok=False, line=f"✗ 告警：{says}")


async def _quota(store: Store) -> Check:
    """The days and months, then what each account has: of the one that has used most of it."""
    async with store.read() as tx:
        used = await counted(tx)
    says = "；".join(f"{one.meter.name} {amount(one)}" for one in used) or "没有配置平台"
    worst = max((one.level for one in used), default=Level.PLENTY)
    if worst >= Level.CRITICAL:
        return bad("配额", says, "只剩最要紧的还在发：换更高的版本，或在配置里写上买了多少")
    return good("配额", says + ("，快用完了" if worst == Level.TIGHT else ""))


async def _calendar(store: Store) -> Check:
    """Nothing is broken yet when next year is not published; it is good to know."""
    async with store.read() as tx:
        year = tx.rules.calendar.unknown_soon(tx.now.astimezone(tx.rules.zone).date())
    do = "公布后升级，或用「日历」补上"
    return good("工作日历", f"{year} 年的放假安排还没有，{do}" if year else "正常")


def _font() -> Check:
    try:
        try_font()
    except (NoFont, OSError) as error:
        do = "重新安装 pylopdf-fonts-zh-cn，没有它日报只有文字"
        return bad("字体", f"画不了中文（{error}）", do)
    return good("字体")
