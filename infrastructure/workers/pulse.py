"""Says that this worker lives, hears of new jobs, and frees the jobs of workers that died."""

import logging
import threading
from collections.abc import Callable

import psycopg
from psycopg import Connection

from infrastructure.workers.broadcast import BROADCAST
from infrastructure.workers.connections import connect
from infrastructure.workers.table import ADVISORY_SPACE, CHANNEL, JobTable

logger = logging.getLogger(__name__)

LOOK_S = 0.5
"""How often to look for dead workers. One is dead when two looks in a row did not find its lock:
a worker that only lost its connection has that long to take it again."""


FIRST_DELAY_S = 0.05
LONGEST_DELAY_S = LOOK_S / 2
"""After a restart of the database all workers must be back before one looks for the dead twice."""


class Pulse(threading.Thread):
    """One session a process: its advisory lock is the sign of life, its LISTEN the alarm clock.

    ``on_jobs`` is called with the queue that got a job, or ``None`` when any may have;
    ``on_broadcast`` with what is told to all workers.
    """

    def __init__(
        self,
        table: JobTable,
        on_jobs: Callable[[str | None], None],
        on_broadcast: Callable[[str], None],
    ) -> None:
        super().__init__(name="pulse", daemon=True)
        self._table = table
        self._on_jobs, self._on_broadcast = on_jobs, on_broadcast
        self._alive = threading.Event()
        self._stopping = threading.Event()

    def begin(self, *, timeout_s: float = 10) -> None:
        """Start, and wait until the worker counts as living; nothing may be claimed before.

        Raises:
            TimeoutError: The database did not answer in *timeout_s*.
        """
        self.start()
        if not self._alive.wait(timeout_s):
            raise TimeoutError(f"The database did not answer a new worker in {timeout_s} s.")

    def end(self) -> None:
        """Stop; from now on jobs that are still claimed go to other workers."""
        self._stopping.set()
        self.join(2 * LOOK_S + 1)

    def run(self) -> None:
        delay_s = FIRST_DELAY_S
        while not self._stopping.is_set():
            try:
                with connect(self._table.conninfo) as connection:
                    delay_s = FIRST_DELAY_S
                    self._beat(connection)
            except psycopg.OperationalError as error:
                if delay_s == FIRST_DELAY_S:
                    logger.warning("The worker lost the database and tries again: %s", error)
                self._stopping.wait(delay_s)
                delay_s = min(2 * delay_s, LONGEST_DELAY_S)

    def _beat(self, connection: Connection) -> None:
        ours, suspects = self._lock(connection), set[int]()
        connection.execute(f"LISTEN {CHANNEL}")
        connection.execute(f"LISTEN {BROADCAST}")
        self._on_jobs(None)
        while not self._stopping.is_set():
            if not ours:
                ours = self._lock(connection)
            for notice in connection.notifies(timeout=LOOK_S if ours else LOOK_S / 10):
                if notice.channel == BROADCAST:
                    self._on_broadcast(notice.payload)
                else:
                    self._on_jobs(notice.payload)
            self._table.settle_late()
            if strays := self._table.free_strays(connection):
                logger.warning("Freed %d jobs that were ours by the table alone.", strays)
            suspects = self._look(connection, suspects)

    def _lock(self, connection: Connection) -> bool:
        # The former session may live on in the server for a moment and speak for us until then.
        row = connection.execute(
            "SELECT pg_try_advisory_lock(%s, %s)", [ADVISORY_SPACE, self._table.owner]
        ).fetchone()
        if row == (True,):
            self._alive.set()
            return True
        return False

    def _look(self, connection: Connection, suspects: set[int]) -> set[int]:
        lifeless = self._table.lifeless(connection)
        if dead := lifeless & suspects:
            freed = self._table.reap(connection, dead)
            logger.warning("Freed %d jobs of %d workers that died.", freed, len(dead))
        return lifeless - dead
