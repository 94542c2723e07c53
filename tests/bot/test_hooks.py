"""Leads from forms, tables and flows: ``POST /hooks/{source}``."""

import hashlib
import hmac
import json

import pytest

from store import tables as t

SECRET = "a-secret-of-the-table"
HOOK = {
    "source": "yida",
    "secret": SECRET,
    "dedupe": "data.formInstanceId",
    "fields": {
        "name": "data.客户姓名",
        "phone": "data.电话",
        "message": "data.需求",
        "预算": "data.预算",
    },
}
OTHER = {"source": "flow", "secret": "another-secret-of-a-flow", "fields": {"phone": "tel"}}


@pytest.fixture
def given():
    return {"hook": [HOOK, OTHER]}


def form(number="FINST-1", **values):
    filled = {"客户姓名": "王五", "电话": 13800138000, "需求": "想要报价", "预算": 120000}
    return {"event": "created", "data": filled | {"formInstanceId": number} | values}


def signed(body: bytes, secret=SECRET):
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


async def post(web, body, path="/hooks/yida", **headers):
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    sent = {"Content-Type": "application/json", "Authorization": f"Bearer {SECRET}"} | headers
    sent = {name: value for name, value in sent.items() if value}
    async with web.client.post(path, data=raw, headers=sent) as answer:
        return answer.status, await answer.json(content_type=None), answer.content_type


async def test_a_filled_form_is_a_lead(web):
    status, body, _ = await post(web, form())

    assert (status, body) == (200, {"success": True})
    [lead] = await web.rows(t.leads)
    assert (lead.name, lead.phone, lead.message) == ("王五", "+8613800138000", "想要报价")
    assert (lead.source, lead.external_id, lead.fields) == ("yida", "FINST-1", {"预算": "120000"})


async def test_the_same_form_again_is_done_once(web):
    for _ in range(3):
        assert (await post(web, form()))[0] == 200
    assert (await post(web, form(需求="改过的需求")))[0] == 200

    [lead] = await web.rows(t.leads)
    assert lead.message == "想要报价"
    assert [row.kind for row in await web.rows(t.events)].count("asked_again") == 0


async def test_another_form_of_the_same_person_is_another_enquiry(web):
    await post(web, form())
    await post(web, form("FINST-2", 需求="再问一次"))

    [_] = await web.rows(t.leads)
    assert "asked_again" in [row.kind for row in await web.rows(t.events)]


async def test_without_a_path_for_it_the_bytes_themselves_are_known_again(lite):
    more = {"path": "/hooks/flow", "Authorization": "Bearer another-secret-of-a-flow"}
    for _ in range(2):
        assert (await post(lite, {"tel": "13900139000"}, **more))[0] == 200

    assert await lite.count() == 1
    assert [row.kind for row in await lite.rows(t.events)].count("asked_again") == 0


@pytest.mark.parametrize("header", ["X-Signature-256", "X-Hub-Signature-256", "X-Signature"])
@pytest.mark.parametrize("prefix", ["sha256=", ""])
async def test_a_signature_over_the_raw_body_will_do(lite, header, prefix):
    raw = json.dumps(form()).encode()
    signature = prefix + signed(raw).removeprefix("sha256=")

    status, _, _ = await post(lite, raw, Authorization="", **{header: signature})

    assert status == 200


async def test_the_secret_at_the_end_of_the_address_will_do(lite):
    status, _, _ = await post(lite, form(), path=f"/hooks/yida/{SECRET}", Authorization="")

    assert status == 200


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/hooks/yida", {"Authorization": ""}),
        ("/hooks/yida", {"Authorization": "Bearer another-secret-of-a-flow"}),
        ("/hooks/yida", {"Authorization": f"Basic {SECRET}"}),
        ("/hooks/yida", {"Authorization": "", "X-Signature-256": "sha256=" + "0" * 64}),
        ("/hooks/yida/wrong-secret-of-nobody", {"Authorization": ""}),
        ("/hooks/nobody", {}),
        ("/hooks/yida/%FF", {"Authorization": ""}),
    ],
)
async def test_a_stranger_is_refused_and_not_told_which_sources_there_are(lite, path, headers):
    status, body, kind = await post(lite, form(), path, **headers)

    assert (status, kind) == (401, "application/problem+json")
    assert body["detail"] == "来源或密钥不对"
    assert await lite.count() == 0


async def test_a_signature_of_other_bytes_is_refused(lite):
    signature = signed(json.dumps(form()).encode())

    status, _, _ = await post(
        lite, form("FINST-2"), Authorization="", **{"X-Signature-256": signature}
    )

    assert status == 401


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[" * 100_000, 413),
        (b"[" * 50_000, 400),
        (b'{"data": NaN}', 400),
        (b"[]", 422),
        (b"null", 422),
        (form(number=None), 422),
        (form(电话="不告诉你", 客户姓名="王五"), 422),
        (form(电话=None), 422),
        (form(客户姓名="很" * 500), 422),
    ],
)
async def test_what_cannot_be_read_is_told_as_a_problem(lite, body, expected):
    status, answer, kind = await post(lite, body)

    assert (status, kind) == (expected, "application/problem+json")
    assert answer["status"] == expected
    assert await lite.count() == 0


async def test_a_problem_names_the_place_in_the_form(lite):
    _, answer, _ = await post(lite, form(电话="不告诉你"))

    assert [error["field"] for error in answer["errors"]] == ["data.电话"]
    assert "不告诉你" not in json.dumps(answer, ensure_ascii=False)


async def test_a_form_that_is_no_json_is_told_so(lite):
    status, _, kind = await post(
        lite, b"name=x", **{"Content-Type": "application/x-www-form-urlencoded"}
    )

    assert (status, kind) == (415, "application/problem+json")


async def test_what_was_refused_may_be_mended_and_sent_again(lite):
    assert (await post(lite, form(电话="不告诉你")))[0] == 422

    assert (await post(lite, form()))[0] == 200
    assert await lite.count() == 1


async def test_other_methods_are_told_what_is_allowed(lite):
    async with lite.client.get("/hooks/yida") as answer:
        assert answer.status == 405
        assert answer.headers["Allow"] == "POST"


@pytest.mark.parametrize("body", [{}, {"hook": []}])
async def test_without_a_source_there_is_no_address(start, sqlite, body):
    from tests.bot.conftest import configured  # noqa: PLC0415

    web = await start(configured(sqlite, **body))

    async with web.client.post("/hooks/yida", json={}) as answer:
        assert answer.status == 404
