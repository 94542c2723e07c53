"""The relay's senders for external contacts: welcome, remark and tag, QR codes and links."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from bot.platforms.wecom.client import Answer, WeComClient, WeComError
from bot.platforms.wecom.customers import customer
from bot.platforms.wecom.errcodes import NO_RELATION
from bot.platforms.wecom.pictures import drawn, fetched
from bot.platforms.wecom.sender import LOOKUP_PAUSE, LOOKUP_TRIES, Gone
from store.domain.errors import Alarm, Held, Later, Undeliverable
from store.domain.ways import PICTURE, Way, WayKind
from store.outbox import Due

Ref = dict[str, Any]
Greeted = Callable[[str, str, str], Awaitable[None]]
"""(external_userid, userid, why not) → noted."""

WINDOW = timedelta(seconds=20)  # of a welcome code (D:92137)
TRY = 5.0  # seconds of one call: a connection that hangs must not use up the window
PAUSE = timedelta(seconds=1)
GREETED_ALREADY, TOO_LATE = 41051, 41050
TAG_UNKNOWN, TAG_EXISTS = 40068, 40071
REMARK_CHARS = 20  # of a remark and of a company (D:92115)
GROUP = "线索阶段"
PICTURE_TRIES, PICTURE_PAUSE = 3, timedelta(seconds=5)
PICTURE_TRY = 10.0  # seconds: the host of the pictures is not WeCom's API, and may hang
SHOW: Mapping[WayKind, tuple[str, str]] = {
    WayKind.CODE: ("externalcontact/get_contact_way", "config_id"),
    WayKind.LINK: ("externalcontact/customer_acquisition/get", "link_id"),
}
MEMBER_PROBLEMS: Mapping[int, str] = {
    40003: "有人不在企业微信里，核对账号",
    40098: "有人还没实名，请先在手机上实名",
    40099: "有人的客户数满了，换一位接待",
    41041: "接待的人超过 100 个",
    41045: "企业的活码数量用完了，用已有的",
    41054: "有人还没激活企业微信",
    41095: "获客链接数量用完了，用已有的",
    48002: "应用没有客户联系权限，请管理员在「可调用接口的应用」里加上它",
    60011: "有人不在应用的可见范围里",
    60111: "有人不在企业微信里，核对账号",
    84074: "有人没有客户联系权限，请管理员加到使用范围",
    84083: "有人没有客户联系权限，请管理员加到使用范围",
    84084: "有人没有客户联系权限，请管理员加到使用范围",
}


@dataclass(frozen=True, slots=True)
class WelcomeSender:
    """The first words to a new contact: once, within 20 seconds of the event (D:92137).

    What ends well or badly is told to ``greeted``, so that the member knows
    whether to greet. A repeated try is harmless: the second answer is 41051.
    """

    client: WeComClient
    clock: Callable[[], datetime]
    greeted: Greeted

    async def show(self, due: Due) -> None:
        """Raises Later within the window, Undeliverable after it."""
        payload, who = due.payload, (due.account, due.payload["userid"])
        over = datetime.fromisoformat(payload["since"]) + WINDOW
        # The first try is made in any case: only WeCom knows when its 20 seconds began.
        if self.clock() >= over and due.attempts > 1:
            await self._give_up(who, "超过 20 秒")
        try:
            await self._send(payload)
        except WeComError as error:  # before Later: no admin is quick enough
            if error.code != GREETED_ALREADY:
                why = "超过 20 秒" if error.code == TOO_LATE else said(error)
                await self._give_up(who, why, error.alarm)
        except Later as later:
            wait = later.after if later.after is not None else PAUSE * 2 ** (due.attempts - 1)
            if self.clock() + wait >= over:
                await self._give_up(who, "企业微信这会儿太忙")
            raise (Held if isinstance(later, Held) else Later)(str(later), wait) from None
        await self.greeted(*who, "")

    async def _send(self, payload: Mapping[str, Any]) -> None:
        body = {"welcome_code": payload["welcome_code"], "text": payload["text"]}
        try:
            async with asyncio.timeout(TRY):
                await self.client.call("externalcontact/send_welcome_msg", body)
        except TimeoutError:
            raise Later("send_welcome_msg: no answer", timedelta(0)) from None

    async def _give_up(self, who: tuple[str, str], why: str, alarm: Alarm | None = None) -> None:
        await self.greeted(*who, why)
        raise Undeliverable(f"no welcome: {why}", alarm)


@dataclass(slots=True)
class StageTags:
    """The corp tags that stand for stages, in one group (D:92117)."""

    client: WeComClient
    group: str = GROUP
    _ids: dict[str, str] | None = None
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def id_of(self, name: str) -> str:
        """The tag's id, made if there is none. Raises as ``client.call`` does."""
        async with self._one:  # two at once would make the tag twice
            if self._ids is None:
                self._ids = await self._listed()
            if name not in self._ids:
                self._ids[name] = await self._made(name)
            return self._ids[name]

    def forget(self) -> None:
        """Somebody deleted a tag in the console."""
        self._ids = None

    async def _listed(self) -> dict[str, str]:
        answer = await self.client.call("externalcontact/get_corp_tag_list", {})
        groups = [g for g in answer.get("tag_group") or () if g.get("group_name") == self.group]
        return {tag["name"]: tag["id"] for group in groups for tag in group.get("tag") or ()}

    async def _made(self, name: str) -> str:
        body = {"group_name": self.group, "tag": [{"name": name}]}
        try:
            answer = await self.client.call("externalcontact/add_corp_tag", body)
        except WeComError as error:
            if error.code != TAG_EXISTS:
                raise
            self._ids = None  # another process was quicker
            raise Later(str(error), PAUSE) from None
        made = (answer.get("tag_group") or {}).get("tag") or ()
        return next(str(tag["id"]) for tag in made if tag["name"] == name)


@dataclass(frozen=True, slots=True)
class ProfileSender:
    """A contact's remark and tag as one member sees them; what is so already costs no call.

    The remark is only written over an empty one, the nickname, or our own: what a
    member wrote stays. Their phone numbers are added to, never replaced (D:92115).
    """

    client: WeComClient
    tags: StageTags
    gone: Gone

    async def show(self, due: Due) -> Ref:
        """Raises Later, or Undeliverable when the two are no contacts (any more)."""
        try:
            return await self._write(due)
        except WeComError as error:
            # The event can be ahead of the data (D:92114).
            if error.code == NO_RELATION and due.attempts < LOOKUP_TRIES:
                raise Later(str(error), LOOKUP_PAUSE) from None
            if error.code == NO_RELATION:
                await self.gone(due.account, due.payload["userid"])
            raise

    async def _write(self, due: Due) -> Ref:
        ref = dict(due.ref or {})
        who = {"userid": due.payload["userid"], "external_userid": due.account}
        wanted = due.payload["remark"]
        if wanted and wanted != ref.get("remark"):
            await self._remark(who, wanted, ref.get("remark") or {})
            ref["remark"] = wanted
        tag = due.payload["tag"]
        if tag and tag != ref.get("tag"):
            ref |= {"tag": tag, "tag_id": await self._mark(who, tag, ref.get("tag_id", ""))}
        return ref

    async def _mark(self, who: Mapping[str, str], tag: str, old: str) -> str:
        new = await self.tags.id_of(tag)
        remove = {"remove_tag": [old]} if old and old != new else {}
        try:
            await self.client.call("externalcontact/mark_tag", {**who, "add_tag": [new], **remove})
        except WeComError as error:
            if error.code != TAG_UNKNOWN:
                raise
            await self._mark_anew(who, tag)
            return await self.tags.id_of(tag)
        return new

    async def _mark_anew(self, who: Mapping[str, str], tag: str) -> None:
        """The ids we knew are gone: ask for the list once more, remove nothing."""
        self.tags.forget()
        body = {**who, "add_tag": [await self.tags.id_of(tag)]}
        await self.client.call("externalcontact/mark_tag", body)

    async def _remark(
        self, who: Mapping[str, str], wanted: Mapping[str, str], ours: Mapping[str, str]
    ) -> None:
        answer = await customer(self.client, who["external_userid"])
        body = _changes(answer, who["userid"], wanted, ours)
        if body:
            await self.client.call("externalcontact/remark", {**who, **body})


def _changes(
    answer: Answer, userid: str, wanted: Mapping[str, str], ours: Mapping[str, str]
) -> dict[str, Any]:
    """What externalcontact/remark is to be asked for; raises WeComError when ``userid`` left."""
    contact = answer.get("external_contact") or {}
    follower = next(
        (one for one in answer.get("follow_user") or () if _same(one.get("userid"), userid)), None
    )
    if follower is None:
        raise WeComError(NO_RELATION, "the member and the customer are not contacts")
    body: dict[str, Any] = {}
    remark = str(follower.get("remark") or "")
    new = wanted.get("remark", "")[:REMARK_CHARS]
    if new != remark and remark in {"", contact.get("name", ""), ours.get("remark", "")}:
        body["remark"] = new
    if "company" in wanted and contact.get("type") == 1 and not follower.get("remark_corp_name"):
        body["remark_company"] = wanted["company"][:REMARK_CHARS]
    mobiles = [mobile for mobile in follower.get("remark_mobiles") or () if mobile]
    if "phone" in wanted and not any(_same_number(m, wanted["phone"]) for m in mobiles):
        body["remark_mobiles"] = [*mobiles, wanted["phone"].removeprefix("+86")]
    return {name: value for name, value in body.items() if value}


def _same(userid: object, other: str) -> bool:
    return str(userid).casefold() == other.casefold()


def _same_number(one: str, other: str) -> bool:
    return one.removeprefix("+86") == other.removeprefix("+86")


# -- codes and links ---------------------------------------------------------


async def make(client: WeComClient, way: Way) -> tuple[Way, str]:
    """``way`` as WeCom made or changed it, and the id of one that WeCom no longer has.

    One that was deleted there is made anew under the same name. WeCom has no key
    against repeats: an answer that gets lost leaves a code nobody uses. Raises as
    ``client.call`` does.
    """
    written = _code if way.kind == WayKind.CODE else _link
    try:
        return await written(client, way), ""
    except WeComError as error:
        if not way.id or _is_about_us(error) or await _exists(client, way):
            raise
    return await written(client, replace(way, id="", url="")), way.id


async def _exists(client: WeComClient, way: Way) -> bool:
    """Asked of WeCom: which code an unknown id is refused with is not documented."""
    path, key = SHOW[way.kind]
    try:
        await client.call(path, {key: way.id})
    except WeComError as error:
        if _is_about_us(error):
            raise
        return False
    return True


def _is_about_us(error: WeComError) -> bool:
    """Whether it says nothing about the code or link itself."""
    return isinstance(error, Later) or error.code in MEMBER_PROBLEMS


async def _code(client: WeComClient, way: Way) -> Way:
    """D:92572. type 1 is for exactly one member; scene 2 answers with a picture."""
    people = {"user": list(way.userids), "remark": way.name, "state": way.name}
    if way.id:
        body = {"config_id": way.id, "skip_verify": True, **people}
        await client.call("externalcontact/update_contact_way", body)
        return way
    kind = 1 if len(way.userids) == 1 else 2
    body = {"type": kind, "scene": 2, "skip_verify": True, **people}
    answer = await client.call("externalcontact/add_contact_way", body)
    return replace(way, id=str(answer["config_id"]), url=str(answer.get("qr_code") or ""))


async def _link(client: WeComClient, way: Way) -> Way:
    """D:97297. The channel travels in the address and comes back as State."""
    path = "externalcontact/customer_acquisition/"
    about = {"link_name": way.name, "range": {"user_list": list(way.userids)}, "skip_verify": True}
    if way.id:
        await client.call(f"{path}update_link", {"link_id": way.id, **about})
        return way
    link = (await client.call(f"{path}create_link", about)).get("link") or {}
    url = f"{link['url']}?customer_channel={quote(way.name, safe='')}"
    return replace(way, id=str(link["link_id"]), url=url)


async def picture(client: WeComClient, way: Way, patience: float = PICTURE_TRY) -> bytes:
    """Its QR code: WeCom's own for a code, ours for a link. Raises Later after ``patience`` seconds."""
    if way.kind == WayKind.LINK:
        return drawn(way.url)
    try:
        async with asyncio.timeout(patience):
            return await fetched(client, way.url)
    except TimeoutError:
        raise Later("a picture: no answer") from None


def said(error: WeComError) -> str:
    """What somebody can do about it, in Chinese."""
    return MEMBER_PROBLEMS.get(error.code, f"企业微信返回 {error.code}，请管理员看日志")


Made = Callable[[Way, int, str], Awaitable[None]]
"""(way, who asked, the id of one that is gone) → kept, and its picture ordered."""
Shown = Callable[[Way, int, bytes | None], Awaitable[None]]
Failed = Callable[[Way, int, str], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class WaySender:
    """Makes what was ordered, or fetches the picture of what was made: two rows, two steps.

    So that a picture that does not come is tried again without making another code.
    """

    client: WeComClient
    known: Callable[[Way], Awaitable[Way]]
    made: Made
    shown: Shown
    failed: Failed
    read: Callable[[dict[str, Any]], Way]
    patience: float = PICTURE_TRY
    one: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def show(self, due: Due) -> Ref:
        """Raises Later before anything was made, Undeliverable when WeCom says no."""
        ordered, by = self.read(due.payload["way"]), due.payload["by"]
        if due.payload.get("step") == PICTURE:
            await self.shown(ordered, by, await self._picture(due, ordered))
            return {"id": ordered.id}
        async with self.one:  # of two orders at once, the second finds what the first has made
            return await self._make(await self.known(ordered), by)

    async def _make(self, ordered: Way, by: int) -> Ref:
        try:
            way, gone = await make(self.client, ordered)
        except WeComError as error:
            await self.failed(ordered, by, said(error))
            raise Undeliverable(str(error), error.alarm) from None  # told once, so tried once
        await self.made(way, by, gone)
        return {"id": way.id}

    async def _picture(self, due: Due, way: Way) -> bytes | None:
        try:
            return await picture(self.client, way, self.patience)
        except Later as later:
            if due.attempts < PICTURE_TRIES:
                raise Later(str(later), PICTURE_PAUSE) from None
            return None  # the address is told instead
