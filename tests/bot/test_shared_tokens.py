"""Two processes of one installation use one token, on each of both databases."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from aiohttp import ClientSession
from sqlalchemy import select

from bot.platforms import shared
from bot.platforms.dingtalk.client import DingTalkClient
from bot.platforms.shared import FETCH, FETCHING, OwnTokens, SharedTokens
from bot.platforms.wecom.client import WeComClient, WeComError
from bot.platforms.wecom.contacts import WINDOW
from store import tables as t
from store.db import open_store
from store.domain.errors import Down, Later
from store.tokens import token_key
from tests.bot.dingtalk.conftest import settings as dingtalk_settings
from tests.bot.dingtalk.fakes import FakeApi
from tests.bot.wecom import given


@pytest.fixture
async def processes(store, settings, clock) -> AsyncIterator[list]:
    """What two processes know of their database: nothing of each other."""
    other = open_store(settings.database.url, store.rules, clock)
    yield [store, other]
    await other.close()


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


@pytest.fixture
async def wecom(aiohttp_server) -> given.Gateway:
    gateway = given.Gateway()
    server = await aiohttp_server(gateway.app())
    gateway.base = f"http://{server.host}:{server.port}"
    return gateway


@pytest.fixture
def clients(wecom, processes, session, clock) -> list[WeComClient]:
    settings = given.settings(api_base=wecom.base)
    return [WeComClient(session, settings, clock, SharedTokens(store)) for store in processes]


@pytest.fixture
async def dingtalk(aiohttp_server) -> FakeApi:
    api = FakeApi()
    server = await aiohttp_server(api.app())
    api.base = str(server.make_url("")).rstrip("/")
    return api


async def everybody_calls(clients, times=5):
    return await asyncio.gather(*(c.call("agent/get") for c in clients for _ in range(times)))


async def test_ten_cold_calls_of_two_processes_fetch_one_token(wecom, clients):
    answers = await everybody_calls(clients)

    assert [answer["errcode"] for answer in answers] == [0] * 10
    assert wecom.handed_out == 1


async def test_a_process_that_starts_later_finds_the_token(wecom, clients):
    await clients[0].call("agent/get")
    await clients[1].call("agent/get")

    assert wecom.handed_out == 1


async def test_a_token_taken_back_is_renewed_once_by_both(wecom, clients):
    await everybody_calls(clients)
    wecom.valid.clear()

    await everybody_calls(clients)

    assert wecom.handed_out == 2


@pytest.mark.parametrize("code", [40001, 41001, 40013, 60020, 45009, -1])
async def test_no_other_code_renews_it(wecom, clients, code):
    await everybody_calls(clients)
    wecom.always["message/send"] = given.refusal(code)

    for client in clients:
        await asyncio.gather(client.call("message/send", {}), return_exceptions=True)

    assert wecom.handed_out == 1


async def test_a_failed_fetch_leaves_the_turn_to_the_next(wecom, clients):
    wecom.answers("gettoken", given.refusal(40001))

    with pytest.raises(WeComError):
        await clients[0].call("agent/get")

    assert (await clients[1].call("agent/get"))["errcode"] == 0


async def test_a_turn_of_a_process_that_died_runs_out(wecom, clients, processes, clock):
    key = token_key("wecom", given.CORP, "s3cr3t-of-the-app")
    async with processes[0].begin() as tx:
        await tx.leases.take(f"token:{key}", "dead", FETCHING)
    waiting = asyncio.create_task(clients[1].call("agent/get"))
    _, pending = await asyncio.wait({waiting}, timeout=0.2)
    clock.tick(seconds=FETCHING.total_seconds())

    assert pending
    assert (await waiting)["errcode"] == 0


@pytest.fixture
def impatient(monkeypatch):
    """As patient as usual would keep the tests waiting."""
    monkeypatch.setattr(shared, "FETCH", 1.0)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("alone", [True, False])
async def test_a_fetch_that_hangs_is_given_up_and_the_next_one_has_the_token(
    wecom, session, processes, clock, *, alone, monkeypatch
):
    """It hung for 20 seconds, and whoever came meanwhile waited for the same one."""
    tokens = OwnTokens() if alone else SharedTokens(processes[0])
    client = WeComClient(session, given.settings(api_base=wecom.base), clock, tokens)
    wecom.answers("gettoken", given.HANG)

    with pytest.raises(Later):
        await client.call("agent/get")
    monkeypatch.setattr(shared, "FETCH", 60)

    assert (await client.call("agent/get"))["errcode"] == 0
    assert len(wecom.calls("gettoken")) == 2


@pytest.mark.usefixtures("impatient")
async def test_while_one_fetch_hangs_nobody_of_the_process_asks_beside_it(wecom, clients):
    wecom.answers("gettoken", given.HANG)

    calls = (clients[0].call("agent/get") for _ in range(5))
    failed = await asyncio.gather(*calls, return_exceptions=True)

    assert [type(error) for error in failed] == [Down] * 5
    assert len(wecom.calls("gettoken")) == 1


def test_after_a_fetch_that_died_there_is_time_for_two_more_within_a_welcome():
    """The turn of a dead process ran for 30 seconds, a welcome is worth nothing after 20."""
    assert timedelta(seconds=FETCH) < FETCHING
    assert FETCHING + 2 * timedelta(seconds=FETCH) < WINDOW


async def test_neither_secret_nor_corp_stand_in_the_database(wecom, clients, processes):
    await clients[0].call("agent/get")

    async with processes[0].read() as tx:
        [row] = await tx.conn.execute(select(t.tokens))
        leases = list(await tx.conn.execute(select(t.leases)))
    assert row.value == "token-1"
    assert "s3cr3t" not in str(row)
    assert given.CORP not in str(row)
    assert leases == []


async def test_dingtalk_s_token_is_shared_too(dingtalk, processes, session, clock):
    clients = [
        DingTalkClient(session, dingtalk_settings(dingtalk.base), clock, SharedTokens(store))
        for store in processes
    ]

    await asyncio.gather(*(c.call("POST", "/v1.0/a", {}) for c in clients for _ in range(5)))
    once = dingtalk.tokens
    dingtalk.says("/v1.0/a", (400, {"code": "InvalidAuthentication"}), {}, {})
    await clients[0].call("POST", "/v1.0/a", {})
    dingtalk.says("/v1.0/a", (400, {"code": "InvalidAuthentication"}), {}, {})
    await clients[1].call("POST", "/v1.0/a", {})

    assert (once, dingtalk.tokens) == (1, 2)
