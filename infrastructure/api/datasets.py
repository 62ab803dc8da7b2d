"""Datasets over HTTP: what there is, what it looks like in figures, and what it is fit for."""

from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import Query, Response, status
from pydantic import PositiveInt

from application.datasets import CreateDataset
from application.errors import AggregateNotFound
from application.examples import rows_of
from application.fitting import DatasetFit, fit
from domain.dataset.aggregate import Dataset
from domain.dataset.statistics import DatasetStatistics, statistics
from domain.dataset.values import Purpose, Split
from domain.program.aggregate import Program
from domain.text import LongText, Name
from infrastructure.api.bodies import NewThing
from infrastructure.api.dependencies import IdOrName, Reader, Reading, Writing, id_or, wish
from infrastructure.api.etags import Written, tag, written
from infrastructure.api.pages import LIMIT, After, Limit, PageView, decode, shown
from infrastructure.api.route import router
from projections import datasets as read_model
from projections.datasets import DatasetRow

KIND = "dataset"
PATH = "/v1/datasets"
routes = router(PATH, "datasets")


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
