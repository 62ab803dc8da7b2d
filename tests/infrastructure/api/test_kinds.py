"""Modules of every kind over HTTP: what they take, what they are by default, what is refused."""

from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from domain.module.kinds import RUNS_CODE, ModuleKind

SETTLED = sorted(
    set(ModuleKind) - RUNS_CODE - {ModuleKind.RETRIEVE, ModuleKind.GENERATE, ModuleKind.CUSTOM}
)
"""The kinds that can be made of a signature alone."""


def created(api: TestClient, **body: Any) -> Any:
    return api.post("/v1/modules", json={"name": "it", "signature": "question -> answer", **body})


@pytest.mark.feature("MOD-01")
@pytest.mark.feature("MOD-02")
@pytest.mark.parametrize("kind", SETTLED)
def test_mod_02_a_module_of_each_kind_has_its_defaults(api: TestClient, kind: ModuleKind) -> None:
    assert created(api, kind=kind).status_code == 201
    module = api.get("/v1/modules/it").json()
    assert module["kind"] == kind
    plain = kind in {ModuleKind.PREDICT, ModuleKind.CHAIN_OF_THOUGHT}
    assert (module["parameters"] is None) == plain
    program = {"name": "of_it", "modules": [{"module_id": module["module_id"]}]}
    assert api.post("/v1/programs", json=program).status_code == 201


@pytest.mark.feature("MOD-20")
def test_mod_20_a_react_agent_goes_round_five_times_unless_told_otherwise(api: TestClient) -> None:
    created(api, kind="react")
    assert api.get("/v1/modules/it").json()["parameters"] == {"tools": [], "max_iterations": 5}
    created(api, name="patient", kind="react", parameters={"max_iterations": 9})
    assert api.get("/v1/modules/patient").json()["parameters"]["max_iterations"] == 9


@pytest.mark.feature("MOD-26")
@pytest.mark.parametrize("kind", sorted(RUNS_CODE))
def test_mod_26_a_kind_that_runs_code_is_forbidden_until_it_is_allowed(
    api: TestClient, kind: ModuleKind
) -> None:
    reply = created(api, kind=kind)
    assert (reply.status_code, reply.json()["code"]) == (403, "module.code_not_allowed")
    assert [fault["pointer"] for fault in reply.json()["faults"]] == ["/kind"]
    assert "STRATAL_ALLOW_CODE=true" in reply.json()["detail"]
    program = {"name": "p", "modules": [{"kind": kind, "signature_syntax": "question -> answer"}]}
    assert api.post("/v1/programs", json=program).json()["code"] == "module.code_not_allowed"


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"kind": "predict", "parameters": {"n": 1}}, ["/parameters"]),
        ({"kind": "majority", "parameters": {"n": 0}}, ["/parameters/n"]),
        ({"kind": "majority", "parameters": {"field": "x"}}, ["/parameters/field"]),
        ({"kind": "retrieve"}, ["/parameters/corpus"]),
        (
            {"kind": "predict", "config": {"nearest": {"dataset_id": str(uuid4()), "k": 3}}},
            ["/config/nearest/dataset_id"],
        ),
    ],
)
def test_parameters_that_cannot_be_are_refused_where_they_stand(
    api: TestClient, body: dict[str, Any], pointers: list[str]
) -> None:
    reply = created(api, **body)
    assert reply.status_code == 422
    assert [fault["pointer"] for fault in reply.json()["faults"]] == pointers


def test_a_module_in_a_program_says_parameters_only_of_its_own_kind(api: TestClient) -> None:
    created(api, kind="predict")
    shelf = api.get("/v1/modules/it").json()["module_id"]
    told = {"max_iterations": 2}
    body = {"name": "p", "modules": [{"module_id": shelf, "parameters": told}]}
    reply = api.post("/v1/programs", json=body)
    assert [fault["pointer"] for fault in reply.json()["faults"]] == ["/modules/0/parameters"]
    asked = {"kind": "react", "signature_syntax": "question -> answer", "parameters": told}
    assert api.post("/v1/programs", json={"name": "p", "modules": [asked]}).status_code == 201
    node = api.get("/v1/programs/p").json()["graph"]["nodes"][0]
    assert node["module"]["parameters"]["max_iterations"] == 2
