"""A workflow as data: steps that are done in turn, each with what undoes it."""

from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import Field, JsonValue, StringConstraints

from domain.kernel import ValueObject
from domain.program.conditions import Condition
from domain.signature.fields import FieldSpec
from domain.signature.types import Primitive
from domain.tool.values import HttpTool, McpTool, PythonTool

StepName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]

MAX_RETRIES: Final = 5

RESULT: Final = FieldSpec(name="result", type=Primitive(name="any"))
"""The one output of a tool of which nothing is promised: what it gave."""


class Taken(ValueObject):
    """A field of what the workflow takes, or of what an earlier step gave."""

    step: StepName | None = None
    field: str


class Fixed(ValueObject):
    """A value that is always the same."""

    value: JsonValue


Origin = Taken | Fixed
"""Where a value comes from."""


class _Action(ValueObject):
    """``inputs`` says where each thing that it takes comes from.

    It is tried again ``retries`` times: ``backoff_s`` seconds after the first failure, and twice as
    long after each further one.
    """

    inputs: dict[str, Origin] = {}
    retries: Annotated[int, Field(ge=0, le=MAX_RETRIES)] = 2
    backoff_s: Annotated[float, Field(ge=0, le=3600)] = 1.0


class ProgramAction(_Action):
    """Runs a version of a program, whose inputs and outputs are pinned here."""

    kind: Literal["program"] = "program"
    program_id: UUID
    program_version: Annotated[int, Field(ge=1)]
    takes: tuple[FieldSpec, ...]
    gives: tuple[FieldSpec, ...]


class ToolAction(_Action):
    """Calls a tool, of which this is a copy.

    ``promises`` are fields of the object that the tool gives; without any, all that it gives is
    one field, ``result``.
    """

    kind: Literal["tool"] = "tool"
    tool: Annotated[PythonTool | HttpTool | McpTool, Field(discriminator="kind")]
    promises: tuple[FieldSpec, ...] = ()


Action = Annotated[ProgramAction | ToolAction, Field(discriminator="kind")]


class Step(ValueObject):
    """Something to do; ``when`` says whether at all, ``undo`` what takes it back."""

    name: StepName
    do: Action
    when: Condition | None = None
    undo: Action | None = None


class WorkflowSpec(ValueObject):
    """What a workflow takes, and its steps in their order."""

    inputs: tuple[FieldSpec, ...] = ()
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]


def takes(action: Action) -> tuple[FieldSpec, ...]:
    """What *action* needs to be given."""
    return action.takes if isinstance(action, ProgramAction) else action.tool.arguments


def gives(action: Action) -> tuple[FieldSpec, ...]:
    """What *action* gives to later steps."""
    if isinstance(action, ProgramAction):
        return action.gives
    return action.promises or (RESULT,)
