import asyncio
import email
import socket
import ssl
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.policy import default

import pytest
from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bot.config import Mail
from bot.platforms.mail import MailSender, message_id
from cards.mail import render_mail
from store.domain.errors import ConfigError, Later, Undeliverable
from store.domain.team import Channel
from store.outbox import Due

WANG = "wang@example.com"
LEAVE = "https://leads.example.com/u/" + "t0ken_-" * 24
LETTER = render_mail(
    "brand",
    name="王五",
    product="CRM 企业版",
    company="明远精密",
    link="https://leads.example.com/t/abc",
    unsubscribe=LEAVE,
)


class Mailbox:
    """What arrived, and what the server answers: ``at`` rcpt or data, with ``reply``."""

    def __init__(self):
        self.letters, self.envelopes, self.replies = [], [], {}

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):  # noqa: N802
        envelope.rcpt_tos.append(address)
        return self.replies.get("rcpt", "250 OK")

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        self.envelopes.append(envelope)
        self.letters.append(email.message_from_bytes(envelope.content, policy=default))
        return self.replies.get("data", "250 OK")


@pytest.fixture
def mailbox():
    return Mailbox()


@pytest.fixture
async def port(mailbox):
    async with serving(mailbox) as port:
        yield port


@asynccontextmanager
async def serving(mailbox, **how):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(mailbox, loop=loop, **how), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


@pytest.fixture
def sender(port):
    return sender_to(port)


def sender_to(port, **settings):
    settings = {"host": "127.0.0.1", "from": "明远销售 <hello@example.com>"} | settings
    return MailSender(Mail(port=port, **settings))


def due(account=WANG, payload=LETTER, key="journey:42/brand", **other):
    how = {"version": 1, "attempts": 0, "ring": False, "ref": None} | other
    return Due(key=key, channel=Channel.MAIL, account=account, payload=payload, **how)


async def test_a_letter_arrives_as_text_and_html(sender, mailbox):
    ref = await sender.show(due())

    letter = mailbox.letters[0]
    assert letter.get_content_type() == "multipart/alternative"
    plain, html = letter.iter_parts()
    assert plain.get_content().replace("\r\n", "\n").strip() == LETTER["text"].strip()
    assert html.get_content().replace("\r\n", "\n").strip() == LETTER["html"].strip()
    assert letter["Subject"] == "王五，先认识一下，不着急定"
    assert letter["From"].addresses[0].display_name == "明远销售"
    assert letter["To"] == WANG
    assert ref == {"message_id": letter["Message-ID"]}


async def test_a_letter_is_in_the_encoding_every_server_takes(sender, mailbox):
    await sender.show(due())

    content = mailbox.envelopes[0].content
    assert content.isascii()
    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert mailbox.envelopes[0].rcpt_tos == [WANG]
    assert mailbox.envelopes[0].mail_from == "hello@example.com"


async def test_one_press_in_the_mail_client_unsubscribes(sender, mailbox):
    await sender.show(due())

    letter = mailbox.letters[0]
    raw = mailbox.envelopes[0].content.decode()
    assert letter["List-Unsubscribe"] == f"<{LEAVE}>"
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert f"\r\nList-Unsubscribe: <{LEAVE}>\r\n" in raw


async def test_a_letter_sent_twice_is_recognised_as_one(sender, mailbox):
    await sender.show(due())
    await sender.show(due(attempts=1))
    await sender.show(due(key="journey:42/case"))

    first, again, other = (letter["Message-ID"] for letter in mailbox.letters)
    assert first == again == message_id("journey:42/brand", "example.com")
    assert other != first


async def test_a_letter_already_sent_is_left_as_it_is(sender, mailbox):
    ref = {"message_id": "<known@example.com>"}

    assert await sender.show(due(ref=ref, version=2)) == ref
    assert mailbox.letters == []


async def test_a_letter_carries_the_clock_it_was_given(port, mailbox):
    at = datetime(2026, 11, 20, 2, 30, tzinfo=UTC)
    sender = MailSender(Mail(port=port), now=lambda: at)

    await sender.show(due())

    assert mailbox.letters[0]["Date"].datetime == at


@pytest.mark.parametrize(
    "evil", ["x\r\nBcc: spy@example.com", "x\nBcc: spy@example.com", "x\u2028Bcc: a"]
)
async def test_nothing_in_a_letter_becomes_a_header(sender, mailbox, evil):
    payload = LETTER | {
        "subject": evil,
        "unsubscribe": "https://leads.example.com/u/" + evil + ">",
    }

    await sender.show(due(payload=payload, key=evil))

    letter = mailbox.letters[0]
    assert letter["Bcc"] is None
    assert letter["Subject"].startswith("x Bcc: ")
    assert letter["List-Unsubscribe"].count(">") == 1
    assert mailbox.envelopes[0].rcpt_tos == [WANG]


@pytest.mark.parametrize(
    "account",
    ["", "wang", "a@b@c", "wang@example.com\r\nRCPT TO:<spy@example.com>", "a b@example.com",
     "wang@example.com, spy@example.com", "<wang@example.com>", "王五@example.com", "\ud800@example.com"],
)  # fmt: skip
async def test_what_is_not_an_address_is_never_sent_to(sender, mailbox, account):
    with pytest.raises(Undeliverable) as error:
        await sender.show(due(account=account))

    assert "example.com" not in str(error.value)
    assert mailbox.envelopes == []


@pytest.mark.parametrize("stage", ["rcpt", "data"])
@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ("450 mailbox of wang@example.com is busy", Later),
        ("451 try again", Later),
        ("550 no such user wang@example.com", Undeliverable),
        ("554 spam", Undeliverable),
        ("530 log in first", Later),
    ],
)
async def test_the_servers_answer_decides_whether_to_try_again(
    sender, mailbox, stage, reply, kind
):
    mailbox.replies[stage] = reply

    with pytest.raises(kind) as error:
        await sender.show(due())

    assert reply[:3] in str(error.value)
    assert "wang" not in str(error.value)
    assert error.value.__suppress_context__


async def test_a_server_that_is_away_is_tried_again():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))

        with pytest.raises(Later, match="cannot be reached"):
            await sender_to(held.getsockname()[1]).show(due())


async def test_a_server_that_turns_everybody_away_is_tried_again():
    async def turn_away(reader, writer):
        writer.write(b"554 not today\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(turn_away, "127.0.0.1", 0)

    with pytest.raises(Later, match="554"):
        await sender_to(server.sockets[0].getsockname()[1]).show(due())

    server.close()
    await server.wait_closed()


async def test_a_refused_login_is_tried_again_once_it_is_repaired(mailbox):
    def check(server, session, envelope, mechanism, data):
        return AuthResult(success=data.password == b"right", handled=False)

    how = {"authenticator": check, "auth_require_tls": False}
    async with serving(mailbox, **how) as port:
        with pytest.raises(Later, match="535"):
            await sender_to(port, username="hello", password="wrong").show(due())

        await sender_to(port, username="hello", password="right").show(due())

    assert len(mailbox.letters) == 1


@pytest.fixture
def certificate(tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "server.pem"
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    private = key.private_bytes(serialization.Encoding.PEM, form, plain)
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
async def secure_port(mailbox, certificate):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    async with serving(mailbox, tls_context=context, require_starttls=True) as port:
        yield port


async def test_starttls_speaks_to_a_server_whose_certificate_is_trusted(
    secure_port, mailbox, certificate, monkeypatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    await sender_to(secure_port, host="localhost", tls="starttls").show(due())

    assert len(mailbox.letters) == 1


async def test_starttls_does_not_trust_just_any_certificate(secure_port, mailbox):
    with pytest.raises(Later):
        await sender_to(secure_port, host="localhost", tls="starttls").show(due())

    assert mailbox.letters == []


async def test_a_server_without_tls_is_not_spoken_to_in_the_clear(port, mailbox):
    with pytest.raises(Later):
        await sender_to(port, tls="starttls").show(due())

    assert mailbox.letters == []


def test_a_sender_that_is_no_address_is_a_mistake_of_the_configuration():
    with pytest.raises(ConfigError, match="from"):
        sender_to(25, **{"from": "hello"})
