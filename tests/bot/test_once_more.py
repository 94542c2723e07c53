"""A second try for what nobody else tries again."""

from datetime import timedelta

import pytest

from bot.platforms import oncemore
from bot.platforms.oncemore import once_more
from store.domain.errors import Later, Undeliverable


@pytest.fixture
def tries(monkeypatch):
    monkeypatch.setattr(oncemore, "PAUSE", 0.0)
    return []


def failing(tries, *errors):
    waiting = list(errors)

    async def call():
        tries.append(len(tries))
        if waiting:
            raise waiting.pop(0)

    return call


@pytest.mark.parametrize("after", [None, timedelta(seconds=1)])
async def test_what_may_go_better_in_a_moment_is_tried_again(tries, after):
    await once_more(failing(tries, Later("busy", after)))

    assert len(tries) == 2


@pytest.mark.parametrize("error", [Later("banned", timedelta(minutes=5)), Undeliverable("gone")])
async def test_what_will_not_go_better_so_soon_is_not(tries, error):
    with pytest.raises(type(error)):
        await once_more(failing(tries, error))

    assert len(tries) == 1


async def test_there_is_no_third_try(tries):
    with pytest.raises(Later):
        await once_more(failing(tries, Later("busy"), Later("busy")))

    assert len(tries) == 2
