"""What a message is called on a platform: its key, and what tells two sendings apart."""

import re
from hashlib import sha256

from store.outbox import Due


def named(key: str, nonce: str, most: int) -> str:
    """``lead:42/7`` is ``lead_42@7-`` and ``nonce`` (hex), at most ``most`` bytes of 0-9A-Za-z_@-.

    Every other character is written ``-`` and two hex digits per byte of UTF-8; what
    does not fit of the key is cut.
    """
    plain = re.sub(r"[^0-9A-Za-z:/]", _escaped, key).replace(":", "_").replace("/", "@")
    return f"{plain[: most - len(nonce) - 1]}-{nonce}"


def nonce(due: Due, also: str = "") -> str:
    """Twelve hex digits, the same for every try of one payload and for no other.

    So a try whose answer was lost is recognised by the platform when it is repeated.
    """
    at = due.put_at.isoformat() if due.put_at else ""
    return sha256(f"{at}#{due.version}{also}".encode()).hexdigest()[:12]


def _escaped(match: re.Match[str]) -> str:
    return "".join(f"-{byte:02x}" for byte in match[0].encode("utf-8", "replace"))


def key_of(name: str) -> str:
    """The key ``name`` was made for; a key of nobody for a foreign or a shortened one."""
    plain = name.rpartition("-")[0].replace("_", ":").replace("@", "/").encode()
    raw = re.sub(rb"-([0-9a-f]{2})", lambda match: bytes.fromhex(match[1].decode()), plain)
    return raw.decode("utf-8", "replace")
