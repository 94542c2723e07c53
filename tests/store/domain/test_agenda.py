"""The order to work in: deadline, score, the source's own conversion."""

from dataclasses import replace
from datetime import timedelta

from store.domain.agenda import in_working_order, rates
from tests.store.domain.leads import CALENDAR_NOW as NOW
from tests.store.domain.leads import LI, RULES, lead

HOUR = timedelta(hours=1)


def order(*leads, rate=None):
    rows = in_working_order(leads, RULES.limits, RULES.calendar, rate or {})
    return [int(one.id) for one in rows]


def called(number, **more):
    return lead(owner=LI, accepted=True, contacted=True, **{"id": number, **more})


def test_the_earlier_deadline_comes_first_whatever_the_score():
    soon = called(1, next_at=NOW + HOUR, score=10)
    later = called(2, next_at=NOW + 2 * HOUR, score=90)
    first_call = lead(owner=LI, accepted=True, id=3)  # until 10:30

    assert order(later, soon, first_call) == [3, 1, 2]


def test_at_one_minute_the_better_lead_comes_first():
    at = NOW + HOUR

    assert order(
        called(1, next_at=at, score=40), called(2, next_at=at + timedelta(seconds=20), score=70)
    ) == [2, 1]


def test_of_equal_ones_the_source_that_sells_comes_first():
    at = NOW + HOUR
    expo = replace(called(1, next_at=at), source="expo")
    website = replace(called(2, next_at=at), source="website")
    learned = rates({"expo": (1, 50), "website": (10, 50)})

    assert order(expo, website, rate=learned) == [2, 1]


def test_a_source_of_one_lucky_lead_is_taken_for_average():
    learned = rates({"lucky": (1, 1), "steady": (60, 100)})

    assert learned["lucky"] < 0.7
    assert learned["steady"] > 0.59


def test_a_team_without_history_prefers_no_source():
    assert rates({}) == {}
    assert rates({"website": (0, 5), "expo": (0, 1)}) == {"website": 0.0, "expo": 0.0}
