"""A prospect who has had enough, and who comes back by their own wish."""

import re

from tests.scenarios.world import Phone, World

ADDRESS = "bai@example.com"


async def test_opting_out_stops_the_journey_and_asking_again_wakes_the_lead(
    world: World, li: Phone
):
    lead = await nurtured(world, li)
    letter = await world.mail(ADDRESS)
    assert letter.unsubscribe in letter.text

    assert "确认" in await world.opens(letter.unsubscribe)
    assert (await world.lead(lead))["opted_out_at"] is None
    assert "已经停止" in await world.confirms(letter.unsubscribe)
    assert "已经停止" in await world.confirms(letter.unsubscribe)
    await world.move(days=11)

    assert len(world.mails(ADDRESS)) == 1
    stored = await world.lead(lead)
    assert [line["kind"] for line in stored["history"]].count("opted_out") == 1
    assert stored["opted_out_at"]

    await world.fills_form(name="白露", phone="19951000011", message="现在想看演示了")
    await li.sees_card_of(lead, "白露", "现在想看演示了", "接受")
    await world.move(days=2)
    assert len(world.mails(ADDRESS)) == 1


async def test_without_opting_out_four_letters_come_one_a_day_at_most(world: World, li: Phone):
    await nurtured(world, li)

    await world.move(days=11)

    mails = world.mails(ADDRESS)
    assert len(mails) == 4
    days = [mail.at.date() for mail in mails]
    assert [(day - days[0]).days for day in days] == [0, 2, 6, 9]
    assert len({mail.subject for mail in mails}) == 4
    assert len({mail.unsubscribe for mail in mails}) == 4


async def nurtured(world: World, rep: Phone) -> int:
    """A lead of the rep's, given back a day ago; the first letter is out."""
    await world.fills_form(
        name="白露", phone="19951000011", email=ADDRESS, product="CRM", message="先了解一下"
    )
    card = await rep.sees("白露", "接受")
    lead = int(re.search(r"#(\d+)", card)[1])
    await rep.press("接受", of=lead)
    await rep.sees_card_of(lead, "请联系")
    await rep.says(f"退回 {lead} 没预算")
    await world.move(days=1, minutes=1)
    return lead
