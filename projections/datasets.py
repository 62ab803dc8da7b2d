"""One row for each dataset: how many rows each part has, which fields, and what was loaded when."""

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar, LiteralString
from uuid import UUID

from pydantic import Field

from domain.dataset.events import (
    DatasetCreated,
    DatasetRowRemoved,
    DatasetRowReplaced,
    DatasetRowsLoaded,
)
from domain.dataset.values import Purpose, Split
from domain.kernel import Event, Recorded
from domain.values import PayloadRef
from projections.folding import documents, row
from projections.kernel import Projection, ReadStore, Write
from projections.paging import DEFAULT_LIMIT, NEWEST_FIRST, Cursor, Page, Row, Select
from projections.past import Kept, grown


class DatasetRow(Row):
    dataset_id: UUID
    version: int = Field(description="How many events it has had: its ETag.")
    position: int = Field(description="Where in the log it was created; newer ones are greater.")
    name: str
    purpose: Purpose
    description: str | None
    train_rows: int = Field(description="Rows that an optimizer may learn from.")
    heldout_rows: int = Field(description="Rows that only ever judge.")
    size: int = Field(description="All rows.")
    fields: tuple[str, ...] = Field(description="Every field of its rows, first seen first.")
    loads: int = Field(description="How often rows were loaded into it.")
    replaced: int = Field(description="How often a row was given another content.")
    removed: int = Field(description="How many rows were taken out.")
    created_at: datetime
    created_by: str
    updated_at: datetime


class LoadRow(Row):
    """One load of rows into one part. ``chunks`` are JSON arrays of rows, in order."""

    position: int
    split: Split
    count: int
    size_bytes: int
    fields: tuple[str, ...]
    chunks: tuple[PayloadRef, ...]
    loaded_at: datetime
    loaded_by: str


_DATASET = Kept(
    "dataset",
    fixed=("name", "purpose", "description", "created_at", "created_by"),
    changing=(
        "version",
        "train_rows",
        "heldout_rows",
        "fields",
        "loads",
        "replaced",
        "removed",
        "updated_at",
    ),
)


class Datasets(Projection):
    name: ClassVar[str] = "datasets"
    version: ClassVar[int] = 3
    schema: ClassVar[LiteralString] = (
        """
        CREATE TABLE dataset (
            tenant       text NOT NULL,
            dataset_id   uuid NOT NULL,
            version      bigint NOT NULL,
            position     bigint NOT NULL,
            name         text NOT NULL,
            purpose      text NOT NULL,
            description  text,
            train_rows   bigint NOT NULL DEFAULT 0,
            heldout_rows bigint NOT NULL DEFAULT 0,
            fields       text[] NOT NULL DEFAULT '{}',
            loads        integer NOT NULL DEFAULT 0,
            replaced     integer NOT NULL DEFAULT 0,
            removed      integer NOT NULL DEFAULT 0,
            created_at   timestamptz NOT NULL,
            created_by   text NOT NULL,
            updated_at   timestamptz NOT NULL,
            PRIMARY KEY (tenant, dataset_id)
        );
        CREATE INDEX dataset_newest ON dataset (tenant, position);
        CREATE INDEX dataset_name ON dataset (tenant, name, position);
        CREATE TABLE dataset_load (
            tenant     text NOT NULL,
            dataset_id uuid NOT NULL,
            position   bigint NOT NULL,
            split      text NOT NULL,
            count      integer NOT NULL,
            size_bytes bigint NOT NULL,
            fields     text[] NOT NULL,
            chunks     json NOT NULL,
            loaded_at  timestamptz NOT NULL,
            loaded_by  text NOT NULL,
            PRIMARY KEY (tenant, dataset_id, position)
        );
    """
        + _DATASET.schema
    )
    past: ClassVar[tuple[LiteralString, ...]] = (_DATASET.past, grown("dataset_load"))
    events: ClassVar[tuple[type[Event], ...]] = (
        DatasetCreated,
        DatasetRowsLoaded,
        DatasetRowReplaced,
        DatasetRowRemoved,
    )

    def project(self, recorded: Recorded) -> Iterable[Write]:
        match recorded.event:
            case DatasetCreated(name=name, purpose=purpose, description=description):
                columns = row(recorded, name=name, purpose=purpose.value, description=description)
                yield Write(_CREATE, columns)
            case DatasetRowsLoaded() as loaded:
                columns = row(recorded, **_loaded(loaded))
                yield Write(_GROW, columns)
                yield Write(_LOAD, columns)
            case DatasetRowReplaced():
                yield Write(_REPLACE, row(recorded))
            case DatasetRowRemoved(split=split):
                train = int(split is Split.TRAIN)
                yield Write(_REMOVE, row(recorded, train=train, heldout=1 - train))
            case _:
                pass


def datasets(
    store: ReadStore,
    *,
    tenant: str,
    name: str | None = None,
    purpose: Purpose | None = None,
    limit: int = DEFAULT_LIMIT,
    after: Cursor | None = None,
) -> Page[DatasetRow]:
    """The newest datasets first."""
    select = Select(_SELECT, of=Datasets, tenant=tenant).where("name = %(name)s", name=name)
    select.where("purpose = %(purpose)s", purpose=purpose and purpose.value)
    return select.page(store, DatasetRow, NEWEST_FIRST, limit=limit, after=after)


def dataset(store: ReadStore, id_or_name: UUID | str, *, tenant: str) -> DatasetRow | None:
    """One dataset, by its id or its name."""
    select = Select(_SELECT, of=Datasets, tenant=tenant).called("dataset_id", id_or_name)
    return select.first(store, DatasetRow, order="position DESC")


def loads(
    store: ReadStore,
    dataset_id: UUID,
    *,
    tenant: str,
    limit: int = DEFAULT_LIMIT,
    after: Cursor | None = None,
) -> Page[LoadRow]:
    """What was loaded into a dataset, newest first."""
    select = Select(_LOADS, of=Datasets, tenant=tenant).where("dataset_id = %(id)s", id=dataset_id)
    return select.page(store, LoadRow, NEWEST_FIRST, limit=limit, after=after)


def _loaded(event: DatasetRowsLoaded) -> dict[str, object]:
    return {
        "split": event.split.value,
        "count": event.count,
        "train": event.count if event.split is Split.TRAIN else 0,
        "heldout": event.count if event.split is Split.HELDOUT else 0,
        "size_bytes": sum(chunk.size_bytes for chunk in event.chunks),
        "fields": list(event.fields),
        "chunks": documents(event.chunks),
    }


_SELECT: LiteralString = """
    SELECT dataset_id, version, position, name, purpose, description, train_rows, heldout_rows,
           train_rows + heldout_rows AS size, fields, loads, replaced, removed,
           created_at, created_by, updated_at
    FROM dataset WHERE tenant = %(tenant)s"""

_LOADS: LiteralString = """
    SELECT position, split, count, size_bytes, fields, chunks, loaded_at, loaded_by
    FROM dataset_load WHERE tenant = %(tenant)s"""

_CREATE: LiteralString = """
    INSERT INTO dataset (tenant, dataset_id, version, position, name, purpose, description,
                         created_at, created_by, updated_at)
    VALUES (%(tenant)s, %(id)s, %(version)s, %(position)s, %(name)s, %(purpose)s,
            %(description)s, %(at)s, %(actor)s, %(at)s)
    ON CONFLICT DO NOTHING"""

_GROW = _DATASET.update("""loads = loads + 1,
        train_rows = train_rows + %(train)s, heldout_rows = heldout_rows + %(heldout)s,
        fields = fields || ARRAY(
            SELECT field FROM unnest(%(fields)s::text[]) WITH ORDINALITY AS new (field, place)
            WHERE field <> ALL (fields) ORDER BY place)""")

_REPLACE = _DATASET.update("replaced = replaced + 1")

_REMOVE = _DATASET.update("""removed = removed + 1,
        train_rows = train_rows - %(train)s, heldout_rows = heldout_rows - %(heldout)s""")

_LOAD: LiteralString = """
    INSERT INTO dataset_load (tenant, dataset_id, position, split, count, size_bytes, fields,
                              chunks, loaded_at, loaded_by)
    VALUES (%(tenant)s, %(id)s, %(position)s, %(split)s, %(count)s, %(size_bytes)s, %(fields)s,
            %(chunks)s, %(at)s, %(actor)s)
    ON CONFLICT DO NOTHING"""
