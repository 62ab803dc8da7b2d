"""What ``stratal projections`` does, on the database of this machine's settings."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from infrastructure import bootstrap
from infrastructure.eventstore.fold_from_zero import Progress, without_limits
from infrastructure.eventstore.lag import ProjectionLag, lags
from infrastructure.eventstore.parking import Replay
from infrastructure.eventstore.parking_reports import ParkingReports
from infrastructure.eventstore.rebuild import Rebuilder
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.eventstore.repository import EventLog
from infrastructure.main.process import reaching_the_database
from infrastructure.postgres.pool import open_pool
from infrastructure.postgres.sessions import session
from infrastructure.settings import Settings
from projections.kernel import Projection
from projections.registry import PROJECTIONS

SILENT_AFTER_S = 15.0


class ProjectionIsUnknown(Exception):
    """This release has no projection of that name."""

    code: ClassVar[str] = "projection.unknown"

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"There is no projection {name!r}. Choose one of {', '.join(known)}.")


@dataclass(frozen=True, slots=True)
class ProjectionOffice:
    """Looks after *projections* in the database at *conninfo*."""

    conninfo: str
    projections: Sequence[Projection] = PROJECTIONS
    actor: str = "anonymous"

    def names(self) -> Sequence[str]:
        return [each.name for each in self.projections]

    def lags(self) -> Sequence[dict[str, Any]]:
        with open_pool(self.conninfo, min_size=1, max_size=1, name="projections") as pool:
            return [_shown(each) for each in lags(pool)]

    def verify(self, name: str, told: Progress) -> dict[str, Any]:
        found = self._rebuilder().verify(self._named(name), told)
        different = [each._asdict() for each in found.differences]
        return asdict(found) | {"differences": different, "is_well": found.is_well}

    def rebuild(self, name: str, told: Progress) -> dict[str, Any]:
        return asdict(self._rebuilder().rebuild(self._named(name), told))

    def replay(self, name: str) -> dict[str, Any]:
        projection = self._named(name)
        with without_limits(self._session()) as connection:
            done = Replay(connection, projection).run()
        with open_pool(self.conninfo, min_size=1, max_size=1, name="projections") as pool:
            reports = ParkingReports(pool, EventLog(PostgresRecorder(pool)))
            reports.replayed(name, projection.version, done.told, self.actor)
        return {"name": name, "folded": done.folded, "parked": done.parked}

    def _rebuilder(self) -> Rebuilder:
        return Rebuilder(self._session())

    def _session(self) -> str:
        return session(self.conninfo, "projections")

    def _named(self, name: str) -> Projection:
        for each in self.projections:
            if each.name == name:
                return each
        raise ProjectionIsUnknown(name, self.names())


@contextmanager
def projection_office(settings: Settings, actor: str) -> Generator[ProjectionOffice, None, None]:
    """The office of this home's database, for *actor*.

    An embedded one that was not running stops after it.
    """
    with reaching_the_database(), bootstrap.database(settings) as access:
        bootstrap.prepare(access)
        yield ProjectionOffice(access.service, actor=actor)


def _shown(lag: ProjectionLag) -> dict[str, Any]:
    why = lag.failure or (lag.parked_because and f"parked: {lag.parked_because}")
    behind = max(0, lag.head - lag.position)
    return {**asdict(lag), "behind": behind, "state": _state(lag), "why": why}


def _state(lag: ProjectionLag) -> str:
    if lag.failure:
        return "stopped"
    if lag.heartbeat_age_s > SILENT_AFTER_S:
        return "no projector"
    if not lag.live:
        return "building"
    return "degraded" if lag.parked else "live"
