"""A provider's stream over real HTTP: told as it comes, and never taken for whole too early."""

from collections.abc import Iterator

import pytest

from application.lm_ports import ProgramFailed
from infrastructure.dspy_runtime.retries import Retries
from infrastructure.dspy_runtime.runtime import DspyRunner
from infrastructure.models import native
from infrastructure.models.binding import ModelBinding
from infrastructure.models.native import bind
from tests.support.bad_provider import BadProvider, hangs, says
from tests.support.dspy_programs import FakeEngine, MemoryJournal, bound, single
from tests.support.scripted_lm import Error, ScriptedLmServer
from tests.support.streaming import Noted

KEY = "sk-canary-4f1d"
MODEL = "openai/gpt-4o-mini"
QUESTION = {"question": "Why?"}
ANSWER = "because the light is scattered"


@pytest.fixture
def server() -> Iterator[ScriptedLmServer]:
    with ScriptedLmServer() as running:
        running.script.replies = [("Why?", {"answer": ANSWER})]
        yield running


@pytest.fixture
def model(server: ScriptedLmServer) -> Iterator[ModelBinding]:
    binding = bind(MODEL, api_base=server.url, api_key=KEY)
    yield binding
    binding.engine.close()


@pytest.fixture
def journal() -> MemoryJournal:
    journal = MemoryJournal()
    journal.audience = Noted()
    return journal


def noted(journal: MemoryJournal) -> Noted:
    assert isinstance(journal.audience, Noted)
    return journal.audience


def asked(model: ModelBinding, journal: MemoryJournal, *, tries: int = 1) -> object:
    runner = DspyRunner(model, retries=Retries(waits_s=(0.0,) * (tries - 1)))
    return runner.run(single(), QUESTION, journal, live=True)


@pytest.mark.feature("LMP-25")
def test_lmp_25_what_is_streamed_is_recorded_as_if_it_had_come_at_once(
    server: ScriptedLmServer, model: ModelBinding, journal: MemoryJournal
) -> None:
    whole = MemoryJournal()
    assert asked(model, whole) == {"answer": ANSWER}
    assert "stream" not in server.bodies[-1], "Nobody wants to hear it."

    assert asked(model, journal) == {"answer": ANSWER}

    assert server.bodies[-1]["stream"] is True
    assert noted(journal).texts == {"answer": ANSWER}
    assert len(noted(journal).pieces) > 3
    (call,), (other,) = journal.calls, whole.calls
    assert noted(journal).told[0] == (call.key, call.node, None)
    same = {"latency_ms": 0.0, "response": None}
    assert call.model_copy(update=same) == other.model_copy(update=same)
    assert call.usage.total_tokens == 120
    (response,), (of_whole,) = journal.responses, whole.responses
    assert isinstance(of_whole, dict)
    assert response == {name: each for name, each in of_whole.items() if name != "id"}


@pytest.mark.feature("LMP-25")
def test_lmp_25_a_stuck_stream_ends_at_the_idle_timeout_with_a_typed_error(
    server: ScriptedLmServer,
    model: ModelBinding,
    journal: MemoryJournal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(native, "IDLE_S", 0.05)
    server.script.stops_after = 12
    with pytest.raises(ProgramFailed) as failed:
        asked(model, journal)
    failure = failed.value.failure
    assert (failure.code, failure.retryable) == ("model.timeout", True)
    assert "had begun, and nothing more of it came for 0.05 s" in failure.message
    (call,) = journal.calls
    assert (call.response, call.failure) == (None, failure), "No part of it is an answer."
    assert ANSWER.startswith(noted(journal).texts["answer"])


@pytest.mark.feature("LMP-25")
def test_lmp_25_a_stream_that_never_begins_ends_with_the_time_of_a_try(
    journal: MemoryJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native, "ATTEMPT_S", 0.1)
    with BadProvider(hangs) as server, pytest.raises(ProgramFailed) as failed:
        asked(bind(MODEL, api_base=server.url, api_key=KEY), journal)
    assert failed.value.failure.code == "model.timeout"
    assert "in time" in failed.value.failure.message
    assert noted(journal).pieces == []


@pytest.mark.feature("CCH-07")
def test_cch_07_after_a_stream_that_broke_off_only_the_whole_answer_is_kept(
    server: ScriptedLmServer, model: ModelBinding, journal: MemoryJournal
) -> None:
    server.script.breaks_after = 12
    assert asked(model, journal, tries=2) == {"answer": ANSWER}
    (call,) = journal.calls
    assert call.attempts == 2
    assert [each.offset for each in noted(journal).pieces].count(0) == 2, "It was told anew."
    assert noted(journal).texts == {"answer": ANSWER}


def test_a_refused_stream_is_typed_and_never_says_the_key(
    server: ScriptedLmServer, model: ModelBinding, journal: MemoryJournal
) -> None:
    server.script.errors = [Error(429, f"Slow down, {KEY}.")]
    with pytest.raises(ProgramFailed) as failed:
        asked(model, journal)
    assert failed.value.failure.code == "model.rate_limited"
    assert KEY not in failed.value.failure.message


def test_what_is_no_stream_is_malformed(journal: MemoryJournal) -> None:
    with (
        BadProvider(says(b"data: {no\n\n", kind="text/event-stream")) as server,
        pytest.raises(ProgramFailed) as failed,
    ):
        asked(bind(MODEL, api_base=server.url, api_key=KEY), journal)
    assert failed.value.failure.code in {"model.answer_malformed", "model.unavailable"}


def test_an_engine_that_cannot_stream_says_that_it_began_and_answers_as_ever(
    journal: MemoryJournal,
) -> None:
    asked(bound(FakeEngine()), journal)
    assert len(noted(journal).began_at) == 1
    assert noted(journal).pieces == []
