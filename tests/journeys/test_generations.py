"""Providers asked without a program, in real processes: recorded, replayed, cached, kept secret."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.postgres import copy_of
from tests.support.scripted_lm import Error, ScriptedLmServer
from tests.support.service import Http, Service

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "providers" / "ask_a_provider.py"
CANARY = "sk-canary-7f31"


@pytest.fixture(scope="module")
def lm() -> Iterator[ScriptedLmServer]:
    with ScriptedLmServer() as running:
        yield running


@pytest.fixture(scope="module")
def service(cluster: str, template: str, lm: ScriptedLmServer) -> Iterator[Service]:
    """A service whose tenants may ask the stub, with the key that is for it."""
    at = urlsplit(lm.url)
    environment = {
        "OPENAI_API_KEY": CANARY,
        "STRATAL_PROVIDER_KEYS": f"OPENAI_API_KEY@{at.hostname}",
        "STRATAL_PROVIDER_HOSTS": f"{at.scheme}://{at.netloc}",
        "STRATAL_RETRY_DELAY": "10",
    }
    with (
        copy_of(template, cluster) as database,
        Service(database, lm, environment=environment) as service,
    ):
        yield service


@pytest.fixture
def http(service: Service, lm: ScriptedLmServer) -> Http:
    http = service.http()
    body = {"name": "stub", "kind": "openai_compatible", "base_url": lm.url}
    models = [{"name": "gpt-4"}]
    http.post("/v1/providers", body | {"secret": "env:OPENAI_API_KEY", "models": models})
    return http


@pytest.mark.journey
@pytest.mark.feature("LMP-22")
def test_lmp_22_the_example_script_registers_a_provider_and_makes_the_calls(
    service: Service, lm: ScriptedLmServer
) -> None:
    before = lm.calls
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), service.url, lm.url],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    tried, said, batch, *asked, usage = done.stdout.splitlines()
    assert (tried, batch) == ("tried: True", "2 of 2 prompts were answered")
    assert said.startswith("OpenAI GPT-4/gpt-4 said: answer ")
    assert {line.partition(": ")[2] for line in asked} == {"Name a river.", "Name a hill."}
    assert usage == "4 calls, 480 tokens"
    assert lm.calls - before == 4
    sent = lm.bodies[-3]
    assert (sent["model"], sent["temperature"], sent["max_completion_tokens"]) == ("gpt-4", 0.0, 20)


@pytest.mark.journey
@pytest.mark.feature("LMP-06")
def test_lmp_06_a_generation_is_replayed_and_cached_where_it_says_so(
    http: Http, lm: ScriptedLmServer
) -> None:
    before, ask = lm.calls, {"prompt": "Name a bridge."}
    first = http.post("/v1/providers/stub/generate", ask | {"cache": True})
    again = http.post("/v1/providers/stub/generate", ask | {"cache": True})
    fresh = http.post("/v1/providers/stub/generate", ask)
    assert first["text"] == again["text"] == fresh["text"]
    assert lm.calls - before == 2
    assert (again["token_usage"]["cost_usd"], again["tokens"]["input"]) == ("0", 0)
    for found in (first, again):
        path = f"/v1/executions/{found['execution_id']}"
        http.post(f"{path}/replay", None, wait=60)
        assert http.get(path)["replays"][0]["outcome"] == "verified"
    assert lm.calls - before == 2


@pytest.mark.journey
@pytest.mark.feature("LMP-06")
def test_lmp_06_what_the_model_refuses_is_tried_again_where_that_may_help(
    http: Http, lm: ScriptedLmServer
) -> None:
    lm.script.errors = [Error(503, times=2)]
    found = http.post("/v1/providers/stub/generate", {"prompt": "Name a lake."})
    assert found["status"] == "completed"
    trace = http.get(f"/v1/executions/{found['execution_id']}/trace")
    assert [call["attempts"] for call in trace["items"]] == [3]


@pytest.mark.journey
@pytest.mark.feature("LMP-06")
def test_lmp_06_a_generation_that_no_budget_covers_is_refused(
    http: Http, lm: ScriptedLmServer
) -> None:
    http.post("/v1/budgets", {"hold_usd": "1"})
    before = lm.calls
    refused = http.send("POST", "/v1/providers/stub/generate", json={"prompt": "Name a sea."})
    assert refused.status_code == 402, refused.text
    assert lm.calls == before


@pytest.mark.journey
@pytest.mark.feature("LMP-05")
@pytest.mark.feature("LMP-03")
def test_lmp_05_a_provider_that_is_tried_says_what_is_wrong_and_never_the_key(
    service: Service, http: Http, lm: ScriptedLmServer
) -> None:
    lm.script.errors = [Error(401, message=f"No such key: {CANARY}.")]
    reply = http.send("POST", "/v1/providers/stub/test")
    found = reply.json()
    assert (found["ok"], found["failure"]["code"]) == (False, "model.auth_refused")
    assert found["failure"]["provider_status"] == 401
    well = http.post("/v1/providers/stub/test", None)
    assert well["ok"]
    assert 0 < well["latency_ms"] < 20_000
    assert lm.headers[-1]["Authorization"] == f"Bearer {CANARY}"
    assert CANARY not in reply.text
    assert CANARY not in repr(http.events())
    assert CANARY not in service.logs(lines=10_000)
