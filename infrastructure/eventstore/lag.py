"""How far the projections are behind the log, as readiness and ``doctor`` show it."""

from dataclasses import dataclass
from typing import LiteralString

from psycopg.rows import class_row

from infrastructure.eventstore.recorder import Pool

_LAGS: LiteralString = """
    SELECT name, version, position,
           (SELECT stratal.head()) AS head,
           extract(epoch FROM clock_timestamp() - updated_at)::float8 AS heartbeat_age_s,
           failure
    FROM stratal.projections AS p
    WHERE NOT EXISTS (
        SELECT FROM stratal.projections AS later
        WHERE later.name = p.name AND later.version > p.version AND later.live
    )
    ORDER BY name, version
"""


@dataclass(frozen=True, slots=True)
class ProjectionLag:
    """Where a projection is, where the log ends, and when its leader last said that it is alive."""

    name: str
    version: int
    position: int
    head: int
    heartbeat_age_s: float
    failure: str | None


def lags(pool: Pool) -> list[ProjectionLag]:
    """Every projection that queries read, or that is being built to be read."""
    with (
        pool.connection() as connection,
        connection.cursor(row_factory=class_row(ProjectionLag)) as cursor,
    ):
        return cursor.execute(_LAGS).fetchall()
