import pytest

from tests.scenarios.world import Phone, World, open_world


@pytest.fixture
async def world(tmp_path) -> World:
    async with open_world(tmp_path) as opened:
        yield opened


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
