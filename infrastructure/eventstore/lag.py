"""How far the projections are behind the log, as readiness and the command line show it."""

from dataclasses import dataclass
from typing import LiteralString

from psycopg.rows import class_row

from infrastructure.eventstore.recorder import Pool

_LAGS: LiteralString = """
    SELECT name, version, live, position, stratal.head() AS head,
           coalesce((
               SELECT extract(epoch FROM clock_timestamp() - e.recorded_at)::float8
               FROM stratal.events_after(p.position, NULL, NULL, NULL, 1) AS e), 0) AS behind_s,
           extract(epoch FROM clock_timestamp() - updated_at)::float8 AS heartbeat_age_s,
           (SELECT count(*) FROM stratal.parked AS k
            WHERE k.projection = p.name AND k.version = p.version) AS parked,
           (SELECT format('event at position %s (%s): %s', k.position, k.topic, k.reason)
            FROM stratal.parked AS k WHERE k.projection = p.name AND k.version = p.version
            ORDER BY k.position LIMIT 1) AS parked_because,
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
    """Where a projection is, where the log ends, and when its leader last said that it is alive.

    ``behind_s`` is the age of the oldest event it has not seen. ``parked`` is the number of events
    it does without, ``parked_because`` the reason of the first, ``failure`` why it has stopped.
    """

    name: str
    version: int
    live: bool
    position: int
    head: int
    behind_s: float
    heartbeat_age_s: float
    parked: int
    parked_because: str | None
    failure: str | None


def lags(pool: Pool) -> list[ProjectionLag]:
    """Every projection that queries read, or that is being built to be read."""
    with (
        pool.connection() as connection,
        connection.cursor(row_factory=class_row(ProjectionLag)) as cursor,
    ):
        return cursor.execute(_LAGS).fetchall()
