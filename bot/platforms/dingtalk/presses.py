"""Presses on interactive cards, from DingTalk's JSON to ``Incoming`` (D:event-callback-card)."""

import asyncio
import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from bot.incoming import Answer, Incoming, Press
from bot.platforms.dingtalk.messages import clean
from bot.platforms.wire import own
from store.domain.team import Platform

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

AGAIN = 70.0  # seconds; what nobody answered comes again within a minute (1.4)
REMEMBERED = 10_000
IN_TIME = 1.5  # seconds we take for an answer; DingTalk waits 2 (D:event-callback-card)


@dataclass(slots=True)
class _Press:
    """The newest press of one button by one person. ``way``: the connection it came by."""

    id: str
    at: float
    way: int
    deliveries: set[str]
    answered: bool = False


class Presses:
    """Tells a press that is delivered again from a second press, of which nothing is said in it.

    ``clock``: seconds; DingTalk's wire knows no other time than the real one.
    """

    def __init__(self, corp_id: str, clock: Callable[[], float] = time.time) -> None:
        self._corp_id = corp_id
        self._clock = clock
        self._known: OrderedDict[str, _Press] = OrderedDict()
        self._ids: dict[str, _Press] = {}
        self._latest: dict[tuple[str, str], str] = {}  # by card and person

    def read(self, body: Mapping[str, Any], delivery: str = "", way: int = 0) -> Incoming | None:
        """Who pressed what; None for what is no press of one of our cards.

        The person is who DingTalk says in ``userId``; what they may do is decided by
        who they are, never by what the card showed. ``delivery``: the same only where
        one delivery is repeated as it was. ``way``: one number per connection.
        """
        card, account = _text(body, "outTrackId"), _text(body, "userId")
        line = clean(_line(body))
        # Staff ids are unique inside one corp only.
        foreign = _text(body, "corpId") not in {"", self._corp_id}
        if foreign or not (card and account and line):
            log.warning("dingtalk_press_dropped", foreign=foreign)
            return None
        press = json.dumps([card, account, body.get("content"), line])
        return Incoming(
            platform=Platform.DINGTALK,
            id=self._id((card, account), press, delivery, way),
            account=account,
            line=line,
            press=Press(task_id=card, same=_digest(press)),
        )

    def answered(self, pressed: Incoming) -> None:
        """DingTalk has the answer: the same once more is a second press."""
        if known := self._ids.get(pressed.id):
            known.answered = True

    def _id(self, who: tuple[str, str], press: str, delivery: str, way: int) -> str:
        now, latest = self._clock(), self._latest.get(who) == press
        known = self._known.get(press)
        if known and 0 <= now - known.at < AGAIN and _repeats(known, delivery, way, latest=latest):
            known.deliveries.add(delivery)
            return known.id
        told_apart = delivery or repr(now)
        id_ = f"card-{_digest(f'{press}#{told_apart}')}"
        self._remember(who, press, _Press(id_, now, way, {delivery}))
        return id_

    def _remember(self, who: tuple[str, str], press: str, known: _Press) -> None:
        if before := self._known.pop(press, None):
            self._ids.pop(before.id, None)
        self._known[press], self._ids[known.id], self._latest[who] = known, known, press
        if len(self._known) > REMEMBERED:
            _, oldest = self._known.popitem(last=False)
            self._ids.pop(oldest.id, None)
            self._latest = {w: p for w, p in self._latest.items() if p in self._known}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:40]


def _repeats(known: _Press, delivery: str, way: int, *, latest: bool) -> bool:
    """Whether it is the press we know, delivered again.

    Our answer may have been lost with the connection it went out on: what comes by
    another one is only a second press if something else was pressed meanwhile.
    """
    if delivery and delivery in known.deliveries:
        return True
    return not known.answered or (latest and known.way != way)


async def in_time(tasks: set[asyncio.Task[Any]], work: Awaitable[Answer | None]) -> Answer:
    """What ``work`` says; nothing if that takes too long or fails. It comes to its end all the same."""
    task: asyncio.Task[Any] = asyncio.ensure_future(work)
    own(tasks, task)
    done, _ = await asyncio.wait({task}, timeout=IN_TIME)
    if not done:
        log.warning("dingtalk_press_late", seconds=IN_TIME)
        return Answer()
    if error := task.exception():
        log.error("dingtalk_press_failed", exc_info=error)
        return Answer()
    return task.result() or Answer()


def _line(body: Mapping[str, Any]) -> str:
    """The ``line`` among the button's parameters; some clients say ``value`` for ``content``."""
    for name in ("content", "value"):
        params = _object(_object(_object(body.get(name)).get("cardPrivateData")).get("params"))
        if isinstance(params.get("line"), str):
            return str(params["line"])
    return ""


def _object(value: object) -> Mapping[str, Any]:
    """A JSON object, also as a JSON text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key)
    return clean(value) if isinstance(value, str) else ""
