"""What goes first, what waits and what a list stands for: the rules alone."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.domain.quota import (
    EDITIONS,
    Allowance,
    Api,
    Level,
    Rank,
    Span,
    Used,
    Verdict,
    Wish,
    decide,
    limited_by,
    meters,
    paid_from,
)
from store.domain.team import Channel

NOW = datetime(2026, 3, 2, 2, 0, 3, tzinfo=UTC)
METERS = meters(Allowance(wecom_accounts=10))
MEMBER, APP, CALLS = (METERS[a] for a in (Api.WECOM_MEMBER, Api.WECOM_APP, Api.DINGTALK_CALLS))


def used(meter, count, at=NOW):
    return Used(meter, [(meter.bucket(at), count)] if count else [])


def wish(rank=Rank.MATTERS, **more):
    return Wish(rank=rank, **({"message": True} | more))


def test_the_first_messages_of_a_minute_go_one_by_one():
    assert decide(wish(listable=True), Level.PLENTY, [used(MEMBER, 14)]) == Verdict.GO


def test_above_that_a_list_stands_for_cards_and_answers_still_go():
    crowded = [used(MEMBER, 15)]

    assert decide(wish(listable=True), Level.PLENTY, crowded) == Verdict.LIST
    assert decide(wish(listable=True, silently=True), Level.PLENTY, crowded) == Verdict.SILENT
    assert decide(wish(Rank.ASKED), Level.PLENTY, crowded) == Verdict.GO


def test_with_no_room_left_even_answers_wait():
    assert decide(wish(Rank.ASKED), Level.PLENTY, [used(MEMBER, 24)]) == Verdict.WAIT


def test_a_change_in_place_uses_no_room():
    silent = wish(Rank.QUIET, message=False, costs=False)

    assert decide(silent, Level.CRITICAL, [used(MEMBER, 30)]) == Verdict.GO


@pytest.mark.parametrize(
    ("level", "gone"),
    [
        (Level.PLENTY, set()),
        (Level.TIGHT, {Rank.QUIET}),
        (Level.CRITICAL, {Rank.KEPT, Rank.QUIET, Rank.EXTRA}),
    ],
)
def test_what_matters_most_goes_however_tight_it_is(level, gone):
    dropped = {rank for rank in Rank if decide(wish(rank), level, []) == Verdict.DROP}

    assert dropped == gone
    assert not dropped & {Rank.MATTERS, Rank.ASKED, Rank.TOLD}


@pytest.mark.parametrize(
    ("count", "level"),
    [(1599, Level.PLENTY), (1600, Level.TIGHT), (1899, Level.TIGHT), (1900, Level.CRITICAL),
     (1999, Level.CRITICAL), (2000, Level.OVER), (5000, Level.OVER)],
)  # fmt: skip
def test_a_day_is_tight_from_four_fifths_critical_from_95_percent_and_over_at_the_end(
    count, level
):
    assert used(APP, count).level == level


def test_a_minute_is_never_tight_it_is_over_too_soon():
    assert used(MEMBER, 30).level == Level.PLENTY


def test_room_comes_when_the_oldest_messages_of_the_minute_are_over():
    at = [NOW - timedelta(seconds=s) for s in (40, 20)]
    full = Used(MEMBER, [(MEMBER.bucket(at[0]), 10), (MEMBER.bucket(at[1]), 14)])

    assert full.room_at(NOW) == MEMBER.bucket(at[0]) + timedelta(seconds=70)


def test_room_for_a_second_mass_message_comes_at_midnight_in_china():
    mass = METERS[Api.WECOM_MASS]

    assert used(mass, 1).room_at(NOW) == datetime(2026, 3, 2, 16, 0, tzinfo=UTC)


def test_the_month_is_a_month_in_china():
    last_evening = datetime(2026, 3, 31, 15, 59, tzinfo=UTC)
    midnight = last_evening + timedelta(minutes=1)

    assert CALLS.bucket(last_evening) == datetime(2026, 2, 28, 16, 0, tzinfo=UTC)
    assert CALLS.bucket(midnight) == midnight == CALLS.ends(last_evening)


def test_the_editions_are_those_dingtalk_sells():
    assert EDITIONS == {"standard": (5_000, 3_000), "professional": (200_000, 50_000)}
    assert CALLS.span == Span.MONTH


def test_wecom_counts_two_hundred_a_day_for_each_account():
    assert APP.allowed == 2000


@pytest.mark.parametrize("span", [Api.WECOM_MEMBER, Api.WECOM_ROBOT, Api.DINGTALK_ROBOT])
def test_we_keep_a_distance_from_the_limits_that_say_nothing(span):
    meter = METERS[span]

    assert meter.most < meter.allowed
    assert meter.alone < meter.most


def test_only_dingtalks_own_webhook_is_a_robot_with_a_limit():
    assert limited_by(Channel.DINGTALK_GROUP, "") == (Api.DINGTALK_ROBOT,)
    assert limited_by(Channel.DINGTALK_GROUP, "cid") == ()
    assert paid_from(Channel.DINGTALK_GROUP, "") == Api.DINGTALK_PUSHES
    assert paid_from(Channel.DINGTALK_GROUP, "cid") == Api.DINGTALK_CALLS
    assert paid_from(Channel.MAIL, "a@b.c") is None


@given(st.lists(st.integers(0, 600), min_size=1, max_size=200))
def test_no_minute_however_cut_holds_more_than_we_use(offsets):
    sent: list[datetime] = []
    for offset in sorted(offsets):
        now = NOW + timedelta(seconds=offset)
        counts: dict[datetime, int] = {}
        for at in sent:
            if MEMBER.bucket(at) >= MEMBER.since(now):
                counts[MEMBER.bucket(at)] = counts.get(MEMBER.bucket(at), 0) + 1
        if decide(wish(Rank.ASKED), Level.PLENTY, [Used(MEMBER, list(counts.items()))]) == "go":
            sent.append(now)

    minute = timedelta(minutes=1)
    assert all(sum(at <= one < at + minute for one in sent) <= MEMBER.most for at in sent)
