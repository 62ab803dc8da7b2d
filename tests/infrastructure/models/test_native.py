"""The providers' interface over real HTTP, against a server of our own on the loopback."""

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from dspy import lm15

from application.lm_ports import ProgramFailed
from infrastructure.dspy_runtime.retries import Retries
from infrastructure.dspy_runtime.runtime import DspyRunner
from infrastructure.models.binding import ModelBinding, ModelKeyIsMissing, ModelSettingIsInvalid
from infrastructure.models.catalog import build_engine
from tests.support.dspy_programs import MemoryJournal, single
from tests.support.scripted_lm import Error, ScriptedLmServer

KEY = "sk-canary-4f1d"
MODEL = "openai/gpt-4o-mini"
QUESTION = {"question": "Why?"}


@pytest.fixture
def server() -> Iterator[ScriptedLmServer]:
    with ScriptedLmServer() as running:
        yield running


@pytest.fixture
def model(server: ScriptedLmServer) -> Iterator[ModelBinding]:
    binding = build_engine(MODEL, api_base=server.url, api_key=KEY, home=Path())
    yield binding
    binding.engine.close()


def runner(model: ModelBinding) -> DspyRunner:
    return DspyRunner(model, retries=Retries(waits_s=(0.0, 0.0, 0.0)))


@pytest.mark.feature("LMP-02")
def test_lmp_02_a_provider_is_asked_over_its_own_interface(
    server: ScriptedLmServer, model: ModelBinding
) -> None:
    server.script.replies = [("Why?", {"answer": "because"})]
    journal = MemoryJournal()
    outputs = runner(model).run(single(), QUESTION, journal, live=True)
    assert outputs == {"answer": "because"}
    (body,), (headers,) = server.bodies, server.headers
    assert body["model"] == "gpt-4o-mini"
    assert body["temperature"] == 0.0
    assert body.get("max_tokens", body.get("max_completion_tokens")) == 1000
    assert headers["Authorization"] == f"Bearer {KEY}"
    (call,) = journal.calls
    assert (call.usage.prompt_tokens, call.usage.completion_tokens) == (100, 20)
    assert call.cost_usd is None, "the provider's prices say nothing about another server"


def test_a_call_to_the_provider_itself_is_priced(tmp_path: Path) -> None:
    model = build_engine("openai/gpt-4o-mini", api_base=None, api_key=KEY, home=tmp_path)
    response = lm15.Response(
        id="1",
        model="gpt-4o-mini",
        message=lm15.Message.assistant("because"),
        finish_reason="stop",
        usage=lm15.Usage(input_tokens=1000, output_tokens=100, total_tokens=1100),
    )

    cost = model.cost_of(response)

    assert cost is not None
    assert cost > Decimal(0)


@pytest.mark.feature("LMP-03")
def test_lmp_03_the_key_is_in_no_record_and_no_failure(
    server: ScriptedLmServer, model: ModelBinding
) -> None:
    journal = MemoryJournal()
    server.script.errors = [Error(401, f"Incorrect API key provided: {KEY}")]
    with pytest.raises(ProgramFailed) as failed:
        runner(model).run(single(), QUESTION, journal, live=True)
    runner(model).run(single(), QUESTION, journal, live=True)
    seen = [repr(failed.value), repr(failed.value.failure), repr(journal.calls), repr(model)]
    assert KEY not in "".join([*seen, json.dumps(journal.requests), json.dumps(journal.responses)])
    assert "••••" in failed.value.failure.message


@pytest.mark.parametrize(
    ("status", "code", "calls"),
    [
        (400, "model.request_refused", 1),
        (401, "model.auth_refused", 1),
        (403, "model.auth_refused", 1),
        (404, "model.request_refused", 1),
        (408, "model.timeout", 4),
        (409, "model.request_refused", 1),
        (413, "model.request_refused", 1),
        (422, "model.request_refused", 1),
        (429, "model.rate_limited", 4),
        (500, "model.unavailable", 4),
        (502, "model.unavailable", 4),
        (503, "model.unavailable", 4),
        (529, "model.unavailable", 4),
    ],
)
@pytest.mark.feature("LMP-12")
def test_lmp_12_an_http_error_is_a_typed_failure_with_its_status(
    server: ScriptedLmServer, model: ModelBinding, status: int, code: str, calls: int
) -> None:
    server.script.errors = [Error(status, times=10)]
    journal = MemoryJournal()
    with pytest.raises(ProgramFailed) as failed:
        runner(model).run(single(), QUESTION, journal, live=True)
    failure = failed.value.failure
    assert failure.provider_status == status
    assert failure.code == code
    assert failure.retryable == (calls > 1)
    assert server.calls == calls
    assert journal.calls[0].failure == failure


@pytest.mark.feature("LMP-12")
def test_lmp_12_what_a_provider_says_of_an_error_is_cut_short_and_without_the_key(
    server: ScriptedLmServer, model: ModelBinding
) -> None:
    server.script.errors = [Error(400, message=f"Bad {KEY}: " + "x" * 5_000 + "\nsecond line")]
    with pytest.raises(ProgramFailed) as failed:
        runner(model).run(single(), QUESTION, MemoryJournal(), live=True)
    message = failed.value.failure.message
    assert "Bad ••••: xxx" in message
    assert KEY not in message
    assert len(message) < 400
    assert "second line" not in message


@pytest.mark.feature("LMP-15")
def test_lmp_15_the_provider_says_how_long_to_wait(
    server: ScriptedLmServer, model: ModelBinding
) -> None:
    server.script.errors = [Error(429, retry_after_s=0.2)]
    started = time.monotonic()
    slow = DspyRunner(model, retries=Retries(waits_s=(30.0,)))
    slow.run(single(), QUESTION, MemoryJournal(), live=True)
    assert 0.2 <= time.monotonic() - started < 10


@pytest.mark.feature("LMP-17")
def test_lmp_17_the_latency_is_measured(server: ScriptedLmServer, model: ModelBinding) -> None:
    server.script.latency_ms = 50
    journal = MemoryJournal()
    runner(model).run(single(), QUESTION, journal, live=True)
    assert 50 <= journal.calls[0].latency_ms < 500


def test_a_server_that_is_not_there_is_a_failure_that_may_pass() -> None:
    binding = build_engine(MODEL, api_base="http://127.0.0.1:9/v1", api_key=KEY, home=Path())
    with pytest.raises(ProgramFailed) as failed:
        runner(binding).run(single(), QUESTION, MemoryJournal(), live=True)
    assert failed.value.failure.code == "model.unreachable"
    assert failed.value.failure.retryable


@pytest.mark.parametrize("model_name", [MODEL, "anthropic/claude-x", "gemini/gemini-x"])
@pytest.mark.feature("TRAP-08")
def test_trap_08_keys_of_the_environment_are_never_used(
    monkeypatch: pytest.MonkeyPatch, server: ScriptedLmServer, model_name: str
) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.setenv(name, "operator-key")
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    with pytest.raises(ModelKeyIsMissing, match="STRATAL_LM_API_KEY"):
        build_engine(model_name, api_base=server.url, api_key=None, home=Path())


def test_a_server_without_keys_needs_none(server: ScriptedLmServer) -> None:
    binding = build_engine("ollama/anything", api_base=server.url, api_key=None, home=Path())
    runner(binding).run(single(), QUESTION, MemoryJournal(), live=True)
    assert server.calls == 1


@pytest.mark.parametrize("setting", ["gpt-4o", "bedrock/x", "nobody/knows", "scripted:", ""])
def test_a_setting_that_names_no_model_says_what_to_write(setting: str) -> None:
    with pytest.raises(ModelSettingIsInvalid, match=r"provider/model"):
        build_engine(setting, api_base=None, api_key=KEY, home=Path())


def test_the_server_runs_as_a_process_of_its_own_and_does_as_it_is_told() -> None:
    command = [sys.executable, "-m", "tests.support.scripted_lm", "--latency-ms", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        try:
            script = {"replies": [["Why?", {"answer": "told"}]]}
            told = urllib.request.Request(
                url.replace("/v1", "/script"), data=json.dumps(script).encode()
            )
            urllib.request.urlopen(told, timeout=5).close()
            binding = build_engine(MODEL, api_base=url, api_key=KEY, home=Path())
            outputs = runner(binding).run(single(), QUESTION, MemoryJournal(), live=True)
            binding.engine.close()
            with urllib.request.urlopen(url.replace("/v1", "/calls"), timeout=5) as counted:
                assert json.load(counted) == {"calls": 1}
        finally:
            process.terminate()
    assert outputs == {"answer": "told"}


def test_litellm_stays_out_of_a_native_run(server: ScriptedLmServer) -> None:
    code = f"""
import sys
from pathlib import Path
from infrastructure.models.catalog import build_engine
from infrastructure.dspy_runtime.runtime import DspyRunner
from tests.support.dspy_programs import MemoryJournal, single
model = build_engine({MODEL!r}, api_base={server.url!r}, api_key="k", home=Path())
DspyRunner(model).run(single(), {{"question": "?"}}, MemoryJournal(), live=True)
print("litellm" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
