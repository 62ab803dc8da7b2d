"""One row for each optimizer run, with its trials and the best score so far."""

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar, LiteralString
from uuid import UUID

from pydantic import Field, JsonValue

from domain.kernel import Event, Recorded
from domain.optimization.events import (
    OptimizationApproved,
    OptimizationCancelled,
    OptimizationCompleted,
    OptimizationFailed,
    OptimizationLmCalled,
    OptimizationRejected,
    OptimizationRequested,
    OptimizationStarted,
    OptimizationToolCalled,
    TrialScored,
)
from domain.optimization.values import Adoption, HeldOut, ProposalStatus
from domain.program.events import ProgramCompiled
from domain.run import RunStatus
from domain.values import PayloadRef, Score
from projections import runs
from projections.folding import document, row
from projections.kernel import Projection, ReadStore, Write
from projections.paging import DEFAULT_LIMIT, NEWEST_FIRST, Cursor, Key, Order, Page, Row, Select
from projections.runs import RunRow


class TrialRow(Row):
    """One candidate program and its score on the rows the optimizer learns from."""

    trial: int
    score: Score
    candidate: PayloadRef = Field(description="Where the candidate's state lies.")
    scored_at: datetime


class OptimizationRow(RunRow):
    optimization_id: UUID
    optimizer: str
    config: dict[str, JsonValue] = Field(description="Complete with the optimizer's defaults.")
    dataset_id: UUID
    dataset_rows: int = Field(description="How many rows it learns from.")
    dataset_version: int | None = Field(
        description="The version of the dataset that has them; null for the first ones loaded."
    )
    metric: str
    seed: int
    pins: dict[str, str] | None = Field(description="What a resumed attempt must repeat.")
    trials: int = Field(description="Trials scored so far.")
    best_score: Score | None = Field(description="The best trial's score so far.")
    best_trial: int | None = Field(description="The first trial that had the best score.")
    training_score: Score | None
    state: PayloadRef | None = Field(description="Where the state it settled on lies.")
    adopt: Adoption = Field(description="Whether what it finds becomes a version by itself.")
    heldout: HeldOut | None = Field(
        description="How what waits for approval scores on rows it did not learn from."
    )
    proposal: ProposalStatus | None = Field(
        description="What was decided about it; null without a result, or with adopt=auto."
    )
    decided_because: str | None
    decided_by: str | None
    adopted_version: int | None = Field(description="The program version it was compiled into.")
    adopted_at: datetime | None


class OptimizationBoard(Projection):
    name: ClassVar[str] = "optimization_board"
    version: ClassVar[int] = 3
    schema: ClassVar[LiteralString] = (
        "CREATE TABLE optimization ("
        + runs.COLUMNS
        + """,
            optimizer       text NOT NULL,
            config          json NOT NULL,
            dataset_id      uuid NOT NULL,
            dataset_rows    integer NOT NULL,
            dataset_version bigint,
            metric          text NOT NULL,
            seed            bigint NOT NULL,
            pins            json,
            trials          integer NOT NULL DEFAULT 0,
            best_score      double precision,
            best_trial      integer,
            training_score  double precision,
            state           json,
            adopt           text NOT NULL,
            heldout         json,
            proposal        text,
            decided_because text,
            decided_by      text,
            adopted_version integer,
            adopted_at      timestamptz
        ) WITH (fillfactor = 75);
        CREATE INDEX optimization_newest ON optimization (tenant, position);
        CREATE INDEX optimization_program ON optimization (tenant, program_id, position);
        CREATE INDEX optimization_dataset ON optimization (tenant, dataset_id, position);
        CREATE INDEX optimization_unfinished ON optimization (tenant, id)
            WHERE status IN ('pending', 'running')
               OR (status = 'completed' AND adopted_version IS NULL);
        CREATE INDEX optimization_proposed ON optimization (tenant, position)
            WHERE proposal = 'open';
        CREATE TABLE optimization_trial (
            tenant          text NOT NULL,
            optimization_id uuid NOT NULL,
            trial           integer NOT NULL,
            score           double precision NOT NULL,
            candidate       json NOT NULL,
            scored_at       timestamptz NOT NULL,
            PRIMARY KEY (tenant, optimization_id, trial)
        );
    """
    )
    events: ClassVar[tuple[type[Event], ...]] = (
        OptimizationRequested,
        OptimizationStarted,
        OptimizationLmCalled,
        OptimizationToolCalled,
        TrialScored,
        OptimizationCompleted,
        OptimizationFailed,
        OptimizationCancelled,
        OptimizationApproved,
        OptimizationRejected,
        ProgramCompiled,
    )

    def project(self, recorded: Recorded) -> Iterable[Write]:
        match recorded.event:
            case OptimizationRequested() as event:
                yield Write(_REQUEST, row(recorded, **_requested(recorded, event)))
            case OptimizationStarted(attempt=attempt, worker=worker, pins=pins):
                columns = row(recorded, attempt=attempt, worker=worker, pins=document({**pins}))
                yield Write(_START, columns)
            case OptimizationLmCalled(call=call):
                yield Write(_CALL, row(recorded, **runs.called(call)))
            case OptimizationToolCalled():
                yield Write(_TOOL_CALL, row(recorded))
            case TrialScored(trial=trial, score=score, candidate=candidate):
                columns = row(recorded, trial=trial, score=score, candidate=document(candidate))
                yield Write(_BEST, columns)
                yield Write(_TRIAL, columns)
            case OptimizationCompleted() as event:
                yield Write(_COMPLETE, row(recorded, **_completed(event)))
            case _:
                yield from _afterwards(recorded)


def _afterwards(recorded: Recorded) -> Iterable[Write]:
    """What ends an optimization otherwise than well, and what becomes of what it found."""
    match recorded.event:
        case OptimizationFailed(failure=failure):
            yield Write(_FAIL, row(recorded, **runs.ended(failure, None)))
        case OptimizationCancelled(reason=reason):
            yield Write(_CANCEL, row(recorded, reason=reason))
        case OptimizationApproved() | OptimizationRejected() as decision:
            yield Write(_DECIDE, row(recorded, **_decided(decision)))
        case ProgramCompiled(new_version=new, optimization_id=optimization_id):
            columns = row(recorded, adopted=new, optimization_id=optimization_id)
            yield Write(_ADOPT, columns)
        case _:
            pass


def _decided(event: OptimizationApproved | OptimizationRejected) -> dict[str, str]:
    is_approved = isinstance(event, OptimizationApproved)
    status = ProposalStatus.APPROVED if is_approved else ProposalStatus.REJECTED
    return {"reason": event.reason, "proposal": status.value}


def optimizations(
    store: ReadStore,
    *,
    tenant: str,
    program_id: UUID | None = None,
    dataset_id: UUID | None = None,
    status: RunStatus | None = None,
    proposal: ProposalStatus | None = None,
    limit: int = DEFAULT_LIMIT,
    after: Cursor | None = None,
) -> Page[OptimizationRow]:
    """The newest optimizer runs first."""
    select = Select(_SELECT, of=OptimizationBoard, tenant=tenant)
    select.where("program_id = %(program_id)s", program_id=program_id)
    select.where("dataset_id = %(dataset_id)s", dataset_id=dataset_id)
    select.where("status = %(status)s", status=status and status.value)
    select.where("proposal = %(proposal)s", proposal=proposal and proposal.value)
    return select.page(store, OptimizationRow, NEWEST_FIRST, limit=limit, after=after)


def optimization(store: ReadStore, optimization_id: UUID, *, tenant: str) -> OptimizationRow | None:
    """One optimizer run."""
    select = Select(_SELECT, of=OptimizationBoard, tenant=tenant).where(
        "id = %(id)s", id=optimization_id
    )
    return select.first(store, OptimizationRow, order="position")


def trials(
    store: ReadStore,
    optimization_id: UUID,
    *,
    tenant: str,
    limit: int = DEFAULT_LIMIT,
    after: Cursor | None = None,
) -> Page[TrialRow]:
    """The trials of an optimizer run, in order."""
    select = Select(_TRIALS, of=OptimizationBoard, tenant=tenant).where(
        "optimization_id = %(id)s", id=optimization_id
    )
    return select.page(store, TrialRow, _BY_TRIAL, limit=limit, after=after)


def _requested(recorded: Recorded, event: OptimizationRequested) -> dict[str, object]:
    return {
        "program_id": event.program_id,
        "program_version": event.program_version,
        "correlation_id": recorded.envelope.correlation_id,
        "optimizer": event.optimizer,
        "config": document(event.config),
        "dataset_id": event.dataset_id,
        "dataset_rows": event.dataset_rows,
        "dataset_version": event.dataset_version,
        "metric": event.metric,
        "seed": event.seed,
        "adopt": event.adopt.value,
    }


def _completed(event: OptimizationCompleted) -> dict[str, object]:
    return {
        "state": document(event.state),
        "training_score": event.training_score,
        "heldout": document(event.heldout),
        "duration_ms": event.duration_ms,
    }


_BY_TRIAL = Order("trial", "trial > %(after_trial)s", (Key("trial", int),))

_TRIALS: LiteralString = """
    SELECT trial, score, candidate, scored_at
    FROM optimization_trial WHERE tenant = %(tenant)s"""

_SELECT = runs.select(
    "optimization",
    "optimization_id",
    """optimizer, config, dataset_id, dataset_rows, dataset_version, metric, seed, pins, trials,
           best_score, best_trial, training_score, state, adopt, heldout, proposal,
           decided_because, decided_by, adopted_version, adopted_at""",
)
_REQUEST = runs.insert(
    "optimization",
    "optimizer, config, dataset_id, dataset_rows, dataset_version, metric, seed, adopt",
    """%(optimizer)s, %(config)s, %(dataset_id)s, %(dataset_rows)s, %(dataset_version)s,
            %(metric)s, %(seed)s, %(adopt)s""",
)
_START = runs.update("optimization", runs.STARTED + ", pins = %(pins)s")
_CALL = runs.update("optimization", runs.CALLED)
_TOOL_CALL = runs.update("optimization", runs.TOOL_CALLED)
_BEST = runs.update(
    "optimization",
    runs.TOUCHED
    + """, trials = trials + 1, best_score = greatest(best_score, %(score)s),
        best_trial = CASE WHEN best_score >= %(score)s THEN best_trial ELSE %(trial)s END""",
)
_COMPLETE = runs.update(
    "optimization",
    runs.COMPLETED
    + """, state = %(state)s, training_score = %(training_score)s, heldout = %(heldout)s,
        proposal = CASE adopt WHEN 'approval' THEN 'open' END""",
)
_FAIL = runs.update("optimization", runs.FAILED)
_CANCEL = runs.update("optimization", runs.CANCELLED)
_DECIDE = runs.update(
    "optimization",
    runs.TOUCHED
    + ", proposal = %(proposal)s, decided_because = %(reason)s, decided_by = %(actor)s",
)

_TRIAL: LiteralString = """
    INSERT INTO optimization_trial (tenant, optimization_id, trial, score, candidate, scored_at)
    VALUES (%(tenant)s, %(id)s, %(trial)s, %(score)s, %(candidate)s, %(at)s)
    ON CONFLICT DO NOTHING"""

_ADOPT: LiteralString = """
    UPDATE optimization SET adopted_version = %(adopted)s, adopted_at = %(at)s
    WHERE tenant = %(tenant)s AND id = %(optimization_id)s"""
