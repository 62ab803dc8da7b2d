"""The stages of a program, what evidence of a version is, and the optimizer a program prefers."""

from enum import StrEnum
from uuid import UUID

from domain.kernel import ValueObject
from domain.values import Score


class Stage(StrEnum):
    DRAFT = "draft"
    TESTING = "testing"
    PRODUCTION = "production"
    RETIRED = "retired"


class Evidence(ValueObject):
    """A finished evaluation that a deployment leans on: what scored how much, on which rows."""

    evaluation_id: UUID
    version: int
    score: Score
    metric: str
    dataset_id: UUID
    split: str
