import pytest

from bot.sandbox.dingtalk.stream import Pace
from tests.bot.sandbox.fake_product import FakeProduct

QUICK = Pace(ping=0.03, again=(0.05, 0.12), goodbye=0.05)


@pytest.fixture
def has_template():
    """Whether DingTalk has our card template; a module about such cards says so."""
    return False


@pytest.fixture
async def product(has_template):
    made = await FakeProduct().start(pace=QUICK, gap=0.0, cards=has_template)
    yield made
    await made.close()


@pytest.fixture
def state(product):
    return product.sandbox.state


@pytest.fixture
def agent(product):
    return product.settings["wecom"]["agent_id"]


@pytest.fixture
def card():
    def make(task_id="lead-1", **changes):
        return {
            "card_type": "button_interaction",
            "main_title": {"title": "#1 张先生"},
            "task_id": task_id,
            "button_list": [{"text": "接受", "style": 1, "key": "/接受 1"}],
            **changes,
        }

    return make
