"""渠道活码 and 获客链接, asked for in the chat and handed back there."""

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from cards import dingtalk
from cards.contacts import WAYS, way_failed_text, way_markdown, way_text, ways_text
from handlers.contacts import tell
from handlers.reply import Reply
from store.db import Tx
from store.domain.errors import BadCommand, Refused
from store.domain.team import Channel, Member, Role
from store.domain.ways import PICTURE, Way, WayKind, check_way, reusable
from store.outbox import Put

EXAMPLES = {WayKind.CODE: "活码 展会 李雷 韩梅", WayKind.LINK: "获客 官网 李雷 韩梅"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A channel, and the names of who receives; none: everybody who sells."""

    name: str = ""
    people: tuple[str, ...] = ()


def wanted(text: str) -> Wanted:
    first, *rest = [part.lstrip("@") for part in re.split(r"[\s,，、]+", text) if part] or [""]
    return Wanted(first, tuple(dict.fromkeys(part for part in rest if part)))


async def code(tx: Tx, by: Member, asked: Wanted) -> Reply:
    """A QR code that makes whoever scans it a lead of its channel."""
    return await _order(tx, by, WayKind.CODE, asked)


async def link(tx: Tx, by: Member, asked: Wanted) -> Reply:
    """The same as an address to put under an advertisement."""
    return await _order(tx, by, WayKind.LINK, asked)


async def _order(tx: Tx, by: Member, kind: WayKind, asked: Wanted) -> Reply:
    if not tx.rules.wecom:
        raise Refused(f"还没有接企业微信，做不了{WAYS[kind]}")
    if not asked.name:
        return Reply(text=await _listed(tx, kind))
    way = await plan(tx, kind, asked)
    if by.phone is None:
        raise Refused("你没有能收图片的账号，请管理员加上")
    about = sha256(f"{kind}/{way.name}/{by.id}".encode()).hexdigest()[:32]
    payload = {"way": as_json(way), "by": by.id}
    put = Put(
        key=f"way:{about}",
        channel=Channel.WECOM_WAY,
        account=way.name,
        payload=payload,
        ring=True,  # asked for again, it is shown again
    )
    await tx.outbox.put([put])
    return Reply(text=f"在做「{way.name}」的{WAYS[kind]}，好了发给你", acted=True)


async def _listed(tx: Tx, kind: WayKind) -> str:
    ways = await tx.contacts.ways(kind)
    return ways_text(kind, [(way, await names(tx, way)) for way in ways], EXAMPLES[kind])


async def plan(tx: Tx, kind: WayKind, asked: Wanted) -> Way:
    """What to ask WeCom for; with an ``id``: one that is there. Raises BadCommand."""
    userids = await _userids(tx, asked.people)
    way = Way(kind=kind, name=asked.name, userids=tuple(userids))
    check_way(way)
    old = reusable(way, await tx.contacts.named(kind, way.name))
    return old if old is not None and not asked.people else _with(way, old)


async def known(tx: Tx, way: Way) -> Way:
    """``way`` with the id it has by now: it may have been made, or lost, since it was ordered."""
    return _with(way, reusable(way, await tx.contacts.named(way.kind, way.name)))


def _with(way: Way, old: Way | None) -> Way:
    return replace(way, id=old.id if old else "", url=old.url if old else "")


async def _userids(tx: Tx, people: Sequence[str]) -> list[str]:
    reps = [m for m in await tx.members.active(Role.REP) if m.wecom]
    team = {m.name: m for m in await tx.members.active() if m.wecom}
    unknown = [name for name in people if name not in team]
    if unknown:
        there = "、".join(m.name for m in reps)
        raise BadCommand(f"企业微信里没有「{unknown[0]}」，可以是：{there}")
    chosen = [team[name] for name in people] or reps
    return [str(m.wecom) for m in chosen]


def as_json(way: Way) -> dict[str, Any]:
    return {
        "kind": str(way.kind),
        "name": way.name,
        "userids": list(way.userids),
        "id": way.id,
        "url": way.url,
    }


def from_json(value: dict[str, Any]) -> Way:
    return Way(
        kind=WayKind(value["kind"]),
        name=value["name"],
        userids=tuple(value["userids"]),
        id=value["id"],
        url=value["url"],
    )


async def names(tx: Tx, way: Way) -> Sequence[str]:
    """Who receives, as the team calls them."""
    team = {m.wecom.casefold(): m.name for m in (await tx.members.all()).values() if m.wecom}
    return [team.get(userid.casefold(), userid) for userid in way.userids]


async def made(tx: Tx, way: Way, by: int, gone: str = "") -> None:
    """WeCom has it: keep it, in the place of ``gone``; its picture is the next step."""
    await keep(tx, way, gone)
    put = Put(
        key=f"picture:{_about(way)}/{by}",
        channel=Channel.WECOM_WAY,
        account=way.name,
        payload={"way": as_json(way), "by": by, "step": PICTURE},
        ring=True,
    )
    await tx.outbox.put([put])


async def keep(tx: Tx, way: Way, gone: str = "") -> None:
    """``gone``: the id of one that was deleted at WeCom."""
    if gone:
        await tx.contacts.lose_way(gone)
    await tx.contacts.keep_way(way)


def _about(way: Way) -> str:
    return sha256(way.id.encode()).hexdigest()[:32]


async def shown(tx: Tx, way: Way, by: int, png: bytes | None) -> None:
    """Show to whoever asked what was made."""
    asker = (await tx.members.all()).get(by)
    if asker is None or asker.phone is None:
        return
    channel, account = asker.phone
    people = await names(tx, way)
    key = f"way:{_about(way)}/{asker.id}"
    if channel == Channel.WECOM:
        await _show_wecom(tx, asker, key, way_text(way, people, picture=bool(png)), png)
        return
    url = f"{tx.rules.public_url}/p/{await tx.pictures.keep(png)}.png" if png else ""
    payload = dingtalk.group_message(WAYS[way.kind], way_markdown(way, people, url), ())
    put = Put(key=key, channel=channel, account=account, payload=payload, ring=True)
    await tx.outbox.put([put])


async def _show_wecom(tx: Tx, asker: Member, key: str, text: str, png: bytes | None) -> None:
    account = str(asker.wecom)
    words = {"msgtype": "text", "text": {"content": text}}
    puts = [Put(key=f"{key}/1", channel=Channel.WECOM, account=account, payload=words, ring=True)]
    if png:
        picture = {"msgtype": "image", "png": b64encode(png).decode()}
        puts.append(
            Put(key=f"{key}/2", channel=Channel.WECOM, account=account, payload=picture, ring=True)
        )
    await tx.outbox.put(puts)


async def failed(tx: Tx, way: Way, by: int, why: str) -> None:
    """WeCom said no; ``why`` says what to do, in Chinese."""
    asker = (await tx.members.all()).get(by)
    if asker is not None:
        about = sha256(f"{way.kind}/{way.name}/{tx.now.isoformat()}".encode()).hexdigest()[:32]
        await tell(tx, [asker], f"way:{about}", way_failed_text(way, why))
