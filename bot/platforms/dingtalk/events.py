"""
What DingTalk reports without being asked (D:event-subscription-and-data-push, 7.5).

The same facts come as ``data`` of a stream frame and, beside the event's type, as
the body of an HTTP push; keys are spelled differently and are compared plain.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import structlog

from bot.config import DingTalk
from bot.incoming import ApprovalAgreed, DirectoryChanged, OrgEvent
from store.domain.team import Platform

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

CAME, LEFT = "user_add_org", "user_leave_org"
DIRECTORY = frozenset(
    {
        CAME, LEFT, "user_modify_org", "user_active_org", "user_dept_change",
        "org_dept_create", "org_dept_modify", "org_dept_remove",
    }
)  # fmt: skip
APPROVAL = "bpms_instance_change"
ENVELOPE = frozenset({"eventtype", "eventtime", "corpid", "bizid", "eventid"})


@dataclass(frozen=True, slots=True)
class Event:
    """One event, wherever it came from. ``corp`` is "" where it is not said."""

    kind: str
    id: str
    corp: str
    body: Mapping[str, Any]


def of_push(pushed: Mapping[str, Any]) -> Event:
    """The event of a decrypted HTTP push."""
    body = plain(pushed)
    id_ = str(body.get("eventid") or body.get("bizid") or "")
    return Event(str(body.get("eventtype", "")), id_, str(body.get("corpid", "")), body)


def plain(body: Mapping[str, Any]) -> dict[str, Any]:
    """Keys in lower case without ``_``: UserId, userId and user_id are one."""
    return {key.replace("_", "").lower(): value for key, value in body.items()}


def heard(event: Event, settings: DingTalk) -> OrgEvent | None:
    """What an event means to us; None for the many that mean nothing, and for other corps'."""
    if event.corp and event.corp != settings.corp_id:
        log.warning("dingtalk_event_of_another_corp", kind=event.kind)
        return None
    body = plain(event.body)
    if event.kind in DIRECTORY:
        return _changed(event, tuple(_texts(body.get("userid"))))
    if event.kind == APPROVAL:
        return _approval(event, body, {approval.process_code for approval in settings.approval})
    return None


def _changed(event: Event, userids: tuple[str, ...]) -> DirectoryChanged:
    """Who came and who left; the rest only says that something changed, and brings nobody back."""
    at = _at(plain(event.body))
    changed = DirectoryChanged(platform=Platform.DINGTALK, id=_id(event), at=at)
    if event.kind == LEFT:
        return replace(changed, left=userids)
    return replace(changed, joined=userids) if event.kind == CAME else changed


def _at(body: Mapping[str, Any]) -> datetime | None:
    """``timeStamp``, or ``EventTime`` of an HTTP push: milliseconds, a text or a number (7.5)."""
    try:
        return datetime.fromtimestamp(int(body.get("timestamp") or body["eventtime"]) / 1000, UTC)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return None


def _approval(event: Event, body: Mapping[str, Any], codes: set[str]) -> ApprovalAgreed | None:
    """Only agreed ones of the forms that are configured (D:event-bpms-instance-change)."""
    code, instance = str(body.get("processcode", "")), str(body.get("processinstanceid", ""))
    agreed = (body.get("type"), body.get("result")) == ("finish", "agree")
    if not (agreed and instance and code in codes):
        return None
    return ApprovalAgreed(id=_id(event), process_code=code, instance=instance)


def _id(event: Event) -> str:
    """The same for every delivery; what came without an id is known by what it says."""
    if event.id:
        return f"event-{event.id}"
    said = {k: v for k, v in plain(event.body).items() if k not in ENVELOPE}
    text = json.dumps([event.kind, said], sort_keys=True, ensure_ascii=False, default=str)
    return f"event-{hashlib.sha256(text.encode(errors='replace')).hexdigest()[:40]}"


def _texts(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [text for text in values if isinstance(text, str) and text]
