"""The prospects' mailbox: an SMTP server on loopback that delivers onto the page."""

import asyncio
import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import cast

from aiosmtpd.smtp import SMTP, Envelope, Session

from bot.sandbox.state import Mail, State

URL = re.compile(r"https?://[^\s<>\"'）)】]+")
LARGEST = 5 << 20


async def serve(state: State) -> asyncio.Server:
    """Listen on a free port of loopback. The caller closes it."""
    loop = asyncio.get_running_loop()
    mailbox = Mailbox(state)

    def session() -> SMTP:
        return SMTP(
            mailbox,
            enable_SMTPUTF8=True,
            data_size_limit=LARGEST,
            hostname="sandbox.localhost",
            loop=loop,
        )

    return await loop.create_server(session, "127.0.0.1", 0)


class Mailbox:
    def __init__(self, state: State) -> None:
        self._state = state

    async def handle_DATA(  # noqa: N802 - aiosmtpd calls it by this name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        content = cast("bytes", envelope.content)
        parsed = message_from_bytes(content, policy=policy.default)
        for address in envelope.rcpt_tos:
            self._state.mailed(self._mail(parsed, str(address)))
        return "250 OK"

    def _mail(self, parsed: EmailMessage, to: str) -> Mail:
        text, html = _part(parsed, "plain"), _part(parsed, "html")
        return Mail(
            id=self._state.next_id(),
            at=self._state.clock(),
            sender=str(parsed.get("From", "")),
            to=to,
            subject=str(parsed.get("Subject", "")),
            text=text,
            html=html,
            links=tuple(dict.fromkeys([*_hrefs(html), *URL.findall(text)])),
            unsubscribe=_first_url(str(parsed.get("List-Unsubscribe", ""))),
        )


def _part(parsed: EmailMessage, kind: str) -> str:
    body = parsed.get_body((kind,))
    return str(body.get_content()) if body is not None else ""


def _first_url(text: str) -> str:
    found = re.search(r"<(https?://[^>]+)>", text)
    return found[1] if found else ""


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.hrefs: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href") if tag == "a" else None
        if href and href.startswith(("http://", "https://")):
            self.hrefs.append(href)


def _hrefs(html: str) -> list[str]:
    links = _Links()
    links.feed(html)
    return links.hrefs
