"""Asking providers without a program: recorded, charged, cached where asked, typed where failed."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from application.lm_ports import ProgramFailed
from application.turns import NO_TURN
from domain.execution.events import ExecutionRequested
from domain.values import Cache, Failure
from tests.support.api import ApiWorld, a_program

PATH = "/v1/providers/gpt"
WARM = {"name": "warm", "temperature": 0.7, "max_tokens": 64}


Asked = Callable[[], list[ExecutionRequested]]


@pytest.fixture
def world(world: ApiWorld, monkeypatch: pytest.MonkeyPatch) -> ApiWorld:
    """A world whose model says four; it is shared, so what a test changes is put back."""
    for name, value in (("asks", ["first"]), ("outputs", {"text": "Four."}), ("error", None)):
        monkeypatch.setattr(world.runner, name, value)
    return world


@pytest.fixture
def asked(world: ApiWorld) -> Asked:
    """The executions that the test asked for."""
    before = len(world.log.recorded)

    def since() -> list[ExecutionRequested]:
        events = [each.event for each in world.log.recorded[before:]]
        return [each for each in events if isinstance(each, ExecutionRequested)]

    return since


@pytest.fixture
def gpt(api: TestClient) -> str:
    models = [{"name": "gpt-4"}, WARM]
    body = {"name": "gpt", "kind": "openai", "secret": "env:OPENAI_API_KEY", "models": models}
    reply = api.post("/v1/providers", json=body)
    assert reply.status_code == 201, reply.text
    return str(reply.json()["id"])


def generated(api: TestClient, **body: Any) -> dict[str, Any]:
    reply = api.post(f"{PATH}/generate", json={"prompt": "2 + 2?"} | body)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


@pytest.mark.feature("LMP-06")
def test_lmp_06_a_generation_is_an_execution_with_its_call_and_cost_on_record(
    api: TestClient, world: ApiWorld, gpt: str, asked: Asked
) -> None:
    found = generated(api)
    assert (found["text"], found["model"], found["status"]) == ("Four.", "gpt/gpt-4", "completed")
    assert found["tokens"] == {"input": 5, "output": 2, "estimated": False}
    run = api.get(f"/v1/executions/{found['execution_id']}").json()
    assert run["inputs"] == {
        "prompt": "2 + 2?",
        "system": None,
        "temperature": 0.0,
        "max_tokens": 1000,
    }
    [call] = api.get("/v1/lm-calls", params={"program_id": found["program_id"]}).json()["items"]
    assert call["run_id"] == found["execution_id"]
    assert api.get("/v1/costs").json()["total"]["billed_usd"] == "0.001"
    assert api.get(f"/v1/programs/{found['program_id']}").json()["name"] == "generate"
    assert len(asked()) == 1


@pytest.mark.feature("LMP-06")
def test_lmp_06_what_nobody_says_is_as_the_model_is_offered(api: TestClient, gpt: str) -> None:
    for body, told in (
        ({"model": "warm"}, (0.7, 64, None)),
        ({"model": "warm", "temperature": 0, "max_tokens": 3, "system": "Go."}, (0.0, 3, "Go.")),
    ):
        run = generated(api, **body)
        asked = api.get(f"/v1/executions/{run['execution_id']}").json()["inputs"]
        assert (asked["temperature"], asked["max_tokens"], asked["system"]) == told
        assert run["model"] == "gpt/warm"


@pytest.mark.feature("LMP-06")
def test_lmp_06_the_same_key_is_the_same_generation(
    api: TestClient, world: ApiWorld, gpt: str, asked: Asked
) -> None:
    headers = {"Idempotency-Key": str(uuid4())}
    first, second = (
        api.post(f"{PATH}/generate", json={"prompt": "Hi."}, headers=headers).json()
        for _ in range(2)
    )
    assert first["execution_id"] == second["execution_id"]
    assert len(asked()) == 1


@pytest.mark.feature("LMP-06")
def test_lmp_06_caches_answer_only_where_they_are_asked_to(
    api: TestClient, world: ApiWorld, gpt: str, asked: Asked
) -> None:
    generated(api)
    generated(api, cache=True)
    assert [each.caches for each in asked()] == [(), (Cache.ANSWERS,)]


@pytest.mark.feature("LMP-06")
def test_lmp_06_a_program_of_ones_own_keeps_its_name(api: TestClient, gpt: str) -> None:
    own = a_program(api, "generate")
    found = generated(api)
    assert found["program_id"] != own
    name = api.get(f"/v1/programs/{found['program_id']}").json()["name"]
    assert name == f"generate-{found['program_id'][:8]}"


@pytest.mark.feature("LMP-06")
def test_lmp_06_what_cannot_be_asked_is_refused_and_nothing_runs(
    api: TestClient, world: ApiWorld, gpt: str, asked: Asked
) -> None:
    for path, body, code in (
        (PATH, {"prompt": "Hi.", "model": "gpt-9"}, "provider.model_unknown"),
        (PATH, {"prompt": ""}, "request.invalid"),
        ("/v1/providers/nobody", {"prompt": "Hi."}, "not_found"),
    ):
        assert api.post(f"{path}/generate", json=body).json()["code"].startswith(code[:9])
    api.post(f"{PATH}/disable", json={})
    refused = api.post(f"{PATH}/generate", json={"prompt": "Hi."})
    assert (refused.status_code, refused.json()["code"]) == (409, "provider.disabled")
    assert asked() == []


@pytest.mark.feature("LMP-06")
def test_lmp_06_a_generation_that_failed_says_so_and_a_busy_model_is_429(
    api: TestClient, world: ApiWorld, gpt: str
) -> None:
    world.runner.error = ProgramFailed(Failure(code="model.auth_refused", message="No."))
    found = generated(api)
    assert (found["text"], found["tokens"], found["status"]) == (None, None, "failed")
    assert found["failure"]["code"] == "model.auth_refused"
    busy = Failure(code=NO_TURN, message="Try again in 7 s.", retryable=True)
    world.runner.error = ProgramFailed(busy)
    reply = api.post(f"{PATH}/generate", json={"prompt": "Hi."})
    assert (reply.status_code, reply.headers["Retry-After"]) == (429, "7")


@pytest.mark.feature("LMP-06")
def test_lmp_06_who_does_not_want_to_wait_is_told_where_it_is(api: TestClient, gpt: str) -> None:
    reply = api.post(f"{PATH}/generate", json={"prompt": "Hi."}, params={"wait": 0})
    assert reply.status_code in {200, 202}
    place = f"/v1/executions/{reply.json()['execution_id']}"
    assert reply.headers["Location"].startswith(place)


def results(api: TestClient, world: ApiWorld, **body: Any) -> tuple[dict[str, Any], list[Any]]:
    reply = api.post(f"{PATH}/generate-batch", json=body)
    assert reply.status_code == 202, reply.text
    world.work()
    place = f"/v1/batches/{reply.json()['id']}"
    lines = api.get(f"{place}/results").text.splitlines()
    return api.get(place).json(), lines


@pytest.fixture
def fails_at_3(world: ApiWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model refuses each prompt that holds a 3."""
    run, refused = world.runner.run, ProgramFailed(Failure(code="model.failed", message="No."))

    def maybe(program: Any, inputs: Any, journal: Any, *, live: bool) -> Any:
        world.runner.error = refused if "3" in inputs["prompt"] else None
        return run(program, inputs, journal, live=live)

    monkeypatch.setattr(world.runner, "run", maybe)


@pytest.mark.usefixtures("fails_at_3")
@pytest.mark.feature("LMP-08")
def test_lmp_08_of_ten_prompts_one_fails_and_nine_are_answered(
    api: TestClient, world: ApiWorld, gpt: str
) -> None:
    batch, lines = results(api, world, prompts=[f"Prompt {n}" for n in range(10)], concurrency=3)
    assert (batch["status"], batch["completed"], batch["failed"]) == ("completed", 9, 1)
    assert len(lines) == 10
    assert sum('"model.failed"' in line for line in lines) == 1
    assert sum("Four." in line for line in lines) == 9


@pytest.mark.usefixtures("fails_at_3")
@pytest.mark.feature("LMP-08")
def test_lmp_08_with_fail_fast_the_first_failure_ends_it(
    api: TestClient, world: ApiWorld, gpt: str
) -> None:
    prompts = [f"Prompt {n}" for n in range(10)]
    batch, lines = results(api, world, prompts=prompts, concurrency=1, fail_fast=True)
    assert (batch["status"], batch["cancelled_because"]) == ("cancelled", "Row 4 failed.")
    assert (batch["begun"], batch["completed"], batch["failed"]) == (4, 3, 1)
    assert sum('"cancelled"' in line for line in lines) == 6


@pytest.mark.feature("LMP-08")
def test_lmp_08_each_of_a_batch_is_asked_as_the_batch_says(
    api: TestClient, world: ApiWorld, gpt: str, asked: Asked
) -> None:
    results(api, world, prompts=["a", "b"], model="warm", cache=True)
    asked = [(each.model, each.caches) for each in asked()]
    assert asked == [("gpt/warm", (Cache.ANSWERS,))] * 2
    too_many = api.post(f"{PATH}/generate-batch", json={"prompts": ["x"] * 1001})
    assert too_many.status_code == 422


@pytest.mark.feature("LMP-09")
def test_lmp_09_tokens_are_counted_about_where_nobody_was_asked(api: TestClient, gpt: str) -> None:
    reply = api.post(f"{PATH}/count-tokens", json={"text": "How many?"})
    assert reply.json() == {"tokens": 3, "estimated": True}
    assert api.post("/v1/providers/nobody/count-tokens", json={"text": ""}).status_code == 404


@pytest.mark.feature("LMP-09")
def test_lmp_09_a_call_that_nobody_counted_has_estimated_tokens(
    api: TestClient, world: ApiWorld, gpt: str
) -> None:
    world.runner.asks = []
    assert generated(api)["tokens"] == {"input": 2, "output": 2, "estimated": True}


@pytest.mark.feature("LMP-05")
def test_lmp_05_a_provider_is_tried_and_says_how_soon_it_answered(
    api: TestClient, world: ApiWorld, gpt: str, asked: Asked
) -> None:
    found = api.post(f"{PATH}/test", params={"model": "warm"}).json()
    assert (found["ok"], found["model"], found["failure"]) == (True, "gpt/warm", None)
    assert found["latency_ms"] == 1.5
    assert found["execution"]["token_usage"]["calls"] == 1
    [asked] = asked()
    assert asked.deadline is not None


@pytest.mark.feature("LMP-05")
def test_lmp_05_a_provider_that_does_not_answer_is_told_of_and_no_error_of_ours(
    api: TestClient, world: ApiWorld, gpt: str
) -> None:
    world.runner.asks = []
    for code in ("provider.key_missing", NO_TURN):
        world.runner.error = ProgramFailed(Failure(code=code, message="Nothing was sent."))
        reply = api.post(f"{PATH}/test")
        assert reply.status_code == 200
        found = reply.json()
        assert (found["ok"], found["latency_ms"], found["failure"]["code"]) == (False, None, code)
