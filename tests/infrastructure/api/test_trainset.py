"""Rows to learn from may come with the wish to optimize."""

from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient

from domain.optimization.events import OptimizationRequested
from tests.support.api import ApiWorld, a_program

ROWS = [{"message": "It crashes.", "queue": "bug"}, {"message": "Invoice?", "queue": "billing"}]
WISH = {"metric": "exact_match", "optimizer": "labeled_fewshot", "seed": 7}


def wished(api: TestClient, world: ApiWorld, **body: Any) -> OptimizationRequested:
    reply = api.post("/v1/programs/triage/compile", json=WISH | body)
    assert reply.status_code == 202, reply.text
    event = world.log.stream(UUID(reply.json()["id"]))[0].event
    assert isinstance(event, OptimizationRequested)
    return event


@pytest.mark.feature("PRG-13")
def test_prg_13_rows_sent_along_are_the_same_wish_as_the_dataset_they_become(
    api: TestClient, world: ApiWorld
) -> None:
    a_program(api)
    sent = wished(api, world, trainset=ROWS)
    assert sent == wished(api, world, trainset=ROWS)
    assert sent == wished(api, world, dataset=str(sent.dataset_id))
    (dataset,) = api.get("/v1/datasets").json()["items"]
    assert (dataset["dataset_id"], dataset["train_rows"]) == (str(sent.dataset_id), 2)
    assert wished(api, world, trainset=ROWS[:1]).dataset_id != sent.dataset_id


def test_a_repeated_wish_with_rows_is_one_optimization(api: TestClient) -> None:
    a_program(api)
    headers = {"Idempotency-Key": "once"}
    body = WISH | {"trainset": ROWS}
    first, second = (
        api.post("/v1/programs/triage/compile", json=body, headers=headers) for _ in range(2)
    )
    assert first.json() == second.json()
    assert len(api.get("/v1/optimizations").json()["items"]) == 1


@pytest.mark.parametrize("body", [{}, {"dataset": "tickets", "trainset": ROWS}])
def test_rows_come_in_one_form(api: TestClient, body: dict[str, Any]) -> None:
    a_program(api)
    api.post("/v1/datasets", json={"name": "tickets"})
    reply = api.post("/v1/programs/triage/compile", json=WISH | body)
    (fault,) = reply.json()["faults"]
    assert (reply.status_code, fault["code"]) == (422, "optimization.one_form")


@pytest.mark.parametrize(
    ("rows", "code"),
    [([*ROWS, {"message": "Hi."}], "dataset.rows_malformed"), ([{"a": 1}], "dataset.does_not_fit")],
)
def test_rows_that_do_not_fit_are_refused_and_nothing_is_made(
    api: TestClient, rows: list[Any], code: str
) -> None:
    a_program(api)
    reply = api.post("/v1/programs/triage/compile", json=WISH | {"trainset": rows})
    assert (reply.status_code, reply.json()["code"]) == (422, code)
    assert api.get("/v1/datasets").json()["items"] == []
