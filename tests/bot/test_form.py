"""What a prospect's browser sees: the hosted form, links in letters, opting out, pictures."""

import asyncio
import random
import re
from html.parser import HTMLParser

import pytest
from aiohttp import FormData

from store import tables as t
from tests.bot.conftest import Web, configured

PHONE = "13812345678"
GOOD = {"name": "张三", "phone": PHONE, "consent": "yes"}
HTML = "text/html"


class Inputs(HTMLParser):
    """The fields of a page as a browser would send them back, and every tag with its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.append((tag, given))
        if tag == "input" and given.get("type") != "checkbox":
            self.values[given["name"]] = given.get("value") or ""


async def opened(web: Web, path: str = "/f/default", **headers: str) -> dict[str, str]:
    """The fields of the page, as they come."""
    async with web.client.get(path, headers=headers) as answer:
        assert (answer.status, answer.content_type) == (200, HTML)
        return Inputs(await answer.text()).values


async def submitted(web: Web, values, path: str = "/f/default", **more):
    async with web.client.post(path, data=values, **more) as answer:
        assert answer.content_type == HTML
        return answer.status, await answer.text()


# -- the form ------------------------------------------------------------------------


async def test_the_form_works_without_cookies_scripts_or_anything_from_elsewhere(lite):
    async with lite.client.get("/f/default") as answer:
        page = await answer.text()

    tags = {tag for tag, _ in Inputs(page).tags}
    assert not tags & {"script", "link", "img", "iframe"}
    assert "Set-Cookie" not in answer.headers
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert not re.search(r"https?://", page)


async def test_a_sent_form_is_a_lead_with_its_consent(web):
    page = await opened(web)

    status, said = await submitted(web, page | GOOD | {"message": "想要报价"})

    assert status == 200
    assert "收到了" in said
    [lead] = await web.rows(t.leads)
    assert (lead.name, lead.phone, lead.source) == ("张三", "+8613812345678", "form")
    assert "同意" in lead.consent_text
    assert lead.consent_at == web.service.store.clock()
    assert len(await web.payloads()) == 1


async def test_where_the_visitor_came_from_is_kept(web):
    query = "utm_source=baidu&utm_medium=cpc&utm_campaign=春季&utm_term=crm&keyword=客户管理"
    page = await opened(web, f"/f/default?{query}", Referer="https://www.baidu.com/s?wd=crm")

    await submitted(web, page | GOOD)

    [lead] = await web.rows(t.leads)
    assert lead.utm == {"source": "baidu", "medium": "cpc", "campaign": "春季", "term": "crm"}
    assert (lead.keyword, lead.channel, lead.campaign) == ("客户管理", "baidu", "春季")
    assert lead.fields["referrer"] == "https://www.baidu.com/s?wd=crm"


async def test_without_consent_nothing_is_kept_but_what_was_typed_stays_on_the_page(lite):
    page = await opened(lite, "/f/default?utm_source=baidu")
    sent = page | {"name": "张三", "phone": PHONE}

    status, said = await submitted(lite, sent)

    assert status == 422
    assert "同意以后" in said
    again = Inputs(said).values
    assert again == sent
    assert await lite.count() == 0


async def test_a_bad_phone_and_mail_are_told_beside_their_fields(lite):
    status, said = await submitted(lite, GOOD | {"phone": "12", "email": "a@b@c"})

    wrong = [tag for tag, given in Inputs(said).tags if given.get("class") == "wrong"]
    assert (status, len(wrong)) == (422, 2)
    assert "看不出是电话号码" in said
    assert "name@example.com" in said
    assert 'value="12"' in said


async def test_nothing_to_reach_the_person_by_is_told(lite):
    status, said = await submitted(lite, {"name": "张三", "consent": "yes"})

    assert (status, "至少留一个" in said) == (422, True)


async def test_pressing_twice_is_one_enquiry(web):
    page = await opened(web)

    answers = await asyncio.gather(*(submitted(web, page | GOOD) for _ in range(5)))

    assert {status for status, _ in answers} == {200}
    assert await web.count() == 1
    assert [row.kind for row in await web.rows(t.events)] == ["captured", "assigned"]


async def test_two_pages_of_one_person_are_two_enquiries_of_one_lead(web):
    for _ in range(2):
        await submitted(web, await opened(web) | GOOD)

    kinds = [row.kind for row in await web.rows(t.events)]
    assert (await web.count(), kinds.count("asked_again")) == (1, 1)


async def test_what_fills_in_the_hidden_field_is_thanked_and_forgotten(lite):
    status, said = await submitted(lite, GOOD | {"website": "https://spam.example"})

    assert (status, "收到了" in said) == (200, True)
    assert await lite.count() == 0


async def test_a_multipart_form_is_read_and_its_files_are_left_out(lite):
    form = FormData(GOOD | {"message": "见附件"})
    form.add_field("file", b"\x00\xff" * 1000, filename="x.exe", content_type="image/png")

    status, _ = await submitted(lite, form())

    assert status == 200
    [lead] = await lite.rows(t.leads)
    assert lead.message == "见附件"


async def test_a_form_too_large_is_said_kindly(lite):
    status, said = await submitted(lite, GOOD | {"message": "很" * 100_000})

    assert (status, "太长" in said) == (413, True)


async def test_a_message_longer_than_a_page_is_told(lite):
    status, said = await submitted(lite, GOOD | {"message": "很" * 5000})

    assert (status, "太长了，最多 4000 个字" in said) == (422, True)


@pytest.mark.parametrize("name", ["nothing", "Default", "%00", "..%2f", "x" * 500, "%ff"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_form_nobody_made_is_not_found(lite, method, name):
    async with lite.client.request(method, f"/f/{name}", data=GOOD) as answer:
        assert (answer.status, answer.content_type) == (404, HTML)


async def test_another_method_is_refused(lite):
    async with lite.client.put("/f/default", data=GOOD) as answer:
        assert (answer.status, "POST" in answer.headers["Allow"]) == (405, True)


URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=x"
PART = b'--x\r\nContent-Disposition: form-data; name="name"\r\n'
GARBAGE = {
    "bytes": (URLENCODED, random.Random(3).randbytes(3000)),
    "nothing": (URLENCODED, b""),
    "bad escapes": (URLENCODED, b"name=%zz%ff%ed%a0%80%00&phone=%"),
    "an odd charset": (URLENCODED + "; charset=nonsense", b"name=x"),
    "half characters": (URLENCODED + "; charset=utf-7", b"name=+2AA-&phone=1"),
    "escapes": (URLENCODED + "; charset=unicode_escape", b"name=\\ud800&phone=1"),
    "a codec that is none": (URLENCODED + "; charset=hex", b"name=x"),
    "many fields": (URLENCODED, b"&".join(b"a%d=1" % n for n in range(5000))),
    "JSON": ("application/json", b"{}"),
    "text": ("text/plain", b"name=x"),
    "no boundary": ("multipart/form-data", PART),
    "not the boundary": ("multipart/form-data; boundary=y", PART + b"\r\nx\r\n--x--\r\n"),
    "multipart bytes": (MULTIPART, random.Random(4).randbytes(3000)),
    "half a part": (MULTIPART, PART),
    "no end": (MULTIPART, PART + b"\r\nabc"),
    "no name": (MULTIPART, b"--x\r\n\r\nabc\r\n--x--\r\n"),
    "a bad disposition": (MULTIPART, b"--x\r\nContent-Disposition: \xff\xfe\r\n\r\na\r\n--x--\r\n"),
    "an odd transfer encoding": (
        MULTIPART, PART + b"Content-Transfer-Encoding: nonsense\r\n\r\nabc\r\n--x--\r\n"),
    "bad base64": (
        MULTIPART, PART + b"Content-Transfer-Encoding: base64\r\n\r\na\xff=b\r\n--x--\r\n"),
    "a part's odd charset": (
        MULTIPART, PART + b"Content-Type: text/plain; charset=nope\r\n\r\nabc\r\n--x--\r\n"),
    "a part that is no text": (MULTIPART, PART + b"\r\n\xff\xfe\r\n--x--\r\n"),
    "a part in parts": (
        MULTIPART,
        b"--x\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\n\r\na\r\n--y--\r\n--x--\r\n"),
    "a packed part": (MULTIPART, PART + b"Content-Encoding: gzip\r\n\r\nabc\r\n--x--\r\n"),
    "a huge header": (MULTIPART, b"--x\r\nX: " + b"a" * 20_000 + b"\r\n\r\na\r\n--x--\r\n"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::aiohttp.multipart.BadContentDispositionHeader")
@pytest.mark.parametrize(("kind", "body"), GARBAGE.values(), ids=GARBAGE)
async def test_what_is_no_form_is_refused_on_a_page(lite, kind, body):
    status, _ = await submitted(lite, body, headers={"Content-Type": kind})

    assert status in {400, 413, 415, 422}
    assert await lite.count() == 0


SCRIPTS = ('"><script>alert(1)</script>', "' onmouseover='x", "</textarea><img src=x onerror=y>",
           "{{ 7*7 }}", "javascript:alert(1)")  # fmt: skip
TYPED = ("name", "phone", "email", "company", "product", "message", "utm_source", "utm_term",
         "keyword", "referrer", "once", "website2")  # fmt: skip


@pytest.mark.parametrize("script", SCRIPTS)
async def test_what_was_typed_is_only_text_on_the_page(lite, script):
    status, said = await submitted(lite, dict.fromkeys(TYPED, script))

    page = Inputs(said)
    clean = Inputs((await submitted(lite, {"name": "张三"}))[1])
    assert status == 422
    assert page.values["name"] == page.values["utm_source"] == script
    assert {tag for tag, _ in page.tags} == {tag for tag, _ in clean.tags}
    assert not any(name.startswith("on") for _, given in page.tags for name in given)
    assert "49" not in "".join(page.values.values())


@pytest.mark.parametrize("script", SCRIPTS)
async def test_what_stands_in_the_address_is_only_text_on_the_page(lite, script):
    async with lite.client.get(
        "/f/default", params=dict.fromkeys(("utm_source", "keyword"), script),
        headers={"Referer": script},
    ) as answer:  # fmt: skip
        page = Inputs(await answer.text())

    assert page.values["utm_source"] == page.values["keyword"] == script
    assert not {tag for tag, _ in page.tags} & {"script", "img"}
    assert not any(name.startswith("on") for _, given in page.tags for name in given)


async def test_a_form_of_ones_own_says_what_it_is_for(start, sqlite):
    form = {
        "name": "crm", "title": "预约 <b>演示</b>", "product": "CRM", "campaign": "展会",
        "consent": "同意联系", "thanks": "三分钟内回电",
    }  # fmt: skip
    web = await start(configured(sqlite, form=[form]))

    page = await opened(web, "/f/crm")
    _, said = await submitted(web, page | GOOD | {"product": "别的"}, "/f/crm")

    [lead] = await web.rows(t.leads)
    assert "三分钟内回电" in said
    assert (lead.product, lead.campaign, lead.channel) == ("CRM", "展会", "crm")
    assert lead.consent_text == "同意联系"
    assert "product" not in page


# -- links in letters -------------------------------------------------------------------


async def nurtured(web: Web, kind: str) -> str:
    """A link to a person who has enquired."""
    _, body = await web.post({"name": "张三", "phone": PHONE, "email": "a@b.cn"})
    async with web.service.store.begin() as tx:
        return await tx.links.make(body["id"], kind, "brand")


async def lead(web: Web):
    [row] = await web.rows(t.leads)
    return row


async def test_a_followed_link_is_thanked_and_told_to_the_rep_once(web):
    token = await nurtured(web, "track")

    for _ in range(3):
        async with web.client.get(f"/t/{token}") as answer:
            assert (answer.status, "谢谢" in await answer.text()) == (200, True)

    kinds = [row.kind for row in await web.rows(t.events)]
    assert kinds.count("clicked") == 1


async def test_looking_at_the_page_opts_nobody_out(web):
    token = await nurtured(web, "optout")

    async with web.client.get(f"/u/{token}") as answer:
        page = await answer.text()
    async with web.client.head(f"/u/{token}") as head:
        assert head.status == 200

    assert (answer.status, "确认" in page, 'method="post"' in page) == (200, True, True)
    assert (await lead(web)).opted_out_at is None


async def test_pressing_the_button_opts_out(web, clock):
    token = await nurtured(web, "optout")

    async with web.client.post(f"/u/{token}") as answer:
        page = await answer.text()

    assert (answer.status, "已经停止" in page) == (200, True)
    assert (await lead(web)).opted_out_at == clock()


async def test_a_mail_programs_one_click_opts_out(web, clock):
    token = await nurtured(web, "optout")

    for _ in range(2):  # RFC 8058; mail programs repeat themselves
        async with web.client.post(
            f"/u/{token}", data={"List-Unsubscribe": "One-Click"}
        ) as answer:
            assert answer.status == 200

    assert (await lead(web)).opted_out_at == clock()
    kinds = [row.kind for row in await web.rows(t.events)]
    assert kinds.count("opted_out") == 1


async def test_a_link_is_good_for_one_thing_only(web):
    tracked = await nurtured(web, "track")

    async with web.client.post(f"/u/{tracked}") as answer:
        assert answer.status == 404

    assert (await lead(web)).opted_out_at is None


async def test_a_picture_is_shown_to_who_has_its_address(web):
    png = b"\x89PNG\r\n\x1a\n" + bytes(100)
    async with web.service.store.begin() as tx:
        token = await tx.pictures.keep(png)

    async with web.client.get(f"/p/{token}.png") as answer:
        assert (answer.status, answer.content_type) == (200, "image/png")
        assert await answer.read() == png


ODD = ("x", "a" * 64, "a" * 65, "a" * 7000, "%00", "%ff", "..%2f..%2fetc%2fpasswd", "'%20OR%201=1--",
       "{{7*7}}", "%F0%9F%91%8D", "a%20b", "-", "%E2%80%AE")  # fmt: skip


@pytest.mark.parametrize("token", ODD, ids=lambda token: token[:20])
async def test_an_odd_token_is_not_found(web, token):
    asked = [("GET", f"/t/{token}"), ("GET", f"/u/{token}"), ("POST", f"/u/{token}"),
             ("GET", f"/p/{token}.png")]  # fmt: skip

    for method, path in asked:
        async with web.client.request(method, path) as answer:
            assert answer.status == 404
            assert "49" not in await answer.text()
