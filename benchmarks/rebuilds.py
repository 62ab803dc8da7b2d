"""How fast read models come from the log: to catch up, and to be rebuilt and verified."""

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from benchmarks import filling
from benchmarks.report import show
from infrastructure.eventstore.projector import ProjectionRunner
from infrastructure.eventstore.rebuild import Rebuilder
from infrastructure.postgres.sessions import session
from projections.audit_trail import AuditTrail
from projections.kernel import Projection
from projections.program_catalog import ProgramCatalog

PROJECTIONS: Final[tuple[type[Projection], ...]] = (ProgramCatalog, AuditTrail)


@dataclass(frozen=True)
class RebuildRow:
    """One read model over one log; a rebuild includes its verification and the switch."""

    name: str
    log: str
    events: int
    caught_up_per_s: float
    rebuilt_per_s: float


def measure(owner: str, service: str, log: str, size: int) -> list[RebuildRow]:
    """Fill an empty log, of ``mixed`` events or of ``programs`` alone, and build from it."""
    streams = filling.mixed() if log == "mixed" else filling.programs()
    events = filling.fill(owner, streams, size)
    return [_row(service, each(), log, events) for each in PROJECTIONS]


def report(rows: Sequence[RebuildRow]) -> None:
    """Print the rows."""
    show(
        "Read models from the log, events a second",
        ["read model", "log", "events", "catches up", "is rebuilt and verified"],
        [
            [
                row.name,
                row.log,
                f"{row.events:,}",
                f"{row.caught_up_per_s:,.0f}",
                f"{row.rebuilt_per_s:,.0f}",
            ]
            for row in rows
        ],
    )


def _row(service: str, projection: Projection, log: str, events: int) -> RebuildRow:
    began = time.perf_counter()
    with closing(ProjectionRunner(service, [projection])) as runner:
        while runner.step():
            pass
    caught_up = time.perf_counter()
    rebuilt = Rebuilder(session(service, "bench", limited=False)).rebuild(projection)
    ended = time.perf_counter()
    assert (rebuilt.position, rebuilt.verified_against) == (events, "live tables")
    return RebuildRow(
        name=projection.name,
        log=log,
        events=events,
        caught_up_per_s=round(events / (caught_up - began)),
        rebuilt_per_s=round(events / (ended - caught_up)),
    )
