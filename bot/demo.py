"""``leadbot demo``: the real service, with both platforms played beside it."""

import asyncio
import json
import secrets
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import typer

from bot.app import Service, create_app, open_service
from bot.config import Settings, parse
from bot.dispatch import hear
from bot.incoming import Incoming
from bot.sandbox import demo as sandbox
from bot.sandbox.clock import SQLITE, MovableClock, beside, kept
from bot.serve import listening, prepare_database, stopped
from bot.wiring import rules, team
from handlers.announce import refresh
from handlers.capture import capture
from store.db import Clock, Store, open_store
from store.domain.intake import read_fields
from store.domain.rules import Gates
from store.domain.team import Platform

HOST = "127.0.0.1"
STEP = timedelta(minutes=30)
"""The clock is moved in steps, so that what falls due on the way happens in its order."""
TEAM: tuple[dict[str, Any], ...] = (
    {"name": "李雷", "wecom": "lilei", "role": "rep", "regions": ["华东"], "grade": "A"},
    {"name": "韩梅", "wecom": "hanmei", "role": "rep", "regions": ["华南", "华中"], "grade": "B"},
    {"name": "王强", "dingtalk": "wangqiang", "role": "rep", "regions": ["华北", "东北"]},
    {"name": "赵敏", "dingtalk": "zhaomin", "role": "rep", "regions": ["西南", "西北"]},
    {"name": "陈主管", "wecom": "chenzg", "role": "manager"},
    {"name": "周市场", "wecom": "zhousc", "role": "marketing"},
)
FORM = {
    "name": "default",
    "title": "预约产品演示",
    "intro": "留下联系方式，顾问 30 分钟内联系您",
}


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    role: str
    wecom: str
    dingtalk: str


PEOPLE = tuple(
    Person(p["name"], p["role"], p.get("wecom", ""), p.get("dingtalk", "")) for p in TEAM
)


@dataclass(slots=True)
class Demo:
    service: Service
    sandbox: sandbox.Sandbox
    settings: Settings
    url: str
    api_key: str


class _Mover:
    """Moves the clock once the service is there to follow it."""

    def __init__(self, clock: MovableClock, kept_in: Path | None) -> None:
        self.clock = clock
        self.kept_in = kept_in
        self.service: Service | None = None
        self._one = asyncio.Lock()

    async def __call__(self, span: timedelta) -> None:
        async with self._one:
            while span > timedelta(0):
                if self.service is not None:
                    await self.service.settle()
                self.clock.forward(min(span, STEP))
                span -= STEP
                self.keep()
            if self.service is not None:
                await self.service.settle()

    def keep(self) -> None:
        """``leadbot import`` and the next start on the same data go by this clock too."""
        if self.kept_in is not None:
            self.clock.keep(self.kept_in)


@asynccontextmanager
async def open_demo(
    data: Path,
    port: int = 0,
    clock: MovableClock | None = None,
    *,
    cards: bool = False,
    http: bool = False,
) -> AsyncIterator[Demo]:
    """The demo, listening. ``port`` 0 takes a free one; ``data`` holds the database.

    ``cards``: DingTalk shows interactive cards, as if their template had been imported.
    ``http``: DingTalk calls the product instead of waiting for its connection.
    """
    with nullcontext(port) if port else reserved_port() as at:
        async with _opened(data, at, clock, cards=cards, http=http) as opened:
            yield opened


@asynccontextmanager
async def _opened(
    data: Path, port: int, clock: MovableClock | None, *, cards: bool, http: bool
) -> AsyncIterator[Demo]:
    url = f"http://{HOST}:{port}"
    database = _database(data)
    clock = clock or kept(database) or MovableClock()
    mover = _Mover(clock, beside(database))
    stand_ins = await sandbox.start(url, clock, PEOPLE, mover, cards=cards, http=http)
    try:
        key = secrets.token_urlsafe(24)
        values = _values(stand_ins.settings(), data, port, url, key)
        settings = parse(values, "demo")
        _start_at_work(clock, settings)
        mover.keep()
        _write_config(data / "leadbot.toml", values)
        await prepare_database(settings)
        await seed(settings, clock)
        async with open_service(settings, clock) as service:
            mover.service = service
            app = create_app(service)
            stand_ins.add_routes(app)
            async with listening(service, app):
                yield Demo(service, stand_ins, settings, url, key)
    finally:
        await stand_ins.close()


def _database(data: Path) -> str:
    return f"{SQLITE}{data / 'leadbot.db'}"


def _start_at_work(clock: MovableClock, settings: Settings) -> None:
    """A demo at night would show nothing but waiting: it starts in working hours."""
    opens = rules(settings).calendar.opens(clock())
    if opens > clock():
        clock.forward(opens - clock() + timedelta(minutes=10))


def _values(
    platforms: Mapping[str, Any], data: Path, port: int, url: str, key: str
) -> dict[str, Any]:
    return {
        "server": {"host": HOST, "port": port, "public_url": url},
        "database": {"url": _database(data)},
        "api": {"keys": {"website": key}},
        **platforms,
        "wecom": {**platforms["wecom"], "remarks": True, "tags": True},
        "team": list(TEAM),
        "form": [FORM],
    }


def _write_config(file: Path, values: Mapping[str, Any]) -> None:
    """So that ``leadbot import --config`` and the like work on the running demo."""
    file.write_text("\n".join(_toml(values)) + "\n", encoding="utf-8")
    file.chmod(0o600)


def _toml(values: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    for name, value in values.items():
        for entry in value if isinstance(value, list) else [value]:
            lines.append(f"[[{name}]]" if isinstance(value, list) else f"[{name}]")
            lines += [f"{key} = {_toml_value(v)}" for key, v in entry.items()]
    return lines


def _toml_value(value: Any) -> str:
    """TOML's strings, numbers and lists are written as JSON's; tables are not."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{k} = {_toml_value(v)}" for k, v in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


@contextmanager
def reserved_port() -> Iterator[int]:
    """A free port that nobody else is given while a product of a test gets ready to listen there.

    On Linux who may use an address again may listen beside who only holds it; elsewhere
    the port is let go of at once.
    """
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((HOST, 0))
        port = int(held.getsockname()[1])
        if sys.platform != "linux":
            held.close()
        yield port


# -- sample leads --------------------------------------------------------------

SAMPLES: tuple[tuple[float, dict[str, Any], tuple[str, ...]], ...] = (
    # hours ago, the enquiry, what its owner typed since
    (70, {"name": "沈岚", "phone": "19912340001", "company": "云栖制造", "region": "浙江杭州",
          "product": "CRM", "message": "想换掉现在的系统，先看看方案"},
     ("领取 {id}", "跟进 {id} 电话 聊了现状和预算 12万", "阶段 {id} 意向")),
    (50, {"name": "何志远", "phone": "19912340002", "company": "南粤物流", "region": "广东广州",
          "product": "工单系统", "message": "300 人的团队怎么收费"},
     ("领取 {id}", "跟进 {id} 微信 发了报价单 8万", "阶段 {id} 已报价")),
    (46, {"name": "罗静", "phone": "19912340003", "company": "燕山医疗", "region": "北京",
          "product": "CRM", "message": "需要私有部署"},
     ("领取 {id}", "跟进 {id} 拜访 演示很顺利 18万", "成交 {id} 18万")),
    (5, {"name": "唐薇", "phone": "19912340004", "region": "江苏苏州", "product": "CRM",
         "message": "下个月要上线，来得及吗"}, ("领取 {id}", "放回 {id}")),
    (3, {"name": "贺鹏", "phone": "19912340005", "company": "蜀道科技", "region": "四川成都",
         "product": "呼叫中心", "message": "能接我们自己的电话线路吗"}, ("领取 {id}", "放回 {id}")),
)  # fmt: skip


async def seed(settings: Settings, clock: Clock) -> None:
    """A made-up past, once: something in each stage, and two leads in the pool.

    A demo that is started again has new phones, which are shown what the old ones had.
    The past has no nights: who came on a Sunday was given to somebody at once.
    """
    by_day = replace(rules(settings), gates=Gates(working_time=False))
    store = open_store(settings.database.url, by_day, clock)
    async with store.begin() as tx:
        await tx.members.sync(team(settings))
        empty = not await tx.leads.page(None, 0, 1, {})
    if empty:
        for hours, values, lines in SAMPLES:
            await _play(store, clock() - timedelta(hours=hours), values, lines)
        async with store.begin() as tx:
            await tx.outbox.keep_leads_only()
            await refresh(tx, await tx.leads.page(None, 0, len(SAMPLES), {}))
    else:
        async with store.begin() as tx:
            await tx.outbox.show_again()
    await store.close()


async def _play(
    store: Store, at: datetime, values: dict[str, Any], lines: tuple[str, ...]
) -> None:
    then = replace(store, clock=lambda: at)
    async with then.begin() as tx:
        [captured] = await capture(tx, [read_fields(values, "website")])
        lead = await tx.leads.get(captured.id)
    for minutes, line in enumerate(lines, 1):
        if lead.owner is None:
            return
        later = replace(store, clock=lambda m=minutes: at + timedelta(minutes=7 * m))  # type: ignore[misc]
        account = lead.owner.wecom or lead.owner.dingtalk or ""
        platform = Platform.WECOM if lead.owner.wecom else Platform.DINGTALK
        receipt = f"seed-{captured.id}-{minutes}"
        text = line.format(id=captured.id)
        await hear(later, Incoming(platform=platform, id=receipt, account=account, line=text))


async def run_demo(
    port: int, data: Path | None, speed: float, *, cards: bool = False, http: bool = False
) -> None:
    """Until Ctrl-C. Without ``data`` everything is forgotten afterwards."""
    if data is not None:
        await asyncio.to_thread(data.mkdir, parents=True, exist_ok=True)
        await _serve(data, port, speed, cards=cards, http=http)
        return
    with tempfile.TemporaryDirectory(prefix="leadbot-demo-") as folder:
        await _serve(Path(folder), port, speed, cards=cards, http=http)


async def _serve(data: Path, port: int, speed: float, *, cards: bool, http: bool) -> None:
    clock = kept(_database(data), speed) or MovableClock(speed)
    async with open_demo(data, port, clock, cards=cards, http=http) as demo:
        typer.echo(f"\n  打开 {demo.url}/sandbox/ 就能看到整个流程\n")
        typer.echo(f"  接口密钥（来源 website）：{demo.api_key}")
        typer.echo(
            f"  导入文件：leadbot import 文件.csv --source 展会 --config {data}/leadbot.toml"
        )
        typer.echo("  结束按 Ctrl-C\n")
        await stopped()
