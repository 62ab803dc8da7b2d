"""What the API says may be done with an execution, in every state that it can be in."""

from dataclasses import replace
from uuid import UUID

import pytest
from fastapi.testclient import TestClient

from application.context import within
from application.lm_ports import ProgramFailed
from domain.execution.aggregate import Execution
from domain.execution.values import TRANSITIONS, ExecutionAction
from domain.run import RunStatus
from tests.contracts.repository import CONTEXT
from tests.support.api import ApiWorld, a_program
from tests.support.memory import NOW, MemoryRepository
from tests.support.runs import BROKEN

FOR_CALLERS = (ExecutionAction.CANCEL, ExecutionAction.REQUEST_REPLAY)


def brought_to(status: RunStatus, api: TestClient, world: ApiWorld) -> str:
    """Where an execution is that has come to *status*."""
    a_program(api)
    world.runner.outputs = {"queue": "bug"}
    world.runner.error = ProgramFailed(BROKEN) if status is RunStatus.FAILED else None
    world.has_worker = status in (RunStatus.COMPLETED, RunStatus.FAILED)
    body = {"inputs": {"message": "It crashes."}}
    reply = api.post("/v1/programs/triage/execute?wait=0", json=body)
    path = f"/v1/executions/{reply.json()['execution_id']}"
    if world.has_worker:
        world.work()
    elif status is RunStatus.CANCELLED:
        assert api.post(f"{path}/cancel", json={}).is_success
    elif status is RunStatus.RUNNING:
        with within(replace(CONTEXT, tenant=api.headers["X-Stratal-Tenant"])):
            executions = MemoryRepository(Execution, world.log)
            execution = executions.get(UUID(reply.json()["execution_id"]))
            execution.start("worker-1", at=NOW)
            executions.save(execution)
    return path


@pytest.mark.feature("EXE-14")
@pytest.mark.parametrize("status", RunStatus)
def test_exe_14_the_api_allows_what_the_table_does(
    status: RunStatus, api: TestClient, world: ApiWorld
) -> None:
    path = brought_to(status, api, world)
    view = api.get(path).json()
    assert view["status"] == status
    assert view["allowed_actions"] == [
        action for of, action in TRANSITIONS if of is status and action in FOR_CALLERS
    ]
    verbs = {ExecutionAction.CANCEL: "cancel", ExecutionAction.REQUEST_REPLAY: "replay?wait=0"}
    for action, verb in verbs.items():
        reply = api.post(f"{path}/{verb}", json={} if verb == "cancel" else None)
        assert reply.is_success == (action in view["allowed_actions"]), reply.text
        if not reply.is_success:
            assert reply.status_code == 409
