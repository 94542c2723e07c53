import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.platforms.dingtalk.frames import read_frame, read_object
from tests.bot.dingtalk.samples import lines, patient


@pytest.mark.parametrize("row", lines("dingtalk_robot_stream.jsonl"))
def test_published_frames_are_read_as_they_say(row):
    assert read_object(row["raw"]) == row["expected"]


@pytest.mark.parametrize(
    "row",
    [
        row
        for row in lines("dingtalk_robot_stream.jsonl")
        if row.values[0] is None or row.values[0]["mode"] == "downstream_frame"
    ],
)
def test_published_frames_keep_topic_id_and_data(row):
    headers = row["expected"].get("headers") or row["expected"]["header"]

    frame = read_frame(row["raw"])

    assert (frame.type, frame.topic) == (row["expected"]["type"], headers["topic"])
    assert frame.message_id == headers.get("messageId", "")
    assert read_object(frame.data) == row["expected_data"]


@pytest.mark.parametrize("row", lines("dingtalk_events.jsonl"))
def test_every_published_event_is_acknowledged_as_done(row):
    frame = read_frame(
        json.dumps(
            {
                "type": "EVENT",
                "headers": {"topic": "*", "messageId": "m1", "eventType": row["event_type"]},
                "data": row["raw"],
            }
        )
    )

    assert read_object(frame.data) == row["expected"]
    assert frame.ack == {
        "code": 200,
        "headers": {"messageId": "m1", "contentType": "application/json"},
        "message": "OK",
        "data": '{"status": "SUCCESS", "message": "ok"}',
    }


@pytest.mark.parametrize("topic", ["CONNECTED", "REGISTERED", "KEEPALIVE", "disconnect"])
def test_other_system_frames_want_no_answer(topic):
    assert read_frame(json.dumps({"type": "SYSTEM", "headers": {"topic": topic}})).ack is None


def test_an_unknown_callback_is_answered_404():
    topic = "/v1.0/graph/api/invoke"

    frame = read_frame(json.dumps({"type": "CALLBACK", "headers": {"topic": topic}}))

    assert frame.ack["code"] == 404


def test_data_may_be_an_object_already():
    frame = read_frame('{"type":"SYSTEM","headers":{"topic":"ping"},"data":{"opaque":"张"}}')

    assert frame.ack["data"] == '{"opaque": "张"}'


def test_a_comma_inside_a_text_is_left_alone():
    assert read_object('{"a": "x,]", "b": 1}') == {"a": "x,]", "b": 1}


@patient
@given(st.one_of(st.text(), st.binary()))
def test_no_bytes_break_it(raw):
    with suppress(ValueError):
        read_frame(raw)


@patient
@given(
    st.dictionaries(
        st.sampled_from(["type", "headers", "header", "data"]),
        st.none()
        | st.text()
        | st.lists(st.integers())
        | st.dictionaries(st.sampled_from(["topic", "messageId"]), st.integers() | st.text()),
    )
)
def test_no_object_breaks_it(value):
    try:
        frame = read_frame(json.dumps(value))
    except ValueError:
        return

    assert frame.ack is None or frame.ack["headers"]["messageId"] == frame.message_id


def test_a_bomb_of_brackets_is_refused():
    with pytest.raises(ValueError, match=r"deep"):
        read_frame("[" * 200_000)
