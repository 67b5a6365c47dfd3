"""Answers that depend on the request alone: they may be kept for ever."""

from __future__ import annotations

from hashlib import blake2b

from fastapi import Request, Response

FOREVER = "public, max-age=31536000, immutable"


def pure(request: Request, body: bytes) -> Response:
    """The JSON `body` with a strong ETag, or 304 where the client has it already."""
    tag = f'"{blake2b(body, digest_size=12).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": FOREVER}
    known = request.headers.get("if-none-match")
    if known is not None and _matches(known, tag):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")


def _matches(known: str, tag: str) -> bool:
    """RFC 9110, 13.1.2: a list of tags, weak ones too, or any."""
    return known.strip() == "*" or tag in (part.strip().removeprefix("W/") for part in known.split(","))
