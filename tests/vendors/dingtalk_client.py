"""Run by the vendors' Python: dingtalk-stream as its README shows it."""

import os

import dingtalk_stream
from dingtalk_stream import AckMessage


class Echo(dingtalk_stream.ChatbotHandler):
    async def process(self, callback):
        said = dingtalk_stream.ChatbotMessage.from_dict(callback.data)
        print("heard", said.text.content.strip(), "from", said.sender_staff_id)
        answer = self.reply_text(f"收到：{said.text.content.strip()}", said)
        print("answered", answer)
        return AckMessage.STATUS_OK, "OK"


credential = dingtalk_stream.Credential(os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"])
client = dingtalk_stream.DingTalkStreamClient(credential)
client.register_callback_handler(dingtalk_stream.ChatbotMessage.TOPIC, Echo())
client.start_forever()
