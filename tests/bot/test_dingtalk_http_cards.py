"""Interactive cards in http mode: DingTalk calls us, signed, and shows what we answer."""

from types import SimpleNamespace

import pytest
from aiohttp import ClientSession

from bot.app import create_app, open_service
from bot.config import parse
from bot.sandbox import demo as sandbox
from bot.serve import listening
from tests.conftest import team
from tests.handlers.people import captured

MORE = {"mode": "http", "token": "t0ken", "encoding_aes_key": "a" * 43}


@pytest.fixture
async def world(database, clock, free_port):
    """The product in http mode on one side, DingTalk's stand-in on the other."""
    url = f"http://127.0.0.1:{free_port}"
    people = [SimpleNamespace(name="王强", role="rep", wecom="", dingtalk="wangqiang")]
    stand_ins = await sandbox.start(url, clock, people, lambda _: None, cards=True)
    dingtalk = stand_ins.settings()["dingtalk"] | MORE
    server = {"host": "127.0.0.1", "port": free_port, "public_url": url}
    values = team(database={"url": database}, server=server, dingtalk=dingtalk)
    values["team"] = [{"name": "王强", "dingtalk": "wangqiang"}]
    async with (
        open_service(parse(values), clock, role="web") as service,
        listening(service, create_app(service)),
    ):
        yield service, stand_ins
    await stand_ins.close()


async def test_a_press_over_http_redraws_the_card_and_costs_no_call(world, clock):
    service, stand_ins = world
    lead = await captured(service.store, rep="王强")
    await service.relay.drain()
    [card] = stand_ins.state.chats["dingtalk:wangqiang"]

    await stand_ins.dingtalk.hand.press(card, "press1")
    clock.tick(minutes=1)
    await service.relay.drain()

    assert "请联系" in card.body["title"]
    assert f"#{lead.id}" in card.body["title"]
    assert list(stand_ins.state.chats["dingtalk:wangqiang"]) == [card]
    assert not [w for w in stand_ins.state.wires if w["call"].startswith("PUT /v1.0/card")]
    assert stand_ins.dingtalk.instances.mistakes == []


async def test_who_does_not_know_the_secret_is_turned_away(world):
    service, _ = world
    url = f"{service.settings.server.public_url}/dingtalk/cards"

    async with ClientSession() as session, session.post(url, json={"userId": "x"}) as answer:
        assert answer.status == 401
