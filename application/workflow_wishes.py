"""A workflow as people write it: programs and tools by id or name, looked up once and pinned."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal, assert_never
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveInt

from application.errors import AggregateNotFound
from application.ports import Names, Repository
from application.runnable import resolve_version
from domain.errors import ConflictError, Fault, NotFoundError
from domain.program.aggregate import Program
from domain.program.conditions import Condition
from domain.program.values import Action as Use
from domain.record.values import ResourceName
from domain.signature.fields import FieldSpec
from domain.text import storable
from domain.tool.aggregate import Tool
from domain.tool.allowance import Allowance
from domain.tool.values import ProgramTool, RetrieverTool, ToolSpec
from domain.workflow.errors import InvalidWorkflow, ToolIsNoStep
from domain.workflow.values import (
    MAX_RETRIES,
    Action,
    Origin,
    ProgramAction,
    RecordAction,
    Step,
    StepName,
    ToolAction,
    WorkflowSpec,
)

Called = Annotated[str, Field(min_length=1, max_length=200, description="An id, or a name.")]


class _Draft(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _WishedAction(_Draft):
    inputs: dict[str, Origin] = Field(default={}, description="Where each value comes from.")
    retries: int = Field(default=2, ge=0, le=MAX_RETRIES, description="Tries after the first.")
    backoff_s: float = Field(
        default=1.0, ge=0, le=3600, description="Before the second try; then twice as long."
    )


class WishedProgram(_WishedAction):
    """Run a program: the deployed version if none is named, or else the latest."""

    kind: Literal["program"] = "program"
    program: Called
    program_version: PositiveInt | None = None


class WishedTool(_WishedAction):
    """Call a tool of the shelf."""

    kind: Literal["tool"] = "tool"
    tool: Called
    promises: tuple[FieldSpec, ...] = Field(
        default=(), description="Fields of the object it gives; without any it gives `result`."
    )


class WishedRecord(_WishedAction):
    """Set fields of a record: those that the inputs name, beside `record_id`."""

    kind: Literal["record"] = "record"
    resource: ResourceName


WishedAction = Annotated[WishedProgram | WishedTool | WishedRecord, Field(discriminator="kind")]


class WishedStep(_Draft):
    """Something to do, whether at all, and what takes it back."""

    name: StepName
    do: WishedAction
    when: Condition | None = Field(
        default=None, description="Asks inputs by name, and outputs as `step.field`."
    )
    undo: WishedAction | None = None


Inputs = tuple[Annotated[FieldSpec, AfterValidator(storable)], ...]
Steps = Annotated[tuple[Annotated[WishedStep, AfterValidator(storable)], ...], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class WorkflowPinning:
    """Looks up what steps name; ``allowance`` is what tools may reach."""

    programs: Repository[Program]
    tools: Repository[Tool]
    names: Names
    allowance: Allowance

    def pinned(self, inputs: Sequence[FieldSpec], steps: Sequence[WishedStep]) -> WorkflowSpec:
        """The workflow of *steps* that takes *inputs*.

        Raises:
            InvalidWorkflow: It names what is not there, or cannot be used; it says all of it.
            ToolIsNotAllowed: A tool leads where nothing may be reached.
        """
        looked = _Lookup(self)
        found = [looked.step(each, f"/steps/{index}") for index, each in enumerate(steps)]
        if looked.faults:
            raise InvalidWorkflow(looked.faults)
        kept = [step for step in found if step is not None]
        self.allowance.require(_tools(kept))
        return WorkflowSpec(inputs=tuple(inputs), steps=tuple(kept))


def _tools(steps: Sequence[Step]) -> Iterator[tuple[str, ToolSpec]]:
    for index, step in enumerate(steps):
        for which, action in (("do", step.do), ("undo", step.undo)):
            if isinstance(action, ToolAction):
                yield f"/steps/{index}/{which}/tool", action.tool


@dataclass(frozen=True, slots=True)
class _Lookup:
    """One look at all that is named, with everything that is wrong with it."""

    things: WorkflowPinning
    faults: list[Fault] = field(default_factory=list[Fault])

    def step(self, wished: WishedStep, at: str) -> Step | None:
        do = self._action(wished.do, f"{at}/do")
        undo = None if wished.undo is None else self._action(wished.undo, f"{at}/undo")
        if do is None:
            return None
        return Step(name=wished.name, do=do, when=wished.when, undo=undo)

    def _action(self, wished: WishedAction, at: str) -> Action | None:
        try:
            match wished:
                case WishedProgram():
                    return self._program(wished)
                case WishedTool():
                    return self._tool(wished)
                case WishedRecord():
                    return RecordAction.model_validate(wished.model_dump())
                case _:
                    assert_never(wished)
        except (NotFoundError, ConflictError) as error:
            code = "reference.unknown" if isinstance(error, NotFoundError) else error.code
            self.faults.append(Fault(f"{at}/{wished.kind}", code, str(error)))
            return None

    def _program(self, wished: WishedProgram) -> ProgramAction:
        program = self.things.programs.get(self._id(Program.KIND, wished.program))
        version = resolve_version(program, wished.program_version, Use.EXECUTE)
        signature = program.version_state(version).graph.signature
        return ProgramAction(
            inputs=wished.inputs,
            retries=wished.retries,
            backoff_s=wished.backoff_s,
            program_id=program.id,
            program_version=version,
            takes=signature.inputs,
            gives=signature.outputs,
        )

    def _tool(self, wished: WishedTool) -> ToolAction:
        tool = self.things.tools.get(self._id(Tool.KIND, wished.tool))
        tool.require_in_service()
        if isinstance(tool.spec, ProgramTool | RetrieverTool):
            raise ToolIsNoStep(tool.spec.name, tool.spec.kind)
        return ToolAction(
            inputs=wished.inputs,
            retries=wished.retries,
            backoff_s=wished.backoff_s,
            tool=tool.spec,
            promises=wished.promises,
        )

    def _id(self, kind: str, called: str) -> UUID:
        try:
            return UUID(called)
        except ValueError:
            holder = self.things.names.holder(kind, called)
        if holder is None:
            raise AggregateNotFound(kind, called)
        return holder
