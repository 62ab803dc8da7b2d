"""One row for each scoring of a program version on a dataset."""

from collections.abc import Iterable
from typing import ClassVar, LiteralString
from uuid import UUID

from pydantic import Field

from domain.dataset.values import Split
from domain.evaluation.events import (
    EvaluationCancelled,
    EvaluationCompleted,
    EvaluationFailed,
    EvaluationLmCalled,
    EvaluationRequested,
    EvaluationStarted,
    EvaluationToolCalled,
)
from domain.kernel import Event, Recorded
from domain.run import RunStatus
from domain.values import PayloadRef, Score
from projections import runs
from projections.folding import document, row
from projections.kernel import Projection, ReadStore, Write
from projections.paging import DEFAULT_LIMIT, NEWEST_FIRST, Cursor, Page, Select
from projections.runs import RunRow


class EvaluationRow(RunRow):
    evaluation_id: UUID
    dataset_id: UUID
    split: Split
    dataset_rows: int = Field(description="How many rows it judges on.")
    dataset_version: int | None = Field(
        description="The version of the dataset that has them; null for the first ones loaded."
    )
    metric: str
    score: Score | None = Field(description="The mean over all rows; a failed row counts 0.")
    rows_failed: int | None
    rows: PayloadRef | None = Field(description="Where each row with its answer and score lies.")


class Evaluations(Projection):
    name: ClassVar[str] = "evaluations"
    version: ClassVar[int] = 3
    schema: ClassVar[LiteralString] = (
        "CREATE TABLE evaluation ("
        + runs.COLUMNS
        + """,
            dataset_id   uuid NOT NULL,
            split        text NOT NULL,
            dataset_rows integer NOT NULL,
            dataset_version bigint,
            metric       text NOT NULL,
            score        double precision,
            rows_failed  integer,
            rows         json
        ) WITH (fillfactor = 75);
        CREATE INDEX evaluation_newest ON evaluation (tenant, position);
        CREATE INDEX evaluation_program ON evaluation (tenant, program_id, position);
        CREATE INDEX evaluation_dataset ON evaluation (tenant, dataset_id, position);
        CREATE INDEX evaluation_unfinished ON evaluation (tenant, id)
            WHERE status IN ('pending', 'running');
    """
    )
    events: ClassVar[tuple[type[Event], ...]] = (
        EvaluationRequested,
        EvaluationStarted,
        EvaluationLmCalled,
        EvaluationToolCalled,
        EvaluationCompleted,
        EvaluationFailed,
        EvaluationCancelled,
    )

    def project(self, recorded: Recorded) -> Iterable[Write]:
        match recorded.event:
            case EvaluationRequested() as event:
                yield Write(_REQUEST, row(recorded, **_requested(recorded, event)))
            case EvaluationStarted(attempt=attempt, worker=worker):
                yield Write(_START, row(recorded, attempt=attempt, worker=worker))
            case EvaluationLmCalled(call=call):
                yield Write(_CALL, row(recorded, **runs.called(call)))
            case EvaluationToolCalled():
                yield Write(_TOOL_CALL, row(recorded))
            case EvaluationCompleted() as event:
                yield Write(_COMPLETE, row(recorded, **_completed(event)))
            case EvaluationFailed(failure=failure):
                yield Write(_FAIL, row(recorded, **runs.ended(failure, None)))
            case EvaluationCancelled(reason=reason):
                yield Write(_CANCEL, row(recorded, reason=reason))
            case _:
                pass


def evaluations(
    store: ReadStore,
    *,
    tenant: str,
    program_id: UUID | None = None,
    program_version: int | None = None,
    dataset_id: UUID | None = None,
    status: RunStatus | None = None,
    limit: int = DEFAULT_LIMIT,
    after: Cursor | None = None,
) -> Page[EvaluationRow]:
    """The newest evaluations first."""
    select = Select(_SELECT, of=Evaluations, tenant=tenant)
    select.where("program_id = %(program_id)s", program_id=program_id)
    select.where("program_version = %(program_version)s", program_version=program_version)
    select.where("dataset_id = %(dataset_id)s", dataset_id=dataset_id)
    select.where("status = %(status)s", status=status and status.value)
    return select.page(store, EvaluationRow, NEWEST_FIRST, limit=limit, after=after)


def evaluation(store: ReadStore, evaluation_id: UUID, *, tenant: str) -> EvaluationRow | None:
    """One evaluation."""
    select = Select(_SELECT, of=Evaluations, tenant=tenant).where("id = %(id)s", id=evaluation_id)
    return select.first(store, EvaluationRow, order="position")


def _requested(recorded: Recorded, event: EvaluationRequested) -> dict[str, object]:
    return {
        "program_id": event.program_id,
        "program_version": event.program_version,
        "correlation_id": recorded.envelope.correlation_id,
        "dataset_id": event.dataset_id,
        "split": event.split.value,
        "dataset_rows": event.dataset_rows,
        "dataset_version": event.dataset_version,
        "metric": event.metric,
    }


def _completed(event: EvaluationCompleted) -> dict[str, object]:
    return {
        "score": event.score,
        "rows_failed": event.rows_failed,
        "rows": document(event.rows),
        "duration_ms": event.duration_ms,
    }


_SELECT = runs.select(
    "evaluation",
    "evaluation_id",
    "dataset_id, split, dataset_rows, dataset_version, metric, score, rows_failed, rows",
)
_REQUEST = runs.insert(
    "evaluation",
    "dataset_id, split, dataset_rows, dataset_version, metric",
    "%(dataset_id)s, %(split)s, %(dataset_rows)s, %(dataset_version)s, %(metric)s",
)
_START = runs.update("evaluation", runs.STARTED)
_CALL = runs.update("evaluation", runs.CALLED)
_TOOL_CALL = runs.update("evaluation", runs.TOOL_CALLED)
_COMPLETE = runs.update(
    "evaluation",
    runs.COMPLETED + ", score = %(score)s, rows_failed = %(rows_failed)s, rows = %(rows)s",
)
_FAIL = runs.update("evaluation", runs.FAILED)
_CANCEL = runs.update("evaluation", runs.CANCELLED)
