"""What every request passes first: limits, a request id, security headers, one line in the log.

It is plain ASGI: layers of middleware cost more than a learning rate.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Callable

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sgdr_service.problems import problem
from sgdr_service.root_path import own_path
from sgdr_service.settings import Settings

LONGEST_QUERY = 8192
"""Bytes."""
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
STRICT_POLICY = b"default-src 'none'; frame-ancestors 'none'"
"""Content-Security-Policy of data: a browser is to do nothing with it."""
PAGE_POLICY = (
    b"default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    b"script-src 'self' 'unsafe-inline'; frame-ancestors 'none'"
)
"""Content-Security-Policy of the pages of documentation, whose scripts come from here alone."""
DASHBOARD_POLICY = (
    b"default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
    b"font-src 'self' data:; script-src 'self' 'unsafe-inline' 'unsafe-eval'; connect-src 'self'; "
    b"worker-src 'self' blob:; form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy of the dashboard, whose framework makes functions of text. No script, and no
request, leaves this origin."""
POLICIES = {"/docs": PAGE_POLICY, "/redoc": PAGE_POLICY, "/dashboard": DASHBOARD_POLICY}
"""The Content-Security-Policy of each page, by the beginning of its path."""
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"))
"""The methods that are counted by name: clients can make up any number of others."""

log = logging.getLogger("service.access")

Observe = Callable[[str, str, int, float], None]
"""Told the method, the route, the status and the seconds of every request."""


class Edge:
    """The middleware."""

    def __init__(self, app: ASGIApp, settings: Settings, observe: Observe) -> None:
        self._app, self._observe = app, observe
        self._most = settings.max_body_bytes
        self._hosts = frozenset(settings.hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or hands it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        request = _Request(scope, receive, send, self._most)
        try:
            refused = self._refusal(scope, request.headers)
            if refused is not None:
                await problem(scope, *refused)(scope, receive, request.send)
            else:
                await self._app(scope, request.receive, request.send)
        except Exception:
            log.exception("internal error", extra={"request_id": scope["request_id"], "path": scope["path"]})
            if request.status:
                raise  # too late to say so: the connection is cut
            detail = "internal error; the service's log has it under this request_id"
            await problem(scope, 500, detail)(scope, receive, request.send)
        finally:
            seconds = time.perf_counter() - began
            route = getattr(scope.get("route"), "path", "none")
            method = scope["method"] if scope["method"] in METHODS else "other"
            self._observe(method, route, request.status, seconds)
            if log.isEnabledFor(logging.INFO):
                log.info(
                    "request",
                    extra={
                        "request_id": scope["request_id"],
                        "method": scope["method"],
                        "path": scope["path"],
                        "status": request.status,
                        "ms": round(1000 * seconds, 3),
                        "client": scope["client"][0] if scope.get("client") else None,
                    },
                )

    def _refusal(self, scope: Scope, headers: dict[bytes, bytes]) -> tuple[int, str] | None:
        """A status and why, for what is not even looked at."""
        if len(scope["query_string"]) > LONGEST_QUERY:
            return (
                414,
                f"the query is longer than {LONGEST_QUERY:,} bytes; send long lists in a body, by POST",
            )
        if self._hosts:
            host = headers.get(b"host", b"").decode("latin-1")
            if host_name(host) not in self._hosts:
                return 421, "this service does not answer to that Host; set SGDR_ALLOWED_HOSTS to allow it"
        length = headers.get(b"content-length")
        if length is not None and length.isdigit() and int(length[:20]) > self._most:
            return 413, f"the body is longer than {self._most:,} bytes"
        return None


class _Request:
    """One request as it comes in, and its answer as it goes out."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, most: int) -> None:
        self._scope, self._receive, self._send, self._most = scope, receive, send, most
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.status = 0
        self._path = own_path(scope)  # routes change the scope
        self._received = 0
        asked = self.headers.get(b"x-request-id", b"")
        self._id = asked if _REQUEST_ID.fullmatch(asked) else secrets.token_hex(8).encode()
        scope["request_id"] = self._id.decode()

    async def receive(self) -> Message:
        """Counts the bytes of a body that does not say its length, or lies."""
        message = await self._receive()
        if message["type"] == "http.request":
            self._received += len(message.get("body", b""))
            if self._received > self._most:
                raise HTTPException(413, f"the body is longer than {self._most:,} bytes")
        return message

    async def send(self, message: Message) -> None:
        """Adds the headers that every answer has."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            policies = (policy for start, policy in POLICIES.items() if self._path.startswith(start))
            message["headers"] = [
                *message["headers"],
                *SECURITY_HEADERS,
                (b"content-security-policy", next(policies, STRICT_POLICY)),
                (b"x-request-id", self._id),
            ]
            if not any(name == b"cache-control" for name, _ in message["headers"]):
                message["headers"].append((b"cache-control", b"no-store"))
        await self._send(message)


def host_name(host: str) -> str:
    """The name in a Host header, without its port."""
    host = host.lower()
    return host if host.endswith("]") else host.rpartition(":")[0] or host
