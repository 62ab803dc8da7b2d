"""How every route runs: within the caller's trace, on the body the guard parsed, to a typed end."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from domain.errors import DomainError
from infrastructure.api.attempts import refused
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
    """A route that is a span of the caller's trace, and whose refusals are problems."""

    def get_route_handler(self) -> _Handler:
        """The handler that FastAPI made, with all that around it."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            tracing = request.app.state.deps.tracing
            name = f"{request.method} {self.path_format}"
            with tracing.continued(request.headers.get("traceparent"), name) as span:
                reply = await _answered(handle, GuardedRequest(request.scope, request.receive))
                span.set(
                    {
                        "http.request.method": request.method,
                        "http.route": self.path_format,
                        "http.response.status_code": reply.status_code,
                    }
                )
                return reply

        return handled


async def _answered(handle: _Handler, request: Request) -> Response:
    try:
        return await handle(request)
    except RequestValidationError as error:
        return refused(request.scope, invalid_request(error), correlation_of(request.scope))
    except DomainError as error:
        return refused(request.scope, error, correlation_of(request.scope))


def router(prefix: str, tag: str) -> APIRouter:
    """A router for the resource at *prefix*."""
    return APIRouter(prefix=prefix, tags=[tag], route_class=Route)
