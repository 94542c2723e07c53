"""
What a lead's events alone say about it, after behaviour.md and not after the code.

The state machine compares this with what the service keeps: where the lead is, whose it
is, when each clock began. It also says who may write which line into a history.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import Any

from store.domain.lead import STAGES, Kind, Stage
from store.domain.team import Member, Role
from tests.scenarios.company import LEAVE, POOLS, Pool, may_give

OVER = frozenset({Stage.WON, Stage.LOST, Stage.INVALID, Stage.MERGED})
UNDO_WINDOW = timedelta(minutes=10)
INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a history, as it stands in the table."""

    id: int
    lead_id: int
    kind: Kind
    by_id: int | None
    at: datetime
    text: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """Where a lead is, whose it is, and when its clocks began; ``owner`` is a member's number."""

    stage: Stage
    place: str
    owner: int | None
    placed_at: datetime
    asked_at: datetime
    swept_at: datetime
    accepted_at: datetime | None = None
    contacted_at: datetime | None = None
    called_at: datetime | None = None
    followed_at: datetime | None = None
    late_at: datetime | None = None
    grace_at: datetime | None = None
    spare_at: datetime | None = None
    extended: bool = False
    hold: str = ""
    opted_out_at: datetime | None = None
    grab: bool = False
    experts: frozenset[int] = frozenset()
    left: bool = False
    """Its owner has gone, and it waits for whoever takes it over. No field of the lead."""

    @property
    def open(self) -> bool:
        return self.stage not in OVER

    @property
    def alone(self) -> bool:
        """Its person wants no more contact, and has not asked again since."""
        return self.opted_out_at is not None and self.opted_out_at >= self.asked_at


ALL = tuple(f.name for f in fields(Folded))
NAMES = tuple(name for name in ALL if name != "left")
STANDING = frozenset(
    {
        "stage", "place", "owner", "placed_at", "accepted_at", "contacted_at", "followed_at",
        "extended",
    }
)  # fmt: skip
"""What taking an enquiry apart puts back as a whole, or not at all."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line and what it made of the lead. ``pool``: where it lay or would have lain before."""

    line: Line
    before: Folded | None
    after: Folded
    pool: Pool


@dataclass(slots=True)
class Book:
    """Every lead as its history tells it.

    ``team`` and ``pools``: how everybody, and whose every lead was, when the last lines came.
    ``outs``: since when its person wants to be left alone, where no line says so: of two who
    were taken apart the ledger of consents knows who it was.
    """

    team: Mapping[int, Member] = field(default_factory=dict)
    pools: Mapping[int, Pool] = field(default_factory=dict)
    outs: Mapping[int, datetime | None] = field(default_factory=dict)
    steps: dict[int, list[Step]] = field(default_factory=dict)

    def now(self, lead_id: int) -> Folded:
        return self.steps[lead_id][-1].after

    def lines(self, lead_id: int) -> Sequence[Line]:
        return [step.line for step in self.steps.get(lead_id, ())]

    def read(self, line: Line) -> Step:
        """Take in the next line."""
        told = self.steps.setdefault(line.lead_id, [])
        before = told[-1].after if told else None
        pool = self.pools.get(line.lead_id, POOLS[""])
        step = Step(line, before, self._after(before, line), pool)
        told.append(step)
        return step

    def _after(self, was: Folded | None, line: Line) -> Folded:
        if was is None:
            assert line.kind == Kind.CAPTURED, f"a history begins with {line}"
            at = line.at
            return Folded(
                stage=Stage.NEW,
                place="pool",
                owner=None,
                placed_at=at,
                asked_at=at,
                swept_at=at,
                opted_out_at=at if line.text == LEAVE else None,
            )
        return RULES.get(line.kind, Book._nothing)(self, was, line)

    def find(self, lead_id: int, event: int) -> Step:
        return next(step for step in self.steps[lead_id] if step.line.id == event)

    # -- what each kind of line means ------------------------------------------

    def _nothing(self, was: Folded, line: Line) -> Folded:
        return was

    def _asks(self, was: Folded, line: Line) -> Folded:
        """The first-response clock restarts; what was over is new, a customer stays whose it was."""
        said = was.opted_out_at
        woken = replace(
            was, asked_at=line.at, late_at=None, grace_at=None,
            opted_out_at=min(said, line.at - INSTANT) if said else None,
        )  # fmt: skip
        if was.open:
            return woken
        return self._again(woken, line.at, was.owner if was.stage == Stage.WON else None)

    def _again(self, was: Folded, at: datetime, owner: int | None) -> Folded:
        there = owner is not None and self.team[owner].active
        keeps = was.stage == Stage.WON
        return replace(
            was,
            stage=Stage.ASSIGNED if keeps else Stage.NEW,
            place="owner" if there else "pool",
            owner=owner if there else None,
            placed_at=at,
            swept_at=at,
            accepted_at=at if there else None,
            contacted_at=None,
            called_at=None,
            followed_at=None,
            spare_at=None,
            extended=False if keeps else was.extended,
            hold="",
        )

    def _moves(self, was: Folded, line: Line, owner: int | None, place: str) -> Folded:
        """Every clock of the last owner is over."""
        return Folded(
            stage=was.stage,
            place=place,
            owner=owner,
            placed_at=line.at,
            asked_at=was.asked_at,
            swept_at=line.at,
            opted_out_at=was.opted_out_at,
        )

    def _linked(self, was: Folded, line: Line) -> Folded:
        """A new lead of somebody known, who may want to be left alone."""
        known = re.fullmatch(r"和 #(\d+) 是同一位", line.text)
        if known is None:
            return was
        other = self.now(int(known[1]))
        return replace(was, opted_out_at=line.at if other.alone else other.opted_out_at)

    def _given(self, was: Folded, line: Line, owner: int) -> Folded:
        stage = Stage.ASSIGNED if was.stage == Stage.NEW else was.stage
        return replace(self._moves(was, line, owner, "owner"), stage=stage)

    def _assigned(self, was: Folded, line: Line) -> Folded:
        return self._given(was, line, line.data["to"])

    def _claimed(self, was: Folded, line: Line) -> Folded:
        assert was.owner is None, f"claimed from somebody: {line}"
        assert was.place == "pool", f"claimed out of {was.place}: {line}"
        assert line.by_id is not None
        return replace(self._given(was, line, line.by_id), accepted_at=line.at)

    def _accepted(self, was: Folded, line: Line) -> Folded:
        return replace(was, accepted_at=line.at, swept_at=line.at)

    def _transferred(self, was: Folded, line: Line) -> Folded:
        """Stage, contacts and the extension go along; the new owner's first call is promised anew."""
        return replace(
            self._given(was, line, line.data["to"]),
            accepted_at=line.at,
            contacted_at=was.contacted_at,
            followed_at=was.followed_at,
            spare_at=_at(line.data.get("spare")) or was.spare_at,
            extended=was.extended,
            experts=was.experts - {line.data["to"]},
        )

    def _pooled(self, was: Folded, line: Line) -> Folded:
        return self._moves(was, line, None, "pool")

    def _left(self, was: Folded, line: Line) -> Folded:
        return replace(self._pooled(was, line), left=True)

    def _nurtured(self, was: Folded, line: Line) -> Folded:
        return self._moves(was, line, None, "marketing")

    def _held(self, was: Folded, line: Line) -> Folded:
        gate = line.data["gate"]
        place = "pool" if gate == "hours" else "marketing"
        return replace(self._moves(was, line, None, place), hold=gate)

    def _grab(self, was: Folded, line: Line) -> Folded:
        """Anybody of the group may claim it: it lies in the pool."""
        return replace(
            was,
            owner=None,
            place="pool",
            accepted_at=None,
            placed_at=line.at,
            hold="",
            grab=True,
            left=False,
        )

    def _worked(self, was: Folded, line: Line) -> Folded:
        return replace(
            was,
            accepted_at=was.accepted_at or line.at,
            contacted_at=was.contacted_at or line.at,
            called_at=line.at,
            late_at=None,
            grace_at=None,
            swept_at=line.at,
        )

    def _followed(self, was: Folded, line: Line) -> Folded:
        begun = was.stage in {Stage.NEW, Stage.ASSIGNED}
        return replace(
            self._worked(was, line),
            stage=Stage.FOLLOWING if begun else was.stage,
            followed_at=line.at if line.data["effective"] else was.followed_at,
        )

    def _corrected(self, was: Folded, line: Line) -> Folded:
        logged = self.find(line.lead_id, line.data["of"])
        assert logged.before is not None
        counts = line.data["effective"]
        return replace(was, followed_at=logged.line.at if counts else logged.before.followed_at)

    def _staged(self, was: Folded, line: Line) -> Folded:
        label = line.text.rpartition(" → ")[2]
        stage = next((stage for stage, name in STAGES.items() if name == label), Stage(label))
        return replace(self._worked(was, line), stage=stage)

    def _closed(self, was: Folded, line: Line) -> Folded:
        return replace(
            was,
            stage=Stage(line.kind.value),
            accepted_at=was.accepted_at or line.at,
            experts=frozenset(),
        )

    def _extended(self, was: Folded, line: Line) -> Folded:
        assert not was.extended, f"a second extension: {line}"
        return replace(was, extended=True)

    def _swept(self, was: Folded, line: Line) -> Folded:
        return replace(was, swept_at=line.at)

    def _late(self, was: Folded, line: Line) -> Folded:
        return replace(was, swept_at=line.at, late_at=line.at)

    def _retimed(self, was: Folded, line: Line) -> Folded:
        """The rules of time have changed; it is kept at least so long."""
        return replace(was, spare_at=_at(line.data.get("spare")) or was.spare_at)

    def _grace(self, was: Folded, line: Line) -> Folded:
        return replace(was, grace_at=line.at, late_at=None)

    def _clicked(self, was: Folded, line: Line) -> Folded:
        """A link in an old letter is no word of who wants to be left alone."""
        return was if was.alone else replace(was, asked_at=line.at)

    def _spoke(self, was: Folded, line: Line) -> Folded:
        return replace(was, asked_at=line.at)

    def _left_alone(self, was: Folded, line: Line) -> Folded:
        """Nothing begins anew, and what is over stays over."""
        return replace(was, opted_out_at=was.opted_out_at if was.alone else line.at)

    def _assisted(self, was: Folded, line: Line) -> Folded:
        return replace(was, experts=was.experts | {line.data["to"]})

    def _undone(self, was: Folded, line: Line) -> Folded:
        """Everything the action changed is as before, unless it has changed since."""
        undid = line.data["undid"]
        first, last = self.find(line.lead_id, undid[0]), self.find(line.lead_id, undid[-1])
        assert first.before is not None
        return back(was, first.before, last.after, ALL)

    def _merged(self, was: Folded, line: Line) -> Folded:
        if "into" in line.data:
            return replace(was, stage=Stage.MERGED, place="pool", owner=None)
        last = self.steps[line.data["other"]][-1]
        # Either of the two lines may be the first.
        other = (last.before or last.after) if "into" in last.line.data else last.after
        outs = [one.opted_out_at for one in (was, other) if one.opted_out_at]
        was = replace(was, opted_out_at=max(outs, default=None))
        if was.stage == Stage.WON and other.open:
            owner = was.owner if was.owner is not None else other.owner
            return self._again(was, line.at, owner)
        return was

    def _split(self, was: Folded, line: Line) -> Folded:
        apart = self._apart(was, line)
        return replace(apart, opted_out_at=self.outs.get(line.lead_id))

    def _apart(self, was: Folded, line: Line) -> Folded:
        if was.stage == Stage.MERGED:
            return self._restored(was, line)
        if "of" not in line.data:
            return was
        joined = self.find(line.lead_id, line.data["of"])
        assert joined.before is not None
        if joined.line.kind == Kind.MERGED:
            return back(was, joined.before, joined.after, set(NAMES) - {"swept_at"})
        clocks = set(NAMES) - STANDING - {"swept_at"}
        rest = back(was, joined.before, joined.after, clocks)
        asleep = joined.before.owner is None or not joined.before.open
        if not asleep or rest.contacted_at is not None or not rest.open:
            return rest
        stood = {name: getattr(joined.before, name) for name in STANDING}
        return replace(rest, **stood | {"placed_at": line.at, "swept_at": line.at})

    def _restored(self, was: Folded, line: Line) -> Folded:
        """As it was before it went into the other one; the clock looks at it anew."""
        steps = self.steps[line.lead_id]
        into = next(s for s in reversed(steps) if s.line.kind == Kind.MERGED)
        assert into.before is not None
        return replace(back(was, into.before, into.after, NAMES), swept_at=line.at)


def _at(told: str | None) -> datetime | None:
    return datetime.fromisoformat(told) if told else None


def back(now: Folded, before: Folded, after: Folded, names: Any) -> Folded:
    """``now`` with what changed from ``before`` to ``after`` put back, unless it changed again."""
    changed = {
        name: getattr(before, name)
        for name in names
        if getattr(before, name) != getattr(after, name)
        and getattr(now, name) == getattr(after, name)
    }
    return replace(now, **changed)


RULES: Mapping[Kind, Callable[[Book, Folded, Line], Folded]] = {
    Kind.ASKED_AGAIN: Book._asks,
    Kind.ASSIGNED: Book._assigned,
    Kind.ACCEPTED: Book._accepted,
    Kind.CLAIMED: Book._claimed,
    Kind.TRANSFERRED: Book._transferred,
    Kind.DECLINED: Book._pooled,
    Kind.LAPSED: Book._pooled,
    Kind.UNSUITABLE: Book._pooled,
    Kind.RELEASED: Book._pooled,
    Kind.RECLAIMED: Book._pooled,
    Kind.LEFT: Book._left,
    Kind.RETURNED: Book._nurtured,
    Kind.IDLE: Book._nurtured,
    Kind.HELD: Book._held,
    Kind.GRAB: Book._grab,
    Kind.FOLLOWED: Book._followed,
    Kind.CORRECTED: Book._corrected,
    Kind.STAGE: Book._staged,
    Kind.WON: Book._closed,
    Kind.LOST: Book._closed,
    Kind.INVALID: Book._closed,
    Kind.EXTENDED: Book._extended,
    Kind.WARNED: Book._swept,
    Kind.NUDGED: Book._swept,
    Kind.LATE: Book._late,
    Kind.GRACE: Book._grace,
    Kind.RETIMED: Book._retimed,
    Kind.CLICKED: Book._clicked,
    Kind.SPOKE: Book._spoke,
    Kind.OPTED_OUT: Book._left_alone,
    Kind.ASSISTED: Book._assisted,
    Kind.UNDONE: Book._undone,
    Kind.LINKED: Book._linked,
    Kind.MERGED: Book._merged,
    Kind.SPLIT: Book._split,
}


# -- who may write what ----------------------------------------------------------------

Right = Callable[[Member, Folded, Step], bool]


def _owner(by: Member, was: Folded, step: Step) -> bool:
    return was.owner == by.id and by.role != Role.MARKETING


def _manages(by: Member, was: Folded, step: Step) -> bool:
    return by.manages


def _owner_or_manages(by: Member, was: Folded, step: Step) -> bool:
    return by.manages or was.owner == by.id


def _fills(by: Member, was: Folded, step: Step) -> bool:
    """Marketing too, what lies with them or waits for the morning."""
    lies = was.owner is None and (was.place == "marketing" or bool(was.hold))
    return _owner_or_manages(by, was, step) or (lies and by.role == Role.MARKETING)


def _sees(by: Member, was: Folded, step: Step) -> bool:
    return sees(by, was)


def reads(by: Member, was: Folded) -> bool:
    """Whether a whole number is for them: in a pool it is for nobody."""
    pooled = was.owner is None and was.place == "pool"
    return not pooled and sees(by, was)


def sees(by: Member, was: Folded) -> bool:
    """Whose it is, who was asked for help, who answers for it, marketing what nobody has."""
    if by.manages or by.id in was.experts or was.owner == by.id:
        return True
    return by.role == Role.MARKETING and was.owner is None


def _helps(by: Member, was: Folded, step: Step) -> bool:
    return _owner_or_manages(by, was, step) or by.id in was.experts


def _claims(by: Member, was: Folded, step: Step) -> bool:
    return was.owner is None and by.name in step.pool.claim


def _gives(by: Member, was: Folded, step: Step) -> bool:
    """What lies in a pool is given away by whoever administers it, everything else by managers."""
    pooled = was.owner is None and was.place == "pool"
    return may_give(by, step.pool) if pooled else by.manages


def _hands_on(by: Member, was: Folded, step: Step) -> bool:
    """What waits because its owner left is handed over by every manager."""
    if was.owner is None and not was.left:
        return _gives(by, was, step)
    return _owner_or_manages(by, was, step)


def _greets(by: Member, was: Folded, step: Step) -> bool:
    """By itself, in the name of who has the contact in WeCom."""
    return by.wecom is not None


def _joins(by: Member, was: Folded, step: Step) -> bool:
    """Managers; marketing what nobody has; a rep what is all their own."""
    if by.role == Role.MARKETING:
        return was.owner is None
    return _owner_or_manages(by, was, step) or was.stage == Stage.MERGED


def _parts(by: Member, was: Folded, step: Step) -> bool:
    return (
        _owner_or_manages(by, was, step) or by.role == Role.MARKETING or "of" not in step.line.data
    )


def _qualifies(by: Member, was: Folded, step: Step) -> bool:
    to = step.line.data["qualification"][1]
    if to == "SQL":
        return _owner_or_manages(by, was, step)
    return by.manages or (by.role == Role.MARKETING and was.owner is None)


def _anyone(by: Member, was: Folded, step: Step) -> bool:
    return True


RIGHTS: Mapping[Kind, Right] = {
    Kind.ASSIGNED: _gives,
    Kind.ACCEPTED: _owner,
    Kind.CLAIMED: _claims,
    Kind.DECLINED: _owner,
    Kind.FOLLOWED: _owner,
    Kind.CORRECTED: _owner,
    Kind.STAGE: _owner,
    Kind.WON: _owner,
    Kind.LOST: _owner,
    Kind.INVALID: _owner,
    Kind.RETURNED: _owner,
    Kind.RELEASED: _owner,
    Kind.TRANSFERRED: _hands_on,
    Kind.EXTENDED: _owner,
    Kind.GRACE: _manages,
    Kind.REMINDER: _helps,
    Kind.DATED: _owner_or_manages,
    Kind.ANSWERED: _owner,
    Kind.ASSISTED: _owner_or_manages,
    Kind.NOTED: _sees,
    Kind.COMMENTED: _manages,
    Kind.ENRICHED: _fills,
    Kind.MERGED: _joins,
    Kind.DISTINCT: _joins,
    Kind.LINKED: _anyone,  # all leads of one person, of which they saw one
    Kind.SPLIT: _parts,
    Kind.UNDONE: _anyone,  # of what: own_action
    Kind.IMPORTANCE: _sees,
    Kind.QUALIFIED: _qualifies,
    Kind.GREETED: _greets,
    Kind.UNGREETED: _greets,
}
"""Who may be named by a line; a kind that is not here is written by nobody."""
BY_ITSELF = frozenset(
    {
        Kind.CAPTURED, Kind.ASKED_AGAIN, Kind.ASSIGNED, Kind.LAPSED, Kind.UNSUITABLE, Kind.GRAB,
        Kind.WARNED, Kind.NUDGED, Kind.LATE, Kind.RETIMED, Kind.RECLAIMED, Kind.LEFT, Kind.IDLE,
        Kind.REMINDED, Kind.MAILED, Kind.CLICKED, Kind.OPTED_OUT, Kind.ENRICHED, Kind.DOUBLE,
        Kind.LINKED, Kind.QUALIFIED, Kind.HELD, Kind.VISITED, Kind.DOWNLOADED, Kind.OPENED,
        Kind.FRIENDED, Kind.UNFRIENDED, Kind.DROPPED, Kind.SPOKE, Kind.HANDOVER_FAILED,
        Kind.GREETED, Kind.UNGREETED,
    }
)  # fmt: skip
"""What the clock writes, or the prospect."""


def forbidden(step: Step, by: Member | None) -> str:
    """Why the line may not be there; empty when it may."""
    line, was = step.line, step.before
    if by is None:
        return "" if line.kind in BY_ITSELF else "nobody did it"
    if not by.active:
        return f"{by.name} is no longer in the team"
    right = RIGHTS.get(line.kind)
    if right is None:
        return f"{by.name} ({by.role}) may not"
    if was is None or right(by, was, step):
        return ""
    return f"{by.name} ({by.role}) may not, it is with {was.owner or was.place}"


def own_action(book: Book, line: Line) -> bool:
    """Whether what was taken back was the same person's, and lately."""
    undid = [book.find(line.lead_id, n).line for n in line.data["undid"]]
    mine = any(one.by_id == line.by_id for one in undid)
    nobody_elses = all(one.by_id in {line.by_id, None} for one in undid)
    return mine and nobody_elses and all(line.at - one.at <= UNDO_WINDOW for one in undid)
