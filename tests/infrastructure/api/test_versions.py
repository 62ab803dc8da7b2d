"""Versions over HTTP: made by hand, read in full, compared, exported and taken in."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.infrastructure.api.test_resources import refused
from tests.support.api import ApiWorld, a_dataset, a_program

SHORT = "Answer in one word."
DEMOS = [
    {"message": "It crashes.", "queue": "bug"},
    {"message": "Invoice?", "queue": "billing"},
]


def edit(api: TestClient, name: str = "triage", **predictor: Any) -> None:
    reply = api.post(f"/v1/programs/{name}/edit", json={"predictors": {"predict": predictor}})
    assert reply.status_code == 200, reply.text


def diff(api: TestClient, before: int, after: int) -> Any:
    return api.get(f"/v1/programs/triage/versions/{before}/diff/{after}").json()


def optimized(api: TestClient, world: ApiWorld) -> None:
    """Version 2, which an optimizer found."""
    body = {"dataset": a_dataset(api), "metric": "exact_match"}
    assert api.post("/v1/programs/triage/compile", json=body).status_code == 202
    world.work()


@pytest.mark.feature("PRD-01")
@pytest.mark.feature("PRG-18")
def test_prg_18_a_predictor_has_its_signature_prompt_and_examples(api: TestClient) -> None:
    a_program(api)
    edit(api, instructions=SHORT, demos=DEMOS)
    (predictor,) = api.get("/v1/programs/triage/predictors").json()["items"]
    assert (predictor["name"], predictor["type"]) == ("predict", "predict")
    assert predictor["signature_module"].startswith("message: string -> queue: enum[")
    assert predictor["learned_prompt"] == SHORT
    assert predictor["few_shot_examples"] == DEMOS
    (before,) = api.get("/v1/programs/triage/predictors?version=1").json()["items"]
    assert before["learned_prompt"] == ("Given the fields `message`, produce the fields `queue`.")
    assert before["few_shot_examples"] == []


@pytest.mark.feature("PRG-19")
def test_prg_19_the_diff_of_two_versions_shows_instructions_and_demos(api: TestClient) -> None:
    a_program(api)
    edit(api, instructions=SHORT, demos=DEMOS[:1])
    found = diff(api, 1, 2)
    kinds = [each["kind"] for each in found["changes"]]
    assert kinds == ["instructions_changed", "demo_added"]
    changed, added = found["changes"]
    assert changed["after"] == SHORT
    assert changed["diff"][-1] == f"+{SHORT}"
    assert added["after"] == DEMOS[0]
    assert found["severity"] == "compatible"
    assert diff(api, 2, 2) == {
        "before": 2,
        "after": 2,
        "severity": None,
        "changes": [],
        "breaks": {"callers": [], "datasets": [], "evaluations": []},
    }


@pytest.mark.feature("PRG-19")
def test_prg_19_a_version_is_restored_as_one_of_its_own(api: TestClient) -> None:
    a_program(api)
    edit(api, instructions=SHORT)
    body = {"reason": "It was better."}
    assert api.post("/v1/programs/triage/versions/1/restore", json=body).status_code == 200
    newest, *_ = api.get("/v1/programs/triage/versions").json()["items"]
    assert (newest["program_version"], newest["origin"]) == (3, "restored")
    assert (newest["base_version"], newest["reason"]) == (1, "It was better.")
    assert diff(api, 1, 3)["changes"] == []


@pytest.mark.feature("PRG-02")
def test_prg_02_a_version_says_all_that_it_pins(api: TestClient, world: ApiWorld) -> None:
    a_program(api)
    version = api.get("/v1/programs/triage/versions/1/content").json()
    assert version["pins"] == {"adapter": "chat", "libraries": {"dspy": "3.4.1"}}
    assert (version["origin"], version["base_version"]) == ("written", None)
    assert version["graph"] == api.get("/v1/programs/triage").json()["graph"]
    reply = api.post("/v1/programs/triage/edit", json={"adapter": "json"})
    assert reply.status_code == 200
    assert api.get("/v1/programs/triage/versions/2/content").json()["pins"]["adapter"] == "json"
    (change,) = diff(api, 1, 2)["changes"]
    assert change["kind"] == "adapter_changed"
    api.post("/v1/programs/triage/execute", json={"inputs": {"message": "Hi"}})
    assert world.runner.ran[-1][0].adapter == "json"


def test_the_same_edit_twice_changes_nothing(api: TestClient) -> None:
    a_program(api)
    edit(api, instructions=SHORT, demos=DEMOS)
    again = {"predictors": {"predict": {"instructions": SHORT, "demos": DEMOS}}}
    assert api.post("/v1/programs/triage/edit", json=again).json()["position"] == 0
    assert api.get("/v1/programs/triage").json()["latest_version"] == 2


def test_edits_add_up_over_versions(api: TestClient) -> None:
    a_program(api)
    edit(api, instructions=SHORT)
    edit(api, demos=DEMOS)
    (predictor,) = api.get("/v1/programs/triage/predictors").json()["items"]
    assert (predictor["learned_prompt"], predictor["few_shot_examples"]) == (SHORT, DEMOS)


def test_every_fault_of_an_edit_is_named_at_once(api: TestClient) -> None:
    a_program(api)
    demos = [{"message": "Hi", "mood": "sad"}, {"mood": "glad"}]
    body = {"predictors": {"predict": {"instructions": " ", "demos": demos}, "other": {}}}
    assert refused(api, "/v1/programs/triage/edit", body) == (
        422,
        "edit.invalid",
        [
            "/predictors/predict/instructions",
            "/predictors/predict/demos/0/mood",
            "/predictors/predict/demos/1",
            "/predictors/predict/demos/1/mood",
            "/predictors/other",
        ],
    )


def test_a_program_is_revised_and_what_it_breaks_is_said(api: TestClient, world: ApiWorld) -> None:
    a_program(api)
    dataset = a_dataset(api)
    body = {"dataset": dataset, "metric": "exact_match"}
    scored = api.post("/v1/programs/triage/evaluate", json=body).json()["id"]
    world.work()
    module = {"kind": "predict", "signature_syntax": "message, customer -> urgency: float"}
    assert api.post("/v1/programs/triage/revise", json={"modules": [module]}).status_code == 200
    found = diff(api, 1, 2)
    assert found["severity"] == "breaking"
    assert found["breaks"]["callers"] == [
        "The input customer (string) was added. It is required.",
        "The output queue was removed.",
    ]
    (stale,) = found["breaks"]["evaluations"]
    assert stale["evaluation_id"] == scored
    assert "queue, which is gone" in stale["sentence"]
    (unfit,) = found["breaks"]["datasets"]
    assert unfit["dataset_id"] == dataset
    assert "lack the input customer" in unfit["sentence"]
    assert api.get("/v1/programs/triage").json()["graph"]["signature"]["outputs"][0]["name"] == (
        "urgency"
    )
    again = api.post("/v1/programs/triage/revise", json={"modules": [module]})
    assert again.json()["position"] == 0


def test_inputs_are_those_of_the_version_that_runs(api: TestClient) -> None:
    a_program(api)
    module = {"kind": "predict", "signature_syntax": "text -> queue"}
    api.post("/v1/programs/triage/revise", json={"modules": [module]})
    old = {"inputs": {"message": "Hi"}, "program_version": 1}
    assert api.post("/v1/programs/triage/execute", json=old).json()["status"] == "completed"
    new = {"inputs": {"text": "Hi"}}
    assert api.post("/v1/programs/triage/execute", json=new).json()["status"] == "completed"


@pytest.mark.feature("MOD-08")
def test_mod_08_two_modules_swap_their_positions_at_once(api: TestClient) -> None:
    def module(node: str, given: dict[str, Any]) -> dict[str, Any]:
        spec = api.post("/v1/signatures/compile", json={"syntax": "text -> text_out"}).json()
        config = {"temperature": 0, "max_tokens": 9}
        module = {"kind": "predict", "signature": spec["spec"], "config": config}
        return {"id": node, "module": module, "inputs": {"text": given}}

    graph = {
        "signature": api.post("/v1/signatures/compile", json={"syntax": "text -> text_out"}).json()[
            "spec"
        ],
        "nodes": [
            module("plan", {"field": "text"}),
            module("answer", {"node": "plan", "field": "text_out"}),
        ],
        "outputs": {"text_out": {"node": "answer", "field": "text_out"}},
    }
    api.post("/v1/programs", json={"name": "two", "graph": graph})
    reply = api.post("/v1/programs/two/reorder", json={"positions": {"plan": 7, "answer": 3}})
    assert reply.status_code == 200
    modules = api.get("/v1/programs/two/modules").json()["items"]
    assert [(each["position"], each["node"]) for each in modules] == [(0, "answer"), (1, "plan")]
    assert modules[0]["signature"] == "text: string -> text_out: string"
    taken = {"positions": {"plan": 0}}
    assert refused(api, "/v1/programs/two/reorder", taken)[1:] == (
        "edit.invalid",
        ["/positions/plan"],
    )
    unknown = {"positions": {"nobody": 5}}
    assert refused(api, "/v1/programs/two/reorder", unknown)[2] == ["/positions/nobody"]


@pytest.mark.feature("PRG-09")
def test_prg_09_an_archived_program_does_not_execute_until_it_is_restored(
    api: TestClient,
) -> None:
    a_program(api)
    run = {"inputs": {"message": "Hi"}}
    assert api.post("/v1/programs/triage/archive", json={}).status_code == 200
    assert refused(api, "/v1/programs/triage/execute", run)[:2] == (409, "program.archived")
    assert api.get("/v1/programs").json()["items"] == []
    (archived,) = api.get("/v1/programs?archived=true").json()["items"]
    assert archived["archived_because"] == "No reason was given."
    assert api.post("/v1/programs/triage/restore").status_code == 200
    assert api.post("/v1/programs/triage/execute", json=run).json()["status"] == "completed"
    assert api.get("/v1/programs/triage").json()["archived_at"] is None


@pytest.mark.feature("PRG-09")
def test_prg_09_a_program_is_renamed_described_and_configured(api: TestClient) -> None:
    program = a_program(api)
    api.post("/v1/programs/triage/rename", json={"name": "sorting"})
    api.post("/v1/programs/sorting/describe", json={"description": "Sorts."})
    body = {"config": {"owner": "ann"}, "default_optimizer": "copro"}
    api.post("/v1/programs/sorting/configure", json=body)
    row = api.get("/v1/programs/sorting").json()
    assert (row["program_id"], row["description"]) == (program, "Sorts.")
    assert (row["config"], row["default_optimizer"]) == ({"owner": "ann"}, "copro")
    api.post("/v1/programs/sorting/configure", json={"config": {"owner": "bob"}})
    assert api.get("/v1/programs/sorting").json()["config"] == {"owner": "bob"}
    assert api.get("/v1/programs/sorting").json()["default_optimizer"] == "copro"
    assert api.get("/v1/programs/triage").json()["name"] == "sorting"
    taken = api.post("/v1/programs", json={"name": "triage", "modules": INLINE})
    assert (taken.status_code, taken.json()["code"]) == (409, "name.taken")
    assert "renamed program “triage” to “sorting”" in str(api.get("/v1/audit").json())
    wrong = {"default_optimizer": "magic"}
    assert refused(api, "/v1/programs/sorting/configure", wrong)[2] == ["/default_optimizer"]
    assert api.get("/v1/programs/nobody").status_code == 404


INLINE = [{"kind": "predict", "signature_syntax": "a -> b"}]


@pytest.mark.feature("PRG-16")
def test_prg_16_both_scores_of_two_compiles_are_in_the_history(
    api: TestClient, world: ApiWorld
) -> None:
    a_program(api)
    optimized(api, world)
    first = api.get("/v1/programs/triage").json()["metrics"]["training_score"]
    body = {"dataset": "tickets", "metric": "exact_match", "seed": 7}
    api.post("/v1/programs/triage/compile", json=body)
    world.work()
    scores = [
        each["training_score"] for each in api.get("/v1/programs/triage/versions").json()["items"]
    ]
    shown = api.get("/v1/programs/triage").json()["metrics"]["training_score"]
    assert (len(scores), scores[-1], scores[-2]) == (3, None, first)
    assert scores[0] == shown
    assert first is not None


@pytest.mark.feature("PRG-17")
def test_prg_17_no_stale_version_is_served_after_a_switch(api: TestClient, world: ApiWorld) -> None:
    a_program(api)
    api.post("/v1/programs/triage/deploy", json={})
    edit(api, instructions=SHORT)
    run = {"inputs": {"message": "Hi"}, "wait": 0}
    world.has_worker = False
    served = [_version(api, run) for _ in range(3)]
    api.post("/v1/programs/triage/deploy", json={"program_version": 2})
    served += [_version(api, run) for _ in range(500)]
    assert served == [1] * 3 + [2] * 500


def _version(api: TestClient, run: dict[str, Any]) -> int:
    return int(api.post("/v1/programs/triage/execute", json=run).json()["program_version"])


@pytest.mark.feature("PRG-15")
def test_prg_15_a_program_without_modules_is_refused_at_once(api: TestClient) -> None:
    reply = api.post("/v1/programs", json={"name": "empty"})
    assert (reply.status_code, reply.json()["code"]) == (422, "request.invalid")
    (fault,) = reply.json()["faults"]
    assert (fault["code"], fault["message"]) == (
        "program.one_form",
        "Send either modules or graph.",
    )


@pytest.mark.feature("PRG-07")
def test_prg_07_compiling_without_an_optimizer_uses_that_of_the_program(
    api: TestClient,
) -> None:
    body = {"name": "qa", "modules": INLINE, "default_optimizer": "copro"}
    assert api.post("/v1/programs", json=body).status_code == 201
    dataset = api.post("/v1/datasets", json={"name": "pairs"}).json()["id"]
    api.post(f"/v1/datasets/{dataset}/rows?split=train", json=[{"a": "x", "b": "y"}])
    wish = {"dataset": dataset, "metric": "exact_match"}
    optimization = api.post("/v1/programs/qa/compile", json=wish).json()["id"]
    assert api.get(f"/v1/optimizations/{optimization}").json()["optimizer"] == "copro"
    api.post("/v1/programs/qa/configure", json={"default_optimizer": "labeled_fewshot"})
    optimization = api.post("/v1/programs/qa/compile", json=wish).json()["id"]
    assert api.get(f"/v1/optimizations/{optimization}").json()["optimizer"] == "labeled_fewshot"
