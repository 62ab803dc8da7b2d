"""Work that one process of all does at a time, chosen by an advisory lock of the database."""

import logging
import threading
from collections.abc import Callable

from psycopg import Connection

from infrastructure.workers.connections import connect
from infrastructure.workers.table import CHANNEL

logger = logging.getLogger(__name__)

ADVISORY_SPACE = 0x4C4541
FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 2.0


class Leading(threading.Thread):
    """Calls *work* every *every_s* seconds while this process leads.

    A leader that dies loses its lock with its session; another process leads within *every_s*.
    With *on_jobs* it also works as soon as a job is queued.
    """

    def __init__(
        self,
        conninfo: str,
        name: str,
        work: Callable[[Connection], None],
        *,
        every_s: float,
        on_jobs: bool = False,
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._conninfo, self._work = conninfo, work
        self._every_s, self._on_jobs = every_s, on_jobs
        self._stopping = threading.Event()

    def end(self) -> None:
        """Stop leading; what is under way is finished first."""
        self._stopping.set()
        self.join(STEP_S + LONGEST_DELAY_S)

    def run(self) -> None:
        delay_s = FIRST_DELAY_S
        while not self._stopping.is_set():
            try:
                with connect(self._conninfo) as connection:
                    self._lead(connection)
                    delay_s = FIRST_DELAY_S
            except Exception as error:  # noqa: BLE001 - a broker's client may raise anything
                if delay_s == FIRST_DELAY_S:
                    logger.warning("%s failed and starts again: %s", self.name, error)
                self._stopping.wait(delay_s)
                delay_s = min(2 * delay_s, LONGEST_DELAY_S)

    def _lead(self, connection: Connection) -> None:
        if self._on_jobs:
            connection.execute(f"LISTEN {CHANNEL}")
        while not self._stopping.is_set():
            row = connection.execute(
                "SELECT pg_try_advisory_lock(%s, hashtext(%s))", [ADVISORY_SPACE, self.name]
            ).fetchone()
            if row == (True,):
                break
            self._stopping.wait(self._every_s)
        while not self._stopping.is_set():
            self._work(connection)
            self._rest(connection)

    def _rest(self, connection: Connection) -> None:
        left_s = self._every_s
        while left_s > 0 and not self._stopping.is_set():
            if any(connection.notifies(timeout=min(left_s, STEP_S), stop_after=1)):
                return
            left_s -= STEP_S


STEP_S = 0.2
"""How long the end may have to wait."""
