"""
WeCom's HTTP API over one aiohttp session.

Every call ends in a dict, in Later or in Undeliverable. The token travels in the
URL and aiohttp's errors carry URLs, so none of them leaves this module, not even
as a cause.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Any

import structlog
from aiohttp import ClientError, ClientSession, ClientTimeout, StreamReader

from bot.config import WeCom
from bot.platforms.shared import OwnTokens, Tokens
from bot.platforms.wecom.errcodes import BUSY, NEEDS_AN_ADMIN, STALE_TOKEN, meaning
from store.domain.errors import Later, Undeliverable
from store.tokens import Token, token_key

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

TIMEOUT = ClientTimeout(total=20)
MARGIN = timedelta(minutes=5)  # a token is renewed this long before it runs out
HOLD = timedelta(minutes=10)  # asking often with a wrong secret bans our address for an hour
MENDING = timedelta(minutes=10)  # how soon an admin may have put it right
LIFETIME = 7200  # seconds, should expires_in be missing (D:91039)
HEADERS = {"Content-Type": "application/json"}
BOUNDARY = f"leadbot-{token_hex(16)}"  # no file has it by chance

Answer = dict[str, Any]


class WeComError(Undeliverable):
    """WeCom answered with an error that trying again would not change."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code


class Unmended(WeComError, Later):
    """WeCom answered with an error that trying again would not change before an admin acts."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(code, why)
        self.after = MENDING


class WeComClient:
    """Calls as one app: one token per (corp, secret), fetched once however many ask."""

    def __init__(
        self,
        session: ClientSession,
        settings: WeCom,
        clock: Callable[[], datetime],
        tokens: Tokens | None = None,
    ) -> None:
        self._session = session
        self._settings = settings
        self._clock = clock
        self._tokens = tokens or OwnTokens()
        self._token: Token | None = None
        self._stale = ""
        self._fetching: asyncio.Task[str] | None = None
        self._refused: tuple[datetime, WeComError | Later] | None = None

    async def call(
        self, path: str, body: object = None, params: Mapping[str, str] | None = None
    ) -> Answer:
        """``POST /cgi-bin/{path}`` with ``body`` as JSON, without one ``GET``.

        Raises Later when it may go better later, WeComError with its ``code`` when
        WeCom says no, Unmended (both) when it says no until an admin acts, Undeliverable when ``api_base`` is not WeCom.
        """
        answer = await self._once(path, body, params)
        if _code(answer) in STALE_TOKEN:
            answer = await self._once(path, body, params)
        return self._settled(path, answer)

    async def post_to_group(self, payload: Mapping[str, Any]) -> Answer:
        """Hand ``payload`` to the configured group robot (D:99110). Raises as ``call`` does."""
        url = self._settings.group_webhook.get_secret_value()
        if not url:
            raise Undeliverable("[wecom] group_webhook is not set")
        return self._settled("webhook/send", await self._exchange("webhook/send", url, payload))

    async def download(self, url: str, most: int) -> bytes:
        """What lies at an address WeCom gave out. Raises Later, also for more than ``most`` bytes."""
        try:
            async with self._session.get(url, timeout=TIMEOUT) as response:
                status, raw = response.status, await _first(response.content, most + 1)
        except (ClientError, TimeoutError, OSError, ValueError) as error:
            failure = type(error).__name__
        else:
            if status == 200 and len(raw) <= most:
                return raw
            failure = f"HTTP {status}" if status != 200 else "too large"
        raise Later(f"a picture: {failure}")

    async def _once(self, path: str, body: object, params: Mapping[str, str] | None) -> Answer:
        token = await self._fresh_token()
        query = {"access_token": token, **(params or {})}
        answer = await self._exchange(path, self._url(path), body, query)
        if _code(answer) in STALE_TOKEN and self._token and self._token.value == token:
            self._token, self._stale = None, token
        return answer

    async def _fresh_token(self) -> str:
        now = self._clock()
        if self._token and now < self._token.until:
            return self._token.value
        if self._refused and now < self._refused[0]:
            raise self._refused[1].with_traceback(None)
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch_token())
            self._fetching.add_done_callback(self._fetched)
        return await asyncio.shield(self._fetching)

    def _fetched(self, task: asyncio.Task[str]) -> None:
        self._fetching = None
        if task.cancelled():
            return
        error = task.exception()  # also says that somebody has looked at it
        if isinstance(error, WeComError) or (isinstance(error, Later) and error.after):
            self._refused = (self._clock() + HOLD, error)

    async def _fetch_token(self) -> str:
        """From another process, or from WeCom if nobody has one that is not stale."""
        secret = self._settings.secret.get_secret_value()
        key = token_key("wecom", self._settings.corp_id, secret)
        self._token = await self._tokens.get(key, self._stale, self._ask_for_token)
        return self._token.value

    async def _ask_for_token(self) -> Token:
        secret = self._settings.secret.get_secret_value()
        query = {"corpid": self._settings.corp_id, "corpsecret": secret}
        answer = await self._exchange("gettoken", self._url("gettoken"), None, query)
        self._settled("gettoken", answer)
        token = answer.get("access_token")
        if not isinstance(token, str) or not token:
            raise Later("gettoken: an answer without a token")
        return Token(token, self._clock() + _lifetime(answer))

    def _url(self, path: str) -> str:
        return f"{self._settings.api_base}/cgi-bin/{path}"

    async def _exchange(
        self, path: str, url: str, body: object, query: Mapping[str, str] | None = None
    ) -> Answer:
        verb, data = ("GET", None) if body is None else ("POST", _encoded(body))
        try:
            async with self._session.request(
                verb,
                url,
                params=query,
                data=data,
                headers=_headers(body),
                timeout=TIMEOUT,
                allow_redirects=False,
            ) as response:
                status, raw = response.status, await response.read()
        except (ClientError, TimeoutError, OSError, ValueError) as error:
            failure = type(error).__name__
        else:
            return _parsed(path, status, raw)
        raise Later(f"{path}: {failure}")  # out here, so that aiohttp's error is not its context

    def _settled(self, path: str, answer: Answer) -> Answer:
        code = _code(answer)
        if code == 0:
            return answer
        errmsg = self._without_secrets(str(answer.get("errmsg", "")))
        why = f"{path}: {code}, {meaning(code, errmsg)}"
        if code in BUSY:
            raise Later(why, BUSY[code])
        if code in STALE_TOKEN:
            raise Later(why)
        if code in NEEDS_AN_ADMIN:
            log.error("wecom_needs_an_admin", call=path, code=code, why=why)
            raise Unmended(code, why)
        raise WeComError(code, why)

    def _without_secrets(self, errmsg: str) -> str:
        """Nothing promises that WeCom's words do not quote the request."""
        webhook = self._settings.group_webhook.get_secret_value()
        for secret in (
            self._settings.secret.get_secret_value(),
            self._token.value if self._token else "",
            webhook.rpartition("key=")[2],
        ):
            errmsg = errmsg.replace(secret, "***") if secret else errmsg
        return errmsg


async def _first(content: StreamReader, most: int) -> bytes:
    """Up to ``most`` bytes: one ``read`` gives what has arrived, which may be half of it."""
    raw = b""
    async for chunk in content.iter_any():
        raw += chunk
        if len(raw) >= most:
            break
    return raw


def _parsed(path: str, status: int, raw: bytes) -> Answer:
    """WeCom says everything with 200 and JSON; whatever else comes is somebody in between."""
    if 300 <= status < 400 or status == 404:
        raise Undeliverable(f"{path}: HTTP {status}, check [wecom] api_base")
    if status != 200:
        raise Later(f"{path}: HTTP {status}")
    try:
        answer = json.loads(raw)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise Later(f"{path}: an answer that is not JSON")
    return answer


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as the ``body`` of media/upload (D:90253)."""

    name: str
    kind: str
    data: bytes

    def encoded(self) -> bytes:
        about = f'form-data; name="media"; filename="{self.name}"; filelength={len(self.data)}'
        head = f"--{BOUNDARY}\r\nContent-Disposition: {about}\r\nContent-Type: {self.kind}\r\n\r\n"
        return head.encode() + self.data + f"\r\n--{BOUNDARY}--\r\n".encode()


def _headers(body: object) -> dict[str, str]:
    if isinstance(body, Upload):
        return {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    return HEADERS


def _encoded(body: object) -> bytes:
    """Real UTF-8: ``\\uXXXX`` escapes are answered with 40033."""
    if isinstance(body, Upload):
        return body.encoded()
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")


def _code(answer: Answer) -> int:
    code = answer.get("errcode", 0)  # some successes have none
    return code if isinstance(code, int) else -1


def _lifetime(answer: Answer) -> timedelta:
    seconds = answer.get("expires_in", LIFETIME)
    whole = timedelta(seconds=seconds if isinstance(seconds, int) else LIFETIME)
    return whole - min(MARGIN, whole / 10)
