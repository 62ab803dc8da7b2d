"""Evaluations from the wish to the score."""

from uuid import UUID, uuid4

import pytest

from application.attempts import RunInterrupted, insist
from application.context import within
from application.datasets import CreateDataset, DatasetPartIsEmpty, LoadRows
from application.errors import ConcurrentWrite
from application.evaluations import CancelEvaluation, RequestEvaluation, RunEvaluation
from application.lm_ports import ProgramFailed, RunStopped
from domain.dataset.values import Split
from domain.errors import StaleVersion
from domain.evaluation.aggregate import Evaluation
from domain.evaluation.errors import UnknownMetric
from domain.evaluation.events import (
    EvaluationCancelled,
    EvaluationCompleted,
    EvaluationFailed,
    EvaluationRequested,
)
from domain.program.errors import ActionIsNotAllowed
from domain.values import Failure
from tests.support.memory import NOW
from tests.support.run_world import CONTEXT, World
from tests.support.runs import BROKEN, OVERLOADED

ROWS = tuple({"message": f"m{n}", "queue": "bug" if n else "howto"} for n in range(4))


@pytest.fixture
def world() -> World:
    return World()


def request(world: World, **more: object) -> UUID:
    dataset_id = uuid4()
    world.do(CreateDataset(dataset_id=dataset_id, name=f"tickets {dataset_id.hex}"))
    world.do(LoadRows(dataset_id=dataset_id, split=Split.HELDOUT, rows=ROWS))
    wish: dict[str, object] = {"evaluation_id": uuid4(), "metric": "exact_match", **more}
    wish.setdefault("program_id", world.a_program())
    wish.setdefault("dataset_id", dataset_id)
    return world.do(RequestEvaluation.model_validate(wish)).id


def run(world: World, evaluation_id: UUID) -> None:
    world.do(RunEvaluation(evaluation_id=evaluation_id))


def test_the_score_is_the_mean_over_all_rows_a_failed_one_counting_0(world: World) -> None:
    failure = Failure(code="output.invalid", message="token=abcdefghijkl is no queue.")
    world.evaluator.fails = {"m3": failure}
    evaluation_id = request(world)
    run(world, evaluation_id)
    completed = world.events(evaluation_id)[-1]
    assert isinstance(completed, EvaluationCompleted)
    assert (completed.score, completed.rows_total, completed.rows_failed) == (0.5, 4, 1)
    assert completed.spend.calls == 4
    with within(CONTEXT):
        rows = world.payloads.get(completed.rows)
    assert isinstance(rows, list)
    assert rows[1] == {
        "row": {"message": "m1", "queue": "bug"},
        "outputs": {"queue": "bug"},
        "score": 1.0,
        "failure": None,
    }
    assert "abcdefgh" not in str(rows[3])
    assert "output.invalid" in str(rows[3])


def test_the_rows_of_the_request_are_scored_and_no_later_ones(world: World) -> None:
    evaluation_id = request(world)
    wish = world.events(evaluation_id)[0]
    assert isinstance(wish, EvaluationRequested)
    assert (wish.split, wish.dataset_rows, wish.program_version) == ("heldout", 4, 1)
    world.do(LoadRows(dataset_id=wish.dataset_id, split=Split.HELDOUT, rows=ROWS))
    run(world, evaluation_id)
    assert world.evaluator.seen == [{"message": row["message"]} for row in ROWS]


@pytest.mark.feature("MET-06")
def test_met_06_an_unknown_metric_is_refused_at_the_request(world: World) -> None:
    with pytest.raises(UnknownMetric):
        request(world, metric="vibes")


def test_an_empty_part_cannot_judge(world: World) -> None:
    with pytest.raises(DatasetPartIsEmpty, match="split=train"):
        request(world, split=Split.TRAIN)


@pytest.mark.feature("PRG-09")
def test_prg_09_a_retired_program_is_not_evaluated(world: World) -> None:
    program_id = world.a_program()
    world.change_program(program_id, lambda it: it.retire("old", at=NOW))
    with pytest.raises(ActionIsNotAllowed):
        request(world, program_id=program_id)


def test_a_program_that_cannot_be_built_fails_the_evaluation(world: World) -> None:
    world.evaluator.forward = raising(ProgramFailed(BROKEN))  # type: ignore[method-assign]
    evaluation_id = request(world)
    run(world, evaluation_id)
    failed = world.events(evaluation_id)[-1]
    assert isinstance(failed, EvaluationFailed)
    assert failed.failure == BROKEN


def test_an_outage_scores_nothing_and_goes_on_later(world: World) -> None:
    honest = world.evaluator.forward
    world.evaluator.forward = raising(RunStopped(OVERLOADED))  # type: ignore[method-assign]
    evaluation_id = request(world)
    with pytest.raises(RunInterrupted):
        run(world, evaluation_id)
    world.evaluator.forward = honest  # type: ignore[method-assign]
    run(world, evaluation_id)
    assert isinstance(world.events(evaluation_id)[-1], EvaluationCompleted)


def test_a_cancelled_evaluation_is_not_run(world: World) -> None:
    evaluation_id = request(world)
    with pytest.raises(StaleVersion):
        world.do(CancelEvaluation(evaluation_id=evaluation_id, expected_version=7))
    world.do(CancelEvaluation(evaluation_id=evaluation_id))
    run(world, evaluation_id)
    assert world.events(evaluation_id)[-1] == EvaluationCancelled(reason="No reason was given.")
    assert world.evaluator.seen == []


def test_a_requested_evaluation_is_carried_out(world: World) -> None:
    evaluation_id = request(world)
    world.react()
    assert isinstance(world.events(evaluation_id)[-1], EvaluationCompleted)


def test_insisting_ends_after_ten_lost_races(world: World) -> None:
    evaluation_id, tries = request(world), 0

    def lose(_: Evaluation) -> None:
        nonlocal tries
        tries += 1
        raise ConcurrentWrite("evaluation", evaluation_id)

    world.evaluations.before_save = lose
    with within(CONTEXT), pytest.raises(ConcurrentWrite):
        insist(world.evaluations, evaluation_id, lambda it: it.cancel("x", at=NOW))
    assert tries == 10


def raising(error: BaseException) -> object:
    def act(*_: object) -> object:
        raise error

    return act
