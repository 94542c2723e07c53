"""
Run by the vendors' Python: wecom-aibot-python-sdk as its README shows it.

It always speaks TLS and trusts what certifi says; so certifi is told to say this
test's certificate, before it is asked.
"""

import asyncio
import os

import certifi

certifi.where = lambda: os.environ["CERTIFICATE"]

from aibot import WSClient, WSClientOptions  # noqa: E402 - certifi first
from aibot.utils import generate_req_id  # noqa: E402


async def main():
    client = WSClient(
        WSClientOptions(
            bot_id=os.environ["BOT_ID"], secret=os.environ["SECRET"], ws_url=os.environ["URL"]
        )
    )

    @client.on("authenticated")
    def authenticated():
        print("authenticated")

    @client.on("message.text")
    async def text(frame):
        said = frame["body"]["text"]["content"]
        print("heard", said)
        await client.reply_stream(frame, generate_req_id("stream"), f"收到：{said}", True)
        print("answered")

    await client.connect()
    await asyncio.Event().wait()


asyncio.run(main())
