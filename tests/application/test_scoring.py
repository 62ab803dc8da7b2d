"""Scores: in the rows' order, a failed row counts 0, and a metric that fails is named."""

import pytest

from application import extensions
from application.lm_ports import JsonObject, ProgramFailed
from application.scoring import scored
from domain.evaluation.errors import UnknownMetric
from domain.values import Failure
from tests.support.run_world import GRAPH, RunnableProgram, World

PROGRAM = RunnableProgram("triage@1", GRAPH, None)
ROWS: list[JsonObject] = [
    {"message": f"m{n}", "queue": "bug" if n % 3 else "howto"} for n in range(6)
]


def rated(world: World, metric: str = "exact_match") -> list[float]:
    return [each.score for each in scored(world.engine, PROGRAM, ROWS, metric, NotAsked())]


class NotAsked:
    """A journal for programs without calls."""

    def find(self, key: str) -> JsonObject | None:
        return {"say": key}

    def record(self, *call: object) -> None:
        raise AssertionError(call)

    record_tool_call = record


def test_rows_are_scored_in_their_order_on_what_they_ask_alone() -> None:
    world = World()
    world.evaluator.fails = {"m4": Failure(code="output.invalid", message="No queue.")}
    assert rated(world) == [0, 1, 1, 0, 0, 1]
    assert world.evaluator.seen == [{"message": f"m{n}"} for n in range(6)]


def test_an_unknown_metric_is_refused_before_any_call() -> None:
    world = World()
    with pytest.raises(UnknownMetric):
        rated(world, "vibes")
    assert world.evaluator.seen == []


def test_a_metric_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extensions, "metric", lambda name: lambda row, outputs: 1 / 0)
    with pytest.raises(ProgramFailed) as failed:
        rated(World())
    assert failed.value.failure.code == "metric.failed"
    assert "exact_match" in failed.value.failure.message
