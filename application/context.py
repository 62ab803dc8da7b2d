"""On whose behalf, and because of what, the present code runs."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID

from domain.access.values import Role


@dataclass(frozen=True, slots=True)
class Context:
    """What the envelope of every event of this command will say.

    ``command_id`` makes the command idempotent when ``fingerprint`` (a digest of its type and body)
    is set: a second command with both equal gets the first one's receipt. ``roles`` are what
    whoever acts may act as: none unless somebody vouches for more.
    """

    tenant: str
    actor: str
    correlation_id: UUID
    command: str = ""
    command_id: str = ""
    fingerprint: str | None = None
    causation_id: UUID | None = None
    traceparent: str | None = None
    roles: frozenset[Role] = frozenset()


_current: ContextVar[Context] = ContextVar("context")


def current() -> Context:
    """The context of the command being carried out.

    Raises:
        LookupError: Nothing is being carried out; be beneath ``CommandBus.dispatch`` or ``within``.
    """
    return _current.get()


def tenant_at_work() -> str | None:
    """Whose things the present code is about; ``None`` outside of every context."""
    context = _current.get(None)
    return None if context is None else context.tenant


@contextmanager
def within(context: Context) -> Generator[None, None, None]:
    """Run the body on behalf of *context*."""
    token = _current.set(context)
    try:
        yield
    finally:
        _current.reset(token)
