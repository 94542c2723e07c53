"""Org events and approvals, from both transports: what they mean, and everything that means nothing."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.incoming import ApprovalAgreed, DirectoryChanged
from bot.platforms.dingtalk.events import CAME, DIRECTORY, LEFT, Event, heard, of_push
from store.domain.team import Platform
from tests.bot.dingtalk.conftest import settings

DATA = Path(__file__).parents[3] / "../shared/data/dingtalk_events.jsonl"
APPROVAL = {"process_code": "PROC-1", "fields": {"phone": "电话"}}


def known(kind, body, *, id_="e1", corp="ding0corp", approval=()):
    return heard(Event(kind, id_, corp, body), settings(approval=approval))


def published():
    if not DATA.exists():
        return [pytest.param(None, marks=pytest.mark.skip("no ../shared/data"))]
    rows = [json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines()]
    return [pytest.param(row, id=row["id"]) for row in rows]


@pytest.mark.parametrize("row", published())
def test_every_published_event_is_understood_or_ignored(row):
    body = row["expected"]
    if not isinstance(body, dict):
        pytest.skip("not an object")
    corp = str(body.get("eventCorpId") or body.get("CorpId") or "")
    data = body.get("data", body)
    if row["mode"] == "stream":
        kind = str(body.get("eventType", row["event_type"]))
        event = Event(
            kind, str(body.get("eventId", "")), corp, data if isinstance(data, dict) else {}
        )
    else:
        event = of_push(body)

    meant = heard(event, settings(corp_id=corp or "ding0corp"))

    if row["event_type"] in DIRECTORY:
        assert isinstance(meant, DirectoryChanged)
        assert meant.platform == Platform.DINGTALK
        ids = data.get("userId", data.get("userid", ())) if isinstance(data, dict) else ()
        ids = (ids,) if isinstance(ids, str) else tuple(ids)
        assert meant.left == (ids if row["event_type"] == LEFT else ())
        assert meant.joined == (ids if row["event_type"] == CAME else ())
    else:
        assert meant is None


@pytest.mark.parametrize("key", ["userId", "UserId", "user_id", "userid"])
def test_who_left_is_named_however_the_key_is_spelled(key):
    assert known("user_leave_org", {key: ["u1", "u2"]}).left == ("u1", "u2")


def test_somebody_who_came_is_not_somebody_who_left():
    changed = known("user_add_org", {"userId": ["u1"]})

    assert (changed.joined, changed.left) == (("u1",), ())


@pytest.mark.parametrize("kind", ["user_modify_org", "user_active_org", "user_dept_change"])
def test_what_changed_about_somebody_brings_nobody_back(kind):
    """A change reported after the leaving made the leaver a member again."""
    changed = known(kind, {"userId": ["u1"], "timeStamp": "1700000000000"})

    assert (changed.joined, changed.left) == ((), ())


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({"timeStamp": "1700000000000"}, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        ({"timeStamp": 1700000000000}, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        ({"timeStamp": "soon"}, None),
        ({"timeStamp": 10**30}, None),
        ({}, None),
    ],
)
def test_an_event_says_when_it_happened(body, at):
    assert known("user_add_org", {"userId": ["u1"], **body}).at == at


def test_an_event_of_another_corp_is_nobodys():
    assert known("user_leave_org", {"userId": ["u1"]}, corp="ding0other") is None


def test_the_same_event_is_the_same_on_both_transports():
    pushed = {"EventType": "user_leave_org", "CorpId": "ding0corp", "eventId": "e1",
              "EventTime": 1663143335567, "userId": ["u1"]}  # fmt: skip
    streamed = {"userId": ["u1"], "timeStamp": "1663143335567"}

    assert heard(of_push(pushed), settings()) == known("user_leave_org", streamed)


def test_an_event_without_an_id_is_known_by_what_it_says():
    first = known("user_leave_org", {"userId": ["u1"], "timeStamp": "1"}, id_="")
    again = known("user_leave_org", {"userId": ["u1"], "timeStamp": "1"}, id_="")
    other = known("user_leave_org", {"userId": ["u2"], "timeStamp": "1"}, id_="")

    assert first.id == again.id
    assert first.id != other.id


def agreed(**changes):
    body = {
        "processInstanceId": "i1",
        "processCode": "PROC-1",
        "type": "finish",
        "result": "agree",
    }
    return known("bpms_instance_change", body | changes, approval=[APPROVAL])


def test_an_approval_that_was_agreed_to_is_a_form():
    assert agreed() == ApprovalAgreed(id="event-e1", process_code="PROC-1", instance="i1")


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "start", "result": None},
        {"result": "refuse"},
        {"type": "terminate"},
        {"processCode": "PROC-2"},
        {"processInstanceId": ""},
    ],
)
def test_any_other_approval_is_none_of_ours(changes):
    assert agreed(**changes) is None


@pytest.mark.parametrize("body", [{}, {"userId": None}, {"userId": 7}, {"userId": [7, None, ""]}])
def test_nonsense_names_nobody(body):
    assert known("user_leave_org", body).left == ()
