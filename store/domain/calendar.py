"""
Working time: weekly hours, lunch pause, public holidays and make-up workdays (调休).

The public calendar is the one chinesecalendar publishes; what the team writes in
its configuration wins over it. In a year nobody has published yet plain
weekdays decide, and ``known_year`` says so.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

from chinese_calendar import constants as published

from store.domain.team import Away

Span = tuple[time, time]

DAY = timedelta(days=1)
AHEAD = timedelta(days=45)
"""The days off of a year are published in November of the one before."""
NOTHING = timedelta(0)
MIDNIGHT = time()
OFFICE_HOURS = ((time(9), time(12)), (time(13, 30), time(18, 30)))
MONDAY_TO_FRIDAY = (1, 2, 3, 4, 5)
PUBLIC_HOLIDAYS = frozenset(published.holidays)
MAKE_UP_WORKDAYS = frozenset(published.workdays)
PUBLISHED = frozenset(day.year for day in PUBLIC_HOLIDAYS)


@dataclass(frozen=True, slots=True)
class WorkCalendar:
    """The hours a team works.

    ``hours`` are wall-clock times of ``zone``, in any order; one that ends at or
    before its start goes on after midnight, and all of it belongs to the date it
    begins on: Friday's 22:00-02:00 is over on Saturday at two.
    ``workdays`` count from 1 = Monday. ``always_open`` makes every hour of every
    day working time.

    Raises ValueError when no hour could ever be working time.
    """

    zone: ZoneInfo
    hours: tuple[Span, ...] = OFFICE_HOURS
    workdays: tuple[int, ...] = MONDAY_TO_FRIDAY
    holidays: frozenset[date] = frozenset()
    extra_workdays: frozenset[date] = frozenset()
    always_open: bool = False
    days_off: frozenset[date] = frozenset()
    """Declared off by hand: they win, and make no year known."""

    def __post_init__(self) -> None:
        if not self.always_open and not (self.hours and set(self.workdays) & set(range(1, 8))):
            raise ValueError("a calendar needs hours and workdays, or always_open")

    def declared(self, days: Mapping[date, bool]) -> "WorkCalendar":
        """This calendar with days somebody has declared on (True) or off, over all others."""
        on = frozenset(day for day, works in days.items() if works)
        off = frozenset(days) - on
        return replace(
            self,
            extra_workdays=(self.extra_workdays | on) - off,
            days_off=(self.days_off | off) - on,
        )

    def unknown_soon(self, day: date) -> int | None:
        """The year within the next weeks of which nobody has said which days are off."""
        year = (day + AHEAD).year
        return None if self.always_open or self.known_year(year) else year

    def exceptions(self, first: date, days: int) -> Sequence[tuple[date, bool]]:
        """Of so many days those that are not as their weekday says, with whether they work."""
        coming = (first + n * DAY for n in range(days))
        return [
            (day, self.is_workday(day))
            for day in coming
            if self.is_workday(day) != (day.isoweekday() in self.workdays)
        ]

    def known_year(self, year: int) -> bool:
        """Whether it is published which days of ``year`` are off: a day of our own says nothing."""
        return year in PUBLISHED

    def is_holiday(self, day: date) -> bool:
        """A public holiday, or one of our own; a plain weekend is none."""
        if day in self.extra_workdays:
            return False
        return day in self.days_off or day in self.holidays or day in PUBLIC_HOLIDAYS

    def is_workday(self, day: date) -> bool:
        if self.always_open or day in self.extra_workdays:
            return True
        if self.is_holiday(day):
            return False
        return day in MAKE_UP_WORKDAYS or day.isoweekday() in self.workdays

    def next_workday(self, day: date) -> date:
        """The first workday after ``day``."""
        following = day + DAY
        while not self.is_workday(following):
            following += DAY
        return following

    def is_open(self, at: datetime) -> bool:
        if self.always_open:
            return True
        local = self._local(at)
        since = _since_midnight(local)
        inside = any(start <= since < end for start, end in opening(self.hours))
        return inside and self.is_workday(local.date())

    def opens(self, at: datetime) -> datetime:
        """``at`` itself when open, else the next opening; aware UTC."""
        if self.is_open(at):
            return at.astimezone(UTC)
        local = self._local(at)
        since = _since_midnight(local)
        later = [start for start, _ in opening(self.hours) if start > since]
        if later and self.is_workday(local.date()):
            return self._instant(local.date(), later[0])
        return self._instant(self.next_workday(local.date()), opening(self.hours)[0][0])

    def add(self, at: datetime, span: timedelta, away: Sequence[Away] = ()) -> datetime:
        """The instant at which ``span`` of working time has passed since ``at``; aware UTC.

        ``away`` counts for nothing: spans in order, apart from each other. An end that
        falls on a closing time is that closing time, not the next opening.

        Raises ValueError for a negative span.
        """
        for start, end in away:
            if at < end:
                worked = self.between(at, max(at, start))
                if start > at and span <= worked:
                    break
                at, span = end, span - worked
        return self._add(at, span)

    def _add(self, at: datetime, span: timedelta) -> datetime:
        if span < NOTHING:
            raise ValueError("working time only runs forward")
        if self.always_open:
            return at.astimezone(UTC) + span
        if span == NOTHING:
            return self.opens(at)
        local = self._local(at)
        return self._spend(local.date(), self._worked(local) + span)

    def ago(self, at: datetime, span: timedelta, away: Sequence[Away] = ()) -> datetime:
        """The last open instant from which ``span`` of working time passes until ``at``; aware UTC.

        ``away`` counts for nothing: spans in order, apart from each other.
        """
        for start, end in reversed(away):
            if start < at:
                worked = self.between(min(end, at), at)
                if end < at and span <= worked:
                    break
                at, span = start, span - worked
        return self._ago(at, span)

    def _ago(self, at: datetime, span: timedelta) -> datetime:
        if self.always_open:
            return at.astimezone(UTC) - span
        local = self._local(at)
        day, left = local.date(), self._worked(local) - span
        while left < NOTHING:
            day -= DAY
            left += self.workday if self.is_workday(day) else NOTHING
        return self.opens(self._instant(day, _offset(self.hours, left)))

    @property
    def workday(self) -> timedelta:
        """Working time of one whole workday."""
        return DAY if self.always_open else length(self.hours)

    def between(self, a: datetime, b: datetime) -> timedelta:
        """Working time from ``a`` to ``b``; negative when ``b`` is the earlier one."""
        if self.always_open:
            return b - a
        start, end = self._local(a), self._local(b)
        if end < start:
            return -self.between(b, a)
        days = self._workdays_between(start.date(), end.date())
        return days * length(self.hours) + self._worked(end) - self._worked(start)

    def _worked(self, local: datetime) -> timedelta:
        """Working time of this local day that has passed."""
        if not self.is_workday(local.date()):
            return NOTHING
        since = _since_midnight(local)
        passed = (min(since, end) - start for start, end in opening(self.hours) if start < since)
        return sum(passed, NOTHING)

    def _spend(self, day: date, span: timedelta) -> datetime:
        """The instant at which ``span`` of working time has passed since ``day`` began."""
        whole, rest = divmod(span, length(self.hours))
        if rest == NOTHING:
            whole, rest = whole - 1, length(self.hours)
        return self._instant(self._workday(day, whole), _offset(self.hours, rest))

    def _workday(self, day: date, skip: int) -> date:
        """The workday ``skip`` workdays after the first one that is not before ``day``."""
        index = skip + bisect_left(workdays_of(self, day.year), day)
        year = day.year
        while index >= len(workdays_of(self, year)):
            index -= len(workdays_of(self, year))
            year += 1
        return workdays_of(self, year)[index]

    def _workdays_between(self, first: date, last: date) -> int:
        """Workdays from ``first`` on and before ``last``."""
        years = sum(len(workdays_of(self, year)) for year in range(first.year, last.year))
        before = bisect_left(workdays_of(self, first.year), first)
        return years + bisect_left(workdays_of(self, last.year), last) - before

    def pauses(self, at: datetime) -> bool:
        """Whether ``at`` lies between two pieces of one workday's hours, and not in its night.

        The night is the longest time without work, whatever the clock says meanwhile.
        """
        if self.always_open:
            return False
        local = self._local(at)
        since = _since_midnight(local)
        pieces = opening(self.hours)
        night = DAY - pieces[-1][1] + pieces[0][0]
        gaps = ((end, start) for (_, end), (start, _) in pairwise(pieces))
        between = any(a <= since < b and b - a < night for a, b in gaps)
        return between and self.is_workday(local.date())

    def _local(self, at: datetime) -> datetime:
        """The working day ``at`` belongs to, and its time since that day turned."""
        if at.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        return at.astimezone(self.zone).replace(tzinfo=None) - turn(self.hours)

    def _instant(self, day: date, since: timedelta) -> datetime:
        local = datetime.combine(day, MIDNIGHT) + since + turn(self.hours)
        return local.replace(tzinfo=self.zone).astimezone(UTC)


def opening_of(now: datetime, calendar: WorkCalendar) -> datetime:
    """When the night is over; ``now`` while people are there, at lunch too."""
    return now if calendar.pauses(now) else calendar.opens(now)


def quiet(
    at: datetime, zone: ZoneInfo, quiet_span: Span | None, calendar: WorkCalendar
) -> datetime:
    """The next moment a prospect may be written to; ``at`` itself when it may be now.

    ``quiet_span`` is wall-clock time of ``zone`` and may wrap midnight; None is
    no quiet hours. Public holidays are quiet as a whole unless the calendar is
    always open; plain weekends are not.
    """
    local = at.astimezone(zone)
    while (end := _quiet_until(local, quiet_span, calendar)) is not None:
        local = end
    return local.astimezone(UTC)


def _quiet_until(local: datetime, span: Span | None, calendar: WorkCalendar) -> datetime | None:
    tomorrow = datetime.combine(local.date() + DAY, MIDNIGHT, local.tzinfo)
    if calendar.is_holiday(local.date()) and not calendar.always_open:
        return tomorrow
    if span is None or not _within(local.time(), span):
        return None
    end = datetime.combine(local.date(), span[1], local.tzinfo)
    return end if local.time() < span[1] else end + DAY


def _within(moment: time, span: Span) -> bool:
    start, end = span
    if start <= end:
        return start <= moment < end
    return moment >= start or moment < end


def _since_midnight(local: datetime) -> timedelta:
    return local - datetime.combine(local.date(), MIDNIGHT)


def _offset(hours: tuple[Span, ...], span: timedelta) -> timedelta:
    """The time since the day turned at which ``span`` of a day's working time has passed."""
    for start, end in opening(hours):
        if span <= end - start:
            return start + span
        span -= end - start
    raise ValueError("longer than a working day")


@lru_cache(maxsize=64)
def turn(hours: tuple[Span, ...]) -> timedelta:
    """When one working day ends and the next begins: midnight, unless somebody works then."""
    joined = _joined(piece for span in hours for piece in _pieces(span, NOTHING))
    over = joined[0][0] == NOTHING and joined[-1][1] == DAY and len(joined) > 1
    crosses = any(NOTHING < _since(end) <= _since(start) for start, end in hours)
    return joined[0][1] if over and crosses else NOTHING


@lru_cache(maxsize=64)
def opening(hours: tuple[Span, ...]) -> tuple[tuple[timedelta, timedelta], ...]:
    """The day's working time as offsets from its turn: in order, overlaps joined."""
    return _joined(piece for span in hours for piece in _pieces(span, turn(hours)))


def _joined(
    pieces: Iterable[tuple[timedelta, timedelta]],
) -> tuple[tuple[timedelta, timedelta], ...]:
    joined: list[tuple[timedelta, timedelta]] = []
    for start, end in sorted(pieces):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return tuple(joined)


def _pieces(span: Span, turned: timedelta) -> list[tuple[timedelta, timedelta]]:
    start, end = ((_since(moment) - turned) % DAY for moment in span)
    if start < end:
        return [(start, end)]
    return [(start, DAY)] + ([(NOTHING, end)] if end else [])


def _since(moment: time) -> timedelta:
    return timedelta(hours=moment.hour, minutes=moment.minute, seconds=moment.second)


@lru_cache(maxsize=64)
def length(hours: tuple[Span, ...]) -> timedelta:
    """Working time of one whole workday."""
    return sum((end - start for start, end in opening(hours)), NOTHING)


@lru_cache(maxsize=256)
def workdays_of(calendar: WorkCalendar, year: int) -> tuple[date, ...]:
    """Every workday of the year in order, so that spans are counted, not walked."""
    first = date(year, 1, 1)
    days = (first + n * DAY for n in range((date(year, 12, 31) - first).days + 1))
    return tuple(day for day in days if calendar.is_workday(day))
