"""Datasets over HTTP: rows as JSON, JSON lines or CSV, and what they look like in figures."""

from functools import partial
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Query, Request, Response, status
from pydantic import PositiveInt

from application.datasets import CreateDataset, LoadRows, rows_of
from application.errors import AggregateNotFound
from application.fitting import DatasetFit, fit
from application.rows import RowFormat, parse_rows
from domain.dataset.aggregate import Dataset
from domain.dataset.statistics import DatasetStatistics, statistics
from domain.dataset.values import Purpose, Split
from domain.program.aggregate import Program
from domain.text import LongText, Name
from infrastructure.api.bodies import NewThing
from infrastructure.api.dependencies import (
    Expected,
    IdOrName,
    Reader,
    Reading,
    Writing,
    id_or,
    wish,
)
from infrastructure.api.etags import Written, tag, written
from infrastructure.api.guard import media_type
from infrastructure.api.pages import LIMIT, After, Limit, PageView, decode, shown
from infrastructure.api.route import router
from projections import datasets as read_model
from projections.datasets import DatasetRow

KIND = "dataset"
PATH = "/v1/datasets"
routes = router(PATH, "datasets")

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


class NewDataset(NewThing):
    """A dataset without rows."""

    name: Name
    purpose: Purpose = Purpose.CUSTOM
    description: LongText | None = None


@routes.post("", status_code=status.HTTP_201_CREATED)
async def create_dataset(body: NewDataset, desk: Writing, response: Response) -> Written:
    """Create a dataset; load rows into it next."""
    values = body.model_dump(exclude={"id"}, exclude_unset=True)
    receipt = await desk.dispatch(
        wish(CreateDataset, dataset_id=desk.new_id(KIND, body.id), **values)
    )
    return written(response, receipt, f"{PATH}/{receipt.id}")


@routes.get("")
async def list_datasets(
    desk: Reading,
    name: Annotated[str | None, Query(description="Only those called so.")] = None,
    purpose: Annotated[Purpose | None, Query(description="Only those meant for this.")] = None,
    limit: Limit = LIMIT,
    cursor: After = None,
) -> PageView[DatasetRow]:
    """List datasets, newest first."""
    after = decode(cursor)
    return shown(
        await desk.read(
            lambda store: read_model.datasets(
                store, tenant=desk.tenant, name=name, purpose=purpose, limit=limit, after=after
            )
        )
    )


@routes.get("/{dataset}")
async def get_dataset(dataset: IdOrName, desk: Reading, response: Response) -> DatasetRow:
    """Read one dataset, by id or name."""
    wanted = id_or(dataset)
    row = await desk.read(lambda store: read_model.dataset(store, wanted, tenant=desk.tenant))
    if row is None:
        raise AggregateNotFound(KIND, wanted)
    tag(response, row.version)
    return row


@routes.post("/{dataset}/rows", status_code=status.HTTP_201_CREATED, openapi_extra=_ROWS_BODY)
async def load_rows(
    dataset: IdOrName,
    desk: Writing,
    expected: Expected,
    request: Request,
    response: Response,
    split: Annotated[Split, Query(description="The part to append to.")],
) -> Written:
    """Append rows: an array of objects, an object a line, or CSV with a header. All or none."""
    dataset_id = await desk.id_of(KIND, dataset)
    row_format = _FORMATS[media_type(request.headers.get("content-type", "application/json"))]
    body = await request.body()

    def command() -> LoadRows:
        rows = parse_rows(body, row_format)
        return wish(
            LoadRows, dataset_id=dataset_id, split=split, rows=rows, expected_version=expected
        )

    receipt = await desk.dispatch(await desk.run(command))
    return written(response, receipt, f"{PATH}/{dataset_id}")


@routes.get("/{dataset}/statistics")
async def dataset_statistics(
    dataset: IdOrName,
    desk: Reading,
    split: Annotated[Split | None, Query(description="One part; both if left out.")] = None,
) -> DatasetStatistics:
    """Sizes, fields, null rates, lengths, labels and duplicates, counted over the rows now."""
    dataset_id = await desk.id_of(KIND, dataset)
    return await desk.run(partial(_statistics, desk, dataset_id, split))


@routes.get("/{dataset}/fit")
async def fit_dataset(
    dataset: IdOrName,
    desk: Reading,
    program: Annotated[str, Query(min_length=1, max_length=200, description="Its id or name.")],
    program_version: Annotated[
        PositiveInt | None, Query(description="The deployed one if left out, or else the latest.")
    ] = None,
) -> DatasetFit:
    """Hold a dataset against a program: what each field is to it, what lacks, what is not used."""
    dataset_id, program_id = await desk.id_of(KIND, dataset), await desk.id_of("program", program)
    return await desk.run(partial(_fit, desk, dataset_id, program_id, program_version))


def _fit(desk: Reader, id: UUID, program_id: UUID, version: int | None) -> DatasetFit:
    program = Program.fold(program_id, (each.event for each in desk.history("program", program_id)))  # type: ignore[misc]  # history checks the kind
    number = version or program.deployed_version or program.latest_version
    return fit(program.version_state(number).graph.signature, _dataset(desk, id).fields)


def _dataset(desk: Reader, id: UUID) -> Dataset:
    return Dataset.fold(id, (each.event for each in desk.history(KIND, id)))  # type: ignore[misc]  # history checks the kind


def _statistics(desk: Reader, id: UUID, split: Split | None) -> DatasetStatistics:
    dataset = _dataset(desk, id)
    parts = list(Split) if split is None else [split]
    return statistics(row for part in parts for row in rows_of(dataset, part, desk.deps.payloads))
