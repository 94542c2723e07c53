"""
Carries what happens on the phones to the product's callback, encrypted and signed (D:90238).

Five seconds to answer with 200, else the same message comes again, three times
in all, under a new timestamp and nonce. What is said last is what the member gets.
"""

import asyncio
import secrets
from collections.abc import Mapping
from xml.etree import ElementTree as ET

from aiohttp import ClientError, ClientSession, ClientTimeout

from bot.sandbox import wire
from bot.sandbox.state import State
from bot.sandbox.trouble import Swap
from bot.sandbox.wecom.api import Company
from bot.sandbox.wecom.envelope import BadEnvelope, Envelope

ANSWER_WITHIN = ClientTimeout(total=5)
VERIFY_WITHIN = ClientTimeout(total=1)
TRIES = 4
Value = str | int | list["Value"] | Mapping[str, "Value"]


class Courier:
    """``gap``: real seconds between two tries; the platform does not say how long."""

    def __init__(
        self, company: Company, state: State, session: ClientSession, gap: float = 1.0
    ) -> None:
        self._company = company
        self._state = state
        self._log = wire.Sent(state, "wecom")
        self._session = session
        self.gap = gap
        self._swap = Swap()
        self._envelope = Envelope(company.token, company.aes_key, company.corp_id)

    async def carry(self, fields: Mapping[str, Value]) -> ET.Element | None:
        """Deliver an event. Gives the passive reply, decrypted, or None."""
        plain = xml({"ToUserName": self._company.corp_id, **fields})
        replies: list[str | None] = []

        async def carry() -> None:
            replies.append(await self._carry(plain))

        if self._state.faults.take("wecom", "swapped"):
            await self._swap.through(carry)
        else:
            await carry()
        return read(replies[0]) if replies[0] else None

    async def _carry(self, plain: str) -> str | None:
        """The reply of the try the platform takes for good."""
        reply: str | None = None
        for number in range(TRIES):
            if number:
                await asyncio.sleep(self.gap)
            status, reply = await self._once(plain)
            unheard = number + 1 < TRIES and self._state.faults.take("wecom", "again")
            if status == 200 and not unheard:
                break
        if self._state.faults.take("wecom", "twice"):
            await self._once(plain)
        return reply

    async def _once(self, plain: str) -> tuple[int, str | None]:
        status, text = await self._try(plain)
        reply = self._opened(text) if status == 200 else None
        self._log("POST /wecom/callback", status, plain, reply if reply is not None else text)
        return status, reply

    async def verify(self) -> bool:
        """What the console does when the callback URL is saved: GET, one second, byte by byte."""
        words = str(secrets.randbelow(10**19))
        echo = self._envelope.encrypt(words)
        query = {**self._signed(echo), "echostr": echo}
        url = self._company.callback_url
        try:
            async with self._session.get(url, params=query, timeout=VERIFY_WITHIN) as response:
                return response.status == 200 and await response.read() == words.encode()
        except (ClientError, TimeoutError):
            return False

    async def _try(self, plain: str) -> tuple[int, str]:
        encrypted = self._envelope.encrypt(plain)
        agent = str(self._company.agent_id)
        body = {"ToUserName": self._company.corp_id, "AgentID": agent, "Encrypt": encrypted}
        try:
            async with self._session.post(
                self._company.callback_url,
                params=self._signed(encrypted),
                data=xml(body).encode(),
                headers={"Content-Type": "text/xml", "User-Agent": "Mozilla/4.0"},
                timeout=ANSWER_WITHIN,
            ) as response:
                return response.status, await response.text()
        except (ClientError, TimeoutError) as error:
            return 0, type(error).__name__

    def _signed(self, encrypted: str) -> dict[str, str]:
        timestamp = str(int(self._state.clock().timestamp()))
        nonce = str(secrets.randbelow(10**10))
        signature = self._envelope.sign(timestamp, nonce, encrypted)
        return {"msg_signature": signature, "timestamp": timestamp, "nonce": nonce}

    def _opened(self, text: str) -> str | None:
        """A reply that cannot be read is dropped, as the platform drops it."""
        root = read(text) if text.strip() else None
        if root is None:
            return None
        parts = [root.findtext(name, "") for name in REPLY]
        try:
            return self._envelope.open(*parts)
        except BadEnvelope as error:
            return f"（平台丢弃了这个回复：{error}）"


REPLY = ("MsgSignature", "TimeStamp", "Nonce", "Encrypt")


def read(text: str) -> ET.Element | None:
    """The root of an answer; None for anything that is not XML."""
    try:
        return ET.fromstring(text)  # noqa: S314 - our own product's answer, over loopback
    except ET.ParseError:
        return None


def xml(fields: Mapping[str, Value]) -> str:
    """``<xml>`` with one element per field; lists repeat their element, texts are CDATA."""
    return f"<xml>{_elements(fields)}</xml>"


def _elements(fields: Mapping[str, Value]) -> str:
    return "".join(_element(name, value) for name, value in fields.items())


def _element(name: str, value: Value) -> str:
    if isinstance(value, list):
        return "".join(_element(name, item) for item in value)
    if isinstance(value, Mapping):
        return f"<{name}>{_elements(value)}</{name}>"
    if isinstance(value, int):
        return f"<{name}>{value}</{name}>"
    return f"<{name}><![CDATA[{value.replace(']]>', ']]]]><![CDATA[>')}]]></{name}>"
