"""Each kind has parameters of its own, with defaults, and rules that go with its signature."""

from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel, ValidationError

from domain.module.kinds import RUNS_CODE
from domain.module.parameters import (
    PARAMETERS,
    Agent,
    Chains,
    Code,
    Ensemble,
    KindParameters,
    Majority,
    Member,
    Recursive,
    Retrieve,
    Sampling,
)
from domain.module.rewards import EqualsReward, ValidReward
from domain.module.rules import effective_signature, module_faults
from domain.module.values import DEFAULTS, ModuleKind, ModuleSpec
from domain.signature.syntax import parse

DATASET = UUID(int=7)
CORPUS = {"dataset_id": str(DATASET), "field": "text"}
CUSTOM = {
    "probe_id": str(DATASET),
    "import_path": "acme_rag.rag:MyRAG",
    "arguments": {"k": 3},
    "source_sha256": "0" * 64,
    "predictors": [
        {"path": "answer", "inputs": ["question"], "outputs": ["answer"], "instructions": "Do."}
    ],
}


def spec_of(kind: str, text: str = "question -> answer", **said: Any) -> ModuleSpec:
    config = DEFAULTS[ModuleKind(kind)].model_copy(update=said.pop("config", {}))
    parameters = said or {"retrieve": {"corpus": CORPUS}, "custom": CUSTOM}.get(kind)
    return ModuleSpec.model_validate(
        {"kind": kind, "signature": parse(text), "config": config, "parameters": parameters}
    )


def found(spec: ModuleSpec) -> list[tuple[str, str]]:
    return [(fault.pointer, fault.code) for fault in module_faults(spec)]


@pytest.mark.feature("MOD-20")
def test_mod_20_the_defaults_of_react() -> None:
    spec = spec_of("react")
    assert spec.parameters == Agent(tools=(), max_iterations=5)
    assert spec.config.temperature == 0.7


@pytest.mark.feature("FUT-09")
@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("predict", None),
        ("chain_of_thought", None),
        ("react_v2", Agent(tools=(), max_iterations=5)),
        ("program_of_thought", Code(max_iterations=3)),
        ("code_act", Agent(tools=(), max_iterations=5)),
        (
            "rlm",
            Recursive(tools=(), max_iterations=20, max_llm_calls=50, max_output_chars=10_000),
        ),
        (
            "best_of_n",
            Sampling(of=ModuleKind.CHAIN_OF_THOUGHT, n=3, reward=ValidReward(), threshold=1.0),
        ),
        ("multi_chain_comparison", Chains(chains=3)),
        ("majority", Majority(of=ModuleKind.CHAIN_OF_THOUGHT, n=5, field=None)),
    ],
)
def test_fut_09_what_was_left_out_is_as_the_kind_has_it(kind: str, parameters: object) -> None:
    assert spec_of(kind).parameters == parameters


def test_refine_samples_as_best_of_n_does() -> None:
    assert spec_of("refine").parameters == spec_of("best_of_n").parameters


def test_a_retriever_gives_three_passages_unless_told_otherwise() -> None:
    retrieve = spec_of("retrieve", "question -> passages: list[string]").parameters
    assert isinstance(retrieve, Retrieve)
    assert (retrieve.k, retrieve.corpus.dataset_id) == (3, DATASET)


def test_an_ensemble_asks_all_of_its_members_by_default() -> None:
    ensemble = spec_of("ensemble").parameters
    assert isinstance(ensemble, Ensemble)
    assert [member.kind for member in ensemble.members] == ["predict", "chain_of_thought"]
    assert (ensemble.size, ensemble.reduce) == (None, "majority")


@pytest.mark.feature("MOD-31")
def test_mod_31_every_kind_says_what_its_parameters_are() -> None:
    assert PARAMETERS.keys() == DEFAULTS.keys() == set(ModuleKind)
    assert set(ModuleKind) >= RUNS_CODE


@pytest.mark.parametrize("kind", ModuleKind)
def test_a_module_comes_back_from_json_as_it_was(kind: ModuleKind) -> None:
    spec = spec_of(kind.value)
    assert ModuleSpec.model_validate_json(spec.model_dump_json()) == spec
    assert ModuleSpec.model_validate(spec.model_dump()) == spec


@pytest.mark.parametrize(
    ("kind", "parameters", "where"),
    [
        ("predict", {"n": 3}, ("parameters",)),
        ("react", {"max_iterations": 0}, ("parameters", "max_iterations")),
        ("react", {"tool": []}, ("parameters", "tool")),
        ("majority", {"of": "react"}, ("parameters", "of")),
        ("majority", Agent(), ("parameters",)),
        ("retrieve", None, ("parameters", "corpus")),
        ("best_of_n", {"reward": {"kind": "code"}}, ("parameters", "reward")),
    ],
)
def test_parameters_of_another_kind_are_refused_where_they_stand(
    kind: str, parameters: object, where: tuple[str, ...]
) -> None:
    body = {
        "kind": kind,
        "signature": parse("question -> answer"),
        "config": DEFAULTS[ModuleKind(kind)],
        "parameters": parameters,
    }
    with pytest.raises(ValidationError) as refused:
        ModuleSpec.model_validate(body)
    assert [error["loc"] for error in refused.value.errors()] == [where]


def test_parameters_of_no_kind_are_left_to_the_fault_of_the_kind() -> None:
    with pytest.raises(ValidationError) as refused:
        ModuleSpec.model_validate(
            {
                "kind": "psychic",
                "signature": parse("a -> b"),
                "config": DEFAULTS[ModuleKind.PREDICT],
                "parameters": {"max_iterations": 1},
            }
        )
    assert [error["loc"] for error in refused.value.errors()] == [("kind",)]


@pytest.mark.parametrize(
    ("kind", "said", "outputs"),
    [
        ("predict", {}, ["answer"]),
        ("react", {}, ["answer", "steps"]),
        ("react_v2", {}, ["answer", "steps"]),
        ("code_act", {}, ["answer", "steps"]),
        ("rlm", {}, ["answer", "steps"]),
        ("program_of_thought", {}, ["answer"]),
        ("best_of_n", {}, ["reasoning", "answer"]),
        ("refine", {"of": "predict"}, ["answer"]),
        ("majority", {}, ["reasoning", "answer"]),
        ("ensemble", {}, ["answer"]),
        ("multi_chain_comparison", {}, ["answer"]),
    ],
)
def test_a_kind_gives_what_it_finds_on_the_way(
    kind: str, said: dict[str, Any], outputs: list[str]
) -> None:
    given = effective_signature(spec_of(kind, **said)).outputs
    assert [field.name for field in given] == outputs


TOOL = {
    "kind": "python",
    "name": "look",
    "description": "Looks something up.",
    "entry_point": "tools:look",
}


CONTAINS = {"kind": "contains", "field": "n", "text": "x"}


def test_modules_that_can_run_have_no_faults() -> None:
    passages = "question -> passages: list[string]"
    texts = {kind.value: "q -> a" for kind in PARAMETERS} | {
        "retrieve": passages,
        "generate": "prompt -> text",
    }
    assert [found(spec_of(kind, text)) for kind, text in texts.items()] == [[]] * len(texts)
    assert found(spec_of("react", tools=[TOOL])) == []
    equals = {"kind": "equals", "field": "answer", "value": 1}
    assert found(spec_of("best_of_n", reward=equals)) == []
    assert found(spec_of("refine", "q -> x: float", reward={"kind": "number", "field": "x"})) == []
    assert found(spec_of("ensemble", "q -> x: float", size=2, reduce="mean", field="x")) == []
    assert found(spec_of("chain_of_thought", config={"demos": ({"reasoning": "r"},)})) == []


@pytest.mark.parametrize(
    ("spec", "faults"),
    [
        (spec_of("react", "steps -> answer"), [("/kind", "name.reserved")]),
        (spec_of("best_of_n", "reasoning -> answer"), [("/kind", "name.reserved")]),
        (
            spec_of("multi_chain_comparison", "reasoning_attempt_1 -> answer"),
            [("/kind", "name.reserved")],
        ),
        (spec_of("react", tools=[TOOL, TOOL]), [("/parameters/tools/1/name", "tool.repeated")]),
        (
            spec_of("rlm", "look -> answer", tools=[TOOL]),
            [("/parameters/tools/0/name", "tool.name_taken")],
        ),
        (
            spec_of("retrieve", "number: integer -> passages"),
            [("/kind", "retrieve.input"), ("/kind", "retrieve.output")],
        ),
        (
            spec_of("best_of_n", reward={"kind": "number", "field": "answer"}),
            [("/parameters/reward/field", "reward.type")],
        ),
        (
            spec_of("best_of_n", "q -> n: integer", reward=CONTAINS),
            [("/parameters/reward/field", "reward.type")],
        ),
        (
            spec_of("best_of_n", reward={"kind": "words", "field": "anser", "at_most": 3}),
            [("/parameters/reward/field", "parameters.unknown_output")],
        ),
        (
            spec_of("ensemble", members=[{"instructions": "Be \x00 brief."}]),
            [("/parameters/members/0/instructions", "text.unsafe")],
        ),
        (
            spec_of(
                "best_of_n", reward={"kind": "equals", "field": "answer", "value": {"a": "\ud800"}}
            ),
            [("/parameters/reward/value/a", "text.unsafe")],
        ),
        (spec_of("majority", field="x"), [("/parameters/field", "parameters.unknown_output")]),
        (
            spec_of("ensemble", field="x", reduce="mean", size=3),
            [
                ("/parameters/field", "parameters.unknown_output"),
                ("/parameters/size", "ensemble.size"),
                ("/parameters/reduce", "ensemble.mean"),
            ],
        ),
        (
            spec_of("majority", config={"temperature": 0.0}),
            [("/config/temperature", "temperature.zero")],
        ),
        (
            spec_of("rlm", config={"demos": ({"question": "q"},)}),
            [("/config/demos", "demos.not_for_kind")],
        ),
        (
            spec_of("react", config={"nearest": {"dataset_id": DATASET, "k": 3}}),
            [("/config/nearest", "nearest.not_for_kind")],
        ),
    ],
)
def test_what_does_not_go_together_is_named(
    spec: ModuleSpec, faults: list[tuple[str, str]]
) -> None:
    assert found(spec) == faults


def test_a_reward_and_a_member_are_data() -> None:
    assert EqualsReward(field="a", value={"x": [1]}).model_dump() == {
        "kind": "equals",
        "field": "a",
        "value": {"x": [1]},
    }
    assert Member(instructions="Be brief.").kind is ModuleKind.CHAIN_OF_THOUGHT


def test_parameters_without_a_kind_are_nobodys() -> None:
    class Choice(BaseModel):
        kind: ModuleKind | None = None
        parameters: KindParameters = None

    assert Choice().parameters is None
    with pytest.raises(ValidationError, match="Parameters are those of a kind"):
        Choice.model_validate({"parameters": {"n": 3}})
