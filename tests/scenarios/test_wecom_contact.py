"""A customer scans a rep's QR code; when it comes to nothing, they are written to as a 群发."""

from tests.scenarios.world import Phone, World, eventually


async def test_a_contact_added_by_qr_code_is_a_lead_and_is_nurtured_by_its_owner(
    world: World, li: Phone, zhou: Phone
):
    await world.act("contacts", userid="lilei", name="苏禾", state="展会二维码")

    card = await li.sees("苏禾", "接受")
    assert "已加企业微信好友" in card
    lead = await number_of(world, "苏禾")
    assert (await world.lead(lead))["owner"]["wecom"] == "lilei"
    assert (await world.lead(lead))["channel"] == "展会二维码"

    await li.press("接受", of=lead)
    await li.sees_card_of(lead, "请联系")
    await li.says(f"退回 {lead} 明年再说")
    await zhou.sees_card_of(lead, "退回培育", "未到时机", "苏禾")
    await world.move(days=1, minutes=1)

    task = await the_task(li)
    assert "苏禾" in task.body["text"]
    assert task.body["customers"] == ["苏禾"]
    [welcome] = customers_chat(world)
    await world.act("confirm", message=task.id)
    assert "很高兴认识你" in welcome.body["text"]
    assert "苏禾" in customers_chat(world)[1].body["text"]


async def number_of(world: World, name: str) -> int:
    return next(lead["id"] for lead in await world.leads() if lead["name"] == name)


async def the_task(phone: Phone):
    return await eventually(
        lambda: next((m for m in phone.messages() if m.kind == "task"), None), phone.text
    )


def customers_chat(world: World):
    chats = [chat for chat in world.state.chats if chat.startswith("wechat:")]
    return [m for chat in chats for m in world.state.chats[chat]]


async def test_two_contacts_of_the_same_name_are_two_people(world: World, li: Phone, han: Phone):
    before = len(await world.leads())

    await world.act("contacts", userid="lilei", name="苏禾", state="")
    await world.act("contacts", userid="hanmei", name="苏禾", state="")
    await li.sees("苏禾", "接受")
    await han.sees("苏禾", "接受")

    assert len(await world.leads()) == before + 2
