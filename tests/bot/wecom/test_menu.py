"""The app's menu: every entry is a command, published when it differs, against a strict stand-in."""

import asyncio

import pytest

from bot.platforms.wecom.menu import MENU, keep_published, publish
from bot.sandbox.limits import size
from handlers.commands import understand
from store.domain.errors import BadCommand
from tests.bot.wecom import given

CREATED = "menu/create"


ENTRIES = [entry for top in MENU["button"] for entry in top.get("sub_button", [top])]


@pytest.mark.parametrize("line", [e["key"] for e in ENTRIES if e["name"] != "录入"])
def test_every_entry_is_a_line_that_is_understood(line):
    assert understand(line)


def test_the_entry_that_needs_words_says_how_to_write_them():
    with pytest.raises(BadCommand, match="这样写：录入"):
        understand("/录入")


def test_the_menu_is_within_the_platform_s_limits():
    tops = MENU["button"]

    assert len(tops) <= 3
    assert all(len(top.get("sub_button", [])) <= 5 for top in tops)
    assert all(size(top["name"]) <= 16 for top in tops)
    assert all(size(entry["name"]) <= 40 and size(entry["key"]) <= 128 for entry in ENTRIES)


async def test_an_app_without_a_menu_gets_it(client, gateway):
    gateway.answers("menu/get", given.refusal(46003))

    changed = await publish(client, 1000002)

    [call] = gateway.calls(CREATED)
    assert changed
    assert call.query["agentid"] == "1000002"
    assert call.body == MENU
    assert "\\u" not in call.raw.decode()


@pytest.mark.parametrize("below", [{}, {"sub_button": []}, {"sub_button": {"list": []}}])
async def test_a_menu_that_is_ours_is_left_alone_however_it_is_written(client, gateway, below):
    gateway.answers("menu/get", {"errcode": 0, "button": [{**below, **b} for b in MENU["button"]]})

    changed = await publish(client, 1000002)

    assert not changed
    assert gateway.calls(CREATED) == []


async def test_another_menu_is_replaced(client, gateway):
    other = [{"type": "click", "name": "今日", "key": "/我的"}, *MENU["button"][1:]]
    gateway.answers("menu/get", {"errcode": 0, "button": other})

    assert await publish(client, 1000002)
    assert len(gateway.calls(CREATED)) == 1


async def test_a_platform_that_is_busy_is_asked_again(client, gateway):
    gateway.answers("menu/get", given.refusal(-1), given.refusal(46003))

    await keep_published(client, 1000002, again=0.01)

    assert len(gateway.calls(CREATED)) == 1


async def test_a_no_ends_it_and_the_service_lives_on(client, gateway):
    gateway.answers("menu/get", given.refusal(40058))

    async with asyncio.timeout(60):
        await keep_published(client, 1000002, again=0.01)

    assert gateway.calls(CREATED) == []
