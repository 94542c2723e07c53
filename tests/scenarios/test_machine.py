"""The state machine of ``machine``, in short; and that it notices when a rule is broken."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from cards import lead as lead_cards
from store.domain import pools
from store.domain.deadlines import Scope
from store.domain.lead import Kind, Lead, may_see
from tests.scenarios.machine import Machine, Tally, walk

EXAMPLES, LENGTH = 3, 105
OFTEN = {Kind.ACCEPTED, Kind.FOLLOWED, Kind.LAPSED, Kind.RECLAIMED}
"""A walk that has met none of these has gone nowhere."""


@pytest.mark.timeout(600)  # hundreds of steps, whatever else the machine does
@pytest.mark.parametrize(
    ("database", "number"), [("sqlite_template", 1), ("postgres", 2)], ids=["sqlite", "postgres"]
)
def test_whatever_a_team_does_everything_agrees(request, database, number):
    source = request.getfixturevalue(database)

    tally = walk(source, examples=EXAMPLES, length=LENGTH, number=number)

    assert tally.steps >= 300
    assert {kind for kind in Kind if tally.kinds[kind]} >= OFTEN


# -- it can fail -----------------------------------------------------------------------


@pytest.fixture
def floor(sqlite_template):
    """A machine with six leads, each offered to somebody or in the pool."""
    machine = type("Floor", (Machine,), {"template": sqlite_template, "tally": Tally()})()
    asks(machine, *range(6))
    yield machine
    machine.close()


def asks(floor: Machine, *who: int) -> None:
    floor.prospects_ask(who=list(who), wish="想要报价", region="", way=0, seen="", rep="")
    floor.everything_agrees()


def hears(floor: Machine, who: str, line: str) -> None:
    floor.say(who, line)
    floor.everything_agrees()


def owned(floor: Machine) -> Lead:
    return next(lead for lead in floor.leads.values() if lead.owner)


def tamper(floor: Machine, statement: str, **values: object) -> None:
    with floor.reader.begin() as conn:
        conn.execute(text(statement), values)


def test_a_lead_that_changes_hands_without_a_line_is_noticed(floor):
    lead = owned(floor)
    other = next(m for m in floor.team if m != lead.owner.id)
    tamper(
        floor,
        "UPDATE leads SET owner_id = :other, version = version + 1 WHERE id = :id",
        other=other,
        id=lead.id,
    )

    with pytest.raises(AssertionError, match="owner"):
        hears(floor, "陈主管", "日报")


def test_a_bulk_path_that_forgets_the_deadline_is_noticed(floor, monkeypatch):
    monkeypatch.setattr("handlers.announce.schedule", lambda lead, *_: lead)

    with pytest.raises(AssertionError, match="promised is"):
        asks(floor, 8)


def test_who_may_do_what_they_may_not_is_noticed(floor, monkeypatch):
    monkeypatch.setattr(Lead, "check_mine", lambda *_: None)
    lead = owned(floor)
    other = next(n for n in ("李雷", "韩梅", "王强", "赵敏") if n != lead.owner.name)

    with pytest.raises(AssertionError, match="may not"):
        hears(floor, other, f"放回 {lead.id}")


def test_a_claim_more_than_the_day_allows_is_noticed(floor, monkeypatch):
    async def none(*_):
        return 0

    monkeypatch.setattr("store.leads.Leads.claims_since", none)
    numbers = sorted(floor.leads)
    for number in numbers:
        hears(floor, "陈主管", f"分配 {number} 韩梅 照给")
        hears(floor, "韩梅", f"放回 {number}")
    floor.clock.tick(minutes=21)

    with pytest.raises(AssertionError, match="4 claims today"):
        hears(floor, "王强", f"领取 {' '.join(map(str, numbers[:4]))}")


def test_a_rewritten_line_is_noticed(floor):
    tamper(floor, "UPDATE events SET text = '别的' WHERE id = 1")

    with pytest.raises(AssertionError, match="history was rewritten"):
        floor.at_the_end()


def test_a_lost_line_is_noticed(floor):
    tamper(floor, "DELETE FROM events WHERE id = 1")

    with pytest.raises(AssertionError, match="only grow"):
        hears(floor, "陈主管", "日报")


def test_a_card_that_was_not_put_anew_is_noticed(floor, monkeypatch):
    async def forgotten(*_):
        return None

    monkeypatch.setattr("handlers.announce.announce", forgotten)
    lead = owned(floor)

    with pytest.raises(AssertionError, match="sees"):
        hears(floor, lead.owner.name, f"接受 {lead.id}")


def test_a_name_shown_on_somebody_elses_card_is_noticed(floor, monkeypatch):
    monkeypatch.setattr(lead_cards, "sees_whole", lambda *_: True)
    lead = owned(floor)

    with pytest.raises(AssertionError, match=f"{lead.owner.name} reads {lead.name}"):
        hears(floor, "陈主管", f"分配 {lead.id} 王强 照给")


def test_a_pool_that_its_managers_read_is_noticed(floor, monkeypatch):
    monkeypatch.setattr(lead_cards, "sees_whole", may_see)
    lead = owned(floor)

    hears(floor, lead.owner.name, f"放回 {lead.id}")

    with pytest.raises(AssertionError, match=f"林主管 reads {lead.name}"):
        hears(floor, "林主管", f"线索 {lead.id}")


def test_a_claim_by_who_just_had_it_is_noticed(floor, monkeypatch):
    async def none(*_):
        return {}

    monkeypatch.setattr("store.leads.Leads.partings", none)
    lead = owned(floor)
    hears(floor, lead.owner.name, f"放回 {lead.id}")
    floor.clock.tick(minutes=21)

    with pytest.raises(AssertionError, match="theirs to claim"):
        hears(floor, lead.owner.name, f"领取 {lead.id}")


def test_an_edit_that_restarts_the_embargo_is_noticed(floor, monkeypatch):
    edited = floor.clock.now + timedelta(minutes=15)
    monkeypatch.setattr(pools, "claimable_at", lambda _, limits: edited + limits.embargo)
    lead = owned(floor)
    other = next(name for name in ("李雷", "王强") if name != lead.owner.name)
    hears(floor, lead.owner.name, f"放回 {lead.id}")
    floor.clock.tick(minutes=21)

    with pytest.raises(AssertionError, match="theirs to claim"):
        hears(floor, other, f"领取 {lead.id}")


def test_a_pool_that_everybody_claims_from_is_noticed(floor, monkeypatch):
    monkeypatch.setattr(pools, "scope_named", lambda *_: Scope(name=""))
    lead = owned(floor)
    hears(floor, "陈主管", f"资料 {lead.id} 地区 四川成都")
    hears(floor, lead.owner.name, f"放回 {lead.id}")
    floor.clock.tick(minutes=21)

    with pytest.raises(AssertionError, match="may not"):
        hears(floor, "赵敏", f"领取 {lead.id}")


def test_a_line_that_counts_twice_is_noticed(floor, monkeypatch):
    async def always(self, receipt):
        return True

    monkeypatch.setattr("store.inbox.Inbox.first", always)
    lead = owned(floor)

    with pytest.raises(Exception, match=r"twice|UNIQUE"):
        floor.say(lead.owner.name, f"备注 {lead.id} 下周再说", twice=True)
