"""E-mail addresses: read from a cell or a form, compared, and hidden."""

import re
import unicodedata

from store.domain.names import clean

LIMIT = 254  # RFC 5321, a path without its brackets
_ROLE = re.compile(
    "admin|contact|office|info|sales|service|support|hello|hr|help|marketing|mail|webmaster"
)
_LOCAL = r"[^\s@\"'(),:;<>\[\]\\.]+(?:\.[^\s@\"'(),:;<>\[\]\\.]+)*"
_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_ADDRESS = re.compile(rf"({_LOCAL})@((?:{_LABEL}\.)+[^\W\d_][\w-]*)")


def read_email(text: str) -> str | None:
    """The address in lower case, or None when it is none; ``Name <a@b.cn>`` and ``mailto:`` are read."""
    text = unicodedata.normalize("NFKC", clean(text)).lower().strip(" '\"")
    if named := re.search(r"<([^<>]+)>$", text):
        text = named[1]
    text = text.removeprefix("mailto:").strip()
    found = _ADDRESS.fullmatch(text)
    if not found or len(text) > LIMIT or len(found[1]) > 64:
        return None
    return text


def all_emails(text: str) -> list[str]:
    """Every address of a cell once, in order: ``a@x.cn; b@x.cn``.

    None when it holds anything else: of ``zhang san@x.cn`` nobody knows what was meant.
    """
    plain = unicodedata.normalize("NFKC", clean(text, lines=True))
    plain = re.sub(r"[^\S\n]*@[^\S\n]*", "@", plain)
    found = [read_email(piece) for piece in re.split(r"[;,、/|\s]+", plain) if piece]
    return list(dict.fromkeys(one for one in found if one)) if all(found) else []


def mailbox(email: str) -> str:
    """The address without its tag: mail to ``a+shop@x.cn`` arrives at ``a@x.cn``."""
    local, _, domain = email.partition("@")
    return f"{local.partition('+')[0] or local}@{domain}"


def is_role(email: str) -> bool:
    """Whether several people read it: ``info@``, ``sales@``."""
    return bool(_ROLE.fullmatch(email.partition("@")[0]))


def masked_email(email: str) -> str:
    local, _, domain = email.partition("@")
    return f"{local[:1]}***@{domain}"
