"""How every route runs: within the caller's trace, on the body the guard parsed, to a typed end."""

from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from application.authorization import Permission, authorize
from domain.access.values import Role
from domain.errors import DomainError
from infrastructure.api.attempts import refused
from infrastructure.api.callers import caller_of
from infrastructure.api.edge import correlation_of
from infrastructure.api.guard import PARSED
from infrastructure.api.problems import invalid_request

_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class GuardedRequest(Request):
    """A request whose JSON was parsed already."""

    async def json(self) -> Any:
        """The value the guard read; nothing is parsed a second time."""
        return self.scope[PARSED]


class Route(APIRoute):
    """A route that is a span of the caller's trace, and whose refusals are problems.

    Whoever asks needs the permission ``NEEDS`` before anything of the request is looked at; a
    command then needs its own. ``None`` is for what the gate lets everybody see.
    """

    NEEDS: ClassVar[Permission | None] = Permission.READ

    def get_route_handler(self) -> _Handler:
        """The handler that FastAPI made, with all that around it."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            tracing = request.app.state.deps.tracing
            name = f"{request.method} {self.path_format}"
            with tracing.continued(request.headers.get("traceparent"), name) as span:
                reply = await self._answered(handle, GuardedRequest(request.scope, request.receive))
                span.set(
                    {
                        "http.request.method": request.method,
                        "http.route": self.path_format,
                        "http.response.status_code": reply.status_code,
                    }
                )
                return reply

        return handled

    async def _answered(self, handle: _Handler, request: Request) -> Response:
        try:
            self._authorize(request)
            return await handle(request)
        except RequestValidationError as error:
            return refused(request.scope, invalid_request(error), correlation_of(request.scope))
        except DomainError as error:
            return refused(request.scope, error, correlation_of(request.scope))

    def _authorize(self, request: Request) -> None:
        if self.NEEDS is not None:
            caller = caller_of(request.scope)
            roles = frozenset[Role]() if caller is None else caller.roles
            authorize(f"{request.method} {self.path_format}", self.NEEDS, roles)


def router(prefix: str, tag: str, needs: Permission | None = Permission.READ) -> APIRouter:
    """A router for the resource at *prefix*; whoever asks it anything *needs* a permission."""

    class Needing(Route):
        NEEDS: ClassVar[Permission | None] = needs

    return APIRouter(prefix=prefix, tags=[tag], route_class=Needing)
