"""What other rules would have decided, worked out by hand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.config import parse
from bot.wiring import rules
from store.domain.newlead import NewLead
from store.domain.replay import compare, replay
from store.domain.team import Member, MemberId, Role

LI, HAN = (
    Member(id=MemberId(n), name=name, role=Role.REP) for n, name in enumerate(("李雷", "韩梅"), 1)
)
NOON = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)  # Monday 11:00 in Shanghai
NIGHT = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)  # Monday 23:00


def new(n, **more):
    return NewLead(**{"source": "web", "phone": f"+861990000{n:04d}", **more})


def went(enquiries, *reps, **values):
    return [one.to for one in replay(enquiries, rules(parse(values)), reps or (LI, HAN))]


def test_what_a_gate_keeps_is_nobodys():
    # Everything was given to somebody, and other gates changed nothing.
    leads = [new(1, company="云栖"), new(2), new(3, company="北方", consent_text="同意")]
    leads = [(NOON + timedelta(minutes=n), lead) for n, lead in enumerate(leads)]

    assert went(leads) == ["李雷", "韩梅", "李雷"]
    assert went(leads, dispatch={"required": ["company"]}) == ["李雷", "等资料", "韩梅"]
    assert went(leads, dispatch={"consent": True}) == ["等客户同意", "等客户同意", "李雷"]
    assert went(leads, dispatch={"min_score": 35}) == ["李雷", "先培育", "韩梅"]


def test_what_came_at_night_goes_out_at_the_opening_the_best_first():
    rep = replace(LI, regions=("华东",))
    night = [(NIGHT, new(1)), (NIGHT, new(2, company="云栖", message="急，要报价"))]
    morning = (NIGHT + timedelta(hours=11), new(3))  # 10:00, an hour after the opening

    assert went([*night, morning]) == ["韩梅", "李雷", "李雷"]
    assert went([*night, morning], calendar={"always_open": True}) == ["李雷", "韩梅", "李雷"]
    assert went(night[:1], rep) == ["李雷"]  # the night after the last one ends, too


def test_what_a_rep_typed_in_waits_for_no_gate():
    typed = [(NIGHT, new(1, source="chat", rep="韩梅")), (NIGHT, new(2, rep="韩梅"))]

    assert went(typed, dispatch={"required": ["company"]}) == ["韩梅", "等资料"]


def test_who_wants_no_call_is_given_to_nobody():
    assert went([(NOON, new(1, message="别再联系我了"))]) == ["等客户同意"]


def test_the_shift_is_the_difference_of_both():
    leads = [(NOON + timedelta(minutes=n), new(n, region="江苏苏州")) for n in range(4)]
    east = {"routing": [{"name": "东", "when": {"region": ["华东"]}, "assign": "grab"}]}
    now, then = (replay(leads, rules(parse(values)), (LI, HAN)) for values in ({}, east))

    shift = compare(now, then, ["李雷", "韩梅"])

    assert dict(shift.people) == {"李雷": (2, 0), "韩梅": (2, 0), "大家抢": (0, 4)}
    assert (shift.leads, shift.moved) == (4, 4)
