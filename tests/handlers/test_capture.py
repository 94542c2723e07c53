"""Taking in leads: one person is one lead, whatever arrives together."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import event, func, select

from handlers.capture import capture
from store import tables as t
from store.domain.lead import Kind, Place
from store.domain.newlead import NewLead
from tests.handlers.people import answers, captured, enquiry, lead, says


async def take(store, *news):
    async with store.begin() as tx:
        return await capture(tx, news)


async def kinds(store, lead_id):
    async with store.read() as tx:
        return [past.kind for past in (await tx.leads.history([lead_id]))[lead_id]]


async def test_the_same_person_again_wakes_the_lead_and_fills_blanks(store):
    first = await captured(store, phone="19912345678", name="王五")

    [again] = await take(
        store, enquiry(phone="199 1234 5678", name="王五", email="w5@example.com", company="云栖")
    )
    after = await lead(store, first.id)

    assert (again.id, again.duplicate) == (first.id, True)
    assert (after.email, after.company, after.owner) == ("w5@example.com", "云栖", first.owner)
    assert (await kinds(store, first.id))[-2:] == [Kind.ASKED_AGAIN, Kind.QUALIFIED]


async def test_asking_again_rings_at_the_owner(store, clock):
    first = await captured(store, phone="19912345678")
    await says(store, "lilei", f"领取 {first.id}")
    key = f"lead:{first.id}/{first.owner.id}"

    clock.tick(minutes=20)
    await captured(store, phone="19912345678", message="还有库存吗")

    card = (await answers(store))[key]
    assert card.ring
    assert "又来咨询" in str(card.payload)


async def test_nothing_is_overwritten_by_asking_again(store):
    first = await captured(store, phone="19912345678", company="云栖制造")

    await captured(store, phone="19912345678", company="别的公司")

    assert (await lead(store, first.id)).company == "云栖制造"


async def test_two_people_on_one_number_stay_two_and_are_marked(store):
    first = await captured(store, phone="19912345678", name="张丽")

    second = await captured(store, phone="19912345678", name="刘强")

    assert second.id != first.id
    assert second.doubles == (first.id,)


async def test_doubles_within_one_batch_know_each_other(store):
    one, two = await take(
        store,
        enquiry(phone="19912345678", name="张丽"),
        enquiry(phone="19912345678", name="刘强"),
    )

    assert (await lead(store, two.id)).doubles == (one.id,)


async def test_one_person_twice_in_one_batch_is_one_lead(store):
    one, two = await take(
        store, enquiry(phone="19912345678"), enquiry(phone="19912345678", email="w@example.com")
    )

    assert (one.id, one.duplicate, two.id, two.duplicate) == (one.id, False, one.id, True)
    assert (await lead(store, one.id)).email == "w@example.com"


async def test_captures_of_one_person_at_the_same_instant_are_one_lead(store):
    done = await asyncio.gather(*(take(store, enquiry(phone="19912345678")) for _ in range(12)))

    assert len({captured.id for [captured] in done}) == 1
    assert sum(not captured.duplicate for [captured] in done) == 1


async def test_the_same_external_id_of_one_source_is_one_lead(store):
    first = await captured(store, external_id="A-1")

    other = await captured(store, external_id="A-1", source="another")
    [again] = await take(store, enquiry(external_id="A-1"))

    assert again.id == first.id
    assert other.id != first.id


async def test_a_lost_lead_that_asks_again_is_dispatched_to_its_former_owner(store):
    first = await captured(store, phone="19912345678")
    await says(store, "lilei", f"领取 {first.id}")
    await says(store, "lilei", f"流失 {first.id} 选了别家")

    again = await captured(store, phone="19912345678")

    assert (again.id, again.stage, again.owner.name) == (first.id, "new", "李雷") or (
        again.stage == "assigned" and again.owner.name == "李雷"
    )


async def test_turns_go_round_within_a_batch_too(store):
    done = await take(store, *(enquiry() for _ in range(6)))

    owners = [(await lead(store, d.id)).owner.name for d in done]
    assert owners == ["李雷", "韩梅", "王强"] * 2


async def test_caps_hold_within_a_batch_and_the_rest_waits_for_the_manager(store):
    done = await take(store, *(enquiry() for _ in range(160)))

    leads = [await lead(store, d.id) for d in done]
    assert sum(one.owner is not None for one in leads) == 150
    assert {one.place for one in leads if one.owner is None} == {Place.POOL}


async def test_many_at_once_are_one_list_on_each_phone(store):
    await take(store, *(enquiry() for _ in range(60)))

    rows = await answers(store)

    assert not [key for key in rows if key.startswith("lead:")]
    assert len([key for key in rows if key.startswith("list:")]) == 3


async def test_the_manager_gets_one_list_of_what_nobody_can_take(store):
    await take(store, *(enquiry() for _ in range(160)))

    lists = [row for row in (await answers(store)).values() if row.account == "chenzg"]

    assert len(lists) == 1
    assert "10 条线索没有合适的人" in str(lists[0].payload)


async def test_a_batch_costs_the_same_number_of_statements_whatever_its_size(store):
    async def statements(count):
        seen = []
        engine = store.engine.sync_engine
        listen = lambda *args: seen.append(args[2])  # noqa: E731
        event.listen(engine, "before_cursor_execute", listen)
        await take(store, *(enquiry() for _ in range(count)))
        event.remove(engine, "before_cursor_execute", listen)
        return len(seen)

    await statements(10)  # the team is read, turns exist
    assert await statements(80) <= await statements(20) + 4


async def test_people_who_ask_again_and_doubts_cost_no_statement_each(store):
    async def statements(phones, names):
        seen = []
        engine = store.engine.sync_engine
        listen = lambda *args: seen.append(args[2])  # noqa: E731
        event.listen(engine, "before_cursor_execute", listen)
        await take(store, *(enquiry(phone=p, name=n) for p, n in zip(phones, names, strict=True)))
        event.remove(engine, "before_cursor_execute", listen)
        return len(seen)

    many, few = [f"1991234{n:04}" for n in range(60)], [f"1881234{n:04}" for n in range(10)]
    await take(store, *(enquiry(phone=phone, name="张丽") for phone in (*many, *few)))
    asked = await statements(few, ["张丽"] * 10), await statements(many, ["张丽"] * 60)
    doubted = await statements(few, ["刘强"] * 10), await statements(many, ["刘强"] * 60)

    assert asked[1] <= asked[0] + 10  # sixty people, and no sixty statements
    assert doubted[1] <= doubted[0] + 10


@pytest.mark.parametrize(("later", "woken"), [({"hours": 2}, False), ({"days": 40}, True)])
async def test_a_list_imported_again_wakes_whose_lead_sleeps(store, clock, later, woken):
    row = replace(enquiry(phone="19912345678", external_id="row-1"), listed=True)
    [first] = await take(store, row)
    await says(store, "lilei", f"领取 {first.id}")
    await says(store, "lilei", f"退回 {first.id} 未到时机")

    clock.tick(**later)
    [again] = await take(store, row)

    after = await lead(store, first.id)
    assert (again.id, again.duplicate) == (first.id, True)
    assert (
        (await kinds(store, first.id)).count(Kind.ASKED_AGAIN),
        after.place == Place.MARKETING,
    ) == ((1, False) if woken else (0, True))


async def test_a_list_imported_again_leaves_alone_who_is_worked_on(store, clock):
    row = replace(enquiry(phone="19912345678", external_id="row-1"), listed=True)
    [first] = await take(store, row)
    await says(store, "lilei", f"领取 {first.id}")

    clock.tick(days=2)
    await take(store, row)

    assert Kind.ASKED_AGAIN not in await kinds(store, first.id)


async def test_somebody_outside_every_region_goes_to_the_manager(settings, store):
    async with store.begin() as tx:
        await tx.members.sync(
            [
                {"name": "李雷", "role": "rep", "wecom": "lilei", "dingtalk": None,
                 "regions": ["华东"], "products": [], "industries": [], "grade": "", "capacity": 50},
                {"name": "陈主管", "role": "manager", "wecom": "chenzg", "dingtalk": None,
                 "regions": [], "products": [], "industries": [], "grade": "", "capacity": 50},
            ]
        )  # fmt: skip

    new = await captured(store, region="广东深圳")
    card = (await answers(store))[f"lead:{new.id}/{await _id(store, '陈主管')}"]

    assert (new.owner, new.place) == (None, Place.POOL)
    assert "没有人负责这个地区" in str(card.payload)
    assert f"/分配 {new.id} 李雷" in str(card.payload)


async def _id(store, name):
    async with store.read() as tx:
        return (await tx.members.by_name(name)).id


async def test_no_capture_leaves_a_lead_without_history(store):
    await take(store, *(enquiry() for _ in range(10)))

    async with store.read() as tx:
        lines = await tx.conn.scalar(
            select(func.count(func.distinct(t.events.c.lead_id))).where(
                t.events.c.kind == Kind.CAPTURED
            )
        )
    assert lines == 10


async def test_a_customer_who_comes_back_is_called_by_the_same_rep(store, clock):
    first = await captured(store, phone="19912345678")
    await says(store, "lilei", f"成交 {first.id} 5万")
    clock.tick(days=3)

    await captured(store, phone="19912345678", message="还要加购 50 个账号")

    after = await lead(store, first.id)
    card = (await answers(store))[f"lead:{first.id}/{first.owner.id}"]
    assert (after.owner.name, after.open, after.contacted_at) == ("李雷", True, None)
    assert card.ring
    assert "又来咨询" in str(card.payload)
    assert "还要加购" in str(card.payload)


CONTACT = NewLead(source="wecom", external_userid="wmNEW", rep="李雷")


async def test_the_contact_of_somebody_full_is_the_managers_to_decide(store):
    """It went over the cap without a word; and no colleague can write to who added 李雷."""
    for _ in range(50):
        await captured(store, rep="李雷")

    [done] = await take(store, CONTACT)

    new = await lead(store, done.id)
    asked = next(
        row
        for key, row in (await answers(store)).items()
        if key.startswith(f"lead:{new.id}/") and row.account == "chenzg"
    )
    assert (new.owner, new.why) == (None, "客户加的是 李雷 的企业微信，他手上满了")
    assert asked.ring
    assert new.why in str(asked.payload)


async def test_the_manager_gives_the_contact_over_the_cap_with_a_word(store):
    for _ in range(50):
        await captured(store, rep="李雷")
    [done] = await take(store, CONTACT)

    await says(store, "chenzg", f"分配 {done.id} 李雷 照给")

    assert (await lead(store, done.id)).owner.name == "李雷"


async def test_the_contact_of_somebody_on_leave_is_offered_like_every_lead(store):
    """It was offered to who was on leave, and lay there until the leave was over."""
    await says(store, "lilei", "请假 今天到周五")

    [done] = await take(store, CONTACT)

    new = await lead(store, done.id)
    card = (await answers(store))[f"lead:{new.id}/{new.owner.id}"]
    assert new.owner.name == "韩梅"
    assert "李雷 的企业微信好友" in str(card.payload)


async def test_who_says_not_to_call_is_given_to_nobody_and_the_card_says_so(store):
    """It went to a rep as a new lead, with five minutes to accept it and a button to call."""
    new = await captured(store, name="王五", phone="19912345678", message="别再联系我了")
    held = await lead(store, new.id)
    await captured(store, name="王五", phone="19912345678", message="又想了解一下")
    asked = await lead(store, new.id)

    assert (held.owner, held.place, held.why) == (None, Place.MARKETING, "客户要求不再联系")
    assert asked.owner is not None


async def test_the_owner_reads_that_the_person_wants_to_be_left_alone(store):
    """The card went on saying 请联系, as if nothing had been said."""
    new = await captured(store, name="王五", phone="19912345678", rep="李雷")
    await says(store, "lilei", f"接受 {new.id}")
    await captured(store, name="王五", phone="19912345678", message="不要再打了")

    mine = (await answers(store))[f"lead:{new.id}/{(await lead(store, new.id)).owner.id}"]

    assert "客户要求不再联系" in str(mine.payload)
