"""The actions on an evaluation and the table of what each state allows."""

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from domain.run import RunStatus, Transitions


class EvaluationAction(StrEnum):
    START = "start"
    RECORD_CALL = "record_call"
    COMPLETE = "complete"
    FAIL = "fail"
    CANCEL = "cancel"


TRANSITIONS: Final[Transitions] = MappingProxyType(
    {
        (RunStatus.PENDING, EvaluationAction.START): RunStatus.RUNNING,
        (RunStatus.PENDING, EvaluationAction.CANCEL): RunStatus.CANCELLED,
        (RunStatus.RUNNING, EvaluationAction.START): RunStatus.RUNNING,
        (RunStatus.RUNNING, EvaluationAction.RECORD_CALL): RunStatus.RUNNING,
        (RunStatus.RUNNING, EvaluationAction.COMPLETE): RunStatus.COMPLETED,
        (RunStatus.RUNNING, EvaluationAction.FAIL): RunStatus.FAILED,
        (RunStatus.RUNNING, EvaluationAction.CANCEL): RunStatus.CANCELLED,
    }
)
"""A start is legal while running: a redelivery after a kill is the next attempt."""
