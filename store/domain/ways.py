"""渠道活码 and 获客链接: the ways by which a customer becomes a contact, each of one channel."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from store.domain.errors import BadCommand

NAME_CHARS = 30
"""Characters of a contact way's ``state`` (D:92572)."""
CHANNEL_BYTES = 64
"""Bytes of a link's ``customer_channel``; WeCom cuts the rest (D:97297)."""
MOST_PEOPLE = 100
"""Members of one contact way (D:92572), and of a link by its older page (D:97297)."""


PICTURE = "picture"
"""The second step of an order: what was made is shown."""


class WayKind(StrEnum):
    CODE = "code"
    LINK = "link"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """``id`` and ``url`` are WeCom's: empty until it is made.

    A code's ``url`` is that of its picture, a link's what the customer opens.
    """

    kind: WayKind
    name: str
    userids: tuple[str, ...]
    id: str = ""
    url: str = ""


def check_way(way: Way) -> None:
    """Raises BadCommand with what to change."""
    if not way.name:
        raise BadCommand("给渠道起个名字，例如：展会")
    if len(way.name) > NAME_CHARS:
        raise BadCommand(f"渠道名最多 {NAME_CHARS} 个字")
    if way.kind == WayKind.LINK and len(way.name.encode(errors="replace")) > CHANNEL_BYTES:
        raise BadCommand(f"链接的渠道名最多 {CHANNEL_BYTES // 3} 个汉字")
    if not way.userids:
        raise BadCommand("还没有能接待的人，销售要有企业微信账号")
    if len(way.userids) > MOST_PEOPLE:
        raise BadCommand(f"一个码最多 {MOST_PEOPLE} 个人接待")


def same_people(one: Iterable[str], other: Iterable[str]) -> bool:
    """WeCom's userids know no case."""
    return {userid.casefold() for userid in one} == {userid.casefold() for userid in other}


def reusable(way: Way, known: Sequence[Way]) -> Way | None:
    """Which of the channel's ``known`` ways is to be used for ``way``, printed ones first of all.

    The one with the same people as it is; else the newest that WeCom can give
    other people: one made for a single member stays a single member's (type 1).
    """
    for old in known:
        if same_people(old.userids, way.userids):
            return old
    for old in known:
        if (len(old.userids) == 1) == (len(way.userids) == 1) or way.kind == WayKind.LINK:
            return old
    return None
