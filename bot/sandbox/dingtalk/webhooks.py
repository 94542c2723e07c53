"""The two kinds of webhook: a conversation's session, and the group's custom robot (4.5)."""

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from secrets import token_hex
from typing import Any

from aiohttp import web

from bot.sandbox.dingtalk.api import Org
from bot.sandbox.dingtalk.errors import OldFault
from bot.sandbox.dingtalk.messages import NAME
from bot.sandbox.dingtalk.shown import by_webhook
from bot.sandbox.limits import PerMinute, size
from bot.sandbox.state import State, group_of

SESSION_LIFE = timedelta(minutes=90)
SIGN_WINDOW = timedelta(hours=1)
PER_MINUTE = 20
PENALTY = timedelta(minutes=10)
BODY_BYTES = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    id: str
    chat: str
    until: datetime


class Sessions:
    """``heeds_uuid``: whether a repeated ``msgUuid`` is shown once here as by the group's robot.

    The page documents it for both kinds of webhook at once, and nobody has tried.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._sessions: dict[str, Session] = {}
        self._seen: set[tuple[str, str]] = set()
        self.heeds_uuid = True

    def start(self, chat: str) -> Session:
        until = self._state.clock() + SESSION_LIFE
        session = Session(id=token_hex(16), chat=chat, until=until)
        self._sessions[session.id] = session
        return session

    def send(self, request: web.Request, body: Mapping[str, Any]) -> dict[str, Any]:
        """robot/sendBySession: no token, no signature, only alive for 90 minutes."""
        session = self._sessions.get(request.query.get("session", ""))
        expired = self._state.faults.take("dingtalk", "session")
        if session is None or expired or self._state.clock() >= session.until:
            raise OldFault(300001, "session 不存在")
        kind, content = by_webhook(body)
        if self._is_repeated(session, body.get("msgUuid")):
            return {}
        by = NAME if session.chat == group_of("dingtalk") else ""
        self._state.show(session.chat, kind, content, by=by)
        return {}

    def _is_repeated(self, session: Session, uuid: object) -> bool:
        if not self.heeds_uuid or not isinstance(uuid, str):
            return False
        known = (session.id, uuid) in self._seen
        self._seen.add((session.id, uuid))
        return known


class Robot:
    """robot/send: the managers' group robot, secured by a signature."""

    def __init__(self, org: Org, state: State) -> None:
        self._org = org
        self._state = state
        self._count = PerMinute(state.clock, PER_MINUTE)
        self._blocked_until: datetime | None = None
        self._seen: set[str] = set()

    def send(self, request: web.Request, body: Mapping[str, Any]) -> dict[str, Any]:
        self._check_token(request.query.get("access_token", ""))
        self._check_sign(request.query.get("timestamp", ""), request.query.get("sign", ""))
        if size(str(body)) > BODY_BYTES:
            raise OldFault(460101, f"message body 大小不合法，最大 {BODY_BYTES}bytes")
        if self._take("keyword"):
            raise OldFault(
                310000, "keywords not in content, more: [https://ding-doc.dingtalk.com]"
            )
        kind, content = by_webhook(body)
        _check_links(self._state, body)
        uuid = body.get("msgUuid")  # makes the retry of an accepted message safe
        if uuid in self._seen:
            return {}
        self._check_pace()
        if isinstance(uuid, str):
            self._seen.add(uuid)
        self._state.show(group_of("dingtalk"), kind, content, by=NAME)
        self._state.tick("digest")
        return {}

    def _check_token(self, token: str) -> None:
        if not token:
            raise OldFault(40035, "缺少参数 access_token")
        if token != self._org.robot_token or self._take("robot_token"):
            raise OldFault(300005, "token is not exist")
        if self._take("group_gone"):
            raise OldFault(400013, "群已被解散")

    def _take(self, fault: str) -> bool:
        return self._state.faults.take("dingtalk", fault)

    def _check_sign(self, timestamp: str, sign: str) -> None:
        if not self._timely(timestamp):
            raise OldFault(310000, "invalid timestamp, more: [https://ding-doc.dingtalk.com]")
        if not hmac.compare_digest(signature(timestamp, self._org.robot_secret), sign):
            raise OldFault(310000, "sign not match, more: [https://ding-doc.dingtalk.com]")

    def _timely(self, timestamp: str) -> bool:
        """By the demo's clock or the real one: the demo's may be moved under a request."""
        if not timestamp.isdigit() or len(timestamp) != 13:
            return False
        at = datetime.fromtimestamp(int(timestamp) / 1000, UTC)
        return any(
            abs(now - at) <= SIGN_WINDOW for now in (self._state.clock(), datetime.now(UTC))
        )

    def _check_pace(self) -> None:
        """Above 20 in a minute nothing goes through for ten."""
        now = self._state.clock()
        if self._state.faults.take("dingtalk", "robot_rate"):
            self._blocked_until = now + PENALTY
        elif self._blocked_until is None or now >= self._blocked_until:
            self._blocked_until = None if self._count.take() else now + PENALTY
        if self._blocked_until is not None:
            raise OldFault(410100, "send too fast, exceed 20 times per minute")


def _check_links(state: State, body: Mapping[str, Any]) -> None:
    """The content check, when it is in a mood: no links at all."""
    if "://" in str(body) and state.faults.take("dingtalk", "unsafe"):
        raise OldFault(430101, "unsafe link")


def signature(timestamp: str, secret: str) -> str:
    """base64(HMAC-SHA256(secret, timestamp, newline, secret))."""
    digest = hmac.digest(secret.encode(), f"{timestamp}\n{secret}".encode(), sha256)
    return base64.b64encode(digest).decode()
