"""
Interactive cards, made from the template that the customer's admin imported (docs/dingtalk-card).

One instance is one message on one phone: made once, then changed in place, by the
answer to a press or by a call. It needs the permission ``Card.Instance.Write``.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog

from bot.config import DingTalk
from bot.platforms.dingtalk.answers import DENIED, MENDING, TEMPLATE, DingTalkError, NeedsAdmin
from bot.platforms.dingtalk.bell import Bell
from bot.platforms.dingtalk.client import DingTalkClient
from bot.platforms.dingtalk.crypto import card_secret
from bot.platforms.named import named, nonce
from cards.dingtalk import BY_KEY
from store.domain.errors import Anew, Spent
from store.outbox import Due

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

CREATE = "/v1.0/card/instances/createAndDeliver"
CHANGE = "/v1.0/card/instances"
REGISTER = "/v1.0/card/callbacks/register"
ROUTE = "leadbot"  # the name our callback address is registered under
TRACK_ID_CHARS = 100
BY_USERID = 1

EXISTS = "param.cardAlreadyExist"  # an earlier try got through, and its answer got lost
GONE = {"param.cardNotExist", "cardInstance.notExist"}
NO_TEMPLATE = {"param.templateNotExist", "param.templateUnpublished"}
ALARMS = "dingtalk_card:"
UNDELIVERED = "undelivered"  # in a reference: the card that was made and that nobody got
REMEMBERED = 1000  # cards in this process, newest last
NO_SUCH_DATA = "param."  # what the card says, or to whom, is refused

Ref = dict[str, Any]


class NoCard(Exception):
    """It cannot be an interactive card; an ActionCard may get there."""


class Instances:
    """``callback_url`` is where presses come to in http mode; in stream mode nobody asks for it."""

    def __init__(
        self,
        client: DingTalkClient,
        settings: DingTalk,
        clock: Callable[[], datetime],
        callback_url: str = "",
        bell: Bell | None = None,
    ) -> None:
        self._bell = bell or Bell()
        self._client = client
        self._settings = settings
        self._clock = clock
        self._callback_url = callback_url
        self._registered = False
        self._undelivered: dict[str, None] = {}
        self._mended_at: datetime | None = None  # when to try the template again
        self._paid_again_at: datetime | None = None  # when there is a new month's allowance

    def makes(self, due: Due) -> bool:
        """Whether ``due`` is to be shown as an interactive card."""
        on = self._is_on(due.payload) and not self._is_ahead(self._mended_at)
        return on and self.undelivered(due) is None

    def undelivered(self, due: Due) -> Ref | None:
        """The reference that tells the next try that the card was made and reached nobody.

        None when nothing of the kind is known. Without it the next try would be told that
        the card exists, and take that for success.
        """
        ref, track_id = due.ref or {}, _track_id(due)
        if track_id not in self._undelivered and ref.get(UNDELIVERED) != track_id:
            return None
        return {**ref, UNDELIVERED: track_id}

    def changes(self, due: Due) -> bool:
        """Whether the card that is there can show ``due``, without a new message."""
        return self._is_on(due.payload) and not due.ring and bool((due.ref or {}).get("track_id"))

    async def make(self, due: Due) -> Ref:
        """A new card. HTTP 200 with nobody who got it is a failure, too.

        Raises NoCard, Later or DingTalkError.
        """
        track_id = _track_id(due)
        try:
            await self._register()
            answer = await self._client.call("POST", CREATE, self._instance(due, track_id))
        except DingTalkError as error:
            if error.code == EXISTS:
                return await self._known(due, track_id)
            # Whatever is wrong with the card, the message itself may get there.
            await self._note(error)
            raise NoCard(error.code) from None
        except NeedsAdmin as error:
            await self._note(error)
            if error.code not in DENIED:
                raise
            raise NoCard(str(error)) from None
        if self._mended_at is not None:
            self._mended_at = None
            await self._bell.over(ALARMS)
        self._paid_again_at = None
        carrier = self._delivered(answer, track_id)
        return {"track_id": track_id, **carrier, "at": self._clock().isoformat()}

    async def change(self, due: Due) -> Ref:
        """The card that is there, as it is now.

        Raises Anew when there is none, Spent, without a call, while the month is used up.
        """
        self._spare()
        ref = due.ref or {}
        await self._change(due, ref["track_id"])
        return dict(ref)

    async def _known(self, due: Due, track_id: str) -> Ref:
        try:
            await self._change(due, track_id)
        except Anew as anew:  # made and yet not there: a third try would end here again
            raise NoCard(str(anew)) from None
        return {"track_id": track_id, "at": self._clock().isoformat()}

    async def _change(self, due: Due, track_id: str) -> None:
        body = {"outTrackId": track_id, "userIdType": BY_USERID, "cardUpdateOptions": BY_KEY}
        try:
            await self._client.call("PUT", CHANGE, body | _data(due))
        except DingTalkError as error:
            if error.code in GONE or error.code.startswith(NO_SUCH_DATA):
                raise Anew(str(error)) from None
            raise
        except NeedsAdmin as error:
            await self._note(error)
            if error.code in DENIED:
                raise Anew(str(error)) from None
            raise
        except Spent as spent:
            self._paid_again_at = self._clock() + (spent.after or timedelta(0))
            raise

    def _spare(self) -> None:
        if self._paid_again_at is not None and self._is_ahead(self._paid_again_at):
            left = self._paid_again_at - self._clock()
            raise Spent(f"{CHANGE}: the monthly quota is used up", left)

    def _instance(self, due: Due, track_id: str) -> dict[str, Any]:
        return {
            "cardTemplateId": self._settings.card_template_id,
            "outTrackId": track_id,
            "userIdType": BY_USERID,
            **self._callback(),
            **_data(due),
            "openSpaceId": f"dtv1.card//IM_ROBOT.{due.account}",
            # Forwarded, it would show a customer to whoever gets it.
            "imRobotOpenSpaceModel": {"supportForward": False, **_alert(due)},
            "imRobotOpenDeliverModel": {
                "spaceType": "IM_ROBOT",
                "robotCode": self._settings.client_id,
            },
        }

    def _callback(self) -> dict[str, str]:
        """Without it a press is heard by nobody (5.4)."""
        if self._settings.mode == "stream":
            return {"callbackType": "STREAM"}
        return {"callbackType": "HTTP", "callbackRouteKey": ROUTE}

    async def _register(self) -> None:
        """In http mode DingTalk has to know where to call; once for each start."""
        if self._settings.mode == "stream" or self._registered:
            return
        body = {
            "callbackRouteKey": ROUTE,
            "callbackUrl": self._callback_url,
            "apiSecret": card_secret(self._settings.client_secret.get_secret_value()),
            "forceUpdate": True,  # an address that is known already is HTTP 500 otherwise
        }
        await self._client.call("POST", REGISTER, body)
        self._registered = True

    def _delivered(self, answer: Mapping[str, Any], track_id: str) -> Ref:
        """What takes the card back. Raises NoCard unless every place has got it."""
        result = answer.get("result")
        places = result.get("deliverResults") if isinstance(result, dict) else None
        if not isinstance(places, list) or not places or not all(map(_success, places)):
            self._undelivered[track_id] = None
            if len(self._undelivered) > REMEMBERED:
                del self._undelivered[next(iter(self._undelivered))]
            raise NoCard("deliverResults: not delivered")
        carrier = places[0].get("carrierId")
        return {"query_key": str(carrier)} if carrier else {}

    async def _note(self, error: DingTalkError | NeedsAdmin) -> None:
        """Without permission or template there are no cards until somebody may have mended it."""
        missing = error.code in NO_TEMPLATE
        if not missing and error.code not in DENIED:
            return
        self._mended_at = self._clock() + MENDING
        if alarm := TEMPLATE.alarm(CREATE) if missing else error.alarm:
            await self._bell.sound(alarm)

    def _is_on(self, payload: Mapping[str, Any]) -> bool:
        return bool(self._settings.card_template_id) and "card" in payload

    def _is_ahead(self, at: datetime | None) -> bool:
        return at is not None and at > self._clock()


def _track_id(due: Due) -> str:
    """The same for every try of one payload, so that a lost answer makes no second card."""
    return named(due.key, nonce(due), TRACK_ID_CHARS)


def _data(due: Due) -> dict[str, Any]:
    card = due.payload["card"]
    return {
        "cardData": {"cardParamMap": card["cardParamMap"]},
        "privateData": {due.account: {"cardParamMap": card["private"]}},
    }


def _alert(due: Due) -> dict[str, Any]:
    """What the list of chats and the phone's notification say."""
    title = due.payload["card"]["cardParamMap"]["title"]
    return {
        "lastMessageI18n": {"ZH_CN": title},
        "notification": {"alertContent": title, "notificationOff": not due.ring},
    }


def _success(place: object) -> bool:
    return isinstance(place, dict) and place.get("success") is True
