from datetime import UTC, datetime, timedelta

import pytest

from bot.sandbox.clock import MovableClock


def test_it_shows_the_real_time_in_utc_until_it_is_moved():
    before = datetime.now(UTC)

    shown = MovableClock()()

    assert before <= shown <= datetime.now(UTC)
    assert shown.tzinfo is UTC


def test_moved_forward_it_goes_on_from_there():
    clock = MovableClock()
    real, before = datetime.now(UTC), clock()

    clock.forward(timedelta(days=1))

    moved = clock() - before - timedelta(days=1)
    assert timedelta(0) <= moved <= datetime.now(UTC) - real


def test_at_speed_3600_an_hour_passes_in_a_second():
    clock = MovableClock(speed=3600)
    shown, real = clock(), datetime.now(UTC)

    while (passed := datetime.now(UTC) - real) < timedelta(milliseconds=20):
        pass

    assert clock() - shown >= passed * 3000


@pytest.mark.parametrize("speed", [0, -1])
def test_a_clock_never_stands_still_or_runs_back(speed):
    with pytest.raises(ValueError, match="forward"):
        MovableClock(speed=speed)
    with pytest.raises(ValueError, match="forward"):
        MovableClock().forward(timedelta(seconds=-1))
