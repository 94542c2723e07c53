"""Pictures on their way to WeCom and from it."""

import base64
import io
from typing import Any

import segno

from bot.platforms.wecom.client import Upload, WeComClient
from store.domain.errors import Later

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
LARGEST = 1 << 20
"""Bytes of a QR code's picture; real ones have a few thousand."""
SCALE, BORDER = 10, 4  # pixels of a module, modules of the quiet zone that readers need


async def uploaded(client: WeComClient, payload: dict[str, Any]) -> dict[str, Any]:
    """``{"png": base64}`` as an image message. A media_id lives three days (D:90253): not kept.

    Raises as ``client.call`` does.
    """
    png = base64.b64decode(payload["png"])
    file = Upload("code.png", "image/png", png)
    answer = await client.call("media/upload", file, {"type": "image"})
    return {"msgtype": "image", "image": {"media_id": answer["media_id"]}}


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
