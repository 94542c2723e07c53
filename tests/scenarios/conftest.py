from datetime import UTC

import pytest

from bot.demo import Demo, open_demo
from bot.sandbox.clock import MovableClock
from tests.scenarios.world import MONDAY, Phone, World, world_of


@pytest.fixture
async def opened(tmp_path) -> Demo:
    """The demo on a Monday morning; a module that needs another opens its own."""
    async with open_demo(tmp_path, clock=MovableClock(start=MONDAY.astimezone(UTC))) as made:
        yield made


@pytest.fixture
async def world(opened, tmp_path) -> World:
    async with world_of(opened, tmp_path) as made:
        yield made


@pytest.fixture
def li(world) -> Phone:
    """李雷, a rep for the east, in WeCom."""
    return world.phone("wecom:lilei")


@pytest.fixture
def han(world) -> Phone:
    """韩梅, a rep for the south, in WeCom."""
    return world.phone("wecom:hanmei")


@pytest.fixture
def wang(world) -> Phone:
    """王强, a rep for the north, in DingTalk."""
    return world.phone("dingtalk:wangqiang")


@pytest.fixture
def zhao(world) -> Phone:
    """赵敏, a rep for the west, in DingTalk."""
    return world.phone("dingtalk:zhaomin")


@pytest.fixture
def chen(world) -> Phone:
    """陈主管, the manager."""
    return world.phone("wecom:chenzg")


@pytest.fixture
def zhou(world) -> Phone:
    """周市场, who nurtures."""
    return world.phone("wecom:zhousc")
