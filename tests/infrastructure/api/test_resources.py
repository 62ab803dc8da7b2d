"""Signatures, modules, programs and datasets over HTTP."""

from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient

from domain.module.values import ModuleKind
from tests.support.api import SYNTAX, ApiWorld, a_dataset, a_program

COMPILE = "/v1/signatures/compile"
NOBODY = UUID(int=1)


def refused(api: TestClient, path: str, body: object) -> tuple[int, str, list[str]]:
    """Status, code and fault pointers of a write that must not happen."""
    reply = api.post(path, json=body)
    problem = reply.json()
    return reply.status_code, problem["code"], [fault["pointer"] for fault in problem["faults"]]


@pytest.mark.feature("SIG-04")
def test_sig_04_compile_shows_fields_schemas_and_hash_and_stores_nothing(
    api: TestClient, world: ApiWorld
) -> None:
    before = len(world.log.recorded)
    reply = api.post(COMPILE, json={"syntax": SYNTAX, "instructions": "Route it."})
    assert reply.status_code == 200
    view = reply.json()
    assert view["spec"]["instructions"] == "Route it."
    assert [field["name"] for field in view["spec"]["inputs"]] == ["message"]
    assert view["output_schema"]["properties"]["queue"]["enum"][0] == "bug"
    assert view["input_schema"]["required"] == ["message"]
    assert len(view["content_hash"]) == 64
    assert len(world.log.recorded) == before


@pytest.mark.feature("SIG-03")
def test_sig_03_text_and_data_of_one_signature_have_one_hash(api: TestClient) -> None:
    by_text = api.post(COMPILE, json={"syntax": SYNTAX}).json()
    by_data = api.post(COMPILE, json={"spec": by_text["spec"]}).json()
    assert by_data == by_text


@pytest.mark.feature("SIG-09")
@pytest.mark.parametrize("syntax", ["a b", "a -> b -> c", "-> b", "a ->"])
def test_sig_09_a_bad_arrow_count_is_a_problem_with_a_column(api: TestClient, syntax: str) -> None:
    reply = api.post(COMPILE, json={"syntax": syntax})
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_signature_format")
    assert "column" in reply.json()["detail"]


@pytest.mark.feature("SIG-17")
def test_sig_17_an_unknown_type_is_named(api: TestClient) -> None:
    reply = api.post(COMPILE, json={"syntax": "foo: strng -> b"})
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_type")
    assert reply.json()["detail"] == "Invalid type: strng"


@pytest.mark.feature("SIG-01")
def test_sig_01_a_signature_needs_a_name(api: TestClient) -> None:
    status, code, pointers = refused(api, "/v1/signatures", {"syntax": SYNTAX})
    assert (status, code, pointers) == (422, "request.invalid", ["/name"])


def test_every_fault_of_a_body_is_named_at_once(api: TestClient) -> None:
    body = {"name": "", "syntax": 7, "surprise": 1, "id": "x"}
    status, code, pointers = refused(api, "/v1/signatures", body)
    assert (status, code) == (422, "request.invalid")
    assert sorted(pointers) == ["/id", "/name", "/surprise", "/syntax"]


def test_a_list_is_not_called_too_short_when_its_items_are_wrong(api: TestClient) -> None:
    signature = {"inputs": [{"name": "a"}], "outputs": [{"name": "a"}]}
    graph = {"signature": signature, "nodes": [{"kind": "lop"}], "outputs": {}}
    _, _, pointers = refused(api, "/v1/programs", {"name": "x", "graph": graph})
    assert pointers == ["/graph/nodes/0"]
    _, _, pointers = refused(api, "/v1/programs", {"name": "x", "graph": {**graph, "nodes": []}})
    assert pointers == ["/graph/nodes"]


def test_a_signature_lives_and_leaves(api: TestClient) -> None:
    made = api.post("/v1/signatures", json={"name": "route", "syntax": SYNTAX})
    assert made.status_code == 201
    assert made.headers["ETag"] == '"1"'
    position = made.headers["X-Stratal-Position"]
    assert made.json() == {
        "id": made.json()["id"],
        "version": 1,
        "position": int(position),
    }
    assert made.headers["Location"] == f"/v1/signatures/{made.json()['id']}?at_least={position}"
    found = api.get(made.headers["Location"])
    assert (found.json()["name"], found.headers["ETag"]) == ("route", '"1"')

    revised = api.post("/v1/signatures/route/revise", json={"syntax": "message -> queue"})
    assert revised.json()["version"] == 2
    assert api.get("/v1/signatures/route").json()["revision"] == 2

    retired = api.post("/v1/signatures/route/retire", json={"reason": "Replaced."})
    assert retired.json()["version"] == 3
    assert api.get("/v1/signatures").json()["items"] == []
    kept = api.get(f"/v1/signatures/{made.json()['id']}").json()
    assert kept["retired_because"] == "Replaced."
    assert len(api.get("/v1/signatures?retired=true").json()["items"]) == 1


def test_a_name_is_taken_once(api: TestClient) -> None:
    body = {"name": "route", "syntax": SYNTAX}
    api.post("/v1/signatures", json=body)
    assert refused(api, "/v1/signatures", body) == (409, "name.taken", [])


def test_a_module_freezes_a_signature(api: TestClient) -> None:
    signature = api.post("/v1/signatures", json={"name": "route", "syntax": SYNTAX}).json()["id"]
    body = {"name": "router", "kind": "chain_of_thought", "signature_id": signature}
    made = api.post("/v1/modules", json=body)
    assert made.status_code == 201
    module = api.get("/v1/modules/router")
    assert (module.json()["config"]["temperature"], module.headers["ETag"]) == (0.7, '"1"')
    changed = api.post("/v1/modules/router/configure", json={"config": {"temperature": 0.1}})
    assert changed.json()["version"] == 2
    config = api.get("/v1/modules/router").json()["config"]
    assert (config["temperature"], config["max_tokens"]) == (0.1, 1500)
    assert api.get(f"/v1/modules?signature_id={signature}").json()["items"][0]["name"] == "router"
    assert api.post("/v1/modules/router/retire", json={}).json()["version"] == 3
    assert api.get("/v1/modules").json()["items"] == []


@pytest.mark.feature("MOD-05")
def test_mod_05_a_module_of_an_unknown_signature_is_refused(api: TestClient) -> None:
    body = {"name": "router", "kind": "predict", "signature_id": str(uuid4())}
    assert refused(api, "/v1/modules", body) == (422, "invalid", ["/signature_id"])


@pytest.mark.feature("MOD-02")
def test_mod_02_an_unknown_kind_is_refused_with_the_valid_ones(api: TestClient) -> None:
    body = {"name": "router", "kind": "magic", "signature_id": str(uuid4())}
    reply = api.post("/v1/modules", json=body)
    assert reply.status_code == 422
    assert all(f"'{kind}'" in reply.json()["faults"][0]["message"] for kind in ModuleKind)


def test_a_program_goes_from_draft_to_production(api: TestClient) -> None:
    program = a_program(api)
    row = api.get("/v1/programs/triage")
    assert (row.json()["program_id"], row.json()["stage"]) == (program, "draft")
    assert api.post("/v1/programs/triage/testing").json()["version"] == 2
    deployed = api.post(f"/v1/programs/{program}/deploy", json={"reason": "It is the first."})
    assert deployed.json()["version"] == 3
    row = api.get(f"/v1/programs/{program}")
    assert (row.json()["stage"], row.json()["deployed_version"]) == ("production", 1)
    assert row.headers["ETag"] == '"3"'
    (version,) = api.get("/v1/programs/triage/versions").json()["items"]
    assert version["deployments"][0]["reason"] == "It is the first."
    assert api.get("/v1/programs?stage=production").json()["items"][0]["name"] == "triage"
    assert api.post("/v1/programs/triage/retire", json={}).status_code == 200
    assert api.get("/v1/programs").json()["items"] == []


@pytest.mark.feature("PRG-01")
def test_prg_01_two_programs_of_one_name_are_a_conflict(api: TestClient) -> None:
    a_program(api)
    body = {"name": "triage", "modules": [{"kind": "predict", "signature_syntax": SYNTAX}]}
    assert refused(api, "/v1/programs", body)[:2] == (409, "name.taken")


@pytest.mark.feature("PRG-03")
def test_prg_03_an_illegal_transition_names_the_state_and_what_is_allowed(api: TestClient) -> None:
    a_program(api)
    api.post("/v1/programs/triage/retire", json={})
    program = api.get("/v1/programs/triage").json()["program_id"]
    reply = api.post(f"/v1/programs/{program}/testing")
    assert (reply.status_code, reply.json()["code"]) == (409, "program.action_not_allowed")
    assert "retired" in reply.json()["detail"]
    assert "Allowed:" in reply.json()["detail"]


@pytest.mark.feature("PRG-05")
@pytest.mark.parametrize("key", ["forward", "forward_fn"])
def test_prg_05_a_program_given_as_code_is_refused_with_a_pointer_to_the_docs(
    api: TestClient, key: str
) -> None:
    body = {
        "name": "evil",
        "modules": [{"kind": "predict", "signature_syntax": SYNTAX}],
        key: "def forward(self): ...",
    }
    reply = api.post("/v1/programs", json=body)
    assert reply.status_code == 422
    assert "docs/" in reply.json()["faults"][0]["message"]


@pytest.mark.feature("PRG-08")
@pytest.mark.parametrize("key", ["status", "stage", "version", "tenant", "deployed_version"])
def test_prg_08_what_is_not_the_callers_to_set_is_refused(api: TestClient, key: str) -> None:
    body = {
        "name": "sneaky",
        "modules": [{"kind": "predict", "signature_syntax": SYNTAX}],
        key: "production",
    }
    assert refused(api, "/v1/programs", body) == (422, "request.invalid", [f"/{key}"])
    assert api.get("/v1/programs/sneaky").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/v1/signatures/nobody",
        "/v1/modules/nobody",
        "/v1/programs/nobody",
        "/v1/programs/nobody/versions",
        f"/v1/programs/{NOBODY}/versions",
        "/v1/datasets/nobody",
        "/v1/datasets/nobody/statistics",
        f"/v1/executions/{NOBODY}",
        f"/v1/executions/{NOBODY}/trace",
        f"/v1/optimizations/{NOBODY}",
        f"/v1/evaluations/{NOBODY}",
    ],
)
def test_what_does_not_exist_is_not_found(api: TestClient, path: str) -> None:
    reply = api.get(path)
    assert (reply.status_code, reply.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("action", ["execute", "compile", "evaluate", "deploy", "testing"])
def test_an_unknown_program_does_nothing(api: TestClient, action: str) -> None:
    bodies: dict[str, object] = {
        "execute": {"inputs": {}},
        "compile": {"dataset": "d", "metric": "exact_match"},
        "evaluate": {"dataset": "d", "metric": "exact_match"},
    }
    reply = api.post(f"/v1/programs/nobody/{action}", json=bodies.get(action, {}))
    assert (reply.status_code, reply.json()["code"]) == (404, "not_found")
    assert "nobody" in reply.json()["detail"]


ROWS = {
    "application/json": '[{"message": "It crashes.", "queue": "bug"}]',
    "application/x-ndjson": '{"message": "It crashes.", "queue": "bug"}\n',
    "text/csv": "message,queue\nIt crashes.,bug\n",
}


@pytest.mark.parametrize("kind", ROWS)
def test_rows_come_as_json_json_lines_or_csv(api: TestClient, kind: str) -> None:
    api.post("/v1/datasets", json={"name": "tickets", "purpose": "training"})
    loaded = api.post(
        "/v1/datasets/tickets/rows?split=train", content=ROWS[kind], headers={"Content-Type": kind}
    )
    assert (loaded.status_code, loaded.json()["version"]) == (201, 2)
    row = api.get("/v1/datasets/tickets").json()
    assert (row["train_rows"], row["heldout_rows"], row["size"]) == (1, 0, 1)
    assert row["fields"] == ["message", "queue"]


def test_bad_rows_are_named_by_line_and_none_is_stored(api: TestClient) -> None:
    api.post("/v1/datasets", json={"name": "tickets"})
    reply = api.post(
        "/v1/datasets/tickets/rows?split=train",
        content='{"a": 1}\n{"b": 2}\nnonsense\n',
        headers={"Content-Type": "application/x-ndjson"},
    )
    assert (reply.status_code, reply.json()["code"]) == (422, "dataset.rows_malformed")
    messages = [fault["message"] for fault in reply.json()["faults"]]
    assert [message.split(":")[0] for message in messages] == ["Line 2", "Line 3"]
    assert api.get("/v1/datasets/tickets").json()["size"] == 0


@pytest.mark.parametrize("kind", ROWS)
def test_rows_nested_too_deep_are_refused_in_any_format(api: TestClient, kind: str) -> None:
    api.post("/v1/datasets", json={"name": "tickets"})
    reply = api.post(
        "/v1/datasets/tickets/rows?split=train",
        content="[" * 100_000,
        headers={"Content-Type": kind},
    )
    assert (reply.status_code, reply.json()["code"]) == (422, "json.refused")


@pytest.mark.feature("DST-01")
def test_dst_01_an_unknown_purpose_or_split_is_refused(api: TestClient) -> None:
    assert refused(api, "/v1/datasets", {"name": "d", "purpose": "fun"})[2] == ["/purpose"]
    api.post("/v1/datasets", json={"name": "d"})
    reply = api.post("/v1/datasets/d/rows?split=fun", json=[{"a": 1}])
    fault = reply.json()["faults"][0]
    assert (reply.status_code, fault["in"], fault["pointer"]) == (422, "query", "/split")


@pytest.mark.feature("DST-04")
def test_dst_04_statistics_are_counted_over_the_rows(api: TestClient) -> None:
    dataset = a_dataset(api)
    both = api.get(f"/v1/datasets/{dataset}/statistics").json()
    assert (both["size"], both["duplicates"]) == (4, 2)
    assert both["fields"]["queue"]["labels"] == {"bug": 2, "billing": 2}
    train = api.get("/v1/datasets/tickets/statistics?split=train").json()
    assert (train["size"], train["duplicates"]) == (2, 0)


def test_lists_are_read_page_by_page(api: TestClient) -> None:
    names = [f"d{number}" for number in range(5)]
    for name in names:
        api.post("/v1/datasets", json={"name": name})
    seen: list[str] = []
    cursor = ""
    while True:
        page = api.get(f"/v1/datasets?limit=2{cursor}").json()
        seen += [row["name"] for row in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == names[::-1]


@pytest.mark.parametrize("cursor", ["x", "W10", "WyJhIl0", "W251bGxd", "WzFlOTk5XQ", "ü"])
def test_a_made_up_cursor_is_refused(api: TestClient, cursor: str) -> None:
    reply = api.get("/v1/programs", params={"cursor": cursor})
    assert (reply.status_code, reply.json()["code"]) == (422, "page.cursor_invalid")


@pytest.mark.parametrize("limit", ["0", "201", "-1", "many"])
def test_a_page_has_bounds(api: TestClient, limit: str) -> None:
    reply = api.get(f"/v1/programs?limit={limit}")
    fault = reply.json()["faults"][0]
    assert (reply.status_code, fault["in"], fault["pointer"]) == (422, "query", "/limit")


def test_ids_may_be_the_clients_own(api: TestClient) -> None:
    own = uuid4()
    made = api.post("/v1/datasets", json={"name": "mine", "id": str(own)})
    assert UUID(made.json()["id"]) == own
