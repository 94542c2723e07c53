"""The JSON frames of stream mode (DP:learn/stream/protocol.md), read leniently."""

import json
import re
from dataclasses import dataclass
from typing import Any

ROBOT = "/v1.0/im/bot/messages/get"
FREE_EVENTS = ("user_", "org_", "label_", "check_url")
"""Those of the directory (D:appendix-a-list-of-events-not-included-in-webhook)."""
CARD = "/v1.0/card/instances/callback"

EVENT_DONE = json.dumps({"status": "SUCCESS", "message": "ok"})
NOTHING_TO_SAY = json.dumps({"response": None})


def subscriptions(*, cards: bool) -> list[dict[str, str]]:
    """What is pushed to us; presses only where there are cards that can be pressed."""
    topics = (ROBOT, CARD) if cards else (ROBOT,)
    callbacks = [{"type": "CALLBACK", "topic": topic} for topic in topics]
    return [{"type": "EVENT", "topic": "*"}, *callbacks]


@dataclass(frozen=True, slots=True)
class Frame:
    """``data`` is JSON inside JSON and stays text until somebody needs it."""

    type: str
    topic: str
    message_id: str
    data: str
    event_type: str = ""
    event_id: str = ""
    corp: str = ""

    @property
    def is_robot_message(self) -> bool:
        return (self.type, self.topic) == ("CALLBACK", ROBOT)

    @property
    def is_press(self) -> bool:
        return (self.type, self.topic) == ("CALLBACK", CARD)

    @property
    def is_event(self) -> bool:
        return self.type == "EVENT"

    @property
    def is_paid_for(self) -> bool:
        """Whether it counts among the month's pushes: all that says something (D:…-billing-model).

        Presses are not named on the page; they are counted to be on the safe side.
        """
        free = self.is_event and self.event_type.startswith(FREE_EVENTS)
        return (self.is_robot_message or self.is_press or self.is_event) and not free

    @property
    def says_goodbye(self) -> bool:
        """Nothing more is delivered on this connection; TCP closes about 10 s later."""
        return (self.type, self.topic) == ("SYSTEM", "disconnect")

    @property
    def ack(self) -> dict[str, Any] | None:
        """What to answer at once; None for the frames that want no answer, or a made one."""
        match self.type, self.topic:
            case "SYSTEM", "ping":
                return self._ack(self.data)
            case "SYSTEM", _:
                return None
            case "EVENT", _:
                return self._ack(EVENT_DONE)
            case _ if self.is_robot_message:
                return self._ack(NOTHING_TO_SAY)
            case _ if self.is_press:
                return None
            case _:
                return self._ack(NOTHING_TO_SAY, 404, "no handler")

    def answer(self, response: dict[str, Any]) -> dict[str, Any]:
        """What to answer a press: the card as it is from now on, {} for no change."""
        return self._ack(json.dumps({"response": response}, ensure_ascii=False))

    def _ack(self, data: str, code: int = 200, message: str = "OK") -> dict[str, Any]:
        headers = {"messageId": self.message_id, "contentType": "application/json"}
        return {"code": code, "headers": headers, "message": message, "data": data}


def read_frame(text: str | bytes) -> Frame:
    """Raises ValueError for what is no frame at all.

    ``header`` for ``headers``, a trailing comma, a number for a text and an object
    for ``data`` all occur in DingTalk's own samples.
    """
    raw = read_object(text)
    headers = raw.get("headers") or raw.get("header") or {}
    if not isinstance(headers, dict):
        raise ValueError("headers are not an object")  # noqa: TRY004 -- one error for the caller
    data = raw.get("data", "")
    return Frame(
        type=str(raw.get("type", "")),
        topic=str(headers.get("topic", "")),
        message_id=str(headers.get("messageId", "")),
        data=data if isinstance(data, str) else json.dumps(data, ensure_ascii=False),
        event_type=str(headers.get("eventType", "")),
        event_id=str(headers.get("eventId", "")),
        corp=str(headers.get("eventCorpId", "")),
    )


def read_object(text: str | bytes) -> dict[str, Any]:
    """A JSON object, with trailing commas forgiven. Raises ValueError for anything else."""
    try:
        value = _loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 -- one error for the caller
    return value


def _loads(text: str | bytes) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        plain = text.decode() if isinstance(text, bytes) else text
        return json.loads(re.sub(r",(\s*[}\]])", r"\1", plain))
