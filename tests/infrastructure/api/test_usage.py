"""What executions came to over HTTP, by hour or day."""

import pytest
from fastapi.testclient import TestClient

from tests.support.api import ApiWorld, a_program

INPUTS = {"inputs": {"message": "It crashes."}}


@pytest.mark.feature("EXE-09")
def test_exe_09_the_history_of_executions_is_one_request(api: TestClient, world: ApiWorld) -> None:
    program_id = a_program(api)
    world.runner.error, world.runner.outputs = None, {"queue": "bug"}
    views = [api.post("/v1/programs/triage/execute", json=INPUTS).json() for _ in range(3)]
    query = {"by": "hour", "program_id": program_id}
    page = api.get("/v1/usage/executions", params=query).json()
    assert page["next"] is None
    [hour] = page["items"]
    assert (hour["executions"], hour["completed"], hour["success_rate"]) == (3, 3, 1.0)
    assert hour["duration_p50_ms"] == hour["duration_p99_ms"] == views[0]["duration_ms"]
    assert hour["total_tokens"] == sum(each["token_usage"]["total_tokens"] for each in views)
    at = hour["period"]
    assert api.get("/v1/usage/executions", params={"until": at}).json()["items"] == []
    assert api.get("/v1/usage/executions", params={"by": "week"}).status_code == 422
