"""The relay's senders: what the outbox holds, as WeCom messages."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.platforms.named import named, nonce
from bot.platforms.oncemore import once_more
from bot.platforms.wecom.client import Answer, WeComClient, WeComError
from bot.platforms.wecom.customers import customer
from bot.platforms.wecom.errcodes import (
    CODE_SPENT,
    CODE_USED,
    NO_RELATION,
    NO_SUCH_CARD,
    TASK_ID_TAKEN,
)
from bot.platforms.wecom.pictures import uploaded
from cards import wecom
from store.domain.errors import Anew, Later, Undeliverable
from store.outbox import Due, unspent

RECALLABLE = timedelta(hours=23, minutes=50)  # 24 h (D:94867), less the same
MAX_TASK_ID = 128  # bytes (D:90236)
REPEAT = 3600  # seconds in which the same card is not sent again (4 h at most, D:90236)
LOOKUP_TRIES = 5
LOOKUP_PAUSE = timedelta(seconds=5)

Ref = dict[str, Any]
Found = Callable[[str, dict[str, Any]], Awaitable[None]]


def task_id(due: Due, *, notice: bool = False) -> str:
    """The task_id of one payload: WeCom refuses one it has seen before (D:90236)."""
    return named(due.key, nonce(due, "notice" if notice else ""), MAX_TASK_ID)


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
    opens a page at ``home``.

    A card whose answer was lost is the same request when it is sent again, and
    ``enable_duplicate_check`` keeps it from being shown twice. For texts it stays off: an
    identical one would vanish with errcode 0, so that a person who asks the same thing
    twice gets no answer. A lost answer can show a text twice.
    """

    client: WeComClient
    agent_id: int
    clock: Callable[[], datetime]
    home: str = ""

    def in_place(self, due: Due) -> bool:
        """Whether it would change the card that is there, and be no new message."""
        return changes_in_place(due, self.clock())

    async def show(self, due: Due) -> Ref | None:
        """Make the phone show it; the ref for the next time.

        Raises Later, Anew when WeCom refuses every code that looked good, or
        Undeliverable when the member cannot be reached.
        """
        if due.payload["msgtype"] == "image":
            return await self._send(due, await uploaded(self.client, due.payload))
        if due.payload["msgtype"] != "template_card":
            return await self._send(due, due.payload)
        if changes_in_place(due, self.clock()):
            return await self._change(due, due.ref or {})
        return await self._send_card(due)

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
                return await self._send_named(due, notice=False)
            except WeComError as error:
                if error.code != NO_SUCH_CARD or not self.home:
                    raise
        return {"notice": True, **await self._send_named(due, notice=True)}

    async def _send_named(self, due: Due, *, notice: bool) -> Ref:
        id_ = task_id(due, notice=notice)
        card = {**self._card(due, notice=notice), "task_id": id_}
        once = {"enable_duplicate_check": 1, "duplicate_check_interval": REPEAT}
        try:
            sent = await self._send(due, {**due.payload, "template_card": card, **once})
        except WeComError as error:
            # Which code a repeated task_id gets is not documented; the sheet suggests this one.
            if error.code != TASK_ID_TAKEN or due.attempts < 2:
                raise
            sent = {"codes": []}
        return {"task_id": id_, **sent}

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
        answer = await self.client.call("message/send", body)
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
        raise Undeliverable("the member is outside the app's visible range")


@dataclass(frozen=True, slots=True)
class GroupSender:
    """The managers' group, through the robot's webhook; 20 messages a minute (D:99110)."""

    client: WeComClient

    async def show(self, due: Due) -> None:
        await self.client.post_to_group(due.payload)


@dataclass(frozen=True, slots=True)
class MassSender:
    """A 企业群发 task for one contact; nothing is sent before the member confirms it (D:92135).

    WeCom has no key against repeats here: an answer that gets lost means a second task,
    which the member sees and can leave alone.
    """

    client: WeComClient

    async def show(self, due: Due) -> Ref:
        """Raises Undeliverable when the contact is gone (41048, or named in fail_list)."""
        body = {"chat_type": "single", "external_userid": [due.account], **due.payload}
        answer = await self.client.call("externalcontact/add_msg_template", body)
        if due.account in (answer.get("fail_list") or ()):
            raise Undeliverable("the member cannot write to this contact")
        return {"msgid": answer.get("msgid", "")}


@dataclass(frozen=True, slots=True)
class ContactLookup:
    """Asks who a new contact is and hands it to ``found(external_userid, about)``."""

    client: WeComClient
    found: Found

    async def show(self, due: Due) -> None:
        """The event can be ahead of the data, so 84061 gets a few tries (D:92114)."""
        try:
            answer = await customer(self.client, due.account)
        except WeComError as error:
            if error.code == NO_RELATION and due.attempts < LOOKUP_TRIES:
                raise Later(str(error), LOOKUP_PAUSE) from None
            raise
        await self.found(due.account, about(answer, due.payload.get("userid", "")))


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
