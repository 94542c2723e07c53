import json
from datetime import timedelta

import pytest
from aiohttp import FormData


@pytest.fixture
def ask(product):
    async def get(path, **query):
        url = f"{product.settings['wecom']['api_base']}/cgi-bin/{path}"
        async with product.session.get(url, params=query) as response:
            return json.loads(await response.text() or "null")

    return get


@pytest.fixture
def send(product, agent, card):
    async def post(**changes):
        body = {"touser": "lilei", "agentid": agent, "msgtype": "template_card"}
        return await product.wecom("message/send", **(body | {"template_card": card()} | changes))

    return post


@pytest.fixture
def update(product, agent):
    async def post(code, **changes):
        change = {"userids": ["lilei"], "button": {"replace_name": "李雷 已领取"}}
        body = {"agentid": agent, "response_code": code, **change, **changes}
        return await product.wecom("message/update_template_card", **body)

    return post


def chat(state, phone="wecom:lilei"):
    return list(state.chats.get(phone, []))


async def test_the_secret_is_looked_at_before_the_corp_id(product, ask):
    wecom = product.settings["wecom"]
    right = {"corpid": wecom["corp_id"], "corpsecret": wecom["secret"]}

    codes = [
        (await ask("gettoken", **{k: v for k, v in query.items() if v is not None}))["errcode"]
        for query in (
            {},
            {"corpid": "wwother"},
            {**right, "corpid": "wwother"},
            {**right, "corpsecret": "wrong"},
            right,
        )
    ]

    assert codes == [41004, 41004, 40013, 40001, 0]


async def test_asking_again_gives_the_same_token(product, ask):
    wecom = product.settings["wecom"]
    query = {"corpid": wecom["corp_id"], "corpsecret": wecom["secret"]}

    first, second = await ask("gettoken", **query), await ask("gettoken", **query)

    assert first["access_token"] == second["access_token"]
    assert first["expires_in"] == 7200


async def test_the_token_counts_only_in_the_url(product):
    token = product.sandbox.wecom.api.tokens.issue()
    url = f"{product.settings['wecom']['api_base']}/cgi-bin/message/send"

    async with product.session.post(
        url, json={"access_token": token}, headers={"Authorization": f"Bearer {token}"}
    ) as response:
        assert (await response.json())["errcode"] == 41001


async def test_an_unknown_token_is_40014_and_an_expired_one_42001(product, ask):
    token = product.sandbox.wecom.api.tokens.issue()
    unknown = await ask("externalcontact/get", access_token="made-up")

    product.clock.forward(timedelta(hours=2))

    assert unknown["errcode"] == 40014
    assert unknown["follow_user"] == []  # says nothing about followers
    assert (await ask("externalcontact/get", access_token=token))["errcode"] == 42001


async def test_an_unknown_path_is_404_with_nothing(product):
    base = product.settings["wecom"]["api_base"]

    for path in ("/cgi-bin/message/sned", "/", "/v1.0/robot"):
        async with product.session.post(base + path) as response:
            assert (response.status, await response.read()) == (404, b"")


async def test_ascii_escapes_and_broken_json_are_refused(product):
    token = product.sandbox.wecom.api.tokens.issue()
    url = f"{product.settings['wecom']['api_base']}/cgi-bin/message/send?access_token={token}"

    codes = []
    for body in (json.dumps({"text": "汉"}), "{", "[]"):
        async with product.session.post(url, data=body) as response:
            codes.append((await response.json())["errcode"])

    assert codes == [40033, 40058, 40058]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"touser": ""}, 82001),
        ({"touser": ["lilei"]}, 40058),
        ({"touser": "|".join(f"u{i}" for i in range(1001))}, 40032),
        ({"touser": "nobody|noone"}, 81013),
        ({"agentid": 1}, 40056),
        ({"msgtype": "poster"}, 40008),
        ({"msgtype": "text", "text": {"content": ""}}, 44004),
        ({"msgtype": "text"}, 40063),
        ({"msgtype": "markdown", "markdown": {"content": "汉" * 683}}, 45002),
        ({"msgtype": "image", "image": {"media_id": "gone"}}, 40007),
        (
            {"msgtype": "textcard", "textcard": {"title": "a", "description": "b", "url": "c"}},
            45034,
        ),
    ],
)
async def test_a_message_is_refused_with_the_platforms_code(state, send, changes, code):
    assert (await send(**changes))["errcode"] == code
    assert chat(state) == []


async def test_unknown_receivers_come_back_in_lower_case_joined_by_a_bar(state, send):
    answer = await send(touser="LiLei|NoBody|Gone")

    assert answer["errcode"] == 0
    assert answer["invaliduser"] == "nobody|gone"
    assert [m.kind for m in chat(state)] == ["card"]


async def test_a_text_is_cut_at_2048_bytes_without_half_a_character(state, send):
    await send(msgtype="text", text={"content": "汉" * 700})

    assert chat(state)[0].body["text"] == "汉" * 682


async def test_a_task_id_works_once(send, card):
    first = await send()
    again = await send()
    other = await send(template_card=card("lead-2"))

    assert [first["errcode"], again["errcode"], other["errcode"]] == [0, 42014, 0]


async def test_only_cards_that_can_be_pressed_get_a_response_code(send, card):
    link = {"type": 1, "url": "https://leads.example"}

    pressed = await send()
    notice = await send(template_card=card("n", card_type="text_notice", card_action=link))

    assert pressed["response_code"]
    assert "response_code" not in notice


async def test_the_same_request_is_delivered_once_when_asked_for(state, send):
    body = {"msgtype": "text", "text": {"content": "提醒"}, "enable_duplicate_check": 1}

    answers = [await send(**body) for _ in range(2)]

    assert answers[0] == answers[1]
    assert len(chat(state)) == 1


async def test_a_response_code_changes_the_card_once(state, send, update):
    sent = await send(touser="lilei|hanmei")

    first = await update(sent["response_code"], userids=["lilei", "wangwu"])
    second = await update(sent["response_code"])

    assert (first["errcode"], first["invaliduser"]) == (0, ["wangwu"])
    assert second["errcode"] == 60140
    assert chat(state)[0].body["replace_text"] == "李雷 已领取"
    assert "replace_text" not in chat(state, "wecom:hanmei")[0].body


async def test_atall_changes_every_card_of_the_message(state, send, update, card):
    sent = await send(touser="lilei|hanmei")
    new = {**card(), "main_title": {"title": "归韩梅梅了"}}

    await update(sent["response_code"], userids=[], atall=1, button=None, template_card=new)

    titles = [chat(state, f"wecom:{who}")[0].body["main_title"] for who in ("lilei", "hanmei")]
    assert titles == [{"title": "归韩梅梅了"}] * 2


async def test_after_72_hours_a_response_code_is_worth_nothing(product, send, update):
    sent = await send()

    product.clock.forward(timedelta(hours=72))

    assert (await update(sent["response_code"]))["errcode"] == 60140


async def test_update_takes_arrays_and_keeps_the_code_when_it_refuses(send, update):
    sent = await send()

    wrong = await update(sent["response_code"], userids="lilei")
    right = await update(sent["response_code"])

    assert (wrong["errcode"], right["errcode"]) == (40035, 0)


async def test_recalled_within_24_hours_a_message_is_gone(product, state, send):
    sent = await send()

    unknown = await product.wecom("message/recall", msgid="x")
    done = await product.wecom("message/recall", msgid=sent["msgid"])
    product.clock.forward(timedelta(hours=25))
    late = await product.wecom("message/recall", msgid=sent["msgid"])

    assert [unknown["errcode"], done["errcode"], late["errcode"]] == [40058, 0, 42052]
    assert chat(state)[0].recalled


async def uploaded_picture(product):
    token = product.sandbox.wecom.api.tokens.issue()
    base = product.settings["wecom"]["api_base"]
    form = FormData()
    form.add_field("media", b"\x89PNG\r\n....", filename="a.png", content_type="image/png")
    url = f"{base}/cgi-bin/media/upload?access_token={token}&type=image"

    async with product.session.post(url, data=form) as response:
        return await response.json()


async def test_an_uploaded_picture_can_be_sent(product, state, send):
    uploaded = await uploaded_picture(product)

    await send(msgtype="image", image={"media_id": uploaded["media_id"]})

    assert uploaded["created_at"].isdigit()
    assert chat(state)[0].body == {"media": uploaded["media_id"]}


async def test_a_picture_is_forgotten_after_three_days(product, send):
    uploaded = await uploaded_picture(product)
    product.clock.forward(timedelta(days=2, hours=23))
    in_time = await send(msgtype="image", image={"media_id": uploaded["media_id"]})
    product.clock.forward(timedelta(hours=1))

    late = await send(msgtype="image", image={"media_id": uploaded["media_id"]})

    assert [in_time["errcode"], late["errcode"]] == [0, 40007]
