"""The actions on an execution and the table of what each state allows."""

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from domain.run import RunStatus, Transitions


class ExecutionAction(StrEnum):
    START = "start"
    RECORD_CALL = "record_call"
    COMPLETE = "complete"
    FAIL = "fail"
    CANCEL = "cancel"
    REQUEST_REPLAY = "request_replay"
    VERIFY_REPLAY = "verify_replay"
    DIVERGE_REPLAY = "diverge_replay"


class ReplayStatus(StrEnum):
    PENDING = "pending"
    VERIFIED = "verified"
    DIVERGED = "diverged"


TRANSITIONS: Final[Transitions] = MappingProxyType(
    {
        (RunStatus.PENDING, ExecutionAction.START): RunStatus.RUNNING,
        (RunStatus.PENDING, ExecutionAction.CANCEL): RunStatus.CANCELLED,
        (RunStatus.RUNNING, ExecutionAction.START): RunStatus.RUNNING,
        (RunStatus.RUNNING, ExecutionAction.RECORD_CALL): RunStatus.RUNNING,
        (RunStatus.RUNNING, ExecutionAction.COMPLETE): RunStatus.COMPLETED,
        (RunStatus.RUNNING, ExecutionAction.FAIL): RunStatus.FAILED,
        (RunStatus.RUNNING, ExecutionAction.CANCEL): RunStatus.CANCELLED,
        (RunStatus.COMPLETED, ExecutionAction.REQUEST_REPLAY): RunStatus.COMPLETED,
        (RunStatus.COMPLETED, ExecutionAction.VERIFY_REPLAY): RunStatus.COMPLETED,
        (RunStatus.COMPLETED, ExecutionAction.DIVERGE_REPLAY): RunStatus.COMPLETED,
        (RunStatus.FAILED, ExecutionAction.REQUEST_REPLAY): RunStatus.FAILED,
        (RunStatus.FAILED, ExecutionAction.VERIFY_REPLAY): RunStatus.FAILED,
        (RunStatus.FAILED, ExecutionAction.DIVERGE_REPLAY): RunStatus.FAILED,
    }
)
"""A start is legal while running: a redelivery after a kill is the next attempt."""
