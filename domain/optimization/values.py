"""The actions on an optimization, what each state allows, and what becomes of its result."""

from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Final

from pydantic import Field

from domain.kernel import ValueObject
from domain.run import RunStatus, Transitions
from domain.values import Score


class Adoption(StrEnum):
    """How what an optimizer found becomes a version: by itself, or once somebody approved."""

    AUTO = "auto"
    APPROVAL = "approval"


class ProposalStatus(StrEnum):
    """What was decided about a result that waits for approval."""

    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"


class HeldOut(ValueObject):
    """How what was found scores on rows that it did not learn from, and how its base does."""

    rows: Annotated[int, Field(ge=1)]
    baseline: Score
    score: Score


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
