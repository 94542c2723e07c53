"""What a program that hands leads in, or reads them, can rely on."""

import asyncio
import json
from http import HTTPStatus

import pytest

from store import tables as t
from store.domain.errors import ConfigError
from store.domain.intake import LIMITS
from tests.bot.conftest import KEY, configured
from tests.handlers.people import says

PHONE = "13812345678"
PROBLEM = "application/problem+json"


def fields(body: dict) -> dict[str, str]:
    return {error["field"]: error["detail"] for error in body["errors"]}


# -- one lead in ---------------------------------------------------------------


async def test_a_new_person_is_created(web):
    status, body = await web.post({"name": "张三", "phone": PHONE})

    assert status == 201
    assert body == {"id": body["id"], "duplicate": False}
    assert await web.count() == 1


async def test_the_same_external_id_is_the_same_enquiry(web):
    _, first = await web.post({"name": "张三", "phone": PHONE, "external_id": "A-1"})

    status, again = await web.post({"name": "张三", "phone": PHONE, "external_id": "A-1"})

    assert (status, again) == (200, {"id": first["id"], "duplicate": True})


async def test_the_same_phone_however_it_is_written_is_the_same_person(web):
    _, first = await web.post({"name": "张三", "phone": PHONE})

    status, again = await web.post({"name": "张三", "phone": "＋86 138-1234-5678"})

    assert (status, again) == (200, {"id": first["id"], "duplicate": True})
    assert await web.count() == 1


async def test_a_retry_calls_nobody_again(web):
    lead = {"name": "张三", "phone": PHONE, "message": "报价", "external_id": "A-1"}
    await web.post(lead | {"fields": {"a": 1}})
    shown = await web.payloads()

    status, _ = await web.post(lead | {"fields": {"a": 1}})

    assert status == 200
    assert await web.payloads() == shown
    assert [row.kind for row in await web.rows(t.events)] == ["captured", "assigned"]


@pytest.mark.parametrize("more", [{"message": "再问"}, {"company": "大通"}, {"fields": {"b": 2}}])
async def test_what_a_retry_adds_is_not_lost(web, more):
    lead = {"name": "张三", "phone": PHONE, "message": "报价", "external_id": "A-1"}
    _, body = await web.post(lead)

    await web.post(lead | more)

    _, kept = await web.get(f"/api/leads/{body['id']}")
    assert {name: kept[name] for name in more} == more
    assert "asked_again" in [line["kind"] for line in kept["history"]]


async def test_an_external_id_belongs_to_the_source_that_gave_it(web):
    _, first = await web.post({"phone": PHONE, "external_id": "1"})

    status, other = await web.post({"phone": "13912345678", "external_id": "1"}, KEY[::-1])

    assert (status, other["id"] != first["id"]) == (201, True)


async def test_twenty_retries_at_once_are_one_lead(web):
    lead = {"name": "张三", "phone": PHONE, "external_id": "A-1"}

    answers = await asyncio.gather(*(web.post(lead) for _ in range(20)))

    assert sorted(status for status, _ in answers) == [200] * 19 + [201]
    assert len({body["id"] for _, body in answers}) == 1
    assert await web.count() == 1


async def test_fifty_people_at_once_are_all_stored_in_a_few_transactions(web):
    people = [{"name": f"客户{n}", "phone": f"138123400{n:02}"} for n in range(50)]
    begun = []
    store = web.service.store
    real = type(store).begin
    type(store).begin = lambda self: begun.append(1) or real(self)

    try:
        answers = await asyncio.gather(*(web.post(person) for person in people))
    finally:
        type(store).begin = real

    assert {status for status, _ in answers} == {201}
    assert len({body["id"] for _, body in answers}) == 50
    assert len(begun) <= 25


# -- what is refused -------------------------------------------------------------


async def test_every_bad_field_is_named_with_its_reason(lite):
    bad = {
        "name": "名" * 101,
        "phone": "打我",
        "email": "nobody(at)nowhere",
        "company": 7,
        "consent": {"text": "好", "at": "昨天"},
        "utm": {"source": 1},
        "fields": [],
        "colour": "red",
    }

    status, body = await lite.post(bad)

    assert status == 422
    assert fields(body).keys() == bad.keys()
    assert body["title"] == HTTPStatus(422).phrase  # Python 3.13 has the newer name
    assert (body["status"], body["type"]) == (422, "about:blank")
    assert await lite.count() == 0


@pytest.mark.parametrize("value", [7, 1.5, True, [], ["a"], {}, {"a": 1}], ids=repr)
async def test_every_text_that_is_no_text_is_named(lite, value):
    status, body = await lite.post(dict.fromkeys(LIMITS, value))

    assert status == 422
    assert fields(body).keys() == LIMITS.keys()


@pytest.mark.parametrize("value", ["text", 7, True, [], [1]], ids=repr)
async def test_every_object_that_is_none_is_named(lite, value):
    status, body = await lite.post(
        {"phone": PHONE, "consent": value, "utm": value, "fields": value}
    )

    assert status == 422
    assert fields(body).keys() == {"consent", "utm", "fields"}


async def test_every_text_that_is_too_long_is_named(lite):
    status, body = await lite.post({name: "字" * (most + 1) for name, most in LIMITS.items()})

    assert status == 422
    assert fields(body).keys() == LIMITS.keys()


async def test_what_just_fits_is_kept_whole(web):
    written = {"email": "a@" + "b" * 60 + ".com", "phone": "1" * 64}
    longest = {name: "字" * most for name, most in LIMITS.items()} | written
    longest["region"] = "苏州" + "字" * 96  # grows by its province

    status, body = await web.post(longest)

    assert status == 201
    _, kept = await web.get(f"/api/leads/{body['id']}")
    del longest["external_userid"]  # a platform's own id, not shown to programs
    assert {name: kept[name] for name in longest} == longest | {"region": "江苏苏州" + "字" * 96}


async def test_what_grows_when_it_is_compared_still_fits(web):
    grown = {
        "name": "ﷺ" * 100,
        "company": "ﷺ" * 200,
        "region": "苏州" + "字" * 98,
        "wechat": "İ" * 64,
    }

    status, _ = await web.post(grown)

    assert status == 201


async def test_an_unreadable_number_longer_than_any_number_is_named(web):
    status, body = await web.post({"phone": "call " + "0" * 80})

    assert (status, fields(body).keys()) == (422, {"phone"})


async def test_nobody_who_cannot_be_reached_is_taken_in(lite):
    status, body = await lite.post({"name": "张三", "message": "请联系我"})

    assert status == 422
    assert fields(body) == {"phone": "手机、邮箱、微信至少留一个"}


@pytest.mark.parametrize("value", [b'""', b"null", b"[]", b"7", b"true", b'["phone"]'])
async def test_a_body_that_is_no_object_is_refused(lite, value):
    status, body = await lite.send(value)

    assert status == 422
    assert "对象" in body["detail"]


# -- who may ----------------------------------------------------------------------

STRANGERS = {
    "nothing": {},
    "a wrong key": {"Authorization": "Bearer another-long-random-key"},
    "part of a key": {"Authorization": f"Bearer {KEY[:-1]}"},
    "no key": {"Authorization": "Bearer"},
    "another scheme": {"Authorization": f"Basic {KEY}"},
    "no scheme": {"Authorization": KEY},
    "Chinese": {"Authorization": "Bearer 密钥密钥密钥密钥密钥密钥密钥密钥"},
}


@pytest.mark.parametrize("headers", STRANGERS.values(), ids=STRANGERS)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_stranger_is_told_how_to_come_in(lite, method, headers):
    async with lite.client.request(
        method, "/api/leads", json={"phone": PHONE}, headers=headers
    ) as answer:
        body = await answer.json()

    assert answer.status == body["status"] == 401
    assert answer.content_type == PROBLEM
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert await lite.count() == 0


async def test_without_keys_nobody_comes_in(start, sqlite):
    web = await start(configured(sqlite, api={}))

    status, _ = await web.post({"phone": PHONE})

    assert status == 401


async def test_the_source_is_the_name_of_the_key(lite):
    _, mine = await lite.post({"phone": PHONE})
    _, theirs = await lite.post({"phone": "13912345678"}, KEY[::-1])

    sources = [(await lite.get(f"/api/leads/{b['id']}"))[1]["source"] for b in (mine, theirs)]

    assert sources == ["website", "partner"]


# -- how much -----------------------------------------------------------------------


async def test_a_body_over_the_limit_is_too_large(lite):
    status, body = await lite.post({"phone": PHONE, "message": "很" * 40_000})

    assert (status, body["status"]) == (413, 413)
    assert "65536" in body["detail"]


async def test_a_body_of_unknown_length_over_the_limit_is_too_large(lite):
    async def endless():
        for _ in range(100):
            yield b" " * 1024

    status, body = await lite.send(endless())

    assert (status, body["status"]) == (413, 413)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "text/json"])
async def test_another_content_type_is_refused(lite, kind):
    status, body = await lite.send(b'{"phone": "13812345678"}', **{"Content-Type": kind})

    assert (status, body["status"]) == (415, 415)


async def test_who_comes_too_often_is_told_when_to_come_again(start, sqlite):
    web = await start(configured(sqlite, limits={"api_per_minute": 3}))
    statuses = [(await web.post({"phone": f"1381234567{n}"}))[0] for n in range(3)]

    async with web.client.get("/api/leads", headers={"Authorization": f"Bearer {KEY}"}) as answer:
        body = await answer.json()

    assert statuses == [201] * 3
    assert answer.status == body["status"] == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 61
    assert (await web.get("/api/leads", KEY[::-1]))[0] == 200


async def test_methods_and_paths_that_are_not_there_are_problems_too(lite):
    headers = {"Authorization": f"Bearer {KEY}"}
    async with lite.client.delete("/api/leads", headers=headers) as answer:
        assert (answer.status, answer.content_type) == (405, PROBLEM)
        assert "POST" in answer.headers["Allow"]

    async with lite.client.get("/api/nothing", headers=headers) as answer:
        assert (answer.status, answer.content_type) == (404, PROBLEM)


# -- leads out ------------------------------------------------------------------------


async def test_a_lead_comes_out_as_it_went_in_with_its_history(web):
    sent = {
        "name": "张三", "phone": PHONE, "email": "Zhang@Example.com", "wechat": "zhang3",
        "company": "大通", "title": "总监", "region": "江苏苏州", "industry": "制造",
        "product": "CRM", "message": "想要报价\n尽快", "keyword": "crm", "campaign": "春季",
        "channel": "百度", "external_id": "A-1", "rep": "韩梅",
        "consent": {"text": "同意", "at": "2026-03-02T10:00:00+08:00"},
        "utm": {"source": "baidu"}, "fields": {"人数": 20, "城市": ["苏州", "上海"]},
    }  # fmt: skip
    _, body = await web.post(sent)

    status, lead = await web.get(f"/api/leads/{body['id']}")

    assert status == 200
    same = set(sent) - {"phone", "email", "consent"}
    assert {name: lead[name] for name in same} == {name: sent[name] for name in same}
    assert (lead["phone"], lead["email"]) == ("+8613812345678", "zhang@example.com")
    assert lead["consent"] == {"text": "同意", "at": "2026-03-02T02:00:00+00:00"}
    assert lead["owner"] == {"name": "韩梅", "wecom": "hanmei", "dingtalk": None}
    assert (lead["stage"], lead["place"]) == ("assigned", "owner")
    assert lead["history"][0]["kind"] == "captured"
    assert lead["history"][0]["text"] == "想要报价\n尽快"
    assert [line["at"] for line in lead["history"]] == sorted(x["at"] for x in lead["history"])


async def test_a_second_enquiry_is_in_the_history_and_overwrites_nothing(web):
    _, body = await web.post({"name": "张三", "phone": PHONE, "message": "一"})
    await web.post({"name": "张三", "phone": PHONE, "company": "大通", "message": "二"})

    _, lead = await web.get(f"/api/leads/{body['id']}")

    asked = [line["text"] for line in lead["history"] if line["kind"] == "asked_again"]
    assert (lead["company"], asked) == ("大通", ["二"])


@pytest.mark.parametrize("number", ["0", "99", "x", "-1", "1.5", "9" * 30, "%00", "²", "１"])
async def test_a_lead_that_is_not_there_is_a_problem(web, number):
    status, body = await web.get(f"/api/leads/{number}")

    assert (status, body["status"]) == (404, 404)


async def test_pages_follow_each_other_until_the_end(web):
    for n in range(5):
        await web.post({"phone": f"1381234567{n}"})

    seen, after = [], 0
    while after is not None:
        _, page = await web.get(f"/api/leads?limit=2&after={after}")
        seen += [lead["id"] for lead in page["leads"]]
        after = page["next"]

    assert len(seen) == 5
    assert seen == sorted(seen)


async def test_a_page_can_be_of_one_source_stage_and_place(web):
    await web.post({"phone": PHONE})
    await web.post({"phone": "13912345678"}, KEY[::-1])

    counts = [
        len((await web.get(f"/api/leads?{query}"))[1]["leads"])
        for query in ("", "source=partner", "stage=assigned", "stage=won", "place=owner&limit=1")
    ]

    assert counts == [2, 1, 2, 0, 1]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("limit=0", "limit"),
        ("limit=x", "limit"),
        ("limit=", "limit"),
        ("after=-1", "after"),
        ("after=99999999999", "after"),
        ("stage=nonsense", "stage"),
        ("place=%00", "place"),
        ("colour=red", "colour"),
        ("source=%00", "source"),
        ("limit=1&limit=2", "limit"),
        ("stage=new&stage=won", "stage"),
    ],
)
async def test_a_wrong_question_is_told_what_is_wrong(web, query, name):
    status, body = await web.get(f"/api/leads?{query}")

    assert status == 422
    assert fields(body).keys() == {name}


@pytest.mark.parametrize(
    "query", ["source=%ED%A0%80", "source=%FF", "%ED%A0%80=1", "after=%EF%BC%91"]
)
async def test_bytes_that_are_no_text_never_break_the_list(web, query):
    status, _ = await web.get(f"/api/leads?{query}")

    assert status in {200, 422}


async def test_json_is_sent_as_utf8(lite):
    _, body = await lite.post({"name": "张三", "phone": PHONE})

    async with lite.client.get(
        f"/api/leads/{body['id']}", headers={"Authorization": f"Bearer {KEY}"}
    ) as answer:
        raw = await answer.read()

    assert "张三".encode() in raw
    assert json.loads(raw)["name"] == "张三"


async def test_the_rep_gets_a_card_within_the_same_transaction(web):
    _, body = await web.post({"name": "张三", "phone": PHONE})

    rows = await web.rows(t.outbox)

    assert [row.key for row in rows if row.key.startswith(f"lead:{body['id']}/")]


async def test_a_field_of_the_companys_own_has_to_be_of_its_type(start, sqlite):
    web = await start(configured(sqlite, field=[{"name": "预算", "type": "number"}]))

    status, body = await web.post({"phone": PHONE, "fields": {"预算": "很多"}})
    kept, _ = await web.post({"phone": PHONE, "fields": {"预算": "20万"}})

    assert (status, list(fields(body))) == (422, ["fields.预算"])
    assert kept == 201


# -- what nobody has claimed ------------------------------------------------------------

PARTNER = KEY[::-1]
NOBODY = [{"name": "陈主管", "wecom": "chenzg", "role": "manager"}]
"""A team in which a lead stays in the pool."""
FIELDS = [
    {"name": "预算", "type": "number"},
    {"name": "附注"},
    {"name": "家庭住址", "hidden": True},
]
SECRET = {
    "name": "欧阳静", "phone": PHONE, "email": "ouyang@example.com", "wechat": "oyj888",
    "company": "云栖机密", "message": f"我是欧阳静，打 {PHONE}",
    "fields": {"预算": 3000, "附注": f"找欧阳静 {PHONE}", "家庭住址": "文三路一号", "另外": "机密"},
}  # fmt: skip
SECRETS = ("欧阳静", PHONE, "ouyang@", "oyj888", "云栖机密", "文三路", '"机密')


@pytest.fixture
async def nobody(database, start):
    api = {"keys": {"website": KEY, "partner": PARTNER, "crm": "a-third-random-key"}}
    more = {"team": NOBODY, "field": FIELDS, "api": api | {"whole": ["crm"]}}
    return await start(configured(database, **more))


async def seen(web, number, key):
    """The lead alone, and in the list."""
    _, alone = await web.get(f"/api/leads/{number}", key)
    _, page = await web.get("/api/leads", key)
    return alone, next(lead for lead in page["leads"] if lead["id"] == number)


async def test_what_lies_in_the_pool_is_masked_for_another_key(nobody):
    """Whoever held any key read name, number and history of everybody in the pool."""
    _, body = await nobody.post(SECRET)

    for lead in await seen(nobody, body["id"], PARTNER):
        assert (lead["place"], lead["masked"]) == ("pool", True)
        assert not [secret for secret in SECRETS if secret in json.dumps(lead, ensure_ascii=False)]
        assert (lead["phone"], lead["name"]) == ("138****5678", "欧阳*")
        assert lead["fields"] == {"预算": 3000, "附注": "找欧阳* 138****5678"}
        assert lead["history"][0]["text"] == "我是欧阳*，打 138****5678"


async def test_the_key_that_handed_it_in_reads_what_it_said(nobody):
    _, body = await nobody.post(SECRET)

    for lead in await seen(nobody, body["id"], KEY):
        same = ("name", "email", "wechat", "company", "message", "fields")
        assert {name: lead[name] for name in same} == {name: SECRET[name] for name in same}
        assert lead["phone"] == f"+86{PHONE}"
        assert lead["history"][0]["text"] == SECRET["message"]


async def test_a_duplicate_tells_its_sender_nothing_but_its_own_words(nobody):
    _, first = await nobody.post(SECRET)

    status, body = await nobody.post({"phone": PHONE, "message": "再问"}, PARTNER)

    assert (status, body) == (200, {"id": first["id"], "duplicate": True})
    for lead in await seen(nobody, first["id"], PARTNER):
        told = json.dumps(lead, ensure_ascii=False)
        assert lead["phone"] == f"+86{PHONE}", "they have it from the person themselves"
        assert "再问" in [line["text"] for line in lead["history"]]
        assert not [s for s in SECRETS if s != PHONE and s in told]


async def test_what_was_logged_before_it_came_to_the_pool_names_nobody(start, database, clock):
    web = await start(configured(database))
    _, body = await web.post({"name": "欧阳静", "phone": PHONE, "rep": "李雷"})
    said = "电话 欧阳静说换成 139 1234 5678，报价 12万 #欧阳静 3月4日15点再约"
    await says(web.service.store, "lilei", f"领取 {body['id']}")
    await says(web.service.store, "lilei", f"跟进 {body['id']} {said}")

    owned, _ = await seen(web, body["id"], PARTNER)
    await says(web.service.store, "lilei", f"放回 {body['id']}")

    for lead in await seen(web, body["id"], PARTNER):
        told = json.dumps(lead, ensure_ascii=False)
        logged = next(line for line in lead["history"] if line["kind"] == "followed")
        assert "欧阳静" not in told
        assert "1234 5678" not in told
        assert (logged["amount"], logged["next_at"]) == (120000, "2026-03-04T07:00:00+00:00")
    assert (owned["masked"], owned["name"]) == (False, "欧阳静")
    assert said in [line["text"] for line in owned["history"]]


async def test_a_key_that_may_sees_the_pool_whole(nobody):
    _, body = await nobody.post(SECRET)

    for lead in await seen(nobody, body["id"], "a-third-random-key"):
        assert (lead["masked"], lead["name"], lead["phone"]) == (False, "欧阳静", f"+86{PHONE}")
        assert lead["fields"] == SECRET["fields"]


@pytest.mark.parametrize(
    "query",
    [f"phone={PHONE}", "phone=5678", f"q={PHONE}", f"search={PHONE}", "name=%E6%AC%A7"],
)
async def test_nobody_is_found_by_the_digits_of_a_number(nobody, query):
    await nobody.post(SECRET)

    status, body = await nobody.get(f"/api/leads?{query}", PARTNER)

    assert (status, "leads" in body) == (422, False)


async def test_digits_that_are_taken_for_a_source_or_a_number_find_nobody(nobody):
    await nobody.post(SECRET)

    _, page = await nobody.get(f"/api/leads?source={PHONE}", PARTNER)
    status, _ = await nobody.get(f"/api/leads/{PHONE}", PARTNER)

    assert (page["leads"], status) == ([], 404)


def test_only_a_key_that_is_there_may_see_whole():
    with pytest.raises(ConfigError, match="no key is called ghost"):
        configured("sqlite+aiosqlite:///x.db", api={"keys": {"website": KEY}, "whole": ["ghost"]})
