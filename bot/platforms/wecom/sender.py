"""The relay's senders: what the outbox holds, as WeCom messages."""

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog

from bot.platforms.named import named, nonce
from bot.platforms.oncemore import once_more
from bot.platforms.wecom.client import Answer, WeComClient, WeComError
from bot.platforms.wecom.customers import customer
from bot.platforms.wecom.errcodes import (
    BAD_MEDIA,
    CODE_SPENT,
    CODE_USED,
    NO_CALLBACK,
    NO_RELATION,
    NO_SUCH_CARD,
    NOBODY_TO_SEND_TO,
    TASK_ID_TAKEN,
    TASK_ID_WRONG,
    UNKNOWN_MEMBER,
    UNREADY_MEMBER,
    UNSEEN_MEMBER,
    alarm_key,
    is_refused,
)
from bot.platforms.wecom.masstasks import already_made
from bot.platforms.wecom.pictures import Uploads
from cards import wecom
from store.db import utcnow
from store.domain.errors import Alarm, Anew, Later, Undeliverable
from store.outbox import Due, unspent

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

RECALLABLE = timedelta(hours=23, minutes=50)  # 24 h (D:94867), less the same
MAX_TASK_ID = 128  # bytes (D:90236)
SEND = "message/send"
NOT_SEEN = 81013  # also when WeCom says so in a success
REPEAT = 3600  # seconds in which the same card is not sent again (4 h at most, D:90236)
LOOKUP_TRIES = 5
LOOKUP_PAUSE = timedelta(seconds=5)

Ref = dict[str, Any]
ONCE = {"enable_duplicate_check": 1, "duplicate_check_interval": REPEAT}
Found = Callable[[str, dict[str, Any]], Awaitable[None]]
Missing = Callable[[str], Awaitable[None]]
"""A userid that WeCom does not know → noted."""
Alarmed = Callable[[Alarm], Awaitable[None]]
Gone = Callable[[str, str], Awaitable[None]]
"""(external_userid, userid) are no contacts → noted."""


def task_id(due: Due, salt: str = "") -> str:
    """The task_id of one payload: WeCom refuses one it has seen before (D:90236).

    ``salt``: what tells another card for the same payload apart.
    """
    return named(due.key, nonce(due, salt), MAX_TASK_ID)


def changes_in_place(due: Due, now: datetime) -> bool:
    """Whether the card that is there is changed in silence: no message, and no limit, is used."""
    card = due.payload["msgtype"] == "template_card"
    return card and not due.ring and bool(unspent(due.ref or {}, now))


@dataclass(frozen=True, slots=True)
class AppSender:
    """A member's chat with our app.

    A card that is there is changed in silence with an unspent response code; each
    works once, for 72 h (D:94888). Without one, or to ring, a new card is sent and
    the one it replaces is taken back. Where buttons are refused (42031, a WeCom of a
    corp's own that is older than they are) the card is a notice with a menu, which
    opens a page at ``home``; where the app has no callback URL (43012) it is one without,
    and ``alarmed`` is told. What WeCom refuses as malformed or dangerous (82004), or with a
    code nobody knows, is sent once more as plain words.

    A message whose answer was lost is the same request when it is sent again, and
    ``enable_duplicate_check`` keeps it from being shown twice: WeCom compares the whole
    request (D:90236). Cards have a task_id of their own. A text or picture that was said
    to the same person not long ago (``said_before``) is meant to be said again, so it is
    sent without the check and would be seen twice if its answer got lost: of two equal
    answers to two questions none may vanish.
    """

    client: WeComClient
    agent_id: int
    clock: Callable[[], datetime]
    home: str = ""
    missing: Missing | None = None
    alarmed: Alarmed | None = None
    uploads: Uploads = field(default_factory=Uploads)

    def in_place(self, due: Due) -> bool:
        """Whether it would change the card that is there, and be no new message."""
        return changes_in_place(due, self.clock())

    def proves(self, due: Due, ref: Mapping[str, Any] | None) -> Sequence[str]:
        """What an alarm may not say any more: a card with codes has needed the callback URL."""
        cards = ref is not None and ref.get("codes") and not self.in_place(due)
        return [alarm_key(NO_CALLBACK, SEND)] if cards else []

    async def show(self, due: Due) -> Ref | None:
        """Make the phone show it; the ref for the next time.

        Raises Later, Anew when WeCom refuses every code that looked good, or
        Undeliverable when the member cannot be reached.
        """
        try:
            return await self._shown(due)
        except WeComError as error:
            if error.code in UNKNOWN_MEMBER and self.missing is not None:
                await self.missing(due.account)
                raise
            alarm = unreachable(error.code, due.account)
            if alarm is None:
                raise
            raise WeComError(error.code, str(error), alarm) from None

    async def _shown(self, due: Due) -> Ref:
        try:
            return await self._as_it_is(due)
        except WeComError as error:
            plain = wecom.plainly(due.payload)
            if not is_refused(error.code) or self.in_place(due) or plain == due.payload:
                raise
            return await self._plainly(due, plain, error)

    async def _plainly(self, due: Due, plain: dict[str, Any], refusal: WeComError) -> Ref:
        """The words alone; if they are refused, too, what was said of the first."""
        try:
            ref = await self._send_once(due, plain)
        except WeComError as error:
            if isinstance(error, Later):
                raise
            raise refusal from None
        await self._take_back(due.ref or {})
        return {"at": self.clock().isoformat(), **ref}

    async def _as_it_is(self, due: Due) -> Ref:
        if due.payload["msgtype"] == "image":
            return await self._send_picture(due)
        if due.payload["msgtype"] != "template_card":
            return await self._send_once(due, due.payload)
        if changes_in_place(due, self.clock()):
            return await self._change(due, due.ref or {})
        return await self._send_card(due)

    async def _send_picture(self, due: Due) -> Ref:
        """A picture that WeCom no longer has is uploaded once more."""
        png = base64.b64decode(due.payload["png"])
        picture = await self.uploads.message(self.client, png, self.clock())
        try:
            return await self._send_once(due, picture)
        except WeComError as error:
            if error.code != BAD_MEDIA:
                raise
        self.uploads.forget(png)
        return await self._send_once(
            due, await self.uploads.message(self.client, png, self.clock())
        )

    async def _send_once(self, due: Due, payload: dict[str, Any]) -> Ref:
        return await self._send(due, payload if due.said_before else {**payload, **ONCE})

    async def _change(self, due: Due, ref: Ref) -> Ref:
        codes = list(unspent(ref, self.clock()))
        while codes:
            newest = codes.pop()
            if await self._update(due, newest["code"]):
                return {**ref, "codes": codes}
        raise Anew("every response code is spent")

    async def _update(self, due: Due, code: str) -> bool:
        """False: the code was spent. A change whose answer got lost spends it, too."""
        body = {
            "userids": [due.account],
            "agentid": self.agent_id,
            "response_code": code,
            "template_card": self._card(due, notice="notice" in (due.ref or {})),
        }
        try:
            answer = await self.client.call("message/update_template_card", body)
        except WeComError as error:
            if error.code in {CODE_SPENT, CODE_USED}:
                return False
            raise
        _check_reached(answer, due.account)
        return True

    async def _send_card(self, due: Due) -> Ref:
        ref = await self._buttons_or_notice(due)
        await self._take_back(due.ref or {})
        return {"at": self.clock().isoformat(), **ref}

    async def _buttons_or_notice(self, due: Due) -> Ref:
        """A phone that could not have buttons the last time is not asked again."""
        if "notice" not in (due.ref or {}):
            try:
                return await self._send_named(due, self._card(due, notice=False), "")
            except WeComError as error:
                if error.code not in {NO_SUCH_CARD, NO_CALLBACK} or not self.home:
                    raise
                if error.code == NO_CALLBACK:
                    return await self._without_buttons(due, error.alarm)
        notice = self._card(due, notice=True)
        return {"notice": True, **await self._send_named(due, notice, "notice")}

    async def _without_buttons(self, due: Due, alarm: Alarm | None) -> Ref:
        """Buttons would lead nowhere before the admin acts; the lead is seen all the same."""
        if alarm is not None and self.alarmed is not None:
            await self.alarmed(alarm)
        notice = self._card(due, notice=True)
        plain = {name: value for name, value in notice.items() if name != "action_menu"}
        return await self._send_named(due, plain, "plain")

    async def _send_named(self, due: Due, card: dict[str, Any], salt: str) -> Ref:
        id_ = task_id(due, salt)
        try:
            return await self._send_as(due, card, id_)
        except WeComError as error:
            if error.code not in TASK_ID_WRONG:
                raise
            # Refused as used before, after a try that nobody answered: that try was heard.
            if error.code == TASK_ID_TAKEN and due.unsure:
                return {"task_id": id_, "codes": []}
        return await self._send_as(due, card, task_id(due, f"{salt}anew"))

    async def _send_as(self, due: Due, card: dict[str, Any], id_: str) -> Ref:
        named_card = {**card, "task_id": id_}
        payload = {**due.payload, "template_card": named_card, **ONCE}
        return {"task_id": id_, **await self._send(due, payload)}

    def _card(self, due: Due, *, notice: bool) -> dict[str, Any]:
        card: dict[str, Any] = due.payload["template_card"]
        if not notice:
            return card
        page = f"/app/leads/{due.lead_id}" if due.lead_id else "/"
        return wecom.notice(card, f"{self.home}{page}")

    async def _take_back(self, ref: Ref) -> None:
        """The card that a new one replaces goes: one thing, one card."""
        at = ref.get("at")
        if not at or "msgid" not in ref or self.clock() - datetime.fromisoformat(at) > RECALLABLE:
            return
        with suppress(WeComError, Later, Undeliverable):  # two cards are better than none
            message = {"msgid": ref["msgid"]}
            await once_more(lambda: self.client.call("message/recall", message))

    async def _send(self, due: Due, payload: dict[str, Any]) -> Ref:
        body = {"touser": due.account, "agentid": self.agent_id, **payload}
        answer = await self.client.call(SEND, body)
        _check_reached(answer, due.account)
        code = answer.get("response_code")
        codes = [{"code": code, "at": self.clock().isoformat()}] if code else []
        return {"codes": codes, "msgid": answer.get("msgid", "")}


def _check_reached(answer: Answer, account: str) -> None:
    """Raise Undeliverable if ``account`` is among the invalid ones of a success.

    They come lower-cased, as ``a|b`` from message/send and as a list from
    update_template_card (D:90236, D:94888).
    """
    invalid = answer.get("invaliduser") or ()
    names = invalid.split("|") if isinstance(invalid, str) else invalid
    if account.lower() in {str(name).lower() for name in names}:
        raise WeComError(NOT_SEEN, "the member is outside the app's visible range")


def unreachable(code: int, account: str) -> Alarm | None:
    """What the admin is told when one member gets nothing; None for any other code."""
    if code in UNKNOWN_MEMBER:
        tell = f"企业微信里没有账号 {account}，发不到：核对配置里 [[team]] 的 wecom"
    elif code in UNSEEN_MEMBER:
        tell = f"{account} 收不到企业微信消息：到应用页「可见范围」加上，也看看账号还在不在"
    elif code in UNREADY_MEMBER:
        tell = f"{account} 收不到企业微信消息：请本人先在手机上激活企业微信并实名"
    else:
        return None
    return Alarm(f"{alarm_key(code, SEND)}@{account}", tell)


@dataclass(frozen=True, slots=True)
class GroupSender:
    """The managers' group, through the robot's webhook; 20 messages a minute (D:99110).

    The robot takes no id against repeats and answers no questions: a message whose answer
    got lost comes twice rather than never. One after the other: the digest's picture would come before its text else.
    """

    client: WeComClient
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def show(self, due: Due) -> None:
        async with self.turn:
            await self.client.post_to_group(due.payload)


@dataclass(frozen=True, slots=True)
class MassSender:
    """A 企业群发 task for one contact; nothing is sent before the member confirms it (D:92135).

    WeCom has no key against repeats here: after an answer that got lost it is asked whether
    the task is there, and only then is one made.
    """

    client: WeComClient
    gone: Gone
    doubted: Gone
    clock: Callable[[], datetime] = utcnow

    async def show(self, due: Due) -> Ref:
        """Raises Undeliverable when the contact is gone, which is noted (84061), or may be.

        41048, or being named in fail_list, can have other reasons: WeCom is asked.
        """
        if due.unsure and (made := await self._already_made(due)):
            return {"msgid": made}
        who = (due.account, str(due.payload.get("sender", "")))
        body = {"chat_type": "single", "external_userid": [due.account], **due.payload}
        try:
            answer = await self.client.call("externalcontact/add_msg_template", body)
        except WeComError as error:
            if error.code == NO_RELATION:
                await self.gone(*who)
            if error.code == NOBODY_TO_SEND_TO:
                await self.doubted(*who)
            raise
        if due.account in (answer.get("fail_list") or ()):
            await self.doubted(*who)
            raise Undeliverable("the member cannot write to this contact")
        return {"msgid": answer.get("msgid", "")}

    async def _already_made(self, due: Due) -> str:
        """A second task, which the member can leave alone, is better than none."""
        try:
            return await already_made(self.client, due, self.clock())
        except WeComError as error:
            if isinstance(error, Later):
                raise
            log.warning("wecom_mass_task_unknown", key=due.key, code=error.code)
            return ""


@dataclass(frozen=True, slots=True)
class ContactLookup:
    """Asks who a contact is and hands it to ``found(external_userid, about)``.

    ``gone`` is told who is nobody's contact, or not that of the member who was in doubt.
    """

    client: WeComClient
    found: Found
    gone: Gone

    async def show(self, due: Due) -> None:
        """The event can be ahead of the data, so 84061 gets a few tries (D:92114)."""
        userid = str(due.payload.get("userid", ""))
        try:
            answer = await customer(self.client, due.account)
        except WeComError as error:
            if error.code == NO_RELATION and due.attempts < LOOKUP_TRIES:
                raise Later(str(error), LOOKUP_PAUSE) from None
            if error.code == NO_RELATION:
                await self.gone(due.account, userid)
            raise
        if due.payload.get("doubt") and not _follows(answer, userid):
            await self.gone(due.account, userid)
            return
        await self.found(due.account, about(answer, userid))


def _follows(answer: Answer, userid: str) -> bool:
    followers = answer.get("follow_user") or ()
    return userid.lower() in {str(one.get("userid", "")).lower() for one in followers}


def about(answer: Answer, userid: str = "") -> dict[str, Any]:
    """What externalcontact/get says (D:92114), as seen by ``userid`` or the newest follower.

    ``company`` and ``title`` are the contact's own only for WeCom users; for WeChat
    users the company is the member's remark. WeCom never tells a phone number but
    those the member noted (``remark_mobiles``).
    """
    contact = answer.get("external_contact") or {}
    follower = _follower(answer.get("follow_user") or [], userid)
    company = contact.get("corp_full_name") or contact.get("corp_name")
    return {
        "name": contact.get("name", ""),
        "company": company or follower.get("remark_corp_name", ""),
        "title": contact.get("position", ""),
        "unionid": contact.get("unionid", ""),
        "userid": follower.get("userid", ""),
        "remark": follower.get("remark", ""),
        "description": follower.get("description", ""),
        "remark_mobiles": [mobile for mobile in follower.get("remark_mobiles") or () if mobile],
        "state": follower.get("state", ""),
        "add_way": follower.get("add_way", 0),
    }


def _follower(followers: list[dict[str, Any]], userid: str) -> dict[str, Any]:
    named = [one for one in followers if str(one.get("userid", "")).lower() == userid.lower()]
    return max(named or followers, key=lambda one: one.get("createtime") or 0, default={})
