"""The predictors of a program: the places within its modules that ask a model, as DSPy names them.

What a predictor is told (instructions and demos) is what optimizers change; here it can be read
without DSPy. A test holds this to what DSPy says of each kind of module.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from domain.errors import Fault
from domain.kernel import ValueObject
from domain.module.kinds import ModuleKind, PlainKind
from domain.module.parameters import Chains, Custom, Ensemble, Majority, Sampling
from domain.module.rules import REASONING
from domain.module.values import ModuleSpec
from domain.program.errors import InvalidState
from domain.program.graph import NodeId, ProgramGraph, module_nodes
from domain.program.state import Demo, State
from domain.signature.fields import SignatureSpec
from domain.text import escape


class Predictor(ValueObject):
    """One place that asks a model. ``path`` is what DSPy's ``named_predictors`` calls it.

    ``instructions`` are those in force; ``None`` where DSPy words them around the signature's.
    """

    path: str
    node: NodeId
    kind: ModuleKind
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    instructions: str | None
    demos: tuple[Demo, ...]

    @property
    def fields(self) -> tuple[str, ...]:
        return self.inputs + self.outputs


def predictors(graph: ProgramGraph) -> dict[str, Predictor]:
    """The predictors of *graph* by path, as they were written, in the order of DSPy."""
    found = (
        _predictor(node.id, node.module, asked)
        for _, node in module_nodes(graph)
        for asked in _ASKED[node.module.kind](node.module)
    )
    return {each.path: each for each in found}


def loaded(predictors: Mapping[str, Predictor], state: State) -> dict[str, Predictor]:
    """*predictors* with the instructions and demos of *state*, which is checked."""
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
    for path in sorted(state.keys() & predictors.keys()):
        if len(state[path].signature.fields) != len(predictors[path].fields):
            where = f"{pointer}/{escape(path)}/signature/fields"
            faults.append(Fault(where, "state.fields", f"The predictor {path} has other fields."))
    if faults:
        raise InvalidState(faults)


class _Asked(NamedTuple):
    """A predictor within a module: ``suffix`` follows the node's name in its path."""

    suffix: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    instructions: str | None


def _predictor(node: str, spec: ModuleSpec, asked: _Asked) -> Predictor:
    known = {*asked.inputs, *asked.outputs}
    return Predictor(
        path=node + asked.suffix,
        node=node,
        kind=spec.kind,
        inputs=asked.inputs,
        outputs=asked.outputs,
        instructions=asked.instructions,
        demos=tuple(demo for demo in spec.config.demos if demo.keys() <= known),
    )


def _names(signature: SignatureSpec) -> tuple[tuple[str, ...], tuple[str, ...]]:
    inputs, outputs = signature.inputs, signature.outputs
    return tuple(each.name for each in inputs), tuple(each.name for each in outputs)


def _thought(outputs: tuple[str, ...]) -> tuple[str, ...]:
    """*outputs* with the reasoning first."""
    return REASONING.name, *(name for name in outputs if name != REASONING.name)


def _worded(signature: SignatureSpec, outputs: tuple[str, ...] = ()) -> str:
    """The instructions of *signature*, in DSPy's words if it has none.

    *outputs* are those it asks for, where their order is another one.
    """
    if signature.instructions is not None:
        return signature.instructions
    asked, given = _names(signature)
    told = (", ".join(f"`{name}`" for name in names) for names in (asked, outputs or given))
    return "Given the fields {}, produce the fields {}.".format(*told)


def _once(spec: ModuleSpec, kind: PlainKind, suffix: str = "", said: str | None = None) -> _Asked:
    """What a predict or a chain of thought asks; *said* stands for the signature's instructions."""
    inputs, outputs = _names(spec.signature)
    thinks = kind is ModuleKind.CHAIN_OF_THOUGHT
    told = _worded(spec.signature) if said is None else said
    if not thinks:
        return _Asked(suffix, inputs, outputs, told)
    if REASONING.name in outputs:  # one that the signature has already is asked for as it is
        told = _worded(spec.signature, _thought(outputs)) if said is None else said
        return _Asked(suffix, inputs, _thought(outputs), told)
    return _Asked(f"{suffix}.predict", inputs, _thought(outputs), told)


def _plain(spec: ModuleSpec) -> Iterator[_Asked]:
    kind = spec.kind
    assert kind is ModuleKind.PREDICT or kind is ModuleKind.CHAIN_OF_THOUGHT
    yield _once(spec, kind)


def _react(spec: ModuleSpec) -> Iterator[_Asked]:
    inputs, outputs = _names(spec.signature)
    next_step = ("next_thought", "next_tool_name", "next_tool_args")
    seen = (*inputs, "trajectory")
    yield _Asked(".react", seen, next_step, None)
    yield _Asked(".extract.predict", seen, _thought(outputs), _worded(spec.signature))


def _react_v2(spec: ModuleSpec) -> Iterator[_Asked]:
    inputs, _ = _names(spec.signature)
    seen = (*inputs, "history", "tools")
    yield _Asked(".react", seen, ("next_thought", "tool_calls"), None)


def _program_of_thought(spec: ModuleSpec) -> Iterator[_Asked]:
    inputs, outputs = _names(spec.signature)
    code = (REASONING.name, "generated_code")
    yield _Asked(".code_generate.predict", inputs, code, None)
    yield _Asked(".code_regenerate.predict", (*inputs, "previous_code", "error"), code, None)
    ran = (*inputs, "final_generated_code", "code_output")
    yield _Asked(".generate_output.predict", ran, _thought(outputs), None)


def _code_act(spec: ModuleSpec) -> Iterator[_Asked]:
    inputs, outputs = _names(spec.signature)
    seen = (*inputs, "trajectory")
    yield _Asked(".codeact", seen, ("generated_code", "finished"), None)
    yield _Asked(".extractor.predict", seen, _thought(outputs), _worded(spec.signature))


def _rlm(spec: ModuleSpec) -> Iterator[_Asked]:
    _, outputs = _names(spec.signature)
    seen = ("variables_info", "repl_history")
    yield _Asked(".generate_action", (*seen, "iteration"), (REASONING.name, "code"), None)
    yield _Asked(".extract", seen, outputs, None)


def _none(_spec: ModuleSpec) -> Iterator[_Asked]:
    return iter(())


def _sampling(spec: ModuleSpec) -> Iterator[_Asked]:
    assert isinstance(spec.parameters, Sampling | Majority)
    yield _once(spec, spec.parameters.of, ".module")


def _comparison(spec: ModuleSpec) -> Iterator[_Asked]:
    assert isinstance(spec.parameters, Chains)
    inputs, outputs = _names(spec.signature)
    if REASONING.name in outputs:
        outputs = _thought(outputs)
    yield _once(spec, ModuleKind.CHAIN_OF_THOUGHT, ".chain")
    attempts = range(1, spec.parameters.chains + 1)
    seen = (*inputs, *(f"reasoning_attempt_{number}" for number in attempts))
    yield _Asked(
        ".compare.predict", seen, ("rationale", *outputs), _worded(spec.signature, outputs)
    )


def _ensemble(spec: ModuleSpec) -> Iterator[_Asked]:
    assert isinstance(spec.parameters, Ensemble)
    for index, member in enumerate(spec.parameters.members):
        yield _once(spec, member.kind, f".members[{index}]", member.instructions)


def _custom(spec: ModuleSpec) -> Iterator[_Asked]:
    assert isinstance(spec.parameters, Custom)
    for found in spec.parameters.predictors:
        yield _Asked(f".{found.path}", found.inputs, found.outputs, found.instructions)


_ASKED: Final[Mapping[ModuleKind, Callable[[ModuleSpec], Iterator[_Asked]]]] = {
    ModuleKind.PREDICT: _plain,
    ModuleKind.CHAIN_OF_THOUGHT: _plain,
    ModuleKind.REACT: _react,
    ModuleKind.REACT_V2: _react_v2,
    ModuleKind.PROGRAM_OF_THOUGHT: _program_of_thought,
    ModuleKind.CODE_ACT: _code_act,
    ModuleKind.RLM: _rlm,
    ModuleKind.RETRIEVE: _none,
    ModuleKind.GENERATE: _none,
    ModuleKind.BEST_OF_N: _sampling,
    ModuleKind.REFINE: _sampling,
    ModuleKind.MULTI_CHAIN_COMPARISON: _comparison,
    ModuleKind.MAJORITY: _sampling,
    ModuleKind.ENSEMBLE: _ensemble,
    ModuleKind.CUSTOM: _custom,
}
