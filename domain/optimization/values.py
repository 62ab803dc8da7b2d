"""The actions on an optimization and the table of what each state allows."""

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from domain.run import RunStatus, Transitions


class OptimizationAction(StrEnum):
    START = "start"
    RECORD_CALL = "record_call"
    SCORE_TRIAL = "score_trial"
    COMPLETE = "complete"
    FAIL = "fail"
    CANCEL = "cancel"


TRANSITIONS: Final[Transitions] = MappingProxyType(
    {
        (RunStatus.PENDING, OptimizationAction.START): RunStatus.RUNNING,
        (RunStatus.PENDING, OptimizationAction.CANCEL): RunStatus.CANCELLED,
        (RunStatus.RUNNING, OptimizationAction.START): RunStatus.RUNNING,
        (RunStatus.RUNNING, OptimizationAction.RECORD_CALL): RunStatus.RUNNING,
        (RunStatus.RUNNING, OptimizationAction.SCORE_TRIAL): RunStatus.RUNNING,
        (RunStatus.RUNNING, OptimizationAction.COMPLETE): RunStatus.COMPLETED,
        (RunStatus.RUNNING, OptimizationAction.FAIL): RunStatus.FAILED,
        (RunStatus.RUNNING, OptimizationAction.CANCEL): RunStatus.CANCELLED,
    }
)
"""A start is legal while running: a resumed run is the next attempt."""

DEFAULT_SEED: Final = 9
"""Not 0, which MIPROv2 silently reads as 9."""
