"""Modules of one's own over HTTP: tried out by a worker, and only then part of a program."""

from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from tests.support.api import ApiWorld
from tests.support.probes import FINDINGS, REFUSAL, FakeProber

WISH = {
    "import_path": "acme_rag.rag:MyRAG",
    "arguments": {"k": 2},
    "signature_syntax": "question -> answer",
}


@pytest.fixture
def prober(world: ApiWorld) -> FakeProber:
    """What tries modules out; it accepts them until a test has it refuse."""
    world.prober.refusal = None
    return world.prober


@pytest.fixture
def probe(api: TestClient, prober: FakeProber) -> dict[str, Any]:
    """An accepted probe."""
    reply = api.post("/v1/probes", json=WISH)
    assert reply.status_code == 200, reply.text
    accepted: dict[str, Any] = reply.json()
    return accepted


def test_a_module_is_tried_out_and_tells_what_was_found(
    api: TestClient, probe: dict[str, Any]
) -> None:
    assert probe["status"] == "accepted"
    assert probe["findings"] == FINDINGS.model_dump(mode="json")
    found = api.get(f"/v1/probes/{probe['probe_id']}")
    assert found.json() == probe
    assert found.headers["ETag"] == '"2"'
    [listed] = api.get("/v1/probes", params={"import_path": WISH["import_path"]}).json()["items"]
    assert listed == {name: value for name, value in probe.items() if name in listed}
    assert api.get("/v1/probes", params={"status": "refused"}).json()["items"] == []


def test_a_refused_module_says_why(api: TestClient, prober: FakeProber, world: ApiWorld) -> None:
    prober.refusal = REFUSAL
    refused = api.post("/v1/probes", json=WISH).json()
    assert refused["status"] == "refused"
    assert refused["failure"]["code"] == REFUSAL.code
    [row] = api.get("/v1/probes", params={"status": "refused"}).json()["items"]
    assert row["failure"] == refused["failure"]
    body = {"name": "rag", "modules": [{"probe_id": refused["probe_id"]}]}
    reply = api.post("/v1/programs", json=body)
    assert (reply.status_code, reply.json()["code"]) == (409, "probe.not_accepted")


def test_a_probe_that_goes_on_is_told_of_at_once(
    api: TestClient, prober: FakeProber, world: ApiWorld
) -> None:
    world.has_worker = False
    reply = api.post("/v1/probes", params={"wait": 0}, json=WISH)
    assert (reply.status_code, reply.json()["status"]) == (202, "pending")
    assert api.get(reply.headers["Location"]).json()["finished_at"] is None


@pytest.mark.feature("MOD-27")
@pytest.mark.parametrize("path", ["os:system", "acme_rag2.rag:MyRAG", "subprocess:Popen"])
def test_mod_27_a_class_that_is_not_allowed_is_unprocessable(
    api: TestClient, prober: FakeProber, path: str
) -> None:
    asked = len(prober.asked)
    reply = api.post("/v1/probes", json={**WISH, "import_path": path})
    assert reply.status_code == 422
    assert reply.json()["code"] == "module.package_not_allowed"
    assert reply.json()["faults"][0]["pointer"] == "/import_path"
    assert len(prober.asked) == asked


def test_a_program_of_a_probed_module_holds_what_was_found(
    api: TestClient, probe: dict[str, Any]
) -> None:
    body = {"name": "rag", "modules": [{"probe_id": probe["probe_id"]}]}
    created = api.post("/v1/programs", json=body)
    assert created.status_code == 201, created.text
    [node] = api.get("/v1/programs/rag").json()["graph"]["nodes"]
    assert (node["id"], node["module"]["kind"]) == ("my_rag", "custom")
    told = node["module"]["parameters"]
    assert told["source_sha256"] == FINDINGS.source_sha256
    assert told["arguments"] == {"k": 2}
    assert [each["path"] for each in told["predictors"]] == ["rewrite", "generate.predict"]


def graph_of(api: TestClient, probe: dict[str, Any]) -> dict[str, Any]:
    """The graph of a program of the module that *probe* accepted."""
    name = f"rag {uuid4().hex}"
    body = {"name": name, "modules": [{"probe_id": probe["probe_id"]}]}
    assert api.post("/v1/programs", json=body).status_code == 201
    graph: dict[str, Any] = api.get(f"/v1/programs/{name}").json()["graph"]
    return graph


def test_a_graph_may_hold_a_probed_module(api: TestClient, probe: dict[str, Any]) -> None:
    reply = api.post("/v1/programs", json={"name": "graph", "graph": graph_of(api, probe)})
    assert reply.status_code == 201, reply.text


@pytest.mark.feature("MOD-27")
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"probe_id": str(uuid4())}, "reference.unknown"),
        ({"import_path": "os:system"}, "module.not_as_probed"),
        ({"arguments": {"k": 3}}, "module.not_as_probed"),
        ({"source_sha256": "0" * 64}, "module.not_as_probed"),
        ({"predictors": []}, "module.not_as_probed"),
    ],
)
def test_mod_27_a_class_that_nobody_probed_is_unprocessable(
    api: TestClient, probe: dict[str, Any], change: dict[str, Any], code: str
) -> None:
    graph = graph_of(api, probe)
    graph["nodes"][0]["module"]["parameters"] |= change
    reply = api.post("/v1/programs", json={"name": "graph", "graph": graph})
    assert reply.status_code == 422, reply.text
    assert [fault["code"] for fault in reply.json()["faults"]] == [code]
    assert reply.json()["faults"][0]["pointer"].startswith("/graph/nodes/0/module")


def test_another_signature_than_the_probed_one_is_unprocessable(
    api: TestClient, probe: dict[str, Any]
) -> None:
    graph = graph_of(api, probe)
    graph["nodes"][0]["module"]["signature"]["inputs"][0]["type"]["name"] = "any"
    reply = api.post("/v1/programs", json={"name": "graph", "graph": graph})
    assert [fault["code"] for fault in reply.json()["faults"]] == ["module.not_as_probed"]


@pytest.mark.parametrize(
    "choice",
    [
        {"probe_id": str(uuid4()), "module_id": str(uuid4())},
        {"probe_id": str(uuid4()), "kind": "predict", "signature_syntax": "a -> b"},
        {"kind": "custom", "signature_syntax": "a -> b"},
    ],
)
def test_a_module_of_ones_own_is_named_by_its_probe_alone(
    api: TestClient, choice: dict[str, Any]
) -> None:
    reply = api.post("/v1/programs", json={"name": "rag", "modules": [choice]})
    assert reply.status_code == 422, reply.text


def test_what_happened_to_a_probe_is_its_history(api: TestClient, probe: dict[str, Any]) -> None:
    page = api.get(f"/v1/probes/{probe['probe_id']}/history", params={"order": "oldest"}).json()
    assert [row["topic"] for row in page["items"]] == ["probe.requested", "probe.accepted"]
    assert [row["status"] for row in page["items"]] == ["pending", "accepted"]
