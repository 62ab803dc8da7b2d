"""What differs between two versions of a program, and what it breaks to go on to the newer one."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings

from domain.comparison.values import Change, Severity
from domain.comparison.versions import (
    Rows,
    Scored,
    VersionContent,
    broken_by,
    compare_versions,
    demo_hash,
)
from domain.module.values import ModuleKind
from domain.program.edits import PredictorEdit, edited
from domain.program.graph import ProgramGraph, single
from domain.program.predictors import predictors
from domain.program.values import Pins
from domain.signature.syntax import parse
from tests.support.graphs import module, sources, step
from tests.support.random_graphs import random_graphs

DEMO, OTHER = {"question": "1+1?", "answer": "2"}, {"question": "2+2?", "answer": "4"}


def graph(
    signature: str = "question -> answer", kind: str = "predict", **config: Any
) -> ProgramGraph:
    spec = module(parse(signature), ModuleKind(kind))
    changed = spec.config.model_copy(update=config)
    return single(spec.model_copy(update={"config": changed}), node_id="answer")


def version(of: ProgramGraph | None = None, *, pins: Pins = Pins(), **edit: Any) -> VersionContent:  # noqa: B008 - a value
    chosen = of or graph()
    found = predictors(chosen)
    edits = {path: PredictorEdit(**edit) for path in found} if edit else {}
    return VersionContent(chosen, edited(found, edits), pins)


def told(before: VersionContent, after: VersionContent) -> list[tuple[str, str]]:
    return [(each.kind.value, each.pointer) for each in compare_versions(before, after)]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(random_graphs())
def test_a_version_and_itself_do_not_differ(graph: ProgramGraph) -> None:
    assert compare_versions(version(graph), version(graph)) == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(random_graphs(), random_graphs())
def test_versions_that_differ_have_changes(one: ProgramGraph, other: ProgramGraph) -> None:
    changes: list[Change] = compare_versions(version(one), version(other))
    assert (changes == []) is (one == other)


@pytest.mark.feature("PRG-19")
def test_prg_19_changed_instructions_and_demos_are_found() -> None:
    before = version(instructions="Be kind.", demos=(DEMO,))
    after = version(instructions="Be brief.", demos=(OTHER,))
    assert told(before, after) == [
        ("instructions_changed", "/predictors/answer/instructions"),
        ("demo_removed", "/predictors/answer/demos/0"),
        ("demo_added", "/predictors/answer/demos/0"),
    ]


def test_a_demo_is_known_by_its_content() -> None:
    turned = dict(reversed(DEMO.items()))
    assert demo_hash(DEMO) == demo_hash(turned) != demo_hash(OTHER)
    assert told(version(demos=(DEMO,)), version(demos=(turned,))) == []
    assert told(version(demos=(DEMO, DEMO)), version(demos=(DEMO,))) == [
        ("demo_removed", "/predictors/answer/demos/1")
    ]
    assert told(version(demos=(DEMO, OTHER)), version(demos=(OTHER, DEMO))) == [
        ("demos_reordered", "/predictors/answer/demos")
    ]


def test_what_predictors_are_told_is_not_said_again_of_the_nodes() -> None:
    before, after = graph('"One." question -> answer'), graph('"Two." question -> answer')
    assert told(version(before), version(after)) == [
        ("instructions_changed", "/graph/signature/instructions"),
        ("instructions_changed", "/predictors/answer/instructions"),
    ]
    assert told(version(graph(demos=(DEMO,))), version(graph(demos=(OTHER,)))) == [
        ("demo_removed", "/predictors/answer/demos/0"),
        ("demo_added", "/predictors/answer/demos/0"),
    ]


def test_what_edits_hide_is_said_of_the_nodes() -> None:
    before, after = graph(demos=(DEMO,)), graph(demos=(OTHER,))
    assert told(version(before, demos=()), version(after, demos=())) == [
        ("parameter_changed", "/graph/nodes/0/module/config/demos")
    ]


@pytest.mark.parametrize(
    ("after", "kind", "pointer"),
    [
        (graph(temperature=0.9), "parameter_changed", "/graph/nodes/0/module/config/temperature"),
        (graph(kind="chain_of_thought"), "node_kind_changed", "/graph/nodes/0/kind"),
    ],
)
def test_settings_and_kinds_of_nodes_are_compared(
    after: ProgramGraph, kind: str, pointer: str
) -> None:
    assert (kind, pointer) in told(version(), version(after))


def test_tools_are_compared_by_name() -> None:
    def agent(*tools: dict[str, Any]) -> VersionContent:
        spec = module(parse("question -> answer"), ModuleKind.REACT)
        data = spec.model_dump(mode="json") | {"parameters": {"tools": list(tools)}}
        return version(single(type(spec).model_validate(data), node_id="agent"))

    def tool(name: str, url: str) -> dict[str, Any]:
        return {"kind": "http", "name": name, "description": "It.", "url": url}

    one, moved = tool("search", "https://a.example"), tool("search", "https://b.example")
    pointer = "/graph/nodes/0/module/parameters/tools"
    assert told(agent(), agent(one)) == [("tool_added", pointer)]
    assert told(agent(one), agent()) == [("tool_removed", pointer)]
    assert told(agent(one), agent(moved)) == [("tool_changed", pointer)]
    other = tool("look_up", "https://c.example")
    assert told(agent(one), agent(other, one)) == [("tool_added", pointer)]


def test_nodes_in_another_order_are_the_same_nodes() -> None:
    steps = (
        step("plan", "question -> plan", question="question"),
        step("answer", "plan -> answer", plan="plan.plan"),
    )
    written = ProgramGraph(
        signature=parse("question -> answer"),
        nodes=steps,
        outputs=sources({"answer": "answer.answer"}),
    )
    turned = written.model_copy(update={"nodes": steps[::-1]})
    (change,) = compare_versions(version(written), version(turned))
    assert (change.kind.value, change.severity) == ("nodes_reordered", Severity.COSMETIC)
    assert change.after == ["answer", "plan"]


def test_the_adapter_and_the_libraries_are_compared() -> None:
    old = Pins(adapter="chat", libraries={"dspy": "3.4.1", "numpy": "2", "pydantic": "2"})
    new = Pins(adapter="json", libraries={"dspy": "3.4.2", "numpy": "2", "python": "3.11"})
    found = compare_versions(version(pins=old), version(pins=new))
    assert [(each.kind.value, each.severity) for each in found] == [
        ("adapter_changed", Severity.COMPATIBLE),
        *[("library_changed", Severity.COSMETIC)] * 3,
    ]
    assert "before unknown" in found[-1].sentence


EVALUATION, DATASET = UUID(int=1), UUID(int=2)


def broken(before: VersionContent, after: VersionContent, *fields: str) -> Any:
    return broken_by(
        compare_versions(before, after),
        before,
        after,
        evaluations=[Scored(EVALUATION, 1, "f1")],
        datasets=[Rows(DATASET, "mail", fields)],
    )


def test_callers_datasets_and_evaluations_that_break_are_named() -> None:
    after = version(graph("question, context -> reply"))
    found = broken(version(), after, "question", "answer")
    assert found.callers == (
        "The input context (string) was added. It is required.",
        "The output answer is called reply now.",
    )
    (rows,) = found.datasets
    assert rows.sentence == (
        "The rows of mail lack the input context and have none of the outputs reply."
    )
    (stale,) = found.evaluations
    assert stale.sentence == (
        "The f1 of version 1 is of another version. It scored answer, which is gone."
    )


def test_rows_that_never_fitted_are_not_broken_now() -> None:
    assert broken(version(), version(graph("text -> answer")), "other").datasets == ()


def test_what_is_only_cosmetic_leaves_scores_as_they_are() -> None:
    found = broken(version(), version(pins=Pins(libraries={"dspy": "4"})), "question", "answer")
    assert found.evaluations == ()
    assert broken(version(), version(instructions="x"), "question", "answer").evaluations
