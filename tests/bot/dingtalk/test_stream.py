import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from aiohttp import ClientSession
from structlog.testing import capture_logs

from bot.incoming import Heard
from bot.platforms.dingtalk import gateway as dingtalk_gateway
from bot.platforms.dingtalk.bell import Bell
from bot.platforms.dingtalk.pace import Firewall
from bot.platforms.dingtalk.stream import DingTalkStream, Pace
from store.domain.quota import Api
from tests.bot.dingtalk.conftest import CLIENT_ID, SECRET, settings
from tests.bot.dingtalk.fakes import FakeGateway, eventually, frame, said, undisturbed

QUICK = Pace(first=0.001, most=0.01, refused=0.05, finish=60)


@dataclass
class Ears:
    """What was handed over; ``go`` holds the handling back."""

    lines: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    fails: int = 0

    async def __call__(self, heard: Heard) -> None:
        self.lines.append(heard.line)
        await self.go.wait()
        if self.fails:
            self.fails -= 1
            raise RuntimeError("the database went away")
        self.done.append(heard.line)


Start = Callable[..., Awaitable[DingTalkStream]]


@pytest.fixture
async def gateway(aiohttp_server) -> FakeGateway:
    gateway = FakeGateway()
    server = await aiohttp_server(gateway.app())
    gateway.base = str(server.make_url("")).rstrip("/")
    return gateway


@pytest.fixture
def ears() -> Ears:
    ears = Ears()
    ears.go.set()
    return ears


@pytest.fixture
async def start(gateway, ears, session: ClientSession) -> AsyncIterator[Start]:
    tasks: list[asyncio.Task[None]] = []

    async def start(
        pace: Pace = QUICK, *, connected: bool = True, **more: object
    ) -> DingTalkStream:
        stream = DingTalkStream(session, settings(gateway.base), ears, pace=pace, **more)
        stream.task = asyncio.create_task(stream.run())
        tasks.append(stream.task)
        if connected:
            await eventually(lambda: stream.connected)
        return stream

    yield start
    await stop(*tasks)


async def stop(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_it_opens_with_the_app_s_id_and_asks_for_json(gateway, start):
    await start()

    assert gateway.opens == [
        {
            "clientId": CLIENT_ID,
            "clientSecret": SECRET,
            "subscriptions": [
                {"type": "EVENT", "topic": "*"},
                {"type": "CALLBACK", "topic": "/v1.0/im/bot/messages/get"},
            ],
            "ua": "leadbot",
        }
    ]
    assert gateway.accepts == ["application/json"]


async def test_a_host_that_never_answers_the_upgrade_is_asked_again(gateway, start, monkeypatch):
    """It was waited for as long as aiohttp waits, five minutes, and nothing was heard."""
    monkeypatch.setattr(dingtalk_gateway, "UPGRADE", 0.05)
    gateway.upgrading.clear()

    stream = await start(connected=False)
    await eventually(lambda: len(gateway.opens) > 1)
    gateway.upgrading.set()

    await eventually(lambda: stream.connected)


async def test_a_message_is_acknowledged_while_its_handling_has_not_ended(gateway, start, ears):
    ears.go.clear()
    await start()

    await gateway.push(said("领取 42", "msg1", "m1"))
    await eventually(lambda: gateway.acks)

    assert gateway.acks == [
        {
            "code": 200,
            "headers": {"messageId": "m1", "contentType": "application/json"},
            "message": "OK",
            "data": '{"response": null}',
            "socket": 1,
        }
    ]
    assert ears.done == []
    ears.go.set()
    await eventually(lambda: ears.done == ["领取 42"])


async def test_a_pile_of_unhandled_messages_delays_no_acknowledgement(gateway, start, ears):
    ears.go.clear()
    await start()

    for n in range(200):
        await gateway.push(said(f"线索 {n}", f"msg{n}", f"m{n}"))
    await eventually(lambda: len(gateway.acks) == 200)

    assert ears.done == []
    ears.go.set()
    await eventually(lambda: ears.done == [f"线索 {n}" for n in range(200)])


async def test_a_ping_is_echoed(gateway, start):
    await start()

    await gateway.push(frame("SYSTEM", "ping", "p1", {"opaque": "0c3b"}))
    await eventually(lambda: gateway.acks)

    assert gateway.acks[0]["data"] == '{"opaque": "0c3b"}'


async def test_an_event_is_acknowledged_and_not_heard(gateway, start, ears):
    await start()

    await gateway.push(frame("EVENT", "*", "e1", {"userId": ["user01"]}))
    await eventually(lambda: gateway.acks)

    assert gateway.acks[0]["data"] == '{"status": "SUCCESS", "message": "ok"}'
    assert ears.lines == []


async def test_a_redelivery_under_a_new_message_id_is_handled_once(gateway, start, ears):
    await start()

    for message_id in ("m1", "m2", "m3"):
        await gateway.push(said("领取 42", "msg1", message_id))
    await eventually(lambda: len(gateway.acks) == 3)

    assert sorted(gateway.acked()) == ["m1", "m2", "m3"]
    assert ears.lines == ["领取 42"]


async def test_a_redelivery_after_a_reconnect_is_handled_once(gateway, start, ears):
    await start()
    await gateway.push(said("领取 42", "msg1", "m1"))
    await eventually(lambda: gateway.acks)

    await gateway.sockets[0].close()
    await eventually(lambda: len(gateway.sockets) == 2)
    await gateway.push(said("领取 42", "msg1", "m2"))
    await eventually(lambda: len(gateway.acks) == 2)

    assert ears.lines == ["领取 42"]


async def test_what_failed_is_tried_again_when_it_comes_again(gateway, start, ears):
    ears.fails = 1
    await start()

    with capture_logs() as logs:
        await gateway.push(said("领取 42", "msg1", "m1"))
        await eventually(lambda: logs)
    await gateway.push(said("领取 42", "msg1", "m2"))

    await eventually(lambda: ears.done == ["领取 42"])
    assert [line["event"] for line in logs] == ["dingtalk_message_failed"]


async def test_asked_to_go_it_opens_the_new_connection_before_it_closes_the_old(gateway, start):
    await start()

    await gateway.goodbye()
    await eventually(lambda: len(gateway.story) == 3)

    assert gateway.story == ["open 1", "open 2", "close 1"]


async def test_nothing_is_lost_while_the_new_connection_is_being_opened(gateway, start, ears):
    stream = await start()
    gateway.opening.clear()

    await gateway.goodbye()
    await eventually(lambda: len(gateway.opens) == 2)
    await gateway.push(said("在旧连接上", "msg1", "m1"), socket=0)
    await eventually(lambda: gateway.acked() == ["m1"])
    gateway.opening.set()
    await eventually(lambda: stream.connected)
    await gateway.push(said("在新连接上", "msg2", "m2"))
    await eventually(lambda: gateway.acked() == ["m1", "m2"])

    assert ears.done == ["在旧连接上", "在新连接上"]
    assert [ack["socket"] for ack in gateway.acks] == [1, 2]


async def test_a_handler_that_began_before_the_hand_over_ends_after_it(gateway, start, ears):
    ears.go.clear()
    await start()
    await gateway.push(said("领取 42", "msg1", "m1"))
    await eventually(lambda: ears.lines)

    await gateway.goodbye()
    await eventually(lambda: "close 1" in gateway.story)
    ears.go.set()

    await eventually(lambda: ears.done == ["领取 42"])


async def test_connected_says_whether_dingtalk_delivers(gateway, start):
    stream = await start(connected=False)
    before = stream.connected
    await eventually(lambda: stream.connected)

    gateway.opening.clear()
    await gateway.sockets[0].close()
    await eventually(lambda: len(gateway.opens) == 2)

    assert (before, stream.connected) == (False, False)


async def test_a_gateway_that_hangs_up_at_once_is_not_hammered(gateway, start):
    gateway.on_connect = lambda ws: ws.close()
    await start(Pace(first=0.02, most=0.08), connected=False)

    await eventually(lambda: len(gateway.opens) == 6)

    # At the least half of 20, 40, 80, 80 and 80 ms lie between them.
    assert gateway.times[5] - gateway.times[0] >= 0.15


def test_the_waits_double_up_to_a_minute_and_are_spread():
    pace = Pace()

    waits = [[pace.wait(n) for _ in range(200)] for n in range(12)]

    for longest, tries in zip([0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60], waits, strict=True):
        assert longest / 2 <= min(tries) <= max(tries) <= longest
    assert len(set(waits[5])) > 100


async def test_a_wrong_secret_is_tried_again_only_after_the_long_wait(gateway, start):
    gateway.bad = [(401, '{"code":"authFailed","message":"鉴权失败"}')]

    with capture_logs() as logs:
        await start()

    assert gateway.times[1] - gateway.times[0] >= QUICK.refused
    assert [line["log_level"] for line in logs] == ["error", "info"]
    assert Pace().refused >= 60


@pytest.mark.parametrize(
    "bad",
    [
        (503, ""),
        (400, "<html>The plain HTTP request was sent to HTTPS port</html>"),
        (200, "<?xml version='1.0'?><endpoint>x</endpoint>"),
        (200, "[]"),
        (200, '{"endpoint": "wss://x"}'),
        (200, '{"endpoint": 1, "ticket": "x"}'),
        (200, '{"endpoint": "not a url", "ticket": "x"}'),
        (200, '{"endpoint": "ws://127.0.0.1:1/connect", "ticket": "t1cket"}'),
        (200, "[" * 100_000),
    ],
)
async def test_an_odd_answer_of_the_gateway_is_tried_again(gateway, start, bad):
    gateway.bad = [bad]

    with capture_logs() as logs:
        stream = await start()

    assert stream.connected
    assert logs[0]["event"] == "dingtalk_stream_not_opened"
    assert "t1cket" not in str(logs)


BANS = [
    (405, "<!DOCTYPE html><html><body>405</body></html>"),
    (403, "<html>punish</html>"),
    (200, '{"status":1111,"wait":5,"source":"x5","punish":"deny"}'),
]


@pytest.mark.parametrize("ban", BANS)
async def test_a_ban_is_sat_out_and_the_api_is_left_alone_with_it(gateway, start, clock, ban):
    """It was tried again a second later, which prolongs the ban."""
    gateway.bad = [ban]
    firewall = Firewall(clock)

    await start(Pace(first=0.001, banned=0.2), connected=False, firewall=firewall)
    await eventually(lambda: firewall.left)
    left = firewall.left
    clock.tick(minutes=5)
    await eventually(lambda: len(gateway.sockets) == 1)

    assert left == timedelta(minutes=5)
    assert gateway.times[1] - gateway.times[0] >= 0.2
    assert Pace().banned >= 300


async def test_while_the_api_is_banned_no_connection_is_asked_for(gateway, start, clock):
    firewall = Firewall(clock)
    firewall.met()

    stream = await start(Pace(first=0.001, banned=0.02), connected=False, firewall=firewall)
    await asyncio.sleep(0.1)
    meanwhile = len(gateway.opens)
    clock.tick(minutes=5)
    await eventually(lambda: stream.connected)

    assert meanwhile == 0


async def test_a_wrong_secret_is_told_to_the_admin(gateway, start):
    gateway.bad = [(401, '{"code":"authFailed"}')]
    told = []

    async def sound(alarm):
        told.append(alarm.key)
        raise RuntimeError("the database went away")

    stream = await start(bell=Bell(sound=sound))

    assert stream.connected
    assert told == ["dingtalk:secret"]


async def test_neither_ticket_nor_secret_is_ever_logged(gateway, start, caplog):
    caplog.set_level(logging.DEBUG)
    gateway.bad = [(401, ""), (200, '{"endpoint": "%s/connect", "ticket": "stale-t1cket"}')]
    gateway.bad[1] = (200, gateway.bad[1][1] % gateway.base.replace("http", "ws"))

    with capture_logs() as logs:
        await start()
        await gateway.sockets[0].close()
        await eventually(lambda: len(gateway.sockets) == 2)

    everything = str(logs) + "".join(
        record.getMessage() for record in caplog.records if record.name != "aiohttp.access"
    )
    assert "WSServerHandshakeError" in everything
    assert "t1cket" not in everything
    assert SECRET not in everything


async def test_a_socket_that_falls_silent_is_replaced(gateway, start):
    with capture_logs() as logs:
        await start(Pace(first=0.001, silence=0.05))
        await eventually(lambda: len(gateway.sockets) == 2)

    assert "dingtalk_stream_silent" in [line["event"] for line in logs]


async def test_websocket_pings_alone_prove_nothing(gateway, start):
    async def keep_pinging(ws):
        with suppress(ConnectionError):
            while len(gateway.sockets) == 1:
                await ws.ping()
                await asyncio.sleep(0.01)

    gateway.on_connect = keep_pinging
    await start(Pace(first=0.001, silence=0.1))

    await eventually(lambda: len(gateway.sockets) == 2)


async def test_dingtalk_s_pings_keep_the_connection(gateway, start):
    async def keep_pinging():
        while True:
            with suppress(ConnectionError):
                await gateway.push(frame("SYSTEM", "ping", "p1", {"opaque": "x"}))
            await asyncio.sleep(0.01)

    await start(Pace(first=0.001, silence=1.0))
    pinging = asyncio.create_task(keep_pinging())
    before = await undisturbed(1.3, lambda: len(gateway.sockets), pause=0.4)
    pinging.cancel()

    assert len(gateway.sockets) == before


@pytest.mark.parametrize(
    "raw", ["", "not JSON", "[]", "null", "{}", '{"headers": 1}', "[" * 100_000, '{"type": {}}']
)
async def test_a_frame_nobody_can_read_is_passed_over(gateway, start, ears, raw):
    await start()

    await gateway.sockets[0].send_str(raw)
    await gateway.sockets[0].send_bytes(b"\xff\xfe")
    await gateway.push(frame("CALLBACK", "/v1.0/im/bot/messages/get", "m0", "not a message"))
    await gateway.push(said("领取 42", "msg1", "m1"))

    await eventually(lambda: ears.done == ["领取 42"])
    assert len(gateway.sockets) == 1


async def test_cancelled_it_finishes_what_it_began_and_leaves_nothing(gateway, start, ears):
    ears.go.clear()
    stream = await start()
    await gateway.push(said("领取 42", "msg1", "m1"))
    await eventually(lambda: ears.lines)

    stream.task.cancel()
    await eventually(lambda: "close 1" in gateway.story)
    still_running = not stream.task.done()
    ears.go.set()
    await stop(stream.task)

    assert still_running
    assert ears.done == ["领取 42"]
    assert not stream.connected
    assert not any("DingTalkStream" in repr(task) for task in asyncio.all_tasks())


async def test_a_handler_that_never_ends_does_not_hold_up_the_end(gateway, start, ears):
    ears.go.clear()
    stream = await start(Pace(finish=0.05))
    await gateway.push(said("领取 42", "msg1", "m1"))
    await eventually(lambda: ears.lines)

    async with asyncio.timeout(60):
        await stop(stream.task)

    assert stream.task.cancelled()
    assert not any("DingTalkStream" in repr(task) for task in asyncio.all_tasks())


async def test_it_can_be_cancelled_while_it_is_opening(gateway, start):
    gateway.opening.clear()
    stream = await start(connected=False)
    await eventually(lambda: gateway.opens)

    async with asyncio.timeout(60):
        await stop(stream.task)

    assert stream.task.cancelled()
    gateway.opening.set()


async def test_it_can_be_cancelled_while_it_waits(gateway, start):
    gateway.bad = [(401, "")] * 9
    stream = await start(Pace(), connected=False)
    await eventually(lambda: gateway.opens)

    async with asyncio.timeout(60):
        await stop(stream.task)

    assert stream.task.cancelled()


@pytest.mark.parametrize(
    ("kind", "paid"),
    [
        (("CALLBACK", "/v1.0/im/bot/messages/get", ""), 1),
        (("CALLBACK", "/v1.0/card/instances/callback", ""), 1),
        (("EVENT", "*", "bpms_instance_change"), 1),
        (("EVENT", "*", "robot_msg_read"), 1),
        (("EVENT", "*", "user_leave_org"), 0),
        (("EVENT", "*", "org_dept_create"), 0),
        (("SYSTEM", "ping", ""), 0),
    ],
)
async def test_the_month_pays_for_every_push_but_those_of_the_directory(
    gateway, start, kind, paid
):
    spent = []
    await start(spend=spent.append)
    pushed = frame(*kind[:2], "m1", {})
    pushed["headers"]["eventType"] = kind[2]

    await gateway.push(pushed)
    await eventually(lambda: gateway.acks)

    assert spent == [Api.DINGTALK_PUSHES] * paid
