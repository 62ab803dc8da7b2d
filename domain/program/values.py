"""The stages of a program with their legal transitions, and what evidence of a version is."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final
from uuid import UUID

from domain.kernel import ValueObject
from domain.values import Score


class Stage(StrEnum):
    DRAFT = "draft"
    TESTING = "testing"
    PRODUCTION = "production"
    RETIRED = "retired"


class Action(StrEnum):
    START_TESTING = "start_testing"
    EXECUTE = "execute"
    EVALUATE = "evaluate"
    COMPILE = "compile"
    DEPLOY = "deploy"
    RETIRE = "retire"


_ALIVE: Final = (Action.EXECUTE, Action.EVALUATE, Action.COMPILE, Action.DEPLOY, Action.RETIRE)

ALLOWED: Final[Mapping[Stage, tuple[Action, ...]]] = {
    Stage.DRAFT: (Action.START_TESTING, *_ALIVE),
    Stage.TESTING: _ALIVE,
    Stage.PRODUCTION: _ALIVE,
    Stage.RETIRED: (),
}
"""What each stage allows. What is not here is refused."""

LEADS_TO: Final[Mapping[Action, Stage]] = {
    Action.START_TESTING: Stage.TESTING,
    Action.DEPLOY: Stage.PRODUCTION,
    Action.RETIRE: Stage.RETIRED,
}
"""The stage after an action; the others leave it as it was."""


class Evidence(ValueObject):
    """A finished evaluation that a deployment leans on: what scored how much, on which rows."""

    evaluation_id: UUID
    version: int
    score: Score
    metric: str
    dataset_id: UUID
    split: str
