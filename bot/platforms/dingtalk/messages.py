"""
What people say to the robot, from DingTalk's JSON to ``Incoming``.

The same body arrives as ``data`` of a stream frame and as the body of an HTTP
request (D:receive-message, D:robot-message-type). Keys we do not know are ignored.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import structlog
from yarl import URL

from bot.incoming import KINDS, UNKNOWN_KIND, Group, Incoming, Session
from store.domain.team import Platform

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

GROUP_CHAT = "2"


class _Dropped(Exception):
    """A message nobody can act on; the text names why and holds nothing personal."""


def read_robot(body: Mapping[str, Any], oapi_base: str) -> Incoming | None:
    """The message, or None for one that nobody can act on (logged, without its content).

    ``oapi_base`` is the only origin whose ``sessionWebhook`` is believed: an
    address from a message is otherwise a way to make us post anywhere.
    """
    try:
        return _read(body, oapi_base)
    except _Dropped as why:
        log.warning("dingtalk_message_dropped", why=str(why), id=_text(body, "msgId"))
        return None


def _read(body: Mapping[str, Any], oapi_base: str) -> Incoming:
    words = _words(body)
    left_out = words is None and _left_out(body)
    # Staff ids are unique inside one corp only: in a group across organisations
    # a stranger may carry the id of one of ours.
    if body.get("senderCorpId") != body.get("chatbotCorpId"):
        raise _Dropped("the sender belongs to another organisation")
    return Incoming(
        platform=Platform.DINGTALK,
        id=_needed(body, "msgId"),
        account=_needed(body, "senderStaffId"),
        line=clean(words or ""),
        name=_text(body, "senderNick"),
        session=_session(body, oapi_base),
        group=_group(body),
        quoted=_quoted(body),
        left_out=left_out,
        wordless="" if words is not None or left_out else _kind(body),
    )


def _kind(body: Mapping[str, Any]) -> str:
    """What people call a message without words; the platform's own name of it may be news."""
    if body.get("msgtype") == "text":
        raise _Dropped("a text without words")
    return KINDS.get(_text(body, "msgtype"), UNKNOWN_KIND)


def _left_out(body: Mapping[str, Any]) -> bool:
    """The monthly quota is used up (D:robot-message-type); the words are missing."""
    return str(body.get("errorCode")) == "20001"


def _words(body: Mapping[str, Any]) -> str | None:
    content = _part(body, "content")
    match body.get("msgtype"):
        case "text":
            words = _part(body, "text").get("content")
        case "richText":
            words = _joined(content.get("richText"))
        case "audio":
            words = content.get("recognition")
        case "chatRecord":
            words = _recorded(content.get("chatRecord"))
        case _:
            return None
    return words if isinstance(words, str) else None


def _joined(parts: object) -> str | None:
    if not isinstance(parts, list):
        return None
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return "".join(text for text in texts if isinstance(text, str)).strip() or None


def _recorded(record: object) -> str | None:
    """A forwarded piece of a chat, as community code reads it: JSON in a text, an entry a message.

    No page describes it: anything else is a message without words.
    """
    try:
        entries = json.loads(record) if isinstance(record, str) else record
    except (ValueError, RecursionError):
        return None
    if not isinstance(entries, list):
        return None
    texts = [entry.get("content") for entry in entries if isinstance(entry, dict)]
    return "\n".join(text for text in texts if isinstance(text, str)).strip() or None


def _quoted(body: Mapping[str, Any]) -> str:
    """What a reply answers (``text.repliedMsg``, seen in the field and in no page)."""
    content = _part(_part(_part(body, "text"), "repliedMsg"), "content")
    words = content.get("text") or _joined(content.get("richText"))
    return clean(words) if isinstance(words, str) else ""


def _session(body: Mapping[str, Any], oapi_base: str) -> Session | None:
    url = _text(body, "sessionWebhook")
    try:
        until = datetime.fromtimestamp(int(body["sessionWebhookExpiredTime"]) / 1000, UTC)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return None
    return Session(url=url, until=until) if trusted(url, oapi_base) else None


def _group(body: Mapping[str, Any]) -> Group | None:
    if str(body.get("conversationType")) != GROUP_CHAT:
        return None
    return Group(id=_needed(body, "conversationId"), title=_text(body, "conversationTitle"))


def trusted(url: str, base: str) -> bool:
    """Whether ``url`` lies on the same scheme, host and port as the configured ``base``."""
    try:
        address = URL(url)
        return address.user is None and address.origin() == URL(base).origin()
    except ValueError:
        return False


def clean(text: str) -> str:
    """``text`` stripped, without what a database refuses: NUL and halves of surrogate pairs."""
    return text.encode(errors="replace").decode().replace("\0", "").strip()


def _part(body: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    part = body.get(key)
    return part if isinstance(part, dict) else {}


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key)
    return clean(value) if isinstance(value, str) else ""


def _needed(body: Mapping[str, Any], key: str) -> str:
    value = _text(body, key)
    if not value:
        raise _Dropped(f"no {key}")
    return value
