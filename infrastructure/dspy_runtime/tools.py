"""Tools as DSPy has them: arguments checked, calls recorded, errors told in stable words."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

import dspy
from pydantic import JsonValue

from application.lm_ports import ProgramFailed, RunnableProgram
from application.tool_ports import OutsideTool, ToolFailed
from domain.retrieval.ranking import Ranking
from domain.signature.errors import ValuesDoNotFit
from domain.signature.fields import FieldSpec
from domain.signature.schemas import json_schema
from domain.signature.validation import validate_arguments
from domain.tool.rules import arguments_of
from domain.tool.values import Corpus, ProgramTool, RetrieverTool, ToolSpec
from domain.values import Failure
from infrastructure.dspy_runtime.side_calls import program_call, side_call, the_run
from infrastructure.dspy_runtime.stable import stable_text

_Do = Callable[[dict[str, JsonValue]], JsonValue]


class RecordedTool(dspy.Tool):  # type: ignore[misc]  # DSPy ships no types
    """A tool whose calls are facts of the run; what goes wrong is its result, in stable words.

    DSPy would check arguments itself, and tell the model of a fault with paths of this machine.
    """

    def __call__(self, /, **arguments: Any) -> Any:
        """What the tool gave, or a sentence about why it gave nothing."""
        return self.func(arguments)

    async def acall(self, /, **arguments: Any) -> Any:
        """The same; it waits in this thread."""
        return self.func(arguments)

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        # DSPy hashes demos by way of pickle, and a demo of an agent may hold its tools.
        return str, (self.name,)


def dspy_tools(
    node: str, specs: Sequence[ToolSpec], program: RunnableProgram
) -> list[RecordedTool]:
    """The tools of *node*, which belongs to *program*, in their order.

    Raises:
        ProgramFailed: A program or a corpus that a tool names is missing.
    """
    return [_dspy_tool(node, spec, program) for spec in specs]


def passages(
    node: str,
    name: str,
    ranking: Ranking,
    texts: Sequence[str],
    query: str,
    k: int,
    *,
    corpus: Corpus,
) -> list[str]:
    """The *k* of *texts* nearest to *query* that share a word with it, as a recorded retrieval.

    It is known by its *corpus*, not by the texts: more of them shall not change what was asked.

    Raises:
        ToolFailed: As recorded, it failed.
        RunStopped: The run ends now.
    """

    def search() -> JsonValue:
        return [texts[place] for place, score in ranking.nearest(query, k) if score > 0]

    identity = corpus.model_dump_json()
    found = side_call("retrieval", node, name, {"query": query, "k": k}, search, identity=identity)
    return cast("list[str]", found)


def _dspy_tool(node: str, spec: ToolSpec, program: RunnableProgram) -> RecordedTool:
    takes = _takes(spec, program)
    do = _doing(node, spec, program)

    def call(given: Mapping[str, Any]) -> JsonValue:
        try:
            return do(_fitting(takes, given))
        except ToolFailed as error:
            return f"Execution error in {spec.name}: {error.failure.message}"

    return RecordedTool(
        call, name=spec.name, desc=spec.description, args=_schemas(takes), arg_types={}
    )


def _schemas(takes: Sequence[FieldSpec]) -> dict[str, dict[str, Any]]:
    """What each argument may be, in the order of words that DSPy has: it is part of prompts."""
    schemas: dict[str, dict[str, Any]] = {}
    for field in takes:
        bare = {"description": None, "has_default": False, "default": None}
        required = not field.optional or field.has_default
        plain = field.model_copy(update={**bare, "optional": not required})
        schema = schemas[field.name] = json_schema([plain])["properties"][field.name]
        if field.has_default:
            schema["default"] = field.default
        if field.description is not None:
            schema["description"] = field.description
    return schemas


def _takes(spec: ToolSpec, program: RunnableProgram) -> tuple[FieldSpec, ...]:
    if isinstance(spec, ProgramTool):
        return _other_program(spec, program).graph.signature.inputs
    return arguments_of(spec)


def _fitting(takes: Sequence[FieldSpec], given: Mapping[str, Any]) -> dict[str, JsonValue]:
    try:
        return validate_arguments(takes, given)
    except ValuesDoNotFit as error:
        message = " ".join([str(error), *(fault.message for fault in error.faults[1:])])
        raise ToolFailed(Failure(code="tool.arguments_invalid", message=message)) from None


def _doing(node: str, spec: ToolSpec, program: RunnableProgram) -> _Do:
    match spec:
        case ProgramTool():
            return partial(_ask_program, node, spec, _other_program(spec, program))
        case RetrieverTool():
            texts = program.corpora.get(spec.corpus)
            if texts is None:
                raise ProgramFailed(_missing(f"the dataset {spec.corpus.dataset_id}", spec))
            return partial(_retrieve, node, spec, Ranking(texts), texts)
        case _:
            return partial(_reach_out, node, spec)


def _reach_out(node: str, spec: OutsideTool, arguments: dict[str, JsonValue]) -> JsonValue:
    def do() -> JsonValue:
        return the_run().toolbox.call(spec, arguments)

    return side_call("tool", node, spec.name, arguments, do, identity=spec.model_dump_json())


def _retrieve(
    node: str,
    spec: RetrieverTool,
    ranking: Ranking,
    texts: Sequence[str],
    arguments: dict[str, JsonValue],
) -> JsonValue:
    query, corpus = str(arguments["query"]), spec.corpus
    return list(passages(node, spec.name, ranking, texts, query, spec.k, corpus=corpus))


def _ask_program(
    node: str, spec: ProgramTool, other: RunnableProgram, arguments: dict[str, JsonValue]
) -> JsonValue:
    def do() -> JsonValue:
        try:
            return dict(the_run().answer(other, arguments))
        except ProgramFailed as error:
            said = error.failure.model_copy(update={"message": stable_text(error.failure.message)})
            raise ToolFailed(said) from error

    return program_call(node, spec.name, arguments, do, identity=spec.model_dump_json())


def _other_program(spec: ProgramTool, program: RunnableProgram) -> RunnableProgram:
    other = program.programs.get((spec.program_id, spec.program_version))
    if other is None:
        raise ProgramFailed(_missing(f"version {spec.program_version} of {spec.program_id}", spec))
    return other


def _missing(what: str, spec: ToolSpec) -> Failure:
    message = f"The tool {spec.name} needs {what}, which was not given to the run."
    return Failure(code="program.unbuildable", message=message)
