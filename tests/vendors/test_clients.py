"""Who wrote the platform's client would connect to the stand-ins, and its callbacks reach us."""

import asyncio
import json
import os
import shutil
import time
from xml.etree import ElementTree as ET

import pytest
from aiohttp import ClientSession

from bot.sandbox import demo as sandbox
from bot.sandbox.clock import MovableClock
from bot.sandbox.dingtalk.stream import Pace
from bot.sandbox.state import State
from tests.scenarios.world import eventually
from tests.vendors.conftest import HERE, NODE_MODULES, PYTHON, client, listening

pytestmark = pytest.mark.timeout(300)
needs_python = pytest.mark.skipif(not PYTHON.exists(), reason="make vendors installs them")
needs_node = pytest.mark.skipif(
    not shutil.which("node") or not (NODE_MODULES / "@wecom").exists(), reason="no node, or no npm"
)


class Person:
    name, role, wecom, dingtalk = "李雷", "rep", "lilei", "lilei"


@pytest.fixture
async def alone():
    """The stand-ins without the product: the client under test is the only one connected."""

    async def advance(_span):
        """Nobody moves the clock here."""

    stand_ins = await sandbox.start("http://127.0.0.1:1", MovableClock(), [Person()], advance)
    yield stand_ins
    await stand_ins.close()


async def once(happened) -> None:
    async with asyncio.timeout(30):
        while not happened():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)


def opened(state: State) -> int:
    return len([wire for wire in state.wires if wire["call"] == "WS 已连接"])


def shown(state: State, chat: str) -> list[str]:
    return [str(m.body.get("text", "")) for m in state.chats.get(chat, ()) if not m.mine]


@needs_python
async def test_dingtalk_stream_hears_and_answers(alone):
    org = alone.dingtalk.org
    about = {"CLIENT_ID": org.client_id, "CLIENT_SECRET": org.client_secret}
    async with client(
        "dingtalk_client.py", DINGTALK_OPENAPI_ENDPOINT=alone.dingtalk_url, **about
    ) as theirs:
        await eventually(lambda: alone.dingtalk.gateway.connected, lambda: str(theirs.said))

        await alone.dingtalk.hand.say("lilei", "你好")

        assert await theirs.says("heard") == "heard 你好 from lilei"
        await theirs.says("answered")
    assert shown(alone.state, "dingtalk:lilei") == ["收到：你好"]


@needs_python
async def test_dingtalk_stream_comes_back_when_it_is_asked_to_change_connections(alone):
    org = alone.dingtalk.org
    about = {"CLIENT_ID": org.client_id, "CLIENT_SECRET": org.client_secret}
    async with client(
        "dingtalk_client.py", DINGTALK_OPENAPI_ENDPOINT=alone.dingtalk_url, **about
    ) as theirs:
        gateway = alone.dingtalk.gateway
        await eventually(lambda: gateway.connected, lambda: str(theirs.said))

        gateway.pace = Pace(goodbye=0.2)
        alone.faults.on("dingtalk", "away")
        await once(lambda: opened(alone.state) == 2)
        await alone.dingtalk.hand.say("lilei", "还在吗")

        assert await theirs.says("heard") == "heard 还在吗 from lilei"


@needs_python
async def test_the_aibot_sdk_subscribes_hears_and_answers(alone, authority):
    certificate, context = authority
    gateway = alone.wecom.aibot
    async with listening(alone.wecom.app(), context) as port:
        about = {"BOT_ID": gateway.bot_id, "SECRET": gateway.secret}
        url = f"wss://127.0.0.1:{port}/aibot"
        async with client(
            "aibot_client.py", URL=url, CERTIFICATE=str(certificate), **about
        ) as sdk:
            await sdk.says("authenticated")

            await gateway.say("lilei", "我的")

            assert await sdk.says("heard") == "heard 我的"
            await sdk.says("answered")
    assert shown(alone.state, "wecom-aibot:lilei") == ["收到：我的"]


@needs_node
async def test_a_callback_of_wecom_crypto_is_answered_and_its_answer_can_be_read(demo):
    company = demo.sandbox.wecom.company
    keys = {"token": company.token, "key": company.aes_key}
    stamp = {"timestamp": str(int(time.time())), "nonce": "1597212914"}
    told = (
        f"<xml><ToUserName>{company.corp_id}</ToUserName><FromUserName>lilei</FromUserName>"
        f"<CreateTime>{stamp['timestamp']}</CreateTime><MsgType>text</MsgType>"
        f"<Content>帮助</Content><MsgId>1234567890123456</MsgId>"
        f"<AgentID>{company.agent_id}</AgentID></xml>"
    )
    sealed = await node({**keys, **stamp, "message": told, "id": company.corp_id})

    answer = await posted(company.callback_url, sealed, stamp)

    named = {"timestamp": answer.findtext("TimeStamp"), "nonce": answer.findtext("Nonce")}
    opened = await node({**keys, **named, "encrypted": answer.findtext("Encrypt")})
    assert opened["signature"] == answer.findtext("MsgSignature")
    assert opened["id"] == company.corp_id
    assert "领取" in ET.fromstring(opened["message"]).findtext("Content")  # noqa: S314 - our own answer


async def posted(url: str, sealed: dict, stamp: dict) -> ET.Element:
    query = {**stamp, "msg_signature": sealed["signature"]}
    body = f"<xml><Encrypt><![CDATA[{sealed['encrypted']}]]></Encrypt></xml>"
    async with (
        ClientSession() as http,
        http.post(url, params=query, data=body.encode()) as answer,
    ):
        assert answer.status == 200
        return ET.fromstring(await answer.text())  # noqa: S314 - our own answer


async def node(asked: dict) -> dict:
    process = await asyncio.create_subprocess_exec(
        "node",
        str(HERE / "wecom_crypto.js"),
        env={"PATH": os.environ["PATH"], "NODE_PATH": str(NODE_MODULES)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate(json.dumps(asked).encode())
    assert process.returncode == 0
    return json.loads(out)
