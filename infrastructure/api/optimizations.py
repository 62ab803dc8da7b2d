"""Optimizations over HTTP: compile a program in the background, and see how far it is."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Response, status
from pydantic import Field, PositiveInt

from application.datasets import CHUNK_ROWS
from application.errors import AggregateNotFound
from application.optimizations import CancelOptimization, RequestOptimization
from domain.optimization.values import DEFAULT_SEED, Adoption, ProposalStatus
from domain.run import RunStatus
from domain.text import JsonObject
from infrastructure.api.bodies import Cancellation, NewThing
from infrastructure.api.dependencies import Expected, IdOrName, Reading, Writing, wish
from infrastructure.api.etags import Written, tag, written
from infrastructure.api.pages import LIMIT, After, Limit, PageView, decode, shown
from infrastructure.api.route import router
from infrastructure.api.runs import Requested, requested
from projections import optimization_board as read_model
from projections.kernel import ReadStore
from projections.optimization_board import OptimizationRow, TrialRow
from projections.paging import MAX_LIMIT

KIND = "optimization"
PATH = "/v1/optimizations"
routes = router(PATH, "optimizations")
program_routes = router("/v1/programs", "optimizations")

Id = Annotated[UUID, Path(alias="optimization_id")]


class NewOptimization(NewThing):
    """How to look for a better version of a program."""

    dataset: str | None = Field(
        default=None, description="Id or name; its train part is learned from."
    )
    trainset: tuple[JsonObject, ...] = Field(
        default=(),
        max_length=CHUNK_ROWS,
        description="Or the rows to learn from themselves; they become a dataset.",
        examples=[[{"message": "It crashes.", "queue": "bug"}]],
    )
    metric: str = Field(description="What is good.", examples=["exact_match"])
    optimizer: str | None = Field(
        default=None,
        description="The program's own if left out.",
        examples=["bootstrap_fewshot"],
    )
    config: JsonObject = Field(default={}, description="Parameters; the rest have defaults.")
    program_version: PositiveInt | None = Field(
        default=None, description="The deployed version if left out, or else the latest."
    )
    seed: int = Field(default=DEFAULT_SEED, description="Pins every choice the optimizer makes.")
    adopt: Adoption = Field(
        default=Adoption.AUTO,
        description="approval: it is scored on the held-out rows, too, and becomes a version once "
        "somebody approved.",
    )


class OptimizationDetail(OptimizationRow):
    """An optimizer run with its trials, as many as fit a page."""

    trial_list: tuple[TrialRow, ...] = Field(description=f"The first {MAX_LIMIT}, in order.")


@program_routes.post("/{program}/compile", status_code=status.HTTP_202_ACCEPTED)
async def compile_program(
    program: IdOrName, body: NewOptimization, desk: Writing, response: Response
) -> Requested:
    """Look for a better version in the background. What is found becomes the next version.

    With ``adopt: approval`` it is proposed: the program stays as it is until somebody approves.
    """
    program_id = await desk.id_of("program", program)
    dataset_id = body.dataset and await desk.id_of("dataset", body.dataset)
    receipt = await desk.dispatch(
        wish(
            RequestOptimization,
            optimization_id=desk.new_id(KIND, body.id),
            program_id=program_id,
            dataset_id=dataset_id,
            **body.model_dump(exclude={"id", "dataset"}, exclude_unset=True),
        )
    )
    return requested(response, receipt, f"{PATH}/{receipt.id}")


@routes.get("")
async def list_optimizations(
    desk: Reading,
    program_id: Annotated[UUID | None, Query(description="Only those of a program.")] = None,
    dataset_id: Annotated[UUID | None, Query(description="Only those on a dataset.")] = None,
    run_status: Annotated[RunStatus | None, Query(alias="status")] = None,
    proposal: Annotated[
        ProposalStatus | None, Query(description="Only what waits for approval, or waited.")
    ] = None,
    limit: Limit = LIMIT,
    cursor: After = None,
) -> PageView[OptimizationRow]:
    """List optimizations, newest first."""
    after = decode(cursor)
    return shown(
        await desk.read(
            lambda store: read_model.optimizations(
                store,
                tenant=desk.tenant,
                program_id=program_id,
                dataset_id=dataset_id,
                status=run_status,
                proposal=proposal,
                limit=limit,
                after=after,
            )
        )
    )


@routes.get("/{optimization_id}")
async def get_optimization(id: Id, desk: Reading, response: Response) -> OptimizationDetail:
    """Read one optimization with its trials so far."""

    def query(store: ReadStore) -> OptimizationDetail | None:
        row = read_model.optimization(store, id, tenant=desk.tenant)
        if row is None:
            return None
        trials = read_model.trials(store, id, tenant=desk.tenant, limit=MAX_LIMIT)
        return OptimizationDetail(**dict(row), trial_list=trials.rows)

    found = await desk.read(query)
    if found is None:
        raise AggregateNotFound(KIND, id)
    tag(response, found.version)
    return found


@routes.get("/{optimization_id}/trials")
async def list_trials(
    id: Id, desk: Reading, limit: Limit = LIMIT, cursor: After = None
) -> PageView[TrialRow]:
    """List the trials of an optimization, in order."""
    after = decode(cursor)
    return shown(
        await desk.read(
            lambda store: read_model.trials(store, id, tenant=desk.tenant, limit=limit, after=after)
        )
    )


@routes.post("/{optimization_id}/cancel")
async def cancel_optimization(
    id: Id, body: Cancellation, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Call an optimization off. It ends at its next model call; nothing is adopted."""
    command = wish(
        CancelOptimization, optimization_id=id, expected_version=expected, **body.model_dump()
    )
    return written(response, await desk.dispatch(command), f"{PATH}/{id}")
