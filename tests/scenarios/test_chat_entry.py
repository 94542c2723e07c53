"""For those who do not type, for those who talk in the group, and when a process dies."""

from datetime import UTC, timedelta

import pytest

from bot.app import open_service
from bot.config import load
from bot.demo import open_demo
from bot.platforms.shared import CONNECTED
from bot.sandbox.clock import MovableClock
from handlers.contacts import leads_of
from store.db import utcnow
from tests.scenarios.served import open_served
from tests.scenarios.world import MONDAY, World, eventually, shown


@pytest.fixture
async def demo(tmp_path):
    """The demo itself, for what the sandbox's page has no button for."""
    clock = MovableClock(start=MONDAY.astimezone(UTC))
    async with open_demo(tmp_path, clock=clock) as demo:
        yield demo


def chat(demo, name: str) -> list[str]:
    return [shown(m) for m in demo.sandbox.state.chats.get(name, ()) if not m.mine]


async def test_the_menu_is_there_from_the_start_and_its_entries_are_lines(demo):
    menu = demo.sandbox.wecom.menu
    await eventually(lambda: menu.buttons, lambda: "no menu")

    pressed = [await menu.press("lilei", key) for key in ("/帮助", "/录入", "/nothing")]

    assert pressed == [True, True, False]
    assert "延期 42" in str(chat(demo, "wecom:lilei"))
    assert "这样写：录入" in str(chat(demo, "wecom:lilei"))
    assert menu.made == 1


async def test_opening_the_app_greets_once(demo):
    hand, clock = demo.sandbox.wecom.hand, demo.sandbox.state.clock

    await hand.enter("lilei")
    clock.forward(timedelta(minutes=1))
    await hand.enter("lilei")

    assert len([text for text in chat(demo, "wecom:lilei") if text.startswith("李雷，")]) == 1


async def test_a_line_said_in_the_wecom_group_is_done_and_answered_there(world: World):
    number = await world.pooled("wecom:hanmei", name="欧阳文静", phone="13912345678")
    group = world.phone("wecom-group")

    await group.says(f"领取 {number}", by="lilei")

    await group.sees(f"#{number}")
    assert (await world.lead(number))["owner"]["name"] == "李雷"
    assert "欧阳" not in group.text()
    assert "13912345678" not in group.text()


async def test_a_bot_that_somebody_else_connects_as_is_told_to_who_can_mend_it(demo):
    """It stood in the log, and the group was not answered for ten minutes."""
    bot = demo.sandbox.wecom.aibot
    await eventually(lambda: bot.connected, lambda: "not connected")
    await bot.kick()

    def told() -> bool:
        chats = demo.sandbox.state.chats
        return any("被别的程序连走了" in str(chat(demo, name)) for name in chats)

    await eventually(told, lambda: "nobody was told")


async def test_a_process_that_is_killed_is_followed_by_another(tmp_path):
    ahead = [timedelta(0)]
    async with open_served(tmp_path) as served:
        await served.start()
        await connections(served.world, 1)
        settings = load(served.config)
        async with open_service(settings, lambda: utcnow() + ahead[0], role="web") as second:
            await served.kill()
            waited = second.aibot.connected
            ahead[0] = CONNECTED  # what the dead process held has run out

            await connections(served.world, 2)
            assert (waited, second.aibot.well) == (False, True)


async def connections(world: World, number: int) -> None:
    """Until so many have subscribed as the AI bot, in all."""
    await eventually(
        lambda: len(world.calls("aibot_subscribe")) >= number,
        lambda: f"{len(world.calls('aibot_subscribe'))} have subscribed",
    )


async def test_contacts_whose_callback_never_came_are_leads_of_their_channel(demo):
    # They were nobody's for good when the service was away for longer than WeCom's retries.
    wecom, service = demo.sandbox.wecom, demo.service
    before, _ = wecom.contacts.meet("hanmei", "旧友", "")
    service.store.clock.forward(timedelta(hours=1))
    await service.newcomers.step()
    service.store.clock.forward(timedelta(hours=2))
    heard = await wecom.hand.meet("lilei", "孙若兰", "展会")
    lost, _ = wecom.contacts.meet("lilei", "李嘉", "展会")

    found = [await service.newcomers.step() for _ in range(2)]

    await eventually(lambda: "李嘉" in str(chat(demo, "wecom:lilei")), lambda: "no card")
    assert found == [1, 0]
    async with service.store.read() as tx:
        [lead] = await leads_of(tx, lost.external_userid)
        assert (lead.channel, lead.owner.name) == ("展会", "李雷")
        assert len(await leads_of(tx, heard.external_userid)) == 1
        assert await leads_of(tx, before.external_userid) == []
