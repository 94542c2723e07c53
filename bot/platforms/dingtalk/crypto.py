"""
Signatures and ciphertexts of DingTalk; the only module that knows dingtalk-sdk.

The library is used for AES and for the signature's recipe. What it leaves out is
done here: comparing in constant time, checking the padding, and a random prefix
nobody can guess.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from store.domain.errors import BadCallback

if TYPE_CHECKING:
    from collections.abc import Iterator

SKEW = timedelta(hours=1)  # an older robot message is a replay (D:receive-message)
BLOCK = 32  # DingTalk pads to 32 bytes; its own Go sample pads to 16, which reads the same


class DingTalkCrypto:
    """Reads and answers the encrypted event pushes (D:http-callback-overview).

    ``owner_key`` is the app's client id for a subscription made in the console,
    the corp id for one made by API. Raises ValueError for a key that is not the
    43 characters of the console.
    """

    def __init__(self, token: str, encoding_aes_key: str, owner_key: str) -> None:
        # Imported here: it takes half a second and drags in requests, and stream
        # mode, the usual one, never needs it.
        from dingtalk.core.utils import DingTalkSigner  # noqa: PLC0415
        from dingtalk.crypto import PrpCrypto  # noqa: PLC0415

        self._aes: Any = PrpCrypto(_key(encoding_aes_key))
        # The library's own prefix is 16 letters from a guessable generator.
        self._aes.get_random_string = lambda: secrets.token_hex(8)
        self._signer: Any = DingTalkSigner
        self._token = token
        self._owner_key = owner_key

    def decrypt(self, query: Mapping[str, str], encrypt: str) -> str:
        """The plain text of ``encrypt``. The signature is checked first, in constant time.

        ``query`` may spell its keys ``msg_signature`` or ``signature``, and
        ``timestamp`` or ``timeStamp``. Raises BadCallback.
        """
        with _refusing():
            given = query.get("msg_signature") or query.get("signature") or ""
            wanted = self._sign(_timestamp(query), query.get("nonce", ""), encrypt)
            if not same(given, wanted):
                raise BadCallback("wrong signature", 401)
            return self._open(encrypt)

    def reply(self, text: str = "success", *, timestamp: str, nonce: str) -> dict[str, str]:
        """The body that acknowledges a push; anything but ``success`` counts as a failure."""
        encrypt = self._aes.encrypt(text, self._owner_key).decode()
        return {
            "msg_signature": self._sign(timestamp, nonce, encrypt),
            "timeStamp": timestamp,
            "nonce": nonce,
            "encrypt": encrypt,
        }

    def answer(self, query: Mapping[str, str]) -> dict[str, str]:
        """``reply()`` under the timestamp and nonce the push came with."""
        return self.reply(timestamp=_timestamp(query), nonce=query.get("nonce", ""))

    def _sign(self, *parts: str) -> str:
        signer = self._signer()
        signer.add_data(self._token, *parts)
        return str(signer.signature)

    def _open(self, encrypt: str) -> str:
        padding = self._aes.cipher.decrypt(base64.b64decode(encrypt, validate=True))[-1]
        if not 1 <= padding <= BLOCK:
            raise BadCallback("wrong padding")
        return str(self._aes.decrypt(encrypt, self._owner_key))


def robot_sign(secret: str, timestamp_ms: str | int) -> str:
    """The base64 signature of robot messages in both directions (D:receive-message)."""
    message = f"{timestamp_ms}\n{secret}".encode()
    return base64.b64encode(hmac.digest(secret.encode(), message, hashlib.sha256)).decode()


def signed(secret: str, now: datetime) -> dict[str, str]:
    """What a group robot with a secret wants in its address; nothing for one without."""
    timestamp = str(int(now.timestamp() * 1000))
    return {"timestamp": timestamp, "sign": robot_sign(secret, timestamp)} if secret else {}


def check_robot(headers: Mapping[str, str], secret: str, now: datetime) -> None:
    """Check the ``timestamp`` (ms) and ``sign`` headers of a robot message sent over HTTP.

    The body is not covered by the signature. Raises BadCallback: 401 for a wrong
    signature, 400 for one that is more than an hour old or ahead.
    """
    with _refusing():
        timestamp = headers.get("timestamp", "")
        if not same(headers.get("sign", ""), robot_sign(secret, timestamp)):
            raise BadCallback("wrong signature", 401)
        _check_time(timestamp, now)


def card_secret(client_secret: str) -> str:
    """The secret that card callbacks over HTTP are signed with: ours to choose, so derived."""
    return hmac.digest(client_secret.encode(), b"leadbot card callbacks", hashlib.sha256).hex()


def card_sign(secret: str, timestamp_ms: str) -> str:
    """The ``x-ddpaas-signature`` of a card callback (D:register-card-callback-address)."""
    digest = hmac.digest(secret.encode(), timestamp_ms.encode(errors="replace"), hashlib.sha256)
    return base64.b64encode(digest).decode()


def check_card(headers: Mapping[str, str], secret: str, now: datetime) -> None:
    """As ``check_robot``, for the headers of a card callback; they do not cover the body either."""
    with _refusing():
        timestamp = headers.get("x-ddpaas-signature-timestamp", "")
        if not same(headers.get("x-ddpaas-signature", ""), card_sign(secret, timestamp)):
            raise BadCallback("wrong signature", 401)
        _check_time(timestamp, now)


def same(given: str, wanted: str) -> bool:
    """Whether two signatures are equal, in constant time and for any text."""
    return hmac.compare_digest(given.encode(errors="replace"), wanted.encode())


def _check_time(timestamp_ms: str, now: datetime) -> None:
    if abs(now.timestamp() * 1000 - int(timestamp_ms)) > SKEW.total_seconds() * 1000:
        raise BadCallback("signature out of time")


def _key(encoding_aes_key: str) -> bytes:
    key = base64.b64decode(encoding_aes_key + "=", validate=True)
    if len(key) != 32:
        raise ValueError("copy the 43 letters and digits from the console")
    return key


def _timestamp(query: Mapping[str, str]) -> str:
    return query.get("timestamp") or query.get("timeStamp") or ""


@contextmanager
def _refusing() -> "Iterator[None]":
    """Whatever strange input makes the libraries raise, the caller hears BadCallback."""
    try:
        yield
    except BadCallback:
        raise
    except Exception as error:  # noqa: BLE001 -- that is what it is for
        raise BadCallback(f"unreadable: {type(error).__name__}") from None
