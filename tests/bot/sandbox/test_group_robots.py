import base64
import io
from datetime import timedelta
from hashlib import md5

import pytest
from aiohttp import FormData

from tests.bot.sandbox.fake_product import png

TEXT = {"msgtype": "text", "text": {"content": "日报"}}
PICTURE = png()


def image(data=PICTURE, digest=None):
    digest = digest or md5(data, usedforsecurity=False).hexdigest()
    return {
        "msgtype": "image",
        "image": {"base64": base64.b64encode(data).decode(), "md5": digest},
    }


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (TEXT, 0),
        ({"msgtype": "markdown", "markdown": {"content": "汉" * 1366}}, 40058),
        ({"msgtype": "text", "text": {"content": "汉" * 683}}, 40058),
        ({"msgtype": "text", "text": {"content": ""}}, 44004),
        ({"msgtype": "poster"}, 40008),
        (image(), 0),
        (image(digest="0" * 32), 301019),
        (image(b"GIF89a"), 40123),
        ({"msgtype": "image", "image": {"base64": "不是", "md5": ""}}, 40058),
        (image(b"\x89PNG\r\n" + bytes(2 << 20)), 40009),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_the_wecom_robot_takes_what_the_platform_takes(product, state, body, code):
    assert (await product.wecom_robot(body))["errcode"] == code
    assert len(state.chats.get("wecom-group", [])) == (code == 0)


async def test_the_wecom_robot_knows_only_its_key(product):
    product.settings["wecom"]["group_webhook"] += "x"

    assert (await product.wecom_robot(TEXT))["errcode"] == 93000


async def test_the_wecom_robot_says_twenty_things_a_minute(product):
    codes = [(await product.wecom_robot(TEXT))["errcode"] for _ in range(21)]
    product.clock.forward(timedelta(minutes=1))

    assert codes == [0] * 20 + [45009]
    assert (await product.wecom_robot(TEXT))["errcode"] == 0


async def test_a_picture_is_served_to_the_page(product, state):
    await product.wecom_robot(image())
    name = state.chats["wecom-group"][0].body["media"]

    async with product.session.get(f"{product.url}/sandbox/media/{name}") as response:
        assert response.content_type == "image/png"
        assert await response.read() == PICTURE


async def test_the_dingtalk_robot_checks_signature_and_time(product):
    good = await product.group_robot(TEXT)
    forged = await product.group_robot(TEXT, sign="x")
    old = await product.group_robot(TEXT, timestamp="1500000000000")
    product.clock.forward(timedelta(days=3))
    moved = await product.group_robot(TEXT)

    assert [a["errcode"] for a in (good, forged, old, moved)] == [0, 310000, 310000, 0]
    assert "sign not match" in forged["errmsg"]
    assert "invalid timestamp" in old["errmsg"]


async def test_the_dingtalk_robot_is_silent_for_ten_minutes_after_the_twenty_first(product):
    codes = [(await product.group_robot(TEXT))["errcode"] for _ in range(21)]
    product.clock.forward(timedelta(minutes=9))
    still = await product.group_robot(TEXT)
    product.clock.forward(timedelta(minutes=1))

    assert codes == [0] * 20 + [410100]
    assert still["errcode"] == 410100
    assert (await product.group_robot(TEXT))["errcode"] == 0


async def test_a_message_uuid_makes_the_dingtalk_robot_say_it_once(product, state):
    for _ in range(2):
        assert (await product.group_robot({**TEXT, "msgUuid": "digest-1"}))["errcode"] == 0

    assert len(state.chats["dingtalk-group"]) == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, 40035),
        ({"msgtype": "image", "image": {}}, 400105),
        ({"msgtype": "text", "text": {}}, 40035),
        ({"msgtype": "text", "text": {"content": "x" * 20000}}, 460101),
        ({"msgtype": "actionCard", "actionCard": {"title": "a", "text": "b"}}, 40035),
    ],
)
async def test_the_dingtalk_robot_refuses_at_http_200(product, body, code):
    assert (await product.group_robot(body))["errcode"] == code


async def test_an_unknown_dingtalk_robot_token_is_300005(product):
    product.settings["dingtalk"]["group_webhook"] += "x"

    assert (await product.group_robot(TEXT))["errcode"] == 300005


@pytest.fixture
def upload(product):
    async def send(data, kind="file", key=None):
        url = product.settings["wecom"]["group_webhook"].replace("/send", "/upload_media")
        url = url if key is None else url.partition("key=")[0] + f"key={key}"
        form = FormData()
        form.add_field("media", io.BytesIO(data), filename="日报.amr")
        async with product.session.post(f"{url}&type={kind}", data=form) as response:
            return await response.json()

    return send


@pytest.mark.parametrize(
    ("data", "kind", "key", "code"),
    [
        (b"a report", "file", None, 0),
        (b"#!AMR\nhello", "voice", None, 0),
        (b"a report", "voice", None, 40005),
        (b"#!AMR\n" + bytes(2 << 20), "voice", None, 45001),
        (b"a report", "image", None, 40004),
        (b"a report", "file", "wrong", 93000),
        (b"", "file", "wrong", 44001),  # the file is looked at before the key
    ],
    ids=["file", "voice", "no amr", "large", "kind", "key", "empty before key"],
)
async def test_the_wecom_robot_takes_files_and_voices(upload, data, kind, key, code):
    assert (await upload(data, kind, key))["errcode"] == code


async def test_an_upload_is_this_robot_s_for_three_days(product, state, upload):
    media_id = (await upload(b"a report"))["media_id"]
    body = {"msgtype": "file", "file": {"media_id": media_id}}
    codes = [
        (await product.wecom_robot(one))["errcode"]
        for one in (body, body | {"msgtype": "voice", "voice": body["file"]})
    ]
    product.clock.forward(timedelta(days=3))

    assert codes == [0, 40007]
    assert (await product.wecom_robot(body))["errcode"] == 40007
    assert len(state.chats["wecom-group"]) == 1
