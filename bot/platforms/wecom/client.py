"""
WeCom's HTTP API over one aiohttp session.

Every call ends in a dict, in Later or in Undeliverable. The token travels in the
URL and aiohttp's errors carry URLs, so none of them leaves this module, not even
as a cause.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Any

import structlog
from aiohttp import ClientConnectorError, ClientError, ClientSession, ClientTimeout, StreamReader
from yarl import URL

from bot.config import WeCom
from bot.platforms.shared import Holds, OwnHolds, OwnTokens, Tokens
from bot.platforms.wecom.errcodes import (
    CODES,
    PLATFORM_BUSY,
    STALE_TOKEN,
    UNKNOWN,
    Do,
    Scope,
    alarm_key,
    code,
    meaning,
    told,
)
from store.domain.errors import Alarm, Down, Held, Later, Lost, Undeliverable
from store.tokens import Token, token_key

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

TIMEOUT = ClientTimeout(total=20)
MARGIN = timedelta(minutes=5)  # a token is renewed this long before it runs out
PAUSES = (0.3, 0.6, 1.2)
"""Seconds before each of the three more tries that a busy platform gets."""
SERIAL = timedelta(minutes=10)
"""How long an API that does not want parallel calls gets one at a time."""
Span = tuple[timedelta, timedelta]
WINDOW: Span = (timedelta(minutes=1), timedelta(hours=1))
"""Of 45009, which does not say whether the minute, the hour, the day or the month is over
(D:90312): a minute first, then twice as long each time somebody has tried in vain."""
WINDOWS: Mapping[str, Span] = {
    # Who asks with a wrong secret too often is banned for an hour, and longer for asking again.
    "gettoken": (timedelta(minutes=10), timedelta(hours=1)),
    # A welcome is worth nothing after 20 seconds: it looks earlier whether the minute is over.
    "externalcontact/send_welcome_msg": (timedelta(seconds=5), timedelta(hours=1)),
}
MENDING: Span = (timedelta(minutes=1), timedelta(minutes=10))
"""How soon an admin may have put it right; a new trusted address works after a minute."""
THE_SECRET = "secret"  # noqa: S105 - what is held, not a secret
WRONG_SECRET = frozenset({40001, 40013, 41004})
SECRET_HOLD: Span = (timedelta(hours=1), timedelta(days=1))
"""A wrong secret is put right in the configuration, which makes it another one (D:90313: stop,
never loop; the address is banned for an hour). A restart asks once more."""
BUSY: Span = (timedelta(seconds=1), timedelta(minutes=1))
"""Of -1, four times running, and of too many calls at once: nobody calls that for a moment."""
BUSIES: Mapping[str, Span] = {
    "externalcontact/send_welcome_msg": (timedelta(seconds=1), timedelta(seconds=8)),
}
SHORT = "busy"
"""What marks the short holds of an API: how often they came says nothing about its window."""
NUMBER = re.compile(r"-?[0-9]{1,9}")
"""An errcode, which one published answer has as a text."""
LIFETIME = 7200  # seconds, should expires_in be missing (D:91039)
HEADERS = {"Content-Type": "application/json"}
BOUNDARY = f"leadbot-{token_hex(16)}"  # no file has it by chance

Answer = dict[str, Any]


class WeComError(Undeliverable):
    """WeCom answered with an error that trying again would not change."""

    def __init__(self, code: int, why: str, alarm: Alarm | None = None) -> None:
        super().__init__(why, alarm)
        self.code = code


class Unmended(WeComError, Later):
    """WeCom answered with an error that trying again would not change before an admin acts.

    ``after`` is None where only this call is refused: the relay's slow back-off.
    """

    def __init__(
        self, code: int, why: str, after: timedelta | None = None, alarm: Alarm | None = None
    ) -> None:
        super().__init__(code, why, alarm)
        self.after = after


@dataclass(slots=True)
class _Manners:
    """How an API wants to be called, as far as it has said so."""

    one: asyncio.Lock = field(default_factory=asyncio.Lock)
    serial_until: datetime | None = None
    busy: bool = False


class WeComClient:
    """Calls as one app: one token per (corp, secret), fetched once however many ask.

    What WeCom does not want for a while is not called, by nobody who shares ``holds``:
    an API after 45009, all of them while the app is not well.
    """

    def __init__(
        self,
        session: ClientSession,
        settings: WeCom,
        clock: Callable[[], datetime],
        tokens: Tokens | None = None,
        holds: Holds | None = None,
    ) -> None:
        self._session = session
        self._settings = settings
        self._clock = clock
        self._tokens = tokens or OwnTokens()
        self._holds = holds or OwnHolds(clock)
        self._token: Token | None = None
        self._stale = ""
        self._fetching: asyncio.Task[str] | None = None
        self._refused: tuple[datetime, WeComError | Later] | None = None
        self._manners: dict[str, _Manners] = {}
        # Another secret or app is another one's trouble.
        whose = (settings.corp_id, settings.secret, str(settings.agent_id), settings.group_webhook)
        words = (w if isinstance(w, str) else w.get_secret_value() for w in whose)
        self._about = f"wecom:{token_key(*words)[:16]}"

    async def call(
        self, path: str, body: object = None, params: Mapping[str, str] | None = None
    ) -> Answer:
        """``POST /cgi-bin/{path}`` with ``body`` as JSON, without one ``GET``.

        Raises Later when it may go better later (Held when nobody was asked, Lost when
        nobody answered), WeComError with its ``code`` when WeCom says no, Unmended (both)
        when it says no until an admin acts, Undeliverable when ``api_base`` is not WeCom.
        """
        async with self._entered(path, Scope.APP):
            return await self._settled(path, await self._patient(path, body, params))

    async def post_to_group(self, payload: Mapping[str, Any]) -> Answer:
        """Hand ``payload`` to the configured group robot (D:99110). Raises as ``call`` does."""
        url = self._settings.group_webhook.get_secret_value()
        if not url:
            raise Undeliverable("[wecom] group_webhook is not set")
        path = "webhook/send"
        async with self._entered(path):
            return await self._settled(path, await self._exchange(path, url, payload))

    async def upload_to_group(self, file: "Upload") -> Answer:
        """Give the group robot a file that no message shows (D:99110). Raises as ``call`` does."""
        url = URL(self._settings.group_webhook.get_secret_value())
        path = "webhook/upload_media"
        query = {"key": url.query.get("key", ""), "type": "file"}
        address = str(url.with_name("upload_media").with_query(None))
        async with self._entered(path):
            return await self._settled(path, await self._exchange(path, address, file, query))

    @asynccontextmanager
    async def _entered(self, path: str, *more: str) -> AsyncIterator[None]:
        """Our turn, where the API wants one call at a time."""
        manners = self._manners.setdefault(path, _Manners())
        alone = manners.serial_until is not None and self._clock() < manners.serial_until
        keys = (f"{self._about}:{key}" for key in (*more, path, f"{path} {SHORT}"))
        # In this order: what became of those before us in the line may hold us back.
        async with manners.one if alone else nullcontext(), self._holds.entered(*keys):
            yield

    async def _patient(self, path: str, body: object, params: Mapping[str, str] | None) -> Answer:
        """A busy platform is asked three times more, unless it has been busy all the time."""
        manners = self._manners[path]
        for pause in () if manners.busy else PAUSES:
            answer = await self._authorised(path, body, params)
            if _code(answer) != PLATFORM_BUSY:
                return answer
            await asyncio.sleep(pause)
        answer = await self._authorised(path, body, params)
        manners.busy = _code(answer) == PLATFORM_BUSY
        return answer

    async def _authorised(
        self, path: str, body: object, params: Mapping[str, str] | None
    ) -> Answer:
        answer = await self._once(path, body, params)
        if _code(answer) in STALE_TOKEN:
            answer = await self._once(path, body, params)
        return answer

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
            raise _once_more(self._refused[1], self._refused[0] - now)
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch_token())
            self._fetching.add_done_callback(self._fetched)
        return await asyncio.shield(self._fetching)

    def _fetched(self, task: asyncio.Task[str]) -> None:
        self._fetching = None
        if task.cancelled():
            return
        error = task.exception()  # also says that somebody has looked at it
        if not isinstance(error, Later) or not error.after:
            self._refused = None
            return
        self._refused = (self._clock() + error.after, error)

    async def _fetch_token(self) -> str:
        """From another process, or from WeCom if nobody has one that is not stale."""
        secret = self._settings.secret.get_secret_value()
        key = token_key("wecom", self._settings.corp_id, secret)
        try:
            self._token = await self._tokens.get(key, self._stale, self._ask_for_token)
        except Held as held:
            # Another process may be luckier: what it was told is looked at now and then.
            after = min(held.after or MENDING[1], MENDING[1])
            raise _once_more(self._refused[1] if self._refused else held, after) from None
        return self._token.value

    async def _ask_for_token(self) -> Token:
        secret = self._settings.secret.get_secret_value()
        query = {"corpid": self._settings.corp_id, "corpsecret": secret}
        async with self._entered("gettoken", THE_SECRET):
            try:
                answer = await self._exchange("gettoken", self._url("gettoken"), None, query)
            except Lost as lost:  # whoever waits for the token has not asked for anything yet
                raise Down(str(lost)) from None
            await self._settled("gettoken", answer)
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
        except ClientConnectorError as error:
            failure: Later = Down(f"{path}: {type(error).__name__}")
        except (ClientError, TimeoutError, OSError, ValueError) as error:
            failure = Lost(f"{path}: {type(error).__name__}")
        else:
            return _parsed(path, status, raw)
        raise failure  # out here, so that aiohttp's error is not its context

    async def _settled(self, path: str, answer: Answer) -> Answer:
        number = _code(answer)
        if number == 0:
            return answer
        errmsg = self._without_secrets(str(answer.get("errmsg", "")))
        why = f"{path}: {number}, {meaning(number, errmsg)}"
        tell = told(number, path, errmsg)
        alarm = Alarm(alarm_key(number, path), tell) if tell else None
        what = code(number)
        if what.do in {Do.ADMIN, Do.REFRESH}:
            log.error("wecom_needs_an_admin", call=path, code=number, why=why)
            raise Unmended(number, why, await self._wait_for_admin(path, number), alarm)
        if what.do in {Do.RETRY, Do.LATER, Do.WINDOW, Do.SERIAL}:
            raise Later(why, await self._wait(path, what.do))
        if what is UNKNOWN:
            log.error("wecom_unknown_code", call=path, code=number, errmsg=errmsg[:300])
        raise WeComError(number, why, alarm)

    async def _wait(self, path: str, do: Do) -> timedelta | None:
        """What one is told, all heed."""
        if do == Do.WINDOW:
            return await self._hold(path, WINDOWS.get(path, WINDOW))
        if do == Do.SERIAL:
            self._manners[path].serial_until = self._clock() + SERIAL
        if do == Do.LATER:
            return None
        return await self._hold(f"{path} {SHORT}", BUSIES.get(path, BUSY))

    async def _wait_for_admin(self, path: str, number: int) -> timedelta | None:
        if path == "gettoken":
            wrong = number in WRONG_SECRET
            held = self._hold(THE_SECRET, SECRET_HOLD) if wrong else self._hold(path, MENDING)
            return min(await held, MENDING[1])
        if number in STALE_TOKEN or CODES[number].scope == Scope.APP:
            return await self._hold(Scope.APP, MENDING)
        return await self._hold(path, MENDING) if CODES[number].scope == Scope.API else None

    async def _hold(self, key: str, span: Span) -> timedelta:
        return await self._holds.hold(f"{self._about}:{key}", *span)

    async def try_again(self) -> None:
        """The service starts: the app may be enabled again, so its secret is tried once more."""
        await self._holds.release(f"{self._about}:{THE_SECRET}")

    def _without_secrets(self, errmsg: str) -> str:
        """Nothing promises that WeCom's words do not quote the request."""
        webhook = self._settings.group_webhook.get_secret_value()
        for secret in (
            self._settings.secret.get_secret_value(),
            self._token.value if self._token else "",
            self._stale,
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


def _once_more(error: WeComError | Later, after: timedelta) -> WeComError | Later:
    """``error`` for somebody who comes later: nobody was asked again."""
    if isinstance(error, Unmended):
        return Unmended(error.code, str(error), after, error.alarm)
    return Held(str(error), after)


def _parsed(path: str, status: int, raw: bytes) -> Answer:
    """WeCom says everything with 200 and JSON; whatever else comes is somebody in between."""
    if 300 <= status < 400 or status == 404:
        raise Undeliverable(f"{path}: HTTP {status}, check [wecom] api_base")
    if status != 200:
        raise Lost(f"{path}: HTTP {status}")
    try:
        answer = json.loads(raw)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict) or not NUMBER.fullmatch(str(answer.get("errcode", 0))):
        raise Lost(f"{path}: an answer that is not JSON")
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
    return int(answer.get("errcode", 0))  # some successes have none


def _lifetime(answer: Answer) -> timedelta:
    seconds = answer.get("expires_in", LIFETIME)
    whole = timedelta(seconds=seconds if isinstance(seconds, int) else LIFETIME)
    return whole - min(MARGIN, whole / 10)
