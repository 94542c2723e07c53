"""Pictures on their way to WeCom and from it."""

import io
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import segno

from bot.platforms.wecom.client import Upload, WeComClient
from store.domain.errors import Later

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
LARGEST = 1 << 20
"""Bytes of a QR code's picture; real ones have a few thousand."""
MEDIA_LIFE = timedelta(days=2, hours=12)  # three days, less what a message may wait
SCALE, BORDER = 10, 4  # pixels of a module, modules of the quiet zone that readers need


@dataclass(frozen=True, slots=True)
class Uploads:
    """What WeCom has of ours: a media_id lives three days (D:90253).

    The same picture has the same id, so that a message whose answer was lost is the
    same request when it is sent again.
    """

    kept: dict[str, tuple[str, datetime]] = field(default_factory=dict)

    async def message(self, client: WeComClient, png: bytes, now: datetime) -> dict[str, Any]:
        """``png`` as an image message. Raises as ``client.call`` does."""
        name = sha256(png).hexdigest()
        for old in [old for old, (_, until) in self.kept.items() if until <= now]:
            del self.kept[old]
        if name not in self.kept:
            file = Upload("code.png", "image/png", png)
            answer = await client.call("media/upload", file, {"type": "image"})
            self.kept[name] = str(answer["media_id"]), now + MEDIA_LIFE
        return {"msgtype": "image", "image": {"media_id": self.kept[name][0]}}

    def forget(self, png: bytes) -> None:
        """WeCom does not know it any more."""
        self.kept.pop(sha256(png).hexdigest(), None)


async def fetched(client: WeComClient, url: str) -> bytes:
    """The picture at ``url``, as WeCom gave it out. Raises Later when there is none (yet)."""
    raw = await client.download(url, LARGEST)
    if not raw.startswith((PNG, JPEG)):
        raise Later("a QR code that is not a picture")
    return raw


def drawn(text: str) -> bytes:
    """A QR code that says ``text``, as PNG."""
    out = io.BytesIO()
    segno.make(text, micro=False).save(out, kind="png", scale=SCALE, border=BORDER)
    return out.getvalue()
