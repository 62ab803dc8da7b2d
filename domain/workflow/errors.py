"""What is refused about workflows, and what to do then."""

from collections.abc import Sequence
from typing import ClassVar
from uuid import UUID

from domain.errors import ConflictError, Fault, InvalidError, NotFoundError


class InvalidWorkflow(InvalidError):
    """The workflow could not be carried out; ``faults`` point into it."""

    code: ClassVar[str] = "workflow.invalid"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"This workflow cannot be used: {faults[0].message}", faults)


class WorkflowIsRetired(ConflictError):
    code: ClassVar[str] = "workflow.retired"

    def __init__(self, workflow_id: UUID) -> None:
        super().__init__(
            f"Workflow {workflow_id} is retired. Define another, or start one in service."
        )
        self.workflow_id = workflow_id


class WorkflowVersionNotFound(NotFoundError):
    code: ClassVar[str] = "workflow.version_not_found"

    def __init__(self, workflow_id: UUID, version: int, latest: int) -> None:
        super().__init__(
            f"Workflow {workflow_id} has no version {version}. Choose one of 1 to {latest}."
        )
        self.workflow_id, self.version = workflow_id, version


class ToolIsNoStep(ConflictError):
    code: ClassVar[str] = "workflow.tool_is_no_step"

    def __init__(self, name: str, kind: str) -> None:
        then = "Run the program itself." if kind == "program" else "Ask it from a program."
        super().__init__(f"{name} is a tool of the kind {kind}, which no step can call. {then}")
