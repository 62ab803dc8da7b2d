"""What an optimizer found waits for somebody, with real processes and a real optimizer."""

import pytest

from tests.support.otlp import Collector
from tests.support.service import until
from tests.support.triage import HELDOUT, TRAIN, Triage

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("service")]


@pytest.mark.feature("PRG-20")
def test_prg_20_what_was_found_is_judged_on_unseen_rows_and_adopted_once_it_is_approved(
    triage: Triage,
) -> None:
    http = triage.http
    begun = triage.request_optimization("labeled_fewshot", adopt="approval")
    ended, path = http.follow(begun), begun.partition("?")[0]
    assert (ended["status"], ended["proposal"]) == ("completed", "open"), ended
    proposal = http.get(f"{path}/proposal")
    assert proposal["heldout"] == {"rows": len(HELDOUT), "baseline": 0.25, "score": 1.0}
    added = [each for each in proposal["changes"] if each["kind"] == "demo_added"]
    assert len(added) == len(TRAIN)
    assert http.get(triage.program)["latest_version"] == 1
    http.post(f"{path}/approve", {"reason": "It is better on what it has not seen."})
    adopted = until(lambda: http.get(path), lambda run: run["adopted_version"], timeout_s=30)
    assert adopted["adopted_version"] == 2


@pytest.mark.feature("EXM-01")
def test_exm_01_a_run_keeps_the_rows_it_was_asked_for(triage: Triage) -> None:
    http = triage.http
    before = triage.evaluate()
    row = f"{triage.dataset}/rows/3-1"
    assert http.send("DELETE", row).status_code == 200
    assert http.get(f"{triage.dataset}/duplicates")["contents"] == 0
    after = triage.evaluate()
    assert [each["dataset_rows"] for each in (before, after)] == [len(HELDOUT), len(HELDOUT) - 1]
    assert [each["dataset_version"] for each in (before, after)] == [3, 4]


@pytest.mark.feature("BRG-16")
def test_brg_16_every_process_tells_of_its_pools(triage: Triage, collector: Collector) -> None:
    triage.execute("It crashes on save")
    wanted = {
        *((f"stratal-{each}", "stratal.pool.limit", "database") for each in ("api", "worker")),
        ("stratal-worker", "stratal.pool.connections", "http"),
        ("stratal-projector", "stratal.pool.limit", "database"),
    }
    until(lambda: wanted - collector.metrics, lambda missing: not missing, timeout_s=60)
