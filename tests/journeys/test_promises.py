"""What the API promises of every request, asked of real processes: fresh, typed, by the book."""

import json
import time

import psycopg
import pytest

from tests.support.postgres import owner_of
from tests.support.service import Http, Service, until
from tests.support.triage import SYNTAX, Triage

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("service")]

MESSAGE = {"inputs": {"message": "It crashes on save"}}


@pytest.mark.feature("PRG-11")
@pytest.mark.parametrize(
    ("query", "headers"), [({"wait": 0}, {}), ({}, {"Prefer": "respond-async, wait=0"})]
)
def test_prg_11_who_does_not_wait_asks_the_location_later(
    triage: Triage, query: dict[str, int], headers: dict[str, str]
) -> None:
    reply = triage.http.send(
        "POST", f"{triage.program}/execute", json=MESSAGE, params=query, headers=headers
    )
    assert reply.status_code == 202
    assert reply.json()["status"] in {"pending", "running", "completed"}
    ended = triage.http.follow(reply.headers["Location"])
    assert ended["execution_id"] == reply.json()["execution_id"]
    assert ended["status"] == "completed"


def test_a_wait_ends_with_the_run(service: Service, triage: Triage) -> None:
    service.lm.script.latency_ms = 400
    try:
        began = time.monotonic()
        ended = triage.execute("It crashes on save", wait=60)
        took_s = time.monotonic() - began
    finally:
        service.lm.script.latency_ms = 0
    assert ended["status"] == "completed"
    assert 0.4 <= took_s < 20


def test_a_list_that_is_asked_for_a_position_shows_the_write(http: Http) -> None:
    for number in range(20):
        name = f"program-{number}"
        body = {"name": name, "modules": [{"kind": "predict", "signature_syntax": SYNTAX}]}
        position = http.post("/v1/programs", body)["position"]
        newest = http.get("/v1/programs", at_least=position, limit=1)["items"][0]
        assert newest["name"] == name


def test_a_position_that_is_not_there_yet_is_not_waited_for_in_vain(
    service: Service, http: Http
) -> None:
    reply = http.send("GET", "/v1/programs", params={"at_least": service.head() + 1000})
    assert reply.status_code == 503
    assert reply.json()["code"] == "projection.late"
    assert reply.headers["Retry-After"]


@pytest.mark.feature("MOD-07")
def test_mod_07_running_a_module_leaves_it_as_it_is(triage: Triage) -> None:
    for _ in range(5):
        assert triage.execute("It crashes on save")["status"] == "completed"
    topics = [each["topic"] for each in triage.http.events()]
    assert [it for it in topics if it.startswith(("module.", "program."))] == ["program.created"]


@pytest.mark.feature("EXE-06")
@pytest.mark.parametrize("action", ["complete", "fail", "start"])
def test_exe_06_nobody_but_a_worker_ends_an_execution(triage: Triage, action: str) -> None:
    made = triage.execute("It crashes on save", wait=0)["execution_id"]
    reply = triage.http.send("POST", f"/v1/executions/{made}/{action}", json={"outputs": {}})
    assert (reply.status_code, reply.json()["code"]) == (404, "route.unknown")
    assert triage.http.follow(f"/v1/executions/{made}")["outputs"] == {"queue": "howto"}


@pytest.mark.feature("SIG-23")
def test_sig_23_every_missing_input_is_named(http: Http) -> None:
    syntax = "zebra: str, ant: str, given: str -> answer: str"
    modules = [{"kind": "predict", "signature_syntax": syntax}]
    http.post("/v1/programs", {"name": "triage", "modules": modules})
    body = {"inputs": {"given": "x"}}
    reply = http.send("POST", "/v1/programs/triage/execute", json=body)
    assert reply.status_code == 422
    assert "Missing required inputs: ant, zebra" in reply.json()["detail"]
    assert sorted(each["pointer"] for each in reply.json()["faults"]) == [
        "/inputs/ant",
        "/inputs/zebra",
    ]


@pytest.mark.feature("MOD-05")
def test_mod_05_a_program_runs_the_signature_as_it_was_frozen(http: Http) -> None:
    signature = http.post("/v1/signatures", {"name": "routing", "syntax": SYNTAX})["id"]
    module = {"name": "router", "kind": "chain_of_thought", "signature_id": signature}
    made = http.post("/v1/modules", module)["id"]
    http.post("/v1/programs", {"name": "triage", "modules": [{"module_id": made}]})
    http.post(f"/v1/signatures/{signature}/revise", {"syntax": "other: str -> thing: int"})
    ended = http.post("/v1/programs/triage/execute", MESSAGE, wait=60)
    assert set(ended["outputs"]) == {"reasoning", "queue"}


@pytest.mark.feature("MOD-04")
def test_mod_04_the_calls_of_a_module_are_read_with_prompt_and_answer(http: Http) -> None:
    signature = http.post("/v1/signatures", {"name": "routing", "syntax": SYNTAX})["id"]
    module = {"name": "router", "kind": "predict", "signature_id": signature}
    made = http.post("/v1/modules", module)["id"]
    http.post("/v1/programs", {"name": "of-it", "modules": [{"module_id": made}]})
    other = [{"kind": "predict", "signature_syntax": SYNTAX}]
    http.post("/v1/programs", {"name": "of-another", "modules": other})
    ran = [
        http.post(f"/v1/programs/{name}/execute", MESSAGE, wait=60)["execution_id"]
        for name in ("of-it", "of-another", "of-it")
    ]
    latest = http.get(f"/v1/executions/{ran[2]}")["position"]
    calls = http.get("/v1/lm-calls", module_id=made, at_least=latest)["items"]
    assert [each["run_id"] for each in calls] == [ran[2], ran[0]]
    for call in calls:
        [traced] = http.get(f"/v1/executions/{call['run_id']}/trace")["items"]
        assert (call["request_text"], call["response_text"]) == (
            traced["request"],
            traced["response"],
        )


@pytest.mark.feature("MOD-12")
@pytest.mark.feature("MOD-16")
@pytest.mark.parametrize(
    ("kind", "temperature", "max_tokens"), [("predict", 0.0, 1000), ("chain_of_thought", 0.7, 1500)]
)
def test_mod_12_the_defaults_of_a_kind_reach_the_provider(
    service: Service, http: Http, kind: str, temperature: float, max_tokens: int
) -> None:
    modules = [{"kind": kind, "signature_syntax": SYNTAX}]
    http.post("/v1/programs", {"name": "triage", "modules": modules})
    body = {"inputs": {"message": f"It crashes as {http.tenant}"}}
    assert http.post("/v1/programs/triage/execute", body, wait=60)["status"] == "completed"
    [sent] = [each for each in service.lm.bodies if http.tenant in json.dumps(each)]
    assert sent["temperature"] == temperature
    assert max_tokens in (sent.get("max_tokens"), sent.get("max_completion_tokens"))


@pytest.mark.feature("LMP-03")
def test_lmp_03_the_key_of_the_provider_is_nowhere_in_the_database(
    service: Service, triage: Triage
) -> None:
    triage.execute("It crashes on save")
    assert service.lm.headers[-1]["Authorization"] == "Bearer sk-of-a-test"
    with psycopg.connect(owner_of(service.database)) as database:  # who may read every table
        tables = database.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        for (table,) in tables:
            query = f"SELECT count(*) FROM {table} t WHERE t::text LIKE '%sk-of-a-test%'"
            assert database.execute(query.encode()).fetchall() == [(0,)], table
    assert "sk-of-a-test" not in service.logs(lines=10_000)


def test_the_service_says_that_it_is_ready_and_how_far_it_is(service: Service, http: Http) -> None:
    until(
        lambda: http.get("/readyz"),
        lambda told: all(each["behind"] == 0 for each in told["projections"]),
        timeout_s=10,
    )
    assert service.processes["api"].is_alive
