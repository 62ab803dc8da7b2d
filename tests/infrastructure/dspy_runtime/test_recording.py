"""The recorder: what was called once is never called again, and trouble is never a score."""

import copy
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from dspy import lm15

from application.lm_ports import ProgramFailed, RunStopped
from application.tracing import NoTracing
from domain.values import Failure
from infrastructure.dspy_runtime.recording import ModelIsUnavailable, RecordingEngine
from infrastructure.dspy_runtime.retries import Retries
from infrastructure.dspy_runtime.runtime import DspyRunner
from tests.support.dspy_programs import (
    FailingEngine,
    FakeEngine,
    MemoryJournal,
    StochasticEngine,
    bound,
    single,
    two_steps,
)

QUESTION = {"question": "What is 2 + 3?"}
AT_ONCE = Retries(waits_s=(0.0, 0.0, 0.0))


def asked(text: str = "Hello", **config: object) -> lm15.Request:
    return lm15.Request(
        model="fake/model",
        messages=(lm15.Message.user(text),),
        config=lm15.Config(**config),
    )


def recorder(engine: FakeEngine, journal: MemoryJournal, **options: object) -> RecordingEngine:
    return RecordingEngine(bound(engine), journal, NoTracing(), **options)  # type: ignore[arg-type]


def test_a_recorded_run_replays_with_no_model_call_and_equal_outputs() -> None:
    engine, journal = StochasticEngine(), MemoryJournal()
    runner = DspyRunner(bound(engine))
    first = runner.run(two_steps(), QUESTION, journal, live=True)
    calls = engine.calls

    again = runner.run(two_steps(), QUESTION, journal, live=False)

    assert again == first
    assert engine.calls == calls == 2
    assert len(journal.calls) == 2


def test_a_call_that_is_not_in_the_log_stops_a_replay_and_names_its_node_and_key() -> None:
    journal = MemoryJournal()
    runner = DspyRunner(bound(FakeEngine()))
    with pytest.raises(RunStopped) as stopped:
        runner.run(two_steps(), QUESTION, journal, live=False)
    failure = stopped.value.failure
    assert failure.code == "replay.diverged"
    assert "predictor plan" in failure.message
    assert len(failure.message.partition("(key ")[2].partition(")")[0]) == 64


@pytest.mark.feature("MOD-15")
def test_mod_15_each_call_is_recorded_with_its_node_prompt_answer_and_usage() -> None:
    journal = MemoryJournal()
    DspyRunner(bound(FakeEngine())).run(two_steps(), QUESTION, journal, live=True)
    assert [call.node for call in journal.calls] == ["plan", "solve"]
    for call, request, response in zip(
        journal.calls, journal.requests, journal.responses, strict=True
    ):
        assert call.role == "task"
        assert call.model == call.model_served == "fake/model"
        assert (call.usage.prompt_tokens, call.usage.completion_tokens) == (7, 3)
        assert call.usage.cached_tokens is None, "what was not said stays unknown"
        assert call.cost_usd == 0
        assert (call.attempts, call.finish_reason, call.failure) == (1, "stop", None)
        assert "What is 2 + 3?" in json.dumps(request)
        assert "completed" in json.dumps(response)


@pytest.mark.feature("MOD-15")
def test_mod_15_a_call_whose_answer_cannot_be_read_is_recorded_exactly_once() -> None:
    class Mumbling(FakeEngine):
        def answer(self, request: lm15.Request) -> str:
            return "hm"

    journal = MemoryJournal()
    with pytest.raises(ProgramFailed) as failed:
        DspyRunner(bound(Mumbling())).run(single(), QUESTION, journal, live=True)
    assert failed.value.failure.code == "output.unparseable"
    # DSPy asks a second time, for JSON: another prompt, another record.
    assert len(journal.calls) == len({call.key for call in journal.calls}) == 2


def test_candidates_and_rollouts_of_one_request_are_calls_of_their_own() -> None:
    from infrastructure.dspy_runtime.recording import RecordingLM

    engine, journal = FakeEngine(), MemoryJournal()
    lm = RecordingLM("fake/model", recorder(engine, journal))
    lm("Hello", n=3, temperature=1.0)
    lm("Hello", n=3, temperature=1.0)
    lm("Hello", rollout_id=5, temperature=1.0)
    assert engine.calls == 4
    assert [(c.candidate, c.rollout_id) for c in journal.calls] == [
        (0, None), (1, None), (2, None), (0, 5),
    ]  # fmt: skip


def test_equal_calls_of_many_threads_are_made_once() -> None:
    engine, journal = FakeEngine(latency_ms=30), MemoryJournal()
    recording = recorder(engine, journal)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(recording.complete, [asked()] * 8))
    assert engine.calls == 1
    assert all(answer == answers[0] for answer in answers)


def test_a_live_answer_is_the_very_object_a_replay_gives() -> None:
    engine, journal = FakeEngine(), MemoryJournal()
    live = recorder(engine, journal).complete(asked())
    replayed = recorder(engine, journal, live=False).complete(asked())
    assert live == replayed
    assert live.provider_data is None


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (lm15.RateLimitError("slow down"), "model.rate_limited"),
        (lm15.ServerError("oops", status=503), "model.unavailable"),
        (lm15.TimeoutError("too slow"), "model.timeout"),
        (lm15.TransportError("reset"), "model.unreachable"),
    ],
)
@pytest.mark.feature("LMP-15")
def test_lmp_15_passing_trouble_is_tried_three_more_times_then_the_run_may_be_retried(
    error: lm15.LM15Error, code: str
) -> None:
    engine, journal = FailingEngine(*[error] * 9), MemoryJournal()
    runner = DspyRunner(bound(engine), retries=AT_ONCE)
    with pytest.raises(ProgramFailed) as failed:
        runner.run(single(), QUESTION, journal, live=True)
    assert failed.value.failure.code == code
    assert failed.value.failure.retryable
    assert engine.calls == 4
    (call,) = journal.calls
    assert (call.attempts, call.failure, call.response) == (4, failed.value.failure, None)


def test_a_call_that_succeeds_at_the_third_try_says_so() -> None:
    errors = [lm15.ServerError("oops"), lm15.RateLimitError("slow down")]
    engine, journal = FailingEngine(*errors), MemoryJournal()
    DspyRunner(bound(engine), retries=AT_ONCE).run(single(), QUESTION, journal, live=True)
    (call,) = journal.calls
    assert (call.attempts, call.failure) == (3, None)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (lm15.AuthError("bad key", status=401), "model.auth_refused"),
        (lm15.BillingError("no credit", status=402), "model.billing_refused"),
        (lm15.UnsupportedModelError("no such model"), "model.unknown"),
        (RuntimeError("segfault, nearly"), "model.engine_failed"),
    ],
)
@pytest.mark.feature("LMP-15")
def test_lmp_15_what_cannot_pass_is_not_tried_again(error: Exception, code: str) -> None:
    engine, journal = FailingEngine(error), MemoryJournal()
    with pytest.raises(ProgramFailed) as failed:
        DspyRunner(bound(engine)).run(single(), QUESTION, journal, live=True)
    assert failed.value.failure.code == code
    assert not failed.value.failure.retryable
    assert engine.calls == 1


@pytest.mark.feature("LMP-15")
def test_lmp_15_waits_are_1_2_4_seconds_and_retry_after_wins() -> None:
    now = [0.0]
    retries = Retries(jitter=lambda: 0.0, clock=lambda: now[0])
    error = lm15.ServerError("oops")
    assert [retries.wait_s(tried, error, ends_s=99) for tried in (1, 2, 3, 4)] == [1, 2, 4, None]
    assert retries.wait_s(1, lm15.RateLimitError("x", retry_after=7.0), ends_s=99) == 7
    assert Retries(jitter=lambda: 1.0).waits_s[0] * 1.25 == 1.25


def test_no_wait_begins_that_would_outlast_the_deadline() -> None:
    now = [100.0]
    retries = Retries(jitter=lambda: 0.0, clock=lambda: now[0])
    error = lm15.RateLimitError("x", retry_after=30.0)
    assert retries.wait_s(1, error, ends_s=120) is None
    assert retries.wait_s(1, error, ends_s=170) == 30


def test_a_refused_request_is_an_outcome_and_replays_as_one() -> None:
    error = lm15.ContextLengthError("too long", status=400)
    engine, journal = FailingEngine(error), MemoryJournal()
    runner = DspyRunner(bound(engine))
    with pytest.raises(ProgramFailed) as first:
        runner.run(single(), QUESTION, journal, live=True)
    with pytest.raises(ProgramFailed) as again:
        runner.run(single(), QUESTION, journal, live=False)
    assert engine.calls == 1
    assert first.value.failure == again.value.failure
    assert first.value.failure.code == "model.context_too_long"
    assert first.value.failure.provider_status == 400


def test_an_unavailable_model_stops_every_thread_of_the_run() -> None:
    engine, journal = FailingEngine(lm15.AuthError("bad key")), MemoryJournal()
    recording = recorder(engine, journal)
    with pytest.raises(ModelIsUnavailable):
        recording.complete(asked("first"))
    with pytest.raises(ModelIsUnavailable):
        recording.complete(asked("second"))
    assert engine.calls == 1


def test_a_journal_that_refuses_stops_the_run_and_the_calls_after_it() -> None:
    engine, journal = FakeEngine(), MemoryJournal(stop_after=1)
    recording = recorder(engine, journal)
    recording.complete(asked("first"))
    for _ in range(3):
        with pytest.raises(RunStopped) as stopped:
            recording.complete(asked("second"))
        assert stopped.value.failure == Failure(
            code="run.cancelled", message="The run was cancelled."
        )
    assert engine.calls == 2


def test_a_stop_ends_the_wait_of_a_call_that_is_being_retried() -> None:
    slow = Retries(waits_s=(60.0,), jitter=lambda: 0.0)
    journal = MemoryJournal()

    class Once(FakeEngine):
        def answer(self, request: lm15.Request) -> str:
            if (request.messages[-1].text or "") == "waits":
                waiting.set()
                raise lm15.RateLimitError("slow down")
            raise lm15.AuthError("bad key")

    waiting = threading.Event()
    recording = recorder(Once(), journal, retries=slow)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(recording.complete, asked("waits"))
        assert waiting.wait(5)
        with pytest.raises(ModelIsUnavailable):
            recording.complete(asked("refused"))
        with pytest.raises(ModelIsUnavailable):
            future.result(5)


def test_what_no_database_can_store_is_replaced_in_an_answer() -> None:
    class Nasty(FakeEngine):
        def answer(self, request: lm15.Request) -> str:
            return "[[ ## answer ## ]]\nnul\x00 here\n\n[[ ## completed ## ]]"

    journal = MemoryJournal()
    outputs = DspyRunner(bound(Nasty())).run(single(), QUESTION, journal, live=True)
    assert outputs == {"answer": "nul\ufffd here"}
    assert "\\u0000" not in json.dumps(journal.responses)


def test_a_model_that_varies_by_seed_gets_one_for_each_candidate() -> None:
    from infrastructure.dspy_runtime.recording import RecordingLM

    class Seeded(FakeEngine):
        seeded = True

    engine = Seeded()
    lm = RecordingLM("fake/model", recorder(engine, MemoryJournal()))
    lm("Hello", n=2, temperature=1.0)
    lm("Hello", rollout_id=3, temperature=1.0)
    lm("Hello", temperature=0.0)
    assert [request.config.seed for request in engine.requests] == [0, 1, 3000, None]


def test_an_engine_that_breaks_its_contract_stops_the_run() -> None:
    class Broken(FakeEngine):
        def complete(self, request: lm15.Request) -> lm15.Response:
            return {"text": "hi"}  # type: ignore[return-value]  # that is the fault

    with pytest.raises(RunStopped) as stopped:
        recorder(Broken(), MemoryJournal()).complete(asked())
    assert stopped.value.failure.code == "model.engine_failed"


def test_a_journal_that_cannot_be_read_stops_the_run() -> None:
    class Lost(MemoryJournal):
        def find(self, key: str) -> None:
            raise ConnectionError("the database is gone")

    recording = recorder(FakeEngine(), Lost())
    for _ in range(2):
        with pytest.raises(RunStopped, match="the database is gone"):
            recording.complete(asked())


def test_a_copy_of_a_program_stays_in_the_same_run() -> None:
    recording = recorder(FakeEngine(), MemoryJournal())
    assert copy.deepcopy(recording) is recording
