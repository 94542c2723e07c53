"""The AI bot against a strict gateway, over a real websocket, with the real product behind it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import pytest
from aiohttp import ClientSession, web
from structlog.testing import capture_logs

from bot.config import AiBot as Settings
from bot.dispatch import hand_over_answer, hear
from bot.incoming import Incoming
from bot.platforms.shared import CONNECTED, SharedClaim
from bot.platforms.wecom.aibot import AiBot, Beside, Pace
from bot.platforms.wecom.aibot_frames import Cmd, Frame, read, unmentioned
from bot.platforms.wecom.aibot_pace import BOT, NoLimit, SharedRoom
from bot.sandbox.state import State
from bot.sandbox.wecom.aibot import Gateway
from store import connections as link
from store import tables as t
from store.db import open_store
from store.domain.quota import Api
from store.domain.team import Platform
from tests.bot.dingtalk.fakes import eventually, undisturbed
from tests.handlers.people import answers, captured, says
from tests.handlers.people import lead as lead_of

CORP = "ww1"
QUICK = Pace(
    look=0.02,
    renew=0.02,
    ping=0.05,
    deaf=60,
    ack=60,
    first=0.01,
    most=0.05,
    finish=60,
    room=0.02,
    busy=0.02,
    kicked=0.02,
)
GROUP = "wecom-group"


class Person:
    def __init__(self, name: str, wecom: str) -> None:
        self.name, self.wecom, self.role, self.dingtalk = name, wecom, "rep", ""


@pytest.fixture
def state(clock) -> State:
    return State(clock, [Person("李雷", "lilei"), Person("韩梅", "hanmei")])


@pytest.fixture
async def gateway(aiohttp_server, state) -> Gateway:
    gateway = Gateway("BOT", "s3cr3t-of-the-bot", state)
    app = web.Application()
    app.router.add_get("/aibot", gateway.connect)
    server = await aiohttp_server(app)
    gateway.url = f"ws://{server.host}:{server.port}/aibot"
    return gateway


@pytest.fixture
async def start(gateway, store, other) -> AsyncIterator:
    """Start a process's bot; ``bots`` are stopped at the end."""
    tasks: dict[AiBot, asyncio.Task[None]] = {}
    async with ClientSession() as session:

        async def start(behind=None, *, pace=QUICK, secret="s3cr3t-of-the-bot", up=True, **more):
            behind = behind or store
            settings = Settings.model_validate(
                {"bot_id": "BOT", "secret": secret, "url": gateway.url}
                | {"name": more.get("name", "")}
            )

            async def heard(what):
                return await hear(behind, what)

            claim = SharedClaim(behind, "aibot:BOT")
            beside = more.get("beside") or Beside(room=SharedRoom(behind))
            hear_ = more.get("hear", heard)
            bot = AiBot(session, settings, CORP, hear_, claim, pace=pace, beside=beside)
            tasks[bot] = asyncio.create_task(bot.run())
            if up:
                await eventually(lambda: bot.connected)
            return bot

        async def stop(bot):
            tasks[bot].cancel()
            with suppress(asyncio.CancelledError):
                await tasks[bot]

        start.stop = stop
        yield start
        for bot in tasks:
            await stop(bot)


def texts(state, chat):
    return [m.body.get("text", "") for m in state.chats.get(chat, ()) if m.kind == "markdown"]


def cards(state, account):
    return [m for m in state.chats.get(f"wecom-aibot:{account}", ()) if m.kind == "card"]


async def answered(state, chat, number=1):
    await eventually(lambda: len(texts(state, chat)) >= number)
    return texts(state, chat)[-1]


# -- the same commands ----------------------------------------------------------


async def test_a_line_in_a_group_is_the_command_behind_the_mention(gateway, state, store, start):
    lead = await captured(store, rep="韩梅")
    await says(store, "hanmei", f"领取 {lead.id}")
    await says(store, "hanmei", f"放回 {lead.id}")
    await start()

    await gateway.say("lilei", f"@线索助手 领取 {lead.id}", in_group=True)

    assert f"#{lead.id}" in await answered(state, GROUP)
    assert (await lead_of(store, lead.id)).owner.name == "李雷"


async def test_what_is_said_in_a_conversation_is_counted_by_the_minute_and_the_hour(
    gateway, state, store, start
):
    await start()

    await gateway.say("lilei", "@线索助手 帮助", in_group=True)
    await gateway.enter("lilei")
    await answered(state, GROUP)
    await eventually(lambda: state.chats.get("wecom-aibot:lilei"))

    lines = [(api, who) for api in BOT for who in ("wrSandboxGroup", "lilei")]
    async with store.read() as tx:
        used = await tx.quota.used(lines)
    assert [one.count for one in used.values()] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    "words",
    ["@线索助手 公海", "@线索助手\u2005公海", "  @线索助手   ／公海", "@线索助手 /pool", "公海"],
)
async def test_however_the_mention_is_spaced(gateway, state, start, words):
    await start()

    await gateway.say("lilei", words, in_group=True)

    assert "公海现在是空的" in await answered(state, GROUP)


async def test_a_mention_alone_is_told_what_can_be_said(gateway, state, start):
    await start()

    await gateway.say("lilei", "@线索助手", in_group=True)

    assert "帮助" in await answered(state, GROUP)


async def test_a_spoken_line_and_one_among_pictures_are_heard(gateway, state, start):
    await start()
    picture = {"msgtype": "image", "image": {"url": "http://127.0.0.1/x"}}
    words = {"msgtype": "text", "text": {"content": "@线索助手 公海"}}

    await gateway.say("lilei", "", msgtype="voice", voice={"content": "公海。"})
    await gateway.say(
        "lilei", "", in_group=True, msgtype="mixed", mixed={"msg_item": [words, picture]}
    )

    await eventually(lambda: cards(state, "lilei"))
    assert "公海" in cards(state, "lilei")[0].body["main_title"]["title"]
    assert "公海现在是空的" in await answered(state, GROUP)


async def test_who_sends_the_bot_a_picture_is_told_to_write(gateway, state, start):
    """The help came back, as if they had said nothing."""
    await start()

    await gateway.say("lilei", "", msgtype="image", image={"url": "http://127.0.0.1/x"})

    chat = "wecom-aibot:lilei"
    assert await answered(state, chat) == "图片我还看不懂，用文字发给我就行"


async def test_a_card_is_one_in_a_single_chat_and_words_to_type_in_a_group(
    gateway, state, store, start
):
    lead = await captured(store, rep="韩梅")
    await says(store, "hanmei", f"领取 {lead.id}")
    await says(store, "hanmei", f"放回 {lead.id}")
    await start()

    await gateway.say("lilei", "公海")
    await gateway.say("lilei", "@线索助手 公海", in_group=True)

    await eventually(lambda: cards(state, "lilei"))
    keys = [button["key"] for button in cards(state, "lilei")[0].body["button_list"]]
    assert f"/领取 {lead.id}" in keys
    assert f"「领取 {lead.id}」" in await answered(state, GROUP)


async def test_a_press_does_it_and_changes_the_card_that_was_pressed(gateway, state, store, start):
    lead = await captured(store, rep="韩梅")
    await says(store, "hanmei", f"领取 {lead.id}")
    await says(store, "hanmei", f"放回 {lead.id}")
    await start()
    await gateway.say("lilei", "公海")
    await eventually(lambda: cards(state, "lilei"))
    [card] = cards(state, "lilei")

    await gateway.press("lilei", card, f"/领取 {lead.id}")

    await eventually(lambda: "公海" not in card.body["main_title"]["title"])
    assert f"#{lead.id}" in card.body["main_title"]["title"]
    assert (await lead_of(store, lead.id)).owner.name == "李雷"


async def test_what_is_private_goes_to_the_member_s_own_chat(gateway, state, store, start):
    lead = await captured(store, rep="李雷", name="欧阳文静", phone="13912345678")
    await says(store, "lilei", f"领取 {lead.id}")
    await start()

    await gateway.say("lilei", f"@线索助手 线索 {lead.id} 详情", in_group=True)
    await gateway.say("lilei", "@线索助手 我的", in_group=True)
    await gateway.say("lilei", "@线索助手 帮助", in_group=True)

    await answered(state, GROUP, 3)
    assert "欧阳" not in str(texts(state, GROUP))
    assert "13912345678" not in str(texts(state, GROUP))
    assert "应用消息" in str(texts(state, GROUP))
    rows = await answers(store)
    replies = [row for key, row in rows.items() if key.startswith("reply:")]
    assert {row.account for row in replies} == {"lilei"}
    assert "欧阳文静" in str([row.payload for row in replies])


async def test_claiming_in_a_group_tells_neither_name_nor_number(gateway, state, store, start):
    lead = await captured(store, rep="韩梅", name="欧阳文静", phone="13912345678")
    await says(store, "hanmei", f"领取 {lead.id}")
    await says(store, "hanmei", f"放回 {lead.id}")
    await start()

    await gateway.say("lilei", f"@线索助手 领取 {lead.id}", in_group=True)
    text = await answered(state, GROUP)

    assert text == f"已领取 #{lead.id}，怎么联系在你的卡片上"


async def test_a_refusal_and_a_stranger_are_told_why(gateway, state, start):
    await start()

    await gateway.say("lilei", "@线索助手 领取 999", in_group=True)
    refused = await answered(state, GROUP)
    await gateway.say("nobody", "@线索助手 公海", in_group=True)

    assert "999" in refused
    assert "名单" in await answered(state, GROUP, 2)


async def test_markup_in_what_people_wrote_is_not_obeyed(gateway, state, store, start):
    lead = await captured(store, rep="李雷", name="[点我](http://evil.example)")
    await start()

    await gateway.say("chenzg", f"@线索助手 分配 {lead.id}", in_group=True)

    assert "](http" not in await answered(state, GROUP)


async def test_entering_is_greeted_once(gateway, state, start):
    await start()

    await gateway.enter("lilei")
    await eventually(lambda: state.chats.get("wecom-aibot:lilei"))
    await gateway.enter("lilei")
    await gateway.say("lilei", "@线索助手 公海", in_group=True)
    await answered(state, GROUP)

    assert len(state.chats["wecom-aibot:lilei"]) == 1


async def test_a_repeated_message_is_done_once_and_shown_once(gateway, state, store, start):
    await start()
    msgid = await gateway.say("lilei", "@线索助手 录入 王五 13912345678 想要报价", in_group=True)
    await answered(state, GROUP)

    await gateway.again(msgid)
    await gateway.say("lilei", "@线索助手 公海", in_group=True)
    await answered(state, GROUP, 2)

    async with store.read() as tx:
        assert len((await tx.conn.execute(t.leads.select())).all()) == 1
    assert len(texts(state, GROUP)) == 2


async def test_another_corp_s_member_is_not_one_of_ours(gateway, state, store, start):
    await start()
    msgid = await gateway.say("hanmei", "@线索助手 公海", in_group=True)
    await answered(state, GROUP)
    foreign = {"msgid": "foreign", "from": {"userid": "lilei", "corpid": "ww-other"}}
    gateway._sent[msgid]["body"] |= foreign

    await gateway.again(msgid)
    await gateway.say("hanmei", "@线索助手 公海", in_group=True)

    await answered(state, GROUP, 2)
    async with store.read() as tx:
        kept = [row.id for row in await tx.conn.execute(t.inbox.select())]
    assert "wecom:aibot-foreign" not in kept
    assert len(texts(state, GROUP)) == 2


# -- the connection -------------------------------------------------------------


async def test_it_subscribes_with_the_bot_s_own_secret_and_pings(gateway, state, start):
    with capture_logs() as logs:
        bot = await start(pace=Pace(**{**vars_of(QUICK), "deaf": 0.8}))
        before = await undisturbed(1.6, lambda: gateway.subscribed, pause=0.3)

    assert bot.connected
    assert gateway.subscribed == before
    assert "s3cr3t-of-the-bot" not in str(logs)


async def test_a_wrong_secret_is_logged_and_not_tried_at_once_again(gateway, start):
    with capture_logs() as logs:
        bot = await start(secret="wrong", up=False)
        await eventually(lambda: "aibot_refused" in str(logs))
        await asyncio.sleep(0.2)

    assert not bot.connected
    assert not bot.well
    assert str(logs).count("aibot_refused") == 1
    assert "wrong" not in str(logs)


async def test_a_lost_connection_comes_back(gateway, state, start):
    bot = await start()
    await gateway.drop()
    await eventually(lambda: gateway.subscribed == 2 and bot.connected)

    await gateway.say("lilei", "@线索助手 公海", in_group=True)

    assert "公海" in await answered(state, GROUP)


async def test_a_socket_that_answers_no_ping_is_left(gateway, start):
    bot = await start(pace=Pace(**{**vars_of(QUICK), "deaf": 0.3}))
    gateway.deaf = True
    await eventually(lambda: not bot.connected)
    gateway.deaf = False
    await eventually(lambda: bot.connected)

    assert gateway.subscribed >= 2


async def test_an_answer_whose_connection_went_away_takes_the_next_one(
    gateway, state, store, start
):
    go = asyncio.Event()

    async def slowly(heard):
        await go.wait()
        return await hear(store, heard)

    bot = await start(hear=slowly)
    await gateway.say("lilei", "@线索助手 公海", in_group=True)
    await gateway.drop()
    await eventually(lambda: gateway.subscribed == 2 and bot.connected)

    go.set()

    assert "公海" in await answered(state, GROUP)


async def test_when_handling_fails_the_person_is_asked_to_try_again(gateway, state, start):
    async def broken(heard: Incoming):
        raise RuntimeError("the database went away")

    await start(hear=broken)
    await gateway.say("lilei", "@线索助手 公海", in_group=True)

    assert "再发一次" in await answered(state, GROUP)


async def test_an_answer_wecom_no_longer_takes_is_pushed(gateway, state, store, clock, start):
    async def a_day_later(heard):
        clock.forward(hours=25)
        return await hear(store, heard)

    await start(hear=a_day_later)
    await gateway.say("lilei", "@线索助手 公海", in_group=True)

    assert "公海" in await answered(state, GROUP)


async def test_stopping_answers_what_was_heard_first(gateway, state, store, start):
    begun, go = asyncio.Event(), asyncio.Event()

    async def slowly(heard):
        begun.set()
        await go.wait()
        return await hear(store, heard)

    bot = await start(hear=slowly)
    await gateway.say("lilei", "@线索助手 公海", in_group=True)
    await begun.wait()
    stopping = asyncio.create_task(start.stop(bot))
    go.set()
    await stopping

    assert "公海" in await answered(state, GROUP)


# -- no more than a conversation takes ----------------------------------------------


async def asks(gateway, numbers):
    for number in numbers:
        await gateway.say("lilei", f"@线索助手 线索 {number}", in_group=True)


def refused(state):
    return [wire for wire in state.wires if "45009" in str(wire["answered"])]


async def test_more_than_a_conversation_takes_waits_and_comes_together(
    gateway, state, clock, start
):
    """The 31st answer of a minute was refused, pushed, refused again and gone."""
    await start()

    await asks(gateway, range(101, 141))
    await eventually(lambda: len(texts(state, GROUP)) == 24)
    await asyncio.sleep(0.1)
    before = len(texts(state, GROUP))
    clock.forward(seconds=75)
    await eventually(lambda: "#140" in texts(state, GROUP)[-1])

    told = "\n".join(texts(state, GROUP))
    assert before == 24
    assert [n for n in range(101, 141) if f"#{n}" not in told] == []
    assert "> 线索 125" in texts(state, GROUP)[24]
    assert "#126" in texts(state, GROUP)[24]
    assert refused(state) == []


async def test_each_conversation_has_room_of_its_own(gateway, state, start):
    await start()
    await asks(gateway, range(101, 131))
    await eventually(lambda: len(texts(state, GROUP)) == 24)

    await gateway.say("lilei", "线索 999")

    assert "#999" in await answered(state, "wecom-aibot:lilei")


async def test_the_hour_is_counted_too(gateway, state, store, clock, start):
    async with store.begin() as tx:
        await tx.quota.add({(Api.AIBOT_HOUR, "wrSandboxGroup"): 900})
    await start()

    await asks(gateway, [101])
    await asyncio.sleep(0.1)
    before = texts(state, GROUP)
    clock.forward(minutes=66)

    assert "#101" in await answered(state, GROUP)
    assert before == []


async def test_what_wecom_has_no_room_for_all_the_same_is_said_later(gateway, state, clock, start):
    await start(beside=Beside(room=NoLimit()), pace=Pace(**{**vars_of(QUICK), "busy": 0.5}))

    await asks(gateway, range(101, 132))
    await eventually(lambda: refused(state))
    clock.forward(seconds=61)
    await eventually(lambda: len(texts(state, GROUP)) == 31)

    assert "#131" in texts(state, GROUP)[-1]


async def test_a_card_that_has_waited_is_a_card(gateway, state, store, clock, start):
    lead = await captured(store, rep="韩梅")
    await says(store, "hanmei", f"领取 {lead.id}")
    await says(store, "hanmei", f"放回 {lead.id}")
    async with store.begin() as tx:
        await tx.quota.add({(Api.AIBOT_MINUTE, "lilei"): 24})
    done = []

    async def heard(what):
        answer = await hear(store, what)
        done.append(what)
        return answer

    await start(hear=heard)
    for line in ("线索 901", "线索 902", "公海", "线索 903"):
        await gateway.say("lilei", line)
        await eventually(lambda line=line: done and done[-1].line == line)
    clock.forward(seconds=75)
    await eventually(lambda: len(texts(state, "wecom-aibot:lilei")) == 2)

    assert len(cards(state, "lilei")) == 1
    first, last = texts(state, "wecom-aibot:lilei")
    assert "#901" in first
    assert "#902" in first
    assert "#903" in last


async def test_stopping_says_at_once_what_was_waiting_for_room(gateway, state, start):
    """It was cancelled with its task, and nobody was answered."""
    bot = await start()
    await asks(gateway, range(101, 131))
    await eventually(lambda: len(texts(state, GROUP)) == 24)

    await start.stop(bot)

    told = "\n".join(texts(state, GROUP))
    assert [n for n in range(101, 131) if f"#{n}" not in told] == []


async def test_a_push_that_is_not_acknowledged_is_sent_twice_and_handed_over(
    gateway, state, clock, store, start
):
    """It was sent sixty times, and sixty times shown."""
    handed = []

    async def lost(heard, body):
        handed.append((heard.account, body["markdown"]["content"]))

    async def a_day_later(heard):
        clock.forward(hours=25)
        return await hear(store, heard)

    gateway.mute = {"aibot_send_msg"}
    pace = Pace(**{**vars_of(QUICK), "ack": 0.02})
    await start(hear=a_day_later, pace=pace, beside=Beside(lost=lost))
    await gateway.say("lilei", "@线索助手 公海", in_group=True)
    await eventually(lambda: handed)

    assert len(texts(state, GROUP)) == 2
    assert handed[0][0] == "lilei"
    assert "公海" in handed[0][1]


async def test_an_answer_that_is_not_acknowledged_is_shown_once(gateway, state, start):
    gateway.mute = {"aibot_respond_msg"}
    await start(pace=Pace(**{**vars_of(QUICK), "ack": 0.05}))

    await gateway.say("lilei", "@线索助手 公海", in_group=True)
    await eventually(
        lambda: len([w for w in state.wires if w["call"] == "WS aibot_respond_msg"]) >= 2
    )
    gateway.mute = set()
    await gateway.say("lilei", "@线索助手 线索 999", in_group=True)
    await answered(state, GROUP, 2)

    assert len([t for t in texts(state, GROUP) if "公海" in t]) == 1


async def test_what_the_bot_could_not_say_is_in_the_member_s_own_chat(store):
    said = Incoming(
        platform=Platform.WECOM, id="aibot-1", account="lilei", line="我的 2页", direct=True
    )
    long = "\n".join(f"第 {n} 条，很长的一行" for n in range(200))

    await hand_over_answer(store, said, {"markdown": {"content": long}})

    rows = [row for row in (await answers(store)).values() if row.account == "lilei"]
    contents = [row.payload["markdown"]["content"] for row in rows]
    assert "我的 2页" in contents[0]
    assert all(f"第 {n} 条" in "\n".join(contents) for n in range(200))
    assert max(len(content.encode()) for content in contents) <= 2048


# -- who is meant, and what it is about -----------------------------------------------


@pytest.mark.parametrize(
    ("words", "name", "line"),
    [
        ("@Lead Bot 公海", "", "公海"),
        ("@Sales Desk 领取 5", "", "领取 5"),
        ("@线索 助手 公海", "", "公海"),
        ("@线索 小帮手\u2005公海", "", "公海"),
        ("@Lead Bot 王五 13912345678 报价", "", "王五 13912345678 报价"),
        ("@Lead Bot", "", ""),
        ("@线索助手 Tom 13912345678 报价", "", "Tom 13912345678 报价"),
        ("@线索助手 不要 领取 5", "", "不要 领取 5"),
        ("@线索助手 分配 42 @李雷", "", "分配 42 @李雷"),
        ("@我的 线索 王 公海", "我的 线索 王", "公海"),
        ("@我的  线索 王公海", "我的 线索 王", "公海"),
        ("领取 5 @lead bot", "Lead Bot", "领取 5"),
        ("@Lead Bot 分配 42 @李雷", "Lead Bot", "分配 42 @李雷"),
        ("公海", "Lead Bot", "公海"),
    ],
)
def test_a_name_with_blanks_is_no_part_of_the_line(words, name, line):
    """Only its first word was taken away, and the rest was not understood."""
    assert unmentioned(words, name) == line


async def test_a_bot_whose_name_has_blanks_is_heard(gateway, state, start):
    await start(name="企业 线索 王")

    await gateway.say("lilei", "@企业 线索 王 公海", in_group=True)

    assert "公海现在是空的" in await answered(state, GROUP)


@pytest.mark.parametrize(("line", "told"), [("@线索助手", "王五"), ("@线索助手 录入", "已记下")])
async def test_a_reply_that_says_nothing_is_about_what_it_quotes(store, line, told):
    """The quoted enquiry was ignored, and the answer was the manual."""
    quote = {"msgtype": "text", "text": {"content": "王五 13912345678 想要报价"}}

    heard = read(given_frame(line, quote=quote), CORP)

    assert heard.quoted == "王五 13912345678 想要报价"
    answer = await hear(store, heard)
    assert told in str(answer.body)


def given_frame(line, **more):
    about = {"msgid": "m-quote", "from": {"userid": "lilei"}, "chattype": "group", "chatid": "wr1"}
    words = {"msgtype": "text", "text": {"content": line}}
    return Frame(cmd=Cmd.MESSAGE, req_id="r1", body={**about, **words, **more})


@pytest.mark.parametrize(
    ("kind", "part", "name"),
    [
        ("image", {"url": "http://127.0.0.1/x"}, "图片"),
        ("file", {"url": "http://127.0.0.1/x"}, "文件"),
        ("video", {"url": "http://127.0.0.1/x"}, "视频"),
        ("voice", {"content": ""}, "语音"),
        ("mixed", {"msg_item": [{"msgtype": "image", "image": {}}]}, "图片"),
        ("hologram", {}, "这类消息"),
        ("text", {"content": ""}, ""),
        ("voice", {"content": "公海。"}, ""),
    ],
)
def test_what_has_no_words_is_heard_as_what_it_is(kind, part, name):
    about = {"msgid": "m", "from": {"userid": "lilei"}, "chattype": "single"}
    frame = Frame(cmd=Cmd.MESSAGE, req_id="r", body={**about, "msgtype": kind, kind: part})

    assert read(frame, "ww12ab").wordless == name


# -- what only the admin can mend --------------------------------------------------------


def heard_by_the_admin():
    sounds, overs = [], []

    async def sound(alarm):
        sounds.append(alarm.key)

    async def over():
        overs.append("over")

    return Beside(sound=sound, over=over), sounds, overs


async def subscribes_from_outside(outside):
    body = {"bot_id": "BOT", "secret": "s3cr3t-of-the-bot"}
    frame = {"cmd": "aibot_subscribe", "headers": {"req_id": "1"}, "body": body}
    await outside.send_json(frame)


async def test_the_admin_is_told_who_kicked_us_and_when_it_is_over(gateway, store, start):
    beside, sounds, overs = heard_by_the_admin()
    bot = await start(beside=beside, pace=Pace(**{**vars_of(QUICK), "steady": 0.3}))
    async with ClientSession() as session, session.ws_connect(gateway.url) as outside:
        await subscribes_from_outside(outside)
        await eventually(lambda: sounds)
    told = list(sounds)
    await says(store, "chenzg", "重连")
    await eventually(lambda: bot.connected and overs)

    assert told == ["aibot:kicked"]


async def test_a_process_of_ours_that_takes_over_is_no_alarm(gateway, start, other):
    beside, sounds, _ = heard_by_the_admin()
    first = await start(beside=beside, pace=Pace(**{**vars_of(QUICK), "renew": 5}))
    store, skew = other
    skew[0] = CONNECTED
    await start(store)
    await eventually(lambda: not first.connected)
    await asyncio.sleep(0.1)

    assert gateway.kicked == 1
    assert sounds == []


async def test_a_wrong_secret_is_an_alarm(start):
    beside, sounds, _ = heard_by_the_admin()
    await start(secret="wrong", up=False, beside=beside)

    await eventually(lambda: sounds)

    assert sounds == ["aibot:refused"]


async def test_a_gateway_that_cannot_be_reached_for_long_is_an_alarm(gateway, start):
    beside, sounds, _ = heard_by_the_admin()
    gateway.url = gateway.url.replace("/aibot", "/gone")
    await start(up=False, beside=beside, pace=Pace(**{**vars_of(QUICK), "away": 0.1}))

    await eventually(lambda: sounds)

    assert sounds[0] == "aibot:away"


# -- of several processes one -----------------------------------------------------


@pytest.fixture
async def other(store, settings, clock) -> AsyncIterator:
    """The database as a second process sees it, with a clock of its own."""
    skew = [timedelta(0)]
    other = open_store(settings.database.url, store.rules, lambda: clock() + skew[0])
    yield other, skew
    await other.close()


async def test_of_two_processes_one_connects_and_both_are_well(gateway, start, other):
    first = await start()
    second = await start(other[0], up=False)
    await asyncio.sleep(0.3)

    assert (first.connected, second.connected) == (True, False)
    assert second.well
    assert (gateway.subscribed, gateway.kicked) == (1, 0)


async def test_a_process_that_stops_hands_over_without_a_kick(gateway, state, start, other):
    first = await start()
    second = await start(other[0], up=False)

    await start.stop(first)
    await eventually(lambda: second.connected)
    await gateway.say("lilei", "@线索助手 公海", in_group=True)

    assert "公海" in await answered(state, GROUP)
    assert gateway.kicked == 0


async def test_a_holder_that_died_is_followed_when_its_lease_runs_out(
    gateway, store, start, clock
):
    async with store.begin() as tx:
        await tx.leases.take("aibot:BOT", "dead", CONNECTED)
    bot = await start(up=False)
    await asyncio.sleep(0.2)
    before = bot.connected
    clock.forward(seconds=CONNECTED.total_seconds())
    await eventually(lambda: bot.connected)

    assert not before


async def test_whoever_lost_the_lease_is_kicked_and_does_not_fight_back(
    gateway, state, start, other
):
    first = await start(pace=Pace(**{**vars_of(QUICK), "renew": 5}))
    store, skew = other
    skew[0] = CONNECTED  # for this process the lease has run out
    second = await start(store)
    await eventually(lambda: not first.connected)
    await asyncio.sleep(0.3)
    await gateway.say("lilei", "@线索助手 公海", in_group=True)
    await answered(state, GROUP)

    assert (gateway.subscribed, gateway.kicked) == (2, 1)
    assert second.connected
    assert len(texts(state, GROUP)) == 1


async def test_a_program_outside_that_kicks_us_is_left_alone_and_told(gateway, start):
    bot = await start()
    with capture_logs() as logs:
        async with ClientSession() as session, session.ws_connect(gateway.url) as outside:
            await outside.send_json(
                {
                    "cmd": "aibot_subscribe",
                    "headers": {"req_id": "1"},
                    "body": {"bot_id": "BOT", "secret": "s3cr3t-of-the-bot"},
                }
            )
            await eventually(lambda: "aibot_kicked" in str(logs))
            await asyncio.sleep(0.3)

    assert gateway.subscribed == 2
    assert not bot.well


@asynccontextmanager
async def kicked(gateway, bot):
    """Another program is connected as our bot and stays."""
    async with ClientSession() as session, session.ws_connect(gateway.url) as outside:
        await subscribes_from_outside(outside)
        await eventually(lambda: not bot.connected)
        yield


async def noted(store):
    async with store.read() as tx:
        return (await tx.connections.find("aibot:BOT")).state


async def test_kicked_from_outside_it_never_comes_back_by_itself(gateway, store, start, other):
    """It kicked the other program back, after ten minutes first."""
    bot = await start()
    second = await start(other[0], up=False)
    await asyncio.sleep(0.3)  # until it, too, waits for the claim
    async with kicked(gateway, bot):
        await until_state(store, link.State.KICKED)
        await start.stop(bot)  # so that the second one has the claim
        await asyncio.sleep(0.3)

        assert not second.connected
    assert (gateway.subscribed, gateway.kicked) == (2, 1)


async def until_state(store, wanted):
    async def there():
        return await noted(store) is wanted

    async with asyncio.timeout(60):
        while not await there():  # noqa: ASYNC110 -- the database says it
            await asyncio.sleep(0.01)


async def test_the_manager_says_when_it_connects_again(gateway, store, start):
    bot = await start()
    async with kicked(gateway, bot):
        await until_state(store, link.State.KICKED)

        said = await says(store, "chenzg", "重连")
        await eventually(lambda: bot.connected and gateway.kicked == 2)

    assert said == "好，这就重新连，再被连走会告诉你"


async def test_a_service_that_is_started_anew_connects_again(gateway, store, start):
    bot = await start()
    async with kicked(gateway, bot):
        await until_state(store, link.State.KICKED)
        await start.stop(bot)

        again = await start()
    assert again.connected


async def test_nobody_has_to_reconnect_what_was_not_kicked(store, start):
    await start()

    assert await says(store, "chenzg", "重连") == "智能机器人没有被连走，不用重连"


async def test_since_when_it_is_connected_stands_in_the_database(gateway, store, start):
    bot = await start()
    await until_state(store, link.State.UP)
    await start.stop(bot)
    stopped = await noted(store)
    await start(secret="wrong", up=False)
    await until_state(store, link.State.REFUSED)

    assert stopped is link.State.AWAY


def vars_of(pace: Pace) -> dict:
    return {name: getattr(pace, name) for name in Pace.__slots__}


# -- the gateway is as strict as the sheet --------------------------------------


@pytest.fixture
async def raw(gateway) -> AsyncIterator:
    """A subscribed connection in our own hands: sends a frame, gives its errcode."""
    async with ClientSession() as session, session.ws_connect(gateway.url) as ws:

        async def ask(cmd, req_id, body):
            await ws.send_json({"cmd": cmd, "headers": {"req_id": req_id}, "body": body})
            while True:
                frame = await ws.receive_json()
                if "cmd" not in frame:
                    return frame["errcode"]

        await ask("aibot_subscribe", "1", {"bot_id": "BOT", "secret": "s3cr3t-of-the-bot"})
        yield ask


async def heard_by(gateway, tell) -> str:
    """The req_id of the callback that ``tell`` causes."""
    before = set(gateway._asked)
    await tell
    return next(iter(set(gateway._asked) - before))


def stream(content, *, finish=True, id_="s-1"):
    return {"msgtype": "stream", "stream": {"id": id_, "finish": finish, "content": content}}


async def test_the_stand_in_takes_each_answer_only_for_what_it_answers(gateway, raw):
    said = await heard_by(gateway, gateway.say("lilei", "x"))
    entered = await heard_by(gateway, gateway.enter("lilei"))
    hello = {"msgtype": "text", "text": {"content": "你好"}}

    codes = [
        await raw("aibot_respond_msg", "unknown", stream("x")),
        await raw("aibot_respond_msg", entered, stream("x")),
        await raw("aibot_respond_msg", said, hello),
        await raw("aibot_respond_welcome_msg", said, hello),
        await raw("aibot_respond_welcome_msg", entered, hello),
        await raw("aibot_respond_welcome_msg", entered, hello),
        await raw("aibot_respond_msg", said, stream("x" * 20481)),
        await raw("aibot_respond_msg", said, stream("x" * 20480)),
    ]

    assert codes == [846605, 846605, 40008, 846605, 0, 846605, 45002, 0]


async def test_the_stand_in_ends_streams(gateway, raw, clock):
    said = await heard_by(gateway, gateway.say("lilei", "x"))
    begun = await raw("aibot_respond_msg", said, stream("查询中", finish=False))
    clock.forward(minutes=7)
    late = await raw("aibot_respond_msg", said, stream("好了"))

    assert (begun, late) == (0, 846608)


async def test_the_stand_in_pushes_only_where_somebody_has_spoken(gateway, raw):
    await gateway.say("lilei", "x")
    words = {"msgtype": "markdown", "markdown": {"content": "x"}}

    codes = [
        await raw("aibot_send_msg", "p1", {"chatid": "hanmei", "chat_type": 1, **words}),
        await raw("aibot_send_msg", "p2", {"chatid": "lilei", "chat_type": 2, **words}),
        await raw("aibot_send_msg", "p3", {"chatid": "lilei", "chat_type": 1, **words}),
    ]

    assert codes == [93006, 40058, 0]


async def test_the_stand_in_counts_thirty_a_minute_in_a_conversation(gateway, raw):
    said = await heard_by(gateway, gateway.say("lilei", "x"))

    codes = [await raw("aibot_respond_msg", said, stream("x", id_=f"s-{n}")) for n in range(31)]

    assert codes == [0] * 30 + [45009]


async def test_a_wecom_group_is_not_promised_a_digest_the_bot_cannot_bring(gateway, state, start):
    await start()

    await gateway.say("chenzg", "@线索助手 绑定", in_group=True)

    assert "群机器人" in await answered(state, GROUP)
