"""The state machine of ``machine``, in short; and that it notices when a rule is broken."""

import pytest
from sqlalchemy import text

from cards import lead as lead_cards
from handlers import work
from store.domain.lead import Kind, Lead
from tests.scenarios.machine import Machine, Tally, walk

EXAMPLES, LENGTH = 6, 105
OFTEN = {Kind.ACCEPTED, Kind.FOLLOWED, Kind.LAPSED, Kind.RECLAIMED}
"""A walk that has met none of these has gone nowhere."""


@pytest.mark.timeout(600)  # hundreds of steps, whatever else the machine does
@pytest.mark.parametrize(
    ("database", "number"), [("sqlite_template", 1), ("postgres", 2)], ids=["sqlite", "postgres"]
)
def test_whatever_a_team_does_everything_agrees(request, database, number):
    source = request.getfixturevalue(database)

    tally = walk(source, examples=EXAMPLES, length=LENGTH, number=number)

    assert tally.steps >= 500
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

    with pytest.raises(AssertionError, match="its events imply"):
        asks(floor, 8)


def test_who_may_do_what_they_may_not_is_noticed(floor, monkeypatch):
    monkeypatch.setattr(Lead, "check_mine", lambda *_: None)
    lead = owned(floor)
    other = next(n for n in ("李雷", "韩梅", "王强", "赵敏") if n != lead.owner.name)

    with pytest.raises(AssertionError, match="may not"):
        hears(floor, other, f"放回 {lead.id}")


def test_a_claim_over_the_cap_is_noticed(floor, monkeypatch):
    async def nothing(tx, by, *_):
        return None

    monkeypatch.setattr(work, "_check_claim", nothing)
    numbers = sorted(floor.leads)

    for number in numbers:
        hears(floor, "陈主管", f"分配 {number} 韩梅 照给")
        hears(floor, "韩梅", f"放回 {number}")
    for number in numbers[:3]:
        hears(floor, "李雷", f"领取 {number}")

    with pytest.raises(AssertionError, match="more than"):
        hears(floor, "李雷", f"领取 {numbers[3]}")


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


def test_a_number_shown_to_somebody_else_is_noticed(floor, monkeypatch):
    monkeypatch.setattr(lead_cards, "sees_whole", lambda *_: True)
    lead = owned(floor)

    hears(floor, "陈主管", f"分配 {lead.id} 王强 照给")

    with pytest.raises(AssertionError, match="reads the number"):
        hears(floor, "赵敏", f"线索 {lead.id}")


def test_a_line_that_counts_twice_is_noticed(floor, monkeypatch):
    async def always(self, receipt):
        return True

    monkeypatch.setattr("store.inbox.Inbox.first", always)
    lead = owned(floor)

    with pytest.raises(Exception, match=r"twice|UNIQUE"):
        floor.say(lead.owner.name, f"备注 {lead.id} 下周再说", twice=True)
