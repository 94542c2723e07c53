"""
WeCom's callback envelope, written from the published algorithm (D:90968).

Independent of the product's own: what one side encrypts, the other has to read.
"""

import base64
import hmac
import secrets
import struct
from hashlib import sha1

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BLOCK = 32  # WeCom pads to 32 bytes although AES has blocks of 16
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


class BadEnvelope(Exception):
    """The signature, the padding or the receiver is wrong."""


def new_key() -> str:
    """43 letters and digits that hold 32 bytes, as the console makes them."""
    while True:
        key = base64.b64encode(secrets.token_bytes(32)).decode()[:43]
        if set(key) <= set(LETTERS):
            return key


class Envelope:
    """Encrypts and signs for one receiver. ``receive_id`` is the corp id for an own app."""

    def __init__(self, token: str, aes_key: str, receive_id: str) -> None:
        self._token = token
        self._key = base64.b64decode(aes_key + "=")
        self._receive_id = receive_id.encode()

    def sign(self, timestamp: str, nonce: str, encrypted: str) -> str:
        parts = sorted([self._token, timestamp, nonce, encrypted])
        return sha1("".join(parts).encode()).hexdigest()  # noqa: S324 - the platform's choice

    def encrypt(self, message: str, random: bytes | None = None) -> str:
        text = message.encode()
        head = (random or secrets.token_bytes(16)) + struct.pack(">I", len(text))
        plain = head + text + self._receive_id
        pad = BLOCK - len(plain) % BLOCK
        cipher = self._cipher().encryptor()
        return base64.b64encode(cipher.update(plain + bytes([pad]) * pad)).decode()

    def decrypt(self, encrypted: str) -> str:
        """Raises BadEnvelope when it was not made for this receiver with this key."""
        try:
            plain = self._cipher().decryptor().update(base64.b64decode(encrypted, validate=True))
            body = plain[16 : -_padding(plain)]
            (length,) = struct.unpack(">I", body[:4])
            text, receive_id = body[4 : 4 + length].decode(), body[4 + length :]
        except (ValueError, struct.error, IndexError) as error:
            raise BadEnvelope("cannot be decrypted") from error
        if receive_id != self._receive_id:
            raise BadEnvelope("made for somebody else")
        return text

    def open(self, signature: str, timestamp: str, nonce: str, encrypted: str) -> str:
        """Check the signature, then decrypt. Raises BadEnvelope."""
        if not hmac.compare_digest(self.sign(timestamp, nonce, encrypted), signature):
            raise BadEnvelope("the signature does not match")
        return self.decrypt(encrypted)

    def _cipher(self) -> Cipher[modes.CBC]:
        return Cipher(algorithms.AES(self._key), modes.CBC(self._key[:16]))


def _padding(plain: bytes) -> int:
    pad = plain[-1]
    if not 1 <= pad <= BLOCK or plain[-pad:] != bytes([pad]) * pad:
        raise ValueError("bad padding")
    return pad
