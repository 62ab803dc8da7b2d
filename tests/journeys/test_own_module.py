"""Somebody's own module against real processes: added, run, optimized, replayed, refused."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.service import ROOT, Http, Service, until

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("service")]

Stratal = Callable[..., subprocess.CompletedProcess[str]]

ROWS = [{"question": f"What is the capital of {each}?", "answer": "Rome"} for each in "ABCD"]


@pytest.fixture
def http(service: Service) -> Http:
    """The API as the command line's tenant."""
    return service.http("default")


@pytest.fixture
def stratal(service: Service) -> Stratal:
    """The command line, run as people run it."""
    host, _, port = service.url.removeprefix("http://").partition(":")

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "infrastructure.main.cli", *words],
            cwd=ROOT,
            env={**os.environ, "STRATAL_HOST": host, "STRATAL_PORT": port},
            capture_output=True,
            text=True,
            timeout=180,
        )

    return call


@pytest.fixture
def rag(stratal: Stratal) -> dict[str, Any]:
    """What ``stratal program add`` said of a program of the module."""
    module = ("acme_rag.rag:MyRAG", "--args", '{"k": 1}', "-s", "question -> answer")
    done = stratal("program", "add", *module, "--name", "rag", "--json")
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.feature("MOD-27")
def test_mod_27_a_module_of_ones_own_is_added_run_optimized_and_replayed(
    http: Http, service: Service, rag: dict[str, Any]
) -> None:
    assert rag["probe"]["findings"]["distribution_version"] == "1.2.3"
    question = {"inputs": {"question": "What is the capital of Italy?"}}
    first = http.post("/v1/programs/rag/execute", question, wait=60)
    assert first["status"] == "completed", first
    calls = http.pages(f"/v1/executions/{first['execution_id']}/trace")
    assert [call["node"] for call in calls] == ["my_rag", "my_rag"]

    http.post("/v1/datasets", {"name": "capitals", "purpose": "training"})
    http.post("/v1/datasets/capitals/rows", ROWS, split="train")
    wish = {"dataset": "capitals", "metric": "exact_match", "optimizer": "labeled_fewshot"}
    path = http.begin("/v1/programs/rag/compile", wish)
    ended = http.follow(path)
    assert ended["status"] == "completed", ended
    until(lambda: http.get(path), lambda run: run["adopted_version"] == 2, timeout_s=30)
    second = http.post("/v1/programs/rag/execute", {**question, "program_version": 2}, wait=60)
    assert second["status"] == "completed", second

    asked = service.lm.calls
    for run in (first, second):
        replay = http.post(f"/v1/executions/{run['execution_id']}/replay", wait=60)
        assert replay["outcome"] == "verified", replay
    assert service.lm.calls == asked


@pytest.mark.feature("VIS-28")
@pytest.mark.feature("MET-08")
def test_vis_28_a_program_is_compiled_and_scored_by_what_another_package_brings(
    http: Http,
) -> None:
    module = {"kind": "predict", "signature_syntax": "question -> answer"}
    http.post("/v1/programs", {"name": "brief", "modules": [module]})
    http.post("/v1/datasets", {"name": "brevities", "purpose": "training"})
    rows = [{"question": "Which?", "answer": "that one"}, {"question": "What?", "answer": "it"}]
    http.post("/v1/datasets/brevities/rows", rows, split="train")
    wish = {"dataset": "brevities", "metric": "acme_brief:brevity"}
    search = {"optimizer": "acme_brief:Shortest", "config": {"k": 1}}
    path = http.begin("/v1/programs/brief/compile", wish | search)
    ended = http.follow(path)
    assert ended["status"] == "completed", ended
    until(lambda: http.get(path), lambda run: run["adopted_version"] == 2, timeout_s=30)
    [predictor] = http.get("/v1/programs/brief/predictors")["items"]
    assert [demo["answer"] for demo in predictor["few_shot_examples"]] == ["it"]
    scored = http.follow(http.begin("/v1/programs/brief/evaluate", wish | {"split": "train"}))
    assert (scored["status"], scored["metric"]) == ("completed", "acme_brief:brevity")


def test_a_module_that_does_not_exist_is_refused_with_its_code(
    stratal: Stratal,
) -> None:
    done = stratal("program", "add", "acme_rag.nowhere:MyRAG", "-s", "q -> a", "--json")
    assert done.returncode == 1
    assert json.loads(done.stderr)["code"] == "module.not_importable"
