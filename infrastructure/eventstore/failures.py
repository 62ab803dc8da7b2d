"""What an error of Postgres means for an append: nothing was stored, or nobody can tell yet."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Final

from psycopg import Error, InterfaceError, OperationalError
from psycopg_pool import PoolTimeout

from infrastructure.eventstore.requests import Failed, Lost, Refused

_TOO_LATE: Final = "ST003"
"""Raised by ``stratal.append_events``; its detail is ``<request>:<reason>``, one or more."""

_REFUSALS = {
    "25006": "it is read only",
    "40001": "it could not put this write in order with others",
    "40P01": "two writers waited for each other",
    "53100": "its disk is full",
    "53200": "it is out of memory",
    "53300": "it has no connection left",
    "53400": "a limit of its configuration is reached",
    "55P03": "another writer held the log for too long",
    "57014": "the write took too long",
    "58030": "its disk fails",
}
_LOST = {
    "25P03": "the session was idle in a transaction for too long",
    "57P01": "it is shutting down",
    "57P02": "it has crashed",
    "57P03": "it is starting",
}


def too_late(error: Exception) -> Mapping[int, Collection[str]]:
    """The requests that others have forestalled: by their ``receipt``, ``name`` or ``version``."""
    reasons: dict[int, set[str]] = defaultdict(set)
    if isinstance(error, Error) and error.sqlstate == _TOO_LATE:
        for word in (error.diag.message_detail or "").split():
            request, _, reason = word.partition(":")
            reasons[int(request)].add(reason)
    return reasons


def refusal(error: Error) -> str | None:
    """Why the database refused, when it says so itself and a later try may succeed."""
    return _REFUSALS.get(error.sqlstate or "")


def lost(error: Error) -> str | None:
    """Why the connection was lost; what was sent on it last may or may not have been committed."""
    state = error.sqlstate
    if state is None:
        is_loss = isinstance(error, OperationalError | InterfaceError)
        return "the connection was lost" if is_loss else None
    return "the connection was lost" if state.startswith("08") else _LOST.get(state)


def is_passing(error: Exception) -> bool:
    """Whether *error* says nothing about what was sent: later the same may succeed."""
    return isinstance(error, Error) and bool(refusal(error) or lost(error))


def meaning(error: BaseException, backend: int) -> Refused | Lost | Failed:
    """What *error* means for those whose requests were with *backend*; 0: nothing was sent."""
    if isinstance(error, PoolTimeout):
        return Refused("no connection was free in time", error)
    if isinstance(error, Error):
        if why := refusal(error):
            return Refused(why, error)
        if why := lost(error):
            return _lost(why, error, backend)
    if isinstance(error, Exception):
        return Failed(error)
    return _lost("the thread that carried it was stopped", error, backend)


def _lost(why: str, error: BaseException, backend: int) -> Refused | Lost:
    return Lost(why, error, backend) if backend else Refused(why, error)
