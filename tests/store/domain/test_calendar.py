import gc
import sys
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.domain.calendar import WorkCalendar, opening_of, quiet, workdays_of

SHANGHAI = ZoneInfo("Asia/Shanghai")
OFFICE = WorkCalendar(SHANGHAI)  # 09:00-12:00, 13:30-18:30: eight hours
NIGHT = (time(21), time(9))
ALWAYS = WorkCalendar(SHANGHAI, always_open=True)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


def test_a_sunday_lead_is_due_half_an_hour_after_monday_opens():
    due = OFFICE.add(at("2026-11-22 15:00"), timedelta(minutes=30))

    assert due == at("2026-11-23 09:30")
    assert due.tzinfo is UTC


def test_a_lead_of_two_in_the_morning_waits_for_the_opening():
    assert OFFICE.opens(at("2026-11-24 02:00")) == at("2026-11-24 09:00")


def test_what_arrives_while_open_does_not_wait():
    assert OFFICE.opens(at("2026-11-24 10:17")) == at("2026-11-24 10:17")


@pytest.mark.parametrize(
    ("arrives", "opens"),
    [
        ("2026-11-24 12:00", "2026-11-24 13:30"),  # the pause begins
        ("2026-11-24 18:30", "2026-11-25 09:00"),  # the day ends
        ("2026-11-27 19:00", "2026-11-30 09:00"),  # a Friday evening
        ("2026-02-14 19:00", "2026-02-24 09:00"),  # the evening before Spring Festival
    ],
)
def test_a_closed_moment_opens_at_the_next_working_minute(arrives, opens):
    assert OFFICE.opens(at(arrives)) == at(opens)


def test_the_lunch_pause_is_not_counted():
    assert OFFICE.add(at("2026-11-24 11:50"), timedelta(minutes=30)) == at("2026-11-24 13:50")
    assert OFFICE.between(at("2026-11-24 11:00"), at("2026-11-24 14:00")) == hours(1.5)


def test_an_end_on_closing_time_stays_on_that_day():
    assert OFFICE.add(at("2026-11-24 09:00"), hours(8)) == at("2026-11-24 18:30")
    assert OFFICE.add(at("2026-11-24 09:00"), hours(3)) == at("2026-11-24 12:00")


def test_twenty_four_working_hours_are_three_days():
    assert OFFICE.add(at("2026-11-24 10:00"), hours(24)) == at("2026-11-27 10:00")


def test_the_make_up_saturday_works_and_the_exchanged_monday_does_not():
    assert OFFICE.is_workday(date(2026, 2, 14))
    assert OFFICE.is_open(at("2026-02-14 10:00"))
    assert not OFFICE.is_workday(date(2026, 2, 16))
    assert not OFFICE.is_open(at("2026-02-16 10:00"))


def test_spring_festival_2026_is_closed_for_nine_days():
    closed = [day for day in range(15, 24) if not OFFICE.is_workday(date(2026, 2, day))]

    assert closed == list(range(15, 24))
    assert OFFICE.next_workday(date(2026, 2, 14)) == date(2026, 2, 24)
    assert OFFICE.add(at("2026-02-14 18:00"), hours(1)) == at("2026-02-24 09:30")
    assert OFFICE.between(at("2026-02-14 18:30"), at("2026-02-24 09:00")) == timedelta(0)


def test_the_year_2026_has_the_published_number_of_workdays():
    assert len(workdays_of(OFFICE, 2026)) == 248  # 261 weekdays - 19 of them off + 6 made up


def test_the_teams_own_days_win_over_the_published_ones():
    ours = WorkCalendar(
        SHANGHAI,
        holidays=frozenset({date(2026, 2, 14)}),
        extra_workdays=frozenset({date(2026, 2, 16)}),
    )

    assert not ours.is_workday(date(2026, 2, 14))
    assert ours.is_workday(date(2026, 2, 16))
    assert not ours.is_holiday(date(2026, 2, 16))


def test_an_unpublished_year_falls_back_to_plain_weekdays():
    assert OFFICE.known_year(2026)
    assert not OFFICE.known_year(2035)
    assert OFFICE.is_workday(date(2035, 10, 1))  # a Monday nobody has spoken of yet
    assert not OFFICE.is_workday(date(2035, 10, 6))


def test_one_holiday_of_our_own_makes_no_year_known():
    """A company day of March silenced the warning that nobody knows 春节."""
    ours = WorkCalendar(SHANGHAI, holidays=frozenset({date(2035, 10, 1)}))

    assert not ours.known_year(2035)
    assert ours.unknown_soon(date(2034, 12, 1)) == 2035
    assert not ours.is_workday(date(2035, 10, 1))


def test_always_open_is_plain_addition():
    assert ALWAYS.add(at("2026-02-15 03:00"), hours(25)) == at("2026-02-16 04:00")
    assert ALWAYS.between(at("2026-02-15 03:00"), at("2026-02-16 04:00")) == hours(25)
    assert ALWAYS.opens(at("2026-02-15 03:00")) == at("2026-02-15 03:00")
    assert ALWAYS.is_open(at("2026-02-15 03:00"))


def test_hours_may_overlap_touch_and_come_in_any_order():
    messy = WorkCalendar(
        SHANGHAI, hours=((time(11), time(18)), (time(9), time(12)), (time(18), time(19)))
    )

    assert messy.add(at("2026-11-24 08:00"), hours(10)) == at("2026-11-24 19:00")


def test_hours_that_end_at_midnight_or_later_go_on_after_it():
    late = WorkCalendar(SHANGHAI, hours=((time(18), time(0)),))
    night = WorkCalendar(SHANGHAI, hours=((time(22), time(2)),))

    assert late.add(at("2026-11-24 23:00"), hours(2)) == at("2026-11-25 19:00")
    assert night.is_open(at("2026-11-24 01:00"))
    assert night.add(at("2026-11-24 23:00"), hours(2)) == at("2026-11-25 01:00")


def test_hours_over_midnight_belong_to_the_day_they_begin_on():
    """Friday's shift was over at midnight, and Monday began with two hours of Sunday's."""
    night = WorkCalendar(SHANGHAI, hours=((time(22), time(2)),))

    assert night.is_open(at("2026-11-28 01:00"))  # Saturday, still Friday's
    assert not night.is_open(at("2026-11-23 01:00"))  # Monday: nobody began on Sunday
    assert night.add(at("2026-11-27 23:00"), hours(4)) == at("2026-11-30 23:00")
    assert night.between(at("2026-11-27 12:00"), at("2026-11-30 12:00")) == hours(4)
    assert night.ago(at("2026-11-30 23:00"), hours(4)) == at("2026-11-27 23:00")


@pytest.mark.parametrize(
    ("hours", "moment", "opens"),
    [
        ((("22:00", "02:00"),), "2026-11-24 12:00", "2026-11-24 22:00"),
        ((("22:00", "02:00"),), "2026-11-24 01:00", "2026-11-24 01:00"),
        ((("22:00", "02:00"),), "2026-11-24 03:00", "2026-11-24 22:00"),
        ((("22:00", "02:00"),), "2026-11-28 03:00", "2026-11-30 22:00"),  # Saturday
        ((("20:00", "23:00"), ("23:30", "03:00")), "2026-11-24 23:10", "2026-11-24 23:10"),
        ((("20:00", "23:30"), ("00:30", "03:00")), "2026-11-24 12:00", "2026-11-24 20:00"),
        ((("09:00", "12:00"), ("13:30", "18:30")), "2026-11-24 12:30", "2026-11-24 12:30"),
        ((("09:00", "12:00"), ("13:30", "18:30")), "2026-11-24 19:00", "2026-11-25 09:00"),
    ],
)
def test_only_a_pause_of_the_workday_is_no_night(hours, moment, opens):
    """At noon people who work from ten in the evening on were taken to be at lunch."""
    spans = tuple((time.fromisoformat(a), time.fromisoformat(b)) for a, b in hours)

    assert opening_of(at(moment), WorkCalendar(SHANGHAI, hours=spans)) == at(opens)


def test_nobody_can_work_in_a_calendar_without_hours():
    with pytest.raises(ValueError, match="needs hours"):
        WorkCalendar(SHANGHAI, hours=())
    with pytest.raises(ValueError, match="needs hours"):
        WorkCalendar(SHANGHAI, workdays=())


def test_a_naive_instant_and_a_negative_span_are_refused():
    with pytest.raises(ValueError, match="time zone"):
        OFFICE.add(datetime(2026, 11, 24, 9), hours(1))  # noqa: DTZ001 - the point of the test
    with pytest.raises(ValueError, match="forward"):
        OFFICE.add(at("2026-11-24 09:00"), hours(-1))


def test_a_lead_of_ninety_days_costs_what_a_new_one_costs():
    start = at("2026-01-05 10:00")
    away = ((at("2026-01-20 00:00"), at("2026-01-23 00:00")),)

    def steps(days):
        return [
            _steps(lambda: OFFICE.add(start, timedelta(days=days) / 3)),
            _steps(lambda: OFFICE.between(start, start + timedelta(days=days))),
            _steps(lambda: OFFICE.add(start, timedelta(days=days) / 3, away)),
        ]

    for days in (30, 90, 900):  # the years are listed once
        steps(days)

    month, quarter, ancient = steps(30), steps(90), steps(900)

    assert all(abs(a - b) <= 10 for a, b in zip(month, quarter, strict=True))  # where it lands
    assert all(a <= b + 20 for a, b in zip(ancient, quarter, strict=True))  # a few lines a year


def _steps(work) -> int:
    """How many lines of Python ``work`` runs, in whatever time."""
    count = 0

    def trace(frame, event, arg):
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    gc.disable()  # Hypothesis has lines that run whenever rubbish is collected
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
        gc.enable()
    return count


def test_what_somebody_declared_wins_over_everything():
    saturday, monday = date(2026, 3, 7), date(2026, 3, 9)

    ours = OFFICE.declared({saturday: True, monday: False, date(2026, 2, 16): True})

    assert ours.is_workday(saturday)
    assert not ours.is_workday(monday)
    assert ours.is_holiday(monday)
    assert ours.is_workday(date(2026, 2, 16))
    assert ours.declared({saturday: False}) == OFFICE.declared(
        {saturday: False, monday: False, date(2026, 2, 16): True}
    )


def test_a_day_declared_off_makes_no_year_known():
    ours = OFFICE.declared({date(2035, 5, 4): False})

    assert not ours.known_year(2035)
    assert ours.unknown_soon(date(2034, 12, 1)) == 2035
    assert ours.unknown_soon(date(2034, 11, 1)) == 2034
    assert OFFICE.unknown_soon(date(2026, 3, 2)) is None


def test_the_exceptions_are_what_the_weekday_does_not_say():
    days = OFFICE.exceptions(date(2026, 2, 9), 21)

    assert (date(2026, 2, 14), True) in days
    assert (date(2026, 2, 16), False) in days
    assert (date(2026, 2, 28), True) in days
    assert date(2026, 2, 15) not in dict(days)  # a Sunday is off anyway


moments = st.datetimes(
    datetime(2024, 1, 1),  # noqa: DTZ001 - hypothesis wants naive bounds
    datetime(2027, 12, 31),  # noqa: DTZ001
    timezones=st.just(UTC),
)
spans = st.timedeltas(timedelta(0), timedelta(days=60))
calendars = st.sampled_from(
    [
        OFFICE,
        ALWAYS,
        WorkCalendar(SHANGHAI, hours=((time(0), time(0)),), workdays=(1, 2, 3, 4, 5, 6, 7)),
        WorkCalendar(SHANGHAI, hours=((time(20), time(4)),), workdays=(6, 7)),
        WorkCalendar(SHANGHAI, hours=((time(9), time(12)), (time(22), time(2)))),
        WorkCalendar(SHANGHAI, holidays=frozenset({date(2025, 6, n) for n in range(1, 30)})),
    ]
)


@given(calendars, moments, spans)
def test_adding_a_span_and_measuring_it_gives_the_span_back(calendar, start, span):
    assert calendar.between(start, calendar.add(start, span)) == span


@given(calendars, moments, moments, spans, spans)
def test_later_starts_and_longer_spans_never_end_earlier(calendar, a, b, short, long):
    a, b = sorted((a, b))
    short, long = sorted((short, long))

    assert calendar.add(a, short) <= calendar.add(b, short)
    assert calendar.add(a, short) <= calendar.add(a, long)
    assert calendar.between(a, b) >= timedelta(0)
    assert calendar.between(b, a) == -calendar.between(a, b)


@given(calendars, moments)
def test_what_opens_is_open_and_nothing_was_worked_before_it(calendar, moment):
    opens = calendar.opens(moment)

    assert calendar.is_open(opens)
    assert opens >= moment
    assert calendar.between(moment, opens) == timedelta(0) or calendar.always_open


@given(moments, moments)
def test_counting_days_equals_walking_them(a, b):
    a, b = sorted((a, b))
    b = min(b, a + timedelta(days=20))

    walked, moment = timedelta(0), a
    while moment < b:
        midnight = moment.astimezone(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0)
        until = min(b, midnight + timedelta(days=1))
        walked += OFFICE.between(moment, until)
        moment = until

    assert OFFICE.between(a, b) == walked


@pytest.mark.parametrize(
    ("moment", "may"),
    [
        ("2026-11-24 08:59", "2026-11-24 09:00"),
        ("2026-11-24 09:00", "2026-11-24 09:00"),
        ("2026-11-24 20:59", "2026-11-24 20:59"),
        ("2026-11-24 21:00", "2026-11-25 09:00"),
        ("2026-11-25 02:00", "2026-11-25 09:00"),
        ("2026-11-22 11:00", "2026-11-22 11:00"),  # a plain Sunday is not quiet
        ("2026-02-17 11:00", "2026-02-24 09:00"),  # Spring Festival is, every day of it
        ("2026-09-30 22:00", "2026-10-08 09:00"),
    ],
)
def test_prospects_are_left_alone_at_night_and_on_holidays(moment, may):
    assert quiet(at(moment), SHANGHAI, NIGHT, OFFICE) == at(may)


def test_without_quiet_hours_only_holidays_are_quiet():
    assert quiet(at("2026-11-24 23:00"), SHANGHAI, None, OFFICE) == at("2026-11-24 23:00")
    assert quiet(at("2026-10-07 23:00"), SHANGHAI, None, OFFICE) == at("2026-10-08 00:00")


def test_quiet_hours_of_one_day_do_not_wrap():
    noon = (time(12), time(14))

    assert quiet(at("2026-11-24 12:30"), SHANGHAI, noon, OFFICE) == at("2026-11-24 14:00")
    assert quiet(at("2026-11-24 11:59"), SHANGHAI, noon, OFFICE) == at("2026-11-24 11:59")


def test_a_calendar_that_never_closes_knows_no_quiet_holidays():
    assert quiet(at("2026-10-01 11:00"), SHANGHAI, NIGHT, ALWAYS) == at("2026-10-01 11:00")


@pytest.mark.parametrize(
    ("until", "length", "begins"),
    [
        ("2026-11-24 11:00", 2, "2026-11-24 09:00"),
        ("2026-11-24 14:00", 2, "2026-11-24 10:30"),  # over lunch
        ("2026-11-24 14:00", 0.5, "2026-11-24 13:30"),  # not 12:00, when everybody leaves
        ("2026-11-23 09:10", 2, "2026-11-20 16:40"),  # from Monday back to Friday
        ("2026-11-22 10:00", 8, "2026-11-20 09:00"),  # from Sunday
        (
            "2026-02-20 12:00",
            2,
            "2026-02-14 16:30",
        ),  # from the Spring Festival to a made-up Saturday
    ],
)
def test_working_time_is_counted_back_from_when_it_has_to_be_over(until, length, begins):
    assert OFFICE.ago(at(until), timedelta(hours=length)) == at(begins)


def test_counted_back_nobody_works_while_away():
    away = (
        (at("2026-11-23 00:00"), at("2026-11-25 00:00")),
        (at("2026-11-25 09:30"), at("2026-11-25 10:00")),
    )

    assert OFFICE.ago(at("2026-11-25 10:30"), timedelta(hours=2), away) == at("2026-11-20 17:30")
    assert OFFICE.ago(at("2026-11-25 10:30"), timedelta(minutes=30), away) == at(
        "2026-11-25 10:00"
    )


@given(calendar=calendars, moment=moments, minutes=st.integers(1, 5000))
def test_counted_back_and_forth_it_is_the_same(calendar, moment, minutes):
    span = timedelta(minutes=minutes)

    begins = calendar.ago(moment, span)

    assert calendar.is_open(begins)
    assert calendar.between(begins, moment) == span
