import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from bot.incoming import (
    ContactAdded,
    ContactEdited,
    ContactLost,
    DirectoryChanged,
    Entered,
    HandoverFailed,
    Incoming,
    LinkNews,
    Press,
)
from bot.platforms.wecom.callback import WeComCallback, cut
from bot.platforms.wecom.crypto import WeComCrypto
from bot.platforms.wecom.xml import parse_xml
from store.domain.errors import BadCallback
from store.domain.team import Platform
from tests.bot.wecom import given as g

CRYPTO = WeComCrypto(g.TOKEN, g.AES_KEY, g.CORP)
CALLBACK = WeComCallback(g.settings(), lambda: g.NOON)
CHANGES = {
    "add_external_contact": ContactAdded,
    "add_half_external_contact": ContactAdded,
    "edit_external_contact": ContactEdited,
    "del_external_contact": ContactLost,
    "del_follow_user": ContactLost,
    "transfer_fail": HandoverFailed,
}

PRESS = """<xml><ToUserName><![CDATA[ww12ab]]></ToUserName>
<FromUserName><![CDATA[wangwu]]></FromUserName><CreateTime>1760000100</CreateTime>
<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[template_card_event]]></Event>
<EventKey><![CDATA[/领取 42]]></EventKey><TaskId><![CDATA[lead_42@wangwu-0a]]></TaskId>
<CardType><![CDATA[button_interaction]]></CardType><ResponseCode><![CDATA[rc-1]]></ResponseCode>
<AgentID>1000002</AgentID><SelectedItems><SelectedItem><QuestionKey>prio</QuestionKey>
<OptionIds><OptionId>hi</OptionId></OptionIds></SelectedItem></SelectedItems></xml>"""
TEXT = """<xml><ToUserName>ww12ab</ToUserName><FromUserName>wangwu</FromUserName>
<CreateTime>1760000000</CreateTime><MsgType>text</MsgType><Content><![CDATA[我的 ]]></Content>
<MsgId>7555555555555555555</MsgId><AgentID>1000002</AgentID></xml>"""
CONTACT = """<xml><ToUserName>ww12ab</ToUserName><FromUserName>sys</FromUserName>
<CreateTime>1760000200</CreateTime><MsgType>event</MsgType>
<Event>change_external_contact</Event><ChangeType>add_external_contact</ChangeType>
<UserID>wangwu</UserID><ExternalUserID>wmEXAMPLE</ExternalUserID><State>expo2026</State>
<WelcomeCode>WC1</WelcomeCode></xml>"""

NEWS = """<xml><ToUserName>ww12ab</ToUserName><FromUserName>sys</FromUserName>
<CreateTime>1760000300</CreateTime><MsgType>event</MsgType>
<Event>customer_acquisition</Event><ChangeType>balance_low</ChangeType>
<LinkId>ca1</LinkId></xml>"""


def query(encrypt, nonce="n"):
    signature = CRYPTO.sign("1760000000", nonce, encrypt)
    return {"msg_signature": signature, "timestamp": "1760000000", "nonce": nonce}


def post(plain, nonce="n", envelope="<xml><Encrypt>{}</Encrypt></xml>"):
    encrypt = CRYPTO.encrypt(plain)
    return query(encrypt, nonce), envelope.format(encrypt).encode()


def read(plain):
    return CALLBACK.read(*post(plain))


def app_of(case):
    app = case["app"]
    return WeComCallback(
        g.settings(
            corp_id=app["receive_id"],
            token=app["token"],
            encoding_aes_key=app["encoding_aes_key"],
        )
    )


MEMBERSHIP = {"subscribe", "unsubscribe", "change_contact"}


def spoken_in(fields, event_key):
    """The field with the line of a message or a click; None for what is neither."""
    if event_key.startswith("text") or event_key.lower() == "event/click":
        return "Content" if event_key.startswith("text") else "EventKey"
    message = fields.get("MsgId") and fields.get("FromUserName") and "Event" not in fields
    return "Recognition" if message else None


def due_for(fields, event_key):
    """What a published body is to us, told from its expected fields alone."""
    if (name := spoken_in(fields, event_key)) is not None:
        return Incoming, fields.get(name, "")
    if event_key.lower() == "event/enter_agent":
        return Entered, None
    if event_key.lower().split("/")[:2][-1] in MEMBERSHIP and "Event" in fields:
        return DirectoryChanged, None
    if event_key.startswith("event/customer_acquisition"):
        return LinkNews, fields.get("ExternalUserID", "")
    kind = CHANGES.get(fields.get("ChangeType", ""))
    if event_key.startswith("event/change_external_contact/") and kind is not None:
        return kind, fields["ExternalUserID"]
    return type(None), None


@pytest.mark.parametrize("case", g.lines("wecom_callback_http.jsonl"))
def test_every_published_request_gets_the_answer_it_should(case):
    callback, request, expected = app_of(case), case["request"], case["expected"]

    if "reject" in expected:
        with pytest.raises(BadCallback) as refused:
            callback.read(request["query"], request["body"].encode())
        assert refused.value.status == (401 if expected["reject"] == "signature" else 400)
    elif request["method"] == "GET":
        assert callback.verify(request["query"]) == expected["body"]
        assert callback.verify(URL(f"/?{request['raw_query']}").query) == expected["body"]
    else:
        heard = callback.read(request["query"], request["body"].encode())
        kind, told = due_for(expected["parsed"], expected["event_key"])
        assert type(heard) is kind
        assert told in {getattr(heard, "line", None), getattr(heard, "external_userid", None)}


READABLE = [
    case
    for case in g.lines("wecom_callback_http.jsonl")
    if case.values[0] is None or "decrypted" in case.values[0]["expected"]
]


@pytest.mark.parametrize("case", READABLE)
def test_every_published_ciphertext_says_what_it_should(case):
    app, request, expected = case["app"], case["request"], case["expected"]
    machine = WeComCrypto(app["token"], app["encoding_aes_key"], app["receive_id"])
    body = request["body"]
    encrypt = json.loads(body)["encrypt"] if body[0] == "{" else parse_xml(body)["Encrypt"]

    plain = machine.decrypt(request["query"], encrypt)

    assert plain == expected["decrypted"]
    assert parse_xml(plain) == expected["parsed"]


@pytest.mark.parametrize("case", g.lines("wecom_callback_plain.jsonl"))
def test_every_published_body_is_understood_or_ignored(case):
    heard = read(case["raw"])

    kind, told = due_for(case["expected"], case["event_key"])
    assert type(heard) is kind
    assert told in {getattr(heard, "line", None), getattr(heard, "external_userid", None)}


def test_a_typed_line_is_heard_with_its_message_id():
    assert read(TEXT) == Incoming(
        platform=Platform.WECOM, id="msg-7555555555555555555", account="wangwu", line="我的"
    )


@pytest.mark.parametrize(
    ("kind", "extra", "name"),
    [
        ("image", "<PicUrl>http://p</PicUrl><MediaId>m</MediaId>", "图片"),
        ("voice", "<MediaId>m</MediaId><Format>amr</Format>", "语音"),
        ("voice", "<MediaId>m</MediaId><Recognition></Recognition>", "语音"),
        ("video", "<MediaId>m</MediaId><ThumbMediaId>t</ThumbMediaId>", "视频"),
        ("shortvideo", "<MediaId>m</MediaId>", "视频"),
        ("location", "<Location_X>23.1</Location_X><Label>广州</Label>", "位置"),
        ("link", "<Title>报价单</Title><Url>http://u</Url>", "链接"),
        ("file", "<MediaId>m</MediaId>", "文件"),
        ("hologram", "", "这类消息"),
    ],
)
def test_a_message_without_words_is_heard_as_what_it_is(kind, extra, name):
    """Nothing at all came back to who sent the app a picture."""
    message = TEXT.replace(">text<", f">{kind}<").replace(
        "<Content><![CDATA[我的 ]]></Content>", extra
    )

    heard = read(message)

    assert (heard.account, heard.line, heard.wordless) == ("wangwu", "", name)
    assert heard.id == "msg-7555555555555555555"


def test_spoken_words_that_were_recognised_are_a_line():
    spoken = TEXT.replace(">text<", ">voice<").replace(
        "<Content><![CDATA[我的 ]]></Content>", "<Recognition><![CDATA[公海。]]></Recognition>"
    )

    heard = read(spoken)

    assert (heard.line, heard.wordless) == ("公海", "")


def test_a_menu_click_is_the_line_in_its_key():
    click = PRESS.replace("template_card_event", "click")

    heard = read(click)

    assert (heard.line, heard.press) == ("/领取 42", None)


@pytest.mark.parametrize("event", ["template_card_event", "template_card_menu_event"])
def test_a_press_is_its_line_and_the_code_that_redraws_the_card(event):
    heard = read(PRESS.replace("template_card_event", event))

    assert (heard.account, heard.line) == ("wangwu", "/领取 42")
    assert heard.press == Press(task_id="lead_42@wangwu-0a", code="rc-1")


def test_a_redelivered_press_has_the_same_id_under_a_new_nonce():
    first = CALLBACK.read(*post(PRESS, nonce="one"))
    again = CALLBACK.read(*post(PRESS, nonce="two"))

    assert first.id == again.id


@pytest.mark.parametrize(
    "other",
    [
        PRESS.replace("wangwu]", "lilei]"),
        PRESS.replace("1760000100", "1760000101"),
        PRESS.replace("领取", "放回"),
        PRESS.replace("lead_42@", "lead_43@"),
        PRESS.replace("rc-1", "rc-2"),
        PRESS.replace("template_card_event", "template_card_menu_event"),
    ],
)
def test_presses_that_differ_have_different_ids_even_in_one_second(other):
    assert read(other).id != read(PRESS).id


def test_fields_do_not_run_into_each_other_in_an_id():
    left = CONTACT.replace("wangwu", "ab").replace("wmEXAMPLE", "c")
    right = CONTACT.replace("wangwu", "a").replace("wmEXAMPLE", "bc")

    assert read(left).id != read(right).id


def test_two_contacts_of_one_second_are_two():
    assert read(CONTACT).id != read(CONTACT.replace("wmEXAMPLE", "wmOTHER")).id


def test_who_is_added_twice_in_one_second_is_two_events_and_the_second_was_dropped():
    again = CONTACT.replace("<WelcomeCode>WC1", "<WelcomeCode>WC2")

    assert read(CONTACT).id != read(again).id
    assert read(again).id == read(again).id


def test_a_new_contact_is_heard_with_the_channel_of_its_code():
    heard = read(CONTACT)

    assert isinstance(heard, ContactAdded)
    assert (heard.external_userid, heard.userid) == ("wmEXAMPLE", "wangwu")
    assert (heard.state, heard.welcome_code) == ("expo2026", "WC1")
    assert heard.at == datetime.fromtimestamp(1760000200, UTC)


def test_a_half_added_contact_without_state_and_welcome_code_is_heard():
    half = CONTACT.replace("add_external_contact", "add_half_external_contact")
    half = half.replace("<State>expo2026</State>", "").replace("<WelcomeCode>WC1", "<WelcomeCode>")

    heard = read(half)

    assert (heard.state, heard.welcome_code) == ("", "")


@pytest.mark.parametrize(
    ("change", "more", "lost"),
    [
        ("del_follow_user", "", (True, False)),
        ("del_external_contact", "", (False, False)),
        ("del_external_contact", "<Source>DELETE_BY_TRANSFER</Source>", (False, True)),
    ],
)
def test_who_deleted_whom_is_heard(change, more, lost):
    heard = read(
        CONTACT.replace("add_external_contact", change).replace("<State>", f"{more}<State>")
    )

    assert isinstance(heard, ContactLost)
    assert (heard.external_userid, heard.userid) == ("wmEXAMPLE", "wangwu")
    assert (heard.by_customer, heard.handed_over) == lost
    assert heard.at == datetime.fromtimestamp(1760000200, UTC)


def test_a_takeover_that_failed_is_heard_with_the_reason():
    failed = CONTACT.replace("add_external_contact", "transfer_fail")

    heard = read(failed.replace("<State>", "<FailReason>customer_refused</FailReason><State>"))

    assert isinstance(heard, HandoverFailed)
    assert heard.reason == "customer_refused"


def test_a_remark_that_was_changed_is_heard():
    assert isinstance(
        read(CONTACT.replace("add_external_contact", "edit_external_contact")), ContactEdited
    )


def test_what_the_links_report_is_heard():
    news = NEWS.replace("balance_low", "quota_expire_soon").replace(
        "</xml>", "<ExpireTime>1760000000</ExpireTime><ExpireQuotaNum>20</ExpireQuotaNum></xml>"
    )

    heard = read(news)

    assert isinstance(heard, LinkNews)
    assert (heard.change, heard.left, heard.expires) == ("quota_expire_soon", "20", "1760000000")


@pytest.mark.parametrize(
    "change",
    [
        "inactive_alert",
        "close_inactive_agent",
        "reopen_inactive_agent",
        "low_active_alert",
        "low_active",
        "active_restored",
    ],
)
def test_an_app_used_too_little_is_heard_of(change):
    """Every one of them was dropped like an event nobody knows."""
    body = f"""<xml><ToUserName>ww12ab</ToUserName><FromUserName>sys</FromUserName>
    <CreateTime>1760000300</CreateTime><MsgType>event</MsgType><Event>{change}</Event>
    <EffectTime>1774972800</EffectTime><AgentID>1000002</AgentID></xml>"""

    heard = read(body)

    assert (heard.change, heard.effect) == (change, "1774972800")


def test_two_links_of_one_second_are_two():
    assert read(NEWS).id != read(NEWS.replace("<LinkId>ca1", "<LinkId>ca2")).id


@pytest.mark.parametrize(
    "plain",
    [
        CONTACT.replace("add_external_contact", "msg_audit_approved"),
        NEWS.replace("<ChangeType>balance_low</ChangeType>", ""),
        CONTACT.replace("<UserID>wangwu</UserID>", ""),
        TEXT.replace("<FromUserName>wangwu</FromUserName>", ""),
        TEXT.replace("<MsgType>text", "<MsgType>device_event").replace(
            "<Agent", "<Event>bind</Event><Agent"
        ),
        PRESS.replace("template_card_event", "taskcard_click"),
        "<xml><InfoType>suite_ticket</InfoType></xml>",
        "<xml><MsgType><a>1</a></MsgType></xml>",
    ],
)
def test_what_we_have_no_use_for_is_acknowledged_and_dropped(plain):
    assert read(plain) is None


def test_the_json_envelope_is_read_too_and_so_is_a_json_message():
    message = json.dumps(
        {"FromUserName": "lilei", "MsgType": "text", "Content": "今日", "MsgId": 9}
    )

    heard = CALLBACK.read(*post(message, envelope='{{"tousername":"x","encrypt":"{}"}}'))

    assert (heard.id, heard.account, heard.line) == ("msg-9", "lilei", "今日")


def test_no_character_of_a_json_message_reaches_the_database_that_it_would_refuse():
    message = r'{"FromUserName":"a\u0000b","MsgType":"text","Content":"\ud800x","CreateTime":1}'

    heard = read(message)

    assert (heard.account, heard.line) == ("ab", "x")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe\x00",
        b"<xml><Encrypt>",
        b"<xml><ToUserName>x</ToUserName></xml>",
        b"<xml><Encrypt><a>1</a></Encrypt></xml>",
        b"<xml><Encrypt>a</Encrypt><Encrypt>b</Encrypt></xml>",
        b'{"encrypt":',
        b'{"encrypt":1}',
        b'{"encrypt":"\\ud800"}',
        b'{"a":' * 100_000,
        b"[]",
        b'<!DOCTYPE x [<!ENTITY a "b">]><xml><Encrypt>&a;</Encrypt></xml>',
    ],
)
def test_a_broken_envelope_is_a_bad_callback(body):
    with pytest.raises(BadCallback):
        CALLBACK.read(query("a"), body)


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode), st.text(max_size=20))
@settings(max_examples=500, deadline=None)
def test_any_bytes_are_a_bad_callback(body, signature):
    with pytest.raises(BadCallback):
        CALLBACK.read({**query("a"), "msg_signature": signature}, body)


WORDS = st.sampled_from(["text", "event", "click", "template_card_event", "", "sys", "/领取 42"])
FIELDS = st.sampled_from(["MsgType", "Event", "EventKey", "Content", "FromUserName", "MsgId"])


@given(
    st.text(max_size=200) | st.dictionaries(FIELDS, WORDS | st.text(max_size=9)).map(json.dumps)
)
@settings(max_examples=500, deadline=None)
def test_any_signed_text_is_heard_dropped_or_a_bad_callback(plain):
    try:
        heard = read(plain)
    except BadCallback:
        return
    assert heard is None or isinstance(heard, Incoming | ContactAdded)


def open_reply(reply):
    envelope = parse_xml(reply)
    names = {"msg_signature": "MsgSignature", "timestamp": "TimeStamp", "nonce": "Nonce"}
    return CRYPTO.decrypt({k: envelope[v] for k, v in names.items()}, envelope["Encrypt"])


def test_an_answer_goes_from_the_corp_to_the_member():
    reply = parse_xml(open_reply(CALLBACK.answer("好的，已领取 #42", to="wangwu")))

    assert reply == {
        "ToUserName": "wangwu",
        "FromUserName": g.CORP,
        "CreateTime": "1772424000",
        "MsgType": "text",
        "Content": "好的，已领取 #42",
    }


def test_an_answer_is_cut_at_2048_bytes_between_characters():
    reply = parse_xml(open_reply(CALLBACK.answer("线" * 5000, to="wangwu")))

    assert reply["Content"] == "线" * 681 + "…"
    assert len(reply["Content"].encode()) <= 2048


@pytest.mark.parametrize("text", ["a]]>b", "<b>&amp;</b>", "x\x08y\ud800z", "{{7*7}}'; DROP"])
def test_an_answer_carries_any_text_and_nothing_is_executed(text):
    reply = parse_xml(open_reply(CALLBACK.answer(text, to="wangwu")))

    assert reply["Content"] == text.replace("\x08", "").replace("\ud800", "")


@given(st.text(max_size=40), st.integers(3, 60))
@settings(deadline=None)
def test_cutting_keeps_whole_characters_within_the_limit(text, limit):
    short = cut(text, limit)

    assert len(short.encode()) <= limit
    assert short == text or text.startswith(short[:-1])
