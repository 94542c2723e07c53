"""渠道活码 and 获客链接: what makes a stranger a contact of a channel (D:92572, D:97297)."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any

import segno
from aiohttp import web

from bot.sandbox.state import State
from bot.sandbox.wecom.api import Call
from bot.sandbox.wecom.errors import No
from bot.sandbox.wecom.messages import chat_of

STATE_CHARS, REMARK_CHARS, MOST_USERS = 30, 30, 100
SINGLE, SEVERAL = 1, 2
WITH_PICTURE = 2
SCAN = "https://work.weixin.qq.com/k/"
LINK = "https://work.weixin.qq.com/ca/"


@dataclass(slots=True, kw_only=True)
class Way:
    id: str
    kind: int
    state: str
    users: list[str]
    scans: int = field(default=0)

    def next_member(self) -> str:
        self.scans += 1
        return self.users[(self.scans - 1) % len(self.users)]


class Ways:
    """``base`` is where the pictures are fetched from."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._ways: dict[str, Way] = {}
        self._links: dict[str, list[str]] = {}
        self.base = ""

    def named(self, state: str) -> Way | None:
        """The newest of a channel, or of all."""
        ways = [way for way in self._ways.values() if state in ("", way.state)]
        return ways[-1] if ways else None

    def _tell(self) -> None:
        self._state.printed(way.state for way in self._ways.values())

    def add(self, call: Call) -> dict[str, Any]:
        kind, scene = call.body.get("type"), call.body.get("scene")
        if kind not in (SINGLE, SEVERAL) or scene not in (1, WITH_PICTURE):
            raise No(40058, "invalid Request Parameter: type or scene")
        users = self._users(call.body.get("user"))
        if kind == SINGLE and len(users) != 1:
            raise No(40058, "invalid Request Parameter: type 1 has exactly one user")
        way = Way(id=token_hex(16), kind=kind, state=_state(call.body), users=users)
        self._ways[way.id] = way
        self._tell()
        picture = {"qr_code": self._picture(way)} if scene == WITH_PICTURE else {}
        return {"config_id": way.id, **picture}

    def get(self, call: Call) -> dict[str, Any]:
        way = self._known(call.body)
        about = {"config_id": way.id, "type": way.kind, "scene": WITH_PICTURE, "state": way.state}
        return {"contact_way": {**about, "user": way.users, "qr_code": self._picture(way)}}

    def update(self, call: Call) -> dict[str, Any]:
        way = self._known(call.body)
        users = self._users(call.body.get("user"))
        if way.kind == SINGLE and len(users) != 1:
            raise No(40058, "invalid Request Parameter: type 1 has exactly one user")
        way.users, way.state = users, _state(call.body)
        self._tell()
        return {}

    def delete(self, call: Call) -> dict[str, Any]:
        del self._ways[self._known(call.body).id]
        self._tell()
        return {}

    def create_link(self, call: Call) -> dict[str, Any]:
        users = self._range(call.body)
        if not call.body.get("link_name"):
            raise No(40063, "some parameters are empty: link_name")
        link_id = f"caw{token_hex(8)}"
        self._links[link_id] = users
        created = int(self._state.clock().timestamp())
        about = {"link_id": link_id, "link_name": call.body["link_name"]}
        return {"link": {**about, "url": f"{LINK}{link_id}", "create_time": created}}

    def update_link(self, call: Call) -> dict[str, Any]:
        link_id = str(call.body.get("link_id", ""))
        if link_id not in self._links:
            raise No(40035, "invalid parameter: link_id")
        self._links[link_id] = self._range(call.body)
        return {}

    def get_link(self, call: Call) -> dict[str, Any]:
        """D:97297."""
        link_id = str(call.body.get("link_id", ""))
        if link_id not in self._links:
            raise No(40035, "invalid parameter: link_id")
        about = {"link_id": link_id, "url": f"{LINK}{link_id}"}
        return {"link": about, "range": {"user_list": self._links[link_id]}, "skip_verify": True}

    def delete_link(self, call: Call) -> dict[str, Any]:
        link_id = str(call.body.get("link_id", ""))
        if link_id not in self._links:
            raise No(40035, "invalid parameter: link_id")
        del self._links[link_id]
        return {}

    def lose(self, id_: str) -> None:
        """Somebody deletes it at WeCom: a code without a word, a link with an event."""
        self._ways.pop(id_, None)
        self._links.pop(id_, None)
        self._tell()

    async def picture(self, request: web.Request) -> web.Response:
        """The QR code itself."""
        config_id = request.match_info["config_id"]
        if config_id not in self._ways:
            raise web.HTTPNotFound
        out = io.BytesIO()
        segno.make(SCAN + config_id, micro=False).save(out, kind="png", scale=8)
        return web.Response(body=out.getvalue(), content_type="image/png")

    def _picture(self, way: Way) -> str:
        return f"{self.base}/qr/{way.id}.png"

    def _known(self, body: Mapping[str, Any]) -> Way:
        way = self._ways.get(str(body.get("config_id", "")))
        if way is None:
            raise No(40058, "invalid Request Parameter: config_id")
        return way

    def _range(self, body: Mapping[str, Any]) -> list[str]:
        chosen = body.get("range")
        return self._users(chosen.get("user_list") if isinstance(chosen, dict) else None)

    def _users(self, users: Any) -> list[str]:
        if not isinstance(users, list) or not users:
            raise No(40035, "invalid parameter: user is an array")
        if len(users) > MOST_USERS:
            raise No(41041, "contact way: more than 100 users")
        for userid in users:
            if chat_of(self._state, str(userid)) not in self._state.phones:
                raise No(40003, "invalid userid")
        return [str(userid) for userid in users]


def _state(body: Mapping[str, Any]) -> str:
    state, remark = body.get("state", ""), body.get("remark", "")
    if not isinstance(state, str) or len(state) > STATE_CHARS:
        raise No(40058, "invalid Request Parameter: state")
    if not isinstance(remark, str) or len(remark) > REMARK_CHARS:
        raise No(40058, "invalid Request Parameter: remark")
    return state
