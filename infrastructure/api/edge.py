"""The outermost layer: names each request, hardens each reply, and lets no exception out."""

import logging
from collections.abc import Callable
from typing import Final
from uuid import UUID

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain.errors import DomainError
from infrastructure.api.attempts import refused
from infrastructure.api.problems import InternalError

CORRELATION: Final = "stratal.correlation_id"
"""Where the id of a request lies in its scope."""

_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}

_log = logging.getLogger("stratal.api")


def correlation_of(scope: Scope) -> UUID:
    """The id that names the request in the log, the trail and every problem."""
    found: UUID = scope[CORRELATION]
    return found


class Edge:
    """ASGI middleware around everything else."""

    def __init__(self, app: ASGIApp, ids: Callable[[], UUID]) -> None:
        self._app, self._ids = app, ids

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; what goes wrong before the reply has begun becomes a problem."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        correlation_id = scope[CORRELATION] = self._correlation(scope)
        started = False

        async def hardened(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers["X-Correlation-Id"] = str(correlation_id)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, hardened)
        except Exception as error:
            refusal = error if isinstance(error, DomainError) else None
            if started or refusal is None:
                _log.exception("%s %s failed (%s)", scope["method"], scope["path"], correlation_id)
            if started:  # only a connection that is cut tells that this is not the whole reply
                raise
            reply = refused(scope, refusal or InternalError(), correlation_id)
            await reply(scope, receive, hardened)

    def _correlation(self, scope: Scope) -> UUID:
        try:
            return UUID(Headers(scope=scope).get("X-Correlation-Id", ""))
        except ValueError:
            return self._ids()
