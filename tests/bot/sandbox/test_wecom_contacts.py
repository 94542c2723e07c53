from dataclasses import replace
from datetime import timedelta

import pytest

from bot.config import WeCom
from bot.platforms.wecom.client import WeComClient
from bot.platforms.wecom.sender import MassSender
from store.domain.errors import Lost
from store.domain.team import Channel
from store.outbox import Due


@pytest.fixture
async def contact(product):
    return await product.sandbox.wecom.hand.meet("lilei", "赵女士", "expo")


@pytest.fixture
def mass(product):
    async def post(*who, **changes):
        body = {"external_userid": list(who), "text": {"content": "新版本上线了"}, **changes}
        return await product.wecom("externalcontact/add_msg_template", **body)

    return post


def wechat(state, contact):
    return [m.body["text"] for m in state.chats.get(f"wechat:{contact.external_userid}", [])]


async def test_a_scan_is_an_event_and_a_contact_that_can_be_looked_up(product, contact):
    (event,) = product.calls
    found = await product.get("externalcontact/get", external_userid=contact.external_userid)

    assert event.findtext("ChangeType") == "add_external_contact"
    assert (event.findtext("FromUserName"), event.findtext("State")) == ("sys", "expo")
    assert event.find("AgentID") is None
    assert found["external_contact"]["name"] == "赵女士"
    assert [(f["userid"], f["state"]) for f in found["follow_user"]] == [("lilei", "expo")]


@pytest.mark.parametrize(("who", "code"), [("", 41035), ("wm-unknown", 40096)])
async def test_nobody_and_a_stranger_cannot_be_looked_up(product, who, code):
    assert (await product.get("externalcontact/get", external_userid=who))["errcode"] == code


async def test_welcome_words_go_out_once(product, state, contact):
    code = product.calls[0].findtext("WelcomeCode")
    words = {"welcome_code": code, "text": {"content": "你好，我是李雷"}}

    first = await product.wecom("externalcontact/send_welcome_msg", **words)
    second = await product.wecom("externalcontact/send_welcome_msg", **words)
    made_up = await product.wecom(
        "externalcontact/send_welcome_msg", **{**words, "welcome_code": "x"}
    )

    assert [a["errcode"] for a in (first, second, made_up)] == [0, 41051, 41050]
    assert wechat(state, contact) == ["你好，我是李雷"]


async def test_a_mass_message_waits_for_the_member_to_confirm(product, state, contact, mass):
    created = await mass(contact.external_userid, sender="lilei")
    before = wechat(state, contact)
    (task,) = state.chats["wecom:lilei"]

    product.sandbox.wecom.contacts.confirm(task)

    result = await product.wecom(
        "externalcontact/get_groupmsg_send_result", msgid=created["msgid"], userid="lilei"
    )
    assert before == []
    assert wechat(state, contact) == ["新版本上线了"]
    assert result["send_list"][0]["status"] == 1


async def test_a_mass_message_whose_answer_was_lost_makes_one_task(product, state, contact):
    """The member had the task twice."""
    words = {"sender": "lilei", "text": {"content": "新版本上线了"}}
    due = Due(
        key="nurture:1", channel=Channel.WECOM_MASS, account=contact.external_userid,
        payload=words, version=1, attempts=1, ring=True, ref=None, put_at=product.clock(),
    )  # fmt: skip
    client = WeComClient(product.session, WeCom(**product.settings["wecom"]), product.clock)
    mass = MassSender(client, nobody, nobody, product.clock)
    product.sandbox.faults.on("wecom", "lost", after=1)  # the token comes

    with pytest.raises(Lost):
        await mass.show(due)
    ref = await mass.show(replace(due, unsure=True))

    assert len(state.chats["wecom:lilei"]) == 1
    listed = await product.wecom("externalcontact/get_groupmsg_task", **ref)
    assert listed["task_list"] == [{"userid": "lilei", "status": 0}]


@pytest.mark.parametrize(
    "wrong",
    [{"start_time": "x"}, {"end_time": 0}, {"start_time": 0, "end_time": 40 * 86400}],
)
async def test_a_list_of_tasks_of_more_than_a_month_is_refused(product, wrong):
    asked = {"chat_type": "single", "start_time": 100, "end_time": 200, **wrong}

    assert (await product.wecom("externalcontact/get_groupmsg_list_v2", **asked))["errcode"]


async def nobody(*_who):
    raise AssertionError


async def test_a_customer_gets_one_mass_message_a_day(product, state, contact, mass):
    for _ in range(2):
        await mass(contact.external_userid)
    product.clock.forward(timedelta(days=1))
    await mass(contact.external_userid)
    tasks = list(state.chats["wecom:lilei"])

    product.sandbox.wecom.contacts.confirm(tasks[0])
    product.sandbox.wecom.contacts.confirm(tasks[1])

    assert len(wechat(state, contact)) == 1


async def test_strangers_are_listed_and_a_task_for_nobody_is_refused(contact, mass):
    mixed = await mass(contact.external_userid, "wm-unknown", sender="lilei")
    nobody = await mass("wm-unknown", sender="lilei")
    others = await mass(contact.external_userid, sender="hanmei")
    empty = await mass(contact.external_userid, text={"content": ""})

    assert mixed["fail_list"] == ["wm-unknown"]
    assert [a["errcode"] for a in (mixed, nobody, others, empty)] == [0, 41048, 41048, 44004]
