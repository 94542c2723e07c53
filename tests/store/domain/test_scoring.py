"""What a lead is worth: who it is, what they did, and whose word counts."""

from dataclasses import replace
from datetime import timedelta

import pytest

from store.domain.lead import Kind, Place
from store.domain.rules import Scale, ScoringRule
from store.domain.scoring import Signal, comes_back, earned, grade, rated, score, signals
from tests.store.domain.leads import CALENDAR_NOW as NOW
from tests.store.domain.leads import LI, lead

DAY = timedelta(days=1)
SCALE = Scale(
    rules=(
        ScoringRule(name="总监", when={"title": "总监"}, points=20),
        ScoringRule(name="百人以上", when={"min_size": 100}, points=10),
        ScoringRule(name="资料全", when={"min_complete": 50}, points=5),
        ScoringRule(name="学生", when={"title": "学生"}, points=-30),
        ScoringRule(name="点链接", when={"event": "link_clicked"}, points=30),
        ScoringRule(
            name="华东下载", when={"event": ("download", "page"), "region": "华东"}, points=8
        ),
    )
)
BIG = {"title": "市场总监", "fields": {"人数": "500人以上"}, "company": "云栖", "region": "上海"}


def clicks(*days_ago):
    return [Signal("link_clicked", NOW - n * DAY) for n in days_ago]


def test_the_profile_counts_by_industry_size_title_region_and_completeness():
    done = score(lead(**BIG), [], NOW, SCALE)

    assert done.why == (("总监", 20), ("百人以上", 10), ("资料全", 5))
    assert (done.points, done.grade) == (35, "D")


def test_what_somebody_did_is_worth_half_after_the_half_life():
    points = [score(lead(), clicks(days), NOW, SCALE).points for days in (0, 14, 28)]

    assert points == [30, 15, 8]


def test_what_is_known_of_somebody_never_fades():
    old = score(lead(**BIG), clicks(28), NOW, SCALE)

    assert dict(old.why) == {"总监": 20, "百人以上": 10, "资料全": 5, "点链接": 8}


def test_a_rule_of_behaviour_adds_up_and_may_ask_who_it_was():
    did = [*clicks(0, 0), Signal("page", NOW), Signal("download", NOW)]

    east = score(lead(region="上海"), did, NOW, SCALE)
    north = score(lead(region="北京"), did, NOW, SCALE)

    assert dict(east.why) == {"点链接": 60, "华东下载": 16}
    assert dict(north.why) == {"点链接": 60}


def test_a_part_says_what_it_was_worth_how_often_and_when_last():
    [part] = score(lead(), clicks(14, 28), NOW, SCALE).parts

    assert (part.points, part.full, part.times) == (22, 60, 2)
    assert part.last == (NOW - 14 * DAY).isoformat()


def test_points_stay_between_nothing_and_a_hundred():
    student = score(lead(title="学生"), [], NOW, SCALE)
    eager = score(lead(), clicks(0, 0, 0, 0), NOW, SCALE)

    assert (student.points, student.why) == (0, (("资料全", 5), ("学生", -30)))
    assert eager.points == 100


@pytest.mark.parametrize(
    ("points", "wanted"), [(80, "A"), (79, "B"), (60, "B"), (40, "C"), (39, "D")]
)
def test_grades_come_from_thresholds(points, wanted):
    assert grade(points, SCALE) == wanted


@pytest.mark.parametrize(
    ("importance", "points"), [("A", 80), ("B", 60), ("C", 40), ("D", 30), ("", 30)]
)
def test_what_was_set_by_hand_wins(importance, points):
    done = score(lead(importance=importance), clicks(0), NOW, SCALE)

    assert (done.points, done.derived) == (points, 30)
    assert done.grade == (importance or "D")


def test_high_by_hand_is_hot_whatever_hot_means():
    assert score(lead(importance="A"), [], NOW, replace(SCALE, hot=95)).points == 95


def test_low_by_hand_stays_low_however_much_they_click():
    assert score(lead(importance="D"), clicks(0, 0, 0), NOW, SCALE).points == 39


def test_the_sum_of_the_parts_is_the_number():
    done = rated(lead(**BIG), clicks(3), NOW, SCALE)

    assert done.score == sum(part.points for part in done.points)


def test_only_what_fades_is_looked_at_again():
    assert rated(lead(**BIG), [], NOW, SCALE).cools_at is None
    assert rated(lead(), clicks(0), NOW, SCALE).cools_at == NOW + DAY
    assert rated(lead(), clicks(200), NOW, SCALE).cools_at is None


@pytest.mark.parametrize(
    ("kind", "data", "names"),
    [
        (Kind.CAPTURED, {"event": "form"}, ["form"]),
        (Kind.CAPTURED, {"event": "nonsense"}, []),
        (Kind.ASKED_AGAIN, {"event": "form"}, ["asked_again", "form"]),
        (Kind.CLICKED, {}, ["link_clicked"]),
        (Kind.SPOKE, {}, ["replied"]),
        (Kind.VISITED, {}, ["page"]),
        (Kind.DOWNLOADED, {}, ["download"]),
        (Kind.OPENED, {}, ["mail_opened"]),
        (Kind.FOLLOWED, {"event": "form"}, []),
    ],
)
def test_a_line_of_the_history_tells_what_the_person_did(kind, data, names):
    assert [signal.event for signal in signals(kind, NOW, data)] == names


def test_the_threshold_qualifies_once_and_says_why():
    change = earned(lead(score=60), NOW, SCALE)

    assert change.lead.qualification == "MQL"
    assert change.event.data == {"qualification": ["UQL", "MQL"], "score": 60}
    assert "60 分" in change.event.text
    assert earned(lead(score=59), NOW, SCALE) is None
    assert earned(lead(score=90, qualification="SQL"), NOW, SCALE) is None


@pytest.mark.parametrize(
    ("before", "after", "back"),
    [
        ({"place": Place.MARKETING, "score": 30}, {"score": 60}, True),
        ({"place": Place.MARKETING, "score": 30}, {"score": 59}, False),
        # It was worth a call before it was returned: what they do now is worth one as well.
        ({"place": Place.MARKETING, "score": 70}, {"score": 75}, True),
        ({"place": Place.POOL, "score": 59}, {"score": 60}, True),
        ({"place": Place.POOL, "score": 60}, {"score": 65}, False),
        ({"place": Place.MARKETING, "score": 30}, {"score": 60, "opted_out_at": NOW}, False),
        ({"owner": LI, "score": 30}, {"score": 60}, False),
        ({"place": Place.POOL, "hold": "hours", "score": 30}, {"score": 60}, False),
        ({"place": Place.MARKETING, "hold": "fields", "score": 30}, {"score": 30}, True),
    ],
)
def test_crossing_the_threshold_dispatches(before, after, back):
    was = lead(**before)

    assert comes_back(was, replace(was, **after), SCALE) is back
