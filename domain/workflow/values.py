"""A workflow as data: steps that are done in turn, each with what undoes it."""

from typing import Annotated, Final, Literal, assert_never
from uuid import UUID

from pydantic import Field, JsonValue, StringConstraints

from domain.kernel import ValueObject
from domain.program.conditions import Condition
from domain.record.values import ResourceName
from domain.signature.fields import FieldSpec
from domain.signature.types import Primitive
from domain.tool.values import HttpTool, McpTool, PythonTool

StepName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]

MAX_RETRIES: Final = 5

RESULT: Final = FieldSpec(name="result", type=Primitive(name="any"))
"""The one output of a tool of which nothing is promised: what it gave."""

RECORD_ID: Final = FieldSpec(name="record_id")
"""Which record is changed."""


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


class RecordAction(_Action):
    """Sets fields of a record of the user's own: ``record_id`` says of which one.

    The other inputs are the fields; it gives what each of them held before.
    """

    kind: Literal["record"] = "record"
    resource: ResourceName


Action = Annotated[ProgramAction | ToolAction | RecordAction, Field(discriminator="kind")]


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
    match action:
        case ProgramAction():
            return action.takes
        case ToolAction():
            return action.tool.arguments
        case RecordAction():
            return (RECORD_ID, *_set_by(action))
        case _:
            assert_never(action)


def gives(action: Action) -> tuple[FieldSpec, ...]:
    """What *action* gives to later steps."""
    match action:
        case ProgramAction():
            return action.gives
        case ToolAction():
            return action.promises or (RESULT,)
        case RecordAction():
            return _set_by(action)
        case _:
            assert_never(action)


def _set_by(action: RecordAction) -> tuple[FieldSpec, ...]:
    """The fields that *action* sets: each may hold anything, before and afterwards."""
    names = (name for name in action.inputs if name != RECORD_ID.name)
    return tuple(FieldSpec(name=name, type=RESULT.type, optional=True) for name in names)
