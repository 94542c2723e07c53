"""DingTalk's month is used up in the middle of the day: nobody is left without their lead."""

from store.domain.quota import Api


async def spent(opened):
    async with opened.service.store.read() as tx:
        return (await tx.quota.total(Api.DINGTALK_CALLS)).count


async def test_the_group_calls_and_the_robot_still_answers(opened, world):
    opened.sandbox.dingtalk.api.calls_left = 0
    wang = world.phone("dingtalk:wangqiang")

    lead = (await world.posts(rep="王强", name="客户甲", phone="19900000001"))["id"]
    called = await world.phone("dingtalk-group").sees("@wangqiang", "待看")
    await world.act("say", phone=wang.chat, text="待看")
    listed = await wang.sees("待看 1 条")
    await world.act("say", phone=wang.chat, text=f"领取 {lead}")
    accepted = await wang.sees("已接受")

    chen = world.phone("wecom:chenzg")
    told = await chen.sees("钉钉本月调用用完了")
    await world.act("say", phone=chen.chat, text="配额")
    asked = await chen.sees("平台说用完了")

    assert "找机器人说话照样有回答" in told
    assert "用完了" in asked
    assert "客户甲" not in called
    assert f"#{lead}" in listed
    assert "19900000001" in accepted


async def test_what_was_counted_is_what_dingtalk_counted(opened, world):
    before = await spent(opened)
    opened.sandbox.dingtalk.api.calls_left = 1000

    for n in range(3):
        number = (await world.posts(rep="王强", name=f"客户{n}", phone=f"1990000010{n}"))["id"]
        await world.phone("dingtalk:wangqiang").sees_card_of(number)
        await world.phone("dingtalk:wangqiang").press("接受", of=number)
    await world.move(minutes=1)

    async def same():
        return await spent(opened) - before == 1000 - opened.sandbox.dingtalk.api.calls_left

    await eventually_true(same)


async def eventually_true(happened):
    import asyncio  # noqa: PLC0415
    import time  # noqa: PLC0415

    late = time.monotonic() + 60
    while not await happened():
        assert time.monotonic() < late
        await asyncio.sleep(0.05)


async def test_when_it_gets_tight_the_manager_hears_it_once_in_the_chat(opened, world):
    async with opened.service.store.begin() as tx:
        await tx.quota.add({(Api.DINGTALK_CALLS, ""): 4200})

    for n in range(2):
        await world.posts(rep="王强", name=f"客户{n}", phone=f"1990000020{n}")
        await world.quiet()
    await world.move(minutes=1)

    chen = world.phone("wecom:chenzg")
    told = await chen.sees("钉钉本月调用已用")
    asked = await chen.says("配额")

    assert "84%" in told
    assert chen.text().count("钉钉本月调用已用") == 1
    assert "快用完了" in asked
