"""Runs are found by what they came to: a question of several parts is one request."""

from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from application.lm_ports import ProgramFailed
from tests.support.api import ApiWorld, a_program
from tests.support.memory import NOW
from tests.support.runs import BROKEN

INPUTS = {"inputs": {"message": "It crashes."}}
YESTERDAY, TODAY = NOW + timedelta(days=1), NOW + timedelta(days=2)


def ran(api: TestClient, program: str = "triage") -> str:
    return str(api.post(f"/v1/programs/{program}/execute", json=INPUTS).json()["execution_id"])


@pytest.mark.feature("VIS-20")
def test_vis_20_the_dear_failures_of_a_program_yesterday_are_one_query(
    api: TestClient, world: ApiWorld
) -> None:
    dear = [f"call {number}" for number in range(150)]  # of 7 tokens each
    program_id = a_program(api)
    a_program(api, "other")
    world.runner.outputs = {"queue": "bug"}
    ran(api)
    world.clock.at = YESTERDAY
    world.runner.error = ProgramFailed(BROKEN)
    ran(api)
    world.runner.asks = dear
    wanted = ran(api)
    ran(api, "other")
    world.runner.error = None
    ran(api)
    world.runner.error, world.clock.at = ProgramFailed(BROKEN), TODAY
    ran(api)
    query = {
        "program_id": program_id,
        "status": "failed",
        "since": YESTERDAY.isoformat(),
        "until": TODAY.isoformat(),
        "tokens_above": "1000",
    }
    found = api.get("/v1/executions", params=query).json()["items"]
    assert [each["execution_id"] for each in found] == [wanted]
    assert found[0]["spend"]["total_tokens"] == 1050
    for left_out, count in (("tokens_above", 2), ("until", 2), ("status", 2), ("program_id", 2)):
        rest = {name: value for name, value in query.items() if name != left_out}
        assert len(api.get("/v1/executions", params=rest).json()["items"]) == count, left_out
