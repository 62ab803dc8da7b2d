"""Runs on models of providers: over their interface, with the key of then, where they may be."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Self

import pytest

from application.lm_ports import JsonObject, ModelChoice, NotCarried, ProgramFailed
from application.models import MADE_UP
from application.tracing import NoTracing
from domain.tool.allowance import Reach
from infrastructure.dspy_runtime.engine import KEPT_MODELS, DspyEngine
from infrastructure.dspy_runtime.retries import Retries
from infrastructure.dspy_runtime.runtime import DspyRunner
from infrastructure.engines import wire
from infrastructure.engines.native.engine import NativeEngine
from infrastructure.models.catalog import build_engine
from infrastructure.runtime import dspy_engine
from infrastructure.settings import Settings
from infrastructure.tools.addresses import may_reach
from tests.support.dspy_programs import MemoryJournal, single
from tests.support.scripted_lm import ScriptedLmServer

QUESTION = {"question": "Why?"}


@pytest.fixture
def server() -> Iterator[ScriptedLmServer]:
    with ScriptedLmServer() as running:
        running.script.replies = [("Why?", {"answer": "because"})]
        yield running


@pytest.fixture
def engine(tmp_path: Path) -> DspyEngine:
    return dspy_engine(Settings(home=tmp_path), NoTracing())


def run(engine: DspyEngine, model: ModelChoice, journal: MemoryJournal | None = None) -> JsonObject:
    program = replace(single(), model=model)
    return engine.execute(program, QUESTION, journal or MemoryJournal(), live=True)


def gpt(server: ScriptedLmServer, key: str = "sk-1") -> ModelChoice:
    return ModelChoice("openai/gpt-4", server.url, key, Reach.ANYWHERE)


@pytest.mark.feature("LMP-05")
def test_lmp_05_after_a_rotation_calls_under_way_end_and_new_ones_use_the_new_key(
    engine: DspyEngine, server: ScriptedLmServer
) -> None:
    server.script.latency_ms = 200
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(run, engine, gpt(server))
        while server.calls == 0:
            threading.Event().wait(0.01)
        assert run(engine, gpt(server, "sk-2")) == {"answer": "because"}
        assert under_way.result() == {"answer": "because"}
    sent = [each["Authorization"] for each in server.headers]
    assert sent == ["Bearer sk-1", "Bearer sk-2"]
    assert {each["model"] for each in server.bodies} == {"gpt-4"}


@pytest.mark.parametrize("looks", [[False], [True, False]])
def test_an_address_that_is_not_allowed_is_not_asked_also_where_the_name_leads_there_meanwhile(
    server: ScriptedLmServer, looks: list[bool]
) -> None:
    left = iter(looks)
    model = build_engine(
        "openai/gpt-4",
        api_base=server.url,
        api_key="sk-1",
        home=Path(),
        may_ask=lambda host, port: next(left),
    )
    runner = DspyRunner(model, retries=Retries(waits_s=()))
    with pytest.raises(ProgramFailed) as failed:
        runner.run(single(), QUESTION, MemoryJournal(), live=True)
    assert failed.value.failure.code == "model.unreachable"
    assert server.calls == 0
    assert next(left, None) is None
    model.engine.close()


@pytest.mark.parametrize(
    ("host", "reach", "may"),
    [
        ("127.0.0.1", Reach.ANYWHERE, True),
        ("127.0.0.1", Reach.PUBLIC, False),
        ("169.254.169.254", Reach.ANYWHERE, False),
        ("nowhere.invalid", Reach.ANYWHERE, False),
    ],
)
def test_an_address_is_reached_as_far_as_is_allowed(host: str, reach: Reach, *, may: bool) -> None:
    assert may_reach(host, 443, reach) is may


def test_the_model_that_makes_answers_up_asks_nobody(engine: DspyEngine) -> None:
    journal = MemoryJournal()
    assert run(engine, ModelChoice(MADE_UP), journal)["answer"]
    (call,) = journal.calls
    assert (call.model, call.cost_usd) == ("scripted/made-up", 0)


def test_a_model_that_this_worker_does_not_have_is_a_failure(engine: DspyEngine) -> None:
    with pytest.raises(ProgramFailed) as failed:
        run(engine, ModelChoice("local:nobody"))
    assert failed.value.failure.code.startswith("model.")
    with pytest.raises(ProgramFailed, match="needs a key"):
        run(engine, ModelChoice("openai/gpt-4"))


def test_the_models_that_stay_ready_are_bounded(
    engine: DspyEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert KEPT_MODELS > 1
    monkeypatch.setattr("infrastructure.dspy_runtime.engine.KEPT_MODELS", 1)
    for api_base in ("a", "b", "a"):
        assert run(engine, ModelChoice(MADE_UP, api_base))["answer"]
    assert [each.api_base for each in engine._chosen] == ["a"]


def test_a_model_is_told_to_another_process_and_read_again() -> None:
    model = ModelChoice("openai/gpt-4", "https://x.example/v1", "sk-1", Reach.PUBLIC)
    told = json.loads(json.dumps(wire.model_json(model)))
    read = wire.on_model(single(), told)
    assert read.model == model
    assert wire.on_model(single(), wire.model_json(None)).model is None


def test_the_engine_without_dspy_says_that_it_does_not_carry_them() -> None:
    program = replace(single(), model=ModelChoice(MADE_UP))
    with pytest.raises(NotCarried, match="models of providers"):
        NativeEngine().execute(program, QUESTION, MemoryJournal(), live=True)


@pytest.mark.feature("LMP-11")
def test_lmp_11_anthropic_is_asked_with_its_headers(engine: DspyEngine) -> None:
    with _Anthropic() as asked:
        model = ModelChoice("anthropic/claude-3", asked.url, "sk-ant", Reach.ANYWHERE)
        assert run(engine, model) == {"answer": "because"}
    (headers,) = asked.headers
    assert headers["x-api-key"] == "sk-ant"
    assert headers["anthropic-version"] == "2023-06-01"


class _Anthropic:
    """A server that answers as Anthropic does, and keeps what it was sent."""

    def __init__(self) -> None:
        self.headers: list[dict[str, str]] = []
        kept = self.headers
        text = "[[ ## answer ## ]]\nbecause\n\n[[ ## completed ## ]]"
        body = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-3",
            "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 10, "output_tokens": 2},
        }

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                kept.append({name.lower(): value for name, value in self.headers.items()})
                raw = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, format: str, *args: object) -> None:
                """Nobody reads it."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *why: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
