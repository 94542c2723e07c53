"""``leadbot rules``: the versions of the rules, and how other rules would have decided."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from bot.check import explain, explain_held
from bot.config import Settings
from bot.serve import prepare_database
from bot.versions import SHOWN, go_back, gone, in_force, instead, listed, named, with_rules
from bot.wiring import rules, team
from store.db import Store, open_store
from store.domain.replay import Shift, compare, replay
from store.domain.rules import Rules
from store.domain.team import Member, MemberId, Role
from store.members import CONFIG
from store.versions import Version

PATIENCE = 10  # seconds for a database that may not be there
UNASKED = "数据库没问到，有没有回到以前的某一版不知道，上面是 leadbot.toml 里写的"


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Store]:
    await prepare_database(settings)
    async with open_store(settings.database.url, rules(settings)) as store:
        yield store


async def told(settings: Settings) -> str:
    """What ``leadbot check`` says: of the rules in force where a database knows better.

    Creates no database and changes none; without one the file's are explained.
    """
    try:
        other = await _instead(settings)
    except (SQLAlchemyError, OSError):
        return f"{explain(settings)}\n{UNASKED}"
    if other is None:
        return explain(settings)
    return explain_held(settings, other[0], named(other[1], settings.zone))


async def _instead(settings: Settings) -> tuple[Settings, Version] | None:
    if not _there(settings.database.url):
        return None
    async with (
        open_store(settings.database.url, rules(settings)) as store,
        asyncio.timeout(PATIENCE),
        store.read() as tx,
    ):
        return await instead(tx, settings)


def _there(url: str) -> bool:
    """SQLite would make the file that it is asked for."""
    read = make_url(url)
    return read.get_backend_name() != "sqlite" or Path(read.database or "").is_file()


async def try_rules(settings: Settings, days: int) -> None:
    """Print how the leads of the last days would fall with these rules. Changes nothing.

    Raises NotRunning, ConfigError.
    """
    if not _there(settings.database.url):
        print_shift(compare((), (), ()), 0, days)
        return
    async with _opened(settings) as store, store.read() as tx:
        latest = await tx.versions.latest()
        held = with_rules(settings, latest) if latest else settings
        enquiries = await tx.leads.captured_since(tx.now - timedelta(days=days))
        there, declared = await tx.members.active(), await tx.clocks.days()
    reps, asked = [m for m in there if m.role == Role.REP], with_file(there, team(settings))
    now = replay(enquiries, _declared(rules(held), declared), reps)
    then = replay(enquiries, _declared(rules(settings), declared), asked)
    names = dict.fromkeys(member.name for member in (*reps, *asked))
    print_shift(compare(now, then, list(names)), latest.id if latest else 0, days)


def _declared(rules: Rules, days: Mapping[date, bool]) -> Rules:
    """With the days that somebody has declared on or off in the chat."""
    return replace(rules, calendar=rules.calendar.declared(days))


def with_file(there: Sequence[Member], team: Sequence[dict[str, Any]]) -> Sequence[Member]:
    """The reps as the file has them: those who are new, and none who left it or sell no more."""
    named = {one["name"]: one for one in team}
    kept = [m for m in there if m.name in named or m.source != CONFIG]
    changed = [replace(m, **_settled(named[m.name])) if m.name in named else m for m in kept]
    new = [one for name, one in named.items() if name not in {m.name for m in there}]
    whole = [
        *changed,
        *(
            Member(id=MemberId(-n), name=one["name"], **_settled(one))
            for n, one in enumerate(new, 1)
        ),
    ]
    return [member for member in whole if member.role == Role.REP]


def _settled(one: dict[str, Any]) -> dict[str, Any]:
    lists = {name: tuple(one[name]) for name in ("regions", "products", "industries")}
    return lists | {name: one[name] for name in ("role", "grade", "weight")}


def print_shift(shift: Shift, version: int, days: int) -> None:
    """The table per person, and what changes about the scores."""
    held = f"第 {version} 版" if version else "现在"
    if not shift.leads:
        typer.echo(f"最近 {days} 天没有进线，没有什么可以试的")
        return
    table = Table("人", held, "改后", "差")
    for name, (now, then) in shift.people.items():
        table.add_row(name, str(now), str(then), f"{then - now:+d}" if then != now else "")
    Console(width=60).print(table)
    typer.echo(f"最近 {days} 天 {shift.leads} 条，其中 {shift.moved} 条会给别人")
    grades = "，".join(f"{name} {a}→{b}" for name, (a, b) in shift.grades.items())
    typer.echo(f"级别：{grades}；高分 {_change(shift.hot)}；过线 {_change(shift.ready)}")
    typer.echo("只是试算，什么都没有改；手上已满、请假、转给下一位和再次咨询的没有算进去")


def _change(pair: tuple[int, int]) -> str:
    return f"{pair[0]}→{pair[1]}"


async def list_rules(settings: Settings) -> None:
    """Print the newest versions; the first is in force. Raises NotRunning."""
    async with _opened(settings) as store, store.read() as tx:
        typer.echo(listed(tuple(await tx.versions.all(SHOWN)), settings.zone))


async def roll_back(settings: Settings, number: int) -> None:
    """The rules of version ``number`` hold again. Raises NoSuchVersion, ConfigError, NotRunning."""
    async with _opened(settings) as store, store.begin() as tx:
        await in_force(tx, settings)
        version = await go_back(tx, settings, number)
        left = await gone(tx, settings, version)
    typer.echo(f"第 {version.id} 版就是第 {number} 版的规则，重启服务生效")
    if left:
        typer.echo(f"注意：{'、'.join(left)} 已不在团队，分配和公海里写着的地方会跳过")
