"""Which recorded call a replay should have made, where it made one that is not in its log."""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Final, NamedTuple

from pydantic import JsonValue

from application.differences import first_difference, in_common
from application.lm_ports import Missed
from application.payloads import Payload
from application.ports import PayloadStore
from domain.errors import NotFoundError
from domain.execution.aggregate import Execution
from domain.execution.values import Divergence
from domain.values import Digest, LmCall, PayloadRef, ToolCall

_LOOKED_AT: Final = 50
"""So many calls of a node are compared, where threads made it call in any order."""


class Parting(NamedTuple):
    """Where a replay left its log, that in words, and what it asked there."""

    divergence: Divergence
    told: str
    asked: Payload


class _Near(NamedTuple):
    number: int
    call: LmCall | ToolCall
    request: JsonValue


def parting(
    execution: Execution, missed: Missed, unasked: AbstractSet[Digest], payloads: PayloadStore
) -> Parting:
    """What the log has where a replay of *execution* made the call *missed*.

    That is the call of the same node, among those that nobody asked for yet, which has most in
    common with it: the first of them, unless threads made several.
    """
    asked = Payload.of(missed.request)
    near = list(islice(_near(execution.calls, missed, unasked, payloads), _LOOKED_AT))
    if not near:
        told = f"The log holds no further call by {missed.node}."
        return Parting(Divergence(node=missed.node, asked=asked.ref), told, asked)
    found = max(near, key=lambda each: (in_common(each.request, missed.request), -each.number))
    divergence = Divergence(
        node=missed.node, asked=asked.ref, call=found.number, recorded=_asked_by(found.call)
    )
    where = first_difference(found.request, missed.request)
    how = "asked the same" if where is None else f"differs first at {where}"
    return Parting(divergence, f"Call {found.number} of the log {how}.", asked)


def _near(
    calls: Sequence[LmCall | ToolCall],
    missed: Missed,
    unasked: AbstractSet[Digest],
    payloads: PayloadStore,
) -> Iterator[_Near]:
    for number, call in enumerate(calls, start=1):
        is_open = call.key in unasked or call.key == missed.key
        if is_open and call.node == missed.node and _tool_of(call) == missed.tool:
            try:
                request = payloads.get(_asked_by(call))
            except NotFoundError:  # it was erased
                request = None
            yield _Near(number, call, request)


def _tool_of(call: LmCall | ToolCall) -> str | None:
    return call.tool if isinstance(call, ToolCall) else None


def _asked_by(call: LmCall | ToolCall) -> PayloadRef:
    return call.arguments if isinstance(call, ToolCall) else call.request
