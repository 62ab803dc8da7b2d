"""Everything that can happen to a program, in the order of its life."""

from typing import ClassVar
from uuid import UUID

from pydantic import JsonValue

from domain.kernel import Event
from domain.program.graph import ProgramGraph
from domain.program.values import Evidence
from domain.values import PayloadRef, Score


class ProgramCreated(Event):
    """Version 1 is the graph as it was written."""

    TOPIC: ClassVar[str] = "program.created"
    VERSION: ClassVar[int] = 2

    name: str
    description: str | None
    config: dict[str, JsonValue]
    graph: ProgramGraph
    default_optimizer: str | None = None


class ProgramTestingStarted(Event):
    TOPIC: ClassVar[str] = "program.testing_started"


class ProgramCompiled(Event):
    """A new version: the same graph with the instructions and demos an optimization found.

    ``state`` is the DSPy state of every predictor, as JSON. ``base_version`` is what was optimized.
    """

    TOPIC: ClassVar[str] = "program.compiled"

    new_version: int
    base_version: int
    optimization_id: UUID
    optimizer: str
    state: PayloadRef
    training_score: Score | None


class ProgramDeployed(Event):
    TOPIC: ClassVar[str] = "program.deployed"

    program_version: int
    previous_version: int | None
    reason: str
    evidence: tuple[Evidence, ...] = ()


class ProgramRetired(Event):
    TOPIC: ClassVar[str] = "program.retired"

    reason: str


ProgramEvent = (
    ProgramCreated | ProgramTestingStarted | ProgramCompiled | ProgramDeployed | ProgramRetired
)
