"""A dataset is held against a program over HTTP."""

import pytest
from fastapi.testclient import TestClient

from tests.support.api import a_dataset, a_program


@pytest.mark.feature("EXM-02")
def test_exm_02_a_dataset_says_what_its_fields_are_to_a_program(api: TestClient) -> None:
    a_program(api)
    a_dataset(api)
    reply = api.get("/v1/datasets/tickets/fit", params={"program": "triage"})
    assert reply.json() == {
        "roles": {"message": "input", "queue": "output"},
        "faults": [],
        "warnings": [],
    }
    api.post("/v1/datasets", json={"name": "more"})
    rows = [{"message": "Hi.", "queue": "bug", "extra": 1, "_source": "mail"}]
    api.post("/v1/datasets/more/rows?split=train", json=rows)
    query = {"program": "triage", "program_version": "1"}
    (warning,) = api.get("/v1/datasets/more/fit", params=query).json()["warnings"]
    assert (warning["pointer"], warning["code"]) == ("/extra", "dataset.field_unused")
    absent = api.get("/v1/datasets/more/fit", params=query | {"program_version": "2"})
    assert (absent.status_code, absent.json()["code"]) == (404, "program.version_not_found")
