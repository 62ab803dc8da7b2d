"""The projector process: follows the log and keeps the read models."""

import gc
import logging
import signal
import threading

from application.tracing import NoTracing
from infrastructure import bootstrap
from infrastructure.eventstore.parking_reports import ParkingReports
from infrastructure.eventstore.projector import ProjectionRunner
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.eventstore.repository import EventLog
from infrastructure.pools import POOLS
from infrastructure.postgres.listener import LogListener
from infrastructure.postgres.pool import open_pool
from infrastructure.postgres.sessions import session
from infrastructure.settings import Settings
from infrastructure.telemetry.setup import build_metrics
from projections.registry import PROJECTIONS


def main() -> None:
    """Project until SIGTERM or Ctrl-C."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s projector %(message)s")
    stop, wake = threading.Event(), threading.Event()

    def end(_number: int, _frame: object) -> None:
        stop.set()
        wake.set()

    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
    build_metrics("projector", POOLS.states, NoTracing())
    conninfo = bootstrap.connect(Settings.from_environment())
    with (
        open_pool(conninfo, min_size=0, max_size=1, name="projector") as pool,
        LogListener(conninfo) as listener,
    ):
        listener.subscribe(lambda _: wake.set())
        reports = ParkingReports(pool, EventLog(PostgresRecorder(pool)))
        gc.freeze()  # what was imported is never garbage: a collection need not look at it
        ProjectionRunner(
            session(conninfo, "projector"), PROJECTIONS, tell_parked=reports.parked
        ).run(stop, wake)


if __name__ == "__main__":
    main()
