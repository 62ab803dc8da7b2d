"""Who asks: where access is open whoever the headers name, else whoever the key was issued to."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final, Protocol
from uuid import UUID

from fastapi import Header, Request
from starlette.datastructures import Headers
from starlette.types import Scope

from application.authorization import EVERYBODY
from application.context import Context
from application.errors import StoreIsUnavailable
from application.tracing import Tracing
from domain.access.errors import KeyIsRefused
from domain.access.values import ACTOR, TENANT, Role
from infrastructure.api.edge import correlation_of
from infrastructure.api.naming import whose

_CALLER: Final = "stratal.caller"
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and as what. With a *refusal* they are known, and have no say any more."""

    tenant: str
    actor: str
    roles: frozenset[Role]
    refusal: KeyIsRefused | None = None


class Callers(Protocol):
    """Tells who asks."""

    async def who(self, headers: Headers) -> Caller:
        """Whoever sent *headers*.

        Raises:
            KeyIsRefused: Nobody can be told from them.
        """
        ...


class Anybody:
    """Access is open: whoever reaches the service is who they say they are, and may do all."""

    async def who(self, headers: Headers) -> Caller:
        """Whoever *headers* name."""
        return Caller(*whose(headers), EVERYBODY)


def admit(scope: Scope, caller: Caller) -> None:
    """Keep who asked in *scope*."""
    scope[_CALLER] = caller


def caller_of(scope: Scope) -> Caller | None:
    """Who asked; ``None`` if nobody could be told, or nobody had to be."""
    found: Caller | None = scope.get(_CALLER)
    return found


async def is_welcome(request: Request) -> bool:
    """Whether who asked may still be answered: for answers that take long.

    Where nobody can tell, they may not: whoever comes back is asked anew.
    """
    callers: Callers = request.app.state.deps.callers
    try:
        return (await callers.who(request.headers)).refusal is None
    except (KeyIsRefused, StoreIsUnavailable):
        return False


class _Naming(Protocol):
    @property
    def ids(self) -> Callable[[], UUID]: ...
    @property
    def tracing(self) -> Tracing: ...


async def context(
    request: Request,
    tenant: Annotated[
        str,
        Header(
            alias="X-Stratal-Tenant",
            pattern=TENANT,
            description="Whose things these are. Where access is by keys, the key says it.",
            examples=["default"],
        ),
    ] = "default",
    actor: Annotated[
        str,
        Header(
            alias="X-Stratal-Actor",
            pattern=ACTOR,
            description="Who acts: told in the trail. Where access is by keys, the key says it.",
            examples=["anonymous"],
        ),
    ] = "anonymous",
) -> Context:
    """In whose name the request acts, and within which trace."""
    del tenant, actor  # the gate has read them, if they count at all
    deps: _Naming = request.app.state.deps
    caller = caller_of(request.scope)
    assert caller is not None, "The gate lets nobody through whom it does not know."
    return Context(
        tenant=caller.tenant,
        actor=caller.actor,
        correlation_id=correlation_of(request.scope),
        command_id=str(deps.ids()),
        traceparent=deps.tracing.traceparent() or _trace_of(request.headers),
        roles=caller.roles,
    )


def _trace_of(headers: Headers) -> str | None:
    """The trace that *headers* name, if it is one: all that follows carries it on."""
    sent = headers.get("traceparent", "")
    return sent if _TRACEPARENT.fullmatch(sent) else None
