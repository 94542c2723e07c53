"""
A product just big enough to play the sandbox's other side.

It answers callbacks, keeps a stream connection, serves a form and a link, and
sends what the real one would send. ``python -m tests.bot.sandbox.fake_product``
serves the page, to look at.
"""

import argparse
import asyncio
import base64
import io
import json
import secrets
import socket
import struct
import zlib
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from hashlib import md5
from urllib.parse import quote, unquote
from zoneinfo import ZoneInfo

import aiosmtplib
from aiohttp import ClientSession, WSMsgType, web

from bot.sandbox import demo
from bot.sandbox.clock import MovableClock
from bot.sandbox.dingtalk.webhooks import signature
from bot.sandbox.wecom.courier import read, xml
from bot.sandbox.wecom.envelope import Envelope

ZONE = ZoneInfo("Asia/Shanghai")
JSON = {"Accept": "application/json"}


@dataclass(frozen=True)
class Person:
    name: str
    role: str
    wecom: str = ""
    dingtalk: str = ""


TEAM = (
    Person("李雷", "rep", wecom="lilei"),
    Person("韩梅梅", "rep", wecom="hanmei"),
    Person("赵敏", "rep", dingtalk="zhaomin"),
    Person("周强", "rep", dingtalk="zhouqiang"),
    Person("王经理", "manager", wecom="wangjl", dingtalk="wangjl"),
    Person("苏晴", "marketing", wecom="suqing"),
)
FORM = """<!doctype html><meta charset=utf-8><style>body{{font:14px/1.6 'Noto Sans CJK SC',sans-serif;margin:22px}}
label{{display:block;margin:0 0 10px;color:#555}}input,textarea{{display:block;width:100%;box-sizing:border-box;padding:8px;border:1px solid #ccd;border-radius:8px;font:inherit}}
button{{width:100%;padding:10px;border:0;border-radius:8px;background:#3b6cff;color:#fff;font:inherit}}</style>
<h2>{title}</h2>{body}"""
FIELDS = "".join(
    f"<label>{label}<input name={name}></label>"
    for name, label in (
        ("name", "姓名"),
        ("phone", "手机"),
        ("email", "邮箱"),
        ("company", "公司"),
    )
)


class FakeProduct:
    def __init__(self):
        self.clock = MovableClock()
        self.calls = []  # decrypted events from WeCom
        self.robot = []  # robot messages from DingTalk
        self.forms = []
        self.connected = asyncio.Event()
        self.answer = None  # a function of the event: plain XML, or a web.Response
        self.ack = True
        self.mail_at = []
        self.digest_at = None
        self.leads = 0

    async def start(self, port=0, **options):
        app = web.Application()
        app.router.add_route("*", "/wecom/callback", self.callback)
        app.router.add_get("/f/default", self.form)
        app.router.add_post("/f/default", self.submit)
        app.router.add_get("/t/{token}", self.page)
        app.router.add_get("/u/{token}", self.page)
        self.runner = web.AppRunner(app, shutdown_timeout=1.0)
        self.socket = _socket(port)
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.sandbox = await demo.start(self.url, self.clock, TEAM, self.advance, **options)
        self.sandbox.add_routes(app)
        self.settings = self.sandbox.settings()
        await self.runner.setup()
        await web.SockSite(self.runner, self.socket).start()
        wecom = self.settings["wecom"]
        self.envelope = Envelope(wecom["token"], wecom["encoding_aes_key"], wecom["corp_id"])
        self.session = ClientSession()
        self.listening = None
        return self

    async def close(self):
        if self.listening:
            self.listening.cancel()
            with suppress(asyncio.CancelledError):
                await self.listening
        await self.session.close()
        await self.runner.cleanup()
        await self.sandbox.close()

    # ------------------------------------------------------------ the platforms' calls

    async def callback(self, request):
        names = ("msg_signature", "timestamp", "nonce")
        query = [request.query[name] for name in names]
        if request.method == "GET":
            return web.Response(text=self.envelope.open(*query, request.query["echostr"]))
        envelope = read(await request.text())
        event = read(self.envelope.open(*query, envelope.findtext("Encrypt")))
        self.calls.append(event)
        answer = self.answer(event) if self.answer else None
        if isinstance(answer, web.Response):
            return answer
        return web.Response(text=self.sealed(answer) if answer else "")

    def sealed(self, plain):
        timestamp, nonce = str(int(self.clock().timestamp())), secrets.token_hex(5)
        encrypted = self.envelope.encrypt(plain)
        sign = self.envelope.sign(timestamp, nonce, encrypted)
        return xml(
            {"Encrypt": encrypted, "MsgSignature": sign, "TimeStamp": timestamp, "Nonce": nonce}
        )

    def text_reply(self, userid, text):
        head = {"ToUserName": userid, "FromUserName": self.settings["wecom"]["corp_id"]}
        return xml({**head, "CreateTime": 1, "MsgType": "text", "Content": text})

    async def connect(self):
        """Open the stream connection and keep answering it."""
        ready = asyncio.get_running_loop().create_future()
        self.listening = asyncio.create_task(self._listen(ready))
        await ready

    async def ticket(self):
        body = {
            "clientId": self.settings["dingtalk"]["client_id"],
            "clientSecret": self.settings["dingtalk"]["client_secret"],
            "subscriptions": [{"type": "CALLBACK", "topic": "/v1.0/im/bot/messages/get"}],
        }
        url = f"{self.settings['dingtalk']['api_base']}/v1.0/gateway/connections/open"
        async with self.session.post(url, json=body, headers=JSON) as response:
            return await response.json()

    async def _listen(self, ready):
        opened = await self.ticket()
        url = f"{opened['endpoint']}?ticket={quote(opened['ticket'])}"
        async with self.session.ws_connect(url) as socket:
            ready.set_result(None)
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await self._frame(socket, json.loads(message.data))

    async def _frame(self, socket, frame):
        headers = {"messageId": frame["headers"]["messageId"], "contentType": "application/json"}
        ping = frame["type"] == "SYSTEM"
        if not ping:
            self.robot.append((frame["headers"]["messageId"], json.loads(frame["data"])))
        if ping or self.ack:
            data = frame["data"] if ping else '{"response":null}'
            await socket.send_json(
                {"code": 200, "headers": headers, "message": "OK", "data": data}
            )
        if not ping and self.ack and self.leads:
            await self.dingtalk_line(json.loads(frame["data"]))

    async def wecom(self, path, **body):
        base = self.settings["wecom"]["api_base"]
        query = {"corpid": self.settings["wecom"]["corp_id"]}
        query["corpsecret"] = self.settings["wecom"]["secret"]
        async with self.session.get(f"{base}/cgi-bin/gettoken", params=query) as response:
            token = (await response.json())["access_token"]
        url = f"{base}/cgi-bin/{path}?access_token={token}"
        data = json.dumps(body, ensure_ascii=False)
        async with self.session.post(url, data=data) as response:
            return await response.json()

    async def get(self, path, **query):
        tokens = self.sandbox.wecom.api.tokens
        base = self.settings["wecom"]["api_base"]
        query["access_token"] = tokens.issue()
        async with self.session.get(f"{base}/cgi-bin/{path}", params=query) as response:
            return await response.json()

    async def dingtalk(self, path, **body):
        base, token = (
            self.settings["dingtalk"]["api_base"],
            self.sandbox.dingtalk.api.tokens.issue(),
        )
        body.setdefault("robotCode", self.settings["dingtalk"]["client_id"])
        headers = {"x-acs-dingtalk-access-token": token}
        async with self.session.post(base + path, json=body, headers=headers) as response:
            return response.status, await response.json()

    async def group_robot(self, body, **changes):
        section = self.settings["dingtalk"]
        timestamp = changes.get("timestamp", str(int(self.clock().timestamp() * 1000)))
        sign = changes.get("sign", signature(timestamp, section["group_webhook_secret"]))
        query = {"timestamp": timestamp, "sign": sign}
        async with self.session.post(section["group_webhook"], params=query, json=body) as reply:
            return await reply.json()

    async def wecom_robot(self, body):
        data = io.BytesIO(json.dumps(body).encode())
        async with self.session.post(self.settings["wecom"]["group_webhook"], data=data) as reply:
            return await reply.json()

    async def page_post(self, name, body, **headers):
        headers = headers or {"Origin": self.url}
        url = f"{self.url}/sandbox/api/{name}"
        async with self.session.post(url, json=body, headers=headers) as response:
            return response.status, await response.json()

    async def mail(self, to="chen@example.com", subject="您好", html=""):
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = "hello@leads.example", to, subject
        message["List-Unsubscribe"] = f"<{self.url}/u/abc>"
        message.set_content(f"点这里看看 {self.url}/t/abc 谢谢")
        if html:
            message.add_alternative(html, subtype="html")
        section = self.settings["mail"]
        await aiosmtplib.send(message, hostname=section["host"], port=section["port"])

    # ------------------------------------------------------------ the prospect

    async def form(self, _request):
        body = f"<form method=post>{FIELDS}<label>想了解什么<textarea name=message></textarea></label>"
        body += "<label><input type=checkbox name=consent style='display:inline;width:auto'> 同意联系我</label>"
        return _page("留下联系方式，我们马上联系你", body + "<button>提交</button></form>")

    async def submit(self, request):
        self.forms.append(dict(await request.post()))
        if self.listening:
            await self.new_lead(self.forms[-1])
        return _page("收到了，我们会尽快联系你", "<p>可以关掉这个页面了。</p>")

    async def page(self, request):
        return _page("产品介绍", f"<p>你打开了 {request.path}</p>")

    # ------------------------------------------------------------ a toy of the loop, to look at

    async def new_lead(self, person):
        self.leads += 1
        number = self.leads
        rows = [("公司", person.get("company", "")), ("手机", person.get("phone", ""))]
        if number % 2:
            await self.wecom("message/send", **self.card("lilei", number, person, rows))
            other = self.card("hanmei", number, person, rows)
            other["template_card"]["replace_text"] = "李雷 负责"
            return
        await self.ding_card("zhaomin", number, person)

    def card(self, userid, number, person, rows):
        buttons = [("接受", 1), ("退回", 2), ("查看", 2)]
        card = {
            "card_type": "button_interaction",
            "source": {"desc": "线索助手 · 新线索"},
            "main_title": {
                "title": f"#{number} {person['name']}，请在 5 分钟内接受",
                "desc": "还剩 5 分",
            },
            "quote_area": {"quote_text": person.get("message", "")},
            "horizontal_content_list": [{"keyname": k, "value": v} for k, v in rows]
            + [
                {"keyname": "来源", "value": "官网表单"},
                {"keyname": "为何是你", "value": "华东 · 手上最少"},
            ],
            "task_id": f"lead-{number}-{userid}-{secrets.token_hex(3)}",
            "button_list": [{"text": t, "style": s, "key": f"/{t} {number}"} for t, s in buttons],
        }
        agent = self.settings["wecom"]["agent_id"]
        return {
            "touser": userid,
            "agentid": agent,
            "msgtype": "template_card",
            "template_card": card,
        }

    async def ding_card(self, user, number, person):
        text = (
            f"### #{number} {person['name']}，请在 5 分钟内接受\n\n还剩 5 分，10:40 前\n\n"
            f"**公司**　{person.get('company')}  \n**手机**　{person.get('phone')}  \n**来源**　官网表单\n\n"
            f"> {person.get('message')}\n\n"
        )
        param = {"title": f"#{number} 新线索", "text": text}
        for i, word in enumerate(("接受", "退回", "查看"), 1):
            param[f"actionTitle{i}"] = word
            line = quote(f"/{word} {number}")
            param[f"actionURL{i}"] = f"dtmd://dingtalkclient/sendMessage?content={line}"
        await self.dingtalk(
            "/v1.0/robot/oToMessages/batchSend",
            userIds=[user],
            msgKey="sampleActionCard3",
            msgParam=json.dumps(param, ensure_ascii=False),
        )

    def play(self, event):
        """Answers of the toy: what the real product says better."""
        if event.findtext("MsgType") == "text":
            line = event.findtext("Content")
            return self.text_reply(event.findtext("FromUserName"), self.said(line))
        if event.findtext("Event") != "template_card_event":
            return None
        number = event.findtext("EventKey").split()[-1]
        lines = {
            "CardType": "button_interaction",
            "MainTitle": {"Title": f"#{number} 归你了", "Desc": "10:36 接受，先打个电话"},
        }
        rows = [{"KeyName": "手机", "Value": "138 1628 0042"}, {"KeyName": "联系", "Value": "0/6"}]
        buttons = [
            {"Text": t, "Style": s, "Key": f"/{t} {number}"}
            for t, s in (("打过电话了", 1), ("退回", 2))
        ]
        card = {**lines, "HorizontalContentList": rows, "ButtonList": buttons}
        head = {
            "ToUserName": event.findtext("FromUserName"),
            "FromUserName": event.findtext("ToUserName"),
        }
        return xml(
            {**head, "CreateTime": 1, "MsgType": "update_template_card", "TemplateCard": card}
        )

    def said(self, line):
        if "退回" in line:
            self.mail_at.append(self.clock() + timedelta(hours=20))
            return "#1 已退回市场，原因：没预算。培育信明天开始寄"
        if "跟进" in line:
            return "记下了 #1：电话，意向，下次 明天 10:00 联系，到点提醒你"
        return "你手上有 1 条：\n#1 陈思远 远航精密机械，还剩 24 分\n回「跟进 1 …」记一笔"

    async def dingtalk_line(self, data):
        body = {
            "msgtype": "text",
            "text": {"content": self.said(unquote(data["text"]["content"]))},
        }
        async with self.session.post(data["sessionWebhook"], json=body):
            pass

    async def advance(self, span):
        before = self.clock()
        self.clock.forward(span)
        for _ in [at for at in self.mail_at if at <= self.clock()]:
            await self.mail(
                "chensiyuan@example.com", "陈思远，给您看一个同行的做法", LETTER.format(self.url)
            )
        self.mail_at = [at for at in self.mail_at if at > self.clock()]
        evening = before.astimezone(ZONE).replace(hour=18, minute=30, second=0)
        evening += timedelta(days=before > evening)
        if evening <= self.clock():
            await self.digest()

    async def digest(self):
        text = '### 今日线索\n>新增 <font color="info">12</font>，及时响应 <font color="info">11</font>，超时 <font color="warning">1</font>\n**李雷** 接 5 成交 1\n**韩梅梅** 接 4'
        await self.wecom_robot({"msgtype": "markdown", "markdown": {"content": text}})
        picture = png()
        image = {
            "base64": base64.b64encode(picture).decode(),
            "md5": md5(picture, usedforsecurity=False).hexdigest(),
        }
        await self.wecom_robot({"msgtype": "image", "image": image})
        ding = "### 今日线索\n\n新增 12，及时响应 11，超时 1\n\n- 赵敏 接 5 成交 1\n- 周强 接 4"
        await self.group_robot(
            {"msgtype": "markdown", "markdown": {"title": "今日线索", "text": ding}}
        )


async def until(condition, seconds=60.0):
    """Wait for something the other side does in its own time."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - a poll is what it is
            await asyncio.sleep(0.005)


LETTER = "<p>陈先生，您好：</p><p>上次聊到<b>线索分配</b>，这里有一家机械企业的做法，三分钟读完。</p><p><a href='{0}/t/abc'>看看他们怎么做</a></p><p style='color:#999;font-size:12px'>不想再收到？<a href='{0}/u/abc'>退订</a></p>"


def png(width=240, height=80):
    """A small picture made by hand: bars of a funnel."""
    rows = b"".join(
        b"\x00"
        + b"".join(b"\x3b\x6c\xff" if x < width - y * 2 else b"\xff\xff\xff" for x in range(width))
        for y in range(height)
    )

    def chunk(name, data):
        crc = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + crc

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _page(title, body):
    return web.Response(text=FORM.format(title=title, body=body), content_type="text/html")


def _socket(port):

    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    return made


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8090)
    product = await FakeProduct().start(parser.parse_args().port)
    product.answer = product.play
    await product.connect()
    print(f"{product.url}/sandbox/", flush=True)  # noqa: T201
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
