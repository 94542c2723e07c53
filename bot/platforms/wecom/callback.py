"""What WeCom tells us: the GET that verifies the URL, messages, presses, new contacts."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from bot.config import WeCom
from bot.incoming import (
    KINDS,
    UNKNOWN_KIND,
    AppActivity,
    ContactAdded,
    ContactEdited,
    ContactEvent,
    ContactLost,
    DirectoryChanged,
    Entered,
    HandoverFailed,
    Heard,
    Incoming,
    LinkNews,
    OrgEvent,
    Press,
)
from bot.platforms.wecom.crypto import Query, WeComCrypto
from bot.platforms.wecom.xml import ILLEGAL, cdata, parse_xml
from store.domain.errors import BadCallback
from store.domain.team import Platform

SPOKEN = "。．.！!？?，,"
"""What a transcript ends a sentence with, and no command does."""
MAX_TEXT = 2048  # bytes of a passive text reply; WeCom cuts the rest (D:90241)
CARD_EVENTS = {"template_card_event", "template_card_menu_event"}
CONTACT_ADDED = {"add_external_contact", "add_half_external_contact"}
CONTACT_LOST = {"del_external_contact", "del_follow_user"}
MEMBERSHIP = {"change_contact", "subscribe", "unsubscribe"}
DIRECTORY_CHANGES = {
    "create_user", "update_user", "delete_user",
    "create_party", "update_party", "delete_party", "update_tag",
}  # fmt: skip
ACTIVITY = {
    "inactive_alert", "close_inactive_agent", "reopen_inactive_agent",
    "low_active_alert", "low_active", "active_restored",
}  # fmt: skip
ACTIVE, GONE = "1", {"2", "5"}  # disabled, left (D:90196)
IDENTITY = (
    "FromUserName",
    "CreateTime",
    "Event",
    "ChangeType",
    "UserID",
    "ExternalUserID",
    "LinkId",
    "State",
    "EventKey",
    "TaskId",
    "ResponseCode",
    "Content",
    # Of changes in the directory, which ``sys`` reports by the dozen in one second.
    "Id",
    "TagId",
    "NewUserID",
    "Status",
    "Department",
    "Name",
    "AddUserItems",
    "DelUserItems",
    "EffectTime",
    # Somebody who adds, deletes and adds a member within one second (D:92130).
    "WelcomeCode",
    "Source",
    "FailReason",
)
TEXT_REPLY = (
    "<xml><ToUserName>{to}</ToUserName><FromUserName>{corp}</FromUserName>"
    "<CreateTime>{at}</CreateTime><MsgType><![CDATA[text]]></MsgType>"
    "<Content>{content}</Content></xml>"
)


class WeComCallback:
    """The callback URL of one own app.

    The receive id inside the ciphertext decides whose message it is; ``ToUserName``
    stands outside the encryption and is not looked at.
    """

    def __init__(
        self, settings: WeCom, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._corp_id = settings.corp_id
        self._clock = clock
        self._crypto = WeComCrypto(
            settings.token.get_secret_value(),
            settings.encoding_aes_key.get_secret_value(),
            settings.corp_id,
            clock=clock,
        )

    def verify(self, query: Query) -> str:
        """The body that answers the console's GET. Raises BadCallback."""
        return self._crypto.verify_url(query)

    def read(self, query: Query, body: bytes) -> Heard | None:
        """Who did what; None: acknowledge with an empty 200 and forget.

        Takes the XML and the JSON envelope (D:90930). Raises BadCallback, and
        nothing else, whatever the bytes are.
        """
        return heard(_message(self._crypto.decrypt(query, _ciphertext(body))))

    def answer(self, text: str, to: str) -> str:
        """An encrypted text reply to the userid ``to``, for the body of the 200.

        Only for what has no ``press``: WeCom takes a text in answer to a message or a
        menu click, but never to a template_card_event (D:90241).
        """
        reply = TEXT_REPLY.format(
            to=cdata(to),
            corp=cdata(self._corp_id),
            at=int(self._clock().timestamp()),
            content=cdata(cut(text, MAX_TEXT)),
        )
        return self._crypto.encrypt_reply(reply)


def _ciphertext(body: bytes) -> str:
    text = _utf8(body)
    envelope = _json(text) if _is_json(text) else parse_xml(text)
    encrypt = envelope.get("Encrypt") or envelope.get("encrypt")
    if not isinstance(encrypt, str):
        raise BadCallback("an envelope without Encrypt")
    return encrypt


def _message(text: str) -> dict[str, str]:
    """The fields that are text. Nothing we act on is nested."""
    fields = _json(text) if _is_json(text) else parse_xml(text)
    return {name: _clean(value) for name, value in fields.items() if isinstance(value, str | int)}


def _clean(value: str | int) -> str:
    return ILLEGAL.sub("", str(value)).strip()  # JSON can spell a NUL, which no database takes


def _utf8(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadCallback("not UTF-8") from None


def _is_json(text: str) -> bool:
    return text.lstrip().startswith("{")


def _json(text: str) -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads(text)  # starts with a brace: an object or an error
    except (ValueError, RecursionError):
        raise BadCallback("broken JSON") from None
    return value


def heard(message: dict[str, str]) -> Heard | None:
    """What a decrypted message means to us; unknown kinds are ignored, not refused (D:90240)."""
    kind, event = message.get("MsgType", ""), message.get("Event", "").lower()
    if kind == "text":
        return _incoming(message, message.get("Content", ""))
    if kind != "event":
        return _wordless(message, kind)
    if event == "enter_agent":
        return _entered(message)
    if event == "click" or event in CARD_EVENTS:
        press = _press(message) if event in CARD_EVENTS else None
        return _incoming(message, message.get("EventKey", ""), press)
    about = _about_us if event in MEMBERSHIP | ACTIVITY else _about_customers
    return about(message, event)


def _incoming(message: dict[str, str], line: str, press: Press | None = None) -> Incoming | None:
    account = message.get("FromUserName", "")
    if not account:
        return None
    return Incoming(
        platform=Platform.WECOM, id=identity(message), account=account, line=line, press=press
    )


def _wordless(message: dict[str, str], kind: str) -> Incoming | None:
    """A picture, a file, a place (D:90239); None for what nobody sent. Spoken words are words."""
    said = _incoming(message, message.get("Recognition", "").rstrip(SPOKEN))
    if said is None or not message.get("MsgId") or message.get("Event"):
        return None
    return said if said.line else replace(said, wordless=KINDS.get(kind, UNKNOWN_KIND))


def _about_us(message: dict[str, str], event: str) -> OrgEvent | None:
    if event in ACTIVITY:
        effect = message.get("EffectTime", "")
        return AppActivity(id=identity(message), change=event, effect=effect)
    return _membership(message, event)


def _membership(message: dict[str, str], event: str) -> DirectoryChanged | None:
    """Who came, who left, who has another account (D:90970, D:90971).

    ``subscribe`` and ``unsubscribe`` are those of the visible range; ``sys`` reports the rest.
    """
    changed = DirectoryChanged(platform=Platform.WECOM, id=identity(message), at=_at(message))
    if event != "change_contact":
        who = _one(message.get("FromUserName", ""))
        return replace(changed, joined=who) if event == "subscribe" else replace(changed, left=who)
    change, user = message.get("ChangeType", ""), _one(message.get("UserID", ""))
    if change not in DIRECTORY_CHANGES:
        return None
    new, status = message.get("NewUserID", ""), message.get("Status", "")
    if change == "delete_user" or status in GONE:
        return replace(changed, left=user)
    back = user if change == "create_user" or status == ACTIVE else ()
    return replace(changed, joined=back, renamed=(user[0], new) if user and new else None)


def _at(message: dict[str, str]) -> datetime | None:
    """``CreateTime``, seconds."""
    try:
        return datetime.fromtimestamp(int(message.get("CreateTime", "")), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _one(userid: str) -> tuple[str, ...]:
    return (userid,) if userid else ()


def _entered(message: dict[str, str]) -> Entered | None:
    account = message.get("FromUserName", "")
    if not account:
        return None
    return Entered(platform=Platform.WECOM, id=identity(message), account=account)


def _press(message: dict[str, str]) -> Press:
    """Every press brings a fresh code: it redraws that card once, within 72 h (D:94888)."""
    return Press(task_id=message.get("TaskId", ""), code=message.get("ResponseCode", ""))


def _about_customers(message: dict[str, str], event: str) -> ContactEvent | None:
    if event == "customer_acquisition":
        return _link_news(message)
    return _contact(message) if event == "change_external_contact" else None


def _contact(message: dict[str, str]) -> ContactEvent | None:
    """State, WelcomeCode, Source and FailReason may each be missing (D:92130)."""
    external, userid = message.get("ExternalUserID", ""), message.get("UserID", "")
    change = message.get("ChangeType", "")
    if not (external and userid):
        return None
    about = {"id": identity(message), "external_userid": external, "userid": userid}
    if change in CONTACT_ADDED:
        state, code = message.get("State", ""), message.get("WelcomeCode", "")
        return ContactAdded(**about, state=state, welcome_code=code, at=_at(message))
    if change in CONTACT_LOST:
        handed_over = message.get("Source") == "DELETE_BY_TRANSFER"
        by_customer = change == "del_follow_user"
        return ContactLost(
            **about, by_customer=by_customer, handed_over=handed_over, at=_at(message)
        )
    if change == "transfer_fail":
        return HandoverFailed(**about, reason=message.get("FailReason", ""))
    return ContactEdited(**about) if change == "edit_external_contact" else None


def _link_news(message: dict[str, str]) -> LinkNews | None:
    """D:97299. ``sys`` says it, so who it is about is in the fields."""
    change = message.get("ChangeType", "")
    if not change:
        return None
    return LinkNews(
        id=identity(message),
        change=change,
        link_id=message.get("LinkId", ""),
        external_userid=message.get("ExternalUserID", ""),
        userid=message.get("UserID", ""),
        left=message.get("ExpireQuotaNum", ""),
        expires=message.get("ExpireTime", ""),
    )


def identity(message: dict[str, str]) -> str:
    """The same for every delivery of one message, different for two.

    Messages have a MsgId. For events WeCom advises FromUserName and CreateTime, which
    is one id for everything ``sys`` reports within a second (D:90238), so whatever tells
    two events apart goes in, the press's own ResponseCode too.
    """
    if message.get("MsgId"):
        return f"msg-{message['MsgId']}"
    parts = json.dumps([message.get(name, "") for name in IDENTITY])
    return f"event-{hashlib.sha256(parts.encode()).hexdigest()[:40]}"


def cut(text: str, limit: int) -> str:
    """At most ``limit`` bytes of UTF-8, in whole characters; what was cut ends in "…"."""
    raw = text.encode("utf-8", "ignore")
    if len(raw) <= limit:
        return raw.decode()
    return raw[: limit - len("…".encode())].decode("utf-8", "ignore") + "…"
