"""HTTP mode (section 2): signed robot posts, encrypted events, and the console's check_url."""

import asyncio
import json
import secrets
from asyncio import timeout
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientError, ClientSession

from bot.sandbox import wire
from bot.sandbox.dingtalk.api import Org
from bot.sandbox.dingtalk.webhooks import signature
from bot.sandbox.state import State
from bot.sandbox.wecom.envelope import BadEnvelope, Envelope

CHECK_SECONDS = 1.5
PUSH_SECONDS = 2.5
MOST_FAILED = 200


@dataclass(frozen=True, slots=True)
class Post:
    """One request to the product. ``shown``: what the log shows in place of what is encrypted."""

    path: str
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    shown: Mapping[str, Any] | None = None


@dataclass(slots=True)
class HttpPush:
    """Posts to the product at ``url``. ``gaps``: real seconds before each further try of an event."""

    org: Org
    state: State
    url: str
    gaps: tuple[float, ...] = (10.0, 30.0)
    failed: list[dict[str, Any]] = field(default_factory=list)

    async def check_url(self) -> bool:
        """What the console does when the address is saved: an encrypted success within 1.5 s."""
        return await self._deliver({"EventType": "check_url"}, CHECK_SECONDS)

    async def robot(self, message: Mapping[str, Any]) -> bool:
        """A message to the robot, once: these are not repeated."""
        at = str(int(self.state.clock().timestamp() * 1000))
        headers = {"timestamp": at, "sign": signature(at, self.org.client_secret)}
        answer = await self._post(Post("/dingtalk/robot", message, headers=headers), PUSH_SECONDS)
        return bool(answer) and "msgtype" in answer

    async def event(self, kind: str, data: Mapping[str, Any], event_id: str = "") -> bool:
        """An event, tried again after 10 and 30 seconds; then it is in the failed list."""
        at = int(self.state.clock().timestamp() * 1000)
        about = {"EventType": kind, "EventTime": at, "CorpId": self.org.corp_id}
        event = {**about, "eventId": event_id or secrets.token_hex(16), **data}
        for gap in (0.0, *self.gaps):
            await asyncio.sleep(gap)
            heard = await self._deliver(event, PUSH_SECONDS)
            if heard and not self.state.faults.take("dingtalk", "unheard"):
                return True
        self.failed = [*self.failed, event][-MOST_FAILED:]
        return False

    def tell_failed(self) -> list[dict[str, Any]]:
        """Each call empties it."""
        failed, self.failed = self.failed, []
        return [
            {"event_time": event["EventTime"], "call_back_tag": event["EventType"],
             "corpid": self.org.corp_id, event["EventType"]: event}
            for event in failed
        ]  # fmt: skip

    async def _deliver(self, event: Mapping[str, Any], seconds: float) -> bool:
        envelope = Envelope(self.org.push_token, self.org.push_key, self.org.client_id)
        at, nonce = str(int(self.state.clock().timestamp() * 1000)), secrets.token_hex(4)
        encrypted = envelope.encrypt(json.dumps(event, ensure_ascii=False))
        query = {"msg_signature": envelope.sign(at, nonce, encrypted), "timestamp": at,
                 "nonce": nonce}  # fmt: skip
        post = Post("/dingtalk/events", {"encrypt": encrypted}, query=query, shown=event)
        answer = await self._post(post, seconds)
        return _took(envelope, answer)

    async def _post(self, post: Post, seconds: float) -> dict[str, Any]:
        """The JSON of HTTP 200; {} for anything else. A redirect is refused, too (D:http-callback-overview)."""
        status, answer = 0, None
        try:
            async with (
                timeout(seconds),
                ClientSession(headers=post.headers) as session,
                session.post(
                    self.url + post.path, json=post.body, params=post.query, allow_redirects=False
                ) as response,
            ):
                status, answer = response.status, await response.json()
        except (ClientError, TimeoutError, ValueError) as error:
            answer = type(error).__name__
        log = wire.Sent(self.state, "dingtalk")
        log(f"POST {post.path}", status, post.shown or post.body, answer)
        return answer if status == 200 and isinstance(answer, dict) else {}


def _took(envelope: Envelope, answer: Mapping[str, Any]) -> bool:
    """Anything but an encrypted ``success`` is a failure (71009); mind ``timeStamp``."""
    names = ("msg_signature", "timeStamp", "nonce", "encrypt")
    if not all(isinstance(answer.get(name), str) for name in names):
        return False
    try:
        return envelope.open(*(answer[name] for name in names)) == "success"
    except BadEnvelope:
        return False
