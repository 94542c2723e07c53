"""Messages that carry somebody else's words, and events on the open stream."""

import json

import pytest

from bot.incoming import DirectoryChanged
from bot.platforms.dingtalk.messages import read_robot
from bot.platforms.dingtalk.stream import DingTalkStream
from tests.bot.dingtalk.conftest import settings
from tests.bot.dingtalk.fakes import FakeGateway, eventually

OAPI = "https://oapi.dingtalk.com"


def message(**changes):
    base = {"conversationType": "1", "chatbotCorpId": "ding0corp", "senderCorpId": "ding0corp",
            "senderStaffId": "user01", "msgId": "m1"}  # fmt: skip
    return base | changes


def line(**changes):
    heard = read_robot(message(**changes), OAPI)
    return heard and heard.line


def test_rich_text_is_its_words():
    parts = [{"text": "客户 苏禾\n"}, {"type": "picture", "downloadCode": "x"}, {"text": "139"}]

    assert line(msgtype="richText", content={"richText": parts}) == "客户 苏禾\n139"


RECORD = [{"senderNick": "客户", "content": "我是苏禾"}, {"content": "电话 13912345678"}]


@pytest.mark.parametrize("record", [RECORD, json.dumps(RECORD)])
def test_a_forwarded_piece_of_a_chat_is_its_words(record):
    said = line(msgtype="chatRecord", content={"summary": "…", "chatRecord": record})

    assert said == "我是苏禾\n电话 13912345678"


@pytest.mark.parametrize("record", ["[", "{}", "[" * 100_000, None, 7, [7, {"content": 7}], []])
def test_a_record_nobody_can_read_is_a_message_without_words(record):
    heard = read_robot(message(msgtype="chatRecord", content={"chatRecord": record}), OAPI)

    assert (heard.line, heard.wordless) == ("", "聊天记录")


@pytest.mark.parametrize(
    "content", [{"text": "苏禾 13912345678"}, {"richText": [{"text": "苏禾 13912345678"}]}]
)
def test_a_reply_tells_what_it_answers(content):
    text = {"content": "录入", "isReplyMsg": True, "repliedMsg": {"content": content}}

    heard = read_robot(message(msgtype="text", text=text), OAPI)

    assert (heard.line, heard.quoted) == ("录入", "苏禾 13912345678")


@pytest.mark.parametrize("replied", [None, "x", {"content": None}, {"content": {"text": 7}}])
def test_a_reply_to_something_unreadable_is_only_what_it_says(replied):
    heard = read_robot(
        message(msgtype="text", text={"content": "录入", "repliedMsg": replied}), OAPI
    )

    assert heard.quoted == ""


def event(message_id, **headers):
    known = {"topic": "*", "messageId": message_id, "eventType": "user_leave_org",
             "eventId": "e1", "eventCorpId": "ding0corp"}  # fmt: skip
    return {
        "type": "EVENT",
        "headers": known | headers,
        "data": json.dumps({"userId": ["user01"]}),
    }


@pytest.fixture
async def gateway(aiohttp_server):
    gateway = FakeGateway()
    server = await aiohttp_server(gateway.app())
    gateway.base = str(server.make_url("")).rstrip("/")
    return gateway


async def listen(gateway, session, heard):
    import asyncio  # noqa: PLC0415

    stream = DingTalkStream(session, settings(gateway.base), heard)
    task = asyncio.create_task(stream.run())
    await eventually(lambda: stream.connected)
    return task


async def test_an_event_is_acknowledged_and_handed_over_once(gateway, session):
    told = []

    async def heard(what):
        told.append(what)

    task = await listen(gateway, session, heard)
    await gateway.push(event("m1"))
    await gateway.push(event("m2"))  # the same event again
    await gateway.push(event("m3", eventId="e2"))
    await eventually(lambda: len(gateway.acks) == 3 and len(told) == 2)

    assert all('"SUCCESS"' in ack["data"] for ack in gateway.acks)
    assert [type(what) for what in told] == [DirectoryChanged] * 2
    assert told[0].left == ("user01",)
    task.cancel()


@pytest.mark.parametrize("headers", [{"eventType": "robot_msg_read"}, {"eventCorpId": "ding0x"}])
async def test_an_event_that_means_nothing_to_us_is_only_acknowledged(gateway, session, headers):
    told = []

    async def heard(what):
        told.append(what)

    task = await listen(gateway, session, heard)
    await gateway.push(event("m1", **headers))
    await eventually(lambda: gateway.acks)

    assert told == []
    task.cancel()
