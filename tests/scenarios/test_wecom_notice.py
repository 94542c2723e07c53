"""A WeCom of a corp's own that knows no buttons: what they do stands in the card's menu."""

from tests.scenarios.world import Phone, World


async def test_the_lead_is_accepted_from_the_menu_and_the_same_card_says_so(
    world: World, li: Phone
):
    world.state.faults.on("wecom", "no_buttons")
    lead = (await world.posts(name="林知夏", phone="19921000001", rep="李雷"))["id"]
    await li.sees_card_of(lead, "接受")

    card = await li.press("接受", of=lead)
    await li.sees_card_of(lead, "请联系", "打通了")
    await world.quiet()

    assert card.body["card_type"] == "text_notice"
    assert card.body["card_action"]["url"].endswith(f"/app/leads/{lead}")
    assert f"#{lead}" in card.body["main_title"]["title"]
    assert "请联系" in card.body["main_title"]["title"]
    assert (await world.lead(lead))["history"][-1]["kind"] == "accepted"
