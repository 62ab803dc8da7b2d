"""The stages of a program with their legal transitions, and what its versions pin."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Literal
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
    EDIT = "edit"
    DESCRIBE = "describe"
    DEPLOY = "deploy"
    ARCHIVE = "archive"
    RESTORE = "restore"
    RETIRE = "retire"


_ALIVE: Final = (
    Action.EXECUTE, Action.EVALUATE, Action.COMPILE, Action.EDIT, Action.DESCRIBE, Action.DEPLOY,
    Action.ARCHIVE, Action.RETIRE,
)  # fmt: skip

ALLOWED: Final[Mapping[Stage, tuple[Action, ...]]] = {
    Stage.DRAFT: (Action.START_TESTING, *_ALIVE),
    Stage.TESTING: _ALIVE,
    Stage.PRODUCTION: _ALIVE,
    Stage.RETIRED: (),
}
"""What each stage allows. What is not here is refused."""

ALLOWED_IN_ARCHIVE: Final = (Action.RESTORE, Action.RETIRE)
"""What an archived program allows, whatever its stage: it keeps that until it is restored."""

LEADS_TO: Final[Mapping[Action, Stage]] = {
    Action.START_TESTING: Stage.TESTING,
    Action.DEPLOY: Stage.PRODUCTION,
    Action.RETIRE: Stage.RETIRED,
}
"""The stage after an action; the others leave it as it was."""


class Origin(StrEnum):
    """How a version came to be: written out, found by an optimizer, changed or taken up again."""

    WRITTEN = "written"
    COMPILED = "compiled"
    REVISED = "revised"
    EDITED = "edited"
    RESTORED = "restored"


Adapter = Literal["chat", "json"]
"""How prompts are written: with a heading for each field, or as JSON under a schema."""


class Pins(ValueObject):
    """What else a version depends on: how its prompts are written, and what it was made with.

    Without an ``adapter`` prompts are written as suits the model that is asked: so it was before
    versions pinned one. ``libraries`` are versions by name, to be read; nothing enforces them.
    """

    adapter: Adapter | None = None
    libraries: dict[str, str] = {}


class Evidence(ValueObject):
    """A finished evaluation that a deployment leans on: what scored how much, on which rows."""

    evaluation_id: UUID
    version: int
    score: Score
    metric: str
    dataset_id: UUID
    split: str
