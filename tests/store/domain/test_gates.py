"""What keeps a lead from being given out by itself."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from store.domain.deadlines import schedule
from store.domain.gates import brought, closed
from store.domain.lead import Due, Place
from store.domain.rules import Gates
from tests.store.domain.leads import CALENDAR_NOW as NOW
from tests.store.domain.leads import LI, RULES, lead

CALENDAR = RULES.calendar
NIGHT = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)  # Tuesday, 02:00 in Shanghai
OPENING = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)  # Tuesday, 09:00


def gate(one, at=NOW, **gates):
    return closed(one, Gates(**gates), CALENDAR, at)


def test_by_default_only_the_night_keeps_a_lead():
    assert gate(lead(company="", score=0)) is None
    assert gate(lead(), NIGHT) == ("hours", "等开门，3月3日 09:00 派")


@pytest.mark.parametrize(
    ("at", "why"),
    [
        (datetime(2026, 3, 2, 4, 30, tzinfo=UTC), None),  # 12:30: lunch is no night
        (datetime(2026, 3, 2, 10, 31, tzinfo=UTC), "等开门，3月3日 09:00 派"),  # 18:31
        (datetime(2026, 3, 6, 15, 0, tzinfo=UTC), "等开门，3月9日 09:00 派"),  # Friday evening
        (datetime(2026, 3, 7, 3, 0, tzinfo=UTC), "等开门，3月9日 09:00 派"),  # Saturday
        (datetime(2026, 2, 27, 16, 0, tzinfo=UTC), "等开门，2月28日 09:00 派"),  # a make-up Saturday
        (datetime(2026, 10, 1, 3, 0, tzinfo=UTC), "等开门，10月8日 09:00 派"),  # the National Day week
    ],
)  # fmt: skip
def test_the_night_is_over_at_the_next_opening(at, why):
    closed_gate = gate(lead(), at)

    assert (closed_gate.why if closed_gate else None) == why


def test_always_open_knows_no_night():
    always = replace(CALENDAR, always_open=True)

    assert closed(lead(), Gates(), always, NIGHT) is None


def test_the_night_may_be_switched_off():
    assert gate(lead(), NIGHT, working_time=False) is None


def test_what_is_missing_is_named():
    kept = gate(lead(company="云栖"), required=("company", "product", "company_size"))

    assert kept == ("fields", "等资料：产品、公司规模")
    assert gate(lead(product="CRM"), required=("product",)) is None


def test_consent_must_be_known():
    assert gate(lead(), consent=True).name == "consent"
    assert gate(lead(consent_text="同意联系"), consent=True) is None


def test_the_score_or_marketings_word_opens():
    assert gate(lead(score=39), min_score=40) == ("score", "39 分，到 40 分再派")
    assert gate(lead(score=40), min_score=40) is None
    assert gate(lead(score=0, qualification="MQL"), min_score=40) is None


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ({"source": "chat", "rep": "李雷"}, True),
        ({"source": "wecom", "rep": "李雷", "external_userid": "wmX"}, True),
        ({"source": "wecom", "rep": "李雷"}, False),
        ({"source": "website", "rep": "李雷", "external_userid": "wmX"}, False),
        ({"source": "chat"}, False),
    ],
)
def test_what_a_rep_typed_in_or_has_in_wecom_is_what_they_brought(mine, theirs):
    assert brought(lead(**mine)) is theirs


def test_the_nights_lead_is_due_at_the_opening():
    held = lead().wait("hours", "等开门，3月3日 09:00 派", NIGHT).lead

    planned = schedule(held, RULES.limits, CALENDAR)

    assert (planned.place, planned.due, planned.due_at) == (Place.POOL, Due.DISPATCH, OPENING)


def test_what_lacks_something_stays_with_marketing_and_has_no_deadline():
    held = lead().wait("fields", "等资料：公司", NOW).lead

    planned = schedule(held, RULES.limits, CALENDAR)

    assert (planned.place, planned.due_at) == (Place.MARKETING, None)


def test_whoever_is_given_it_holds_it():
    held = lead().wait("hours", "等开门", NOW - timedelta(hours=9)).lead

    assert held.assign(LI, NOW, why="x").lead.hold == ""
