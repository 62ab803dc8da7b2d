"""Everything that can happen to a program, in the order of its life."""

from typing import ClassVar
from uuid import UUID

from pydantic import JsonValue

from domain.kernel import Event
from domain.program.graph import ProgramGraph
from domain.program.values import Evidence, Origin, Pins
from domain.values import PayloadRef, Score


class ProgramCreated(Event):
    """Version 1 is the graph as it was written."""

    TOPIC: ClassVar[str] = "program.created"
    VERSION: ClassVar[int] = 3

    name: str
    description: str | None
    config: dict[str, JsonValue]
    graph: ProgramGraph
    default_optimizer: str | None = None
    pins: Pins = Pins()


class ProgramRenamed(Event):
    """It goes by another name; the former one stays its own and leads to it."""

    TOPIC: ClassVar[str] = "program.renamed"

    name: str
    former_name: str


class ProgramDescribed(Event):
    TOPIC: ClassVar[str] = "program.described"

    description: str | None


class ProgramConfigured(Event):
    TOPIC: ClassVar[str] = "program.configured"

    config: dict[str, JsonValue]
    default_optimizer: str | None


class ProgramTestingStarted(Event):
    TOPIC: ClassVar[str] = "program.testing_started"


class ProgramCompiled(Event):
    """A new version: the same graph with the instructions and demos an optimization found.

    ``state`` is the DSPy state of every predictor, as JSON. ``base_version`` is what was optimized.
    """

    TOPIC: ClassVar[str] = "program.compiled"
    VERSION: ClassVar[int] = 2

    new_version: int
    base_version: int
    optimization_id: UUID
    optimizer: str
    state: PayloadRef
    training_score: Score | None
    pins: Pins = Pins()


class ProgramRevised(Event):
    """A new version: another graph, as it was written. ``base_version`` was the latest before."""

    TOPIC: ClassVar[str] = "program.revised"

    new_version: int
    base_version: int
    graph: ProgramGraph
    pins: Pins
    reason: str


class ProgramVersionEdited(Event):
    """A new version: an earlier one with other instructions, demos or another adapter.

    ``edits`` is where all lies that was edited since the base's state was found, the earlier edits
    included. ``predictors`` are those that were edited now.
    """

    TOPIC: ClassVar[str] = "program.version_edited"

    new_version: int
    base_version: int
    predictors: tuple[str, ...]
    edits: PayloadRef | None
    pins: Pins
    reason: str


class ProgramVersionRestored(Event):
    """A new version that is ``restored_version`` once more."""

    TOPIC: ClassVar[str] = "program.version_restored"

    new_version: int
    restored_version: int
    reason: str


class ProgramVersionImported(Event):
    """A version that was made elsewhere out of ``base_version``, whose graph it has."""

    TOPIC: ClassVar[str] = "program.version_imported"

    new_version: int
    base_version: int
    origin: Origin
    state: PayloadRef | None
    edits: PayloadRef | None
    pins: Pins
    optimizer: str | None
    training_score: Score | None
    reason: str | None


class ProgramDeployed(Event):
    TOPIC: ClassVar[str] = "program.deployed"

    program_version: int
    previous_version: int | None
    reason: str
    evidence: tuple[Evidence, ...] = ()


class ProgramArchived(Event):
    """It runs no more until it is restored; stage and live version wait for that."""

    TOPIC: ClassVar[str] = "program.archived"

    reason: str


class ProgramRestored(Event):
    """It is back from the archive, as it was."""

    TOPIC: ClassVar[str] = "program.restored"


class ProgramRetired(Event):
    TOPIC: ClassVar[str] = "program.retired"

    reason: str


ProgramEvent = (
    ProgramCreated
    | ProgramRenamed
    | ProgramDescribed
    | ProgramConfigured
    | ProgramTestingStarted
    | ProgramCompiled
    | ProgramRevised
    | ProgramVersionEdited
    | ProgramVersionRestored
    | ProgramVersionImported
    | ProgramDeployed
    | ProgramArchived
    | ProgramRestored
    | ProgramRetired
)
