"""What a kind makes of a signature, and which settings go with it."""

from collections.abc import Iterator
from typing import Final

from domain.errors import Fault
from domain.module.errors import InvalidModule
from domain.module.kinds import ModuleKind
from domain.module.parameter_rules import parameter_faults
from domain.module.parameters import Majority, Sampling
from domain.module.values import ModuleSpec
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.signature.types import ListOf, ObjectOf, Primitive
from domain.text import escape, json_faults

REASONING: Final = FieldSpec(name="reasoning", description="Step by step reasoning")
"""What chain of thought asks for before the answer, in the words of the original papers."""

_TEXT: Final = Primitive(name="string")
_ANY: Final = Primitive(name="any")
_AGENT_STEP: Final = ObjectOf(
    fields=(
        FieldSpec(name="thought", type=_TEXT),
        FieldSpec(name="tool", type=_TEXT),
        FieldSpec(name="arguments", type=Primitive(name="map")),
        FieldSpec(name="observation", type=_ANY),
    )
)
_CODE_STEP: Final = ObjectOf(
    fields=(
        FieldSpec(name="thought", type=_TEXT, optional=True),
        FieldSpec(name="code", type=_TEXT),
        FieldSpec(name="output", type=_ANY),
    )
)

MAX_DEMOS: Final = 1000

_STEPS: Final = {
    kind: FieldSpec(name="steps", type=ListOf(item=step), description="All steps, in order")
    for kind, step in (
        (ModuleKind.REACT, _AGENT_STEP),
        (ModuleKind.REACT_V2, _AGENT_STEP),
        (ModuleKind.CODE_ACT, _CODE_STEP),
        (ModuleKind.RLM, _CODE_STEP),
    )
}
"""What a kind that goes step by step tells beside its answer."""

_WITHOUT_DEMOS: Final = frozenset(
    {ModuleKind.RETRIEVE, ModuleKind.REACT_V2, ModuleKind.RLM, ModuleKind.GENERATE}
)
"""Kinds none of whose predictors asks for the outputs of the signature."""

_VARYING: Final = frozenset({ModuleKind.MULTI_CHAIN_COMPARISON, ModuleKind.MAJORITY})
"""Kinds that ask the same again; best_of_n and refine do so at temperature 1, as DSPy has it."""

_PLAIN: Final = frozenset({ModuleKind.PREDICT, ModuleKind.CHAIN_OF_THOUGHT})

_RESERVED: Final = {
    ModuleKind.PROGRAM_OF_THOUGHT: frozenset({
        "code_output", "error", "final_generated_code", "generated_code", "interpreter",
        "previous_code", "reasoning",
    }),
    ModuleKind.REACT: frozenset({"max_iters", "reasoning", "steps"}),
    ModuleKind.REACT_V2: frozenset({"max_iters", "steps", "tool_calls"}),
    ModuleKind.CODE_ACT: frozenset({
        "finished", "generated_code", "interpreter", "max_iters", "reasoning", "steps",
    }),
    ModuleKind.RLM: frozenset({
        "SUBMIT", "code", "dspy", "final_reasoning", "interpreter_factory", "iteration",
        "llm_query", "llm_query_batched", "print", "reasoning", "repl_history", "steps",
        "variables_info",
    }),
    ModuleKind.REFINE: frozenset({"hint_"}),
    ModuleKind.MULTI_CHAIN_COMPARISON: frozenset({"completions", "rationale", "reasoning"}),
}  # fmt: skip
"""Names that DSPy's module of a kind keeps for itself; ``SignatureSpec`` has those of all kinds."""


def thinks(spec: ModuleSpec) -> bool:
    """Whether it reasons before it answers, and tells so."""
    if isinstance(spec.parameters, Sampling | Majority):
        return spec.parameters.of is ModuleKind.CHAIN_OF_THOUGHT
    return spec.kind is ModuleKind.CHAIN_OF_THOUGHT


def effective_signature(spec: ModuleSpec) -> SignatureSpec:
    """What the module really takes and gives: what thinks also gives its reasoning, unasked.

    It comes before the other outputs, unless the signature has an output of that name already. A
    kind that goes step by step gives these steps after the other outputs.
    """
    signature = spec.signature
    outputs = signature.outputs
    if thinks(spec) and all(field.name != REASONING.name for field in outputs):
        outputs = (REASONING, *outputs)
    if (steps := _STEPS.get(spec.kind)) is not None:
        outputs = (*outputs, steps)
    return signature.model_copy(update={"outputs": outputs})


def module_faults(spec: ModuleSpec, pointer: str = "") -> Iterator[Fault]:
    """Everything that keeps *spec* from running."""
    inputs = {field.name for field in spec.signature.inputs}
    if thinks(spec) and REASONING.name in inputs:
        message = "Chain of thought writes an output called reasoning. Rename the input reasoning."
        yield Fault(f"{pointer}/kind", "name.reserved", message)
    for name in _names(spec.signature):
        if name in _RESERVED.get(spec.kind, ()) or _is_an_attempt(spec.kind, name):
            message = f"{spec.kind.value} keeps the name {name} for itself. Rename the field."
            yield Fault(f"{pointer}/kind", "name.reserved", message)
    if spec.parameters is not None:
        told = spec.parameters.model_dump(mode="json")
        yield from json_faults(told, f"{pointer}/parameters")
    yield from parameter_faults(spec, pointer)
    yield from _demo_faults(spec, f"{pointer}/config/demos")
    if spec.kind in _VARYING and spec.config.temperature == 0:
        message = "At temperature 0 all its attempts are the same. Choose a higher one."
        yield Fault(f"{pointer}/config/temperature", "temperature.zero", message)
    if spec.config.nearest is not None and spec.kind not in _PLAIN:
        message = "Only predict and chain_of_thought look examples up. Leave nearest out."
        yield Fault(f"{pointer}/config/nearest", "nearest.not_for_kind", message)


def check_module(spec: ModuleSpec) -> None:
    """Refuse a module that cannot run.

    Raises:
        InvalidModule: Kind, signature and settings do not go together; it names every fault.
    """
    if faults := list(module_faults(spec)):
        raise InvalidModule(faults)


def _names(signature: SignatureSpec) -> Iterator[str]:
    return (field.name for field in (*signature.inputs, *signature.outputs))


def _is_an_attempt(kind: ModuleKind, name: str) -> bool:
    return kind is ModuleKind.MULTI_CHAIN_COMPARISON and name.startswith("reasoning_attempt_")


def _demo_faults(spec: ModuleSpec, pointer: str) -> Iterator[Fault]:
    demos = spec.config.demos
    if len(demos) > MAX_DEMOS:
        yield Fault(pointer, "demos.too_many", f"A module has at most {MAX_DEMOS} demos.")
        return
    if demos and spec.kind in _WITHOUT_DEMOS:
        message = f"A module of kind {spec.kind.value} shows no demos. Leave them out."
        yield Fault(pointer, "demos.not_for_kind", message)
        return
    known = {REASONING.name} if thinks(spec) else set[str]()
    known.update(_names(spec.signature))
    for index, demo in enumerate(demos):
        yield from json_faults(demo, f"{pointer}/{index}")
        for name in demo.keys() - known:
            message = "The signature has no field of this name. Remove it from the demo."
            yield Fault(f"{pointer}/{index}/{escape(name)}", "demo.unknown_field", message)
