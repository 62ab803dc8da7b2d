"""Executions, replays, optimizations and evaluations over HTTP."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from application.lm_ports import ProgramFailed
from domain.values import Failure
from tests.support.api import ApiWorld, a_dataset, a_program, seconds

INPUTS = {"inputs": {"message": "It crashes."}}


@pytest.fixture(autouse=True)
def _program_that_answers(world: ApiWorld) -> Iterator[None]:
    world.runner.error, world.runner.outputs = None, {"queue": "bug"}
    world.runner.made.clear()
    yield
    world.has_worker = True
    world.work()


@pytest.mark.feature("EXE-01")
def test_exe_01_an_execution_is_waited_for_and_has_every_field(api: TestClient) -> None:
    program = a_program(api)
    reply = api.post("/v1/programs/triage/execute", json=INPUTS)
    assert reply.status_code == 200
    view = reply.json()
    assert (view["status"], view["outputs"]) == ("completed", {"queue": "bug"})
    assert (view["program_id"], view["program_version"]) == (program, 1)
    assert view["duration_ms"] == 250.0
    assert view["token_usage"]["calls"] == 2
    assert reply.headers["ETag"] == f'"{view["version"]}"'
    detail = api.get(f"/v1/executions/{view['execution_id']}").json()
    assert detail == view | {"inputs": {"message": "It crashes."}, "caller": None}
    assert view["allowed_actions"] == ["request_replay"], "what workers do is not offered"
    (last, *_) = api.get("/v1/audit").json()["items"]
    assert reply.headers["X-Stratal-Position"] == str(view["position"]) == str(last["position"])
    (row,) = api.get("/v1/executions?status=completed").json()["items"]
    assert row["execution_id"] == view["execution_id"]


@pytest.mark.feature("EXE-08")
def test_exe_08_what_the_provider_did_not_count_stays_unknown(api: TestClient) -> None:
    a_program(api)
    view = api.post("/v1/programs/triage/execute", json=INPUTS).json()
    (row,) = api.get("/v1/executions").json()["items"]
    assert view["token_usage"] == row["spend"]
    assert view["token_usage"]["cached_tokens"] is None
    assert view["token_usage"]["total_tokens"] > 0


@pytest.mark.feature("PRG-11")
@pytest.mark.parametrize(
    ("query", "headers", "body"),
    [
        ("?wait=0", {}, {}),
        ("", {"Prefer": "respond-async, wait=0"}, {}),
        ("", {}, {"wait": 0}),
        ("?wait=0", {"Prefer": "wait=30"}, {"wait": 30}),
        ("?wait=0.05", {}, {}),
    ],
)
def test_prg_11_who_does_not_wait_gets_202_and_a_place_to_ask(
    api: TestClient, world: ApiWorld, query: str, headers: dict[str, str], body: dict[str, int]
) -> None:
    world.has_worker = False
    a_program(api)
    reply = api.post(f"/v1/programs/triage/execute{query}", json=INPUTS | body, headers=headers)
    assert (reply.status_code, reply.json()["status"]) == (202, "pending")
    world.work()
    later = api.get(reply.headers["Location"]).json()
    assert (later["status"], later["outputs"]) == ("completed", {"queue": "bug"})


def test_a_wait_ends_when_its_time_is_up(api: TestClient, world: ApiWorld) -> None:
    world.has_worker = False
    a_program(api)
    took_s = seconds(lambda: api.post("/v1/programs/triage/execute?wait=0.2", json=INPUTS))
    assert 0.2 <= took_s < 5


@pytest.mark.parametrize(
    ("query", "headers", "code"),
    [
        ("?wait=301", {}, "request.invalid"),
        ("?wait=-1", {}, "request.invalid"),
        ("?wait=nan", {}, "request.invalid"),
        ("", {"Prefer": "wait=9999"}, "wait.too_long"),
    ],
)
def test_a_wait_has_bounds(api: TestClient, query: str, headers: dict[str, str], code: str) -> None:
    a_program(api)
    reply = api.post(f"/v1/programs/triage/execute{query}", json=INPUTS, headers=headers)
    assert (reply.status_code, reply.json()["code"]) == (422, code)


@pytest.mark.feature("SIG-23")
def test_sig_23_missing_inputs_are_all_named_and_nothing_is_stored(
    api: TestClient, world: ApiWorld
) -> None:
    modules = [{"kind": "predict", "signature_syntax": "question, context -> answer"}]
    api.post("/v1/programs", json={"name": "qa", "modules": modules})
    before = len(world.log.recorded)
    reply = api.post("/v1/programs/qa/execute", json={"inputs": {}})
    assert (reply.status_code, reply.json()["code"]) == (422, "values.invalid")
    assert reply.json()["detail"] == "Missing required inputs: context, question"
    assert {fault["pointer"].rpartition("/")[2] for fault in reply.json()["faults"]} == {
        "context",
        "question",
    }
    assert (len(world.log.recorded), world.runner.made) == (before, [])


@pytest.mark.parametrize("inputs", [{"message": 7}, {"message": None}, {"message": "a", "x": 1}])
def test_inputs_of_the_wrong_type_are_refused(api: TestClient, inputs: dict[str, object]) -> None:
    a_program(api)
    reply = api.post("/v1/programs/triage/execute", json={"inputs": inputs})
    assert (reply.status_code, reply.json()["code"]) == (422, "values.invalid")


def test_a_failed_execution_is_a_result_and_not_a_problem(api: TestClient, world: ApiWorld) -> None:
    world.runner.error = ProgramFailed(Failure(code="lm.refused", message="The model is busy."))
    a_program(api)
    reply = api.post("/v1/programs/triage/execute", json=INPUTS)
    view = reply.json()
    assert (reply.status_code, view["status"], view["outputs"]) == (200, "failed", None)
    assert view["failure"]["code"] == "lm.refused"


@pytest.mark.feature("MOD-15")
def test_mod_15_the_trace_shows_every_call_in_order_with_prompt_and_answer(
    api: TestClient,
) -> None:
    a_program(api)
    execution = api.post("/v1/programs/triage/execute", json=INPUTS).json()["execution_id"]
    trace = api.get(f"/v1/executions/{execution}/trace").json()
    assert [(call["index"], call["response"]) for call in trace["items"]] == [
        (1, {"say": "first"}),
        (2, {"say": "second"}),
    ]
    assert all(call["request"] for call in trace["items"])
    first = api.get(f"/v1/executions/{execution}/trace?limit=1").json()
    second = api.get(f"/v1/executions/{execution}/trace?limit=1&cursor={first['next']}").json()
    assert (second["items"], second["next"]) == (trace["items"][1:], None)


def test_a_trace_has_no_other_cursors_than_its_own(api: TestClient) -> None:
    a_program(api)
    execution = api.post("/v1/programs/triage/execute", json=INPUTS).json()["execution_id"]
    for cursor in ("WyJhIl0", "Wy0xXQ", "WzEsMl0"):
        reply = api.get(f"/v1/executions/{execution}/trace?cursor={cursor}")
        assert (reply.status_code, reply.json()["code"]) == (422, "page.cursor_invalid")


def test_erased_texts_are_null_and_the_rest_is_told(api: TestClient, world: ApiWorld) -> None:
    a_program(api)
    execution = api.post("/v1/programs/triage/execute", json=INPUTS).json()["execution_id"]
    kept = dict(world.payloads._bodies)
    world.payloads._bodies.clear()
    detail = api.get(f"/v1/executions/{execution}").json()
    (first, _) = api.get(f"/v1/executions/{execution}/trace").json()["items"]
    world.payloads._bodies.update(kept)
    assert (detail["status"], detail["inputs"], detail["outputs"]) == ("completed", None, None)
    assert (first["request"], first["response"]) == (None, None)


def test_a_replay_that_fails_where_the_run_failed_is_verified(
    api: TestClient, world: ApiWorld
) -> None:
    world.runner.error = ProgramFailed(Failure(code="lm.refused", message="The model is busy."))
    a_program(api)
    execution = api.post("/v1/programs/triage/execute", json=INPUTS).json()["execution_id"]
    view = api.post(f"/v1/executions/{execution}/replay").json()
    assert (view["outcome"], view["outputs"]) == ("verified", None)


def test_a_replay_is_answered_from_the_log(api: TestClient, world: ApiWorld) -> None:
    a_program(api)
    execution = api.post("/v1/programs/triage/execute", json=INPUTS).json()["execution_id"]
    made = len(world.runner.made)
    reply = api.post(f"/v1/executions/{execution}/replay")
    view = reply.json()
    assert (reply.status_code, view["outcome"], view["replay"]) == (200, "verified", 1)
    assert (view["answered_from_log"], view["outputs"]) == (2, {"queue": "bug"})
    assert len(world.runner.made) == made
    (shown,) = api.get(f"/v1/executions/{execution}").json()["replays"]
    assert shown["outcome"] == "verified"


def test_a_replay_that_ends_otherwise_says_how(api: TestClient, world: ApiWorld) -> None:
    a_program(api)
    execution = api.post("/v1/programs/triage/execute", json=INPUTS).json()["execution_id"]
    world.runner.outputs = {"queue": "billing"}
    view = api.post(f"/v1/executions/{execution}/replay").json()
    assert (view["outcome"], view["outputs"]) == ("diverged", {"queue": "billing"})
    assert view["failure"]["code"] == "replay.outputs_differ"


def test_a_replay_not_waited_for_goes_on(api: TestClient, world: ApiWorld) -> None:
    a_program(api)
    execution = api.post("/v1/programs/triage/execute", json=INPUTS).json()["execution_id"]
    world.has_worker = False
    reply = api.post(f"/v1/executions/{execution}/replay?wait=0")
    assert (reply.status_code, reply.json()["outcome"]) == (202, "pending")


@pytest.mark.feature("EXE-03")
def test_exe_03_an_illegal_action_names_the_state_and_what_is_allowed(
    api: TestClient, world: ApiWorld
) -> None:
    world.has_worker = False
    a_program(api)
    execution = api.post("/v1/programs/triage/execute?wait=0", json=INPUTS).json()["execution_id"]
    early = api.post(f"/v1/executions/{execution}/replay")
    assert early.status_code == 409
    assert "pending" in early.json()["detail"]
    cancelled = api.post(f"/v1/executions/{execution}/cancel", json={"reason": "Not needed."})
    assert cancelled.json()["version"] == 2
    view = api.get(f"/v1/executions/{execution}").json()
    assert (view["status"], view["cancelled_because"]) == ("cancelled", "Not needed.")
    again = api.post(f"/v1/executions/{execution}/cancel", json={})
    assert again.status_code == 409


@pytest.mark.feature("PRG-12")
def test_prg_12_compiling_gives_an_optimization_to_follow(api: TestClient, world: ApiWorld) -> None:
    a_program(api)
    a_dataset(api)
    body = {"dataset": "tickets", "metric": "exact_match", "optimizer": "bootstrap_fewshot"}
    reply = api.post("/v1/programs/triage/compile", json=body)
    assert (reply.status_code, reply.json()["status"]) == (202, "pending")
    pending = api.get(reply.headers["Location"]).json()
    assert (pending["status"], pending["trial_list"]) == ("pending", [])
    world.work()
    done = api.get(f"/v1/optimizations/{reply.json()['id']}")
    view = done.json()
    assert (view["status"], view["trials"], view["best_score"]) == ("completed", 2, 0.5)
    assert [trial["score"] for trial in view["trial_list"]] == [0.25, 0.5]
    assert view["adopted_version"] == 2
    assert api.get("/v1/programs/triage").json()["latest_version"] == 2
    assert len(api.get("/v1/optimizations?status=completed").json()["items"]) == 1
    trials = api.get(f"/v1/optimizations/{reply.json()['id']}/trials?limit=1").json()
    assert (len(trials["items"]), trials["next"] is None) == (1, False)


@pytest.mark.feature("OPT-03")
def test_opt_03_an_unknown_parameter_is_refused(api: TestClient) -> None:
    a_program(api)
    a_dataset(api)
    body = {
        "dataset": "tickets",
        "metric": "exact_match",
        "optimizer": "bootstrap_fewshot",
        "config": {"speed": 9},
    }
    assert api.post("/v1/programs/triage/compile", json=body).status_code == 422


@pytest.mark.feature("OPT-16")
def test_opt_16_an_unknown_optimizer_or_metric_is_refused(api: TestClient) -> None:
    a_program(api)
    a_dataset(api)
    body = {"dataset": "tickets", "metric": "exact_match", "optimizer": "magic"}
    assert api.post("/v1/programs/triage/compile", json=body).status_code == 422
    body = {"dataset": "tickets", "metric": "vibes", "optimizer": "bootstrap_fewshot"}
    assert api.post("/v1/programs/triage/compile", json=body).status_code == 422


def test_an_optimization_is_called_off(api: TestClient, world: ApiWorld) -> None:
    a_program(api)
    a_dataset(api)
    body = {"dataset": "tickets", "metric": "exact_match", "optimizer": "bootstrap_fewshot"}
    optimization = api.post("/v1/programs/triage/compile", json=body).json()["id"]
    assert api.post(f"/v1/optimizations/{optimization}/cancel", json={}).status_code == 200
    assert api.get(f"/v1/optimizations/{optimization}").json()["status"] == "cancelled"


def test_an_evaluation_scores_row_by_row(api: TestClient, world: ApiWorld) -> None:
    a_program(api)
    a_dataset(api)
    body = {"dataset": "tickets", "metric": "exact_match"}
    reply = api.post("/v1/programs/triage/evaluate", json=body)
    assert reply.status_code == 202
    assert api.get(reply.headers["Location"]).json()["row_scores"] is None
    world.work()
    view = api.get(f"/v1/evaluations/{reply.json()['id']}").json()
    assert (view["status"], view["score"], view["rows_failed"]) == ("completed", 0.5, 0)
    assert [row["score"] for row in view["row_scores"]] == [1.0, 0.0]
    (row,) = api.get("/v1/evaluations?status=completed").json()["items"]
    assert row["evaluation_id"] == view["evaluation_id"]
    deployed = api.post(
        "/v1/programs/triage/deploy",
        json={"reason": "It scored 0.5.", "evidence": [view["evaluation_id"]]},
    )
    assert deployed.status_code == 200
    assert api.get("/v1/programs/triage").json()["metrics"]["deployed_score"] == 0.5


def test_an_evaluation_is_called_off(api: TestClient) -> None:
    a_program(api)
    a_dataset(api)
    body = {"dataset": "tickets", "metric": "exact_match"}
    evaluation = api.post("/v1/programs/triage/evaluate", json=body).json()["id"]
    assert api.post(f"/v1/evaluations/{evaluation}/cancel", json={}).status_code == 200
    assert api.get(f"/v1/evaluations/{evaluation}").json()["status"] == "cancelled"


def test_an_id_that_is_none_is_refused(api: TestClient) -> None:
    reply = api.get("/v1/executions/nonsense")
    fault = reply.json()["faults"][0]
    assert (reply.status_code, fault["in"], fault["pointer"]) == (422, "path", "/execution_id")


def test_an_execution_is_not_found_under_another_kind(api: TestClient) -> None:
    program = a_program(api)
    assert api.get(f"/v1/executions/{program}").status_code == 404
    assert api.post(f"/v1/executions/{uuid4()}/replay").status_code == 404
