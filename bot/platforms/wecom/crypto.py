"""
WeCom's signature and AES. The only module that knows wechatpy.

wechatpy is unmaintained and compares signatures with ``!=``, does not look at
the padding and raises whatever breaks: here the order is arguments, signature
in constant time, padding, content, and every failure is a BadCallback.
"""

import base64
import hmac
import re
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Protocol

from wechatpy.enterprise.crypto import PrpCrypto
from wechatpy.enterprise.exceptions import InvalidCorpIdException
from wechatpy.utils import WeChatSigner

from store.domain.errors import BadCallback, ConfigError

BLOCK = 32  # bytes; PKCS#7 to the AES key's length, not to AES's own 16 (D:90968)
REPLY = (
    "<xml><Encrypt><![CDATA[{encrypt}]]></Encrypt>"
    "<MsgSignature><![CDATA[{signature}]]></MsgSignature>"
    "<TimeStamp>{timestamp}</TimeStamp><Nonce><![CDATA[{nonce}]]></Nonce></xml>"
)

Query = Mapping[str, str]


def _now() -> datetime:
    return datetime.now(UTC)


def _random() -> bytes:
    return secrets.token_bytes(16)


class WeComCrypto:
    """Token and EncodingAESKey of one callback URL.

    ``receive_id`` is the corp id for an own app, "" for an AI bot (D:90968).
    ``random`` gives the 16 bytes in front of every plaintext.

    No time window is imposed on ``timestamp``: whether a retry keeps the old one is not
    documented, and refusing it would lose the message. Replays are harmless because the
    inbox takes every id once.
    """

    def __init__(
        self,
        token: str,
        encoding_aes_key: str,
        receive_id: str,
        *,
        random: Callable[[], bytes] = _random,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self._token = token
        self._receive_id = receive_id
        self._clock = clock
        self._aes = PrpCrypto(_aes_key(encoding_aes_key))
        self._aes.get_random_string = random
        self._aes.cipher = _Checked(self._aes.cipher)

    def verify_url(self, query: Query) -> str:
        """The text to answer a GET with: nothing around it, within 1 s (D:90930).

        Raises BadCallback, 401 for a wrong signature, 400 for everything else.
        """
        return self.decrypt(query, query.get("echostr", ""))

    def decrypt(self, query: Query, encrypt: str) -> str:
        """What ``encrypt`` says, if ``query`` signs it. Raises BadCallback like verify_url."""
        self._check(query, encrypt)
        try:
            return str(self._aes.decrypt(encrypt, self._receive_id))
        except InvalidCorpIdException:
            raise BadCallback("encrypted for another receive id") from None
        except Exception:  # noqa: BLE001 -- wechatpy raises struct.error, IndexError, ValueError …
            # Not chained: the cause holds what was decrypted so far.
            raise BadCallback("cannot be decrypted") from None

    def _check(self, query: Query, encrypt: str) -> None:
        names = ("msg_signature", "timestamp", "nonce")
        given, timestamp, nonce = (query.get(name, "") for name in names)
        if not (given and timestamp and nonce and encrypt):
            raise BadCallback("msg_signature, timestamp, nonce or the ciphertext is missing")
        try:
            same = hmac.compare_digest(
                self.sign(timestamp, nonce, encrypt).encode(), given.encode()
            )
        except UnicodeEncodeError:
            raise BadCallback("not text") from None
        if not same:
            raise BadCallback("wrong signature", status=401)

    def sign(self, timestamp: str, nonce: str, encrypt: str) -> str:
        """SHA-1 of the four values in order, in lower-case hex (D:90968)."""
        signer = WeChatSigner()
        signer.add_data(self._token, timestamp, nonce, encrypt)
        return str(signer.signature)

    def encrypt(self, text: str) -> str:
        """``text`` for the receive id, in base64."""
        return bytes(self._aes.encrypt(text, self._receive_id)).decode()

    def encrypt_reply(self, xml: str) -> str:
        """The signed envelope that answers a callback (D:90241)."""
        encrypt, nonce = self.encrypt(xml), secrets.token_hex(8)
        timestamp = str(int(self._clock().timestamp()))
        signature = self.sign(timestamp, nonce, encrypt)
        return REPLY.format(encrypt=encrypt, signature=signature, timestamp=timestamp, nonce=nonce)


def _aes_key(encoding_aes_key: str) -> bytes:
    if not re.fullmatch(r"[A-Za-z0-9+/]{43}", encoding_aes_key):
        raise ConfigError(["encoding_aes_key: copy the 43 letters and digits from the console"])
    return base64.b64decode(encoding_aes_key + "=")  # the two spare bits may be anything


class _Cipher(Protocol):
    def encrypt(self, plain: bytes, /) -> bytes: ...
    def decrypt(self, ciphertext: bytes, /) -> bytes: ...


class _Checked:
    """wechatpy's cipher; what it decrypts must end in whole, honest padding."""

    def __init__(self, cipher: _Cipher) -> None:
        self._cipher = cipher

    def encrypt(self, plain: bytes) -> bytes:
        return self._cipher.encrypt(plain)

    def decrypt(self, ciphertext: bytes) -> bytes:
        plain = self._cipher.decrypt(ciphertext)
        pad = plain[-1] if plain else 0
        if len(plain) % BLOCK or not 1 <= pad <= BLOCK or not plain.endswith(bytes([pad]) * pad):
            raise ValueError("padding")
        return plain
