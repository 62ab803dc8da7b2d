"""Runs that a process took up in the append that stored their request."""

from dataclasses import dataclass, field
from uuid import UUID

from application.payloads import Payload
from domain.execution.aggregate import Execution


@dataclass(frozen=True, slots=True)
class TakenUp:
    """What this process took up and has not come to yet: it need not be read from the log.

    Only a hint. A run that is not in here, or was lost with its process, is taken up anew by
    whoever carries out its job.
    """

    _runs: dict[UUID, tuple[Execution, Payload]] = field(
        default_factory=dict[UUID, tuple[Execution, Payload]]
    )

    def keep(self, run: Execution, inputs: Payload) -> None:
        """Have *run*, which is running here, at hand as it is stored now."""
        self._runs[run.id] = run, inputs

    def take(self, id: UUID) -> tuple[Execution, Payload] | tuple[None, None]:
        """The run *id* and its inputs, once."""
        return self._runs.pop(id, (None, None))
