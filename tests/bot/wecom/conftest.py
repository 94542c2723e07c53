import pytest
from aiohttp import ClientSession

from bot.platforms.wecom import client as wecom
from bot.platforms.wecom.client import WeComClient
from tests.bot.wecom import given


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    """A busy platform is asked again at once."""
    monkeypatch.setattr(wecom, "PAUSES", (0.0, 0.0, 0.0))


@pytest.fixture
def clock():
    return given.Clock()


@pytest.fixture
def gateway():
    return given.Gateway()


@pytest.fixture
async def base(gateway, aiohttp_server):
    server = await aiohttp_server(gateway.app())
    return f"http://{server.host}:{server.port}"


@pytest.fixture
async def session():
    async with ClientSession() as session:
        yield session


@pytest.fixture
def client(session, base, clock):
    webhook = f"{base}/cgi-bin/webhook/send?key=robot-key"
    return WeComClient(session, given.settings(api_base=base, group_webhook=webhook), clock)
