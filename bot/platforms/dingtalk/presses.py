"""Presses on interactive cards, from DingTalk's JSON to ``Incoming`` (D:event-callback-card)."""

import asyncio
import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog

from bot.incoming import Answer, Incoming, Press
from bot.platforms.dingtalk.messages import clean
from bot.platforms.wire import own
from store.domain.team import Platform

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

SAME = 10.0  # seconds in which the same press is a repetition and no second press
REMEMBERED = 10_000
IN_TIME = 1.5  # seconds we take for an answer; DingTalk waits 2 (D:event-callback-card)


class Presses:
    """``clock``: seconds; DingTalk's wire knows no other time than the real one."""

    def __init__(self, corp_id: str, clock: Callable[[], float] = time.time) -> None:
        self._corp_id = corp_id
        self._clock = clock
        self._latest: OrderedDict[str, tuple[float, str]] = OrderedDict()

    def read(self, body: Mapping[str, Any]) -> Incoming | None:
        """Who pressed what; None for what is no press of one of our cards.

        The person is who DingTalk says in ``userId``; what they may do is decided by
        who they are, never by what the card showed.
        """
        card, account = _text(body, "outTrackId"), _text(body, "userId")
        line = clean(_line(body))
        # Staff ids are unique inside one corp only.
        foreign = _text(body, "corpId") not in {"", self._corp_id}
        if foreign or not (card and account and line):
            log.warning("dingtalk_press_dropped", foreign=foreign)
            return None
        return Incoming(
            platform=Platform.DINGTALK,
            id=self._id(json.dumps([card, account, body.get("content"), line])),
            account=account,
            line=line,
            press=Press(task_id=card),
        )

    def _id(self, press: str) -> str:
        """Nothing in a press tells it from the one before: the time has to."""
        now = self._clock()
        at, known = self._latest.get(press, (0.0, ""))
        if known and 0 <= now - at < SAME:
            return known
        digest = hashlib.sha256(press.encode(errors="replace")).hexdigest()[:40]
        id_ = f"card-{digest}-{int(now // SAME)}"
        self._latest[press] = (now, id_)
        self._latest.move_to_end(press)
        if len(self._latest) > REMEMBERED:
            self._latest.popitem(last=False)
        return id_


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
