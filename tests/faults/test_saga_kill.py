"""Workers killed with -9 right after each effect of a workflow, while its events are sent."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from docs.examples.webhooks.receiver import SeenBefore, verify
from tests.support.service import Http, Service
from tests.support.triage import TriageLm

pytestmark = [pytest.mark.slow, pytest.mark.worker, pytest.mark.timeout(300)]

ENDED = {"completed", "undone", "failed"}


class Receiver(ThreadingHTTPServer):
    """Takes deliveries that it believes, as the sample of the docs has it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taking)
        self.secret, self.taken = "", list[dict[str, Any]]()
        self.seen: dict[str, float] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Taking(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            verify(self.server.secret, headers, body, now_s=time.time(), seen=self.server.seen)
            self.server.taken.append(json.loads(body))
        except SeenBefore:
            pass
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        yield receiver
        receiver.shutdown()


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    notes = tmp_path / "notes"
    notes.touch()
    return notes


@pytest.fixture
def service(database: str, receiver: Receiver, notes: Path) -> Iterator[Service]:
    environment = {
        "STRATAL_TOOLS": "tests.support.deadly",
        "STRATAL_WEBHOOK_HOSTS": receiver.url,
        "STRATAL_POLICIES": "tests.support.policies:apologize",
        "SHOP_NOTES": str(notes),
    }
    with (
        TriageLm() as lm,
        Service(database, lm, workers=2, environment=environment) as service,
    ):
        yield service


def shelved(http: Http) -> None:
    of = [{"name": "of"}]
    boolean = {"kind": "primitive", "name": "boolean"}
    for name, arguments in (
        ("book", []),
        ("pay", []),
        ("ship", [{"name": "fails", "type": boolean}]),
        ("refund", of),
        ("unbook", of),
    ):
        spec = {
            "kind": "python",
            "name": name,
            "description": f"{name} it.",
            "entry_point": f"tests.support.deadly:{name}",
            "arguments": arguments,
        }
        http.post("/v1/tools", {"spec": spec})


def step(name: str, undo: str | None = None, **inputs: object) -> dict[str, Any]:
    back = {"kind": "tool", "tool": undo, "inputs": {"of": {"step": name, "field": "result"}}}
    do = {"kind": "tool", "tool": name, "inputs": inputs, "retries": 1, "backoff_s": 0.2}
    return {"name": name, "do": do, "undo": None if undo is None else back}


@pytest.mark.feature("VIS-31")
@pytest.mark.feature("VIS-17")
def test_vis_31_and_17_a_kill_after_each_effect_leaves_runs_that_end_and_events_that_arrive(
    service: Service, receiver: Receiver, notes: Path
) -> None:
    http = service.http()
    shelved(http)
    hook = {"name": "in", "url": f"{receiver.url}/in", "topics": ["workflow_run.*"]}
    receiver.secret = http.post("/v1/webhooks", hook)["secret"]
    ship = step("ship", fails={"field": "fails"})
    steps = [step("book", "unbook"), step("pay", "refund"), ship]
    fails = {"name": "fails", "type": {"kind": "primitive", "name": "boolean"}}
    http.post("/v1/workflows", {"name": "trip", "inputs": [fails], "steps": steps})

    ends = []
    for it_fails in (False, True):
        body = {"inputs": {"fails": it_fails}}
        started = http.post("/v1/workflows/trip/start", body, wait=0)
        ends.append(_ended(service, http, started["workflow_run_id"]))

    assert ends == ["completed", "undone"]
    noted = notes.read_text().split()
    assert list(dict.fromkeys(noted)) == [
        "book", "pay", "ship-False", "ship-True", "refund", "unbook",
    ]  # fmt: skip
    facts = [it for it in http.events() if it["topic"].startswith("workflow_run.")]
    done = [it["data"]["step"] for it in facts if it["topic"] == "workflow_run.step_completed"]
    assert done == ["book", "pay", "ship", "book", "pay"]
    undone = [it["data"]["step"] for it in facts if it["topic"] == "workflow_run.step_undone"]
    assert undone == ["pay", "book"]
    _while_workers_live(service, lambda: len(receiver.taken) == len(facts))
    assert receiver.taken == facts, "each once, in order, in the words of the feed"
    _while_workers_live(service, lambda: bool(http.get("/v1/datasets")["items"]))
    [apology] = http.get("/v1/datasets")["items"]
    assert facts[-1]["aggregate_id"] in apology["name"], "the policy answered once"


def _ended(service: Service, http: Http, run: str) -> str:
    _while_workers_live(service, lambda: http.get(f"/v1/workflow-runs/{run}")["status"] in ENDED)
    return str(http.get(f"/v1/workflow-runs/{run}")["status"])


def _while_workers_live(service: Service, is_so: Any) -> None:
    """Wait until something is so; start again what was killed meanwhile."""
    deadline_s = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < deadline_s
        for name, process in service.processes.items():
            if not process.is_alive:
                service.restart(name)
        time.sleep(0.1)
