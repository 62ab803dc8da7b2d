"""Executions over HTTP: run a program and wait for its answer; look, call off."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from math import inf
from time import monotonic
from typing import Annotated, ClassVar, Final, Generic, NamedTuple, TypeVar
from uuid import UUID

from fastapi import Path, Query, Response, status
from pydantic import AwareDatetime, Field, PositiveInt

from application.authorization import AS_WORKER
from application.circuits import CIRCUIT_OPEN
from application.commands import Command
from application.executions import CancelExecution, RequestExecution, TimeOutExecution
from application.ports import PayloadStore, Receipt
from application.turns import NO_TURN, seconds_to_wait
from domain.execution.events import (
    ExecutionCancelled,
    ExecutionCompleted,
    ExecutionFailed,
)
from domain.execution.values import TIMED_OUT
from domain.kernel import Recorded
from domain.program.deadline import DeadlineS
from domain.run import RunStatus
from domain.text import JsonObject
from domain.values import Failure, ModelRef
from infrastructure.api.bodies import Cancellation, NewThing
from infrastructure.api.call_views import TraceView, call_view, calls
from infrastructure.api.dependencies import (
    Desk,
    Expectation,
    Expected,
    IdOrName,
    Reading,
    Writer,
    Writing,
    wish,
)
from infrastructure.api.etags import Written, placed, tag, written
from infrastructure.api.execution_views import (
    ExecutionDetail,
    ExecutionView,
    execution_detail,
    execution_view,
)
from infrastructure.api.pages import LIMIT, After, Limit, PageView, decode, encode, shown
from infrastructure.api.problems import EdgeError, Problem
from infrastructure.api.route import router
from infrastructure.api.runs import LONGEST_WAIT_S, Wait, until_ended
from infrastructure.system import SystemClock
from projections import executions as read_model
from projections.executions import ExecutionRow
from projections.paging import CursorIsInvalid

KIND = "execution"
PATH = "/v1/executions"
routes = router(PATH, "executions")
program_routes = router("/v1/programs", "executions")

_ENDS: Final = frozenset(
    {ExecutionCompleted.TOPIC, ExecutionFailed.TOPIC, ExecutionCancelled.TOPIC}
)
_FIRST_LOOK_S: Final = 1.0
"""When the execution itself is asked how long a caller may have to wait for it."""
_CLOCK: Final = SystemClock()
_PATIENCE_S: Final = 0.2
"""How long after its deadline the worker that has an execution is given to end it."""
_BUSY: Final = frozenset({NO_TURN, "model.rate_limited"})
_BUSY_FOR_S: Final = 10
"""When to try again if the provider, which was asked several times, did not say."""

Id = Annotated[UUID, Path(alias="execution_id")]
V = TypeVar("V", bound=ExecutionView)
Shown = Callable[[Sequence[Recorded], PayloadStore], V]


class ExecutionTimedOut(EdgeError):
    """The execution did not end within the time that it was given; it has ended now, as failed."""

    code: ClassVar[str] = TIMED_OUT.code
    status: ClassVar[int] = 504

    def __init__(self, execution_id: UUID) -> None:
        super().__init__(f"{TIMED_OUT.message} It is at {PATH}/{execution_id}.")
        self.headers = {"Location": f"{PATH}/{execution_id}"}


class ModelIsBusy(EdgeError):
    """The model, or our limit for it, took no more calls; the execution has ended as failed."""

    code: ClassVar[str] = NO_TURN
    status: ClassVar[int] = 429

    def __init__(self, execution_id: UUID, failure: Failure) -> None:
        super().__init__(f"{failure.message} The execution is at {PATH}/{execution_id}.")
        self.headers = {"Location": f"{PATH}/{execution_id}"}
        self.retry_after_s = seconds_to_wait(failure) or _BUSY_FOR_S


class ModelIsDown(EdgeError):
    """The model failed again and again, and is left alone; the execution has ended as failed."""

    code: ClassVar[str] = CIRCUIT_OPEN
    status: ClassVar[int] = 503

    def __init__(self, execution_id: UUID, failure: Failure) -> None:
        super().__init__(f"{failure.message} The execution is at {PATH}/{execution_id}.")
        self.headers = {"Location": f"{PATH}/{execution_id}"}
        self.retry_after_s = seconds_to_wait(failure)


class NewExecution(NewThing):
    """What to run a program on."""

    inputs: JsonObject = Field(
        description="By input field.", examples=[{"message": "It crashes when I click save."}]
    )
    program_version: PositiveInt | None = Field(
        default=None, description="The deployed version if left out, or else the latest."
    )
    wait: float | None = Field(
        default=None,
        ge=0,
        le=LONGEST_WAIT_S,
        description="Seconds to wait for the end, unless the query says it.",
    )
    deadline_s: DeadlineS | None = Field(
        default=None,
        description="Seconds after which it is ended as timed out. If left out, deadline_s of the"
        " program's config holds, or else 30 for a caller who says of no time to wait.",
    )
    model: ModelRef | None = Field(
        default=None,
        description="What answers: a provider, a model of one as `provider/model`, or one of a"
        " route as `route:NAME`. If left out, `lm` of the program's config holds, or else"
        " the tenant's default.",
    )
    stream: bool = Field(
        default=False,
        description="Have what the model says told at /v1/executions/{execution_id}/stream while it"
        " says it. The reply comes at once then, unless wait says otherwise.",
    )


@program_routes.post(
    "/{program}/execute",
    responses={
        202: {"model": ExecutionView, "description": "It has not ended yet."},
        504: {"model": Problem, "description": "It did not end by its deadline, and was ended."},
    },
)
async def execute_program(
    program: IdOrName, body: NewExecution, desk: Writing, wait: Wait, response: Response
) -> ExecutionView:
    """Run a program and wait for its end. The request is durable before any model is called.

    Who says how long to wait gets 202 when that is over; who does not, 504 at the deadline. If it
    failed because the model took no more calls, that is 429 with the seconds to wait; 503 if the
    model is left alone because it only fails.
    """
    program_id = await desk.id_of("program", program)
    wait = 0 if body.stream and wait is None and body.wait is None else wait
    body = body if wait is None else body.model_copy(update={"wait": wait})
    return reply(await run_program(desk, program_id, body, execution_view), response)


class Ran(NamedTuple, Generic[V]):
    """What was requested, and how it fares."""

    receipt: Receipt
    view: V


async def run_program(
    desk: Writer,
    program_id: UUID,
    body: NewExecution,
    shown: Shown[V],
    *,
    longest_s: float = LONGEST_WAIT_S,
) -> Ran[V]:
    """Have a program run on what *body* says, wait for its end, and see it as *shown*.

    The request is durable before any model is called. However long *body* says to wait, it is
    *longest_s* at most.

    Raises:
        ExecutionTimedOut: It did not end by its deadline, now or when it was first asked for.
        ModelIsBusy: It failed because the model took no more calls.
        ModelIsDown: It failed because the model is left alone, as it only fails.
    """
    execution_id = desk.new_id(KIND, body.id)
    command = wish(
        RequestExecution,
        execution_id=execution_id,
        program_id=program_id,
        program_version=body.program_version,
        inputs=body.inputs,
        deadline_s=body.deadline_s,
        model=body.model,
        streamed=body.stream,
        usual_deadline_s=desk.deps.deadline_s if body.wait is None else None,
    )
    wait_s = longest_s if body.wait is None else min(body.wait, longest_s)
    ran = await run_to_its_end(desk, execution_id, command, shown, wait_s)
    if ran.view.failure is not None:
        refuse(execution_id, ran.view.failure)
    return ran


async def run_to_its_end(
    desk: Writer, execution_id: UUID, command: Command, shown: Shown[V], wait_s: float
) -> Ran[V]:
    """Have *command* ask for the execution, and see it once it ended or after *wait_s* seconds."""
    with desk.deps.expect(execution_id, _ENDS) as expectation:
        receipt = await desk.dispatch(command)
        look = partial(desk.run, partial(_view, desk, execution_id, shown))
        return Ran(receipt, await _ended_in_time(desk, expectation, look, wait_s))


def reply(ran: Ran[V], response: Response) -> V:
    """What *ran* came to, as the answer to whoever asked for it; 202 if it has not ended."""
    written(response, ran.receipt, f"{PATH}/{ran.view.execution_id}")
    tag(response, ran.view.version)
    placed(response, ran.view.position)
    if not ran.view.ended:
        response.status_code = status.HTTP_202_ACCEPTED
    return ran.view


def refuse(id: UUID, failure: Failure) -> None:
    """Say by its status where another time would have been better."""
    if failure.code == TIMED_OUT.code:
        raise ExecutionTimedOut(id)
    if failure.code in _BUSY:
        raise ModelIsBusy(id, failure)
    if failure.code == CIRCUIT_OPEN:
        raise ModelIsDown(id, failure)


async def _ended_in_time(
    desk: Writer, expectation: Expectation, look: Callable[[], Awaitable[V]], wait_s: float
) -> V:
    """The execution once it ended, or after *wait_s* seconds; past its deadline it is ended."""
    gives_up_s = monotonic() + wait_s
    view = await until_ended(expectation, look, min(wait_s, _FIRST_LOOK_S), is_new=desk.key is None)
    while not view.ended and (left_s := gives_up_s - monotonic()) > 0:
        late_s = _late_s(view)
        if late_s > _PATIENCE_S:
            await desk.run(partial(_time_out, desk, view.execution_id))
            return await look()
        view = await until_ended(expectation, look, min(left_s, _PATIENCE_S - late_s), is_new=True)
    return view


def _time_out(desk: Writer, id: UUID) -> None:
    """End it, as the service: nobody may ask for that."""
    ours = replace(desk.context, command_id=str(desk.deps.ids()), roles=AS_WORKER)
    desk.deps.dispatch(TimeOutExecution(execution_id=id), ours)


def _late_s(view: ExecutionView) -> float:
    """How many seconds ago it should have ended; negative before."""
    return -inf if view.deadline is None else (_CLOCK.now() - view.deadline).total_seconds()


@routes.get("")
async def list_executions(
    desk: Reading,
    program_id: Annotated[UUID | None, Query(description="Only those of a program.")] = None,
    program_version: Annotated[PositiveInt | None, Query(description="… of a version.")] = None,
    run_status: Annotated[RunStatus | None, Query(alias="status")] = None,
    actor: Annotated[str | None, Query(description="Only those that they requested.")] = None,
    since: Annotated[AwareDatetime | None, Query(description="Requested then or later.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Requested before then.")] = None,
    tokens_above: Annotated[
        int | None, Query(ge=0, lt=2**63, description="Took more tokens than that.")
    ] = None,
    limit: Limit = LIMIT,
    cursor: After = None,
) -> PageView[ExecutionRow]:
    """List executions, newest first."""
    after = decode(cursor)
    return shown(
        await desk.read(
            lambda store: read_model.executions(
                store,
                tenant=desk.tenant,
                program_id=program_id,
                program_version=program_version,
                status=run_status,
                actor=actor,
                since=since,
                until=until,
                tokens_above=tokens_above,
                limit=limit,
                after=after,
            )
        )
    )


@routes.get("/{execution_id}")
async def get_execution(id: Id, desk: Reading, response: Response) -> ExecutionDetail:
    """Read one execution with inputs and outputs. It is as new as the log itself."""
    view = await desk.run(lambda: execution_detail(desk.history(KIND, id), desk.deps.payloads))
    tag(response, view.version)
    return view


@routes.get("/{execution_id}/trace")
async def trace_execution(
    id: Id, desk: Reading, limit: Limit = LIMIT, cursor: After = None
) -> TraceView:
    """See every call of an execution in order: of models and tools, with what was answered."""
    first = _first_index(cursor)
    return await desk.run(partial(_trace, desk, id, first, limit))


@routes.post("/{execution_id}/cancel")
async def cancel_execution(
    id: Id, body: Cancellation, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Call an execution off. A model call under way is not awaited and its answer not used."""
    command = wish(CancelExecution, execution_id=id, expected_version=expected, **body.model_dump())
    return written(response, await desk.dispatch(command), f"{PATH}/{id}")


def _view(desk: Writer, id: UUID, shown: Shown[V]) -> V:
    return shown(desk.history(KIND, id), desk.deps.payloads)


def _trace(desk: Desk, id: UUID, first: int, limit: int) -> TraceView:
    made = calls(desk.history(KIND, id))
    items = tuple(
        call_view(index, called, at, desk.deps.payloads)
        for index, (called, at) in enumerate(made[first : first + limit], first + 1)
    )
    last = first + len(items)
    return TraceView(
        execution_id=id, items=items, next=encode((last,)) if last < len(made) else None
    )


def _first_index(cursor: str | None) -> int:
    match decode(cursor):
        case None:
            return 0
        case (int(index),) if index >= 0:
            return index
        case _:
            raise CursorIsInvalid
