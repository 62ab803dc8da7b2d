"""``stratal serve``: embedded Postgres, projector, notary, workers and API as one group."""

import logging
import os
import socket
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress

from infrastructure import bootstrap
from infrastructure.main.address import ANY, free_port, url_of
from infrastructure.main.owner import Serving, sole_owner
from infrastructure.postgres.roles import Access
from infrastructure.settings import Settings
from infrastructure.supervision import Child, ChildSpec, Supervisor, stop_on_signals

logger = logging.getLogger("stratal.serve")

LOOK_S = 0.1


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM, then stop API, workers, followers and Postgres in that order.

    Raises:
        AlreadyServing, HomeIsUnusable: The home is taken or cannot be written.
        AddressIsUnusable: Nothing can listen on the host and port.
        PostgresError: The database cannot be used.
    """
    stop = stop_on_signals()
    with sole_owner(settings.home) as announce:
        port = free_port(settings.host, settings.port)
        url = url_of(settings.host, port)
        with bootstrap.database(settings) as access:
            bootstrap.prepare(access)
            if stop.is_set():
                return
            here = _handed_on(settings, access, port)
            supervisor = Supervisor(*_groups(here))
            supervisor.start()
            announce(Serving(url, settings.lm))
            try:
                _say_when_it_listens(supervisor, stop, here)
                supervisor.run(stop)
            finally:
                announce(None)
                supervisor.stop()


def _handed_on(settings: Settings, access: Access, port: int) -> Settings:
    """What the processes are told: of the database the service's address alone, and no key."""
    only = {"database_url": access.service, "database_owner_url": None, "api_key": None}
    return settings.model_copy(update={**only, "port": port})


def _say_when_it_listens(supervisor: Supervisor, stop: threading.Event, settings: Settings) -> None:
    url = url_of(settings.host, settings.port)
    while not stop.wait(LOOK_S):
        supervisor.tick()
        address = (ANY.get(settings.host, settings.host), settings.port)
        with suppress(OSError), socket.create_connection(address, timeout=1):
            logger.info("serving on %s, its pages on %s/docs; Ctrl-C stops it", url, url)
            return


def _groups(settings: Settings) -> Sequence[Sequence[Child]]:
    environment = os.environ | settings.environment()
    specs = [
        [_process("projector", grace_s=5), _process("notary", grace_s=5)],
        [_process("worker", number, grace_s=12) for number in range(1, settings.workers + 1)],
        [_process("api", grace_s=5)],
    ]
    return [[Child(spec, environment) for spec in group] for group in specs]


def _process(role: str, number: int = 0, *, grace_s: float) -> ChildSpec:
    name = f"{role}-{number}" if number else role
    return ChildSpec(name, [sys.executable, "-m", "infrastructure.main.process", role], grace_s)
