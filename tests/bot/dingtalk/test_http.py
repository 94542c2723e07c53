import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from bot.platforms.dingtalk.crypto import DingTalkCrypto, robot_sign
from bot.platforms.dingtalk.http import DingTalkHttp, event_type
from store.domain.errors import BadCallback, ConfigError
from tests.bot.dingtalk.conftest import SECRET, Clock, settings
from tests.bot.dingtalk.samples import lines, patient
from tests.bot.dingtalk.test_messages import message

TOKEN = "leadtoken01"
KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
ROWS = lines("dingtalk_callback_http.jsonl")


def http(token: str = TOKEN, key: str = KEY, owner: str = "dingabc123") -> DingTalkHttp:
    return DingTalkHttp(settings(mode="http", token=token, encoding_aes_key=key, client_id=owner))


def app(row: dict) -> DingTalkHttp:
    return http(row["app"]["token"], row["app"]["aes_key"], row["app"]["owner_key"])


def rows(key: str) -> list:
    return [row for row in ROWS if row.values[0] is None or key in row.values[0]["expected"]]


@pytest.mark.parametrize("row", rows("status"))
def test_every_published_push_is_opened_and_acknowledged(row):
    event, reply = app(row).read_event(row["request"]["query"], row["request"]["body"].encode())

    assert event == json.loads(row["expected"]["decrypted"])
    assert event_type(event) == row["expected"]["event_type"]
    assert set(reply) == {"msg_signature", "timeStamp", "nonce", "encrypt"}
    reader = DingTalkCrypto(row["app"]["token"], row["app"]["aes_key"], row["app"]["owner_key"])
    assert reader.decrypt(reply, reply["encrypt"]) == "success"


@pytest.mark.parametrize("row", rows("reject"))
def test_every_forged_push_is_refused(row):
    status = {"signature": 401, "owner_key": 400}[row["expected"]["reject"]]

    with pytest.raises(BadCallback) as refused:
        app(row).read_event(row["request"]["query"], row["request"]["body"].encode())

    assert refused.value.status == status


@pytest.mark.parametrize("row", lines("dingtalk_events.jsonl"))
def test_every_published_event_arrives_as_it_was_sent(row):
    pushed = DingTalkCrypto(TOKEN, KEY, "dingabc123").reply(
        row["raw"], timestamp="1700000000000", nonce="n0nce"
    )

    event, _ = http().read_event(pushed, json.dumps({"encrypt": pushed["encrypt"]}).encode())

    assert event == row["expected"]
    assert event_type(event) == row["event_type"]


@patient
@given(st.binary())
def test_no_bytes_break_the_events(body):
    with pytest.raises(BadCallback):
        http().read_event({}, body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"encrypt": 1}',
        b'{"encrypt": ""}',
        b'{"encrypt": "\xff"}',
        b"[" * 100_000,
        b'{"encrypt": ' + b"9" * 10_000 + b"}",
    ],
)
def test_a_body_of_another_shape_is_refused(body):
    with pytest.raises(BadCallback):
        http().read_event({"timestamp": "1", "nonce": "n", "signature": "0" * 40}, body)


@pytest.mark.parametrize("text", ["success", "[1]", '"x"', ""])
def test_an_event_that_is_no_object_is_a_400(text):
    pushed = DingTalkCrypto(TOKEN, KEY, "dingabc123").reply(text, timestamp="1", nonce="n")

    with pytest.raises(BadCallback) as refused:
        http().read_event(pushed, json.dumps({"encrypt": pushed["encrypt"]}).encode())

    assert refused.value.status == 400


def signed(clock: Clock) -> CIMultiDict[str]:
    timestamp = str(int(clock().timestamp() * 1000))
    return CIMultiDict({"Timestamp": timestamp, "Sign": robot_sign(SECRET, timestamp)})


def test_a_signed_robot_message_is_heard(clock):
    heard = http().read_robot_post(signed(clock), json.dumps(message()).encode(), clock())

    assert (heard.account, heard.line) == ("user01", "领取 L-102")


def test_an_unsigned_robot_message_is_a_401(clock):
    with pytest.raises(BadCallback) as refused:
        http().read_robot_post(CIMultiDict(), json.dumps(message()).encode(), clock())

    assert refused.value.status == 401


@patient
@given(st.binary())
def test_no_signed_bytes_break_the_robot(body):
    clock = Clock()

    with suppress(BadCallback):
        http().read_robot_post(signed(clock), body, clock())


def test_a_key_with_strange_characters_is_a_mistake_of_the_configuration():
    with pytest.raises(ConfigError, match="encoding_aes_key"):
        http(key="-" * 43)
