"""An execution as it goes, over HTTP: its states, its predictors, and what their models say."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from functools import partial
from math import inf
from time import monotonic
from typing import Annotated, Any, Final, Literal, cast

from fastapi import Header, Request, Response, status
from fastapi.sse import format_sse_event
from pydantic import BaseModel, Field

from application.errors import StoreIsUnavailable
from application.retelling import ChunkTold, Retelling, Told
from application.streaming import Piece, pieces_of
from domain.execution.events import (
    ExecutionCancelled,
    ExecutionCompleted,
    ExecutionFailed,
    ExecutionLmCalled,
    ExecutionRequested,
    ExecutionStarted,
    ExecutionToolCalled,
)
from domain.kernel import Recorded
from domain.values import Failure, LmCall
from infrastructure.api.call_views import text_of
from infrastructure.api.callers import is_welcome
from infrastructure.api.dependencies import Desk, ReadingNow
from infrastructure.api.execution_views import execution_view
from infrastructure.api.executions import KIND, PATH, Id
from infrastructure.api.route import router
from infrastructure.api.streams import (
    HEARTBEAT_S,
    LOOK_AGAIN_S,
    RETRY_MS,
    EventStream,
    Follower,
    Streams,
)

routes = router(PATH, "executions")

_ENDS: Final = (ExecutionCompleted, ExecutionFailed, ExecutionCancelled)
_STATES: Final = (ExecutionRequested, ExecutionStarted, *_ENDS)
_TOLD: Final = frozenset(each.TOPIC for each in (*_STATES, ExecutionLmCalled, ExecutionToolCalled))
_LOOK_S: Final = 0.2
"""While words come, the log is looked at so often."""


class NodeStreamed(BaseModel):
    """A predictor asks a model, or has its answer; it may do so several times."""

    call: str = Field(description="The key of the call, as in the trace.")
    node: str = Field(description="Where in the program it is made.")
    state: Literal["began", "ended"]
    failure: Failure | None = Field(default=None, description="Why it has no answer.")


class ChunkStreamed(BaseModel):
    """More of an output field, as the model writes it."""

    call: str
    node: str
    field: str
    offset: int = Field(
        description="How many characters of the field came before; at 0 it begins, or begins anew."
    )
    text: str


class ToolStreamed(BaseModel):
    """A tool was called."""

    node: str
    tool: str
    failure: Failure | None = None


@routes.get(
    "/{execution_id}/stream",
    response_class=Response,
    responses={
        200: {
            "description": "Server-sent events: `state` with the execution as it was then, `node`,"
            " `tool` and `chunk`. The last one is the `state` in which it ended.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        204: {"description": "It has ended, and all of it was told."},
    },
)
async def stream_execution(
    id: Id,
    request: Request,
    desk: ReadingNow,
    last_event_id: Annotated[
        int,
        Header(
            alias="Last-Event-ID",
            ge=0,
            lt=2**63,
            description="The last id a stream told: it goes on after that.",
        ),
    ] = 0,
) -> Response:
    """Follow an execution to its end: every state once, in order, and what its models say.

    What a model says comes while it says it if the execution was requested with `stream`, else once
    it is recorded. A text that was under way when a connection broke is told from its beginning.
    """
    history = await desk.run(partial(desk.history, KIND, id))
    if any(isinstance(each.event, _ENDS) and _version(each) <= last_event_id for each in history):
        return Response(status_code=status.HTTP_204_NO_CONTENT)
    told = _Told(desk, id, last_event_id, partial(is_welcome, request))
    return EventStream(told, desk.deps.streams)


class _Told:
    """What one stream of an execution tells, and how far it has got."""

    def __init__(
        self, desk: Desk, id: Id, after: int, is_welcome: Callable[[], Awaitable[bool]]
    ) -> None:
        self._desk, self._id, self._after = desk, id, after
        self._is_welcome = is_welcome
        self._retelling = Retelling()
        self._version = 0
        self._is_running = self._has_ended = False

    @property
    def tenant(self) -> str:
        """Whose execution it is."""
        return self._desk.tenant

    async def all(self, streams: Streams, follower: Follower) -> AsyncIterator[bytes]:
        """The stream, until it has ended, or the client may not follow, or the server stops."""
        del follower  # what is appended elsewhere is nothing to this one
        yield format_sse_event(retry=RETRY_MS)
        deps, looked_s, told_s = self._desk.deps, -inf, monotonic()
        with (
            deps.expect(self._id, _TOLD) as expectation,
            deps.live.opened(self.tenant, self._id, expectation.fulfil) as listening,
        ):
            while not streams.is_closed:
                live, lines = listening.take(), list[bytes]()
                if not live or not self._is_running or monotonic() > looked_s + _LOOK_S:
                    if not await self._is_welcome():
                        return
                    try:
                        lines = await self._desk.run(lambda: list(self._recorded()))
                    except StoreIsUnavailable:
                        return  # the client comes back with the last id it was told
                    looked_s = monotonic()
                lines += [_line(told) for each in live for told in self._retelling.live(each)]
                if not lines and monotonic() > told_s + HEARTBEAT_S:
                    lines = [format_sse_event(comment="nothing new")]
                for each in lines:
                    yield each
                    told_s = monotonic()
                if self._has_ended:
                    return
                await expectation.await_(_LOOK_S if live else LOOK_AGAIN_S)

    def _recorded(self) -> Iterator[bytes]:
        """What the log has that was not told yet. Blocks."""
        history = self._desk.history(KIND, self._id)
        for index, recorded in enumerate(history, 1):
            if self._has_ended or _version(recorded) <= self._version:
                continue
            self._version = _version(recorded)
            self._is_running = self._is_running or isinstance(recorded.event, ExecutionStarted)
            self._has_ended = isinstance(recorded.event, _ENDS)
            if self._version > self._after:
                yield from self._lines(recorded, history[:index])
            elif isinstance(recorded.event, ExecutionLmCalled):
                self._retelling.passed(recorded.event.call)

    def _lines(self, recorded: Recorded, history: Sequence[Recorded]) -> Iterator[bytes]:
        match recorded.event:
            case ExecutionLmCalled(call=call):
                told = list(self._retelling.recorded(call, self._pieces(call)))
                for number, each in enumerate(told, 1):  # whoever leaves before the last comes back
                    yield _line(each, self._version if number == len(told) else None)
            case ExecutionToolCalled(call=call):
                tool = ToolStreamed(node=call.node, tool=call.tool, failure=call.failure)
                yield _event("tool", tool, self._version)
            case event if isinstance(event, _STATES):
                view = execution_view(history, self._desk.deps.payloads)
                yield _event("state", view, self._version)
            case _:
                pass

    def _pieces(self, call: LmCall) -> Iterator[Piece]:
        answer = cast("dict[str, Any]", text_of(call.response, self._desk.deps.payloads) or {})
        parts = answer.get("message", {}).get("parts", ())
        return pieces_of("".join(each["text"] for each in parts if each["type"] == "text"))


def _line(told: Told, id: int | None = None) -> bytes:
    if isinstance(told, ChunkTold):
        said = told.piece._asdict()
        return _event("chunk", ChunkStreamed(call=told.call, node=told.node, **said), id)
    return _event("node", NodeStreamed(**told._asdict()), id)


def _event(kind: str, view: BaseModel, id: int | None = None) -> bytes:
    text = view.model_dump_json()
    return format_sse_event(data_str=text, event=kind, id=None if id is None else str(id))


def _version(recorded: Recorded) -> int:
    return recorded.originator_version
