"""The app's menu, for those who do not type: each entry is a command line (D:90231)."""

import asyncio
from typing import Any

import structlog

from bot.platforms.wecom.client import WeComClient, WeComError
from store.domain.errors import Later, Undeliverable

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

NO_MENU = 46003
AGAIN = 60.0  # seconds, when WeCom cannot be asked now
KEPT = ("type", "name", "key", "url")
"""What of an entry we compare; WeCom adds fields of its own."""


def _click(name: str, line: str) -> dict[str, Any]:
    return {"type": "click", "name": name, "key": line}


MENU: dict[str, Any] = {
    "button": [
        _click("今日", "/今日"),
        _click("我的", "/我的"),
        {
            "name": "更多",
            "sub_button": [
                _click("公海", "/公海"),
                _click("录入", "/录入"),
                _click("日报", "/日报"),
                _click("帮助", "/帮助"),
            ],
        },
    ]
}


async def publish(client: WeComClient, agent_id: int) -> bool:
    """Make the app's menu ours; whether it was another. Raises Later or Undeliverable."""
    agent = {"agentid": str(agent_id)}
    if _plain(await _current(client, agent)) == _plain(MENU):
        return False
    await client.call("menu/create", MENU, agent)
    return True


async def _current(client: WeComClient, agent: dict[str, str]) -> dict[str, Any]:
    try:
        return await client.call("menu/get", params=agent)
    except WeComError as error:
        if error.code == NO_MENU:
            return {}
        raise


def _plain(menu: dict[str, Any]) -> list[Any]:
    """The entries as we write them: WeCom gives a top entry an empty ``sub_button``."""
    entries = menu.get("button") or []
    return [
        ({name: entry[name] for name in KEPT if entry.get(name)}, _plain(_below(entry)))
        for entry in entries
        if isinstance(entry, dict)
    ]


def _below(entry: dict[str, Any]) -> dict[str, Any]:
    below = entry.get("sub_button")
    # Some answers wrap the entries once more: {"sub_button": {"list": […]}}.
    below = below.get("list") if isinstance(below, dict) else below
    return {"button": below}


async def keep_published(client: WeComClient, agent_id: int, again: float = AGAIN) -> None:
    """Publish once; try again as long as WeCom cannot be asked, and give up when it says no."""
    while True:
        try:
            changed = await publish(client, agent_id)
        except Later as later:
            log.warning("wecom_menu_waits", why=str(later))
            await asyncio.sleep(later.after.total_seconds() if later.after else again)
        except Undeliverable as error:
            log.error("wecom_menu_refused", why=str(error))  # noqa: TRY400 -- no stack
            return
        else:
            log.info("wecom_menu", changed=changed)
            return
