"""What each program takes and gives: as much of the catalog as the typed API is made of."""

from collections.abc import Sequence
from typing import LiteralString
from uuid import UUID

from pydantic import Field

from projections.kernel import ReadStore
from projections.paging import Row, Select
from projections.program_catalog import ProgramCatalog


class ProgramTypes(Row):
    """A program in service, and as JSON text the signature of the version that runs unasked."""

    program_id: UUID
    name: str
    description: str | None
    signature: str


class CatalogState(Row):
    """How far the programs of a tenant have come."""

    generation: int = Field(description="Grows with every event of any program.")
    in_service: int = Field(description="How many programs are in service.")


def catalog_state(store: ReadStore, *, tenant: str) -> CatalogState:
    """What tells one state of the tenant's programs from every other: all there is to compare."""
    return Select(_STATE, of=ProgramCatalog, tenant=tenant).only(store, CatalogState)


def program_types(
    store: ReadStore, *, tenant: str, names: Sequence[str] = (), limit: int
) -> tuple[ProgramTypes, ...]:
    """The newest programs in service, the oldest of them first; only those of *names*, if any."""
    params = {"tenant": tenant, "names": list(names) or None, "rows": limit}
    found = store.rows(_SELECT, params, of=ProgramCatalog)
    return tuple(ProgramTypes.model_validate(dict(row)) for row in reversed(found))


_STATE: LiteralString = """
    SELECT coalesce(sum(version), 0)::bigint AS generation,
           count(*) FILTER (WHERE stage <> 'retired' AND archived_at IS NULL) AS in_service
    FROM program WHERE tenant = %(tenant)s"""

_SELECT: LiteralString = """
    SELECT program_id, name, description, (ran.graph -> 'signature')::text AS signature
    FROM program JOIN program_graph AS ran USING (tenant, program_id)
    WHERE tenant = %(tenant)s AND stage <> 'retired' AND archived_at IS NULL
      AND ran.program_version = coalesce(deployed_version, latest_version)
      AND (%(names)s::text[] IS NULL OR name = ANY(%(names)s))
    ORDER BY position DESC LIMIT %(rows)s"""
