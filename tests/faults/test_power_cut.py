"""The end of every process at once, the database too: nothing is known but what was on disk."""

from collections.abc import Mapping
from typing import Any

import pytest

from infrastructure.postgres.embedded import EmbeddedPostgres
from tests.support import invariants
from tests.support.service import LISTS, Http, Service, kill, until
from tests.support.triage import SYNTAX, Triage

pytestmark = [pytest.mark.slow, pytest.mark.worker, pytest.mark.timeout(300)]


@pytest.mark.feature("BRG-04")
@pytest.mark.feature("VIS-14")
def test_vis_14_after_every_process_was_killed_all_reads_are_as_they_were(
    service: Service, postgres: EmbeddedPostgres
) -> None:
    triage = Triage(service.http()).create()
    signature = triage.http.post("/v1/signatures", {"name": "routing", "syntax": SYNTAX})["id"]
    router = {"name": "router", "kind": "predict", "signature_id": signature}
    triage.http.post("/v1/modules", router)
    first = triage.execute("It crashes on save")
    triage.optimize("labeled_fewshot", config={"k": 4})
    judged = triage.evaluate(program_version=2)
    evidence = {"evidence": [judged["evaluation_id"]], "reason": "It is better."}
    triage.http.post(f"{triage.program}/deploy", {"program_version": 2, **evidence})
    triage.http.post(f"/v1/executions/{first['execution_id']}/replay")
    _store_posts(triage.http)
    _work_off(triage.http)
    head = service.head()
    before = _everything(triage.http, head)
    for process in service.processes.values():
        process.kill()
    pid = postgres.status().pid
    assert pid is not None
    kill(pid)
    postgres.start()
    for name in service.processes:
        service.restart(name)
    service.wait_until_ready()
    assert _everything(triage.http, head) == before
    invariants.check(service.database)


def _store_posts(http: Http) -> None:
    """Two posts, each with the queue that a program found for it."""
    bound = {"inputs": {"message": {"pointer": "/text"}}, "outputs": {"queue": "queue"}}
    http.post("/v1/bindings", {"name": "sort", "resource": "post", "program": "triage", **bound})
    for text in ("It crashes on save", "What does it cost?"):
        http.post("/v1/records/post", {"data": {"text": text}})
    until(
        lambda: http.pages("/v1/records/post"),
        lambda posts: [_is_sorted(post) for post in posts] == [True, True],
        timeout_s=60,
    )


def _is_sorted(post: dict[str, Any]) -> bool:
    return "queue" in post["data"]


def _work_off(http: Http) -> None:
    """One run of a workflow of one step."""
    ask = {"kind": "program", "program": "triage", "inputs": {"message": {"field": "message"}}}
    steps = [{"name": "ask", "do": ask}]
    http.post("/v1/workflows", {"name": "ask", "inputs": [{"name": "message"}], "steps": steps})
    http.post("/v1/workflows/ask/start", {"inputs": {"message": "It crashes on save"}})
    until(
        lambda: [run["status"] for run in http.pages("/v1/workflow-runs")],
        lambda statuses: statuses == ["completed"],
        timeout_s=60,
    )


NOT_HERE = {"/v1/probes"}
"""The service of this story allows no module of anybody's own."""


def _everything(http: Http, position: int) -> Mapping[str, Any]:
    """All that can be read of the tenant, each thing by itself too, at *position* or later."""
    read: dict[str, Any] = {"/v1/events": http.events()}
    for path in LISTS:
        items = read[path] = http.pages(path, at_least=position)
        assert items or path in NOT_HERE, f"{path} tells nothing, so it shows nothing."
    for path, key in (("/v1/programs", "program_id"), ("/v1/executions", "execution_id")):
        for each in read[path]:
            one = f"{path}/{each[key]}"
            read[one] = http.get(one)
    return read
