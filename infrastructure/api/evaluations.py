"""Evaluations over HTTP: score a program version on a part of a dataset, row by row."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Response, status
from pydantic import Field, JsonValue, PositiveInt

from application.errors import AggregateNotFound
from application.evaluations import CancelEvaluation, RequestEvaluation
from domain.dataset.values import Split
from domain.run import RunStatus
from infrastructure.api.bodies import Cancellation, NewThing
from infrastructure.api.call_views import text_of
from infrastructure.api.dependencies import Expected, IdOrName, Reading, Writing, wish
from infrastructure.api.etags import Written, tag, written
from infrastructure.api.pages import LIMIT, After, Limit, PageView, decode, shown
from infrastructure.api.route import router
from infrastructure.api.runs import Requested, requested
from projections import evaluations as read_model
from projections.evaluations import EvaluationRow

KIND = "evaluation"
PATH = "/v1/evaluations"
routes = router(PATH, "evaluations")
program_routes = router("/v1/programs", "evaluations")

Id = Annotated[UUID, Path(alias="evaluation_id")]


class NewEvaluation(NewThing):
    """What to judge a program on."""

    dataset: str = Field(description="Id or name.")
    metric: str = Field(description="What is good.", examples=["exact_match"])
    split: Split = Field(default=Split.HELDOUT, description="Held-out rows judge fairly.")
    program_version: PositiveInt | None = Field(
        default=None, description="The deployed version if left out, or else the latest."
    )


class EvaluationDetail(EvaluationRow):
    """An evaluation with each row, what was answered, and its score."""

    row_scores: JsonValue = Field(description="In the dataset's order; null until completed.")


@program_routes.post("/{program}/evaluate", status_code=status.HTTP_202_ACCEPTED)
async def evaluate_program(
    program: IdOrName, body: NewEvaluation, desk: Writing, response: Response
) -> Requested:
    """Score a program in the background."""
    program_id = await desk.id_of("program", program)
    dataset_id = await desk.id_of("dataset", body.dataset)
    receipt = await desk.dispatch(
        wish(
            RequestEvaluation,
            evaluation_id=desk.new_id(KIND, body.id),
            program_id=program_id,
            dataset_id=dataset_id,
            **body.model_dump(exclude={"id", "dataset"}, exclude_unset=True),
        )
    )
    return requested(response, receipt, f"{PATH}/{receipt.id}")


@routes.get("")
async def list_evaluations(
    desk: Reading,
    program_id: Annotated[UUID | None, Query(description="Only those of a program.")] = None,
    program_version: Annotated[PositiveInt | None, Query(description="… of a version.")] = None,
    dataset_id: Annotated[UUID | None, Query(description="Only those on a dataset.")] = None,
    run_status: Annotated[RunStatus | None, Query(alias="status")] = None,
    limit: Limit = LIMIT,
    cursor: After = None,
) -> PageView[EvaluationRow]:
    """List evaluations, newest first."""
    after = decode(cursor)
    return shown(
        await desk.read(
            lambda store: read_model.evaluations(
                store,
                tenant=desk.tenant,
                program_id=program_id,
                program_version=program_version,
                dataset_id=dataset_id,
                status=run_status,
                limit=limit,
                after=after,
            )
        )
    )


@routes.get("/{evaluation_id}")
async def get_evaluation(id: Id, desk: Reading, response: Response) -> EvaluationDetail:
    """Read one evaluation with every row and its score."""
    row = await desk.read(lambda store: read_model.evaluation(store, id, tenant=desk.tenant))
    if row is None:
        raise AggregateNotFound(KIND, id)
    scores = await desk.run(lambda: text_of(row.rows, desk.deps.payloads))
    tag(response, row.version)
    return EvaluationDetail(**dict(row), row_scores=scores)


@routes.post("/{evaluation_id}/cancel")
async def cancel_evaluation(
    id: Id, body: Cancellation, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Call an evaluation off. It ends at its next model call."""
    command = wish(
        CancelEvaluation, evaluation_id=id, expected_version=expected, **body.model_dump()
    )
    return written(response, await desk.dispatch(command), f"{PATH}/{id}")
