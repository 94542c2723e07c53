"""
The vendors' own clients, unchanged, against the stand-ins: ``make vendors``.

They live in a virtual environment of their own (and npm's in a folder of it), run
in a process of their own, and say what they saw line by line.
"""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bot.demo import open_demo

HERE = Path(__file__).parent
HOME = HERE.parents[1] / ".venv-vendors"
PYTHON = HOME / "bin" / "python"
NODE_MODULES = HOME / "node" / "node_modules"
PATIENCE = 20.0
"""Real seconds; the clients take their time to import."""


@pytest.fixture
async def demo(tmp_path):
    async with open_demo(tmp_path) as opened:
        yield opened


@asynccontextmanager
async def client(script: str, **environment: str) -> AsyncIterator["Client"]:
    """A script of this folder under the vendors' Python, with what it needs in its environment."""
    process = await asyncio.create_subprocess_exec(
        str(PYTHON),
        str(HERE / script),
        env={"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1", **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield Client(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


class Client:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.said: list[str] = []

    async def says(self, what: str) -> str:
        """The next line with ``what`` in it; fails with all it said when there is none."""
        try:
            async with asyncio.timeout(PATIENCE):
                async for raw in self._process.stdout:
                    self.said.append(raw.decode().rstrip())
                    if what in self.said[-1]:
                        return self.said[-1]
        except TimeoutError:
            pass
        raise AssertionError(f"no {what!r} in\n" + "\n".join(self.said))


@pytest.fixture
def authority(tmp_path):
    """A certificate for 127.0.0.1 that nobody but this test trusts: (certificate, context)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return _written(tmp_path, key, certificate)


def _written(folder: Path, key, certificate) -> tuple[Path, ssl.SSLContext]:
    pem = folder / "certificate.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret = folder / "key.pem"
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, secret)
    return pem, context


@asynccontextmanager
async def listening(app: web.Application, context: ssl.SSLContext) -> AsyncIterator[int]:
    """The app behind TLS; its port."""
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
