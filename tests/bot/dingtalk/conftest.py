from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import ClientSession

from bot.config import DingTalk

CLIENT_ID = "dingabc123"
SECRET = "s3cr3t-of-the-app"


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def tick(self, **delta: float) -> None:
        self.now += timedelta(**delta)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


def settings(base: str = "http://127.0.0.1:1", **more: object) -> DingTalk:
    return DingTalk.model_validate(
        {
            "corp_id": "ding0corp",
            "client_id": CLIENT_ID,
            "client_secret": SECRET,
            "api_base": base,
            "oapi_base": base,
            **more,
        }
    )
