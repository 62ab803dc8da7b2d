"""What a run of a workflow refuses."""

from typing import ClassVar
from uuid import UUID

from domain.errors import ConflictError
from domain.workflow_run.values import WorkflowRunStatus


class WorkflowRunForbids(ConflictError):
    """The state of the run forbids the action."""

    code: ClassVar[str] = "workflow_run.action_forbidden"

    def __init__(self, run_id: UUID, status: WorkflowRunStatus, action: str, when: str) -> None:
        super().__init__(
            f"Run {run_id} is {status}, which forbids {action}: that is for one that is {when}."
        )
        self.run_id, self.status, self.action = run_id, status, action
