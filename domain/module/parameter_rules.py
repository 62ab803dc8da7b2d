"""Whether the parameters of a module go with its signature."""

from collections.abc import Iterator
from typing import Final

from domain.errors import Fault
from domain.module.kinds import ModuleKind
from domain.module.parameters import Agent, Ensemble, Majority, Recursive, Retrieve, Sampling
from domain.module.rewards import ContainsReward, NumberReward, ValidReward, WordsReward
from domain.module.values import ModuleSpec
from domain.signature.compatibility import feeds
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.signature.types import STRING, Primitive, UnionOf
from domain.tool.rules import tool_faults
from domain.tool.values import PASSAGES, ToolSpec

_NUMBER: Final = UnionOf(options=(Primitive(name="float"), Primitive(name="boolean")))
_RESERVED_TOOLS: Final = {
    ModuleKind.CODE_ACT: frozenset({"SUBMIT", "print"}),
    ModuleKind.RLM: frozenset({"SUBMIT", "print", "llm_query", "llm_query_batched", "dspy"}),
}
"""What code can call without any tool."""

GENERATED_FROM: Final = {
    "prompt": STRING,
    "system": STRING,
    "temperature": Primitive(name="float"),
    "max_tokens": Primitive(name="integer"),
}
"""What a module that generates may take, each of its type."""


def parameter_faults(spec: ModuleSpec, pointer: str) -> Iterator[Fault]:
    """Everything about the parameters of *spec*, found at *pointer*, that keeps it from running."""
    at = f"{pointer}/parameters"
    match spec.parameters:
        case Agent(tools=tools) | Recursive(tools=tools):
            yield from _tool_faults(spec, tools, f"{at}/tools")
        case Retrieve():
            yield from _retriever_faults(spec.signature, f"{pointer}/kind")
        case Sampling():
            yield from _reward_faults(spec, spec.parameters, f"{at}/reward")
        case Majority(field=str() as name):
            yield from _output_faults(spec.signature, name, f"{at}/field")
        case Ensemble():
            yield from _ensemble_faults(spec.signature, spec.parameters, at)
        case None if spec.kind is ModuleKind.GENERATE:
            yield from _generator_faults(spec.signature, f"{pointer}/kind")
        case _:
            pass


def voted_on(signature: SignatureSpec, name: str | None) -> FieldSpec:
    """The output *name*, or the last one."""
    return next((each for each in signature.outputs if each.name == name), signature.outputs[-1])


def _tool_faults(spec: ModuleSpec, tools: tuple[ToolSpec, ...], pointer: str) -> Iterator[Fault]:
    yield from tool_faults(tools, pointer)
    taken = _RESERVED_TOOLS.get(spec.kind, frozenset[str]())
    if spec.kind is ModuleKind.RLM:
        taken |= {field.name for field in spec.signature.inputs}
    for index, tool in enumerate(tools):
        if tool.name in taken:
            message = f"The name {tool.name} is taken. Give this tool another one."
            yield Fault(f"{pointer}/{index}/name", "tool.name_taken", message)


def _retriever_faults(signature: SignatureSpec, pointer: str) -> Iterator[Fault]:
    if len(signature.inputs) != 1 or signature.inputs[0].type != STRING:
        message = "A retriever has one input, a text. Change the signature."
        yield Fault(pointer, "retrieve.input", message)
    if len(signature.outputs) != 1 or signature.outputs[0].type != PASSAGES.type:
        message = "A retriever has one output, list[string]. Change the signature."
        yield Fault(pointer, "retrieve.output", message)


def _generator_faults(signature: SignatureSpec, pointer: str) -> Iterator[Fault]:
    given = {field.name: field for field in signature.inputs}
    if "prompt" not in given or given["prompt"].optional:
        message = "What generates has the input prompt, a text. Change the signature."
        yield Fault(pointer, "generate.input", message)
    for name, field in given.items():
        if name not in GENERATED_FROM or field.type != GENERATED_FROM[name]:
            known = ", ".join(f"{each}: {told.name}" for each, told in GENERATED_FROM.items())
            message = (
                f"What generates takes {known}, and no {name} like this. Change the signature."
            )
            yield Fault(pointer, "generate.input", message)
    if len(signature.outputs) != 1 or signature.outputs[0].type != STRING:
        message = "What generates has one output, a text. Change the signature."
        yield Fault(pointer, "generate.output", message)


def _reward_faults(spec: ModuleSpec, sampling: Sampling, pointer: str) -> Iterator[Fault]:
    reward = sampling.reward
    if isinstance(reward, ValidReward):
        return
    yield from _output_faults(spec.signature, reward.field, f"{pointer}/field")
    field = voted_on(spec.signature, reward.field)
    if field.name != reward.field:
        return
    wanted = _NUMBER if isinstance(reward, NumberReward) else STRING
    judged = isinstance(reward, NumberReward | ContainsReward | WordsReward)
    if judged and not feeds(field, FieldSpec(name=field.name, type=wanted)):
        what = "a number" if isinstance(reward, NumberReward) else "a text"
        message = f"This reward needs {what}, and {field.name} is none. Name another output."
        yield Fault(f"{pointer}/field", "reward.type", message)


def _output_faults(signature: SignatureSpec, name: str, pointer: str) -> Iterator[Fault]:
    known = [field.name for field in signature.outputs]
    if name not in known:
        message = f"The signature has no output {name}. Choose one of {', '.join(known)}."
        yield Fault(pointer, "parameters.unknown_output", message)


def _ensemble_faults(signature: SignatureSpec, ensemble: Ensemble, at: str) -> Iterator[Fault]:
    if ensemble.field is not None:
        yield from _output_faults(signature, ensemble.field, f"{at}/field")
    if ensemble.size is not None and ensemble.size > len(ensemble.members):
        message = f"There are {len(ensemble.members)} members. Ask at most so many of them."
        yield Fault(f"{at}/size", "ensemble.size", message)
    field = voted_on(signature, ensemble.field)
    number = FieldSpec(name=field.name, type=Primitive(name="float"))
    if ensemble.reduce == "mean" and not feeds(field, number):
        message = f"The mean needs a number, and {field.name} is none. Name another output."
        yield Fault(f"{at}/reduce", "ensemble.mean", message)
