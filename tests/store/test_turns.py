"""Who writes next."""

import asyncio

import pytest

from store.turns import PLACES, Hurry, Turns


class Line:
    """Everybody stands in line behind somebody who holds the turn until ``opens``."""

    def __init__(self):
        self.turns, self.order, self.open = Turns(), [], asyncio.Event()
        self.tasks = []

    async def stands(self, name, hurry=Hurry.NORMAL):
        async def write():
            async with self.turns.take(hurry):
                await self.open.wait()
                self.order.append(name)

        self.tasks.append(asyncio.create_task(write()))
        await asyncio.sleep(0)
        return self.tasks[-1]

    async def opens(self):
        self.open.set()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        return self.order


@pytest.fixture
async def line():
    made = Line()
    await made.stands("holder")
    return made


async def test_those_who_are_alike_go_in_the_order_they_came(line):
    for name in "abc":
        await line.stands(name, Hurry.CROWD if name == "b" else Hurry.NORMAL)

    assert await line.opens() == ["holder", "a", "b", "c"]


async def test_a_person_goes_before_a_crowd_that_came_first(line):
    for number in range(5):
        await line.stands(number, Hurry.CROWD)
    await line.stands("person", Hurry.PERSON)
    await line.stands("second", Hurry.PERSON)

    assert (await line.opens())[:3] == ["holder", "person", "second"]


async def test_nobody_is_overtaken_for_ever(line):
    await line.stands("first")
    for number in range(PLACES + 3):
        await line.stands(number, Hurry.PERSON)

    order = await line.opens()

    assert order.index("first") <= PLACES + 1 < len(order) - 1


async def test_who_gives_up_waiting_keeps_nobody_else_from_it(line):
    gone = await line.stands("gone")
    await line.stands("next")
    gone.cancel()

    assert await asyncio.wait_for(line.opens(), 20) == ["holder", "next"]


async def test_who_gives_up_with_the_turn_in_hand_hands_it_on():
    line = Line()
    line.open.set()
    async with line.turns.take():
        gone = await line.stands("gone")
        await line.stands("next")
    gone.cancel()  # the turn is theirs since the line above, and they do not know it yet

    assert await asyncio.wait_for(line.opens(), 20) == ["next"]


async def test_the_turn_is_free_again_when_nobody_waits():
    turns = Turns()
    async with turns.take():
        pass

    async with asyncio.timeout(20), turns.take():
        pass


async def test_a_failure_hands_the_turn_on(line):
    async def fails():
        async with line.turns.take():
            raise LookupError

    line.tasks.append(asyncio.create_task(fails()))
    await line.stands("next")

    assert await line.opens() == ["holder", "next"]
