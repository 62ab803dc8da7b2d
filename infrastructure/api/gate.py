"""The layer that knows who asks: whoever it does not know gets no further, whatever they sent."""

import logging
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from domain.access.errors import KeyIsRefused
from infrastructure.api.callers import Callers, admit
from infrastructure.api.edge import correlation_of
from infrastructure.api.rates import Rates

_OPEN: Final = frozenset({"/healthz", "/readyz", "/docs"})
_OPEN_BELOW: Final = "/problems/"
"""What tells nothing of any tenant: for load balancers, and for whoever was refused."""

_log = logging.getLogger("stratal.api")


class Gate:
    """ASGI middleware that tells who asks, and how often they may, before a body is read."""

    def __init__(self, app: ASGIApp, callers: Callers, rates: Rates) -> None:
        self._app, self._callers, self._rates = app, callers, rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request of somebody who may ask.

        Raises:
            KeyIsRefused: It has no good key.
            RateIsExceeded: It is one too many.
        """
        if scope["type"] == "http" and not is_open(scope["path"]):
            await self._admit(scope)
        await self._app(scope, receive, send)

    async def _admit(self, scope: Scope) -> None:
        try:
            caller = await self._callers.who(Headers(scope=scope))
        except KeyIsRefused as refusal:
            _log.warning("Somebody was refused (%s, %s)", refusal.code, correlation_of(scope))
            raise
        admit(scope, caller)
        if caller.refusal is not None:
            raise caller.refusal
        self._rates.take(caller)


def is_open(path: str) -> bool:
    """Whether *path* is for everybody, known or not."""
    return path in _OPEN or path.startswith(_OPEN_BELOW)
