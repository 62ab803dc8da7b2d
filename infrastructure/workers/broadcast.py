"""Commands that every worker carries out for itself, told in the transaction that caused them.

They are told over NOTIFY and kept nowhere: a worker that misses one is only slower.
"""

import json
import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from queue import SimpleQueue
from typing import Final

from application.commands import Command
from domain.kernel import Recorded
from infrastructure.sql import Statements
from infrastructure.workers.jobs import Job, caused

logger = logging.getLogger(__name__)

BROADCAST: Final = "stratal_workers"


class BroadcastWriter:
    """Tells all workers what appended events call for, once they are committed."""

    def __init__(self, reactions: Callable[[Recorded], Iterable[Command]]) -> None:
        self._reactions = reactions

    def __call__(
        self, into: Statements, recorded: Sequence[Recorded], payloads: object = ()
    ) -> None:
        """Tell the commands that *recorded* call for; most call for none."""
        del payloads
        for cause in recorded:
            for command in self._reactions(cause):
                into.execute("SELECT pg_notify(%s, %s)", [BROADCAST, _told(caused(command, cause))])


class Broadcasts(threading.Thread):
    """Carries out what is told, one after the other, beside the jobs of this worker."""

    def __init__(self, commands: Iterable[type[Command]], carry: Callable[[Job], object]) -> None:
        super().__init__(name="broadcasts", daemon=True)
        self._commands: Mapping[str, type[Command]] = {each.__name__: each for each in commands}
        self._carry = carry
        self._waiting: SimpleQueue[str] = SimpleQueue()

    def heard(self, told: str) -> None:
        """Have it carried out soon; returns at once."""
        self._waiting.put(told)

    def run(self) -> None:
        while True:
            told = self._waiting.get()
            try:
                self._carry(self._job(told))
            except Exception:  # whoever needs it runs into the same, and is told
                logger.warning("%s was not carried out here.", told, exc_info=True)

    def _job(self, told: str) -> Job:
        name, job_id, body = json.loads(told)
        return Job.read(self._commands[name], id=job_id, **body)


def _told(job: Job) -> str:
    return json.dumps([type(job.command).__name__, str(job.id), job.body()])
