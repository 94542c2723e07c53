"""JS-SDK: the published vector, and tickets that are fetched once."""

import asyncio
from datetime import timedelta

import pytest

from bot.platforms.wecom.jssdk import JsSdk, Kind, signature
from tests.bot.wecom import given

TICKET = "sM4AOVdWfPE4DxkXGEs8VMCPGGVi4C3VM0P37wVUCFvkVAy_90u5h9nbSlYy3-Sl-HhTdfl2fzFy1AOcHKP7qg"
PAGE = "http://mp.weixin.qq.com?params=value"


@pytest.mark.parametrize("url", [PAGE, f"{PAGE}#wechat_redirect"])
def test_the_published_signature(url):
    signed = signature(TICKET, "Wm3WZYTPz0wzccnW", 1414587457, url)

    assert signed == "0f9de62fce790f9a083d5c99e95740ceb90c27ed"


@pytest.fixture
def sdk(client, gateway, base, clock):
    ticket = {"errcode": 0, "errmsg": "ok", "expires_in": 7200}
    gateway.always["get_jsapi_ticket"] = {**ticket, "ticket": "of-the-corp"}
    gateway.always["ticket/get"] = {**ticket, "ticket": "of-the-app"}
    return JsSdk(client, given.settings(api_base=base), clock)


async def test_the_two_tickets_are_not_mixed_up(sdk, gateway):
    corp, app = await sdk.signed(PAGE, Kind.CORP), await sdk.signed(PAGE, Kind.APP)

    for signed, ticket in ((corp, "of-the-corp"), (app, "of-the-app")):
        expected = signature(ticket, signed["nonceStr"], signed["timestamp"], PAGE)
        assert signed["signature"] == expected
    assert corp["appId"] == given.CORP
    assert (app["corpid"], app["agentid"]) == (given.CORP, 1000002)
    assert gateway.calls("ticket/get")[0].query["type"] == "agent_config"


async def test_ten_pages_at_once_take_one_ticket_for_as_long_as_it_lives(sdk, gateway, clock):
    await asyncio.gather(*(sdk.signed(PAGE, Kind.APP) for _ in range(10)))
    clock.now += timedelta(minutes=114)
    await sdk.signed(PAGE, Kind.APP)
    kept = len(gateway.calls("ticket/get"))
    clock.now += timedelta(minutes=2)
    await sdk.signed(PAGE, Kind.APP)

    assert (kept, len(gateway.calls("ticket/get"))) == (1, 2)
