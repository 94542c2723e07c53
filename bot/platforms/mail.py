"""Letters to prospects, over SMTP."""

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from email.utils import format_datetime, parseaddr
from typing import Any

import aiosmtplib

from bot.config import Mail
from cards.limits import clean, plain
from store.domain.errors import ConfigError, Later, LeadbotError, Undeliverable
from store.outbox import Due

UNSUBSCRIBE = "List-Unsubscribe"
URL_CHARS = 900  # a line of a mail ends at 998 (RFC 5322)
TIMEOUT = 20.0  # seconds, for each step of the conversation with the server
ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}")
LOGIN_CODES = frozenset({530, 534, 535, 538})
"""The server does not accept our login: repaired in the configuration, not by giving up."""

NOT_THE_LETTER = (
    aiosmtplib.SMTPConnectError,
    aiosmtplib.SMTPHeloError,
    aiosmtplib.SMTPAuthenticationError,
)
"""Refused before a letter was mentioned: every other letter would be, too."""


class Policy(EmailPolicy):
    """Writes the unsubscribe link as it is.

    Python folds a long word of a header into encoded pieces; inside angle
    brackets no mail client decodes them, and the link would be dead.
    """

    def fold(self, name: str, value: str) -> str:
        return f"{name}: {value}\r\n" if name == UNSUBSCRIBE else super().fold(name, value)

    def fold_binary(self, name: str, value: str) -> bytes:
        if name == UNSUBSCRIBE:
            return self.fold(name, value).encode("ascii")
        return super().fold_binary(name, value)


POLICY = (Policy() + SMTP).clone(cte_type="7bit")


class MailSender:
    """Sends what ``cards.mail.render_mail`` or ``cards.alarms.letter`` wrote. Texts of errors name no address.

    Raises ConfigError when ``[mail] from`` is not an address.
    """

    def __init__(
        self, settings: Mail, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._settings = settings
        self._now = now
        self._sender = _mailbox(settings.sender)

    async def show(self, due: Due) -> dict[str, Any] | None:
        """Send the letter; its Message-ID is the reference. A letter already sent stays as it is.

        Raises Later (the server is away, busy or refuses our login) and
        Undeliverable (it will never take this letter).
        """
        if due.ref is not None and not due.ring:
            return due.ref
        letter = self._letter(due)
        try:
            await self._send(letter, due.account)
        except (aiosmtplib.SMTPException, OSError) as error:
            raise _outcome(error) from None  # the original names the mailbox
        return {"message_id": letter["Message-ID"]}

    def _letter(self, due: Due) -> EmailMessage:
        payload = due.payload
        letter = EmailMessage(policy=POLICY)
        letter["From"] = self._sender
        letter["To"] = _recipient(due.account)
        letter["Subject"] = plain(payload["subject"])
        letter["Date"] = format_datetime(self._now())
        letter["Message-ID"] = message_id(due.key, self._sender.domain)
        if "unsubscribe" in payload:  # the admin's alarms are no advertisement
            letter[UNSUBSCRIBE] = f"<{_url(payload['unsubscribe'])}>"
            letter["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058
        letter.set_content(clean(payload["text"]))
        if "html" in payload:
            letter.add_alternative(clean(payload["html"]), subtype="html")
        return letter

    async def _send(self, letter: EmailMessage, account: str) -> None:
        settings = self._settings
        await aiosmtplib.send(
            letter.as_bytes(),  # a message object would be folded by aiosmtplib's own policy
            sender=self._sender.addr_spec,
            recipients=[account],
            hostname=settings.host,
            port=settings.port,
            username=settings.username or None,
            password=settings.password.get_secret_value() or None,
            use_tls=settings.tls == "tls",
            start_tls=settings.tls == "starttls",
            timeout=TIMEOUT,
        )


def message_id(key: str, domain: str) -> str:
    """The same for the same outbox row, so that a letter sent twice is recognised as one."""
    return f"<{hashlib.sha256(key.encode()).hexdigest()[:32]}@{domain}>"


def _mailbox(sender: str) -> Address:
    name, address = parseaddr(sender)
    found = _address(address, plain(name))
    if found is None:
        raise ConfigError(["[mail] from: write an address, or 名字 <name@example.com>"])
    return found


def _recipient(account: str) -> Address:
    found = _address(account)
    if found is None:
        raise Undeliverable("this is not a mail address")
    return found


def _address(spec: str, name: str = "") -> Address | None:
    local, _, domain = spec.rpartition("@")
    return Address(name, local, domain) if ADDRESS.fullmatch(spec) else None


def _url(url: str) -> str:
    """``url`` without what would end the header, or the angle brackets around it."""
    return re.sub(r"[^!-;=?-~]", "", url)[:URL_CHARS]


def _outcome(error: Exception) -> LeadbotError:
    code = _code(error)
    if code is None:
        return Later(f"the mail server cannot be reached: {type(error).__name__}")
    if 500 <= code < 600 and code not in LOGIN_CODES and not isinstance(error, NOT_THE_LETTER):
        return Undeliverable(f"the mail server refuses this letter: SMTP {code}")
    return Later(f"the mail server cannot take it now: SMTP {code}")


def _code(error: Exception) -> int | None:
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return error.recipients[0].code
    return error.code if isinstance(error, aiosmtplib.SMTPResponseException) else None
