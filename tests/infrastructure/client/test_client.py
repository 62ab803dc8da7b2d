"""The client against the API itself, served over a socket."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from uuid import uuid4

import pytest
import uvicorn

from domain.signature.classes import Input, Output, Signature
from infrastructure.client import Stratal, StratalProblem, StratalUnreachable
from tests.support.api import SYNTAX, ApiWorld
from tests.support.postgres import copy_of
from tests.support.projecting import read_models

ROWS = [{"message": "It crashes.", "queue": "bug"}]


@pytest.fixture(scope="module")
def world(cluster: str, template: str) -> Iterator[ApiWorld]:
    with copy_of(template, cluster) as conninfo, read_models(conninfo) as models:
        yield ApiWorld(models)


@pytest.fixture(scope="module")
def url(world: ApiWorld) -> Iterator[str]:
    """The address at which the world is served."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(world.app(), log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def api(world: ApiWorld, url: str) -> Iterator[Stratal]:
    world.has_worker = True
    with Stratal(url, f"t-{uuid4().hex}", "ada") as client:
        yield client


@pytest.mark.feature("SIG-05")
def test_sig_05_the_client_says_what_http_says(api: Stratal) -> None:
    compiled = api.signatures.compile(SYNTAX, instructions="Route it.")
    by_hand = api.post("/v1/signatures/compile", {"syntax": SYNTAX, "instructions": "Route it."})
    assert compiled == by_hand
    made = api.signatures.create("route", SYNTAX)
    assert api.signatures.get("route")["signature_id"] == made["id"]
    assert api.signatures.revise("route", "message -> queue")["version"] == 2
    assert [each["name"] for each in api.signatures.list()] == ["route"]
    assert api.signatures.retire("route", "Done.")["version"] == 3


def test_prices_are_set_withdrawn_and_calls_cost_by_them(api: Stratal) -> None:
    api.programs.create("triage", SYNTAX)
    api.prices.set("scripted", Decimal(1000), "1000", cached_input_usd="0", reasoning_usd="0")
    later = datetime(2031, 1, 1, tzinfo=UTC)
    api.prices.withdraw("scripted", valid_from=later, reason="The contract ends.")
    api.programs.execute("triage", {"message": "It crashes."})
    assert [each["input_usd"] for each in api.prices.list(model="scripted")] == [None, "1000"]
    [row] = api.costs("model")["items"]
    assert (row["billed_usd"], row["billed_unpriced"], row["calls"]) == (None, 2, 2)


def test_budgets_are_opened_filled_changed_and_closed(api: Stratal) -> None:
    program = api.programs.create("triage", SYNTAX)["id"]
    made = api.budgets.open("0.5", cover={"kind": "program", "of": program}, alert_below_usd="1")
    with pytest.raises(StratalProblem, match=r"0\.5 aside") as refused:
        api.programs.execute("triage", {"message": "It crashes."})
    assert (refused.value.status, refused.value.code) == (402, "budget.spent")
    api.budgets.grant(made["id"], "2.5", "For June.")
    api.budgets.revise(made["id"], "1.5")
    assert api.budgets.get(made["id"])["left_usd"] == "2.5"
    assert api.programs.execute("triage", {"message": "It crashes."})["outputs"] == {"queue": "bug"}
    api.budgets.close(made["id"], "Done.")
    assert [each["closed_at"] is None for each in api.budgets.list()] == [False]


def test_graphql_is_asked_with_variables_and_tells_of_what_was_just_written(api: Stratal) -> None:
    api.programs.create("triage", SYNTAX)
    run = """mutation($inputs: TriageInputs!) {
        executeTriage(inputs: $inputs) { outputs { queue } } }"""
    ran = api.graphql(run, inputs={"message": "It crashes."})
    assert ran["data"]["executeTriage"]["outputs"] == {"queue": "bug"}
    assert api.graphql("{ x }")["errors"][0]["extensions"]["code"] == "graphql.invalid"


class BasicQA(Signature):
    """Answer the question."""

    question: str = Input(desc="The question to answer")
    answer: str = Output(desc="The answer to the question")


@pytest.mark.feature("SIG-21")
def test_sig_21_registering_a_class_twice_is_one_signature_and_one_event(api: Stratal) -> None:
    first, again = (api.signatures.register(BasicQA) for _ in range(2))
    assert (again["id"], again["version"], again["position"]) == (first["id"], 1, 0)
    shown = api.signatures.get("BasicQA")
    assert (shown["revision"], shown["spec"]) == (1, BasicQA.spec().model_dump(mode="json"))
    assert [each["topic"] for each in api.events()] == ["signature.defined"]


@pytest.mark.feature("SIG-26")
def test_sig_26_the_client_shows_schemas(api: Stratal) -> None:
    api.signatures.register(BasicQA, name="qa")
    assert api.signatures.json_schema("qa", "openai")["schema"]["required"] == ["answer"]
    assert "question" in api.signatures.json_schema("qa", side="inputs")["properties"]


@pytest.mark.feature("SIG-34")
def test_sig_34_a_module_holds_its_signature(api: Stratal) -> None:
    made = api.modules.create("qa", "predict", signature="question -> answer")
    assert api.modules.get(made["id"])["signature"]["outputs"][0]["name"] == "answer"


def test_a_module_is_made_and_configured(api: Stratal) -> None:
    signature = api.signatures.create("route", SYNTAX)["id"]
    api.modules.create("router", "predict", signature, config={"max_tokens": 5})
    api.modules.create("agent", "react", signature, parameters={"max_iterations": 2})
    assert api.modules.get("agent")["parameters"]["max_iterations"] == 2
    api.modules.configure("router", {"temperature": 0.5}, expected_version=1)
    config = api.modules.get("router")["config"]
    assert (config["max_tokens"], config["temperature"]) == (5, 0.5)


def test_a_program_is_run_replayed_and_traced(api: Stratal) -> None:
    api.programs.create("triage", SYNTAX, kind="chain_of_thought", description="Routes.")
    ran = api.programs.execute("triage", {"message": "It crashes."}, wait_s=10)
    assert (ran["status"], ran["outputs"]) == ("completed", {"queue": "bug"})
    assert api.executions.replay(ran["execution_id"])["outcome"] == "verified"
    assert [call["index"] for call in api.executions.trace(ran["execution_id"])] == [1, 2]
    assert api.executions.wait(ran["execution_id"], timeout_s=1)["status"] == "completed"
    (listed,) = api.executions.list(status="completed")
    assert listed["actor"] == "ada"
    assert api.usage()["total"]["calls"] == 2
    newest, first = api.inspect_history()
    assert newest["position"] > first["position"]
    assert first["request_text"] == {"ask": "first"}
    assert api.inspect_history(1) == [newest]
    assert api.inspect_history(model="somebody/else") == []
    assert next(api.audit(aggregate="program"))["topic"] == "program.created"
    assert next(event["topic"] for event in api.events()) == "program.created"


def test_a_program_is_compiled_evaluated_and_deployed(api: Stratal, world: ApiWorld) -> None:
    api.programs.create("triage", SYNTAX)
    api.datasets.create("tickets", purpose="training", description="Ours.")
    for split in ("train", "heldout"):
        api.datasets.load("tickets", ROWS, split=split)
    assert api.datasets.statistics("tickets", split="train")["size"] == 1
    assert api.datasets.fit("tickets", "triage")["warnings"] == []
    optimization = api.programs.compile(
        "triage", "tickets", "exact_match", optimizer="bootstrap_fewshot", seed=7
    )
    evaluation = api.programs.evaluate("triage", "tickets", "exact_match", split="heldout")
    with pytest.raises(TimeoutError, match="goes on"):
        api.optimizations.wait(optimization["id"], timeout_s=0, every_s=0)
    world.work()
    assert api.optimizations.wait(optimization["id"], timeout_s=5)["adopted_version"] == 2
    assert api.evaluations.wait(evaluation["id"], timeout_s=5)["score"] == 1.0
    api.programs.start_testing("triage")
    api.programs.deploy("triage", 2, reason="Better.", evidence=[evaluation["id"]])
    versions = list(api.programs.versions("triage"))
    assert [version["program_version"] for version in versions] == [2, 1]
    assert api.programs.retire("triage")["id"] == versions[0]["program_id"]


def test_a_run_is_followed_to_its_end(api: Stratal, world: ApiWorld) -> None:
    world.has_worker = False
    api.programs.create("triage", SYNTAX)
    ran = api.programs.execute("triage", {"message": "Hi."}, wait_s=0)
    states: list[str] = []
    for state in api.executions.follow(ran["execution_id"], every_s=0):
        states.append(state["status"])
        world.work()
    assert states == ["pending", "completed"]


def test_a_run_is_called_off(api: Stratal, world: ApiWorld) -> None:
    world.has_worker = False
    api.programs.create("triage", SYNTAX)
    ran = api.programs.execute("triage", {"message": "Hi."}, wait_s=0)
    api.executions.cancel(ran["execution_id"], "Never mind.")
    assert api.executions.get(ran["execution_id"])["cancelled_because"] == "Never mind."
    world.work()


def test_a_refusal_is_raised_with_its_code_and_faults(api: Stratal) -> None:
    with pytest.raises(StratalProblem) as refused:
        api.post("/v1/programs", {"name": "", "stage": "production"})
    problem = refused.value
    assert (problem.code, problem.status) == ("request.invalid", 422)
    assert {(fault.part, fault.pointer) for fault in problem.faults} == {
        ("body", "/name"),
        ("body", "/stage"),
    }
    assert problem.correlation_id


def test_a_stale_version_is_raised(api: Stratal) -> None:
    api.programs.create("triage", SYNTAX)
    api.programs.start_testing("triage", expected_version=1)
    with pytest.raises(StratalProblem, match="version 2") as refused:
        api.programs.deploy("triage", expected_version=1)
    assert refused.value.code == "version.stale"


def test_proofs_are_asked_for(api: Stratal) -> None:
    assert [*api.checkpoints.list()] == []
    for ask in (
        lambda: api.checkpoints.get(7),
        lambda: api.checkpoints.consistency(3, 7),
        lambda: api.checkpoints.inclusion(5),
        lambda: api.checkpoints.inclusion(5, 7),
    ):
        with pytest.raises(StratalProblem) as refused:
            ask()
        assert refused.value.code == "checkpoint.unknown"


def test_a_list_is_read_through_all_its_pages(api: Stratal) -> None:
    for number in range(5):
        api.datasets.create(f"d {number}/%"[:3])
    assert len(list(api.datasets.list(limit=2))) == 5


def test_things_are_read_as_they_were(api: Stratal, world: ApiWorld) -> None:
    world.clock.advance(3600)
    made = api.datasets.create("d")
    loaded = api.datasets.load("d", ROWS, split="train")
    then, before = made["position"], world.clock.now() - timedelta(seconds=1)
    assert api.datasets.get("d")["size"] == 1
    assert api.datasets.get("d", as_of=then)["size"] == 0
    assert api.datasets.statistics("d", as_of=then)["size"] == 0
    assert [each["size"] for each in api.datasets.list(as_of=then)] == [0]
    assert list(api.datasets.list(as_of=before)) == []
    assert [each["position"] for each in api.audit(as_of=then)] == [then]
    program = api.programs.create("p", SYNTAX)
    assert list(api.programs.versions("p", as_of=program["position"])) != []
    ran = api.programs.execute("p", {"message": "Hi"})
    assert list(api.executions.trace(ran["execution_id"], as_of=ran["position"])) != []
    with pytest.raises(StratalProblem) as missing:
        api.programs.get("p", as_of=loaded["position"])
    assert missing.value.code == "not_found"


def test_reads_ask_for_what_was_written(api: Stratal, world: ApiWorld) -> None:
    made = api.datasets.create("d")
    assert made["position"] == len(world.log.recorded)
    assert api._seen == made["position"]
    assert api.health()["status"] == "ok"
    assert api.readiness()["status"] == "ready"


@contextmanager
def served(answer: Callable[[BaseHTTPRequestHandler, int], None]) -> Iterator[str]:
    """A server that answers request number *n* as *answer* says."""
    seen = 0

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            nonlocal seen
            seen += 1
            self.rfile.read(int(self.headers["Content-Length"]))
            answer(self, seen)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/base"
    server.shutdown()
    thread.join()
    server.server_close()


def reply(handler: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def test_a_cut_write_is_tried_again_with_the_same_key() -> None:
    keys: list[str] = []
    paths: list[str] = []

    def answer(handler: BaseHTTPRequestHandler, number: int) -> None:
        keys.append(handler.headers["Idempotency-Key"])
        paths.append(handler.path)
        if number == 1:
            handler.connection.shutdown(socket.SHUT_RDWR)
        elif number == 2:
            reply(handler, 503, b"{}")
        else:
            reply(handler, 201, b'{"id": "x"}')

    with served(answer) as url, Stratal(url) as api:
        assert api.datasets.create("d") == {"id": "x"}
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert set(paths) == {"/base/v1/datasets"}


def test_a_service_that_stays_down_is_a_problem() -> None:
    with (
        served(lambda handler, _: reply(handler, 503, b"<html>")) as url,
        Stratal(url) as api,
        pytest.raises(StratalProblem) as refused,
    ):
        api.datasets.create("d")
    assert (refused.value.status, refused.value.code) == (503, "unknown")


def test_nobody_there_says_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with Stratal(f"http://127.0.0.1:{port}") as api, pytest.raises(StratalUnreachable) as nobody:
        api.health()
    assert nobody.value.code == "api.unreachable"
    assert "stratal serve" in str(nobody.value)


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://a", "http://"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="no http"):
        Stratal(url)
