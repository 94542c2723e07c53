"""Both platforms' callbacks through the running product: what is answered, and how often it counts."""

import asyncio
import json
from io import BytesIO
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.platforms.dingtalk.crypto import DingTalkCrypto, robot_sign
from bot.platforms.wecom.crypto import WeComCrypto
from bot.platforms.wecom.xml import parse_xml
from store import tables as t
from tests.bot.conftest import Web, configured

DATA = Path(__file__).parents[2] / "../shared/data"
TOKEN, KEY, CORP = "leadtoken01", "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C", "ww5823bf96d3bd56"
WECOM = {"corp_id": CORP, "agent_id": 7, "secret": "s", "token": TOKEN, "encoding_aes_key": KEY}
DINGTALK = {
    "corp_id": "ding0corp", "client_id": "dingabc123", "client_secret": "s3cr3t-of-the-app",
    "mode": "http", "token": TOKEN, "encoding_aes_key": KEY,
}  # fmt: skip
CRYPTO = WeComCrypto(TOKEN, KEY, CORP)
EVENTS = DingTalkCrypto(TOKEN, KEY, "dingabc123")
patient = settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
async def both(database, start) -> Web:
    return await start(configured(database, wecom=WECOM, dingtalk=DINGTALK))


@pytest.fixture
async def one(start, sqlite) -> Web:
    return await start(configured(sqlite, wecom=WECOM, dingtalk=DINGTALK))


def cases(name: str) -> list[dict]:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"no ../shared/data/{name}")
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def by_app(rows: list[dict]):
    """Every line with the lines of its app, whose settings the product has to run with."""

    def app(row: dict) -> str:
        return json.dumps(row["app"], sort_keys=True)

    for _, group in groupby(sorted(rows, key=app), app):
        same = list(group)
        yield same[0]["app"], same


async def sent(web: Web, path: str, request: dict) -> tuple[int, str, str]:
    headers = {"Content-Type": request["content_type"]} if request.get("content_type") else {}
    async with web.client.request(
        request["method"], path, params=request["query"],
        data=request.get("body", "").encode(), headers=headers,
    ) as answer:  # fmt: skip
        return answer.status, await answer.text(), answer.content_type


# -- published requests ----------------------------------------------------------------


async def test_every_published_wecom_request_gets_the_answer_it_should(start, sqlite):
    wrong, seen = [], 0
    for app, rows in by_app(cases("wecom_callback_http.jsonl")):
        keys = {"token": app["token"], "encoding_aes_key": app["encoding_aes_key"]}
        web = await start(configured(sqlite, wecom=WECOM | keys | {"corp_id": app["receive_id"]}))
        for row in rows:
            status, text, _ = await sent(web, "/wecom/callback", row["request"])
            seen += 1
            if not wecom_right(row["expected"], status, text):
                wrong.append((row["id"], status, text))

    assert wrong == []
    assert seen == len(cases("wecom_callback_http.jsonl"))


def wecom_right(expected: dict, status: int, text: str) -> bool:
    if "reject" in expected:
        return status == (401 if expected["reject"] == "signature" else 400)
    if "body" in expected:
        return (status, text) == (200, expected["body"])
    return status == 200 and (not text or "<Encrypt>" in text)


async def test_every_published_dingtalk_push_gets_the_answer_it_should(start, sqlite):
    wrong, seen = [], 0
    for app, rows in by_app(cases("dingtalk_callback_http.jsonl")):
        keys = {"token": app["token"], "encoding_aes_key": app["aes_key"]}
        web = await start(
            configured(sqlite, dingtalk=DINGTALK | keys | {"client_id": app["owner_key"]})
        )
        crypto = DingTalkCrypto(app["token"], app["aes_key"], app["owner_key"])
        for row in rows:
            status, text, kind = await sent(web, "/dingtalk/events", row["request"])
            seen += 1
            if not dingtalk_right(row["expected"], status, text, kind, crypto):
                wrong.append((row["id"], status, text))

    assert wrong == []
    assert seen == len(cases("dingtalk_callback_http.jsonl"))


def dingtalk_right(expected, status, text, kind, crypto) -> bool:
    if "reject" in expected:
        return status == (401 if expected["reject"] == "signature" else 400)
    reply = json.loads(text)
    opened = crypto.decrypt(reply, reply["encrypt"])
    return (status, kind, opened) == (200, "application/json", "success")


# -- one message, one effect -------------------------------------------------------------


def wecom(plain: str, nonce: str = "n") -> dict:
    encrypt = CRYPTO.encrypt(plain)
    query = {"timestamp": "1760000000", "nonce": nonce}
    query["msg_signature"] = CRYPTO.sign("1760000000", nonce, encrypt)
    body = f"<xml><ToUserName>x</ToUserName><Encrypt>{encrypt}</Encrypt></xml>"
    return {"method": "POST", "query": query, "body": body, "content_type": "text/xml"}


def typed(line: str, msg_id: str = "1", account: str = "lilei") -> str:
    return (
        f"<xml><FromUserName>{account}</FromUserName><CreateTime>1760000000</CreateTime>"
        f"<MsgType>text</MsgType><Content><![CDATA[{line}]]></Content><MsgId>{msg_id}</MsgId></xml>"
    )


def pressed(line: str, code: str, account: str = "lilei") -> str:
    return (
        f"<xml><FromUserName>{account}</FromUserName><CreateTime>1760000000</CreateTime>"
        f"<MsgType>event</MsgType><Event>template_card_event</Event><EventKey>{line}</EventKey>"
        f"<TaskId>lead_1@1</TaskId><ResponseCode>{code}</ResponseCode></xml>"
    )


def opened(body: str) -> dict:
    """The passive reply, decrypted, its signature checked."""
    envelope = parse_xml(body)
    query = {
        "msg_signature": envelope["MsgSignature"], "timestamp": envelope["TimeStamp"],
        "nonce": envelope["Nonce"],
    }  # fmt: skip
    return parse_xml(CRYPTO.decrypt(query, envelope["Encrypt"]))


async def taken_in(web: Web) -> int:
    _, body = await web.post({"name": "张三", "phone": "13812345678", "rep": "李雷"})
    return body["id"]


async def kinds(web: Web) -> list[str]:
    return [row.kind for row in await web.rows(t.events)]


async def test_a_typed_line_is_answered_in_the_reply(both):
    status, body, kind = await sent(both, "/wecom/callback", wecom(typed("帮忙")))

    reply = opened(body)
    assert (status, kind) == (200, "text/xml")
    assert (reply["ToUserName"], reply["FromUserName"]) == ("lilei", CORP)
    assert (reply["MsgType"], bool(reply["Content"])) == ("text", True)


async def test_a_stranger_is_told_whom_to_ask_and_sees_nothing(both):
    number = await taken_in(both)

    _, body, _ = await sent(
        both, "/wecom/callback", wecom(typed(f"线索 {number}", "2", "stranger"))
    )

    assert "不在销售团队" in opened(body)["Content"]
    assert "张三" not in opened(body)["Content"]


async def test_a_repeated_line_is_done_once_and_answered_the_same(both):
    number = await taken_in(both)
    line = typed(f"/跟进 {number} 电话 聊了报价")

    bodies = [(await sent(both, "/wecom/callback", wecom(line, f"n{n}")))[1] for n in range(3)]

    assert (await kinds(both)).count("followed") == 1
    assert len({opened(body)["Content"] if body else "" for body in bodies}) == 1


async def test_a_repeated_refusal_is_the_same_refusal(both):
    line = typed("领取 99")

    bodies = [(await sent(both, "/wecom/callback", wecom(line, f"n{n}")))[1] for n in range(3)]

    assert {opened(body)["Content"] for body in bodies} == {opened(bodies[0])["Content"]}
    assert "99" in opened(bodies[0])["Content"]


async def test_repeats_that_arrive_together_are_one(both):
    number = await taken_in(both)
    line = typed(f"/跟进 {number} 电话 聊了报价")

    answers = await asyncio.gather(
        *(sent(both, "/wecom/callback", wecom(line, f"n{n}")) for n in range(8))
    )

    assert {status for status, _, _ in answers} == {200}
    assert (await kinds(both)).count("followed") == 1


async def test_two_presses_in_one_second_are_two(both):
    number = await taken_in(both)

    for line, code in ((f"/领取 {number}", "rc-1"), (f"/放回 {number}", "rc-2")):
        for _ in range(2):
            status, _, _ = await sent(both, "/wecom/callback", wecom(pressed(line, code)))
            assert status == 200

    assert (await kinds(both))[-2:] == ["accepted", "released"]


async def test_a_press_is_answered_with_nothing_as_wecom_takes_no_text_there(both):
    number = await taken_in(both)

    status, body, _ = await sent(both, "/wecom/callback", wecom(pressed(f"/领取 {number}", "rc")))

    assert (status, body) == (200, "")


def robot(**changes) -> dict:
    body = {
        "conversationId": "cid1", "conversationType": "1", "chatbotCorpId": "ding0corp",
        "msgId": "m1", "senderNick": "王强", "senderStaffId": "wangqiang",
        "senderCorpId": "ding0corp", "msgtype": "text", "text": {"content": "我的"},
    }  # fmt: skip
    return body | changes


async def told(web: Web, body: bytes, headers: dict[str, str] | None = None) -> int:
    now = str(int(web.service.store.clock().timestamp() * 1000))
    sign = {"timestamp": now, "sign": robot_sign(DINGTALK["client_secret"], now)}
    async with web.client.post("/dingtalk/robot", data=body, headers=headers or sign) as answer:
        return answer.status


async def test_a_repeated_robot_message_is_done_once(both):
    _, lead = await both.post({"name": "张三", "phone": "13812345678", "rep": "王强"})
    line = robot(text={"content": f"/跟进 {lead['id']} 电话 聊了报价"})

    statuses = [await told(both, json.dumps(line).encode()) for _ in range(3)]

    assert statuses == [200] * 3
    assert (await kinds(both)).count("followed") == 1


# -- what is no callback ---------------------------------------------------------------

BOMB = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY a{n} "{"&a;" * 10}">' for n in range(8))
    + "]><xml><Encrypt>&a7;</Encrypt></xml>"
)
FILE = '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><xml><Encrypt>&f;</Encrypt></xml>'
BAD = {
    "nothing": b"",
    "bytes": bytes(range(256)) * 8,
    "not UTF-8": "<xml><Encrypt>中</Encrypt></xml>".encode("gbk"),
    "a bomb": BOMB.encode(),
    "a file": FILE.encode(),
    "half": b"<xml><Encrypt>abc",
    "no ciphertext": b"<xml><ToUserName>x</ToUserName></xml>",
    "two ciphertexts": b"<xml><Encrypt>a</Encrypt><Encrypt>b</Encrypt></xml>",
    "nested": b"<xml>" + b"<a>" * 5000 + b"</a>" * 5000 + b"</xml>",
    "JSON": b'{"encrypt": 7}',
    "deep JSON": b'{"encrypt":' + b"[" * 20_000,
    "a list": b'["encrypt"]',
    "no base64": "<xml><Encrypt>这不是密文</Encrypt></xml>".encode(),
    "half a character": b'{"encrypt": "\\ud800"}',
}


@pytest.mark.parametrize("path", ["/wecom/callback", "/dingtalk/events", "/dingtalk/robot"])
@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
async def test_a_broken_body_is_refused(one, path, body):
    query = {"msg_signature": "0" * 40, "timestamp": "1760000000", "nonce": "n"}

    async with one.client.post(path, params=query, data=body) as answer:
        assert answer.status in {400, 401}


@pytest.mark.parametrize("path", ["/wecom/callback", "/dingtalk/events", "/dingtalk/robot"])
async def test_a_body_over_the_limit_is_too_large(one, path):
    async with one.client.post(path, data=BytesIO(b"a" * 1_100_000)) as answer:
        assert answer.status == 413


async def test_a_tag_of_2500_members_is_heard_and_was_answered_413(one):
    people = ",".join(f"zhangsan.north.{n:05}" for n in range(2500))
    event = (
        "<xml><FromUserName>sys</FromUserName><CreateTime>1</CreateTime><MsgType>event</MsgType>"
        "<Event>change_contact</Event><ChangeType>update_tag</ChangeType><TagId>1</TagId>"
        f"<AddUserItems>{people}</AddUserItems></xml>"
    )
    sealed = parse_xml(CRYPTO.encrypt_reply(event))
    query = {"msg_signature": sealed["MsgSignature"], "timestamp": sealed["TimeStamp"]}
    body = f"<xml><Encrypt>{sealed['Encrypt']}</Encrypt></xml>"

    async with one.client.post(
        "/wecom/callback", params={**query, "nonce": sealed["Nonce"]}, data=body
    ) as answer:
        said = answer.status, await answer.text()

    assert len(body) > 65536
    assert said == (200, "")
    assert await one.count(t.inbox) == 1


@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
async def test_a_signed_robot_message_that_is_broken_is_refused(one, body):
    assert await told(one, body) in {200, 400}
    assert await one.count(t.inbox) == 0


@pytest.mark.parametrize(
    "headers",
    [{"timestamp": "1", "sign": "x"}, {"timestamp": "x", "sign": ""}, {"sign": "x"},
     {"timestamp": "９", "sign": "签"}],
)  # fmt: skip
async def test_a_robot_message_nobody_signed_is_refused(one, headers):
    assert await told(one, json.dumps(robot()).encode(), headers) == 401
    assert await one.count(t.inbox) == 0


async def test_an_old_robot_message_is_refused(one, clock):
    then = str(int(clock().timestamp() * 1000) - 3_700_000)
    headers = {"timestamp": then, "sign": robot_sign(DINGTALK["client_secret"], then)}

    assert await told(one, json.dumps(robot()).encode(), headers) == 400


SIGNED = {
    "a bomb": BOMB,
    "a file": FILE,
    "half": "<xml><MsgType>text",
    "no XML": "hello",
    "JSON of nothing": "{}",
    "nothing": "<xml><a>b</a></xml>",
    "a long line": typed("跟进 1 " + "长" * 4000),
    "a long id": typed("我的", "9" * 2000),
    "a long account": typed("我的", "3", "x" * 2000),
    "controls": typed("线索 \x01\x02\ufffe", "4"),
    "NUL in JSON": '{"MsgType":"text","FromUserName":"li\\u0000lei","Content":"\\u0000","MsgId":5}',
    "half a character": '{"MsgType":"text","FromUserName":"lilei","Content":"\\ud800","MsgId":6}',
    "SQL": typed("线索 '; DROP TABLE leads;--", "7"),
    "a template": typed("线索 {{ 7*7 }}", "8"),
    "a huge number": typed("领取 " + "9" * 400, "9"),
    "other digits": typed("领取 ²³٣", "10"),
    "a contact with long ids": (
        "<xml><MsgType>event</MsgType><Event>change_external_contact</Event><FromUserName>sys"
        f"</FromUserName><ChangeType>add_external_contact</ChangeType><UserID>{'u' * 400}</UserID>"
        f"<ExternalUserID>{'w' * 400}</ExternalUserID><State>{'s' * 400}</State></xml>"
    ),
    "a long press": pressed("线索 " + "1" * 3000, "c" * 3000, "lilei"),
}


@pytest.mark.parametrize("plain", SIGNED.values(), ids=SIGNED)
async def test_whatever_wecom_signed_is_never_our_error(both, plain):
    status, body, _ = await sent(both, "/wecom/callback", wecom(plain))

    assert status in {200, 400}
    assert "49" not in (opened(body)["Content"] if body and status == 200 else "")


ROBOT = {
    "NUL": robot(msgId="m\0", senderStaffId="wang\0qiang", text={"content": "我\0的"}),
    "half characters": robot(msgId="\ud800", text={"content": "\ud800我的"}),
    "long": robot(msgId="m" * 2000, senderStaffId="w" * 2000, text={"content": "长" * 9000}),
    "a long group": robot(conversationType="2", conversationId="c" * 3000, conversationTitle="t" * 3000,
                          text={"content": "绑定"}),
    "a long link": robot(sessionWebhook="https://oapi.dingtalk.com/" + "x" * 3000,
                         sessionWebhookExpiredTime=1893456000000),
    "wrong types": robot(msgId=[1], senderStaffId={}, text=7, conversationType=None),
    "numbers": robot(msgId=7, senderStaffId=8),
    "no text": robot(text={"content": None}),
    "an odd time": robot(sessionWebhookExpiredTime=10**40, sessionWebhook="x"),
}  # fmt: skip


@pytest.mark.parametrize("body", ROBOT.values(), ids=ROBOT)
@pytest.mark.parametrize("as_manager", [False, True], ids=["a rep", "a manager"])
async def test_whatever_dingtalk_signed_is_never_our_error(database, start, body, as_manager):
    people = [
        {"name": "王强", "dingtalk": "wangqiang", "role": "manager" if as_manager else "rep"}
    ]
    web = await start(configured(database, dingtalk=DINGTALK, team=people))

    assert await told(web, json.dumps(body).encode()) in {200, 400}


@patient
@given(body=st.binary(max_size=300), query=st.dictionaries(
    st.sampled_from(["msg_signature", "signature", "timestamp", "timeStamp", "nonce", "echostr"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20)))  # fmt: skip
async def test_no_bytes_are_our_error(one, body, query):
    for method, path in (("GET", "/wecom/callback"), ("POST", "/wecom/callback"),
                         ("POST", "/dingtalk/events"), ("POST", "/dingtalk/robot")):  # fmt: skip
        async with one.client.request(method, path, params=query, data=body) as answer:
            assert answer.status in {400, 401}


@patient
@given(plain=st.text(max_size=300) | st.builds(typed, st.text(max_size=60), st.text(max_size=9)))
async def test_no_signed_text_is_our_error(one, plain):
    plain = plain.encode(errors="replace").decode()

    status, _, _ = await sent(one, "/wecom/callback", wecom(plain))

    assert status in {200, 400}


async def test_a_forged_contact_makes_no_lead(one):
    forged = wecom(SIGNED["a contact with long ids"])
    forged["query"]["msg_signature"] = "0" * 40

    status, _, _ = await sent(one, "/wecom/callback", forged)

    assert (status, await one.count()) == (401, 0)


async def test_a_platform_that_is_off_has_no_address(lite):
    for path in ("/wecom/callback", "/dingtalk/robot", "/dingtalk/events"):
        async with lite.client.post(path) as answer:
            assert answer.status == 404
