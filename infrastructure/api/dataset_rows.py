"""The rows of a dataset over HTTP: loaded as JSON, JSON lines or CSV, read, replaced, removed."""

from functools import partial
from itertools import islice
from typing import Annotated, Any, Final, cast
from uuid import UUID

from fastapi import Body, Path, Query, Request, Response, status
from pydantic import BaseModel, Field, JsonValue, TypeAdapter, ValidationError

from application.datasets import LoadRows, RemoveRow, ReplaceRow
from application.examples import Example, RowHashes, example, examples
from application.fitting import fit
from application.past_runs import LoadExecutions
from application.ports import Receipt
from application.reasons import NO_REASON
from application.rows import RowFormat, parse_rows
from domain.dataset.aggregate import Dataset
from domain.dataset.duplicates import Duplicates, Repeats, content_hash, duplicates, repeats
from domain.dataset.shape import METADATA
from domain.dataset.values import RowId, Split
from domain.program.aggregate import Program
from domain.text import JsonObject, LongText
from domain.values import Digest
from infrastructure.api.datasets import KIND, PATH
from infrastructure.api.dependencies import (
    Desk,
    Expected,
    IdOrName,
    Reader,
    Reading,
    Writer,
    Writing,
    wish,
)
from infrastructure.api.etags import Written, written
from infrastructure.api.guard import media_type
from infrastructure.api.pages import LIMIT, After, Limit, PageView, decode, encode
from infrastructure.api.past_runs import WhichRuns
from infrastructure.api.route import router
from projections.paging import CursorIsInvalid

routes = router(PATH, "datasets")

Row = Annotated[
    RowId, Path(description="A row, by the version that brought it and its place: `2-15`.")
]
Reason = Annotated[LongText, Query(description="Why, for the audit trail.")]
Part = Annotated[Split | None, Query(description="One part; both if left out.")]

_ROW_ID: Final = TypeAdapter[str](RowId)
_FORMATS: Final[dict[str, RowFormat]] = {
    "application/json": "json",
    "application/x-ndjson": "jsonl",
    "text/csv": "csv",
}
_ROWS_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "array", "minItems": 1, "items": {"type": "object"}},
                "example": [{"message": "It crashes.", "queue": "bug"}],
            },
            "application/x-ndjson": {
                "schema": {"type": "string"},
                "example": '{"message": "It crashes.", "queue": "bug"}\n',
            },
            "text/csv": {
                "schema": {"type": "string"},
                "example": "message,queue\nIt crashes.,bug\n",
            },
        },
    }
}


class LoadedRows(Written):
    """What a load did, and what of it the dataset had already; nothing of that is refused."""

    rows: int = Field(description="How many rows were loaded.")
    repeated: int = Field(description="Rows of the load that repeat earlier rows of their part.")
    leaked: int = Field(description="Rows of the load that the other part has, too.")


class PastRows(WhichRuns):
    """Which executions become rows, and of which part."""

    program: str = Field(min_length=1, max_length=200, description="Its id or name.")
    split: Split = Field(description="The part to append to.")


class ExampleView(BaseModel):
    """One row. With a program, its signature says what of it is an input and what an output."""

    row: RowId
    split: Split
    content_hash: Digest = Field(description="Equal for rows that say the same, metadata aside.")
    values: dict[str, JsonValue] = Field(description="All fields but the metadata.")
    metadata: dict[str, JsonValue] = Field(description="Fields that begin with an underscore.")
    inputs: dict[str, JsonValue] | None = None
    outputs: dict[str, JsonValue] | None = None


@routes.post("/{dataset}/rows", status_code=status.HTTP_201_CREATED, openapi_extra=_ROWS_BODY)
async def load_rows(
    dataset: IdOrName,
    desk: Writing,
    expected: Expected,
    request: Request,
    response: Response,
    split: Annotated[Split, Query(description="The part to append to.")],
) -> LoadedRows:
    """Append rows: an array of objects, an object a line, or CSV with a header. All or none.

    Rows that are there already are loaded all the same, and counted in the reply.
    """
    dataset_id = await desk.id_of(KIND, dataset)
    row_format = _FORMATS[media_type(request.headers.get("content-type", "application/json"))]
    body = await request.body()

    def command() -> LoadRows:
        rows = parse_rows(body, row_format)
        return wish(
            LoadRows, dataset_id=dataset_id, split=split, rows=rows, expected_version=expected
        )

    receipt = await desk.dispatch(await desk.run(command))
    return await _loaded(desk, receipt, request, response)


@routes.post("/{dataset}/rows/from-executions", status_code=status.HTTP_201_CREATED)
async def load_executions(
    dataset: IdOrName,
    body: PastRows,
    desk: Writing,
    expected: Expected,
    request: Request,
    response: Response,
) -> LoadedRows:
    """Append what completed executions took and gave, a row for each, oldest first.

    The metadata of a row says in `_execution_id` which execution it is of.
    """
    dataset_id = await desk.id_of(KIND, dataset)
    command = wish(
        LoadExecutions,
        dataset_id=dataset_id,
        split=body.split,
        which=body.which(await desk.id_of("program", body.program)),
        expected_version=expected,
    )
    return await _loaded(desk, await desk.dispatch(command), request, response)


@routes.get("/{dataset}/rows")
async def list_rows(
    dataset: IdOrName,
    desk: Reading,
    split: Part = None,
    program: Annotated[
        str | None,
        Query(min_length=1, max_length=200, description="Whose inputs and outputs to tell apart."),
    ] = None,
    limit: Limit = LIMIT,
    cursor: After = None,
) -> PageView[ExampleView]:
    """List rows in the order they were loaded, each with its hash and its part."""
    dataset_id = await desk.id_of(KIND, dataset)
    program_id = None if program is None else await desk.id_of("program", program)
    after = _after(cursor)

    def read() -> PageView[ExampleView]:
        found = _dataset(desk, dataset_id)
        roles = _roles(desk, program_id, found)
        rows = list(islice(examples(found, desk.deps.payloads, split, after=after), limit + 1))
        items = tuple(_shown(each, roles) for each in rows[:limit])
        last = (items[-1].row,) if len(rows) > limit else None
        return PageView(items=items, next=encode(last))

    return await desk.run(read)


@routes.get("/{dataset}/rows/{row}")
async def get_row(dataset: IdOrName, row: Row, desk: Reading) -> ExampleView:
    """Read one row as it is now, or as of a position."""
    dataset_id = await desk.id_of(KIND, dataset)
    return await desk.run(
        lambda: _shown(example(_dataset(desk, dataset_id), row, desk.deps.payloads), None)
    )


@routes.put("/{dataset}/rows/{row}")
async def replace_row(
    dataset: IdOrName,
    row: Row,
    body: Annotated[JsonObject, Body(examples=[{"message": "It crashes.", "queue": "bug"}])],
    desk: Writing,
    expected: Expected,
    response: Response,
    reason: Reason = NO_REASON,
) -> Written:
    """Give a row another content, at its place. What was scored or learned before stays so."""
    dataset_id = await desk.id_of(KIND, dataset)
    command = wish(
        ReplaceRow,
        dataset_id=dataset_id,
        row=row,
        content=body,
        reason=reason,
        expected_version=expected,
    )
    return written(response, await desk.dispatch(command), f"{PATH}/{dataset_id}/rows/{row}")


@routes.delete("/{dataset}/rows/{row}")
async def remove_row(
    dataset: IdOrName,
    row: Row,
    desk: Writing,
    expected: Expected,
    response: Response,
    reason: Reason = NO_REASON,
) -> Written:
    """Take a row out. What was scored or learned before stays so, and can be repeated."""
    dataset_id = await desk.id_of(KIND, dataset)
    command = wish(
        RemoveRow, dataset_id=dataset_id, row=row, reason=reason, expected_version=expected
    )
    return written(response, await desk.dispatch(command), f"{PATH}/{dataset_id}")


@routes.get("/{dataset}/duplicates")
async def dataset_duplicates(
    dataset: IdOrName, request: Request, desk: Reading, split: Part = None
) -> Duplicates:
    """Find rows that say the same: within a part they repeat, across the parts they leak."""
    dataset_id = await desk.id_of(KIND, dataset)
    hashes: RowHashes = request.app.state.row_hashes

    def read() -> Duplicates:
        return duplicates(hashes.of(_dataset(desk, dataset_id), desk.deps.payloads, split))

    return await desk.run(read)


async def _loaded(
    desk: Writer, receipt: Receipt, request: Request, response: Response
) -> LoadedRows:
    found = await desk.run(partial(_repeats, desk, receipt, request.app.state.row_hashes))
    rows = await desk.run(
        lambda: _dataset(desk, receipt.id, version=receipt.version).loads[-1].rows
    )
    done = written(response, receipt, f"{PATH}/{receipt.id}")
    return LoadedRows(**done.model_dump(), **found.model_dump(), rows=rows)


def _repeats(desk: Desk, receipt: Receipt, hashes: RowHashes) -> Repeats:
    """What of the load with *receipt* was there already when it came."""
    dataset = _dataset(desk, receipt.id, version=receipt.version)
    return repeats(hashes.of(dataset, desk.deps.payloads), receipt.version)


def _dataset(desk: Desk, id: UUID, *, version: int | None = None) -> Dataset:
    history: Any = (each.event for each in desk.history(KIND, id)[:version])  # of its kind: checked
    return Dataset.fold(id, history)


def _roles(desk: Reader, program_id: UUID | None, dataset: Dataset) -> dict[str, str] | None:
    if program_id is None:
        return None
    history: Any = (each.event for each in desk.history("program", program_id))  # likewise
    program = Program.fold(program_id, history)
    number = program.deployed_version or program.latest_version
    spec = program.version_state(number).graph.signature
    return cast("dict[str, str]", fit(spec, dataset.fields).roles)


def _shown(each: Example, roles: dict[str, str] | None) -> ExampleView:
    said = {name: value for name, value in each.row.items() if not name.startswith(METADATA)}
    about = {name: value for name, value in each.row.items() if name not in said}
    return ExampleView(
        row=each.id,
        split=each.split,
        content_hash=content_hash(each.row).hex(),
        values=said,
        metadata=about,
        inputs=_in_role("input", said, roles),
        outputs=_in_role("output", said, roles),
    )


def _in_role(
    role: str, said: dict[str, JsonValue], roles: dict[str, str] | None
) -> dict[str, JsonValue] | None:
    if roles is None:
        return None
    return {name: value for name, value in said.items() if roles.get(name) == role}


def _after(cursor: str | None) -> str | None:
    """The row that *cursor* stands at.

    Raises:
        CursorIsInvalid: No page of rows gave it out.
    """
    if (found := decode(cursor)) is None:
        return None
    try:
        (row,) = found
        return _ROW_ID.validate_python(row)
    except (ValueError, ValidationError) as error:
        raise CursorIsInvalid from error
