import json
from datetime import UTC, datetime, timedelta

import pytest

from bot.sandbox.feed import BACKLOG, Feed
from bot.sandbox.page import _span

SAY = {"phone": "wecom:lilei", "text": "我的"}


async def next_event(stream):
    kind = (await stream.content.readline()).decode().removeprefix("event: ").strip()
    data = json.loads((await stream.content.readline()).decode().removeprefix("data: "))
    await stream.content.readline()
    return kind, data


@pytest.fixture
async def stream(product):
    async with product.session.get(f"{product.url}/sandbox/events") as response:
        yield response


async def test_a_watcher_gets_everything_and_then_every_change(product, state, stream):
    kind, snapshot = await next_event(stream)
    state.show("wecom:lilei", "text", {"text": "你好"})
    changed, message = await next_event(stream)

    assert kind == "snapshot"
    assert [p["name"] for p in snapshot["phones"][:4]] == ["李雷", "韩梅梅", "赵敏", "周强"]
    assert {"wecom-group", "dingtalk-group"} <= {p["id"] for p in snapshot["phones"]}
    assert snapshot["zone"] == "Asia/Shanghai"
    assert (changed, message["chat"], message["body"]) == (
        "message",
        "wecom:lilei",
        {"text": "你好"},
    )


async def test_a_later_watcher_sees_what_was_there(product, state):
    state.show("wecom:lilei", "text", {"text": "你好"})

    async with product.session.get(f"{product.url}/sandbox/events") as response:
        _, snapshot = await next_event(response)

    assert [m["body"] for m in snapshot["messages"]] == [{"text": "你好"}]


async def test_a_watcher_too_far_behind_is_hung_up_on(product):
    feed = Feed()

    with feed.watch() as queue:
        for number in range(BACKLOG + 1):
            feed.publish("wire", {"id": number})

        assert queue.get_nowait() is None
        assert queue.empty()


async def test_a_line_and_a_press_go_through_the_real_callback(product, state, agent, card):
    await product.wecom(
        "message/send",
        touser="lilei",
        agentid=agent,
        msgtype="template_card",
        template_card=card(),
    )
    press = {"message": state.chats["wecom:lilei"][0].id, "value": "/接受 1", "label": "接受"}

    said = await product.page_post("say", SAY)
    pressed = await product.page_post("press", press)

    assert (said[0], pressed[0]) == (200, 200)
    assert [e.findtext("Content") or e.findtext("EventKey") for e in product.calls] == [
        "我的",
        "/接受 1",
    ]
    assert "accept" in state.steps


async def test_the_apps_menu_is_on_the_page_and_its_entries_are_pressed_there(product, state):
    # It could be tried by nobody: what the product had published was shown nowhere.
    button = {"type": "click", "name": "我的", "key": "/我的"}
    state.offers([button])

    pressed = await product.page_post("menu", {"phone": "wecom:lilei", "key": "/我的"})
    gone = await product.page_post("menu", {"phone": "wecom:lilei", "key": "/成交 1"})
    entered = await product.page_post("enter", {"phone": "wecom:lilei"})

    assert state.snapshot()["menu"] == [button]
    assert (pressed[0], gone[0], entered[0]) == (200, 404, 200)
    assert [e.findtext("Event") for e in product.calls] == ["click", "enter_agent"]


async def test_a_code_that_was_made_can_be_scanned_on_the_page(product, state):
    made = {"type": 1, "scene": 2, "state": "展会", "user": ["lilei"]}
    await product.wecom("externalcontact/add_contact_way", **made)

    status, _ = await product.page_post("scan", {"state": "展会", "name": "苏禾"})

    assert (status, state.snapshot()["codes"]) == (200, ["展会"])
    assert {e.findtext("State") for e in product.calls} == {"展会"}


async def test_a_button_that_is_gone_is_said_so(product, state, agent, card):
    message = state.show("wecom:lilei", "card", card())

    status, answer = await product.page_post("press", {"message": message.id, "value": "/成交 1"})

    assert status == 409
    assert "变了" in answer["error"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "none"},
        {"Accept": "*/*"},
    ],
)
async def test_a_post_from_anywhere_else_is_refused(product, headers):
    status, _ = await product.page_post("say", SAY, **headers)

    assert status == 403
    assert product.calls == []


async def test_the_pages_own_post_is_taken(product):
    status, _ = await product.page_post("say", SAY, **{"Sec-Fetch-Site": "same-origin"})

    assert status == 200


async def test_a_strangers_name_for_this_machine_sees_nothing(product):
    rebound = {"Host": "evil.example", "Origin": "http://evil.example"}

    posted, _ = await _status(product, "post", "/sandbox/api/say", rebound)
    watched, _ = await _status(product, "get", "/sandbox/events", rebound)

    assert (posted, watched) == (403, 403)


async def _status(product, method, path, headers):
    async with product.session.request(
        method, product.url + path, headers=headers, json=SAY
    ) as response:
        return response.status, await response.text()


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("say", {"phone": "wecom:nobody", "text": "x"}, 404),
        ("say", {"phone": "wecom:lilei", "text": " "}, 400),
        ("menu", {"phone": "wecom-group", "key": "/我的"}, 400),
        ("enter", {"phone": "dingtalk:zhaomin"}, 400),
        ("say", {"phone": "wecom-group", "text": "日报"}, 400),
        ("say", {"phone": "dingtalk-group", "text": "日报", "by": "nobody"}, 400),
        ("press", {"message": "1"}, 404),
        ("press", [], 400),
        ("contacts", {"userid": "nobody"}, 400),
        ("clock", {}, 400),
        ("clock", {"hours": -1}, 400),
        ("clock", {"hours": "1"}, 400),
        ("clock", {"days": 1e300}, 400),
        ("clock", {"until": "25:99"}, 400),
    ],
)
async def test_nonsense_is_answered_in_words(product, name, body, status):
    answered, answer = await product.page_post(name, body)

    assert answered == status
    assert answer["error"]


async def test_the_clock_is_moved_through_what_the_demo_gave(product, stream):
    before = product.clock()
    await next_event(stream)

    await product.page_post("clock", {"days": 1})

    while (event := await next_event(stream))[0] != "clock":
        pass
    assert product.clock() - before >= timedelta(days=1)
    assert event[1]["moved"] == 86400.0


@pytest.mark.parametrize(("hour", "span"), [(9, "9:30:05"), (18, "0:30:05"), (19, "23:30:05")])
def test_until_half_past_six_is_today_or_tomorrow(hour, span):
    now = datetime(2026, 3, 2, hour, tzinfo=UTC)

    assert str(_span({"until": "18:30"}, now)) == span


async def test_the_form_the_link_and_the_digest_tick_their_steps(product, state):
    async with product.session.post(f"{product.url}/f/default", data={"name": "陈"}):
        pass
    async with product.session.get(f"{product.url}/t/abc"):
        pass
    await product.wecom_robot({"msgtype": "text", "text": {"content": "日报"}})

    assert state.steps == ["form", "click", "digest"]


async def test_the_page_loads_nothing_from_elsewhere(product):
    for name in ("", "app.js", "style.css"):
        async with product.session.get(f"{product.url}/sandbox/{name}") as response:
            text = await response.text()
            assert response.status == 200
            assert "default-src 'self'" in response.headers["Content-Security-Policy"]
            assert "//cdn" not in text
    async with product.session.get(f"{product.url}/sandbox/../config.py") as response:
        assert response.status == 404


async def test_the_wire_log_shows_no_secret_whole(product, state):
    product.answer = lambda _: product.text_reply("lilei", "好")
    await product.connect()
    await product.page_post("say", SAY)
    await product.page_post("say", {"phone": "dingtalk:zhaomin", "text": "我的"})
    await product.wecom_robot({"msgtype": "text", "text": {"content": "日报"}})
    await product.group_robot({"msgtype": "text", "text": {"content": "日报"}})
    await product.wecom("message/recall", msgid="x")

    log = json.dumps(list(state.wires), ensure_ascii=False)

    wecom, dingtalk = product.settings["wecom"], product.settings["dingtalk"]
    secrets = [wecom["secret"], wecom["group_webhook"].split("key=")[1]]
    secrets += [dingtalk["client_secret"], dingtalk["group_webhook"].split("token=")[1]]
    secrets += [product.sandbox.wecom.api.tokens.issue()]
    assert [secret for secret in secrets if secret in log] == []
    assert "我的" in log
