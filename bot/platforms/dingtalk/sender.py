"""
Makes DingTalk show what the outbox says: people's chats with the robot, and groups.

A robot's card cannot be edited: to show something again is to send a new message and
to recall the old one (D:batch-message-recall-chat). An interactive card can.
"""

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import NAMESPACE_URL, uuid5

import structlog

from bot.config import DingTalk
from bot.platforms.dingtalk.answers import (
    BEIJING,
    GROUP_GONE,
    HOOK_LOST,
    KEY_CHARS,
    MENDING,
    NO_CHAT,
    NO_SESSION,
    NOBODY,
    ROBOT_CODE,
    TOO_LONG,
    UNSAFE,
    DingTalkError,
    NeedsAdmin,
    TooFast,
    group_lost,
    unknown_person,
)
from bot.platforms.dingtalk.bell import Bell
from bot.platforms.dingtalk.cards import Instances, NoCard
from bot.platforms.dingtalk.client import Broken, DingTalkClient
from bot.platforms.dingtalk.crypto import signed
from bot.platforms.dingtalk.messages import trusted
from bot.platforms.oncemore import once_more
from cards.dingtalk import gentler, notification
from store.domain.errors import Alarm, Down, Later, Spent, Undeliverable
from store.outbox import Due

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

RECALLABLE = timedelta(hours=24)
RESEND = timedelta(seconds=60)  # to somebody who got too many messages at once

SAME_KEYS = {
    "sampleText": "text",
    "sampleMarkdown": "markdown",
    "sampleLink": "link",
    "sampleActionCard": "actionCard",
}
# Names of the buttons' texts and addresses, and whether they stand side by side.
BUTTONS = {
    **dict.fromkeys(
        (f"sampleActionCard{n}" for n in range(2, 6)), ("actionTitle", "actionURL", "0")
    ),
    "sampleActionCard6": ("buttonTitle", "buttonUrl", "1"),
}

NOTIFY = "/topapi/message/corpconversation/asyncsend_v2"
FORBIDDEN = "chatbotId.notAllow.sendOTO"
NO_ROBOT = "resource.not.found"

T = TypeVar("T")
Ref = dict[str, Any]
Gone = Callable[[str], Awaitable[None]]
"""Told of a group that nothing reaches any more."""


async def unheeded(_group: str) -> None:
    """For a program that keeps no groups."""


class _RobotSender(ABC):
    """The steps both kinds of chat share."""

    patience: float = 42  # seconds for all calls that bring one message to the phone
    recall_patience: float = 6  # for taking the old one back; both fit into the relay's 50

    def __init__(
        self, client: DingTalkClient, settings: DingTalk, clock: Callable[[], datetime]
    ) -> None:
        self._client = client
        self._settings = settings
        self._clock = clock

    async def show(self, due: Due) -> Ref | None:
        """Show ``due.payload``; return what recalls it, None where nothing can.

        The payload is ``msgKey`` and ``msgParam`` (a mapping of texts), and may carry
        the ``session`` (``url``, ``until``) it answers. Raises Later or Undeliverable.
        """
        try:
            async with asyncio.timeout(self.patience):
                ref = await self._show(due)
        except TooFast as fast:
            raise fast.at(due.attempts) from None
        except TimeoutError:
            raise Down(f"no answer in {self.patience} s") from None
        # Not before: what is taken back for a message that reaches nobody is lost.
        await self._recall(due, ref)
        return ref

    def detour(self, due: Due, ref: Mapping[str, Any] | None) -> bool:
        """A session and a work notification leave no reference, and prove nothing for the robot."""
        return bool(due.account) and ref is None

    async def _show(self, due: Due) -> Ref | None:
        return None if await self._replied(due) else await self._message(due)

    async def _message(self, due: Due) -> Ref | None:
        answer = await _gently(due.payload, lambda payload: self._say(due.account, payload))
        key = answer.get("processQueryKey")
        return {"query_key": key, "at": self._clock().isoformat()} if key else None

    async def _say(self, account: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        param = json.dumps(payload["msgParam"], ensure_ascii=False)
        return await self._send(
            account, {"msgKey": payload["msgKey"], "msgParam": param} | self._robot
        )

    @abstractmethod
    async def _send(self, account: str, message: dict[str, Any]) -> dict[str, Any]: ...

    @abstractmethod
    async def _take_back(self, account: str, keys: dict[str, Any]) -> None: ...

    @property
    def _robot(self) -> dict[str, str]:
        return {"robotCode": self._settings.client_id}

    async def _recall(self, due: Due, ref: Ref | None) -> None:
        """Take back what was there before, unless it was changed in place and is ``ref``."""
        old = due.ref or {}
        changed = "track_id" in old and (ref or {}).get("track_id") == old["track_id"]
        if changed or not old.get("query_key") or not self._is_within(old.get("at"), RECALLABLE):
            return
        keys = {"processQueryKeys": [old["query_key"]]}
        try:
            async with asyncio.timeout(self.recall_patience):
                await once_more(lambda: self._take_back(due.account, keys | self._robot))
        except (Later, Undeliverable, TimeoutError) as error:
            # Two cards are better than none, and the new one is there.
            log.info("dingtalk_not_recalled", key=due.key, why=str(error) or "no answer")

    async def _replied(self, due: Due) -> bool:
        """Try the session the message came with: it costs no quota, but it may have ended.

        An answer that gets lost on the way leaves open whether the message is there: a
        connection kept for too long breaks in the same way, with nothing done. So it is
        said again, in the same session and under the same ``msgUuid`` (4.5), and only
        then by the robot: in doubt twice rather than never.
        """
        session, message = due.payload.get("session"), webhook_message(due.payload)
        if not session or message is None or not self._is_open(session):
            return False
        try:
            await self._in_session(session["url"], _once(due) | message)
        except (Later, Undeliverable) as error:
            log.info("dingtalk_session_failed", why=str(error))
            return False
        return True

    async def _in_session(self, url: str, message: dict[str, Any]) -> None:
        try:
            await self._client.webhook(url, message, "sessionWebhook")
        except Broken:
            await self._client.webhook(url, message, "sessionWebhook")

    def _is_open(self, session: Mapping[str, Any]) -> bool:
        ours = trusted(str(session.get("url", "")), self._settings.oapi_base)
        return ours and self._is_within(session.get("until"), timedelta(0))

    def _is_within(self, at: object, span: timedelta) -> bool:
        """Whether ``at`` (ISO) plus ``span`` is still ahead."""
        try:
            return datetime.fromisoformat(str(at)) + span > self._clock()
        except (ValueError, TypeError, OverflowError):
            return False


class DingTalkSender(_RobotSender):
    """Channel.DINGTALK: a member's chat with the robot; the account is a staffId."""

    def __init__(
        self,
        client: DingTalkClient,
        settings: DingTalk,
        clock: Callable[[], datetime],
        callback_url: str = "",
        bell: Bell | None = None,
    ) -> None:
        """``callback_url``: where presses on interactive cards come to in http mode.

        ``bell``: what an admin has to mend although the message got there.
        """
        super().__init__(client, settings, clock)
        self._cards = Instances(client, settings, clock, callback_url, bell)
        self._bell = bell or Bell()
        self._nobody: dict[str, datetime] = {}  # accounts DingTalk does not know, until when

    def in_place(self, due: Due) -> bool:
        """Whether it would change the card that is there, and be no new message."""
        return self._cards.changes(due)

    async def show(self, due: Due) -> Ref | None:
        """As ``_RobotSender.show``; a card that reached nobody is known to the next try."""
        try:
            return await super().show(due)
        except Later as later:
            later.ref = self._cards.undelivered(due)
            raise

    async def _show(self, due: Due) -> Ref | None:
        """An interactive card where there is a template; what cannot be one is an ActionCard."""
        if self._cards.changes(due):
            return await self._cards.change(due)
        if not self._cards.makes(due):
            return await super()._show(due)
        try:
            return await self._cards.make(due)
        except NoCard as why:
            log.error("dingtalk_card_falls_back", key=due.key, why=str(why))  # noqa: TRY400 -- no stack
            return await super()._show(due)
        except Spent:
            # The session costs nothing of the month that is over.
            if await self._replied(due):
                return None
            raise

    async def _message(self, due: Due) -> Ref | None:
        """By the robot; to whom it may not write, as a work notification (rows 27 and 28)."""
        try:
            return await super()._message(due)
        except NeedsAdmin as error:
            if error.code not in NO_CHAT:
                raise
            if not self._settings.agent_id:
                raise self._of_one(due, error) from None
            await self._notify(due)
            if error.code == FORBIDDEN and error.alarm is not None:
                await self._bell.sound(error.alarm)
        return None

    def _of_one(self, due: Due, error: NeedsAdmin) -> NeedsAdmin:
        """A chat that is missing is one person's: a message to somebody else shows nothing."""
        if error.code == FORBIDDEN:
            return error
        mend = replace(NO_SESSION, key=f"{NO_SESSION.key}@{due.account}"[:KEY_CHARS])
        return NeedsAdmin("oToMessages", error.code, mend)

    async def _notify(self, due: Due) -> None:
        body = {
            "agent_id": self._settings.agent_id,
            "userid_list": due.account,
            "msg": notification(due.payload, self._clock().astimezone(BEIJING)),
        }
        log.info("dingtalk_notified_instead", key=due.key)
        await self._client.call("POST", NOTIFY, body, old=True)

    async def _send(self, account: str, message: dict[str, Any]) -> dict[str, Any]:
        path = "/v1.0/robot/oToMessages/batchSend"
        if self._nobody.get(account, self._clock()) > self._clock():
            alarm = unknown_person(account)
            raise DingTalkError(path, "staffId.notExisted", "not asked again", alarm)
        try:
            answer = await self._client.call("POST", path, message | {"userIds": [account]})
        except DingTalkError as error:
            raise self._understood(path, account, error) from None
        # The answer is HTTP 200 although nobody got it (D:chatbots-send-one-on-one-chat-…).
        # One person is asked for, so whoever is listed, in whatever spelling, is that one.
        for refused in ("invalidStaffIdList", "filteredStaffIdList"):
            if answer.get(refused):
                raise self._unknown(path, account, refused)
        if answer.get("flowControlledStaffIdList"):
            raise Later(f"{path}: flowControlledStaffIdList", RESEND)
        return answer

    def _understood(self, path: str, account: str, error: DingTalkError) -> Exception:
        if error.code in NOBODY:
            return self._unknown(path, account, error.code)
        # Said of a group this means that the robot is not in it; there is no group here.
        return NeedsAdmin(path, error.code, ROBOT_CODE) if error.code == NO_ROBOT else error

    def _unknown(self, path: str, account: str, code: str) -> DingTalkError:
        """Nobody is asked for again before somebody may have looked after it."""
        self._nobody[account] = self._clock() + MENDING
        return DingTalkError(path, code, alarm=unknown_person(account))

    async def _take_back(self, account: str, keys: dict[str, Any]) -> None:
        # The small t is DingTalk's: oToMessages to send, otoMessages to recall.
        await self._client.call("POST", "/v1.0/robot/otoMessages/batchRecall", keys)


class DingTalkGroupSender(_RobotSender):
    """Channel.DINGTALK_GROUP: the account is an openConversationId, or "" for the webhook."""

    def __init__(
        self,
        client: DingTalkClient,
        settings: DingTalk,
        clock: Callable[[], datetime],
        gone: Gone = unheeded,
    ) -> None:
        super().__init__(client, settings, clock)
        self._gone = gone

    async def show(self, due: Due) -> Ref | None:
        """As for a person; with the account "" the payload is a webhook message as it is."""
        if due.account:
            return await super().show(due)
        url = self._settings.group_webhook.get_secret_value()
        if not url:
            raise Undeliverable("dingtalk.group_webhook is not configured")
        try:
            await _gently(due.payload, lambda payload: self._post(url, _once(due) | payload))
        except DingTalkError as error:
            raise _lost("robot/send", error, HOOK_LOST.alarm("robot/send")) from None
        return None

    async def _post(self, url: str, message: dict[str, Any]) -> None:
        await self._client.webhook(url, message, "robot/send", self._signature())

    def _signature(self) -> dict[str, str]:
        return signed(self._settings.group_webhook_secret.get_secret_value(), self._clock())

    async def _send(self, account: str, message: dict[str, Any]) -> dict[str, Any]:
        path, body = "/v1.0/robot/groupMessages/send", message | {"openConversationId": account}
        try:
            return await self._client.call("POST", path, body)
        except DingTalkError as error:
            if error.code in GROUP_GONE:
                await self._gone(account)
            raise _lost(path, error, group_lost(account)) from None

    async def _take_back(self, account: str, keys: dict[str, Any]) -> None:
        body = keys | {"openConversationId": account}
        await self._client.call("POST", "/v1.0/robot/groupMessages/recall", body)


def _once(due: Due) -> dict[str, str]:
    """The same id for the same content: a try that was not answered is not shown twice."""
    return {"msgUuid": str(uuid5(NAMESPACE_URL, f"{due.key}#{due.version}"))}


async def _gently(payload: Mapping[str, Any], say: Callable[[dict[str, Any]], Awaitable[T]]) -> T:
    """Say ``payload``; what the content check refuses, or what is too long, more plainly.

    Raises what ``say`` raises to the plainest of all.
    """
    for plainer in (dict(payload), *gentler(payload)):
        try:
            return await say(plainer)
        except DingTalkError as error:
            if error.code not in UNSAFE | TOO_LONG:
                raise
            log.warning("dingtalk_said_more_plainly", code=error.code)
            refused = error
    raise refused


def _lost(what: str, error: DingTalkError, alarm: Alarm) -> DingTalkError:
    """``error``, with an alarm where it means that the group is lost."""
    if error.code not in GROUP_GONE:
        return error
    return DingTalkError(what, error.code, alarm=alarm)


def webhook_message(payload: Mapping[str, Any]) -> dict[str, Any] | None:
    """The same message in the webhooks' spelling; None for a kind they do not know.

    D:robot-message-type against D:custom-robots-send-group-messages.
    """
    key, param = payload["msgKey"], payload["msgParam"]
    if key in SAME_KEYS:
        return {"msgtype": SAME_KEYS[key], SAME_KEYS[key]: dict(param)}
    if key in BUTTONS:
        return {"msgtype": "actionCard", "actionCard": _action_card(param, *BUTTONS[key])}
    return None


def _action_card(param: Mapping[str, str], title: str, url: str, beside: str) -> dict[str, Any]:
    numbers = [n for n in range(1, 6) if f"{title}{n}" in param]
    return {
        "title": param["title"],
        "text": param["text"],
        "btnOrientation": beside,
        "btns": [
            {"title": param[f"{title}{n}"], "actionURL": param[f"{url}{n}"]} for n in numbers
        ],
    }
