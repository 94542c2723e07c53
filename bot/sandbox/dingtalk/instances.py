"""
Interactive cards (section 5): made from a template, changed in place, pressed with a callback.

Stricter than the platform where nobody knows what it does: a value that is no
string is refused, and a change while a press waits for its answer is written down.
"""

import base64
import hmac
import json
import re
from asyncio import timeout
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from aiohttp import ClientError, ClientSession

from bot.sandbox import wire
from bot.sandbox.dingtalk.api import Org
from bot.sandbox.dingtalk.errors import Fault
from bot.sandbox.dingtalk.messages import Messages
from bot.sandbox.dingtalk.stream import CARD_TOPIC, Gateway, Push
from bot.sandbox.limits import size
from bot.sandbox.state import Message, State

ANSWER_SECONDS = 2.0
MOST_TRACK_CHARS, MOST_SPACE_CHARS = 100, 1000
MOST_KEY_BYTES, MOST_VALUE_BYTES = 100, 1024
SPACE = re.compile(r"dtv1\.card//(?:IM_ROBOT|im_robot)\.(.+)")
PARTS = ("note", "rows", "quote", "why")
PLACES = range(1, 5)

Values = dict[str, str]


@dataclass(slots=True, kw_only=True, eq=False)
class Instance:
    """``private``: by user. ``callback``: STREAM, HTTP, or "" for presses that nobody hears."""

    track_id: str
    callback: str
    route: str
    public: Values
    private: dict[str, Values]
    held: dict[str, Message] = field(default_factory=dict)
    waiting: int = 0  # presses without an answer yet

    def change(self, body: Mapping[str, Any], private: Mapping[str, Values]) -> None:
        """What the body names is added where its options say so, else it takes the place of all."""
        options = body.get("cardUpdateOptions") or {}
        if "cardData" in body:
            by_key = options.get("updateCardDataByKey") is True
            self.public = (self.public if by_key else {}) | _values(body["cardData"])
        by_key = options.get("updatePrivateDataByKey") is True
        for user, values in private.items():
            self.private[user] = (self.private.get(user, {}) if by_key else {}) | values

    def seen_by(self, user: str) -> dict[str, Any]:
        """What the template draws for this user: private values win over public ones."""
        return drawn(self.public | self.private.get(user, {}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    url: str
    secret: str


class Instances:
    """``mistakes``: what the platform forbids and does not notice, each in a sentence."""

    def __init__(self, org: Org, state: State, gateway: Gateway, messages: Messages) -> None:
        self._org = org
        self._state = state
        self._log = wire.Sent(state, "dingtalk")
        self._gateway = gateway
        self._messages = messages
        self._known: dict[str, Instance] = {}
        self._routes: dict[str, Route] = {}
        self.mistakes: list[str] = []

    # -- the calls ---------------------------------------------------------------

    def register(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """D:register-card-callback-address; a key that is known is HTTP 500."""
        key, url = str(body.get("callbackRouteKey", "")), str(body.get("callbackUrl", ""))
        if not key or not url.startswith(("http://", "https://")):
            raise Fault(400, "param.callbackUrlInvalid", "callbackRouteKey 与 callbackUrl 必填")
        if key in self._routes and body.get("forceUpdate") is not True:
            raise Fault(500, "param.callbackRouteKeyExist", "callbackRouteKey 已注册")
        self._routes[key] = Route(url=url, secret=str(body.get("apiSecret", "")))
        result = {"callbackUrl": url, "apiSecret": self._routes[key].secret}
        return {"success": True, "result": result}

    def create(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The first of two steps: a card that is on nobody's phone (5.2)."""
        self._check_template(body.get("cardTemplateId"))
        instance = self._made(body)
        self._known[instance.track_id] = instance
        return {"success": True, "result": instance.track_id}

    def create_and_deliver(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """HTTP 200 and ``success`` although the space got nothing: deliverResults says so."""
        self._check_template(body.get("cardTemplateId"))
        instance = self._made(body)
        user = self._space(body)
        self._known[instance.track_id] = instance
        result = {
            "outTrackId": instance.track_id,
            "deliverResults": [self._deliver(instance, user)],
        }
        return {"success": True, "result": result}

    def update(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Without ``cardUpdateOptions`` the whole data is overwritten (D:card-update)."""
        instance = self._known.get(str(body.get("outTrackId", "")))
        if instance is None or self._state.faults.take("dingtalk", "card_gone"):
            raise Fault(400, "param.cardNotExist", "卡片不存在")
        if instance.waiting:
            self._mistake(f"{instance.track_id}：回调还没应答就调用了更新接口")
        instance.change(body, _by_user(body.get("privateData")))
        self._redraw(instance)
        return {"success": True, "result": True}

    def _check_template(self, template: Any) -> None:
        if not template or template != self._org.template_id:
            raise Fault(400, "param.templateNotExist", "模板不存在")
        if self._state.faults.take("dingtalk", "template"):
            raise Fault(400, "param.templateUnpublished", "模板未发布")

    def _made(self, body: Mapping[str, Any]) -> Instance:
        track_id = body.get("outTrackId")
        if not isinstance(track_id, str) or not 0 < len(track_id) <= MOST_TRACK_CHARS:
            raise Fault(400, "param.outTrackIdInvalid", "outTrackId 应为 1 到 100 个字符")
        if track_id in self._known:
            raise Fault(400, "param.cardAlreadyExist", "卡片已存在")
        if body.get("userIdType", 1) != 1:
            raise Fault(400, "param.userIdTypeInvalid", "沙盒只认 userId")
        route = str(body.get("callbackRouteKey", ""))
        callback = str(body.get("callbackType", ""))
        known = callback != "HTTP" or route in self._routes
        if callback not in {"", "STREAM", "HTTP"} or not known:
            raise Fault(400, "param.callbackRouteKeyInvalid", "callbackRouteKey 没有注册")
        return Instance(
            track_id=track_id,
            callback=callback,
            route=route,
            public=_values(body.get("cardData")),
            private=_by_user(body.get("privateData")),
        )

    def _space(self, body: Mapping[str, Any]) -> str:
        """Who is to get it; a space has to be declared, and the robot to be ours."""
        space = str(body.get("openSpaceId", ""))
        match = SPACE.fullmatch(space)
        declared = isinstance(body.get("imRobotOpenSpaceModel"), dict)
        if match is None or len(space) > MOST_SPACE_CHARS or not declared:
            raise Fault(400, "param.openSpaceIdInvalid", "openSpaceId 不合法，或场域没有声明")
        model = body.get("imRobotOpenDeliverModel")
        if not isinstance(model, dict) or model.get("robotCode") != self._org.client_id:
            raise Fault(400, "invalidParameter.robotCode.auth", "robotCode 与应用不匹配")
        return match[1]

    def _deliver(self, instance: Instance, user: str) -> dict[str, Any]:
        place = {"spaceType": "IM_ROBOT", "spaceId": user}
        lost = self._state.faults.take("dingtalk", "undelivered")
        if lost or f"dingtalk:{user}" not in self._state.phones:
            return {**place, "success": False, "carrierId": "", "errorMsg": "spaceId is illegal"}
        message = self._state.show(f"dingtalk:{user}", "instance", instance.seen_by(user))
        instance.held[user] = message
        carrier = self._messages.remember([message])
        return {**place, "success": True, "carrierId": carrier, "errorMsg": ""}

    # -- the hand ----------------------------------------------------------------

    async def press(self, message: Message, place: str) -> bool:
        """A button of the card is pressed by whose phone it is. False if it has no such button."""
        user = message.chat.removeprefix("dingtalk:")
        instance = next((i for i in self._known.values() if i.held.get(user) is message), None)
        if instance is None or message.recalled or place not in _places(message):
            return False
        instance.waiting += 1
        try:
            answer = await self._call_back(instance, user, place)
        finally:
            instance.waiting -= 1
        if answer:
            self._apply(instance, user, answer)
        return True

    async def submit(self, message: Message, form: Mapping[str, Any]) -> bool:
        """A form inside the card is sent off (5.6). False if the message is no card."""
        user = message.chat.removeprefix("dingtalk:")
        instance = next((i for i in self._known.values() if i.held.get(user) is message), None)
        if instance is None or message.recalled:
            return False
        chosen = {"actionIds": ["submit"], "params": {"form": dict(form)}}
        if answer := await self._say(instance, user, chosen):
            self._apply(instance, user, answer)
        return True

    async def _call_back(self, instance: Instance, user: str, place: str) -> Mapping[str, Any]:
        line = instance.public.get(place.replace("press", "line"), "")
        return await self._say(instance, user, {"actionIds": [place], "params": {"line": line}})

    async def _say(
        self, instance: Instance, user: str, chosen: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        body = {
            "type": "actionCallback",
            "outTrackId": instance.track_id,
            "corpId": self._org.corp_id,
            "userId": user,
            "userIdType": 1,
            "spaceType": "IM_ROBOT",
            "spaceId": user,
            "extension": "{}",
            "content": json.dumps({"cardPrivateData": chosen}, ensure_ascii=False),
        }
        if instance.callback == "STREAM":
            ack = await self._gateway.ask(Push(topic=CARD_TOPIC, data=body), ANSWER_SECONDS)
            return _response(ack)
        return await self._post(self._routes[instance.route], body) if instance.callback else {}

    async def _post(self, route: Route, body: Mapping[str, Any]) -> Mapping[str, Any]:
        at = str(int(self._state.clock().timestamp() * 1000))
        headers = {
            "x-ddpaas-signature-timestamp": at,
            "x-ddpaas-signature": signature(route.secret, at),
        }
        try:
            async with (
                timeout(ANSWER_SECONDS),
                ClientSession() as session,
                session.post(route.url, json=body, headers=headers) as response,
            ):
                answer = await response.json()
                self._log(f"POST {route.url}", response.status, body, answer)
                return answer if response.status == 200 and isinstance(answer, dict) else {}
        except (ClientError, TimeoutError, ValueError) as error:
            self._log(f"POST {route.url}", 0, body, type(error).__name__)
            return {}

    def _apply(self, instance: Instance, user: str, answer: Mapping[str, Any]) -> None:
        mine = answer.get("userPrivateData")
        try:
            instance.change(answer, _by_user({user: mine} if mine else {}))
        except Fault as fault:
            self._mistake(f"{instance.track_id}：{fault.message}")
        self._redraw(instance)

    def _redraw(self, instance: Instance) -> None:
        for user, message in instance.held.items():
            message.body = instance.seen_by(user)
            self._state.changed(message)

    def _mistake(self, what: str) -> None:
        self.mistakes.append(what)
        self._log("互动卡片用错了", 0, "", what)


def signature(secret: str, at: str) -> str:
    """``x-ddpaas-signature``: base64 of HMAC-SHA256 over the timestamp."""
    return base64.b64encode(hmac.digest(secret.encode(), at.encode(), sha256)).decode()


def drawn(values: Mapping[str, str]) -> dict[str, Any]:
    """What the template of docs/dingtalk-card shows with these values."""
    parts = {
        name: values.get(name, "") if values.get(f"has{name.title()}") == "true" else ""
        for name in PARTS
    }
    buttons = [
        {
            "title": values.get(f"button{n}", ""),
            "url": f"press{n}",
            "color": values.get(f"color{n}"),
        }
        for n in PLACES
        if values.get(f"canPress{n}") == "true"
    ]
    text = "\n".join(filter(None, parts.values()))
    return {"title": values.get("title", ""), "text": text, "parts": parts, "buttons": buttons}


def _places(message: Message) -> list[str]:
    return [button["url"] for button in message.body.get("buttons", [])]


def _values(data: Any) -> Values:
    """``{"cardParamMap": {…}}``, every value a string."""
    values = data.get("cardParamMap") if isinstance(data, dict) else None
    if not isinstance(values, dict):
        raise Fault(400, "param.cardDataInvalid", "缺少 cardParamMap")
    for key, value in values.items():
        if not isinstance(value, str):
            raise Fault(400, "param.cardDataInvalid", f"{key} 的值必须是字符串")
        if size(key) > MOST_KEY_BYTES or size(value) > MOST_VALUE_BYTES:
            raise Fault(400, "param.cardDataTooLong", f"{key} 超过 {MOST_VALUE_BYTES} 字节")
    return dict(values)


def _by_user(data: Any) -> dict[str, Values]:
    return {str(user): _values(values) for user, values in (data or {}).items()}


def _response(ack: Any) -> Mapping[str, Any]:
    """What stands under ``response`` in the text ``data`` of an acknowledgement."""
    try:
        answer = json.loads(ack["data"])["response"]
    except (TypeError, KeyError, ValueError):
        return {}
    return answer if isinstance(answer, dict) else {}
