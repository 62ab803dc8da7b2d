"""Read models in a test's database: given these events, then those rows."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Self
from uuid import UUID

import psycopg
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier

from domain.kernel import Event, Recorded
from infrastructure.eventstore.projection_tables import Folded, ProjectionTables
from infrastructure.postgres.pool import open_pool
from infrastructure.postgres.read_store import PostgresReadStore
from projections.kernel import Projection, ReadStore, Write
from projections.paging import Page
from projections.registry import PROJECTIONS
from tests.support.histories import Log


def for_tenant(tenant: str, recorded: Iterable[Recorded]) -> Sequence[Recorded]:
    """The same history as if it had happened to *tenant*."""
    return [
        replace(each, envelope=each.envelope.model_copy(update={"tenant": tenant}))
        for each in recorded
    ]


def writes_of(projection: Projection, recorded: Iterable[Recorded]) -> Iterator[Write]:
    for each in recorded:
        if isinstance(each.event, projection.events):
            yield from projection.project(each)


@dataclass(frozen=True)
class ReadModels:
    """The tables of *projections*, written as the projector writes them, without its log."""

    tables: ProjectionTables
    store: PostgresReadStore
    projections: Sequence[Projection]

    def project(self, recorded: Sequence[Recorded], *, batch: int = 500) -> None:
        """Fold *recorded* into every table, whatever was folded before."""
        for projection in self.projections:
            for start in range(0, len(recorded), batch):
                part = recorded[start : start + batch]
                position = part[-1].position
                assert position is not None
                self._rewind(projection)
                self.tables.write([Folded(projection, list(writes_of(projection, part)), position)])

    def dump(self, tenant: str) -> Mapping[str, Sequence[str]]:
        """Every row of *tenant* by table, with the tenant's own name left out."""
        return {table: list(self._rows(schema, table, tenant)) for schema, table in self.names()}

    def names(self) -> Sequence[tuple[str, str]]:
        """The schema and the name of every table."""
        schemas = [f"{each.name}_v{each.version}" for each in self.projections]
        sql = "SELECT schemaname, tablename FROM pg_tables WHERE schemaname = ANY(%s) ORDER BY 1, 2"
        return self.tables.connection.execute(sql, [schemas]).fetchall()

    def explain(self, sql: str, params: Mapping[str, object]) -> str:
        """The plan of a query; it takes an index if there is one, small as the table may be."""
        with psycopg.connect(self.tables.connection.info.dsn, row_factory=dict_row) as connection:
            path = SQL(", ").join(Identifier(schema) for schema, _ in self.names())
            connection.execute("SET enable_seqscan TO off")
            connection.execute(SQL("SET search_path TO {}").format(path))
            found = connection.execute(b"EXPLAIN " + sql.encode(), params).fetchall()
        return "\n".join(row["QUERY PLAN"] for row in found)

    def _rewind(self, projection: Projection) -> None:
        """Histories of several tenants have the same positions; a position only moves forward."""
        sql = "UPDATE stratal.projections SET position = 0 WHERE name = %s AND version = %s"
        self.tables.connection.execute(sql, (projection.name, projection.version))

    def _rows(self, schema: str, table: str, tenant: str) -> Iterator[str]:
        sql = SQL("SELECT to_json(t) FROM {} AS t WHERE tenant = %s")
        found = self.tables.connection.execute(sql.format(Identifier(schema, table)), [tenant])
        for (row,) in sorted(found, key=repr):
            yield json.dumps(row).replace(tenant, "<tenant>")


@contextmanager
def read_models(
    conninfo: str, projections: Sequence[Projection] = PROJECTIONS
) -> Iterator[ReadModels]:
    """Fresh tables in the database at *conninfo*."""
    with (
        psycopg.connect(conninfo, autocommit=True) as connection,
        open_pool(conninfo, min_size=1, max_size=2, name="read-models") as pool,
    ):
        tables = ProjectionTables(connection)
        for each in projections:
            tables.open(each)
        yield ReadModels(tables, PostgresReadStore(pool, projections), projections)


@dataclass
class ProjectionScenario:
    """Given these events, then a query finds those rows; only the named fields are compared."""

    models: ReadModels
    log: Log = field(default_factory=Log)

    def given(self, id: UUID, *events: Event, **envelope: Any) -> Self:
        self.models.project(self.log.append(id, *events, **envelope))
        return self

    def given_log(self, log: Log) -> Self:
        self.log = log
        self.models.project(log.recorded)
        return self

    def then_rows(
        self, query: Callable[..., Page[Any]], *expected: Mapping[str, object], **arguments: Any
    ) -> None:
        """*query*, asked by the log's tenant, finds exactly the *expected* rows in that order."""
        page = query(self.models.store, tenant=self.log.tenant, **arguments)
        assert [
            {name: getattr(row, name) for name in wanted}
            for row, wanted in zip(page.rows, expected, strict=True)
        ] == list(expected)

    def then_row(self, query: Callable[..., Any], **expected: object) -> None:
        """*query* finds one row with the *expected* fields."""
        row = query(self.models.store, tenant=self.log.tenant)
        assert row is not None
        assert {name: getattr(row, name) for name in expected} == expected


@dataclass
class Eavesdropper:
    """A read store that notes what it is asked."""

    store: ReadStore
    asked: list[tuple[str, Mapping[str, object]]] = field(
        default_factory=list[tuple[str, Mapping[str, object]]]
    )
    about: list[type[Projection]] = field(default_factory=list[type[Projection]])

    def rows(
        self, sql: Any, params: Mapping[str, object], *, of: type[Projection] | None = None
    ) -> Sequence[Mapping[str, object]]:
        self.asked.append((sql, params))
        self.about += [of] if of else []
        return self.store.rows(sql, params, of=of)


def pages(query: Callable[..., Page[Any]], *arguments: Any, **options: Any) -> Iterator[Page[Any]]:
    """Every page of *query*, the first one first."""
    page = query(*arguments, **options)
    yield page
    while page.next is not None:
        page = query(*arguments, **options, after=page.next)
        yield page
