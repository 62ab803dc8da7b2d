"""What an execution refuses."""

from typing import ClassVar
from uuid import UUID

from domain.errors import NotFoundError
from domain.run import ActionForbidden


class ExecutionForbids(ActionForbidden):
    code: ClassVar[str] = "execution.action_forbidden"


class ReplayNotFound(NotFoundError):
    code: ClassVar[str] = "execution.replay_not_found"

    def __init__(self, execution_id: UUID, replay: int) -> None:
        super().__init__(f"Execution {execution_id} has no replay {replay}. Request one first.")
        self.execution_id, self.replay = execution_id, replay
