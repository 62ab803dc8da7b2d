"""Batches over HTTP: many rows in, how far they are, and their results in the order of the rows."""

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import Path, Query, Request, Response, status
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field, JsonValue

from application.batches import CancelBatch, RequestBatch, ResumeBatch
from application.errors import AggregateNotFound
from domain.batch.values import USUAL_AT_ONCE, BatchStatus, Concurrency
from domain.program.deadline import DeadlineS
from domain.values import Failure
from infrastructure.api.bodies import Cancellation
from infrastructure.api.call_views import text_of
from infrastructure.api.dependencies import (
    Expected,
    IdOrName,
    Reader,
    Reading,
    Writing,
    wish,
)
from infrastructure.api.etags import Written, tag, written
from infrastructure.api.pages import LIMIT, After, Limit, PageView, decode, shown
from infrastructure.api.route import router
from projections import batches as read_model
from projections.batches import BatchedRow, BatchRow

KIND: Final = "batch"
PATH: Final = "/v1/batches"
routes = router(PATH, "batches")
program_routes = router("/v1/programs", "batches")

_ROWS_A_CHUNK: Final = 200
_JSON_LINES: Final = "application/x-ndjson"
_ROWS_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            _JSON_LINES: {
                "schema": {"type": "string"},
                "example": '{"message": "It crashes."}\n{"message": "How do I pay?"}\n',
            }
        },
    }
}

Id = Annotated[UUID, Path(alias="batch_id")]


class BatchResult(BaseModel):
    """What became of one row."""

    row: int = Field(description="Its place among the rows that were sent, from 1.")
    status: Literal["waiting", "running", "completed", "failed", "cancelled"] = Field(
        description="waiting: it has not begun. cancelled: it never will."
    )
    outputs: JsonValue = Field(default=None, description="By output field; null unless completed.")
    failure: Failure | None = None
    execution_id: UUID | None = Field(default=None, description="Its run; null if it had none.")


def _shape(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of a line; what it refers to is part of the document already."""
    told = model.model_json_schema(ref_template="#/components/schemas/{model}")
    del told["$defs"]
    return told


_RESULT: Final = _shape(BatchResult)


@program_routes.post(
    "/{program}/batches", status_code=status.HTTP_202_ACCEPTED, openapi_extra=_ROWS_BODY
)
async def request_batch(
    program: IdOrName,
    request: Request,
    desk: Writing,
    response: Response,
    program_version: Annotated[
        int | None, Query(ge=1, description="The deployed one if left out, or else the latest.")
    ] = None,
    concurrency: Annotated[
        Concurrency, Query(description="How many rows are under way at a time.")
    ] = USUAL_AT_ONCE,
    deadline_s: Annotated[
        DeadlineS | None,
        Query(description="Seconds that each row may take, or else what the program says."),
    ] = None,
) -> Written:
    """Run a program on many rows: JSON lines, the inputs of one run on each, 10 000 at most.

    Every line is validated first; if one is bad, all that are bad are named and nothing is stored.
    Each row is an execution like any other, with its own replay, cost and budget.
    """
    program_id = await desk.id_of("program", program)
    batch_id, body = desk.new_id(KIND), await request.body()

    def command() -> RequestBatch:
        return wish(
            RequestBatch,
            batch_id=batch_id,
            program_id=program_id,
            program_version=program_version,
            rows=body.decode(),
            concurrency=concurrency,
            deadline_s=deadline_s,
        )

    receipt = await desk.dispatch(await desk.run(command))
    return written(response, receipt, f"{PATH}/{batch_id}")


@routes.get("")
async def list_batches(
    desk: Reading,
    program_id: Annotated[UUID | None, Query(description="Only those of a program.")] = None,
    batch_status: Annotated[BatchStatus | None, Query(alias="status")] = None,
    limit: Limit = LIMIT,
    cursor: After = None,
) -> PageView[BatchRow]:
    """List batches, newest first; `status=paused` are those that need a person."""
    after = decode(cursor)
    return shown(
        await desk.read(
            lambda store: read_model.batches(
                store,
                tenant=desk.tenant,
                program_id=program_id,
                status=batch_status,
                limit=limit,
                after=after,
            )
        )
    )


@routes.get("/{batch_id}")
async def get_batch(id: Id, desk: Reading, response: Response) -> BatchRow:
    """Read one batch: how many of its rows have begun, and how they ended."""
    found = await _batch(desk, id)
    tag(response, found.version)
    return found


@routes.get(
    "/{batch_id}/results",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "One line a row, in the order of the rows, as far as they are now.",
            "content": {_JSON_LINES: {"schema": _RESULT}},
        }
    },
)
async def batch_results(id: Id, desk: Reading) -> StreamingResponse:
    """Download what became of each row, also while the batch goes on."""
    found = await _batch(desk, id)
    first = await _lines(desk, found, 0)
    return StreamingResponse(
        _chunks(desk, found, first),
        headers={"Content-Disposition": 'attachment; filename="results.jsonl"', **desk.headers},
        media_type=_JSON_LINES,
    )


@routes.post("/{batch_id}/cancel")
async def cancel_batch(
    id: Id, body: Cancellation, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Begin no more rows. Those under way end by themselves; what they give is kept."""
    command = wish(CancelBatch, batch_id=id, expected_version=expected, **body.model_dump())
    return written(response, await desk.dispatch(command), f"{PATH}/{id}")


@routes.post("/{batch_id}/resume")
async def resume_batch(id: Id, desk: Writing, expected: Expected, response: Response) -> Written:
    """Go on with a batch that was paused, once what stopped it is mended."""
    command = wish(ResumeBatch, batch_id=id, expected_version=expected)
    return written(response, await desk.dispatch(command), f"{PATH}/{id}")


async def _batch(desk: Reader, id: UUID) -> BatchRow:
    found = await desk.read(lambda store: read_model.batch(store, id, tenant=desk.tenant))
    if found is None:
        raise AggregateNotFound(KIND, id)
    return found


async def _chunks(desk: Reader, batch: BatchRow, first: bytes) -> AsyncIterator[bytes]:
    """The lines of the file; each part is read when the client has taken the one before."""
    yield first
    for after in range(_ROWS_A_CHUNK, batch.rows, _ROWS_A_CHUNK):
        yield await _lines(desk, batch, after)


async def _lines(desk: Reader, batch: BatchRow, after: int) -> bytes:
    """The lines of the rows that follow the one at *after*."""
    until = min(after + _ROWS_A_CHUNK, batch.rows)
    found = await desk.read(
        lambda store: read_model.batched_rows(
            store, batch.batch_id, tenant=desk.tenant, after=after, until=until
        )
    )
    return await desk.run(partial(_told, desk, batch, range(after + 1, until + 1), found))


def _told(desk: Reader, batch: BatchRow, rows: range, found: Sequence[BatchedRow]) -> bytes:
    begun: Mapping[int, BatchedRow] = {each.row: each for each in found}
    results = (_result(desk, batch, row, begun.get(row)) for row in rows)
    return b"".join(each.model_dump_json().encode() + b"\n" for each in results)


def _result(desk: Reader, batch: BatchRow, row: int, found: BatchedRow | None) -> BatchResult:
    if found is None:
        is_over = batch.status is BatchStatus.CANCELLED
        return BatchResult(row=row, status="cancelled" if is_over else "waiting")
    return BatchResult(
        row=row,
        status=found.status,
        outputs=None if found.outputs is None else text_of(found.outputs, desk.deps.payloads),
        failure=found.failure,
        execution_id=found.execution_id,
    )
