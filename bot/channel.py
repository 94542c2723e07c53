"""``leadbot channel``: a 渠道活码 or 获客链接, made from the command line."""

import re
from collections.abc import Sequence
from pathlib import Path

import typer
from aiohttp import ClientSession

from bot.config import Settings
from bot.platforms.shared import SharedHolds, SharedTokens
from bot.platforms.wecom.client import WeComClient, WeComError
from bot.platforms.wecom.contacts import make, picture, said
from bot.serve import prepare_database
from bot.wiring import rules, team
from cards.contacts import WAYS
from handlers import ways
from handlers.ways import Wanted
from store.db import Store, open_store
from store.domain.errors import ConfigError, Later, LeadbotError
from store.domain.ways import Way, WayKind


class NotMade(LeadbotError):
    """WeCom did not make it; the text says why."""


async def make_channel(
    settings: Settings, name: str, people: Sequence[str], out: Path | None, *, link: bool
) -> None:
    """Make it, or give what there is; print its address and where the picture lies.

    Raises ConfigError without a ``[wecom]`` section, BadCommand for a wrong name, NotMade.
    """
    if settings.wecom is None:
        raise ConfigError(["[wecom] is missing: a QR code is made by WeCom"])
    await prepare_database(settings)
    opened = open_store(settings.database.url, rules(settings))
    async with opened as store, ClientSession() as session:
        client = WeComClient(
            session, settings.wecom, store.clock, SharedTokens(store), SharedHolds(store)
        )
        kind = WayKind.LINK if link else WayKind.CODE
        way, who = await _ordered(settings, store, client, kind, Wanted(name, tuple(people)))
        _report(way, who, out or Path(_file_name(way.name)), await _picture(client, way))


async def _ordered(
    settings: Settings, store: Store, client: WeComClient, kind: WayKind, asked: Wanted
) -> tuple[Way, Sequence[str]]:
    async with store.begin() as tx:
        await tx.members.sync(team(settings))
        wanted = await ways.plan(tx, kind, asked)
    try:
        way, gone = await make(client, wanted)
    except WeComError as error:
        raise NotMade(said(error)) from error
    async with store.begin() as tx:
        await ways.keep(tx, way, gone)
        return way, await ways.names(tx, way)


async def _picture(client: WeComClient, way: Way) -> bytes | None:
    try:
        return await picture(client, way)
    except Later:
        return None  # made it is, and the address is printed


def _report(way: Way, who: Sequence[str], file: Path, png: bytes | None) -> None:
    typer.echo(f"「{way.name}」的{WAYS[way.kind]}：{'、'.join(who)} 接待")
    typer.echo(way.url)
    if png is None:
        typer.echo("图片现在取不到，过一会儿再运行一次，或在浏览器里打开上面的地址")
        return
    file.write_bytes(png)
    typer.echo(f"图片存到了 {file}")


def _file_name(channel: str) -> str:
    """A channel may be called anything; a file may not."""
    return re.sub(r"[^\w\u4e00-\u9fff-]+", "_", channel).strip("_")[:40] + ".png"
