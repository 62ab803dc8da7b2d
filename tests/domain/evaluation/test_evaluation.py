"""One scoring of a program version on a dataset."""

from uuid import uuid4

from domain.dataset.values import Split
from domain.evaluation.aggregate import Evaluation
from domain.evaluation.events import EvaluationCompleted, EvaluationRequested
from domain.run import RunStatus
from tests.support.memory import NOW
from tests.support.runs import answered, ref

WISH = EvaluationRequested(
    program_id=uuid4(),
    program_version=2,
    dataset_id=uuid4(),
    split=Split.HELDOUT,
    dataset_rows=4,
    metric="exact_match",
)


def test_an_evaluation_ends_with_its_score_and_what_it_cost() -> None:
    evaluation = Evaluation.request(uuid4(), WISH, at=NOW)
    evaluation.start("w", at=NOW)
    evaluation.record_call(answered("one")[0], at=NOW)
    evaluation.record_call(answered("one")[0], at=NOW)
    evaluation.complete(ref("rows"), score=0.75, rows_total=4, rows_failed=1, duration_ms=9, at=NOW)
    assert evaluation.wish == WISH
    assert evaluation.result == EvaluationCompleted(
        score=0.75,
        rows=ref("rows"),
        rows_total=4,
        rows_failed=1,
        duration_ms=9,
        spend=evaluation.spend,
    )
    assert evaluation.spend.calls == 1
    history = [pending.event for pending in evaluation.collect()]
    assert vars(Evaluation.fold(evaluation.id, history)) == vars(evaluation)


def test_an_evaluation_that_gets_nowhere_fails_after_three_attempts() -> None:
    evaluation = Evaluation.request(uuid4(), WISH, at=NOW)
    for _ in range(4):
        evaluation.start("w", at=NOW)
    assert evaluation.status is RunStatus.FAILED
    assert evaluation.failure is not None
    assert evaluation.failure.code == "evaluation.worker_lost"
