"""media/upload of the old API (4.7): pictures for messages, known by their media_id."""

from secrets import token_urlsafe

from aiohttp import web

from bot.sandbox.dingtalk.api import Api, reply
from bot.sandbox.state import Media, State

KINDS = ("image", "voice", "video", "file")
LARGEST = 20 << 20


class Uploads:
    def __init__(self, api: Api, state: State) -> None:
        self._api = api
        self._state = state

    async def upload(self, request: web.Request) -> web.Response:
        if not self._api.tokens.alive(request.query.get("access_token", "")):
            return reply({"errcode": 40014, "errmsg": "不合法的access_token"})
        form = await request.post()
        kind, part = str(form.get("type", request.query.get("type", ""))), form.get("media")
        if kind not in KINDS or not isinstance(part, web.FileField):
            return reply({"errcode": 40035, "errmsg": "缺少参数 type 或 media"})
        data = part.file.read()
        if not data or len(data) > LARGEST:
            return reply({"errcode": 45001, "errmsg": "多媒体文件大小超过限制"})
        return reply({"errcode": 0, "errmsg": "ok", **self._kept(kind, part, data)})

    def _kept(self, kind: str, part: web.FileField, data: bytes) -> dict[str, object]:
        name = f"@lAL{token_urlsafe(16)}"
        self._state.keep(name, Media(part.content_type, data))
        at = int(self._state.clock().timestamp() * 1000)
        return {"media_id": name, "type": kind, "created_at": at}
