"""Errors of the API as ``application/problem+json`` (RFC 9457)."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import web


def problem(
    status: int,
    detail: str,
    fields: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """``fields``: what is wrong with each field, by name."""
    body: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if fields:
        body["errors"] = [{"field": name, "detail": why} for name, why in fields.items()]
    return web.Response(
        status=status,
        text=json.dumps(body, ensure_ascii=False),
        content_type="application/problem+json",
        headers=headers,
    )


async def as_problems(request: web.Request, handler: Any, most: int) -> web.StreamResponse:
    """What ``handler`` answers; whatever goes wrong is told as a problem document.

    ``most``: the bytes that a body may have.
    """
    try:
        return await handler(request)  # type: ignore[no-any-return]
    except web.HTTPRequestEntityTooLarge:
        return problem(413, f"太大了，最多 {most} 字节")
    except web.RequestPayloadError:
        return problem(400, "正文没有收全")
    except web.HTTPException as error:
        if error.status < 400:
            raise
        allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
        return problem(error.status, error.reason, headers=allow)


def strict_json(body: bytes) -> Any:
    """The value of a body. Raises ValueError, also for NaN and Infinity, and RecursionError."""
    return json.loads(body, parse_constant=_no_constant)


def _no_constant(text: str) -> None:
    raise ValueError(text)
