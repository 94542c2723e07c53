"""The day's figures, to the managers' groups, with a picture."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import datetime

import structlog

from cards import dingtalk, wecom
from cards.digest import digest_dingtalk_group, digest_wecom_group
from cards.pictures import NoFont, funnel
from store.db import Store, Tx
from store.domain.figures import Figures
from store.domain.quota import Api, Level, Rank
from store.domain.team import Channel, Platform
from store.outbox import Put

log = structlog.get_logger()


async def prepare_digest(store: Store, slot: datetime) -> Callable[[Tx], Awaitable[None]]:
    """Draw the digest of the local day of ``slot``; what is returned posts it.

    Silent on days off, when the day is over already, and when nothing changed.
    """
    day = slot.astimezone(store.rules.zone).date()
    async with store.read() as tx:
        figures = await tx.figures.of(day, tx.now)
        today = tx.now.astimezone(store.rules.zone).date()
    if figures.empty or day != today or not store.rules.calendar.is_workday(day):
        return _silent
    png = await asyncio.to_thread(draw, figures)

    async def post(tx: Tx) -> None:
        await tx.outbox.put([put async for put in _posts(tx, figures, png)])

    return post


async def _silent(tx: Tx) -> None:
    return


def draw(figures: Figures) -> bytes | None:
    """The picture; None when no font can draw Chinese: the digest is text then."""
    try:
        return funnel(figures)
    except NoFont as error:
        log.error("the digest has no picture", why=str(error))  # noqa: TRY400 - no traceback needed
        return None


async def _posts(tx: Tx, figures: Figures, png: bytes | None) -> AsyncIterator[Put]:
    if tx.rules.wecom_group:
        for put in _wecom(figures, png):
            yield put
    targets = [""] if tx.rules.dingtalk_group else []
    if not targets or await tx.quota.level(Api.DINGTALK_CALLS) == Level.PLENTY:
        targets += [g.id for g in await tx.groups.all() if g.platform == Platform.DINGTALK]
    if await tx.quota.level(Api.DINGTALK_CALLS, Api.DINGTALK_PUSHES) > Level.PLENTY:
        png = None
    if targets:
        url = f"{tx.rules.public_url}/p/{await tx.pictures.keep(png)}.png" if png else ""
        for target in targets:
            yield _dingtalk(figures, url, target)


def _wecom(figures: Figures, png: bytes | None) -> Iterator[Put]:
    text = wecom.group_markdown(digest_wecom_group(figures))
    key = f"digest:{figures.day}/wecom"
    yield Put(
        key=f"{key}/1-text", channel=Channel.WECOM_GROUP, account="", payload=text, rank=Rank.EXTRA
    )
    if png:
        picture = wecom.group_picture(png)
        yield Put(
            key=f"{key}/2-png",
            channel=Channel.WECOM_GROUP,
            account="",
            payload=picture,
            rank=Rank.EXTRA,
        )


def _dingtalk(figures: Figures, url: str, target: str) -> Put:
    title, markdown, buttons = digest_dingtalk_group(figures, url)
    draw_card = dingtalk.group_message if target else dingtalk.group_card
    return Put(
        key=f"digest:{figures.day}/dingtalk/{target}"[:100],
        channel=Channel.DINGTALK_GROUP,
        account=target,
        payload=draw_card(title, markdown, buttons),
        rank=Rank.EXTRA,
    )
