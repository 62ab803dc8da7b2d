"""Workflows over HTTP: steps with what undoes each, defined, revised and started."""

from functools import partial
from typing import Annotated

from fastapi import Path, Query, Response, status
from pydantic import Field, PositiveInt

from application.errors import AggregateNotFound
from application.workflow_runs import StartWorkflow
from application.workflow_wishes import Inputs, Steps
from application.workflows import DefineWorkflow, RetireWorkflow, ReviseWorkflow
from domain.text import JsonObject, Name
from domain.workflow.values import WorkflowSpec
from infrastructure.api import workflow_runs
from infrastructure.api.bodies import Body, NewThing, Retirement
from infrastructure.api.dependencies import Expected, IdOrName, Reading, Writing, id_or, wish
from infrastructure.api.etags import Written, placed, tag, written
from infrastructure.api.pages import LIMIT, After, Limit, PageView, decode, shown
from infrastructure.api.route import router
from infrastructure.api.runs import DEFAULT_WAIT_S, Wait, until_ended
from infrastructure.api.workflow_runs import WorkflowRunView
from projections import workflows as read_model
from projections.workflows import WorkflowRow

KIND = "workflow"
PATH = "/v1/workflows"
routes = router(PATH, "workflows")


class WorkflowBody(Body):
    """What a workflow takes, and its steps in their order."""

    inputs: Inputs = Field(default=(), examples=[[{"name": "message"}]])
    steps: Steps


class NewWorkflow(NewThing):
    """A workflow under a name."""

    name: Name
    inputs: Inputs = Field(default=(), examples=[[{"name": "message"}]])
    steps: Steps


class NewRun(NewThing):
    """What to start a workflow with."""

    inputs: JsonObject = {}
    workflow_version: PositiveInt | None = Field(default=None, description="Else the latest.")


@routes.post("", status_code=status.HTTP_201_CREATED)
async def define_workflow(body: NewWorkflow, desk: Writing, response: Response) -> Written:
    """Define a workflow. The programs and tools that its steps name are looked up and pinned."""
    workflow_id = desk.new_id(KIND, body.id)
    values = body.model_dump(exclude={"id"}, exclude_unset=True)
    receipt = await desk.dispatch(wish(DefineWorkflow, workflow_id=workflow_id, **values))
    return written(response, receipt, f"{PATH}/{receipt.id}")


@routes.get("")
async def list_workflows(
    desk: Reading,
    name: Annotated[str | None, Query(description="Only those called so.")] = None,
    retired: Annotated[bool, Query(description="Those that were retired, instead.")] = False,
    limit: Limit = LIMIT,
    cursor: After = None,
) -> PageView[WorkflowRow]:
    """List workflows, newest first."""
    after = decode(cursor)
    return shown(
        await desk.read(
            lambda store: read_model.workflows(
                store, tenant=desk.tenant, name=name, retired=retired, limit=limit, after=after
            )
        )
    )


@routes.get("/{workflow}")
async def get_workflow(workflow: IdOrName, desk: Reading, response: Response) -> WorkflowRow:
    """Read one workflow, by id or name, retired or not."""
    wanted = id_or(workflow)
    row = await desk.read(lambda store: read_model.workflow(store, wanted, tenant=desk.tenant))
    if row is None:
        raise AggregateNotFound(KIND, wanted)
    tag(response, row.version)
    return row


@routes.get("/{workflow}/versions/{number}")
async def get_workflow_version(
    workflow: IdOrName,
    number: Annotated[PositiveInt, Path(description="A version of the workflow.")],
    desk: Reading,
) -> WorkflowSpec:
    """Read what one version of a workflow says."""
    workflow_id = await desk.id_of(KIND, workflow)
    return await desk.run(lambda: workflow_runs.version_of(desk.history(KIND, workflow_id), number))


@routes.post("/{workflow}/revise")
async def revise_workflow(
    workflow: IdOrName, body: WorkflowBody, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Make another version. What was started goes on as it was; the same again changes nothing."""
    workflow_id = await desk.id_of(KIND, workflow)
    values = body.model_dump(exclude_unset=True)
    command = wish(ReviseWorkflow, workflow_id=workflow_id, expected_version=expected, **values)
    return written(response, await desk.dispatch(command), f"{PATH}/{workflow_id}")


@routes.post("/{workflow}/retire")
async def retire_workflow(
    workflow: IdOrName, body: Retirement, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Take a workflow out of service. It stays readable, and its runs go on."""
    workflow_id = await desk.id_of(KIND, workflow)
    command = wish(
        RetireWorkflow, workflow_id=workflow_id, expected_version=expected, **body.model_dump()
    )
    return written(response, await desk.dispatch(command), f"{PATH}/{workflow_id}")


@routes.post(
    "/{workflow}/start",
    responses={202: {"model": WorkflowRunView, "description": "It has not ended yet."}},
)
async def start_workflow(
    workflow: IdOrName, body: NewRun, desk: Writing, wait: Wait, response: Response
) -> WorkflowRunView:
    """Start a workflow and wait for its end. Each step is durable before the next one begins."""
    workflow_id = await desk.id_of(KIND, workflow)
    run_id = desk.new_id(workflow_runs.KIND, body.id)
    values = body.model_dump(exclude={"id"}, exclude_unset=True)
    command = wish(StartWorkflow, run_id=run_id, workflow_id=workflow_id, **values)
    with desk.deps.expect(run_id, workflow_runs.ENDS) as expectation:
        receipt = await desk.dispatch(command)
        written(response, receipt, f"{workflow_runs.PATH}/{run_id}")
        look = partial(desk.run, partial(workflow_runs.view_of, desk, run_id))
        wait_s = DEFAULT_WAIT_S if wait is None else wait
        view = await until_ended(expectation, look, wait_s, is_new=desk.key is None)
    tag(response, view.version)
    placed(response, view.latest_position)
    if not view.ended:
        response.status_code = status.HTTP_202_ACCEPTED
    return view
