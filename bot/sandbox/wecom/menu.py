"""The app's menu (D:90231): what an admin's call makes of it, and a thumb that uses it."""

from collections.abc import Mapping
from typing import Any

from bot.sandbox.limits import size
from bot.sandbox.state import State
from bot.sandbox.wecom.api import Call, Company, Endpoint
from bot.sandbox.wecom.errors import No
from bot.sandbox.wecom.phone import Hand

TOP, BELOW = 3, 5
TOP_BYTES, BELOW_BYTES = 16, 40
KEY_BYTES, URL_BYTES = 128, 1024
CLICKS = {
    "click", "scancode_push", "scancode_waitmsg", "pic_sysphoto", "pic_photo_or_album",
    "pic_weixin", "location_select",
}  # fmt: skip
NO_MENU = 46003


class Menu:
    def __init__(self, company: Company, state: State, hand: Hand) -> None:
        self._company = company
        self._state = state
        self._hand = hand
        self.made = 0

    @property
    def buttons(self) -> list[dict[str, Any]]:
        return self._state.menu

    def endpoints(self) -> Mapping[str, Endpoint]:
        return {
            "menu/create": Endpoint(method="POST", answer=self._create),
            "menu/get": Endpoint(method="GET", answer=self._get),
            "menu/delete": Endpoint(method="GET", answer=self._delete),
        }

    async def press(self, userid: str, key: str) -> bool:
        """A member presses an entry. False if the menu has none with this key."""
        if key not in _keys(self.buttons):
            return False
        await self._hand.click(userid, key)
        return True

    def _create(self, call: Call) -> dict[str, Any]:
        self._check_agent(call)
        buttons = call.body.get("button")
        if not isinstance(buttons, list) or not 1 <= len(buttons) <= TOP:
            raise No(40016, "invalid button size")
        for button in buttons:
            _check(button, TOP_BYTES, below=True)
        self._state.offers(buttons)
        self.made += 1
        return {}

    def _get(self, call: Call) -> dict[str, Any]:
        self._check_agent(call)
        if not self.buttons:
            raise No(NO_MENU, "menu no exist")
        # The platform's own shape: every entry has a list, empty or not.
        return {"button": [{"sub_button": [], **button} for button in self.buttons]}

    def _delete(self, call: Call) -> dict[str, Any]:
        self._check_agent(call)
        self._state.offers([])
        return {}

    def _check_agent(self, call: Call) -> None:
        if call.query.get("agentid") != str(self._company.agent_id):
            raise No(40056, "invalid agentid")


def _check(button: Any, most: int, *, below: bool = False) -> None:
    if not isinstance(button, dict):
        raise No(40058, "invalid Request Parameter: button")
    name = button.get("name")
    if not isinstance(name, str) or not 0 < size(name) <= most:
        raise No(40018, "invalid button name size")
    if below and "sub_button" in button:
        entries = button["sub_button"]
        if not isinstance(entries, list) or not 1 <= len(entries) <= BELOW:
            raise No(40023, "invalid sub button size")
        for entry in entries:
            _check(entry, BELOW_BYTES)
    else:
        _check_action(button)


def _check_action(button: Mapping[str, Any]) -> None:
    kind = button.get("type")
    if kind in CLICKS and not 0 < size(str(button.get("key") or "")) <= KEY_BYTES:
        raise No(40019, "invalid button key size")
    if kind == "view" and not 0 < size(str(button.get("url") or "")) <= URL_BYTES:
        raise No(40020, "invalid button url size")
    if kind not in {*CLICKS, "view", "view_miniprogram"}:
        raise No(40017, "invalid button type")


def _keys(buttons: list[dict[str, Any]]) -> set[str]:
    own = {button["key"] for button in buttons if "key" in button}
    return own.union(*(_keys(button.get("sub_button", [])) for button in buttons))
