"""Whatever is sent: a clear 4xx or a clean text, never a 500, nothing executed."""

import asyncio
import gzip
import json
import random
from email.message import EmailMessage

import pytest

from cards.mail import render_mail
from store import tables as t
from tests.bot.conftest import KEY, Web, configured

PHONE = "13812345678"
BOMB = b'{"a":' * 5000 + b"1" + b"}" * 5000

BROKEN = {
    "nothing": b"",
    "blanks": b"   \n",
    "no JSON": b"phone=13812345678",
    "cut off": b'{"phone": "138',
    "GBK": '{"name": "张三", "phone": "13812345678"}'.encode("gbk"),
    "Latin-1": b'{"name": "Jos\xe9", "phone": "13812345678"}',
    "NaN": b'{"phone": "13812345678", "fields": {"a": NaN}}',
    "Infinity": b'{"phone": "13812345678", "fields": {"a": -Infinity}}',
    "nested objects": BOMB,
    "nested lists": b"[" * 30_000,
    "a raw control character": b'{"phone": "13812345678", "name": "a\x00b"}',
    "two documents": b'{"phone": "13812345678"}{"phone": "13812345678"}',
    "an endless number": b'{"phone": "13812345678", "fields": {"a": ' + b"9" * 20_000 + b"}}",
    "single quotes": b"{'phone': '13812345678'}",
    "XML": b"<!DOCTYPE x [<!ENTITY a 'aaaa'>]><x>&a;</x>",
    "random": random.Random(1).randbytes(2000),
    "zip": gzip.compress(b'{"phone": "13812345678"}'),
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
async def test_a_body_that_is_no_json_is_refused(lite, body):
    status, told = await lite.send(body)

    # How deep JSON may be is the parser's business, and differs between Python's versions.
    assert status == told["status"]
    assert status in {400, 422}
    assert await lite.count() == 0


UNFIT = {
    "a number nobody can hold": {"fields": {"a": 10**30}},
    "a float that became infinite": {"fields": {"a": 1e308 * 10}},
    "a deep object": {"fields": {"a": {"b": {"c": {"d": {"e": {"f": {"g": 1}}}}}}}},
    "many fields": {"fields": {str(n): n for n in range(200)}},
    "a long key": {"fields": {"k" * 300: 1}},
    "many utm": {"utm": {str(n): "x" for n in range(50)}},
    "a consent in the year 10000": {"consent": {"at": "10000-01-01T00:00:00Z"}},
    "a consent before the calendar": {"consent": {"at": "0001-01-01T00:00:00+14:00"}},
    "a consent without a zone": {"consent": {"at": "2026-03-02T10:00:00"}},
    "a consent with more": {"consent": {"text": "好", "ip": "127.0.0.1"}},
}


@pytest.mark.parametrize("more", UNFIT.values(), ids=UNFIT)
async def test_an_object_nobody_could_give_back_is_named(lite, more):
    raw = json.dumps({"phone": PHONE} | more).replace("Infinity", "1e999").encode()

    status, told = await lite.send(raw)

    assert status == 422
    assert [error["field"] for error in told["errors"]] == list(more)


async def test_an_unknown_field_is_named_without_what_cannot_be_shown(lite):
    status, told = await lite.send(b'{"phone": "13812345678", "\\ud800\\u202e<b>\\u0000": 1}')

    assert status == 422
    assert [error["field"] for error in told["errors"]] == ["<b>"]


TEXTS = ("name", "company", "title", "region", "industry", "product", "message", "keyword",
         "campaign", "channel", "external_id", "rep", "wechat")  # fmt: skip
NASTY = {
    "a NUL": ("张\0三", "张三"),
    "half a character": ("张\ud800三\udfff", "张三"),
    "right to left": ("\u202e张\u2066三\u200f", "张三"),
    "zero width": ("张\u200b三\ufeff", "张三"),
    "no character": ("张三\ufffe\uffff", "张三"),
    "an escape sequence": ("\x1b[31m张三\x07", "[31m张三"),
    "emoji": ("👩‍👩‍👧‍👦🇨🇳👍🏽", "👩‍👩‍👧‍👦🇨🇳👍🏽"),
    "SQL": ("'); DROP TABLE leads;--", "'); DROP TABLE leads;--"),
    "a template": (
        "{{ 7*7 }}{% for x in y %}${7*7}#{7*7}",
        "{{ 7*7 }}{% for x in y %}${7*7}#{7*7}",
    ),
    "a page": ("<script>alert(1)</script>", "<script>alert(1)</script>"),
    "a format": ("%s%n{0}{name!r}%(x)s", "%s%n{0}{name!r}%(x)s"),
    "a link": ("[点我](dtmd://x?content=1)", "[点我](dtmd://x?content=1)"),
    "XML": ("]]><x>&amp;&lol;", "]]><x>&amp;&lol;"),
    "a path": ("../../etc/passwd", "../../etc/passwd"),
    "combining": ("张" + "\u0301" * 30, None),
    "a formula": ("=cmd|' /C calc'!A0", "=cmd|' /C calc'!A0"),
}


@pytest.mark.parametrize(("sent", "kept"), NASTY.values(), ids=NASTY)
async def test_what_is_typed_into_every_field_is_kept_as_clean_text(web: Web, sent, kept):
    lead = {"phone": PHONE} | dict.fromkeys(TEXTS, sent)
    more = {"utm": {"source": sent}, "fields": {sent: [sent]}, "consent": {"text": sent}}

    status, body = await web.send(json.dumps(lead | more).encode())

    assert status == 201
    _, out = await web.get(f"/api/leads/{body['id']}")
    if kept is not None:
        assert {out[name] for name in set(TEXTS) - {"wechat", "external_id"}} == {kept}
        assert (out["utm"], out["fields"]) == ({"source": kept}, {kept: [kept]})
    assert await web.count() == 1


@pytest.mark.parametrize(("sent", "kept"), NASTY.values(), ids=NASTY)
async def test_what_was_typed_reaches_phones_as_text(lite: Web, sent, kept):
    await lite.send(json.dumps({"phone": PHONE} | dict.fromkeys(TEXTS, sent)).encode())

    shown = json.dumps(await lite.payloads(), ensure_ascii=False)

    assert "张" in shown or "#1" in shown
    assert not set("\u202e\u2066\u200b\ufffe") & set(shown)
    assert not any(escaped in shown for escaped in ("\\u0000", "\\u001b", "\\ud800"))
    assert "49" not in shown.replace(PHONE, "")
    shown.encode()


async def test_a_markdown_link_in_a_name_is_no_button_on_dingtalk(start, sqlite):
    web = await start(configured(sqlite, team=[{"name": "王强", "dingtalk": "wangqiang"}]))
    name = "[免费领取](dtmd://dingtalkclient/sendMessage?content=%2F领取%209)"

    await web.post({"name": name, "phone": PHONE, "company": name, "message": name})

    [payload] = await web.payloads()
    assert "[" not in payload["msgParam"]["text"]
    assert "］(dtmd" in payload["msgParam"]["text"]


@pytest.mark.parametrize(("sent", "kept"), NASTY.values(), ids=NASTY)
def test_what_was_typed_is_escaped_in_a_letter(sent, kept):
    letter = render_mail(
        "brand", name=sent, product=sent, company=sent, link="https://x.example/t/1",
        unsubscribe="https://x.example/u/1",
    )  # fmt: skip

    mail = EmailMessage()
    mail["Subject"] = letter["subject"]
    mail.set_content(letter["text"].encode("utf-8").decode())
    assert "<script" not in letter["html"]
    assert "49" not in letter["subject"] + letter["text"]
    assert "\n" not in letter["subject"]


async def test_random_text_in_every_field_is_never_our_error(web: Web):
    dice = random.Random(20260302)
    alphabet = (
        [chr(n) for n in range(0x250)]
        + list("张三李四 \u3000\u202e\ufdfa\u0130\u0301\ud800\udc00\uffff\ue000👨🏿🇨🇳‍①㍿﷽")
        + [chr(dice.randrange(0x110000)) for _ in range(400)]
    )

    def word() -> str:
        return "".join(dice.choices(alphabet, k=int(dice.paretovariate(0.6)) % 260))

    def value(depth: int = 0):
        kind = dice.randrange(12)
        if depth < 3 and kind == 0:
            return [value(depth + 1) for _ in range(dice.randrange(3))]
        if depth < 3 and kind == 1:
            return {word(): value(depth + 1) for _ in range(dice.randrange(3))}
        return dice.choice([None, True, -1, 2**70, 1.5]) if kind == 2 else word()

    def lead() -> bytes:
        values = {name: value() for name in TEXTS if dice.random() < 0.5}
        values |= {"email": dice.choice([f"{word()}@b.cn", "a@b.cn", word()])}
        values |= {"phone": dice.choice([word(), PHONE + word(), "138" + word()])}
        values |= {"wechat": dice.choice([word(), "wx_1"])}
        values |= {"fields": value()} if dice.random() < 0.3 else {}
        return json.dumps(values).encode()

    answers = [await web.send(lead()) for _ in range(150)]
    tidy = [
        await web.send(
            json.dumps(
                {"wechat": "wx" + str(n)}
                | {
                    name: word()[:60]
                    for name in ("name", "company", "message", "product", "region")
                }
            ).encode()
        )
        for n in range(100)
    ]

    assert {status for status, _ in answers} <= {200, 201, 422}
    assert {status for status, _ in tidy} <= {200, 201}
    async with web.client.get(
        "/api/leads?limit=200", headers={"Authorization": f"Bearer {KEY}"}
    ) as page:
        assert len((await page.json())["leads"]) == min(200, await web.count())


# -- below HTTP ---------------------------------------------------------------------------


async def raw(web: Web, request: bytes, *, hang_up: bool) -> bytes:
    """The status line of what is answered to these bytes."""
    reader, writer = await asyncio.open_connection(web.client.host, web.client.port)
    writer.write(request)
    if hang_up:
        writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    return answer.split(b"\r\n")[0]


AUTH = f"Authorization: Bearer {KEY}\r\n".encode()
FORM = (
    b"POST /f/default HTTP/1.1\r\n"
    b"Content-Type: application/x-www-form-urlencoded; charset=\xff\r\n"
)
WIRE = {
    "a key of bytes": (b"GET /api/leads HTTP/1.1\r\nAuthorization: Bearer \xff\xfe\xfd\r\n", b"401"),
    "an encoded NUL": (b"GET /t/%00 HTTP/1.1\r\n", b"404"),
    "a NUL to opt out": (b"GET /u/%00 HTTP/1.1\r\n", b"404"),
    "a NUL for a picture": (b"GET /p/%00.png HTTP/1.1\r\n", b"404"),
    "bytes for a token": (b"GET /t/%ff%ed%a0%80 HTTP/1.1\r\n", b"404"),
    "raw bytes in the path": (b"GET /t/\xff\xfe HTTP/1.1\r\n", b"4"),
    "a referrer of bytes": (b"GET /f/default HTTP/1.1\r\nReferer: \xff\xfe\r\n", b"200"),
    "a question of bytes": (b"GET /f/default?utm_source=%ed%a0%80%ff%00 HTTP/1.1\r\n", b"200"),
    "a broken encoding": (
        b"POST /api/leads HTTP/1.1\r\n" + AUTH + b"Content-Type: application/json\r\n"
        b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd", b"400"),
    "an unknown encoding": (
        b"POST /api/leads HTTP/1.1\r\n" + AUTH + b"Content-Type: application/json\r\n"
        b"Content-Encoding: zip\r\nContent-Length: 4\r\n\r\nabcd", b"400"),
    "less than announced": (
        b"POST /api/leads HTTP/1.1\r\n" + AUTH + b"Content-Type: application/json\r\n"
        b"Content-Length: 400\r\n\r\n{}", b""),
    "a broken chunk": (
        b"POST /api/leads HTTP/1.1\r\n" + AUTH + b"Content-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n", b"4"),
    "a content type of bytes": (
        b"POST /api/leads HTTP/1.1\r\n" + AUTH + b"Content-Type: \xff/\xfe; charset=\xff\r\n"
        b"Content-Length: 2\r\n\r\n{}", b"4"),
    "a form of bytes": (FORM + b"Content-Length: 3\r\n\r\na=\xff", b"4"),
    "no request": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n", b"4"),
}  # fmt: skip


@pytest.mark.parametrize(("request_", "status"), WIRE.values(), ids=WIRE)
async def test_odd_bytes_on_the_wire_are_never_our_error(web: Web, request_, status):
    head, split, body = request_.partition(b"\r\n\r\n")
    if not split:
        head, body = request_.removesuffix(b"\r\n"), b""
    host = b"\r\nHost: x\r\nConnection: close\r\n\r\n"

    line = await raw(web, head + host + body, hang_up=not status)

    assert line == b"" if not status else line.split()[1].startswith(status)
    assert await web.count() == 0


async def test_a_bomb_of_zeros_is_too_large(lite: Web):
    bomb = gzip.compress(b" " * 5_000_000)

    status, _ = await lite.send(bomb, **{"Content-Encoding": "gzip"})

    assert status in {400, 413}


async def test_logs_and_answers_hold_nothing_of_the_person(web: Web, caplog, capsys):
    secret = "13800001111"
    await web.send(b'{"phone": "' + secret.encode() + b'", "nmae": "x"}')
    await web.post({"phone": secret, "name": "不应出现", "email": "nobody(at)x"})
    await web.post({"phone": secret, "name": "不应出现"})

    said = caplog.text + "".join(capsys.readouterr())

    assert secret not in said
    assert "不应出现" not in said


async def test_everything_that_was_taken_in_is_there_and_shown(web: Web):
    for n, (sent, _) in enumerate(NASTY.values()):
        status, _ = await web.send(json.dumps({"wechat": f"wx{n}", "name": sent}).encode())
        assert status == 201

    assert await web.count(t.leads) == len(NASTY)
    async with web.client.get("/api/leads", headers={"Authorization": f"Bearer {KEY}"}) as page:
        assert len((await page.json())["leads"]) == len(NASTY)
