"""What the API says of predictors without DSPy is what DSPy says of them."""

import json

import pytest

from application.lm_ports import RunnableProgram
from domain.module.kinds import ModuleKind
from domain.module.values import DEFAULTS, ModuleSpec
from domain.program.edits import PredictorEdit, edited
from domain.program.graph import ProgramGraph, single
from domain.program.predictors import Predictor, check_state, loaded, predictors
from domain.program.state import read_state
from domain.signature.syntax import parse
from infrastructure.dspy_runtime.compiler import build
from infrastructure.dspy_runtime.state import dumped

# DSPy's own comparison of chains warns of itself.
pytestmark = pytest.mark.filterwarnings("ignore:The 'prefix' argument:DeprecationWarning")

SIGNATURES = (
    "question, context -> answer",
    '"Be brief." question -> answer, score: float',
    "question -> answer, reasoning",
)
BUILT_HERE = sorted(set(ModuleKind) - {ModuleKind.RETRIEVE, ModuleKind.GENERATE, ModuleKind.CUSTOM})
"""A retriever asks no model, and a class of one's own is what its probe says."""

DEMOS = ({"question": "1+1?", "answer": "2"}, {"question": "2+2?", "answer": "4"})


def graph_of(kind: ModuleKind, signature: str) -> ProgramGraph:
    config = DEFAULTS[kind].model_copy(update={"demos": DEMOS})
    spec = ModuleSpec.model_validate(
        {"kind": kind, "signature": parse(signature), "config": config}
    )
    return single(spec)


def told_by_dspy(
    graph: ProgramGraph, edits: dict[str, PredictorEdit] | None = None
) -> dict[str, tuple[object, ...]]:
    module = build(RunnableProgram("p@1", graph, None, edits or {}))
    return {
        path: (
            tuple(each.signature.input_fields),
            tuple(each.signature.output_fields),
            each.signature.instructions,
            tuple(dict(demo) for demo in each.demos),
        )
        for path, each in module.named_predictors()
    }


def told(found: dict[str, Predictor]) -> dict[str, tuple[object, ...]]:
    return {
        path: (each.inputs, each.outputs, each.instructions, each.demos)
        for path, each in found.items()
    }


@pytest.mark.feature("PRD-02")
@pytest.mark.feature("PRD-01")
@pytest.mark.parametrize("signature", SIGNATURES)
@pytest.mark.parametrize("kind", BUILT_HERE)
def test_prd_01_the_predictors_are_those_that_dspy_names(kind: ModuleKind, signature: str) -> None:
    graph = graph_of(kind, signature)
    ours, theirs = told(predictors(graph)), told_by_dspy(graph)
    assert list(ours) == list(theirs)
    for path, (*fields, instructions, demos) in ours.items():
        *their_fields, worded, their_demos = theirs[path]
        assert (fields, demos) == (their_fields, their_demos)
        assert instructions in (None, worded)


@pytest.mark.feature("MOD-10")
@pytest.mark.parametrize("kind", BUILT_HERE)
def test_mod_10_what_is_set_of_a_predictor_is_what_it_is_told(kind: ModuleKind) -> None:
    graph = graph_of(kind, SIGNATURES[0])
    edits = {
        path: PredictorEdit(instructions=f"Do {path}.", demos=DEMOS[::-1])
        for path in predictors(graph)
    }
    assert told(edited(predictors(graph), edits)) == told_by_dspy(graph, edits)


@pytest.mark.parametrize("kind", BUILT_HERE)
def test_a_state_that_dspy_dumps_is_one_of_these_predictors(kind: ModuleKind) -> None:
    graph = graph_of(kind, SIGNATURES[1])
    module = build(RunnableProgram("p@1", graph, None))
    for path, predictor in module.named_predictors():
        predictor.signature = predictor.signature.with_instructions(f"Found for {path}.")
    state = read_state(json.loads(json.dumps(dumped(module))))
    check_state(state, predictors(graph))
    found = loaded(predictors(graph), state)
    assert {path: each.instructions for path, each in found.items()} == {
        path: f"Found for {path}." for path in found
    }
