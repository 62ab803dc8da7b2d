"""The projector process: follows the log and keeps the read models."""

import logging
import signal
import threading

from infrastructure import bootstrap
from infrastructure.eventstore.projector import ProjectionRunner
from infrastructure.postgres.listener import LogListener
from infrastructure.postgres.sessions import session
from infrastructure.settings import Settings
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
    conninfo = bootstrap.connect(Settings.from_environment())
    with LogListener(conninfo) as listener:
        listener.subscribe(lambda _: wake.set())
        ProjectionRunner(session(conninfo, "projector"), PROJECTIONS).run(stop, wake)


if __name__ == "__main__":
    main()
