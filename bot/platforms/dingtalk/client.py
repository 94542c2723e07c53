"""Calls to DingTalk: token, pace, errors. Nothing here knows what is being sent."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from aiohttp import ClientConnectorError, ClientError, ClientSession, ClientTimeout
from yarl import URL

from bot.config import DingTalk
from bot.platforms.dingtalk.answers import (
    Banned,
    DingTalkError,
    Throttled,
    TokenRefused,
    TooFast,
    read_answer,
)
from bot.platforms.dingtalk.pace import Firewall, Gate, Window
from bot.platforms.shared import OwnTokens, Tokens
from store.domain.errors import Down, Later, Spent
from store.domain.quota import Api
from store.tokens import Token, token_key

TIMEOUT = ClientTimeout(total=20)
EARLY = timedelta(minutes=5)  # a token is renewed this long before it ends
FREE = ("/topapi/v2/", "/topapi/user/", "/v1.0/contact/", "/v1.0/oauth2/", "/get_jsapi_ticket")
"""Directory and login cost nothing of the month (D:basic-interfaces-such-as-log-off-and-address-book)."""


class Unreached(Down):
    """There was no connection: nothing was asked."""

    unsent = True


class Broken(Down):
    """The connection ended instead of an answer: it may have been done, or never been read."""


UNCOUNTED = (Unreached, Banned, Throttled, TooFast, Spent, TokenRefused)
"""A call that ends so costs nothing of the month (D:how-to-process-api-throttling-…)."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request. ``what`` names it in errors, for the URL may hold a secret."""

    method: str
    url: URL = field(repr=False)
    what: str
    body: dict[str, Any] | None = field(repr=False, default=None)
    token: str = field(repr=False, default="")

    @property
    def headers(self) -> dict[str, str]:
        plain = {"Content-Type": "application/json", "Accept": "application/json"}
        return plain | ({"x-acs-dingtalk-access-token": self.token} if self.token else {})

    @property
    def data(self) -> bytes | None:
        text = None if self.body is None else json.dumps(self.body, ensure_ascii=False)
        return None if text is None else text.encode(errors="replace")


class DingTalkClient:
    """The new API (``api_base``) and the old one (``oapi_base``) with one token for both."""

    def __init__(  # noqa: PLR0913, PLR0917 -- what all processes share comes from outside
        self,
        session: ClientSession,
        settings: DingTalk,
        clock: Callable[[], datetime],
        tokens: Tokens | None = None,
        spend: Callable[[Api], None] = lambda _: None,
        gate: Gate | None = None,
    ) -> None:
        """``spend`` is told of every call that the month's allowance pays for.

        ``gate``: of all processes that call with this app; by default there is only one.
        """
        self._session = session
        self._spend = spend
        self._settings = settings
        self._clock = clock
        self._tokens = tokens or OwnTokens()
        self._token: Token | None = None
        self._fetching = asyncio.Lock()
        self._gate = gate or Window()
        self.firewall = Firewall(clock)

    async def call(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, old: bool = False
    ) -> dict[str, Any]:
        """The answer of ``path`` (from the slash). A refused token is renewed exactly once.

        Raises Later, or DingTalkError with the platform's ``code``. A call that
        timed out may have been carried out.
        """
        token = await self._fresh(refused=None)
        try:
            return await self._authorised(method, path, body, token, old=old)
        except TokenRefused:
            token = await self._fresh(refused=token)
        try:
            return await self._authorised(method, path, body, token, old=old)
        except TokenRefused as error:
            raise Later(str(error)) from None

    async def webhook(
        self, url: str, message: dict[str, Any], what: str, query: dict[str, str] | None = None
    ) -> None:
        """Post to an address that is its own permission; ``what`` names it in errors.

        Raises Later or DingTalkError, neither of which holds the address.
        """
        try:
            address = URL(url).update_query(query) if query else URL(url)
        except ValueError:
            raise DingTalkError(what, "not an address") from None
        await self._paid(Api.DINGTALK_PUSHES, Call("POST", address, what, message))

    async def _authorised(
        self, method: str, path: str, body: dict[str, Any] | None, token: str, *, old: bool
    ) -> dict[str, Any]:
        await self._gate.enter(path)
        if old:
            url = URL(self._settings.oapi_base + path).update_query(access_token=token)
            call = Call(method, url, path, body)
        else:
            call = Call(method, URL(self._settings.api_base + path), path, body, token)
        if path.startswith(FREE):
            return await self._once(call)
        return await self._paid(Api.DINGTALK_CALLS, call)

    async def _paid(self, api: Api, call: Call) -> dict[str, Any]:
        """``call``, counted unless DingTalk threw it back unread: throttled calls are free."""
        try:
            answer = await self._once(call)
        except UNCOUNTED:
            raise
        except (Later, DingTalkError):
            self._spend(api)
            raise
        self._spend(api)
        return answer

    async def _fresh(self, refused: str | None) -> str:
        """A token that is not ``refused``; whoever comes while it is fetched waits for it."""
        async with self._fetching:
            token = self._token
            if token is None or token.value == refused or self._clock() >= token.until:
                key = token_key("dingtalk", self._settings.client_id, self._secret)
                self._token = token = await self._tokens.get(key, refused or "", self._fetch)
            return token.value

    @property
    def _secret(self) -> str:
        return self._settings.client_secret.get_secret_value()

    async def _fetch(self) -> Token:
        path = "/v1.0/oauth2/accessToken"
        body = {"appKey": self._settings.client_id, "appSecret": self._secret}
        url = URL(self._settings.api_base + path)
        answer = await self._once(Call("POST", url, path, body))
        try:
            lasts = timedelta(seconds=int(answer["expireIn"]))
            return Token(str(answer["accessToken"]), self._clock() + lasts - EARLY)
        except (KeyError, TypeError, ValueError, OverflowError):
            raise Later(f"{path}: no token in the answer") from None

    async def _once(self, call: Call) -> dict[str, Any]:
        self._leave_alone(call.what)
        status, body = await self._raw(call)
        try:
            return read_answer(call.what, status, body, self._clock())
        except Banned:
            self.firewall.met()
            raise

    def _leave_alone(self, what: str) -> None:
        """While the firewall has us banned, each further call would prolong it."""
        if left := self.firewall.left:
            raise Banned(f"{what}: waiting for the firewall", left)

    async def _raw(self, call: Call) -> tuple[int, bytes]:
        try:
            # A redirect would carry the message, and the token, to a host nobody configured.
            async with self._session.request(
                call.method,
                call.url,
                data=call.data,
                headers=call.headers,
                timeout=TIMEOUT,
                allow_redirects=False,
            ) as response:
                return response.status, await response.read()
        except ClientConnectorError:
            raise Unreached(f"{call.what}: ClientConnectorError") from None
        except TimeoutError as error:
            raise Down(f"{call.what}: {type(error).__name__}") from None
        except (ClientError, OSError) as error:
            # aiohttp's own texts hold the URL, and with it the token.
            raise Broken(f"{call.what}: {type(error).__name__}") from None
