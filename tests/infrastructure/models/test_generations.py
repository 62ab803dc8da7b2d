"""Every kind of provider against a stub of its own interface, held to one contract."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest

from application.lm_ports import ModelChoice
from application.models import MADE_UP
from application.tokens import tokens_of
from application.tracing import NoTracing
from domain.tool.allowance import Reach
from infrastructure.dspy_runtime.engine import DspyEngine
from infrastructure.runtime import dspy_engine
from infrastructure.settings import Settings
from tests.contracts.generation import Asking, GenerationContract


class Stub:
    """A server that gives one *answer* to whatever it is sent, and keeps that."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.bodies: list[dict[str, Any]] = []
        kept, raw = self.bodies, json.dumps(answer).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                kept.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, format: str, *args: object) -> None:
                """Nobody reads it."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *why: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def chat(text: str = "hi", *, finish: str = "stop", counts: bool = True) -> dict[str, Any]:
    """An answer in OpenAI's form."""
    usage = {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "finish_reason": finish,
    }
    told = {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
    return told | ({"usage": usage} if counts else {})


ANTHROPIC = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-3",
    "content": [{"type": "text", "text": "hi"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 9, "output_tokens": 1},
}


@pytest.fixture
def engine(tmp_path: Path) -> DspyEngine:
    return dspy_engine(Settings(home=tmp_path), NoTracing())


class _Served(GenerationContract):
    NAME: ClassVar[str]
    ANSWER: ClassVar[dict[str, Any]]
    KEY: ClassVar[str] = "sk-1"

    @pytest.fixture
    def asking(self, engine: DspyEngine) -> Iterator[Asking]:
        with Stub(self.ANSWER) as stub:
            choice = ModelChoice(self.NAME, stub.url, self.KEY, Reach.ANYWHERE)
            yield Asking(engine, choice, stub.bodies)


class TestOpenAi(_Served):
    NAME, ANSWER = "openai/gpt-4", chat()


class TestAnthropic(_Served):
    NAME, ANSWER = "anthropic/claude-3", ANTHROPIC


class TestCohere(_Served):
    """It is asked over its interface in OpenAI's form."""

    NAME, ANSWER = "openai/command-r", chat()


class TestOpenAiCompatible(_Served):
    """A server of one's own that asks for no key and counts nothing."""

    NAME, ANSWER, KEY, COUNTS = "openai/org/model", chat(counts=False), "none", False


class TestLiteLlm(_Served):
    NAME, ANSWER = "openai/proxied/claude", chat()


class TestScripted(GenerationContract):
    @pytest.fixture
    def asking(self, engine: DspyEngine) -> Asking:
        return Asking(engine, ModelChoice(MADE_UP))


@pytest.mark.slow
class TestLocal(GenerationContract):
    @pytest.fixture
    def asking(self) -> Asking:
        return Asking(dspy_engine(Settings(), NoTracing()), ModelChoice("local:smollm2"))


@pytest.mark.feature("LMP-09")
def test_lmp_09_what_nobody_counted_is_four_characters_a_token_and_says_so() -> None:
    assert tokens_of("12345678") == (2, True)
    assert tokens_of("123456789") == (3, True)
    assert tokens_of("") == (0, True)
    assert tokens_of("12345678", 5) == (5, False)
    assert tokens_of("12345678", 0) == (0, False)
