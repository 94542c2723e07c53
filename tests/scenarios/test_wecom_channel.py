"""渠道活码 from the order to the goodbye: made, scanned, greeted, tagged, deleted, counted."""

import re
from dataclasses import replace

import pytest
from aiohttp import ClientSession

from bot.demo import open_demo
from bot.sandbox.clock import MovableClock
from store.domain.team import Channel
from store.outbox import Put
from tests.scenarios.world import MONDAY, Phone, World, eventually

BACKLOG = 500


@pytest.fixture
async def demo(tmp_path):
    async with open_demo(tmp_path, clock=MovableClock(start=MONDAY)) as opened:
        yield opened


@pytest.fixture
async def world(demo, tmp_path):
    async with ClientSession() as http:
        world = World(
            demo.url, demo.api_key, demo.sandbox.state, http, demo.service.store.clock, tmp_path
        )
        await world.quiet()
        yield world


async def test_a_channel_from_its_code_to_the_customer_who_leaves(world: World, demo):
    li, zhou = world.phone("wecom:lilei"), world.phone("wecom:zhousc")

    await a_code_is_made(zhou)
    await the_backlog(demo)
    contact = await a_customer_scans(world)
    await is_greeted_first(world, demo, contact)
    lead = await is_a_lead_of_the_channel(world, li)
    await is_tagged(world, li, lead, contact)
    await leaves(world, li, lead, contact)


async def a_code_is_made(zhou: Phone) -> None:
    """Marketing asks in the chat and gets a picture."""
    assert "好了发给你" in await zhou.says("活码 展会 李雷")

    await zhou.sees("「展会」的活码好了", "李雷接待")
    await eventually(lambda: [m for m in zhou.messages() if m.kind == "image"], zhou.text)


async def the_backlog(demo) -> None:
    """Five hundred messages that were there before."""
    letter = {"subject": "活动", "text": "下周见", "html": "<p>下周见</p>", "unsubscribe": ""}
    mails = [
        Put(key=f"old:{n}", channel=Channel.MAIL, account=f"p{n}@example.com", payload=letter)
        for n in range(BACKLOG)
    ]
    async with demo.service.store.begin() as tx:
        await tx.outbox.put(mails)


async def test_a_welcome_overtakes_five_hundred_messages_of_its_own_platform(world: World, demo):
    await a_code_is_made(world.phone("wecom:zhousc"))
    text = {"msgtype": "text", "text": {"content": "早上的提醒"}}
    old = [
        Put(key=f"old:{n}", channel=Channel.WECOM, account=account, payload=text)
        for n in range(BACKLOG // 2)
        for account in ("hanmei", "chenzg")
    ]
    async with demo.service.store.begin() as tx:
        await tx.outbox.put([replace(put, key=f"{put.key}/{put.account}") for put in old])

    contact = await a_customer_scans(world)

    await is_greeted_first(world, demo, contact)


async def a_customer_scans(world: World):
    await world.act("scan", state="展会", name="苏禾")
    return next(c for c in world.state.contacts.values() if c.name == "苏禾")


async def is_greeted_first(world: World, demo, contact) -> None:
    """The stand-in refuses after 20 seconds of real time: what arrives was in time."""
    chat = f"wechat:{contact.external_userid}"
    [welcome] = await eventually(lambda: world.state.chats.get(chat), lambda: "no welcome")

    assert "很高兴认识你" in welcome.body["text"]
    async with demo.service.store.read() as tx:
        assert await tx.outbox.waiting() > BACKLOG // 4


async def is_a_lead_of_the_channel(world: World, li: Phone) -> int:
    card = await li.sees("苏禾", "接受")
    lead = int(re.search(r"#(\d+)", card)[1])

    stored = await world.lead(lead)
    assert (stored["channel"], stored["owner"]["name"]) == ("展会", "李雷")
    assert [one["id"] for one in await world.leads() if one["name"] == "苏禾"] == [lead]
    return lead


async def is_tagged(world: World, li: Phone, lead: int, contact) -> None:
    """The tag follows the stage, and the remark says who it is and from where."""
    await li.press("接受", of=lead)
    await li.says(f"阶段 {lead} 意向")

    await eventually(lambda: tags(contact, world) == ["意向"], lambda: str(tags(contact, world)))
    assert contact.remarks["lilei"]["remark"] == "苏禾-展会"


def tags(contact, world: World) -> list[str]:
    """What the member sees under the customer's name."""
    marked = [w for w in world.calls("mark_tag") if w["answered"]["errcode"] == 0]
    named = {
        tag["id"]: tag["name"]
        for w in world.calls("add_corp_tag")
        for tag in w["answered"]["tag_group"]["tag"]
    }
    held = contact.tags.get("lilei", ())
    return [named.get(tag, tag) for tag in held] if marked else []


async def leaves(world: World, li: Phone, lead: int, contact) -> None:
    """The rep is told, the history knows, the digest counts."""
    await world.act("part", contact=contact.external_userid, userid="lilei")

    await li.sees(f"#{lead} 苏禾 删除了你")
    history = [line["kind"] for line in (await world.lead(lead))["history"]]
    assert {"greeted", "unfriended"} <= set(history)
    assert history.count("captured") == 1
    assert "被客户删除 1 位" in await world.phone("wecom:chenzg").says("日报")


async def test_a_link_for_a_dingtalk_manager_is_refused_to_a_rep(world: World):
    assert "市场" in await world.phone("wecom:lilei").says("获客 官网")


async def test_a_link_carries_its_channel(world: World):
    zhou = world.phone("wecom:zhousc")

    await zhou.says("获客 官网 韩梅")

    told = await zhou.sees("「官网」的获客链接好了")
    assert "?customer_channel=%E5%AE%98%E7%BD%91" in told
