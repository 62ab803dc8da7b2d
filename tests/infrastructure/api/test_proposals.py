"""What an optimizer found is shown to somebody who approves or rejects it, over HTTP."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from tests.support.api import ApiWorld, a_dataset, a_program

WISH = {"dataset": "tickets", "metric": "exact_match", "optimizer": "labeled_fewshot"}


FOUND = {
    "predict": {
        "traces": [],
        "train": [],
        "demos": [{"message": "It crashes.", "queue": "bug"}],
        "signature": {
            "instructions": "Choose the queue.",
            "fields": [
                {"prefix": "Message:", "description": "${message}"},
                {"prefix": "Queue:", "description": "${queue}"},
            ],
        },
        "lm": None,
    }
}


@pytest.fixture(autouse=True)
def optimizer(world: ApiWorld) -> Iterator[None]:
    """An optimizer that finds a demo and other instructions."""
    world.optimizer.found = FOUND
    yield
    world.optimizer.found = None


@pytest.fixture
def found(api: TestClient, world: ApiWorld) -> str:
    """An optimization of triage that found something and waits for approval."""
    a_program(api)
    a_dataset(api)
    return optimized(api, world, adopt="approval")


def optimized(api: TestClient, world: ApiWorld, **more: str) -> str:
    reply = api.post("/v1/programs/triage/compile", json=WISH | more)
    assert reply.status_code == 202, reply.text
    world.work()
    return str(reply.json()["id"])


def latest(api: TestClient) -> int:
    return int(api.get("/v1/programs/triage").json()["latest_version"])


@pytest.mark.feature("PRG-20")
def test_prg_20_a_proposal_shows_its_scores_on_held_out_rows_and_what_it_changes(
    api: TestClient, found: str
) -> None:
    reply = api.get(f"/v1/optimizations/{found}/proposal")
    assert reply.status_code == 200, reply.text
    proposal = reply.json()
    assert proposal["heldout"] == {"rows": 2, "baseline": 0.5, "score": 0.5}
    assert (proposal["status"], proposal["base_version"], proposal["latest_version"]) == (
        "open",
        1,
        1,
    )
    kinds = [change["kind"] for change in proposal["changes"]]
    assert {"demo_added", "instructions_changed"} <= set(kinds)
    (listed,) = api.get("/v1/optimizations", params={"proposal": "open"}).json()["items"]
    assert (listed["optimization_id"], listed["heldout"]) == (found, proposal["heldout"])


@pytest.mark.feature("PRG-20")
def test_prg_20_the_program_is_unchanged_until_somebody_approved(
    api: TestClient, world: ApiWorld, found: str
) -> None:
    assert latest(api) == 1
    path = f"/v1/optimizations/{found}"
    reply = api.post(f"{path}/approve", json={"reason": "It is better."})
    assert reply.status_code == 200, reply.text
    world.work()
    assert latest(api) == 2
    row = api.get(path).json()
    assert (row["proposal"], row["decided_because"], row["adopted_version"]) == (
        "approved",
        "It is better.",
        2,
    )
    late = api.post(f"{path}/reject", json={})
    assert (late.status_code, late.json()["code"]) == (409, "optimization.proposal_decided")
    assert any(
        each["sentence"].find("approved what optimization") > 0
        for each in api.get("/v1/audit").json()["items"]
    )


@pytest.mark.feature("PRG-20")
def test_prg_20_what_is_rejected_stays_on_record(
    api: TestClient, world: ApiWorld, found: str
) -> None:
    path = f"/v1/optimizations/{found}"
    stale = api.post(f"{path}/reject", json={}, headers={"If-Match": '"1"'})
    assert stale.status_code == 412
    tag = api.get(f"{path}/proposal").headers["ETag"]
    assert api.post(f"{path}/reject", json={}, headers={"If-Match": tag}).status_code == 200
    world.work()
    assert latest(api) == 1
    assert api.get(f"{path}/proposal").json()["status"] == "rejected"


@pytest.mark.feature("PRG-20")
def test_prg_20_by_default_what_is_found_becomes_a_version_by_itself(
    api: TestClient, world: ApiWorld, found: str
) -> None:
    auto = optimized(api, world)
    assert latest(api) == 2
    refused = api.get(f"/v1/optimizations/{auto}/proposal")
    assert (refused.status_code, refused.json()["code"]) == (409, "optimization.nothing_proposed")
    row = api.get(f"/v1/optimizations/{auto}").json()
    assert (row["adopt"], row["proposal"], row["heldout"]) == ("auto", None, None)
