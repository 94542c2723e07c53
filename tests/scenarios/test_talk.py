"""What people type and press that cannot be done, and what they are told."""

import pytest

from tests.scenarios.world import Phone, World, buttons, eventually, line_of, shown

REPS = ("wecom:lilei", "dingtalk:wangqiang")


@pytest.mark.parametrize("chat", REPS)
@pytest.mark.parametrize(
    ("typed", "meant"),
    [("跟近 1 聊了", "跟进 1"), ("领区 4", "领取 4"), ("claime 4", "领取 4"), ("公还", "公海")],
)
async def test_an_unknown_line_gets_the_nearest_command(world: World, chat, typed, meant):
    answer = await world.phone(chat).says(typed)

    assert "没听懂" in answer
    assert meant in answer


async def test_nonsense_is_pointed_to_the_help_and_the_help_lists_what_the_role_can(world, li):
    assert "帮助" in await li.says("qwertyuiop")

    manual = await li.says("帮助")

    assert "领取 42" in manual
    assert "分配 42" not in manual


async def test_full_width_and_english_lines_are_understood(world: World, wang: Phone):
    lead = (await world.posts(name="秦岳", phone="19910000009", rep="王强"))["id"]
    await wang.sees_card_of(lead, "接受")

    assert "已接受" in await wang.says(f"／ｃｌａｉｍ　＃{lead}")
    assert "记下" in await wang.says(f"跟进{lead} 电话 聊了方案")


@pytest.mark.parametrize("chat", REPS)
@pytest.mark.parametrize("line", ["分配 1 韩梅", "日报"])
async def test_a_rep_is_told_that_this_is_the_managers_step(world: World, chat, line):
    assert "主管" in await world.phone(chat).says(line)


async def test_marketing_is_told_that_claiming_is_for_sales(world: World, zhou: Phone):
    assert "销售" in await zhou.says("领取 4")
    assert (await world.lead(4))["owner"] is None


async def test_a_stranger_is_told_how_to_get_in_and_sees_nothing(world: World):
    world.state.phones["wecom:lushao"] = world.state.phones["wecom:lilei"].__class__(
        id="wecom:lushao", platform="wecom", account="lushao", name="路少", role="rep"
    )

    answer = await world.phone("wecom:lushao").says("公海")

    assert "管理员" in answer
    assert "lushao" in answer
    assert "#" not in answer


async def test_the_lead_of_a_colleague_cannot_be_worked_and_shows_no_number(world, li, han):
    lead = (await world.posts(name="秦岳", phone="19921000009", rep="李雷"))["id"]
    await li.sees_card_of(lead, "接受")

    assert "李雷" in await han.says(f"跟进 {lead} 电话 聊了")
    shown = await han.says(f"线索 {lead}")

    assert "19921000009" not in shown.replace(" ", "").replace("-", "")
    assert "秦岳" not in shown


@pytest.mark.parametrize(
    ("chat", "other", "former"),
    [
        ("wecom:lilei", "wecom:hanmei", "dingtalk:wangqiang"),
        ("dingtalk:wangqiang", "dingtalk:zhaomin", "wecom:lilei"),
    ],
    ids=["wecom", "dingtalk"],
)
async def test_a_press_on_an_outdated_card_says_what_is_true_and_repairs_it(
    world, chat, other, former
):
    slow, quick = world.phone(chat), world.phone(other)
    lead = await world.pooled(former, name="秦岳", phone="19951000009")
    await slow.says(f"线索 {lead}")
    await slow.sees_card_of(lead, "公海")
    listed = await quick.says("公海")
    outdated = await slow.says("公海")
    assert f"领取 #{lead}" in listed
    assert f"领取 #{lead}" in outdated

    await quick.press(f"领取 #{lead}")
    await quick.sees_card_of(lead, "请联系")
    await slow.press(f"领取 #{lead}")

    name = (await world.lead(lead))["owner"]["name"]
    await slow.sees(f"#{lead}", name)
    await slow.sees_card_of(lead, f"已由 {name} 接手")


async def test_a_card_that_could_not_be_redrawn_is_redrawn_by_the_press(
    world: World, li, han, chen
):
    """WeCom redraws a card once per press, and takes none back that is older than a day."""
    lead = await world.pooled("dingtalk:wangqiang", name="秦岳", phone="19951000009")
    await li.says(f"线索 {lead}")
    await li.sees_card_of(lead, "公海", "领取")
    await chen.says(f"资料 {lead} 产品 客服系统")
    await li.sees_card_of(lead, "客服系统", "领取")
    old = li.find("领取", lead)
    await world.move(hours=25)
    await han.says(f"领取 {lead}")
    await li.sees_card_of(lead, "已由 韩梅 接手")
    assert "领取" in buttons(old)

    await li.press("领取", of=lead)

    await li.sees("韩梅", f"#{lead}")
    await eventually(lambda: "已由 韩梅 接手" in shown(old), lambda: shown(old))


async def test_every_button_on_every_phone_is_a_line_that_is_understood(world: World, li, chen):
    from handlers.commands import understand  # noqa: PLC0415 - the one look behind the curtain

    for line in ("我的", "今日", "公海", "退回 1", "线索 1"):
        await li.says(line)
    await chen.says("日报")
    await chen.says("分配 4")
    await world.quiet()

    lines = [
        line_of(value)
        for chat in world.state.phones
        for message in world.phone(chat).messages()
        for value in buttons(message).values()
    ]

    assert len(lines) > 20
    assert all(understand(line) for line in lines)
