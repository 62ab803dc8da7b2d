"""Recorded executions run another way, over HTTP: estimated, begun by hand, and compared."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Annotated, Any, Final, NamedTuple
from uuid import UUID

from fastapi import Path, Query, Response, status
from pydantic import BaseModel, Field, JsonValue, PositiveInt

from application.batches import varied_by
from application.counterfactuals import RequestCounterfactual
from application.errors import AggregateNotFound
from application.examples import rows_of
from application.lm_ports import JsonObject
from application.outcomes import Judge, Outcome, Texts, outcome, summed
from application.payloads import canonical_json
from domain.batch.aggregate import Batch
from domain.batch.errors import BatchVariesNothing
from domain.batch.values import USUAL_AT_ONCE, BatchStatus, Concurrency, Estimate
from domain.dataset.aggregate import Dataset
from domain.dataset.values import Split
from domain.evaluation.metrics import Metric, metric
from domain.execution.aggregate import Execution
from domain.program.deadline import DeadlineS
from domain.run import RunStatus
from domain.values import Failure, ModelRef
from infrastructure.api.bodies import Body
from infrastructure.api.call_views import text_of
from infrastructure.api.dependencies import Desk, IdOrName, Reading, Writing, wish
from infrastructure.api.etags import Written, written
from infrastructure.api.pages import LIMIT, After, Limit, decode, encode
from infrastructure.api.past_runs import WhichRuns
from infrastructure.api.route import router
from projections.paging import CursorIsInvalid

KIND: Final = "batch"
PATH: Final = "/v1/batches"
routes = router(PATH, "batches")
program_routes = router("/v1/programs", "batches")

Id = Annotated[UUID, Path(alias="batch_id")]


class NewCounterfactual(Body):
    """Which recorded executions to run another way, and how."""

    of: WhichRuns = Field(default=WhichRuns(), description="The newest 100 if left out.")
    program_version: PositiveInt | None = Field(
        default=None, description="What runs: the deployed version if left out, or the latest."
    )
    model: ModelRef | None = Field(
        default=None,
        description="What answers, as `provider/model`; that of each execution if left out.",
    )
    concurrency: Concurrency = Field(
        default=USUAL_AT_ONCE, description="How many executions are under way at a time."
    )
    deadline_s: DeadlineS | None = Field(
        default=None, description="Seconds that each may take, or else what the program says."
    )


class SideView(BaseModel):
    """What an execution gave, and what its calls cost and take if all of them are made."""

    execution_id: UUID
    status: RunStatus
    outputs: JsonValue = Field(default=None, description="Null unless completed, or once erased.")
    failure: Failure | None = None
    calls: int | None = Field(default=None, description="Of models; null until it has ended.")
    cost_usd: Decimal | None = Field(default=None, description="Null where that is not known.")
    latency_ms: float | None = Field(
        default=None, description="Of calls of models and tools, one after the other."
    )
    score: float | None = Field(default=None, description="Null without a metric, or a label.")


class ComparedRow(BaseModel):
    """A recorded execution and its other run."""

    row: int
    before: SideView
    after: SideView | None = Field(description="Null until it begins.")
    is_equal: bool | None = Field(description="Both gave the same; null until it has ended.")
    reused: int | None = Field(description="Calls of models that the record answered.")
    paid: int | None = Field(description="Calls that a model answered.")
    paid_usd: Decimal | None = Field(description="What those cost; null where nobody knows.")


class ComparedSums(BaseModel):
    """All that have ended, together. A cost that is not known of one is not known of all."""

    ended: int
    completed: int
    equal: int
    reused: int
    paid: int
    paid_usd: Decimal | None
    cost_before_usd: Decimal | None = Field(description="If all calls were made, as for `after`.")
    cost_after_usd: Decimal | None
    latency_before_ms: float
    latency_after_ms: float
    score_before: float | None = Field(description="The mean over those with a label.")
    score_after: float | None


class Comparison(BaseModel):
    """What came of running recorded executions another way, as far as it has come."""

    batch_id: UUID
    status: BatchStatus
    estimate: Estimate | None
    rows: int
    sums: ComparedSums
    items: tuple[ComparedRow, ...]
    next: str | None = Field(description="The cursor of the next page; null on the last one.")


class _Pair(NamedTuple):
    """One row as it was read; ``told`` is whose calls led to what was given before."""

    row: int
    before: Execution
    after: Execution | None
    texts: Texts
    outcome: Outcome | None


class _Judging(NamedTuple):
    """By which metric to score, and what is right by what was asked; else what was given before."""

    measure: Metric
    labels: Mapping[bytes, JsonObject] | None

    def judge(self, inputs: JsonObject, before: JsonObject) -> Judge:
        if self.labels is None:
            return Judge(self.measure, before)
        return Judge(self.measure, self.labels.get(canonical_json(dict(inputs))))


@program_routes.post("/{program}/counterfactuals", status_code=status.HTTP_202_ACCEPTED)
async def request_counterfactual(
    program: IdOrName, body: NewCounterfactual, desk: Writing, response: Response
) -> Written:
    """Have recorded executions run another way: another version, another model. Nothing runs yet.

    It becomes a batch that is `estimating`, and then `estimated`: its `estimate` says how many
    calls the record answers, and what the others would cost. To begin, resume it; or cancel it.
    """
    program_id = await desk.id_of("program", program)
    batch_id = desk.new_id(KIND)
    command = wish(
        RequestCounterfactual,
        batch_id=batch_id,
        which=body.of.which(program_id),
        **body.model_dump(exclude={"of"}),
    )
    return written(response, await desk.dispatch(command), f"{PATH}/{batch_id}")


@routes.get("/{batch_id}/comparison")
async def compare_runs(
    id: Id,
    desk: Reading,
    name: Annotated[
        str | None,
        Query(alias="metric", description="Scores both sides: a metric that Stratal brings."),
    ] = None,
    dataset: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=200,
            description="Whose rows say what is right for the same inputs; what was given before"
            " if left out. Id or name.",
        ),
    ] = None,
    limit: Limit = LIMIT,
    cursor: After = None,
) -> Comparison:
    """Put what recorded executions gave, cost and took beside what their other runs did."""
    measure = None if name is None else metric(name)
    dataset_id = None if dataset is None else await desk.id_of("dataset", dataset)
    first = _first_row(cursor)
    return await desk.run(partial(_comparison, desk, id, measure, dataset_id, first, limit))


def _comparison(
    desk: Desk, id: UUID, measure: Metric | None, dataset_id: UUID | None, first: int, limit: int
) -> Comparison:
    history: Any = [each.event for each in desk.history(KIND, id)]  # of its kind: checked
    batch = Batch.fold(id, history)
    if batch.wish.varies is None:
        raise BatchVariesNothing(id)
    judging = None if measure is None else _Judging(measure, _labels(desk, batch, dataset_id))
    pairs = [_pair(desk, batch, row, judging) for row in range(1, batch.wish.count + 1)]
    last = first + limit
    return Comparison(
        batch_id=id,
        status=batch.status,
        estimate=batch.found,
        rows=len(pairs),
        sums=_sums(pairs),
        items=tuple(_shown(each) for each in pairs[first:last]),
        next=encode((last,)) if last < len(pairs) else None,
    )


def _pair(desk: Desk, batch: Batch, row: int, judging: _Judging | None) -> _Pair:
    payloads = desk.deps.payloads
    varied = varied_by(batch, row, payloads)
    assert varied is not None
    before = _execution(desk, varied)
    try:
        after = _execution(desk, batch.run_of(row))
    except AggregateNotFound:  # its turn has not come
        after = None
    texts = Texts(
        _object(text_of(before.inputs, payloads)),
        _object(text_of(before.outputs, payloads)),
        _object(text_of(after.outputs, payloads)) if after and after.outputs else None,
    )
    if after is None or not after.status.is_terminal:
        return _Pair(row, before, after, texts, None)
    told = before if before.filled_by is None else _execution(desk, before.filled_by)
    judge = judging and judging.judge(texts.inputs, texts.before)
    return _Pair(row, before, after, texts, outcome(told, after, texts, judge))


def _shown(pair: _Pair) -> ComparedRow:
    found, after = pair.outcome, pair.after
    before = _side(pair.before, pair.texts.before)
    beside = None if after is None else _side(after, pair.texts.after)
    if found is None:
        return ComparedRow(
            row=pair.row,
            before=before,
            after=beside,
            is_equal=None,
            reused=None,
            paid=None,
            paid_usd=None,
        )
    assert beside is not None
    told = {"score": found.score_before, **found.before._asdict()}
    other = {"score": found.score_after, **found.after._asdict()}
    return ComparedRow(
        row=pair.row,
        before=before.model_copy(update=told),
        after=beside.model_copy(update=other),
        is_equal=found.is_equal,
        reused=found.reused,
        paid=found.paid,
        paid_usd=found.paid_usd,
    )


def _side(execution: Execution, outputs: JsonObject | None) -> SideView:
    return SideView(
        execution_id=execution.id,
        status=execution.status,
        outputs=None if outputs is None else dict(outputs),
        failure=execution.failure,
    )


def _sums(pairs: Sequence[_Pair]) -> ComparedSums:
    ended = [each.outcome for each in pairs if each.outcome is not None]
    completed = [each for each in pairs if each.after and each.after.status is RunStatus.COMPLETED]
    return ComparedSums(ended=len(ended), completed=len(completed), **summed(ended)._asdict())


def _labels(desk: Desk, batch: Batch, dataset_id: UUID | None) -> Mapping[bytes, JsonObject] | None:
    """The rows of the dataset by what they say of the inputs of the version that runs."""
    if dataset_id is None:
        return None
    history: Any = [each.event for each in desk.history("dataset", dataset_id)]  # likewise
    dataset = Dataset.fold(dataset_id, history)
    rows = [row for split in Split for row in rows_of(dataset, split, desk.deps.payloads)]
    return {
        canonical_json({name: row.get(name) for name in _asked(desk, batch)}): row for row in rows
    }


def _asked(desk: Desk, batch: Batch) -> Sequence[str]:
    inputs = desk.deps.payloads.get(batch.wish.chunks[0])
    assert isinstance(inputs, list)
    return [*_object(inputs[0])]


def _execution(desk: Desk, id: UUID) -> Execution:
    history: Any = [each.event for each in desk.history("execution", id)]  # likewise
    return Execution.fold(id, history)


def _object(content: JsonValue) -> JsonObject:
    """*content*, or nothing where it was erased."""
    return content if isinstance(content, dict) else {}


def _first_row(cursor: str | None) -> int:
    match decode(cursor):
        case None:
            return 0
        case (int(row),) if row >= 0:
            return row
        case _:
            raise CursorIsInvalid
