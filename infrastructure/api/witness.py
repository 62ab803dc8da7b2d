"""The layer around all others: it sees how each command ended, and tells the audit of some."""

import logging
from collections.abc import Sequence
from http import HTTPMethod
from typing import Final

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from application.auditing import Attempt, Outcome, kept_of
from infrastructure.api.attempts import Mark, mark
from infrastructure.api.callers import Caller, caller_of
from infrastructure.api.dependencies import ApiDependencies, writer
from infrastructure.api.edge import correlation_of

_SAFE: Final = frozenset({HTTPMethod.GET, HTTPMethod.HEAD, HTTPMethod.OPTIONS})

_log = logging.getLogger("stratal.api")


class Witness:
    """ASGI middleware that tells the audit of commands that left no event, once they are answered.

    What nobody can be made answerable for is no command of anybody: the gate logs it.
    It adds nothing to the answer and takes nothing from it: what fails here is logged.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self._app = app
        self._routes = [
            each for each in routes if isinstance(each, APIRoute) and _takes_commands(each)
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, and look at how it ends if it may be a command."""
        if scope["type"] != "http" or scope["method"] in _SAFE:
            await self._app(scope, receive, send)
            return
        seen, status = mark(scope), None

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            caller = caller_of(scope)
            if (outcome := seen.outcome) is not None and caller is not None:
                try:
                    self._tell(scope, seen, outcome, status, caller)
                except Exception:  # noqa: BLE001 - whatever it is, the answer is on its way
                    _log.exception("An attempt could not be noted.")

    def _tell(
        self, scope: Scope, seen: Mark, outcome: Outcome, status: int | None, caller: Caller
    ) -> None:
        method, path = scope["method"], scope["path"]
        taken = (each for each in self._routes if each.methods and method in each.methods)
        route = next((each for each in taken if each.path_regex.match(path)), None)
        if route is None:  # nothing there takes commands
            return
        deps: ApiDependencies = scope["app"].state.deps
        client = scope.get("client")
        deps.attempts.note(
            Attempt(
                tenant=caller.tenant,
                actor=caller.actor,
                operation=f"{method} {route.path_format}",
                command=seen.command,
                aggregate_id=seen.aggregate_id,
                outcome=outcome,
                code=seen.error.code if seen.error else None,
                reason=seen.reason,
                status=status,
                address_mode=deps.addresses,
                address=kept_of(client[0] if client else None, deps.addresses),
                correlation_id=correlation_of(scope),
            )
        )


def _takes_commands(route: APIRoute) -> bool:
    return any(each.call is writer for each in route.dependant.dependencies)
