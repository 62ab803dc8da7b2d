"""The predictors of a program: the places within its modules that ask a model, as DSPy names them.

What a predictor is told (instructions and demos) is what optimizers change; here it can be read
without DSPy.
"""

from collections.abc import Iterator, Mapping

from domain.errors import Fault
from domain.kernel import ValueObject
from domain.module.rules import REASONING, effective_signature
from domain.module.values import ModuleKind, ModuleSpec
from domain.program.errors import InvalidState
from domain.program.graph import ModuleNode, NodeId, ProgramGraph, module_nodes
from domain.program.state import Demo, State
from domain.signature.fields import SignatureSpec


class Predictor(ValueObject):
    """One place that asks a model. ``path`` is what DSPy's ``named_predictors`` calls it.

    ``instructions`` are those in force; ``None`` lets DSPy word them.
    """

    path: str
    node: NodeId
    kind: ModuleKind
    signature: SignatureSpec
    instructions: str | None
    demos: tuple[Demo, ...]


def predictors(graph: ProgramGraph) -> dict[str, Predictor]:
    """The predictors of *graph* by path, as they were written, in the order of DSPy."""
    return {each.path: each for each in _each(graph)}


def loaded(predictors: Mapping[str, Predictor], state: State) -> dict[str, Predictor]:
    """*predictors* with the instructions and demos of *state*."""
    return {
        path: each.model_copy(
            update={
                "instructions": state[path].signature.instructions,
                "demos": tuple(state[path].demos),
            }
        )
        for path, each in predictors.items()
    }


def check_state(state: State, predictors: Mapping[str, Predictor], pointer: str = "") -> None:
    """Refuse a state of another program.

    Raises:
        InvalidState: Its predictors are not these, or have other fields.
    """
    faults: list[Fault] = []
    if state.keys() != predictors.keys():
        named = ", ".join(sorted(state.keys() ^ predictors.keys()))
        faults.append(Fault(pointer, "state.predictors", f"Not in both: {named}."))
    for path in state.keys() & predictors.keys():
        signature = predictors[path].signature
        if len(state[path].signature.fields) != len(signature.inputs) + len(signature.outputs):
            message = f"The predictor {path} has other fields."
            faults.append(Fault(f"{pointer}/{path}/signature/fields", "state.fields", message))
    if faults:
        raise InvalidState(faults)


def _each(graph: ProgramGraph) -> Iterator[Predictor]:
    for _, node in module_nodes(graph):
        yield from _of(node)


def _of(node: ModuleNode) -> Iterator[Predictor]:
    spec = node.module
    yield Predictor(
        path=f"{node.id}.predict" if _thinks(spec) else node.id,
        node=node.id,
        kind=spec.kind,
        signature=effective_signature(spec),
        instructions=spec.signature.instructions,
        demos=spec.config.demos,
    )


def _thinks(spec: ModuleSpec) -> bool:
    """Whether DSPy adds the reasoning; one that the signature has already is asked for as it is."""
    given = {field.name for field in spec.signature.outputs}
    return spec.kind is ModuleKind.CHAIN_OF_THOUGHT and REASONING.name not in given
