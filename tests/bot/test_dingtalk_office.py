"""What DingTalk has besides chats: to-do entries, approvals, groups bound by @-ing the bot."""

import pytest

from bot.sandbox.dingtalk.directory import union_id
from store import tables as t
from tests.bot.company import company, until
from tests.handlers.people import captured

APPROVAL = {
    "process_code": "PROC-LEAD",
    "fields": {"name": "客户", "phone": "电话", "message": "需求", "产品线": "产品线"},
}
ANSWERS = {"客户": "苏禾", "电话": "13912345678", "需求": "想要报价", "产品线": '["CRM","工单"]'}
WANGQIANG = "uN+wangqiang/iE=="


@pytest.fixture
async def firm(database, clock):
    async with company(database, clock, dingtalk={"todo": True, "approval": [APPROVAL]}) as firm:
        await firm.read()
        yield firm


@pytest.fixture
async def lite(sqlite, clock):
    async with company(sqlite, clock, dingtalk={"todo": True, "approval": [APPROVAL]}) as firm:
        await firm.read()
        yield firm


async def say(firm, account, line, *, in_group=False):
    """Say it in DingTalk and let everything that follows happen."""
    before = len(await firm.rows(t.inbox))
    await firm.sandbox.dingtalk.hand.say(account, line, in_group=in_group)

    async def heard() -> bool:
        return len(await firm.rows(t.inbox)) > before

    await until(heard)
    await firm.step()


async def working(firm, account="wangqiang", name="王强"):
    """A lead that somebody in DingTalk has accepted."""
    made = await captured(firm.service.store, rep=name, name="苏禾")
    await say(firm, account, f"领取 {made.id}")
    return made


def tasks(firm, *, done):
    found = firm.sandbox.dingtalk.todos.tasks.values()
    return [task for task in found if task.done is done]


# -- to-dos ---------------------------------------------------------------------


async def test_a_reminder_is_a_to_do_entry_that_opens_the_leads_page(firm):
    made = await working(firm)

    await say(firm, "wangqiang", f"提醒 {made.id} 明天9点 打电话")

    [task] = tasks(firm, done=False)
    assert task.owner == WANGQIANG
    assert task.body["subject"] == f"#{made.id} 苏禾 打电话"
    page = f"{firm.url}/app/leads/{made.id}"
    assert task.body["detailUrl"] == {"appUrl": page, "pcUrl": page}
    assert task.body["executorIds"] == [WANGQIANG]


async def test_what_was_logged_after_it_rang_is_ticked_off(firm, clock):
    made = await working(firm)
    await say(firm, "wangqiang", f"提醒 {made.id} 明天9点 打电话")
    clock.tick(days=1)
    await firm.service.settle()
    assert len(tasks(firm, done=False)) == 1

    await say(firm, "wangqiang", f"跟进 {made.id} 电话 聊了报价")

    assert len(tasks(firm, done=True)) == 1
    assert tasks(firm, done=False) == []


async def test_the_next_date_of_a_follow_up_is_an_entry_and_replaces_the_one_before(lite):
    made = await working(lite)
    await say(lite, "wangqiang", f"跟进 {made.id} 电话 聊了报价 明天下午3点再约")

    await say(lite, "wangqiang", f"跟进 {made.id} 电话 改期了 后天下午3点再约")

    assert len(tasks(lite, done=True)) == 1
    [task] = tasks(lite, done=False)
    assert "改期了" in task.body["subject"]


async def test_an_entry_whose_making_was_never_answered_is_ticked_off_all_the_same(lite, clock):
    """It stayed in the list for good: nobody knew its id."""
    made = await working(lite)
    await say(lite, "wangqiang", f"提醒 {made.id} 明天9点 打电话")
    lite.sandbox.faults.on("dingtalk", "lost", count=20)
    await say(lite, "wangqiang", f"提醒 {made.id} 后天9点 签合同")
    lite.sandbox.faults.off()
    standing = len(tasks(lite, done=False))

    await say(lite, "wangqiang", f"成交 {made.id} 3万")
    clock.tick(minutes=20)
    await lite.service.settle()

    assert standing >= 1
    assert tasks(lite, done=False) == []
    assert "签合同" in [task.body["subject"].split()[-1] for task in tasks(lite, done=True)]


async def test_a_closed_lead_leaves_nothing_to_do(lite):
    made = await working(lite)
    await say(lite, "wangqiang", f"提醒 {made.id} 明天9点 打电话")

    await say(lite, "wangqiang", f"成交 {made.id} 3万")

    assert tasks(lite, done=False) == []


async def test_a_transferred_lead_takes_its_entry_along(firm):
    made = await working(firm)
    await say(firm, "wangqiang", f"提醒 {made.id} 明天9点 打电话")

    await say(firm, "wangqiang", f"转交 {made.id} 赵敏")

    assert [task.owner for task in tasks(firm, done=True)] == [WANGQIANG]
    assert [task.owner for task in tasks(firm, done=False)] == ["uN+zhaomin/iE=="]


async def test_without_the_switch_there_are_no_paid_calls(sqlite, clock):
    async with company(sqlite, clock) as firm:
        await firm.read()
        made = await working(firm)

        await say(firm, "wangqiang", f"提醒 {made.id} 明天9点 打电话")

        assert firm.sandbox.dingtalk.todos.tasks == {}
        assert not [w for w in firm.sandbox.state.wires if "/todo/" in w["call"]]


# -- approvals --------------------------------------------------------------------


async def approve(firm, answers=ANSWERS, by="wangqiang", times=1, **changes):
    instance = firm.sandbox.dingtalk.approvals.fill(by, "线索登记", answers)
    body = {"processInstanceId": instance, "processCode": "PROC-LEAD", "type": "finish",
            "result": "agree", "staffId": by} | changes  # fmt: skip
    before = len(await firm.rows(t.inbox))
    for number in range(times):
        await firm.sandbox.dingtalk.gateway.report("bpms_instance_change", body, f"e{number}")

    async def heard() -> bool:
        return len(await firm.rows(t.inbox)) >= before + times

    await until(heard)
    await firm.step()
    return instance


async def test_an_agreed_approval_is_a_lead_of_the_rep_who_wrote_it(firm):
    instance = await approve(firm)

    [lead] = await firm.rows(t.leads)
    assert (lead.name, lead.phone, lead.message) == ("苏禾", "+8613912345678", "想要报价")
    assert (lead.source, lead.channel, lead.external_id) == ("dingtalk", "审批", instance)
    assert lead.fields == {"产品线": "CRM、工单"}
    assert lead.rep == "王强"


async def test_two_events_about_one_approval_are_one_enquiry(lite):
    await approve(lite, times=2)

    assert len(await lite.rows(t.leads)) == 1
    assert "asked_again" not in [row.kind for row in await lite.rows(t.events)]


async def test_what_cannot_be_read_is_said_to_who_wrote_it(lite):
    await approve(lite, answers=ANSWERS | {"电话": "回头给"})

    assert await lite.rows(t.leads) == []
    said = [str(m.body) for m in lite.sandbox.state.chats["dingtalk:wangqiang"]]
    assert any("没有录成线索" in text for text in said)


# -- groups ----------------------------------------------------------------------


async def test_a_manager_binds_a_group_by_talking_to_the_bot_in_it(firm):
    await say(firm, "sunzg", "绑定", in_group=True)

    [group] = await firm.rows(t.groups)
    assert (group.platform, group.id) == ("dingtalk", firm.sandbox.dingtalk.org.group_id)
    assert group.title == firm.sandbox.dingtalk.org.group_title
    shown = [str(m.body) for m in firm.sandbox.state.chats["dingtalk-group"]]
    assert any("把日报发到" in text for text in shown)


async def test_a_chat_of_two_is_no_group_to_bind(lite):
    await say(lite, "sunzg", "绑定")

    assert await lite.rows(t.groups) == []
    said = [str(m.body) for m in lite.sandbox.state.chats["dingtalk:sunzg"]]
    assert any("到要收日报的群里" in text for text in said)


async def test_a_rep_binds_nothing(lite):
    await say(lite, "wangqiang", "绑定", in_group=True)

    assert await lite.rows(t.groups) == []


def test_the_made_up_union_ids_have_to_be_escaped():
    assert union_id(type("E", (), {"account": "wangqiang"})()) == WANGQIANG
