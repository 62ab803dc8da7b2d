"""Carries a job to the command bus of this process."""

import logging
from collections.abc import Callable

from application.commands import Command
from application.context import Context
from application.errors import ConcurrentWrite, StoreIsUnavailable
from application.tracing import Tracing
from domain.errors import DomainError
from infrastructure.workers.jobs import Job

logger = logging.getLogger(__name__)

Dispatch = Callable[[Command, Context], object]


class Carrier:
    """Dispatches the command of a job in the context, and in the trace, of what caused it."""

    def __init__(self, dispatch: Dispatch, tracing: Tracing) -> None:
        self._dispatch = dispatch
        self._tracing = tracing

    def carry(self, job: Job) -> None:
        """Carry *job* out. A refusal of the domain is an answer: it is logged, and the job is done.

        Raises:
            StoreIsUnavailable: The database is away; try again.
            ConcurrentWrite: Another writer was faster; try again.
        """
        name = type(job.command).__name__
        with self._tracing.continued(job.context.traceparent, f"job {name}") as span:
            span.set({"stratal.command": name, "stratal.job": str(job.id)})
            try:
                self._dispatch(job.command, job.envelope(self._tracing.traceparent()))
            except (StoreIsUnavailable, ConcurrentWrite):
                raise
            except DomainError as refusal:
                span.set({"stratal.refused": refusal.code})
                logger.warning("%s %s was refused (%s): %s", name, job.id, refusal.code, refusal)
