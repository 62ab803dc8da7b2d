"""``stratal serve``: embedded Postgres, projector, workers and API as one supervised group."""

import fcntl
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infrastructure import bootstrap
from infrastructure.settings import Settings
from infrastructure.supervision import Child, ChildSpec, Supervisor, stop_on_signals

logger = logging.getLogger("stratal.serve")


class AlreadyServing(Exception):
    """Another ``stratal serve`` owns this home."""

    code = "serve.already_running"

    def __init__(self, home: Path) -> None:
        super().__init__(
            f"Another `stratal serve` runs on {home}. Use it, stop it, or set STRATAL_HOME."
        )


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM, then stop API, workers, projector and Postgres in that order.

    Raises:
        AlreadyServing: The home is taken; nothing was started.
    """
    stop = stop_on_signals()
    with _sole_owner(settings.home), bootstrap.database(settings) as url:
        bootstrap.prepare(url)
        supervisor = Supervisor(_children(settings.model_copy(update={"database_url": url})))
        supervisor.start()
        logger.info("serving on http://%s:%s", settings.host, settings.port)
        try:
            supervisor.run(stop)
        finally:
            supervisor.stop()


def _children(settings: Settings) -> list[Child]:
    environment = os.environ | settings.environment()
    specs = [
        _process("projector", grace_s=5),
        *(_process("worker", number, grace_s=12) for number in range(1, settings.workers + 1)),
        _process("api", grace_s=5),
    ]
    return [Child(spec, environment) for spec in specs]


def _process(role: str, number: int = 0, *, grace_s: float) -> ChildSpec:
    name = f"{role}-{number}" if number else role
    return ChildSpec(name, [sys.executable, "-m", f"infrastructure.main.{role}"], grace_s)


@contextmanager
def _sole_owner(home: Path) -> Iterator[None]:
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (home / "serve.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyServing(home) from None
        yield
