"""A model that takes no calls now: who waits for an answer is told when to ask again."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from application.circuits import CircuitIsOpen
from application.lm_ports import ProgramFailed
from application.turns import NoTurn, seconds_to_wait
from domain.values import Failure
from tests.support.api import ApiWorld, a_program

INPUTS = {"inputs": {"message": "It crashes."}}
REFUSED = Failure(
    code="model.rate_limited", message="Slow down.", retryable=True, provider_status=429
)


@pytest.fixture(autouse=True)
def _model_that_answers_again(world: ApiWorld) -> Iterator[None]:
    yield
    world.runner.error = None


@pytest.mark.parametrize(
    ("failure", "after_s"),
    [(NoTurn("the limit of calls to openai", 12.3).failure, "13"), (REFUSED, "10")],
)
@pytest.mark.feature("LMP-23")
def test_lmp_23_a_caller_gets_429_with_the_seconds_to_wait(
    api: TestClient, world: ApiWorld, failure: Failure, after_s: str
) -> None:
    a_program(api)
    world.runner.error = ProgramFailed(failure)
    reply = api.post("/v1/programs/triage/execute", json=INPUTS)
    assert reply.status_code == 429
    assert reply.json()["code"] == "model.no_turn"
    assert failure.message in reply.json()["detail"]
    assert reply.headers["Retry-After"] == after_s
    ended = api.get(reply.headers["Location"]).json()
    assert (ended["status"], ended["failure"]["code"]) == ("failed", failure.code)


@pytest.mark.feature("LMP-24")
def test_lmp_24_a_caller_of_a_model_that_is_left_alone_gets_503_with_the_seconds_to_wait(
    api: TestClient, world: ApiWorld
) -> None:
    a_program(api)
    failure = CircuitIsOpen("openai/gpt-4o-mini", 7.2).failure
    world.runner.error = ProgramFailed(failure)
    reply = api.post("/v1/programs/triage/execute", json=INPUTS)
    assert reply.status_code == 503
    assert reply.json()["code"] == "model.circuit_open"
    assert failure.message in reply.json()["detail"]
    assert reply.headers["Retry-After"] == "8"
    ended = api.get(reply.headers["Location"]).json()
    assert (ended["status"], ended["failure"]["code"]) == ("failed", failure.code)


def test_who_does_not_wait_finds_the_failure_with_the_execution(
    api: TestClient, world: ApiWorld
) -> None:
    a_program(api)
    world.runner.error = ProgramFailed(REFUSED)
    world.has_worker = False
    reply = api.post("/v1/programs/triage/execute?wait=0", json=INPUTS)
    assert reply.status_code == 202
    world.has_worker = True
    world.work()
    assert api.get(reply.headers["Location"]).json()["failure"]["code"] == "model.rate_limited"


def test_only_a_missing_turn_says_when_to_ask_again() -> None:
    assert seconds_to_wait(REFUSED) is None
