"""What a workflow must keep to before it may be defined; every fault is named at once."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from domain.errors import Fault
from domain.program.condition_rules import condition_faults
from domain.signature.compatibility import feeds
from domain.signature.errors import InvalidSignature, ValuesDoNotFit
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.signature.rules import accepted
from domain.signature.validation import validate_inputs
from domain.text import escape, json_faults
from domain.tool.rules import own_faults
from domain.workflow.values import (
    Action,
    Fixed,
    Origin,
    RecordAction,
    Step,
    Taken,
    ToolAction,
    WorkflowSpec,
    gives,
    takes,
)

MAX_STEPS: Final = 50

Fields = Mapping[str, FieldSpec]

_UNUSED: Final = FieldSpec(name="unused_here")


def workflow_faults(spec: WorkflowSpec) -> Iterator[Fault]:
    """Everything that keeps *spec* from being carried out."""
    if spec.inputs:
        yield from _field_faults(spec.inputs, "/inputs")
    if len(spec.steps) > MAX_STEPS:
        message = f"A workflow has at most {MAX_STEPS} steps. Have one program do more of it."
        yield Fault("/steps", "workflow.too_long", message)
        return
    scope = _Scope({field.name: field for field in spec.inputs}, {})
    for index, step in enumerate(spec.steps):
        yield from _step_faults(scope, step, f"/steps/{index}")
        scope.add(step)


def _step_faults(scope: "_Scope", step: Step, at: str) -> Iterator[Fault]:
    if step.name in scope.steps:
        message = f"The name {step.name} is used twice. Every step needs its own."
        yield Fault(f"{at}/name", "workflow.repeated", message)
    if step.when is not None:
        yield from condition_faults(step.when, scope.asked(), f"{at}/when")
    yield from _action_faults(scope, step, step.do, f"{at}/do")
    if step.undo is not None:
        # What takes a step back is told what the step gave; it is only done if the step was.
        yield from _action_faults(scope.within(step), step, step.undo, f"{at}/undo")


def _action_faults(scope: "_Scope", step: Step, action: Action, at: str) -> Iterator[Fault]:
    if isinstance(action, ToolAction):
        yield from own_faults(action.tool, f"{at}/tool")
        if action.promises:
            yield from _field_faults(action.promises, f"{at}/promises")
    if isinstance(action, RecordAction) and not gives(action):
        message = "It sets nothing. Name the fields of the record beside record_id."
        yield Fault(f"{at}/inputs", "workflow.unbound", message)
    wanted = {field.name: field for field in takes(action)}
    for name, field in wanted.items():
        if name not in action.inputs and not (field.optional or field.has_default):
            message = f"{name} has no source. Say which field it comes from, or its value."
            yield Fault(f"{at}/inputs", "workflow.unbound", message)
    for name, origin in action.inputs.items():
        where = f"{at}/inputs/{escape(name)}"
        if name not in wanted:
            message = f"Nothing here takes {name[:80]}. Remove it."
            yield Fault(where, "workflow.unknown_field", message)
        else:
            yield from _origin_faults(scope, step, origin, wanted[name], where)


def _origin_faults(
    scope: "_Scope", step: Step, origin: Origin, target: FieldSpec, at: str
) -> Iterator[Fault]:
    if isinstance(origin, Fixed):
        yield from _value_faults(origin, target, f"{at}/value")
        return
    source = scope.field(origin, step)
    if source is None:
        yield scope.unknown(origin, at)
    elif not feeds(source, target):
        whether = " It may be skipped." if source.optional else ""
        message = f"The types of {origin.field} and {target.name} do not fit.{whether} Change one."
        yield Fault(at, "workflow.type_mismatch", message)


def _value_faults(origin: Fixed, target: FieldSpec, at: str) -> Iterator[Fault]:
    if unsafe := list(json_faults(origin.value, at)):
        yield from unsafe
        return
    taken = FieldSpec(name="value", type=target.type, optional=target.optional)
    try:
        validate_inputs(SignatureSpec(inputs=(taken,), outputs=(taken,)), {"value": origin.value})
    except ValuesDoNotFit as error:
        yield Fault(at, "workflow.value", error.faults[0].message)


def _field_faults(fields: Sequence[FieldSpec], at: str) -> Iterator[Fault]:
    try:
        accepted(SignatureSpec(inputs=tuple(fields), outputs=(_UNUSED,)))
    except InvalidSignature as error:
        for fault in error.faults:
            yield Fault(at + fault.pointer.removeprefix("/inputs"), fault.code, fault.message)


class _Scope:
    """What a step can take values from: the workflow's inputs, and the steps before it."""

    def __init__(self, inputs: Fields, steps: Mapping[str, Step]) -> None:
        self._inputs, self.steps = inputs, dict(steps)

    def add(self, step: Step) -> None:
        self.steps.setdefault(step.name, step)

    def within(self, step: Step) -> "_Scope":
        """The same, with *step* itself."""
        return _Scope(self._inputs, {**self.steps, step.name: step})

    def field(self, origin: Taken, reader: Step) -> FieldSpec | None:
        """What *origin* gives to *reader*, if there is such a thing: null if it may be skipped."""
        if origin.step is None:
            return self._inputs.get(origin.field)
        step = self.steps.get(origin.step)
        found = None if step is None else _given(step).get(origin.field)
        # Of two steps under one condition the later is skipped with the earlier.
        if step is None or found is None or step.when in (None, reader.when):
            return found
        return found.model_copy(update={"optional": True})

    def asked(self) -> Fields:
        """What a condition may ask of: inputs by name, what a step gave as ``step.field``."""
        known = dict(self._inputs)
        for name, step in self.steps.items():
            maybe = {} if step.when is None else {"optional": True}
            for field in _given(step).values():
                known[f"{name}.{field.name}"] = field.model_copy(update=maybe)
        return known

    def unknown(self, origin: Taken, at: str) -> Fault:
        """Why there is nothing at *origin*."""
        if origin.step is not None and origin.step not in self.steps:
            known = f"Choose one of {', '.join(self.steps)}." if self.steps else "It is the first."
            message = f"No step before this one is called {origin.step}. {known}"
            return Fault(f"{at}/step", "workflow.unknown_step", message)
        fields = self._inputs if origin.step is None else _given(self.steps[origin.step])
        owner = "The workflow" if origin.step is None else f"Step {origin.step}"
        known = f"Choose one of {', '.join(fields)}." if fields else "It has none."
        message = f"{owner} has no field {origin.field[:80]}. {known}"
        return Fault(f"{at}/field", "workflow.unknown_field", message)


def _given(step: Step) -> Fields:
    return {field.name: field for field in gives(step.do)}
