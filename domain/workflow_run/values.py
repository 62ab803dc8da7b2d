"""The states of a run of a workflow, and how long it waits between two tries."""

from datetime import timedelta
from enum import StrEnum
from typing import Final

from domain.workflow.values import Action

MAX_LOST: Final = 3
"""A step that was lost with its worker so often, one time after the other, has failed."""

LONGEST_BACKOFF: Final = timedelta(hours=1)


class WorkflowRunStatus(StrEnum):
    """``undone``: a step failed or it was cancelled, and all that was done was taken back.

    ``failed``: something could not be taken back, and a person has to look.
    """

    RUNNING = "running"
    UNDOING = "undoing"
    COMPLETED = "completed"
    UNDONE = "undone"
    FAILED = "failed"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing more is done by itself."""
        return self not in (WorkflowRunStatus.RUNNING, WorkflowRunStatus.UNDOING)


def backoff(action: Action, failures: int) -> timedelta:
    """How long to wait after so many *failures* of *action*: twice as long each time."""
    return min(timedelta(seconds=action.backoff_s * 2 ** (failures - 1)), LONGEST_BACKOFF)
