from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from bot.incoming import Group, Incoming, Session
from bot.platforms.dingtalk.messages import read_robot, trusted
from store.domain.team import Platform
from tests.bot.dingtalk.samples import lines, patient

OAPI = "https://oapi.dingtalk.com"
WEBHOOK = "https://oapi.dingtalk.com/robot/sendBySession?session=6d69"


def message(**changes: object) -> dict:
    body = {
        "senderPlatform": "Mac",
        "conversationId": "cidAbC+d/eF==",
        "conversationType": "2",
        "conversationTitle": "销售一组",
        "chatbotCorpId": "ding0corp",
        "msgId": "msgY7D2i5n9RBnccDu6pTaWDg==",
        "senderNick": "张三",
        "senderStaffId": "user01",
        "senderId": "$:LWCP_v1:$Ff09",
        "senderCorpId": "ding0corp",
        "createAt": 1700000000000,
        "sessionWebhookExpiredTime": 1700005400000,
        "sessionWebhook": WEBHOOK,
        "robotCode": "dingabc123",
        "msgtype": "text",
        "text": {"content": " 领取 L-102 "},
        "keyOfTomorrow": {"x": [1]},
    }
    return {key: value for key, value in (body | changes).items() if value is not ...}


def test_a_group_message_is_read_whole():
    assert read_robot(message(), OAPI) == Incoming(
        platform=Platform.DINGTALK,
        id="msgY7D2i5n9RBnccDu6pTaWDg==",
        account="user01",
        line="领取 L-102",
        name="张三",
        session=Session(url=WEBHOOK, until=datetime(2023, 11, 14, 23, 43, 20, tzinfo=UTC)),
        group=Group(id="cidAbC+d/eF==", title="销售一组"),
    )


def test_a_private_message_has_no_group():
    assert read_robot(message(conversationType="1"), OAPI).group is None


def test_rich_text_is_joined_without_its_pictures():
    parts = [{"text": "跟进 42 "}, {"type": "picture", "downloadCode": "x"}, {"text": "已报价"}]

    heard = read_robot(message(msgtype="richText", content={"richText": parts}), OAPI)

    assert heard.line == "跟进 42 已报价"


def test_a_voice_message_is_what_dingtalk_understood():
    content = {"duration": 4000, "downloadCode": "x", "recognition": "我的线索"}

    assert read_robot(message(msgtype="audio", content=content), OAPI).line == "我的线索"


def test_only_naming_the_robot_is_an_empty_line():
    assert read_robot(message(text={"content": "  "}), OAPI).line == ""


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"senderStaffId": ...}, id="no staff id"),
        pytest.param({"senderStaffId": ""}, id="empty staff id"),
        pytest.param({"senderCorpId": "dingother"}, id="another organisation"),
        pytest.param({"senderCorpId": ...}, id="unknown organisation"),
        pytest.param({"msgId": ...}, id="no message id"),
        pytest.param({"conversationId": ...}, id="a group without id"),
        pytest.param({"text": "领取"}, id="a text that is no object"),
        pytest.param({"text": {"content": 42}}, id="a number for a text"),
    ],
)
def test_what_nobody_can_act_on_is_dropped_with_a_line_in_the_log(changes):
    with capture_logs() as logs:
        heard = read_robot(message(**changes), OAPI)

    assert heard is None
    assert [line["log_level"] for line in logs] == ["warning"]
    assert "张三" not in str(logs)
    assert "user01" not in str(logs)


PICTURES = {"richText": [{"type": "picture", "downloadCode": "x"}]}


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"msgtype": "picture", "content": {"downloadCode": "x"}}, "图片"),
        ({"msgtype": "richText", "content": PICTURES}, "图片"),
        ({"msgtype": "file", "content": {"fileName": "a.xlsx", "downloadCode": "x"}}, "文件"),
        ({"msgtype": "video", "content": {"duration": "1", "videoType": "mp4"}}, "视频"),
        ({"msgtype": "audio", "content": {"duration": 4000, "downloadCode": "x"}}, "语音"),
        ({"msgtype": "unknownMsgType", "content": {"unknownMsgType": "x"}}, "这类消息"),
    ],
)
def test_what_has_no_words_is_heard_as_what_it_is(changes, kind):
    """It was dropped, and whoever sent it waited for an answer."""
    heard = read_robot(message(text=..., **changes), OAPI)

    assert (heard.account, heard.line, heard.wordless) == ("user01", "", kind)
    assert heard.session is not None


@pytest.mark.parametrize("changes", [{"senderStaffId": ""}, {"senderCorpId": "dingother"}])
def test_a_picture_of_nobody_we_know_is_only_logged(changes):
    assert read_robot(message(msgtype="picture", **changes), OAPI) is None


@pytest.mark.parametrize("code", [20001, "20001"])
def test_words_that_dingtalk_kept_back_are_answered_all_the_same(code):
    heard = read_robot(message(text=..., errorCode=code), OAPI)

    assert (heard.account, heard.line, heard.left_out) == ("user01", "", True)
    assert heard.session is not None


def test_words_that_are_there_are_heard_whatever_the_code():
    heard = read_robot(message(errorCode=20001), OAPI)

    assert heard.line
    assert not heard.left_out


def test_what_a_database_refuses_is_taken_out():
    heard = read_robot(message(text={"content": "公\0海\ud800"}, senderNick="李\udfff雷"), OAPI)

    assert (heard.line, heard.name) == ("公海?", "李?雷")


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/robot/sendBySession?session=1",
        "http://oapi.dingtalk.com/robot/sendBySession",
        "https://oapi.dingtalk.com:8443/robot",
        "https://oapi.dingtalk.com.evil.example/robot",
        "https://oapi.dingtalk.com@evil.example/robot",
        "https://someone@oapi.dingtalk.com/robot",
        "https://oapi.dingtalk.com\\@evil.example/robot",
        "https://evil.example#@oapi.dingtalk.com/",
        "http://169.254.169.254/latest/meta-data",
        "//oapi.dingtalk.com/robot",
        "file:///etc/passwd",
        "",
    ],
)
def test_an_address_elsewhere_is_not_answered(url):
    heard = read_robot(message(sessionWebhook=url), OAPI)

    assert heard.session is None


@pytest.mark.parametrize("until", [..., None, "soon", 10**30, -(10**30), [], float("inf")])
def test_a_session_without_an_end_is_not_used(until):
    assert read_robot(message(sessionWebhookExpiredTime=until), OAPI).session is None


def test_a_stand_in_on_loopback_is_trusted_when_configured():
    assert trusted("http://127.0.0.1:8080/robot/sendBySession?x=1", "http://127.0.0.1:8080")


@patient
@given(st.text())
def test_no_address_breaks_it(url):
    assert trusted(url, OAPI) in {True, False}


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@patient
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(message(), values)))
def test_no_value_breaks_it(changes):
    heard = read_robot(message(**changes), OAPI)

    assert heard is None or heard.line.encode() is not None


@patient
@given(content=values)
def test_no_content_breaks_it(content):
    for kind in ("richText", "audio", "text"):
        read_robot(message(msgtype=kind, content=content, text=content), OAPI)


def bodies() -> list:
    """The robot messages among the published samples, as bodies or inside a frame."""
    rows = [(row, row.values[0]) for row in lines("dingtalk_robot_stream.jsonl")]
    return [
        row
        for row, value in rows
        if value is None or "msgtype" in value.get("expected_data", value["expected"])
    ]


@pytest.mark.parametrize("row", bodies())
def test_published_bodies_keep_their_words(row):
    body = row.get("expected_data", row["expected"])
    words = (body.get("text") or {}).get("content") or body["content"].get("recognition")

    heard = read_robot(message() | body | {"senderCorpId": "d", "chatbotCorpId": "d"}, OAPI)

    assert heard.line == (words or "").strip()
    assert bool(heard.wordless) != bool(words)
