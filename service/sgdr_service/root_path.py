"""The path below which the service stands on its host, when a proxy hands on one part of a site to it."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send


class RootPath:
    """The middleware that tells an app below which path browsers see it.

    ASGI wants this path at the beginning of every other one. Some proxies leave it there and others strip it,
    so it is added where it lacks; those who ask without a proxy are thus answered too.
    """

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self._app, self._root = app, root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands on the request."""
        if scope["type"] in ("http", "websocket"):
            scope["root_path"] = self._root
            path = scope["path"]
            if path == self._root:
                scope["path"] = f"{path}/"
            elif not path.startswith(f"{self._root}/"):
                scope["path"] = self._root + path
                if scope.get("raw_path") is not None:
                    scope["raw_path"] = self._root.encode() + scope["raw_path"]
        await self._app(scope, receive, send)


def own_path(scope: Scope) -> str:
    """The path as the app's routes have it, before any of them has taken a part of it."""
    path: str = scope.get("path", "")
    return path.removeprefix(scope.get("root_path", ""))


def address(scope: Scope, path: str) -> str:
    """The path of one of the app's routes as browsers see it."""
    return f"{scope.get('root_path', '')}{path}"
