"""What a request may name, as the API tells it."""

import pytest
from fastapi.testclient import TestClient

from domain.evaluation.metrics import METRICS, metric
from domain.optimization.catalog import complete_config
from tests.support.api import a_dataset, a_program


@pytest.mark.feature("MET-01")
def test_met_01_every_metric_is_listed_with_its_range_and_can_be_named(api: TestClient) -> None:
    items = api.get("/v1/metrics").json()["items"]
    assert [each["name"] for each in items] == [*METRICS]
    right, wrong = {"queue": "bug"}, {"queue": "billing"}
    for each in items:
        score = metric(each["name"])
        assert each["greatest"] == score(right, right)
        assert each["least"] == score(right, wrong)
        assert each["description"]
    program, dataset = a_program(api), a_dataset(api)
    for each in items:
        body = {"dataset": dataset, "metric": each["name"]}
        assert api.post(f"/v1/programs/{program}/evaluate", json=body).status_code == 202


@pytest.mark.feature("OPT-03")
def test_opt_03_the_schema_of_every_optimizer_says_what_is_taken(api: TestClient) -> None:
    items = api.get("/v1/optimizers").json()["items"]
    for each in items:
        schema = each["parameters"]
        assert schema["additionalProperties"] is False
        defaults = {name: field["default"] for name, field in schema["properties"].items()}
        assert complete_config(each["name"], {}) == defaults
    assert [each["name"] for each in items if each["is_default"]] == ["bootstrap_random_search"]
