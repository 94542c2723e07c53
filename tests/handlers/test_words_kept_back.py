"""DingTalk's month of pushes is over: messages come without their words, and are answered all the same."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from bot.dispatch import hear
from bot.incoming import Incoming, Session
from store import tables as t
from store.domain.quota import Api, Level
from store.domain.team import Platform
from tests.handlers.people import answers, captured, says


@pytest.fixture
def office(store):
    return replace(store, rules=replace(store.rules, wecom=True, dingtalk=True))


async def kept_back(store, account="wangqiang", id_="m1"):
    session = Session(url="https://oapi.example.com/s", until=store.clock() + timedelta(hours=1))
    said = Incoming(
        platform=Platform.DINGTALK,
        id=id_,
        account=account,
        line="",
        session=session,
        left_out=True,
    )
    await hear(store, said)
    rows = await answers(store)
    return [row for key, row in rows.items() if key.startswith("reply:")]


async def test_the_person_is_told_with_the_pages_of_their_leads(office):
    lead = await captured(office, rep="王强", name="客户甲")

    (reply,) = await kept_back(office)

    words = str(reply.payload["msgParam"])
    assert "没有传过来" in words  # the message was dropped without an answer
    assert f"#{lead.id} 客户甲 {office.rules.public_url}/app/leads/{lead.id}" in words
    assert reply.payload["session"]["url"] == "https://oapi.example.com/s"


async def test_a_manager_is_not_told_who_waits_in_the_pool(office):
    """The links to what waits were named in full."""
    async with office.begin() as tx:
        await tx.conn.execute(
            update(t.members).where(t.members.c.role == "rep").values(active=False)
        )
        boss = update(t.members).where(t.members.c.name == "陈主管")
        await tx.conn.execute(boss.values(wecom=None, dingtalk="chenzg"))
    lead = await captured(office, name="欧阳静")

    (reply,) = await kept_back(office, "chenzg")

    assert f"#{lead.id} 欧阳*" in str(reply.payload)
    assert "欧阳静" not in str(reply.payload)


async def test_the_manager_hears_it_once_and_the_ledger_believes_it(office):
    for n in range(3):
        await kept_back(office, id_=f"m{n}")

    told = [row for key, row in (await answers(office)).items() if key.startswith("quota:")]
    assert [row.account for row in told] == ["chenzg"]
    assert "钉钉本月推送用完了" in str(told[0].payload)
    assert "平台说用完了" in await says(office, "chenzg", "配额")
    async with office.read() as tx:
        assert (await tx.quota.total(Api.DINGTALK_PUSHES)).level == Level.OVER
        assert [alarm.key for alarm in await tx.alarms.on()] == ["dingtalk.pushes:over"]


async def test_who_sends_a_picture_is_told_to_write(office):
    """Nothing at all came back."""
    said = Incoming(
        platform=Platform.DINGTALK, id="m9", account="wangqiang", line="", wordless="图片"
    )

    await hear(office, said)

    (reply,) = [row for key, row in (await answers(office)).items() if key.startswith("reply:")]
    assert reply.payload["msgParam"]["content"] == "图片我还看不懂，用文字发给我就行"


async def test_a_stranger_is_told_who_they_are_to_us(office):
    (reply,) = await kept_back(office, account="nobody")

    assert "名单" in str(reply.payload)


async def test_who_is_also_in_wecom_is_sent_there(office):
    async with office.begin() as tx:
        members = await tx.members.all()
        rows = [
            {"name": m.name, "role": m.role, "wecom": m.wecom, "dingtalk": m.dingtalk,
             "regions": [], "products": [], "industries": [], "grade": "", "capacity": 50}
            for m in members.values()
        ]  # fmt: skip
        for row in rows:
            if row["dingtalk"] == "wangqiang":
                row["wecom"] = "wangq"
        await tx.members.sync(rows)

    (reply,) = await kept_back(office)

    assert "到企业微信里发给我就行" in str(reply.payload)
