"""What is refused about programs, and what to do then."""

from collections.abc import Sequence
from typing import ClassVar
from uuid import UUID

from domain.errors import ConflictError, Fault, InvalidError, NotFoundError
from domain.program.values import Action, Stage


class InvalidGraph(InvalidError):
    """A graph does not hold together; ``faults`` point into its JSON form."""

    code: ClassVar[str] = "graph.invalid"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"This graph cannot run: {faults[0].message}", faults)


class ActionIsNotAllowed(ConflictError):
    """The stage of a program forbids an action; ``allowed`` is what it takes instead."""

    code: ClassVar[str] = "program.action_not_allowed"

    def __init__(
        self, program_id: UUID, action: Action, stage: Stage, allowed: Sequence[Action]
    ) -> None:
        super().__init__(
            f"Program {program_id} is in stage {stage}, which does not allow {action}. "
            f"Allowed: {', '.join(allowed) or 'nothing'}."
        )
        self.program_id, self.action, self.stage = program_id, action, stage
        self.allowed = tuple(allowed)


class ProgramIsArchived(ConflictError):
    code: ClassVar[str] = "program.archived"

    def __init__(self, program_id: UUID, action: Action) -> None:
        super().__init__(
            f"Program {program_id} is archived, which does not allow {action}. Restore it first."
        )
        self.program_id, self.action = program_id, action


class InvalidEdit(InvalidError):
    """An edit does not fit the predictors of its program; ``faults`` point into it."""

    code: ClassVar[str] = "edit.invalid"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"This edit cannot be made: {faults[0].message}", faults)


class InvalidState(InvalidError):
    """A state is not one of its program, or holds more than a state may."""

    code: ClassVar[str] = "program.state_invalid"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"This state does not fit the program: {faults[0].message}", faults)


class ProgramVersionNotFound(NotFoundError):
    code: ClassVar[str] = "program.version_not_found"

    def __init__(self, program_id: UUID, program_version: int, latest: int) -> None:
        super().__init__(
            f"Program {program_id} has no version {program_version}. Choose one from 1 to {latest}."
        )
        self.program_id, self.program_version, self.latest = program_id, program_version, latest


class EvidenceIsInvalid(InvalidError):
    """Evaluations that a deployment leans on are no evidence; ``faults`` say why for each."""

    code: ClassVar[str] = "program.evidence_invalid"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"This evidence does not count: {faults[0].message}", faults)
