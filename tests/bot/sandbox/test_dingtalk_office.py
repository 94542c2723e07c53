"""What DingTalk counts and what an office asks of it: pace, month, DING, calendar (3.3, 8.3, 8.4)."""

import asyncio
import json
from collections import Counter
from urllib.parse import quote

import pytest

from bot.sandbox.dingtalk.directory import union_id

GROUP = "/v1.0/robot/groupMessages/send"
DING = "/v1.0/robot/ding/send"
MONTH = "Forbidden.AccessDenied.ApiCountLimitForOrg"
AT = {"dateTime": "2026-03-02T10:00:00+08:00", "timeZone": "Asia/Shanghai"}
LATER = {"dateTime": "2026-03-02T11:00:00+08:00", "timeZone": "Asia/Shanghai"}


@pytest.fixture
def dingtalk(product):
    return product.sandbox.dingtalk


@pytest.fixture
def call(product, dingtalk):
    async def call(method, path, body=None, **headers):
        token = {"x-acs-dingtalk-access-token": dingtalk.api.tokens.issue()}
        url = product.settings["dingtalk"]["api_base"] + path
        async with product.session.request(
            method, url, json=body, headers=token | headers
        ) as response:
            return response.status, await response.json()

    return call


@pytest.fixture
def to_group(call, dingtalk):
    org = dingtalk.org
    body = {"robotCode": org.client_id, "openConversationId": org.group_id,
            "msgKey": "sampleText", "msgParam": json.dumps({"content": "x"})}  # fmt: skip
    return lambda: call("POST", GROUP, body)


@pytest.fixture
def events(dingtalk):
    union = quote(union_id(dingtalk.staff.find("zhaomin")), safe="")
    return f"/v1.0/calendar/users/{union}/calendars/primary/events"


@pytest.fixture
def ding(call, dingtalk):
    def ding(**changes):
        body = {"robotCode": dingtalk.org.client_id, "remindType": 1,
                "receiverUserIdList": ["zhaomin"], "content": "30 分钟未跟进", **changes}  # fmt: skip
        return call("POST", DING, body)

    return ding


async def test_of_one_api_twenty_calls_a_second_are_taken(to_group, call, dingtalk):
    """Sixty in a burst were taken: only a switch said that it was too fast."""
    answers = await asyncio.gather(*(to_group() for _ in range(30)))

    statuses = Counter(status for status, _ in answers)
    assert statuses == {200: 20, 403: 10}
    codes = {answer["code"] for status, answer in answers if status == 403}
    assert codes == {"Forbidden.AccessDenied.QpsLimitForAppkeyAndApi"}
    other, _ = await call("GET", "/v1.0/workflow/processInstances?processInstanceId=x")
    assert other == 400  # the instance is unknown: each API has a second of its own


async def test_what_is_too_fast_costs_nothing_of_the_month(to_group, dingtalk):
    dingtalk.api.calls_left = 100

    await asyncio.gather(*(to_group() for _ in range(30)))

    assert dingtalk.api.calls_left == 80


async def test_to_dos_approvals_and_work_notifications_are_paid_for(call, dingtalk, product):
    """A month that was over took them all the same."""
    dingtalk.api.calls_left = 0
    union = quote(union_id(dingtalk.staff.find("zhaomin")), safe="")

    _, todo = await call("POST", f"/v1.0/todo/users/{union}/tasks?operatorId={union}", {})
    _, form = await call("GET", "/v1.0/workflow/processInstances?processInstanceId=x")
    query = {"access_token": dingtalk.api.tokens.issue()}
    base = product.settings["dingtalk"]["oapi_base"]
    notify, person = (
        "/topapi/message/corpconversation/asyncsend_v2",
        "/topapi/v2/user/get",
    )
    async with product.session.post(base + notify, params=query, json={}) as response:
        notified = await response.json()
    async with product.session.post(
        base + person, params=query, json={"userid": "zhaomin"}
    ) as response:
        free = await response.json()

    assert (todo["code"], form["code"], notified["errcode"]) == (MONTH, MONTH, 90020)
    assert free["errcode"] == 0


async def test_a_ding_rings_and_says_whom_it_did_not_reach(ding, product):
    status, answer = await ding(receiverUserIdList=["zhaomin", "nobody"])

    assert (status, answer["failedList"]) == (200, {"staffId.notExisted": ["nobody"]})
    shown = product.sandbox.state.chats["dingtalk:zhaomin"][-1]
    assert shown.body["text"] == "DING：30 分钟未跟进"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"robotCode": "ding-other"}, "invalidParameter.robotCode.auth"),
        ({"remindType": 2}, "ding.serverquota.insufficient"),
        ({"remindType": "1"}, "invalidParameter.remindType"),
        ({"receiverUserIdList": [f"u{n}" for n in range(201)]}, "ding.receivercount.limit"),
        ({"receiverUserIdList": []}, "invalidParameter.receiverUserIdList"),
        ({"content": ""}, "invalidParameter.content"),
    ],
)
async def test_a_wrong_ding_is_refused(ding, changes, code):
    status, answer = await ding(**changes)

    assert (status, answer["code"]) == (400, code)


async def test_a_ding_is_taken_back_once(ding, call, dingtalk):
    _, sent = await ding()
    body = {"robotCode": dingtalk.org.client_id, "openDingId": sent["openDingId"]}

    first, again = [await call("POST", "/v1.0/robot/ding/recall", body) for _ in range(2)]

    assert (first[0], again[0]) == (200, 400)


async def test_an_event_made_twice_with_one_client_token_is_one(call, dingtalk, events):
    body = {"summary": "拜访 #42", "start": AT, "end": LATER}

    first = await call("POST", events, body, **{"x-client-token": "lead-42"})
    again = await call("POST", events, body, **{"x-client-token": "lead-42"})

    assert first == again
    assert first[0] == 200
    assert len(dingtalk.calendar.events) == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"summary": ""}, "invalidParameter.summary"),
        ({"end": AT}, "invalidParameter.end"),
        ({"start": {"dateTime": "2026-03-02T10:00:00+08:00"}}, "invalidParameter.time"),
        ({"isAllDay": True}, "invalidParameter.time"),
        ({"attendees": [{"id": "zhaomin"}]}, "invalidParameter.userId"),
    ],
)
async def test_a_wrong_event_is_refused(call, events, changes, code):
    body = {"summary": "拜访 #42", "start": AT, "end": LATER, **changes}

    status, answer = await call("POST", events, body)

    assert (status, answer["code"]) == (400, code)
