"""Two reps press 领取 on one lead of the pool at the same instant."""

import asyncio

import pytest

from tests.scenarios.races import RIVALS, race
from tests.scenarios.world import NAMES, Phone, World, eventually


def winners(rivals: list[Phone], lead: int) -> list[Phone]:
    return [phone for phone in rivals if "请联系" in phone.card_of(lead)]


@pytest.mark.parametrize(
    "chats",
    [
        ("wecom:lilei", "wecom:hanmei"),
        ("dingtalk:wangqiang", "dingtalk:zhaomin"),
        ("wecom:hanmei", "dingtalk:zhaomin"),
    ],
    ids=["wecom", "dingtalk", "both"],
)
async def test_exactly_one_wins_and_the_other_reads_who(world: World, chats, chen: Phone):
    rivals = [world.phone(chat) for chat in chats]
    lead = await unsuitable(world)
    await chen.sees_card_of(lead, "请分配")
    for phone in rivals:
        assert f"#{lead}" in await phone.says("公海 海外")

    await asyncio.gather(*(phone.press(f"领取 #{lead}") for phone in rivals))
    await eventually(lambda: winners(rivals, lead), lambda: "nobody has it")
    await world.quiet()

    [winner] = winners(rivals, lead)
    [loser] = [phone for phone in rivals if phone is not winner]
    stored = await world.lead(lead)
    assert stored["owner"]["name"] == NAMES[winner.chat]
    assert [line["kind"] for line in stored["history"]].count("claimed") == 1
    await loser.sees(NAMES[winner.chat], f"#{lead}")
    await chen.sees_card_of(lead, f"已由 {NAMES[winner.chat]} 接手")


async def test_four_reps_press_three_times_each_and_one_wins(world: World):
    lead = await unsuitable(world)
    rivals = [world.phone(chat) for chat in NAMES]

    await asyncio.gather(*(phone.says(f"领取 {lead}") for phone in rivals for _ in range(3)))
    await world.quiet()

    [winner] = winners(rivals, lead)
    history = (await world.lead(lead))["history"]
    assert [line["kind"] for line in history].count("claimed") == 1
    for phone in rivals:
        if phone is not winner:
            assert NAMES[winner.chat] in phone.text()


async def unsuitable(world: World) -> int:
    """A lead that no rep's region fits: it lies in the pool and the manager is asked."""
    lead = await world.posts(name="Amelia", email="amelia@example.com", region="海外")
    return int(lead["id"])


async def test_processes_race_for_every_lead_and_each_loser_is_told_who(database):
    """Ten thousand leads and four processes: `make races`."""
    result = await race(database, 40, list(RIVALS)[:2])

    assert result.wrong == []
    assert result.races == sum(result.wins.values()) == 40
