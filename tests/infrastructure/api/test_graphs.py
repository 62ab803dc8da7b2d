"""Graphs over HTTP: kept as they are sent, or refused with the way to every fault."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from domain.program.graph import ProgramGraph
from domain.program.rules import check
from tests.infrastructure.api.test_drawings import BALEEN

PATH = "/v1/programs"


@pytest.fixture
def baleen() -> dict[str, Any]:
    """A graph with a body, as it is sent."""
    return BALEEN.model_dump(mode="json")


def faults_of(api: TestClient, graph: dict[str, Any]) -> list[tuple[str, str]]:
    reply = api.post(PATH, json={"name": "baleen", "graph": graph})
    assert reply.status_code == 422
    assert api.get(f"{PATH}/baleen").status_code == 404
    return [(fault["pointer"], fault["code"]) for fault in reply.json()["faults"]]


@pytest.mark.feature("MOD-29")
@pytest.mark.feature("PRG-05")
def test_mod_29_a_graph_is_kept_as_it_was_sent(api: TestClient, baleen: dict[str, Any]) -> None:
    made = api.post(PATH, json={"name": "baleen", "graph": baleen})
    assert made.status_code == 201
    kept = ProgramGraph.model_validate(api.get(f"{PATH}/baleen").json()["graph"])
    assert kept == check(BALEEN)


@pytest.mark.feature("MOD-09")
def test_mod_09_circles_and_types_that_do_not_fit_are_all_named(
    api: TestClient, baleen: dict[str, Any]
) -> None:
    inner = baleen["nodes"][1]["body"]["nodes"]
    inner[1]["inputs"]["query"] = {"node": "longer", "field": "text"}
    baleen["nodes"][1]["times"] = {"field": "question"}
    baleen["outputs"]["answer"] = {"node": "generate_answer", "field": "anser"}
    assert faults_of(api, baleen) == [
        ("/graph/nodes/1/times", "graph.type_mismatch"),
        ("/graph/outputs/answer/field", "graph.unknown_field"),
        ("/graph/nodes/1/body/nodes/0", "graph.unreachable"),
        ("/graph/nodes/1/body/nodes/1", "graph.cycle"),
        ("/graph/nodes/1/body/nodes/2", "graph.cycle"),
        ("/graph/nodes/1/body/nodes/3", "graph.cycle"),
    ]


def test_the_way_to_what_has_no_form_leads_through_what_was_sent(
    api: TestClient, baleen: dict[str, Any]
) -> None:
    const, loop, answer = baleen["nodes"]
    const["type"]["name"] = "strng"
    loop["at_most"] = 1000
    loop["until"] = {"op": "all", "of": [{"op": "eq", "value": 1}]}
    loop["body"]["nodes"][0]["inputs"]["context"]["feild"] = 1
    del loop["body"]["nodes"][1]["id"]
    answer["kind"] = "modul"
    assert faults_of(api, baleen) == [
        ("/graph/nodes/0/type/name", "literal_error"),
        ("/graph/nodes/1/body/nodes/0/inputs/context/feild", "extra_forbidden"),
        ("/graph/nodes/1/body/nodes/1/id", "missing"),
        ("/graph/nodes/1/at_most", "less_than_equal"),
        ("/graph/nodes/1/until/of/0/field", "missing"),
        ("/graph/nodes/2", "node.kind"),
    ]


def test_a_module_in_a_body_that_is_not_on_the_shelf_is_pointed_at(
    api: TestClient, baleen: dict[str, Any]
) -> None:
    baleen["nodes"][1]["body"]["nodes"][0]["module_id"] = "00000000-0000-0000-0000-000000000001"
    assert faults_of(api, baleen) == [
        ("/graph/nodes/1/body/nodes/0/module_id", "reference.unknown")
    ]
