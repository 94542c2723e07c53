"""A list that is handed in again: nobody twice, nobody woken wrongly, no clock begun anew."""

from dataclasses import replace

import pytest
from sqlalchemy import func, select

from handlers.capture import capture
from store import tables as t
from store.domain.lead import Kind, Place
from tests.handlers.people import enquiry, lead, says
from tests.handlers.test_merge import withdraw

STATES = {
    "offered": [],
    "owned": ["领取 {}"],
    "called": ["领取 {}", "跟进 {} 电话 聊了报价和方案"],
    "won": ["领取 {}", "成交 {} 12万"],
    "lost": ["领取 {}", "流失 {} 选了别家"],
    "invalid": ["领取 {}", "无效 {} 空号"],
    "pool": ["领取 {}", "放回 {}"],
    "marketing": ["领取 {}", "退回 {} 未到时机"],
}
SLEEPING = {"lost", "pool", "marketing"}


PHONES = {state: f"199123456{at:02}" for at, state in enumerate(STATES)}


def row(message="想要报价", *, of="owned", source="展会", number="row-1", text="1", **values):
    """A row of the list about somebody; ``number`` and ``text``: of the row, and all it says."""
    given = {"phone": PHONES[of], "name": "赵丽", "rep": "李雷", "message": message} | values
    new = enquiry(**given, external_id=f"{number}-{of}", source=source)
    return replace(new, listed=True, row=f"{source}:{text}-{of}")


async def take(store, *news):
    async with store.begin() as tx:
        return await capture(tx, news)


async def put(store, *states):
    """Leads of the list, each in its state."""
    done = await take(store, *(row(of=state) for state in states))
    for state, one in zip(states, done, strict=True):
        for line in STATES[state]:
            await says(store, "lilei", line.format(one.id))
    return {state: one.id for state, one in zip(states, done, strict=True)}


async def standing(store, numbers):
    """Where each lead stands, what runs against it, how often it was asked about again."""
    return {state: await _standing(store, number) for state, number in numbers.items()}


async def _standing(store, number):
    one = await lead(store, number)
    async with store.read() as tx:
        kinds = [past.kind for past in (await tx.leads.history([number]))[number]]
    clocks = (one.asked_at, one.placed_at, one.due_at, one.called_at, one.closed_at)
    where = (one.stage, one.place, one.owner and one.owner.name, one.opted_out_at)
    return (*where, *clocks, kinds.count(Kind.ASKED_AGAIN))


async def count(store):
    async with store.read() as tx:
        return await tx.conn.scalar(select(func.count()).select_from(t.leads))


@pytest.mark.parametrize(
    "again",
    [
        {},
        {"text": "2", "number": "row-2", "fields": {"状态": "已联系"}},
        {"message": "", "text": "3", "number": "row-3"},
    ],
    ids=["the same", "with another column", "without the remark"],
)
async def test_the_same_list_again_leaves_everybody_where_they_are(store, clock, again):
    """A column that was added had everybody in the file called again."""
    numbers = await put(store, *STATES)
    before = await standing(store, numbers)
    clock.tick(minutes=1)

    await take(store, *(row(of=state, **again) for state in STATES))

    assert await standing(store, numbers) == before
    assert await count(store) == len(STATES)


async def test_a_row_with_a_number_of_its_own_may_be_edited(store, clock):
    numbers = await put(store, *STATES)
    await take(store, *(row(of=state, number="CRM", text="7") for state in STATES))
    before = await standing(store, numbers)
    clock.tick(minutes=1)

    edited = {"number": "CRM", "text": "8", "keyword": "crm"}
    await take(store, *(row("改过的备注", of=state, **edited) for state in STATES))

    assert await standing(store, numbers) == before
    assert {(await lead(store, n)).keyword for n in numbers.values()} == {"crm"}


async def test_two_lists_that_take_turns_call_nobody_again(store, clock):
    """Of two files with other remarks each was news after the other, every night."""
    numbers = await put(store, "owned")
    other = row("要演示", source="渠道商", number="row-9")
    await take(store, other)
    before = await standing(store, numbers)

    for _ in range(2):
        clock.tick(minutes=1)
        await take(store, row(), other)

    assert await standing(store, numbers) == before
    assert before["owned"][-1] == 1, "what the other list said the first time is an enquiry"


async def test_a_later_list_wakes_who_sleeps_and_nobody_else(store, clock):
    """A wrong number was dispatched again because the list still had it."""
    numbers = await put(store, *STATES)
    clock.tick(days=3)
    before = await standing(store, numbers)

    await take(store, *(row(of=state) for state in STATES))

    after = await standing(store, numbers)
    assert {state for state in STATES if after[state] != before[state]} == SLEEPING
    assert {state for state in STATES if after[state][-1]} == SLEEPING


async def test_what_has_just_been_returned_is_not_woken_by_an_old_list(store, clock):
    """A list of last month took from marketing what a rep had given it an hour ago."""
    number = (await put(store, "owned"))["owned"]
    clock.tick(days=5)
    await says(store, "lilei", f"跟进 {number} 电话 聊了报价和方案")
    await says(store, "lilei", f"退回 {number} 未到时机")
    clock.tick(hours=1)

    await take(store, row())

    assert (await lead(store, number)).place == Place.MARKETING


@pytest.mark.parametrize("source", ["展会", "渠道商"])
async def test_no_list_wakes_who_wants_to_be_left_alone(store, clock, source):
    """Another list's row was an enquiry of theirs, and they were called."""
    numbers = await put(store, *STATES)
    for number in numbers.values():
        await withdraw(store, number)
    clock.tick(days=40)
    before = await standing(store, numbers)

    new = {"source": source, "number": "row-5", "text": "5", "title": "总监"}
    await take(store, *(row("要报价", of=state, **new) for state in STATES))

    after = [await lead(store, number) for number in numbers.values()]
    assert await standing(store, numbers) == before
    assert {(one.left_alone, one.title) for one in after} == {(True, "总监")}


async def test_a_customer_is_no_prospect_because_a_list_names_them(store, clock):
    numbers = await put(store, "won")
    before = await standing(store, numbers)
    clock.tick(days=2)

    await take(store, row("", of="won", source="渠道商", number="row-5", title="总监"))

    assert await standing(store, numbers) == before
    assert (await lead(store, numbers["won"])).title == "总监"


async def test_a_new_number_in_the_list_is_a_new_enquiry(store, clock):
    """A form's own export: the person filled it in once more."""
    numbers = await put(store, "owned")
    await take(store, row(number="1", text="8"))
    clock.tick(minutes=1)

    await take(store, row("再问一次", number="2", text="9"))

    assert (await standing(store, numbers))["owned"][-1] == 1


async def test_a_switchboard_in_a_list_is_doubled_by_no_second_import(store):
    desk = {"phone": "0571-88888888", "rep": ""}
    rows = [row(name=n, number=f"row-{n}", text=n, **desk) for n in ("张丽", "刘强", "孙七")]
    first = await take(store, *rows)

    again = await take(store, *rows)

    assert [one.id for one in again] == [one.id for one in first]
    assert all(one.duplicate for one in again)


async def test_a_list_fills_no_desk_beyond_its_cap_however_often(store):
    async with store.begin() as tx:
        await tx.conn.execute(t.members.update().values(capacity=2))
    rows = [
        row(phone=f"199000011{n:02}", rep="", number=f"row-{n}", text=str(n)) for n in range(9)
    ]

    for _ in range(2):
        done = await take(store, *rows)

        async with store.read() as tx:
            loads = dict(await tx.leads.loads())
        owners = [(await lead(store, one.id)).owner for one in done]
        assert max(loads.values()) == 2
        assert owners.count(None) == 9 - sum(loads.values())
