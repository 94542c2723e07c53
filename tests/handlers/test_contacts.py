"""WeCom contacts, handler by handler: met, greeted, left; codes and links; once each."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from bot.app import _remember
from bot.dispatch import hear
from bot.incoming import (
    ContactAdded,
    ContactEdited,
    ContactLost,
    HandoverFailed,
    Incoming,
    LinkNews,
)
from handlers import contacts, sweeps, ways
from handlers.contacts import leads_of
from store import tables as t
from store.domain.lead import Kind
from store.domain.team import Channel, Platform
from store.domain.ways import Way, WayKind
from tests.handlers.people import IDS, answers, captured, says

SU = "wmSUHE"
ANY = {"external_userid": SU, "userid": "lilei"}
WELCOME = "你好{name}，我是{rep}，{channel}上见过"


@pytest.fixture
def store(store):
    return replace(
        store,
        rules=replace(store.rules, wecom=True, welcome="你好", welcomes={"展会": WELCOME}),
    )


@pytest.fixture
def tagging(store):
    return replace(store, rules=replace(store.rules, tags=True, remarks=True))


def event(kind, **values):
    return kind(id=f"e{next(IDS)}", **values)


async def met(store, **values):
    given = ANY | {"state": "展会", "welcome_code": f"WC{next(IDS)}"} | values
    await hear(store, event(ContactAdded, **given))
    return await the_lead(store, given["external_userid"])


async def the_lead(store, external_userid=SU):
    async with store.begin() as tx:
        [lead] = await leads_of(tx, external_userid)
        return lead


async def kinds(store, lead):
    async with store.read() as tx:
        lines = (await tx.leads.history([lead.id]))[lead.id]
        return [line.kind for line in lines]


async def rows(store, channel):
    return [row for row in (await answers(store)).values() if row.channel == channel]


async def words(store, account):
    return "\n".join(
        str(row.payload) for row in (await answers(store)).values() if row.account == account
    )


# -- met -----------------------------------------------------------------------


async def test_a_contact_is_a_lead_of_the_channel_and_of_the_member(store):
    lead = await met(store)

    assert (lead.channel, lead.owner.name, lead.source) == ("展会", "李雷", "wecom")
    assert len(await rows(store, Channel.WECOM_CONTACT)) == 1


async def test_the_card_names_the_code_that_was_scanned(store):
    # It said 企业微信 and nothing of the exhibition.
    await met(store)

    assert "企业微信 展会" in await words(store, "lilei")


async def test_half_and_whole_are_one_lead_and_one_welcome(store):
    await met(store, welcome_code="WC")
    lead = await met(store, welcome_code="")

    assert len(await rows(store, Channel.WECOM_WELCOME)) == 1
    assert (await kinds(store, lead)).count(Kind.CAPTURED) == 1
    assert Kind.ASKED_AGAIN not in await kinds(store, lead)


async def test_the_same_event_twice_is_one(store):
    once = ContactAdded(id="same", **ANY, state="", welcome_code="")

    await hear(store, once)
    await hear(store, once)

    assert len(await kinds(store, await the_lead(store))) == 2  # captured, assigned


async def test_a_second_member_wakes_the_lead_and_takes_nothing(store):
    await met(store)

    lead = await met(store, userid="hanmei", state="")

    assert lead.owner.name == "李雷"
    assert {Kind.ASKED_AGAIN, Kind.FRIENDED} <= set(await kinds(store, lead))


async def test_somebody_outside_the_team_brings_a_lead_for_the_rules(store):
    lead = await met(store, userid="nobody")

    assert lead.owner is not None
    assert lead.rep == ""


async def test_each_channel_has_its_welcome_and_its_names(store):
    await met(store)
    await met(store, external_userid="wmOTHER", state="官网")

    said = [row.payload["text"]["content"] for row in await rows(store, Channel.WECOM_WELCOME)]

    assert sorted(said) == ["你好", "你好，我是李雷，展会上见过"]


async def test_without_a_code_or_a_welcome_nobody_is_greeted(store):
    await met(store, welcome_code="")
    silent = replace(store, rules=replace(store.rules, welcome="", welcomes={}))
    await met(silent, external_userid="wmOTHER")

    assert await rows(store, Channel.WECOM_WELCOME) == []


async def test_a_welcome_overtakes_whatever_waits(store):
    async with store.begin() as tx:
        members = await tx.members.active()
        for number in range(40):
            await contacts.tell(tx, members[:1], f"backlog:{number}", "旧的")
    await met(store)

    async with store.begin() as tx:
        leased = await tx.outbox.lease(3)

    assert Channel.WECOM_WELCOME in {due.channel for due in leased}


async def test_a_welcome_that_went_out_is_in_the_history(store):
    lead = await met(store)

    async with store.begin() as tx:
        await contacts.greeted(tx, SU, "lilei", "")

    assert Kind.GREETED in await kinds(store, lead)


async def test_a_welcome_that_went_out_is_nothing_the_member_did(store):
    """It is written in their name: the card could no longer take back what they had done."""
    lead = await met(store)
    await says(store, "lilei", f"领取 {lead.id}")

    async with store.begin() as tx:
        await contacts.greeted(tx, SU, "lilei", "")
        newest = await tx.leads.newest([lead.id])

    assert newest[lead.id].kind == Kind.ACCEPTED


async def test_a_welcome_that_did_not_is_told_to_the_member(store):
    lead = await met(store)

    async with store.begin() as tx:
        await contacts.greeted(tx, SU, "lilei", "超过 20 秒")

    assert Kind.UNGREETED in await kinds(store, lead)
    assert "先去打个招呼" in await words(store, "lilei")


async def test_a_remark_that_was_edited_is_looked_up_again(store):
    lead = await met(store)
    async with store.begin() as tx:
        [due] = [d for d in await tx.outbox.lease(9) if d.channel == Channel.WECOM_CONTACT]
        await tx.outbox.sent(due, None)

    await hear(store, event(ContactEdited, **ANY))

    waiting = (await answers(store))[f"contact:{lead.id}"]
    assert waiting.due_at is not None


# -- left ----------------------------------------------------------------------


async def test_a_customer_who_deletes_the_rep_is_told_and_counted(store):
    lead = await met(store)

    await hear(store, event(ContactLost, **ANY, by_customer=True))

    after = await the_lead(store)
    assert after.parted_at is not None
    assert Kind.UNFRIENDED in await kinds(store, lead)
    assert "删除了你" in await words(store, "lilei")
    async with store.read() as tx:
        today = tx.now.astimezone(tx.rules.zone).date()
        assert (await tx.figures.of(today, tx.now)).unfriended == 1


async def test_the_same_loss_reported_twice_is_told_once(store):
    lead = await met(store)

    await hear(store, event(ContactLost, **ANY, by_customer=True))
    await hear(store, event(ContactLost, **ANY, by_customer=True))

    assert (await kinds(store, lead)).count(Kind.UNFRIENDED) == 1


async def test_a_contact_that_wecom_no_longer_knows_is_marked_and_told_to_the_rep(store):
    """84061 was an error in the log, and the next message went to nobody again."""
    lead = await met(store)

    for _ in range(2):
        async with store.begin() as tx:
            await contacts.unreachable(tx, SU, "lilei")

    assert (await the_lead(store)).parted_at is not None
    assert (await kinds(store, lead)).count(Kind.UNREACHABLE) == 1
    assert "不是微信好友了" in await words(store, "lilei")
    async with store.read() as tx:
        today = tx.now.astimezone(tx.rules.zone).date()
        assert (await tx.figures.of(today, tx.now)).unfriended == 0


async def test_a_contact_of_another_member_can_still_be_reached(store):
    await met(store)
    await met(store, userid="hanmei")

    async with store.begin() as tx:
        await contacts.unreachable(tx, SU, "lilei")

    assert (await the_lead(store)).parted_at is None


async def test_a_contact_who_adds_the_rep_again_can_be_reached_again(store):
    await met(store)
    async with store.begin() as tx:
        await contacts.unreachable(tx, SU, "lilei")

    await met(store)

    assert (await the_lead(store)).parted_at is None


async def test_a_contact_in_doubt_is_asked_about(store):
    lead = await met(store)

    async with store.begin() as tx:
        await contacts.doubted(tx, SU, "lilei")

    asked = (await answers(store))[f"contact:{lead.id}"]
    assert asked.payload == {"userid": "lilei", "doubt": True}


async def test_who_deletes_one_of_two_members_can_still_be_reached(store):
    await met(store)
    await met(store, userid="hanmei")

    await hear(store, event(ContactLost, **ANY, by_customer=True))

    assert (await the_lead(store)).parted_at is None


async def test_nobody_who_left_gets_a_mass_message(store, clock):
    lead = await met(store)
    await says(store, "lilei", f"领取 {lead.id}")
    await says(store, "lilei", f"退回 {lead.id} 明年再说")
    [journey] = await journeys(store)

    await hear(store, event(ContactLost, **ANY, by_customer=True))
    clock.tick(days=1, minutes=1)
    await step(store, clock)

    assert journey
    assert await rows(store, Channel.WECOM_MASS) == []


async def journeys(store):
    async with store.read() as tx:
        return list(await tx.conn.execute(select(t.journeys)))


async def step(store, clock):
    from handlers.journeys import advance  # noqa: PLC0415 - only here

    async with store.begin() as tx:
        for journey in await tx.journeys.due(clock(), 9):
            await advance(tx, journey)


async def lost(store, external_userid=SU, userid="lilei"):
    about = {"external_userid": external_userid, "userid": userid}
    await hear(store, event(ContactLost, **about, by_customer=True))


async def by_number(store, lead_id):
    async with store.read() as tx:
        return await tx.leads.get(lead_id)


async def test_a_merge_knows_that_the_contact_it_brings_is_gone(store):
    """The joined lead was written to by way of a contact who had deleted everybody."""
    kept = await captured(store)
    other = await met(store)
    await lost(store)

    await says(store, "chenzg", f"合并 {kept.id} {other.id}")

    joined = await by_number(store, kept.id)
    assert joined.external_userid == SU
    assert joined.parted_at is not None


async def test_a_merged_lead_is_parted_from_its_own_contact_only(store):
    """Whoever deleted the other one's number took the lead's own contact along."""
    kept = await met(store)
    other = await met(store, external_userid="wmOTHER")
    await says(store, "chenzg", f"合并 {kept.id} {other.id}")

    await lost(store, "wmOTHER")

    assert (await by_number(store, kept.id)).parted_at is None
    await lost(store)
    assert (await by_number(store, kept.id)).parted_at is not None


async def test_what_is_taken_apart_knows_who_deleted_whom_meanwhile(store):
    kept = await captured(store)
    other = await met(store)
    await says(store, "chenzg", f"合并 {kept.id} {other.id}")
    await lost(store)

    await says(store, "chenzg", f"分开 {other.id}")

    assert (await by_number(store, kept.id)).parted_at is None
    assert (await by_number(store, other.id)).parted_at is not None


async def test_a_new_line_of_a_contact_who_is_gone_is_gone_too(store):
    lead = await met(store)
    await lost(store)

    await says(store, "lilei", f"新线 {lead.id} 云客服")

    [made] = (await by_number(store, lead.id)).linked
    assert (await by_number(store, made)).parted_at is not None


@pytest.mark.parametrize("ended", ["成交 {n} 12万", "流失 {n} 选了别家"])
async def test_what_wecom_knows_of_somebody_opens_no_lead_that_is_over(store, ended):
    """A remark that was edited made a won lead a new one, and took a lost one from its owner."""
    lead = await met(store)
    await says(store, "lilei", f"领取 {lead.id}")
    await says(store, "lilei", ended.format(n=lead.id))
    before = await by_number(store, lead.id)

    await _remember(store)(SU, {"name": NAME, "remark_mobiles": [PHONE]})

    after = await by_number(store, lead.id)
    assert after.name == NAME
    assert (after.stage, after.owner, after.due) == (before.stage, before.owner, before.due)


async def test_what_wecom_knows_of_somebody_makes_no_late_call_good(store):
    """The lead that nobody had called in time was on time again, and the managers' card gone."""
    lead = await met(store)
    await says(store, "lilei", f"领取 {lead.id}")
    store.clock.tick(hours=2)
    async with store.begin() as tx:
        await sweeps.deadlines(tx)

    await _remember(store)(SU, {"name": NAME})

    assert (await by_number(store, lead.id)).late_at is not None


async def test_a_member_who_deletes_the_customer_is_only_noted(store):
    lead = await met(store)

    await hear(store, event(ContactLost, **ANY, by_customer=False, handed_over=True))

    assert Kind.DROPPED in await kinds(store, lead)
    assert "删除了你" not in await words(store, "lilei")
    assert (await the_lead(store)).parted_at is not None


async def test_a_customer_who_comes_back_is_reachable_again(store):
    await met(store)
    await hear(store, event(ContactLost, **ANY, by_customer=True))

    lead = await met(store)

    assert lead.parted_at is None
    assert Kind.FRIENDED in await kinds(store, lead)


async def test_a_loss_that_comes_after_the_next_meeting_takes_nothing_back(store, clock):
    # It was told to the rep, counted, and no message went to a customer who was there.
    first, lost, again = (clock() + timedelta(minutes=n) for n in range(3))
    await met(store, at=first)
    await met(store, at=again)

    await hear(store, event(ContactLost, **ANY, by_customer=True, at=lost))

    lead = await the_lead(store)
    assert (lead.parted_at, Kind.UNFRIENDED in await kinds(store, lead)) == (None, False)
    assert "删除了你" not in await words(store, "lilei")


async def test_a_meeting_that_comes_after_the_loss_it_came_before_changes_nothing(store, clock):
    half, lost = clock(), clock() + timedelta(minutes=1)
    await met(store, at=half)
    await hear(store, event(ContactLost, **ANY, by_customer=True, at=lost))

    lead = await met(store, at=half + timedelta(seconds=1))  # the whole one was late

    assert lead.parted_at is not None
    assert (await kinds(store, lead)).count(Kind.FRIENDED) == 0


async def test_whom_we_only_heard_leave_is_a_lead_when_the_meeting_arrives(store, clock):
    await hear(store, event(ContactLost, **ANY, by_customer=True, at=clock()))

    lead = await met(store, at=clock() - timedelta(minutes=1))

    assert (lead.owner.name, len(await rows(store, Channel.WECOM_CONTACT))) == ("李雷", 1)


async def test_a_loss_of_somebody_unknown_is_only_kept(store):
    await hear(store, event(ContactLost, **ANY, by_customer=True))

    async with store.read() as tx:
        assert await tx.contacts.followers(SU) == []


async def test_a_takeover_that_failed_is_told_to_the_managers(store):
    lead = await met(store)

    await hear(
        store,
        event(HandoverFailed, external_userid=SU, userid="hanmei", reason="customer_refused"),
    )

    assert Kind.HANDOVER_FAILED in await kinds(store, lead)
    told = await words(store, "chenzg")
    assert "韩梅" in told
    assert "客户拒绝了" in told


# -- who it is, is not for everybody who was added ---------------------------------


NAME, PHONE = "欧阳静", "19912345678"


async def known(store, **values):
    """Somebody who is a contact of 韩梅 as well; 李雷 has the lead unless ``values`` says otherwise."""
    lead = await met(store)
    async with store.begin() as tx:
        given = {"name": NAME, "phone": f"+86{PHONE}", "phone_sure": True} | values
        await tx.conn.execute(update(t.leads).where(t.leads.c.id == lead.id).values(**given))
    await met(store, userid="hanmei", state="", welcome_code="WCHAN")
    return lead


async def test_who_is_deleted_by_a_colleagues_customer_reads_no_name_and_no_number(store):
    """The card told whoever had been a contact too how to reach somebody else's customer."""
    await known(store)

    await hear(store, event(ContactLost, external_userid=SU, userid="hanmei", by_customer=True))

    told = await phones(store, "parted:")
    assert "欧阳*" in told["hanmei"]
    assert "现在由 李雷 跟" in told["hanmei"]
    assert not [secret for secret in (NAME, PHONE) if secret in told["hanmei"]]
    assert NAME in told["lilei"]
    assert PHONE in told["lilei"]


async def test_a_welcome_that_failed_names_nobody_to_who_has_not_the_lead(store):
    await known(store)

    async with store.begin() as tx:
        await contacts.greeted(tx, SU, "hanmei", "超过 20 秒")

    assert NAME not in (await phones(store, "ungreeted:"))["hanmei"]


async def test_a_takeover_that_failed_names_nobody_who_lies_in_the_pool(store):
    """The managers read the whole name of a customer whom nobody has claimed."""
    lead = await known(store)
    await says(store, "lilei", f"放回 {lead.id}")

    await hear(store, event(HandoverFailed, external_userid=SU, userid="hanmei", reason=""))

    told = (await phones(store, "handover:"))["chenzg"]
    assert "欧阳*" in told
    assert NAME not in told


async def phones(store, prefix):
    """The texts under ``prefix``, by the account that reads them."""
    rows = (await answers(store)).items()
    return {row.account: str(row.payload) for key, row in rows if key.startswith(prefix)}


# -- remark and tag ------------------------------------------------------------


async def test_a_stage_is_one_tag_however_often_it_changes(tagging):
    lead = await met(tagging)
    await says(tagging, "lilei", f"领取 {lead.id}")
    for stage in ("跟进中", "意向", "已报价"):
        await says(tagging, "lilei", f"阶段 {lead.id} {stage}")

    [row] = await rows(tagging, Channel.WECOM_PROFILE)

    assert row.payload["tag"] == "已报价"
    assert row.payload["userid"] == "lilei"


async def test_neither_is_written_unless_asked_for(store):
    await met(store)

    assert await rows(store, Channel.WECOM_PROFILE) == []


async def test_each_member_has_a_row_of_their_own(tagging):
    await met(tagging)
    await met(tagging, userid="hanmei")

    assert {r.payload["userid"] for r in await rows(tagging, Channel.WECOM_PROFILE)} == {
        "lilei",
        "hanmei",
    }


async def test_nothing_is_written_on_somebody_who_left(tagging):
    lead = await met(tagging)
    await hear(tagging, event(ContactLost, **ANY, by_customer=True))
    await says(tagging, "lilei", f"领取 {lead.id}")

    [row] = await rows(tagging, Channel.WECOM_PROFILE)

    assert row.due_at is None


# -- codes and links -----------------------------------------------------------


async def ordered(store, line, account="zhousc"):
    said = await says(store, account, line)
    return said, [row.payload for row in await rows(store, Channel.WECOM_WAY)]


async def test_marketing_orders_a_code_for_two_people(store):
    said, [order] = await ordered(store, "活码 展会 李雷 韩梅")

    assert "好了发给你" in said
    assert order["way"]["userids"] == ["lilei", "hanmei"]
    assert (order["way"]["name"], order["way"]["kind"]) == ("展会", "code")


async def test_without_names_every_rep_in_wecom_receives(store):
    _, [order] = await ordered(store, "/获客 官网", account="chenzg")

    assert order["way"]["userids"] == ["lilei", "hanmei"]
    assert order["way"]["kind"] == "link"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("活码 展会 王强", "企业微信里没有「王强」"),
        (f"活码 {'长' * 31}", "最多 30 个字"),
        (f"获客 {'长' * 22}", "最多 21 个汉字"),
        ("活码", "还没有活码"),
    ],
)
async def test_an_order_that_cannot_be_is_told_why(store, line, told):
    said, orders = await ordered(store, line)

    assert told in said
    assert orders == []


async def test_a_rep_does_not_make_codes(store):
    said, orders = await ordered(store, "活码 展会", account="lilei")

    assert "市场" in said
    assert orders == []


async def test_what_was_made_is_kept_and_shown_with_its_picture(store):
    async with store.begin() as tx:
        zhou = await tx.members.by_name("周市场")
        await ways.made(tx, code(), zhou.id)
        await ways.shown(tx, code(), zhou.id, b"\x89PNG")

    said = await says(store, "zhousc", "活码")
    pictures = [
        row
        for row in (await answers(store)).values()
        if row.account == "zhousc" and row.payload.get("msgtype") == "image"
    ]

    assert "展会（李雷、韩梅）" in said
    assert len(pictures) == 1
    assert "李雷、韩梅接待" in await words(store, "zhousc")


async def test_asked_for_again_the_printed_code_stays(store):
    async with store.begin() as tx:
        await ways.keep(tx, code())

    _, [same] = await ordered(store, "活码 展会")
    _, [fewer] = await ordered(store, "活码 展会 韩梅 李雷")
    _, [one] = await ordered(store, "活码 展会 李雷")

    assert (same["way"]["id"], fewer["way"]["id"]) == ("cfg1", "cfg1")
    assert one["way"]["id"] == ""  # a code for one member is another kind (D:92572)


@pytest.mark.parametrize("change", ["delete_link", "link_unavailable"])
async def test_a_link_that_is_gone_leaves_its_name_to_a_new_one(store, change):
    """The next order changed the dead link, was refused, and so was every one after it."""
    async with store.begin() as tx:
        await ways.keep(tx, code(kind=WayKind.LINK, name="官网", id="ca1"))
    _, [before] = await ordered(store, "获客 官网")

    await hear(store, event(LinkNews, change=change, link_id="ca1"))

    _, [after] = await ordered(store, "获客 官网")
    assert (before["way"]["id"], after["way"]["id"]) == ("ca1", "")
    assert "还没有获客链接" in await says(store, "zhousc", "获客")
    assert "「官网」" in await words(store, "chenzg")


async def test_a_code_made_anew_takes_the_place_of_the_one_that_is_gone(store):
    async with store.begin() as tx:
        await ways.keep(tx, code())
        await ways.made(tx, code(id="cfg2", url="https://p.example/2.png"), 0, "cfg1")

    async with store.read() as tx:
        assert [way.id for way in await tx.contacts.named(WayKind.CODE, "展会")] == ["cfg2"]


async def test_what_was_made_while_an_order_waited_is_not_made_twice(store):
    """Two orders of one name, each without an id, made two codes."""
    async with store.begin() as tx:
        await ways.keep(tx, code())

        now = await ways.known(tx, code(id="", url=""))

    assert (now.id, now.url) == ("cfg1", "https://p.example/1.png")


async def test_what_was_lost_while_an_order_waited_is_made_anew(store):
    async with store.begin() as tx:
        await ways.keep(tx, code())
        await tx.contacts.lose_way("cfg1")

        now = await ways.known(tx, code())

    assert (now.id, now.url) == ("", "")


def code(**values):
    given = {"kind": WayKind.CODE, "name": "展会", "userids": ("lilei", "hanmei")}
    return Way(**given | {"id": "cfg1", "url": "https://p.example/1.png"} | values)


async def test_the_picture_reaches_a_phone_in_dingtalk_by_address(store):
    async with store.begin() as tx:
        wang = await tx.members.by_name("王强")
        await ways.shown(tx, code(), wang.id, b"\x89PNG")

    assert "/p/" in await words(store, "wangqiang")


async def test_why_a_code_was_not_made_is_told(store):
    async with store.begin() as tx:
        zhou = await tx.members.by_name("周市场")
        await ways.failed(tx, code(), zhou.id, "有人还没激活企业微信")

    assert "没做成：有人还没激活企业微信" in await words(store, "zhousc")


# -- what the links report -------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "more", "told"),
    [
        ("balance_low", {}, "快用完了"),
        ("balance_exhausted", {}, "用完了"),
        ("quota_expire_soon", {"left": "20", "expires": "1772409600"}, "20 次在 3月2日 到期"),
        ("link_unavailable", {"link_id": "ca1"}, "「官网」失效了"),
        ("friend_request", {"link_id": "ca1"}, "申请加好友"),
        ("customer_start_chat", {"external_userid": "wmNEW"}, "还没有这位客户"),
    ],
)
async def test_what_the_links_report_is_told_once_a_day(store, clock, change, more, told):
    async with store.begin() as tx:
        link = code(
            kind=WayKind.LINK, id="ca1", name="官网", url="https://work.weixin.qq.com/ca/1"
        )
        await tx.contacts.keep_way(link)

    for _ in range(3):
        await hear(store, event(LinkNews, change=change, **more))
        clock.tick(minutes=1)

    for account in ("chenzg", "zhousc"):
        assert (await words(store, account)).count(told) == 1


async def test_first_words_reach_the_rep(store):
    lead = await met(store)
    await says(store, "lilei", f"领取 {lead.id}")

    await hear(store, event(LinkNews, change="customer_start_chat", **ANY))

    assert Kind.SPOKE in await kinds(store, lead)
    assert await words(store, "chenzg") == ""
    card = (await answers(store))[f"lead:{lead.id}/{lead.owner.id}"]
    assert card.ring


async def test_what_asks_nothing_is_told_to_nobody(store):
    await hear(store, event(LinkNews, change="balance_increased"))
    await hear(store, event(LinkNews, change="of_next_year"))

    assert await answers(store) == {}


CROWD = 30


async def test_a_line_does_not_wait_for_a_crowd_of_contacts_that_came_before_it(store):
    """300 of them in a second kept a rep waiting for nine: the line was handled after the last."""
    met_at_once = [
        event(ContactAdded, **ANY | {"external_userid": f"wm{n}", "state": "", "welcome_code": ""})
        for n in range(CROWD)
    ]
    line = {"platform": Platform.WECOM, "account": "lilei", "line": "我的"}
    crowd = [asyncio.create_task(hear(store, one)) for one in met_at_once]
    await asyncio.wait(crowd, return_when=asyncio.FIRST_COMPLETED)

    await hear(store, Incoming(id="line", **line))
    ahead = sum(task.done() for task in crowd)
    await asyncio.gather(*crowd)

    assert ahead < CROWD / 3
