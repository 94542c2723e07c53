import asyncio
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from bot.incoming import Answer, Incoming, Press
from bot.platforms.dingtalk import presses
from bot.platforms.dingtalk.crypto import card_secret, card_sign, check_card
from bot.platforms.dingtalk.http import DingTalkHttp
from bot.platforms.dingtalk.presses import Presses
from bot.platforms.dingtalk.stream import DingTalkStream
from store.domain.errors import BadCallback
from store.domain.team import Platform
from tests.bot.dingtalk.conftest import SECRET, settings
from tests.bot.dingtalk.fakes import FakeGateway, eventually, frame

CARD = "/v1.0/card/instances/callback"
NEW_LOOK = {"cardData": {"cardParamMap": {"title": "请联系 #42"}}}


def pressed(line: str = "/领取 42", **changes: object) -> dict:
    params = {"cardPrivateData": {"actionIds": ["press1"], "params": {"line": line}}}
    body = {
        "type": "actionCallback",
        "outTrackId": "lead_42@7-abc",
        "corpId": "ding0corp",
        "userId": "user01",
        "userIdType": 1,
        "spaceType": "IM_ROBOT",
        "content": json.dumps(params, ensure_ascii=False),
    }
    return body | changes


class Wire:
    now = 1_700_000_003.0

    def __call__(self) -> float:
        return self.now


def test_a_press_is_the_line_of_its_button_said_by_who_pressed():
    heard = Presses("ding0corp", Wire()).read(pressed())

    assert heard == Incoming(
        platform=Platform.DINGTALK,
        id=heard.id,
        account="user01",
        line="/领取 42",
        press=Press(task_id="lead_42@7-abc", same=heard.press.same),
    )


def test_some_clients_say_value_for_content():
    body = pressed()
    body["value"] = body.pop("content")

    assert Presses("ding0corp").read(body).line == "/领取 42"


@pytest.mark.parametrize(
    "changes",
    [
        {"corpId": "ding0other"},
        {"userId": ""},
        {"outTrackId": 7},
        {"content": "not json"},
        {"content": "[" * 100_000},
        {"content": json.dumps({"cardPrivateData": {"params": {"action": "agree"}}})},
        {"content": json.dumps({"cardPrivateData": {"params": {"line": 42}}})},
        {"content": None},
    ],
)
def test_what_is_no_press_of_ours_is_passed_over(changes):
    assert Presses("ding0corp").read(pressed(**changes)) is None


@given(
    st.recursive(
        st.none() | st.text() | st.integers(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_whatever_stands_in_a_press_nothing_breaks(value):
    Presses("ding0corp").read(pressed(content=value))
    Presses("ding0corp").read({"outTrackId": value, "userId": value, "content": value})


def heard_by(reader: Presses, line: str, delivery: str, way: int = 1, *, ack: bool = True) -> str:
    """The id a press is known by; ``ack``: whether its answer went out."""
    said = reader.read(pressed(line), delivery, way)
    if ack:
        reader.answered(said)
    return said.id


def test_one_button_then_another_then_the_first_again_are_three_presses():
    """The third was taken for a repetition of the first."""
    wire = Wire()
    reader = Presses("ding0corp", wire)
    ids = []

    for line, delivery in (("/领取 42", "m1"), ("/退回 42", "m2"), ("/领取 42", "m3")):
        ids.append(heard_by(reader, line, delivery))
        wire.now += 2

    assert len(set(ids)) == 3


def test_the_same_button_pressed_twice_is_two_presses():
    reader = Presses("ding0corp", Wire())

    assert heard_by(reader, "/领取 42", "m1") != heard_by(reader, "/领取 42", "m2")


def test_one_delivery_is_one_press_however_often_it_comes():
    reader = Presses("ding0corp", Wire())

    assert heard_by(reader, "/领取 42", "m1") == heard_by(reader, "/领取 42", "m1")


def test_what_nobody_has_answered_yet_is_the_same_press_under_another_message_id():
    wire = Wire()
    reader = Presses("ding0corp", wire)

    first = heard_by(reader, "/领取 42", "m1", ack=False)
    wire.now += 60
    again = heard_by(reader, "/领取 42", "m2", ack=False)

    assert first == again


def test_the_answer_may_have_been_lost_with_its_connection():
    reader = Presses("ding0corp", Wire())

    first = heard_by(reader, "/领取 42", "m1", way=1)
    again = heard_by(reader, "/领取 42", "m2", way=2)
    other = heard_by(reader, "/退回 42", "m3", way=2)
    pressed_again = heard_by(reader, "/领取 42", "m4", way=3)

    assert first == again
    assert len({first, other, pressed_again}) == 3


def test_a_minute_later_it_is_another_press_in_any_case():
    wire = Wire()
    reader = Presses("ding0corp", wire)

    first = heard_by(reader, "/领取 42", "m1", ack=False)
    wire.now += 71

    assert heard_by(reader, "/领取 42", "m2", way=2) != first


def test_no_more_presses_are_remembered_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(presses, "REMEMBERED", 3)
    reader = Presses("ding0corp", Wire())

    for number in range(9):
        heard_by(reader, f"/领取 {number}", f"m{number}")

    assert len(reader._known) == len(reader._ids) == 3


def test_other_cards_people_and_lines_are_other_presses():
    reader = Presses("ding0corp", Wire())
    bodies = [
        pressed(),
        pressed(userId="user02"),
        pressed(outTrackId="lead_42@8-abc"),
        pressed("/退回 42"),
    ]

    assert len({reader.read(body).id for body in bodies}) == 4


def test_two_processes_know_the_same_press():
    one, other = Presses("ding0corp", Wire()), Presses("ding0corp", Wire())

    assert one.read(pressed(), "m1").id == other.read(pressed(), "m1").id


# -- over HTTP -----------------------------------------------------------------

AT = "1700000000000"
NOW = datetime.fromtimestamp(1_700_000_000, UTC)


def test_the_signature_is_the_documented_one():
    assert card_sign("cardsecret0001", AT) == "yylf0/w0LL5S6KCFL+ejAy4ID1ATE8AtUYPvv99LDvM="


@pytest.fixture
def over_http() -> DingTalkHttp:
    more = {"mode": "http", "token": "t0ken", "encoding_aes_key": "a" * 43}
    return DingTalkHttp(settings(card_template_id="x.schema", **more))


def signed(at: str = AT, secret: str = "") -> CIMultiDict:
    sign = card_sign(secret or card_secret(SECRET), at)
    names = ("X-Ddpaas-Signature-Timestamp", "X-Ddpaas-Signature")
    return CIMultiDict(zip(names, (at, sign), strict=True))


def test_a_signed_press_is_read(over_http):
    body = json.dumps(pressed()).encode()

    assert over_http.read_press(signed(), body, NOW).line == "/领取 42"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        (signed(secret="another"), 401),
        (signed(str(int(AT) - 3_700_000)), 400),
        (signed("soon"), 400),
        (signed("\ud800"), 401),
    ],
)
def test_a_forged_or_old_press_is_refused(headers, status):
    with pytest.raises(BadCallback) as refused:
        check_card(headers, card_secret(SECRET), NOW)

    assert refused.value.status in {status, 400}


# -- over the stream -----------------------------------------------------------


class Ears:
    """Answers a press; ``go`` holds it back."""

    def __init__(self) -> None:
        self.heard: list[Incoming] = []
        self.arrived: list[Answer] = []
        self.go = asyncio.Event()
        self.go.set()
        self.fails = 0

    async def __call__(self, said: Incoming) -> Answer:
        self.heard.append(said)
        await self.go.wait()
        if self.fails:
            self.fails -= 1
            raise RuntimeError("the database went away")
        return Answer(body=NEW_LOOK, carries=("lead:42/7", 4))

    async def note(self, answer: Answer, _pressed: Incoming | None) -> None:
        self.arrived.append(answer)


@pytest.fixture
async def gateway(aiohttp_server) -> FakeGateway:
    gateway = FakeGateway()
    server = await aiohttp_server(gateway.app())
    gateway.base = str(server.make_url("")).rstrip("/")
    return gateway


@pytest.fixture
async def ears(gateway, session):
    ears = Ears()
    chosen = settings(gateway.base, card_template_id="x.schema")
    stream = DingTalkStream(session, chosen, ears, ears.note)
    task = asyncio.create_task(stream.run())
    await eventually(lambda: stream.connected)
    yield ears
    ears.go.set()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def push(gateway: FakeGateway, body: object) -> dict:
    """The acknowledgement of a press."""
    before = len(gateway.acks)
    await gateway.push(frame("CALLBACK", CARD, f"m{before}", body))
    await eventually(lambda: len(gateway.acks) > before)
    ack = gateway.acks[-1]
    assert (ack["code"], ack["headers"]["messageId"]) == (200, f"m{before}")
    return json.loads(ack["data"])


async def test_presses_are_asked_for_only_where_there_is_a_template(gateway, ears):
    [opened] = gateway.opens

    assert {"type": "CALLBACK", "topic": CARD} in opened["subscriptions"]


async def test_the_answer_is_the_new_look_and_who_made_it_hears_that_it_arrived(gateway, ears):
    answer = await push(gateway, pressed())

    assert answer == {"response": NEW_LOOK}
    await eventually(lambda: ears.arrived)
    assert ears.arrived == [Answer(body=NEW_LOOK, carries=("lead:42/7", 4))]


async def test_what_takes_too_long_is_answered_without_a_look_and_done_all_the_same(
    gateway, ears, monkeypatch
):
    monkeypatch.setattr(presses, "IN_TIME", 0.05)
    ears.go.clear()

    answer = await push(gateway, pressed())
    ears.go.set()

    assert answer == {"response": {}}
    assert len(ears.heard) == 1
    assert all(arrived.carries is None for arrived in ears.arrived)


async def test_a_handler_that_fails_is_answered_and_a_repetition_gets_its_chance(gateway, ears):
    ears.fails = 1

    failed = await push(gateway, pressed())
    again = await push(gateway, pressed())

    assert (failed, again) == ({"response": {}}, {"response": NEW_LOOK})
    assert len(ears.heard) == 2


@pytest.mark.parametrize("body", [{}, pressed(corpId="ding0other"), ["x"], "x"])
async def test_what_is_no_press_is_acknowledged(gateway, ears, body):
    assert await push(gateway, body) == {"response": {}}
    assert ears.heard == []
