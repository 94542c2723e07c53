"""When the clock acts: the number shown is the number enforced."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.domain.deadlines import (
    Policy,
    accept_by,
    extendable,
    extension,
    reclaim_at,
    respond_by,
    schedule,
)
from store.domain.followup import read_follow_up
from store.domain.lead import Due, Place, Stage
from tests.store.domain.leads import CALENDAR_NOW as NOW
from tests.store.domain.leads import CHEN, HAN, LI, RULES, lead

LIMITS, CALENDAR = RULES.limits, RULES.calendar
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def planned(one):
    return schedule(one, LIMITS, CALENDAR)


def test_an_offer_lapses_after_five_working_minutes():
    offered = planned(lead(owner=LI))

    assert (offered.due, offered.due_at) == (Due.ACCEPT, NOW + timedelta(minutes=5))
    assert accept_by(offered, LIMITS, CALENDAR) == offered.due_at


def test_an_offer_of_sunday_waits_for_monday():
    sunday = datetime(2026, 3, 1, 2, tzinfo=UTC)

    offered = planned(lead(owner=LI, at=sunday))

    assert offered.due_at == datetime(2026, 3, 2, 1, 5, tzinfo=UTC)  # Monday 09:05


def test_the_response_target_skips_the_lunch_pause():
    noon = datetime(2026, 3, 2, 3, 50, tzinfo=UTC)  # 11:50

    assert respond_by(lead(owner=LI, at=noon), LIMITS, CALENDAR) == datetime(
        2026, 3, 2, 5, 50, tzinfo=UTC  # 13:50: ten minutes before twelve, twenty after half past one
    )  # fmt: skip


def test_hot_leads_are_called_within_five_minutes():
    hot = lead(owner=LI, score=80)

    assert respond_by(hot, LIMITS, CALENDAR) - NOW == timedelta(minutes=5)


def test_nobody_called_means_warning_then_reclaim():
    late = planned(lead(owner=LI, accepted=True, late_at=NOW))
    at, why = reclaim_at(late, LIMITS, CALENDAR)

    assert late.due == Due.WARN
    assert late.due_at < at
    assert why == "没有及时联系"
    assert CALENDAR.between(NOW, at) == LIMITS.no_contact


def test_each_warning_comes_once_and_the_reclaim_in_any_case():
    one = planned(lead(owner=LI, accepted=True, late_at=NOW))
    seen = []
    while one.due == Due.WARN:
        seen.append(one.due_at)
        one = planned(one.warn(one.due_at).lead)

    assert len(seen) == len(set(seen)) >= 2
    assert one.due == Due.RECLAIM
    assert planned(replace(one, swept_at=one.due_at + DAY)).due == Due.RECLAIM


def test_nobody_is_warned_in_the_night():
    placed = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
    one = planned(lead(owner=LI, accepted=True, late_at=placed, at=placed))
    while one.due == Due.WARN:
        assert CALENDAR.is_open(one.due_at)
        one = planned(one.warn(one.due_at).lead)


def warnings_of(one):
    told, one = [], planned(one)
    while one.due == Due.WARN:
        told.append(one.due_at)
        one = planned(one.warn(one.due_at).lead)
    return told


def test_what_is_reclaimed_on_a_sunday_is_warned_of_in_working_time():
    """The only warning came a minute before, on the Sunday."""
    sunday = datetime(2026, 3, 22, 2, 0, tzinfo=UTC)
    worked = lead(owner=LI, accepted=True, contacted=True, stage=Stage.FOLLOWING)
    late = replace(worked, followed_at=NOW + 13 * DAY, swept_at=NOW + 13 * DAY)

    assert reclaim_at(late, LIMITS, CALENDAR)[0] == sunday
    assert warnings_of(late) == [
        datetime(2026, 3, 20, 2, 30, tzinfo=UTC)
        - timedelta(minutes=90),  # a workday before: 09:00
        datetime(2026, 3, 20, 8, 30, tzinfo=UTC),  # two working hours before: Friday 16:30
    ]


def test_a_warning_leaves_two_working_hours_also_first_thing_in_the_morning():
    """It came at 09:00 for 09:10."""
    at = datetime(2026, 3, 2, 1, 10, tzinfo=UTC)  # Monday 09:10
    worked = lead(owner=LI, accepted=True, contacted=True, stage=Stage.FOLLOWING, at=at)

    assert warnings_of(worked)[-1] == datetime(2026, 3, 13, 8, 40, tzinfo=UTC)  # Friday 16:40


def test_a_warning_comes_before_the_leave_in_which_it_would_be_too_late():
    week = away(NOW + 11 * DAY, NOW + 18 * DAY)
    begun = NOW - 3 * DAY + HOUR
    worked = lead(owner=week, accepted=True, contacted=True, stage=Stage.FOLLOWING, at=begun)

    told = warnings_of(worked)

    assert reclaim_at(worked, LIMITS, CALENDAR)[0] == NOW + 18 * DAY + HOUR
    assert len(told) == 2
    assert all(moment < NOW + 11 * DAY for moment in told)


def test_a_followed_lead_is_reclaimed_after_the_nearest_of_the_limits():
    worked = lead(owner=LI, accepted=True, contacted=True, stage=Stage.FOLLOWING)

    assert reclaim_at(worked, LIMITS, CALENDAR) == (NOW + 14 * DAY, "一直没有转化")


def test_following_up_protects_but_never_past_the_hard_maximum():
    worked = lead(owner=LI, accepted=True, contacted=True, stage=Stage.FOLLOWING)
    late = replace(worked, followed_at=NOW + 13 * DAY)

    assert reclaim_at(late, LIMITS, CALENDAR)[0] == NOW + LIMITS.hard_max


def test_an_extension_moves_the_number_that_is_enforced():
    fresh = lead(owner=LI, accepted=True)
    more = replace(fresh, extended=True)

    assert reclaim_at(more, LIMITS, CALENDAR)[0] - reclaim_at(fresh, LIMITS, CALENDAR)[0] == (
        LIMITS.extend
    )
    assert extension(fresh, LIMITS, CALENDAR) == LIMITS.extend


def test_an_extension_ends_at_the_hard_maximum():
    """It took a lead of 20 days to 27."""
    worked = lead(owner=LI, accepted=True, contacted=True, stage=Stage.FOLLOWING)
    late = replace(worked, followed_at=NOW + 13 * DAY)

    for one in (worked, late):
        extended = replace(one, extended=True)
        assert reclaim_at(extended, LIMITS, CALENDAR) == (NOW + 20 * DAY, "一直没有转化")
    assert extension(worked, LIMITS, CALENDAR) == 6 * DAY
    assert extendable(worked, LIMITS, CALENDAR)
    assert extension(late, LIMITS, CALENDAR) == 0 * DAY
    assert not extendable(late, LIMITS, CALENDAR)


def test_what_takes_a_lead_at_the_hard_maximum_is_that_it_was_not_converted():
    worked = lead(owner=LI, accepted=True, contacted=True, stage=Stage.FOLLOWING)
    quiet = replace(LIMITS, no_follow_up=5 * DAY, protect=DAY, hard_max=8 * DAY)

    assert reclaim_at(worked, quiet, CALENDAR) == (NOW + 5 * DAY, "太久没有跟进")
    assert reclaim_at(replace(worked, extended=True), quiet, CALENDAR) == (
        NOW + 8 * DAY, "一直没有转化",
    )  # fmt: skip


def test_a_policy_has_its_own_hard_maximum_for_an_extension_too():
    short = with_policies(Policy(name="expo", spans={"hard_max": 15 * DAY}))
    worked = lead(owner=LI, accepted=True, contacted=True, stage=Stage.FOLLOWING)

    assert extension(worked, short, CALENDAR) == DAY


def test_idle_leads_of_the_pool_go_to_marketing():
    pooled = planned(lead())

    assert (pooled.due, pooled.due_at) == (Due.IDLE, NOW + 30 * DAY)


def test_nothing_is_due_for_what_is_closed_or_nurtured():
    for one in (lead(owner=LI, stage=Stage.WON), lead(place=Place.MARKETING)):
        assert (planned(one).due, planned(one).due_at) == (Due.NONE, None)


def away(start, end):
    return replace(LI, away=((start, end),))


def test_a_deadline_in_working_time_skips_the_owners_leave():
    tuesday = datetime(2026, 3, 2, 16, tzinfo=UTC)
    absent = away(tuesday, tuesday + DAY)

    here = reclaim_at(lead(owner=LI, accepted=True), LIMITS, CALENDAR)[0]
    gone = reclaim_at(lead(owner=absent, accepted=True), LIMITS, CALENDAR)[0]

    assert gone - here == DAY
    assert CALENDAR.between(NOW, gone) == LIMITS.no_contact + timedelta(hours=8)


@pytest.mark.parametrize(
    ("more", "days"),
    [
        ({"called_at": NOW}, 15),  # never followed up
        ({"contacted_at": NOW, "called_at": NOW}, 14),  # no deal
        ({"contacted_at": NOW, "called_at": NOW, "followed_at": NOW + 4 * DAY}, 14),
        ({"contacted_at": NOW, "called_at": NOW, "followed_at": NOW + 5 * DAY}, 15),
        (
            {
                "contacted_at": NOW,
                "called_at": NOW,
                "followed_at": NOW + 5 * DAY,
                "extended": True,
            },
            20,
        ),
        ({"called_at": NOW, "extended": True}, 22),
    ],
)
def test_no_day_of_leave_counts_for_the_number_shown_and_enforced(more, days):
    """Who was on leave for a week came back to a pool with their leads in it."""
    week = away(NOW + 6 * DAY, NOW + 13 * DAY)
    here = lead(owner=LI, accepted=True, stage=Stage.FOLLOWING, **more)
    gone = replace(here, owner=week)

    at, _ = reclaim_at(gone, LIMITS, CALENDAR)
    swept = planned(replace(gone, swept_at=at))

    assert reclaim_at(here, LIMITS, CALENDAR)[0] == NOW + days * DAY
    assert at == NOW + (days + 7) * DAY
    assert (swept.due, swept.due_at) == (Due.RECLAIM, at)


def test_who_takes_over_from_somebody_on_leave_has_the_time_that_was_kept():
    """What the leave had kept was reclaimed the moment somebody else had it."""
    month = away(NOW + 2 * DAY, NOW + 32 * DAY)
    worked = lead(owner=month, accepted=True, contacted=True, stage=Stage.FOLLOWING)
    after = NOW + 25 * DAY

    change = worked.transfer(CHEN, HAN, after)

    assert reclaim_at(change.lead, LIMITS, CALENDAR)[0] == after + 23 * DAY
    assert change.event.data["spare"] == (after + 23 * DAY).isoformat()


def test_nothing_is_due_of_who_wants_to_be_left_alone_while_somebody_has_them():
    """The rep was told to call, warned and robbed of the lead for not having called."""
    for one in (
        lead(owner=LI),
        lead(owner=LI, accepted=True),
        lead(owner=LI, accepted=True, contacted=True, stage=Stage.FOLLOWING),
    ):
        left = planned(one.opt_out(NOW, "别再联系").lead)

        assert (left.due, left.due_at, left.waits) == (Due.NONE, None, False)
        assert accept_by(left, LIMITS, CALENDAR) is None
        assert reclaim_at(left, LIMITS, CALENDAR) is None


def test_the_time_in_which_nobody_was_to_call_counts_for_nothing():
    """A month after the withdrawal they asked again, and the lead was reclaimed at once."""
    month = NOW + 30 * DAY
    left = lead(owner=LI, accepted=True, contacted=True, stage=Stage.FOLLOWING)
    left = left.opt_out(NOW + DAY, "别再联系").lead

    again = replace(left, asked_at=month)

    assert reclaim_at(again, LIMITS, CALENDAR)[0] == month + 14 * DAY
    assert respond_by(again, LIMITS, CALENDAR) > month


def test_the_last_of_several_withdrawals_counts():
    """Who had asked again after the first one was called after the second."""
    first = lead(owner=LI, accepted=True).opt_out(NOW, "别再联系").lead
    asked = replace(first, asked_at=NOW + DAY)

    again = asked.opt_out(NOW + 2 * DAY, "说了别再联系").lead

    assert (asked.left_alone, again.left_alone) == (False, True)


def test_the_response_target_waits_for_who_is_away():
    absent = away(NOW - DAY, NOW + timedelta(hours=4))  # back at 14:00

    assert respond_by(lead(owner=absent), LIMITS, CALENDAR) == NOW + timedelta(hours=4, minutes=30)


def test_an_offer_does_not_wait_for_who_goes_on_leave():
    absent = away(NOW + timedelta(minutes=2), NOW + DAY)

    assert accept_by(lead(owner=absent), LIMITS, CALENDAR) == NOW + timedelta(minutes=2)


# -- policies, and days shown = days enforced ---------------------------------------


def with_policies(*policies, **limits):
    return replace(LIMITS, policies=policies, **limits)


def test_a_policy_has_its_own_spans_for_its_stage_score_and_source():
    expo = Policy(
        name="expo",
        when={"source": "expo", "stage": ("following",), "min_score": 60},
        spans={"no_conversion": 5 * DAY, "no_follow_up": 3 * DAY, "protect": DAY},
    )
    limits = with_policies(expo)
    worked = lead(
        owner=LI, accepted=True, contacted=True, stage=Stage.FOLLOWING, source="expo", score=70
    )

    assert reclaim_at(worked, limits, CALENDAR) == (NOW + 3 * DAY, "太久没有跟进")
    for other in ({"source": "website"}, {"score": 50}, {"stage": Stage.QUOTED}):
        assert reclaim_at(replace(worked, **other), limits, CALENDAR)[0] == NOW + 14 * DAY


def test_an_exempt_stage_is_never_reclaimed():
    quoted = planned(lead(owner=LI, accepted=True, contacted=True, stage=Stage.QUOTED))
    limits = replace(LIMITS, exempt_stages=("quoted",))
    vip = with_policies(Policy(name="vip", when={"min_score": 0}, exempt=True))

    assert quoted.due_at is not None
    for exempt in (limits, vip):
        assert reclaim_at(quoted, exempt, CALENDAR) is None
        assert schedule(quoted, exempt, CALENDAR).due == Due.NONE


def test_a_word_does_not_protect_and_a_talk_does():
    worked = lead(owner=LI, accepted=True, contacted=True, stage=Stage.FOLLOWING)
    at = NOW + 9 * DAY
    word = worked.follow(LI, read_follow_up("打通了", at, RULES.zone), at).lead
    talk = worked.follow(LI, read_follow_up("电话 聊了报价和实施计划", at, RULES.zone), at).lead

    assert reclaim_at(word, LIMITS, CALENDAR)[0] == NOW + 14 * DAY
    assert reclaim_at(talk, LIMITS, CALENDAR)[0] == NOW + 19 * DAY


def test_never_followed_is_not_stale_for_ever():
    """Whoever was only called once is stale 15 days after that, not since the beginning of time."""
    once = replace(
        lead(owner=LI, accepted=True, contacted=True, stage=Stage.FOLLOWING), followed_at=None
    )

    assert reclaim_at(once, replace(LIMITS, no_conversion=99 * DAY, hard_max=99 * DAY), CALENDAR) == (
        NOW + 15 * DAY, "太久没有跟进",
    )  # fmt: skip


def test_never_followed_is_not_stale_since_it_was_captured():
    """Who is given a lead of last quarter and calls has the whole time for the next talk."""
    old = lead(
        owner=LI, accepted=True, contacted_at=NOW, called_at=NOW, stage=Stage.FOLLOWING,
        captured_at=NOW - 90 * DAY, asked_at=NOW - 90 * DAY,
    )  # fmt: skip

    assert reclaim_at(old, replace(LIMITS, no_conversion=99 * DAY, hard_max=99 * DAY), CALENDAR) == (
        NOW + 15 * DAY, "太久没有跟进",
    )  # fmt: skip


def test_a_protection_longer_than_the_follow_up_limit_holds():
    worked = lead(owner=LI, accepted=True, contacted=True, stage=Stage.FOLLOWING)

    assert reclaim_at(worked, replace(LIMITS, no_follow_up=3 * DAY), CALENDAR)[0] == NOW + 10 * DAY


moments = st.integers(0, 40 * 24).map(lambda hours: NOW + timedelta(hours=hours))


@given(
    contacted=st.none() | moments, followed=st.none() | moments, extended=st.booleans(),
    spare=st.none() | moments, days=st.integers(1, 30),
)  # fmt: skip
def test_days_shown_are_days_enforced(contacted, followed, extended, spare, days):
    """Whatever happened, the sweep takes a lead at the moment its card has shown, not before."""
    limits = replace(LIMITS, no_follow_up=days * DAY)
    one = lead(
        owner=LI, accepted=True, late_at=NOW, contacted_at=contacted, called_at=contacted,
        followed_at=followed if contacted else None, extended=extended, spare_at=spare,
    )  # fmt: skip
    shown, _ = reclaim_at(one, limits, CALENDAR)

    swept = schedule(one, limits, CALENDAR)
    warnings = 0
    while swept.due == Due.WARN:
        warnings += 1
        assert swept.due_at < shown
        swept = schedule(swept.warn(swept.due_at).lead, limits, CALENDAR)

    assert (swept.due, swept.due_at) == (Due.RECLAIM, shown)
    assert warnings <= len(limits.warn_before) + 1


@given(followed=moments, contacted=moments, extended=st.booleans())
def test_nothing_protects_past_the_hard_maximum(followed, contacted, extended):
    one = lead(
        owner=LI, accepted=True, contacted_at=contacted, called_at=followed, followed_at=followed,
        extended=extended,
    )  # fmt: skip

    assert reclaim_at(one, LIMITS, CALENDAR)[0] <= contacted + LIMITS.hard_max
