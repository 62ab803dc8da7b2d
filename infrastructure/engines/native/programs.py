"""Programs of plain questions: what of a graph this engine carries, and how it runs that."""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from pydantic import JsonValue

from application.lm_ports import NotCarried, ProgramFailed, RunnableProgram
from domain.errors import Fault
from domain.module.kinds import ModuleKind
from domain.module.rules import REASONING
from domain.module.values import ModuleSpec
from domain.program.errors import InvalidState
from domain.program.graph import ModuleNode, Source
from domain.program.order import order
from domain.program.predictors import Predictor, check_state, loaded, predictors
from domain.program.state import FieldState, State, read_state
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.values import Failure
from infrastructure.engines.native.fields import NativeField, TypeIsNotCarried
from infrastructure.engines.native.prompts import Prompt

ENGINE: Final = "native"

KINDS: Final = frozenset({ModuleKind.PREDICT, ModuleKind.CHAIN_OF_THOUGHT})


@dataclass(frozen=True, slots=True)
class Step:
    """One node: its prompt, and where each of its inputs comes from."""

    prompt: Prompt
    inputs: Mapping[str, Source]
    defaults: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class NativeProgram:
    """Steps in the order in which they run; ``outputs`` says what of them comes out."""

    steps: tuple[Step, ...]
    signature: SignatureSpec
    outputs: Mapping[str, Source]


def made(program: RunnableProgram) -> NativeProgram:
    """*program*, ready to run.

    Raises:
        NotCarried: Something of it needs DSPy.
        ProgramFailed: Its state does not fit it.
    """
    graph = program.graph
    if program.adapter not in (None, "chat"):
        raise NotCarried(ENGINE, f"the adapter {program.adapter}")
    told = _predictors(program)
    fields = _fields_of(program)
    steps: list[Step] = []
    for node in order(graph):
        if not isinstance(node, ModuleNode):
            raise NotCarried(ENGINE, f"nodes of the kind {node.kind}")
        [predictor] = [each for each in told.values() if each.node == node.id]
        prompt = _prompt(node.id, node.module, predictor, fields.get(predictor.path))
        known = {each.name: each.default for each in node.module.signature.inputs if each.optional}
        steps.append(Step(prompt, node.inputs, known))
    return NativeProgram(tuple(steps), graph.signature, graph.outputs)


def check_module(module: ModuleSpec) -> None:
    """Refuse a *module* that needs DSPy.

    Raises:
        NotCarried: It does.
    """
    if module.kind not in KINDS:
        raise NotCarried(ENGINE, f"modules of the kind {module.kind.value}")
    if module.config.nearest is not None:
        raise NotCarried(ENGINE, "examples that are looked up")
    for field in (*module.signature.inputs, *module.signature.outputs):
        _field(field)


def _predictors(program: RunnableProgram) -> dict[str, Predictor]:
    graph = program.graph
    for node in graph.nodes:
        if isinstance(node, ModuleNode):
            check_module(node.module)
    found = predictors(graph)
    try:
        if program.state is not None:
            state = read_state(dict(program.state))
            check_state(state, found)
            found = loaded(found, state)
    except InvalidState as error:
        raise ProgramFailed(_unfit(error.faults[0])) from error
    for path, edit in program.edits.items():
        found[path] = found[path].model_copy(update=edit.model_dump(exclude_none=True))
    return found


def _fields_of(program: RunnableProgram) -> Mapping[str, list[FieldState]]:
    """What an optimizer wrote of the fields of each predictor."""
    if program.state is None:
        return {}
    state: State = read_state(dict(program.state))
    return {path: each.signature.fields for path, each in state.items()}


def _prompt(
    node: str, module: ModuleSpec, predictor: Predictor, learned: list[FieldState] | None
) -> Prompt:
    specs = {field.name: field for field in _all(module)}
    fields = [_field(specs[name]) for name in predictor.fields]
    if learned is not None:
        fields = [
            replace(field, description=_told(field.name, each.description))
            for field, each in zip(fields, learned, strict=True)
        ]
    of = len(predictor.inputs)
    _check_demos(predictor, fields)
    config = module.config
    return Prompt(
        node=node,
        inputs=tuple(fields[:of]),
        outputs=tuple(fields[of:]),
        instructions=inspect.cleandoc(predictor.instructions or ""),
        demos=predictor.demos,
        settings={"temperature": config.temperature, "max_tokens": config.max_tokens},
    )


def _all(module: ModuleSpec) -> Iterator[FieldSpec]:
    """Every field of *module*; DSPy does not describe the reasoning that it asks for unasked."""
    yield FieldSpec(name=REASONING.name, type=REASONING.type)
    yield from (*module.signature.inputs, *module.signature.outputs)


def _field(spec: FieldSpec) -> NativeField:
    try:
        field = NativeField.of(spec)
    except TypeIsNotCarried as error:
        raise NotCarried(ENGINE, f"fields like {spec.name}: {error}") from None
    return replace(field, description=_told(spec.name, field.description))


def _told(name: str, description: str) -> str:
    """DSPy names a field once more where nothing describes it, and leaves that out of prompts."""
    return "" if description == f"${{{name}}}" else description


def _check_demos(predictor: Predictor, fields: list[NativeField]) -> None:
    texts = {field.name for field in fields if field.annotation is str}
    for demo in predictor.demos:
        if any(isinstance(demo.get(name), list) for name in texts):
            raise NotCarried(ENGINE, f"demos of {predictor.path} with lists in fields of text")


def _unfit(fault: Fault) -> Failure:
    where = fault.pointer.removeprefix("/").replace("/", ".")
    message = f"This state does not fit the program: {where}: {fault.message}."
    return Failure(code="program.state_invalid", message=message)


def value_of(source: Source, known: Mapping[tuple[str | None, str], JsonValue]) -> JsonValue:
    """What *source* names among what is known so far."""
    return known[source.node, source.field]
