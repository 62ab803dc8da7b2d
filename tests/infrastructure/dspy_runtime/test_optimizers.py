"""Optimizers: the six of the catalog, each stopped, resumed and replayed to the same end."""

import sys
from typing import Any

import dspy
import pytest
from dspy import lm15
from pydantic import JsonValue

from application.lm_ports import (
    JsonObject,
    OptimizedProgram,
    OptimizerJob,
    ProgramFailed,
    RunnableProgram,
    RunStopped,
)
from domain.optimization.catalog import OPTIMIZERS, complete_config
from infrastructure.dspy_runtime import optimizers as module
from infrastructure.dspy_runtime.optimizers import SEARCHES, DspyOptimizers, examples, shuffled
from infrastructure.dspy_runtime.pins import pinned
from infrastructure.dspy_runtime.retries import Retries
from infrastructure.dspy_runtime.runtime import DspyRunner
from infrastructure.dspy_runtime.state import dumped
from tests.support.dspy_programs import (
    ANSWER,
    FailingEngine,
    FakeEngine,
    MemoryJournal,
    StochasticEngine,
    bound,
    single,
    sums,
    two_steps,
)

SMALL: dict[str, dict[str, JsonValue]] = {
    "labeled_fewshot": {"k": 4},
    "bootstrap_fewshot": {"max_rounds": 2, "max_labeled_demos": 4},
    "bootstrap_random_search": {"num_candidate_programs": 2, "max_labeled_demos": 3},
    "bootstrap_fewshot_with_optuna": {"num_candidate_programs": 3},
    "mipro": {
        "num_candidates": 3,
        "num_trials": 3,
        "minibatch_size": 4,
        "minibatch_full_eval_steps": 2,
        "max_bootstrapped_demos": 2,
    },
    "copro": {"breadth": 3, "depth": 2},
}
Trial = tuple[int, float, JsonObject]


def job(optimizer: str, *, seed: int = 3, rows: int = 8, **config: JsonValue) -> OptimizerJob:
    complete = complete_config(optimizer, SMALL[optimizer] | config)
    return OptimizerJob(two_steps(), optimizer, complete, "exact_match", seed, sums(rows))


def optimize(
    engine: FakeEngine, task: OptimizerJob, journal: MemoryJournal, *, threads: int = 1
) -> tuple[OptimizedProgram, list[Trial]]:
    model = bound(engine, concurrency=threads)
    runner = DspyRunner(model, retries=Retries(waits_s=()))
    trials: list[Trial] = []
    found = DspyOptimizers(runner, model).optimize(
        task, journal, lambda *trial: trials.append(trial)
    )
    return found, trials


def test_every_optimizer_of_the_catalog_has_its_search() -> None:
    assert set(SEARCHES) == set(OPTIMIZERS)


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("optimizer", SMALL)
@pytest.mark.feature("OPT-20")
def test_opt_20_a_stopped_run_goes_on_where_it_was_and_ends_as_an_undisturbed_one(
    optimizer: str, threads: int
) -> None:
    engine, stopped = StochasticEngine(), MemoryJournal(stop_after=11)
    with pytest.raises(RunStopped) as stop:
        optimize(engine, job(optimizer), stopped, threads=threads)
    assert stop.value.failure.code == "run.cancelled"
    assert len(stopped.calls) == 11

    resumed = MemoryJournal(stopped.answers)
    found, trials = optimize(engine, job(optimizer), resumed, threads=threads)
    assert not {call.key for call in resumed.calls} & set(stopped.answers), "none is made twice"

    calls = engine.calls
    replayed = optimize(engine, job(optimizer), MemoryJournal(resumed.answers), threads=5 - threads)
    assert replayed == (found, trials)
    assert engine.calls == calls


@pytest.mark.parametrize("optimizer", SMALL)
@pytest.mark.feature("OPT-02")
def test_opt_02_each_optimizer_runs_on_six_rows_and_returns_a_state_and_a_score(
    optimizer: str,
) -> None:
    found, trials = optimize(StochasticEngine(), job(optimizer, rows=6), MemoryJournal())
    assert set(found.state) == {"plan", "solve.predict"}
    assert found.training_score is not None
    assert [number for number, _, _ in trials] == list(range(1, len(trials) + 1))
    assert found.training_score in [score for _, score, _ in trials]
    assert all(0 <= score <= 1 for _, score, _ in trials)


@pytest.mark.feature("OPT-08")
def test_opt_08_bootstrap_fewshot_gets_the_papers_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    class Seen(dspy.BootstrapFewShot):  # type: ignore[misc]  # DSPy ships no types
        def __init__(self, **options: Any) -> None:
            seen.update(options)
            super().__init__(**options)

    monkeypatch.setattr(dspy, "BootstrapFewShot", Seen)
    task = job("bootstrap_fewshot")
    plain = OptimizerJob(
        task.program, task.optimizer, complete_config("bootstrap_fewshot", {}), "exact_match", 0,
        task.rows,
    )  # fmt: skip
    optimize(StochasticEngine(), plain, MemoryJournal())
    seen.pop("metric")
    assert seen == {
        "max_bootstrapped_demos": 4,
        "max_labeled_demos": 16,
        "max_rounds": 1,
        "max_errors": 5,
        "metric_threshold": None,
    }


@pytest.mark.feature("OPT-12")
def test_opt_12_every_predictor_gets_its_own_demos() -> None:
    found, _ = optimize(StochasticEngine(), job("bootstrap_fewshot"), MemoryJournal())
    for path, fields in (("plan", {"question", "plan"}), ("solve.predict", {"answer"})):
        part: Any = found.state[path]
        assert any(fields <= set(demo) for demo in part["demos"]), path


@pytest.mark.feature("OPT-17")
def test_opt_17_rows_become_examples_with_the_inputs_of_the_signature() -> None:
    rows: list[JsonObject] = [{"question": "?", "answer": "!", "split": "train"}]
    (example,) = examples(ANSWER, rows)
    assert dict(example.inputs().items()) == {"question": "?"}
    assert dict(example.labels().items()) == {"answer": "!"}


@pytest.mark.feature("OPT-18")
def test_opt_18_the_training_score_is_the_mean_over_all_rows() -> None:
    found, trials = optimize(StochasticEngine(), job("labeled_fewshot"), MemoryJournal())
    ((number, score, state),) = trials
    assert (number, score, state) == (1, found.training_score, found.state)
    assert (found.training_score or 0) * 8 == round((found.training_score or 0) * 8)


def test_only_rows_of_the_job_become_demos() -> None:
    found, _ = optimize(StochasticEngine(), job("bootstrap_random_search"), MemoryJournal())
    questions = {row["question"] for row in sums(8)}
    for part in found.state.values():
        assert isinstance(part, dict)
        assert all(demo["question"] in questions for demo in part["demos"])


def test_an_outage_stops_the_optimizer_and_scores_nothing() -> None:
    engine = FailingEngine(*[lm15.ServerError("down")] * 50)
    trials: list[Trial] = []
    model = bound(engine)
    optimizers = DspyOptimizers(DspyRunner(model, retries=Retries(waits_s=())), model)
    with pytest.raises(RunStopped) as stopped:
        optimizers.optimize(
            job("bootstrap_random_search"), MemoryJournal(), lambda *trial: trials.append(trial)
        )
    assert stopped.value.failure.code == "model.unavailable"
    assert (engine.calls, trials) == (1, [])


@pytest.mark.feature("OPT-10")
def test_opt_10_a_metric_that_fails_fails_the_run_and_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "metric_named", lambda name: lambda example, prediction: 1 / 0)
    with pytest.raises(ProgramFailed) as failed:
        optimize(StochasticEngine(), job("bootstrap_random_search"), MemoryJournal())
    assert failed.value.failure.code == "metric.failed"
    assert "exact_match" in failed.value.failure.message


def test_an_optimizer_that_breaks_is_named() -> None:
    one_row = job("bootstrap_fewshot", rows=1, max_errors=1)
    broken = OptimizerJob(
        one_row.program, "bootstrap_fewshot", {**one_row.config, "no_such": 1}, "exact_match", 0,
        one_row.rows,
    )  # fmt: skip
    with pytest.raises(ProgramFailed) as failed:
        optimize(StochasticEngine(), broken, MemoryJournal())
    assert failed.value.failure.code == "optimizer.failed"
    assert "bootstrap_fewshot" in failed.value.failure.message


def test_an_error_while_reporting_a_trial_is_not_swallowed() -> None:
    model = bound(StochasticEngine())

    def lost(number: int, score: float, state: JsonObject) -> None:
        raise ConnectionError("the log is gone")

    with pytest.raises(ConnectionError):
        DspyOptimizers(DspyRunner(model), model).optimize(
            job("bootstrap_random_search"), MemoryJournal(), lost
        )


def test_an_answer_that_breaks_the_signature_counts_as_wrong() -> None:
    from domain.signature.types import Primitive
    from tests.support.dspy_programs import spec

    class Boasting(FakeEngine):
        def answer(self, request: lm15.Request) -> str:
            return "[[ ## sure ## ]]\n7.5\n\n[[ ## completed ## ]]"

    program = single(spec("question", {"sure": Primitive(name="probability")}))
    rows: list[JsonObject] = [{"question": f"{n}?", "sure": 7.5} for n in range(4)]
    config = complete_config("bootstrap_fewshot", {"max_labeled_demos": 0})
    task = OptimizerJob(program, "bootstrap_fewshot", config, "exact_match", 0, rows)
    found, _ = optimize(Boasting(), task, MemoryJournal())
    assert found.training_score == 0
    assert found.state["solve"]["demos"] == []  # type: ignore[call-overload, index]


@pytest.mark.parametrize("optimizer", SMALL)
def test_an_optimizer_leaves_the_version_it_started_from_as_it_was(optimizer: str) -> None:
    model = bound(StochasticEngine())
    runner = DspyRunner(model)
    before = dumped(runner.program(two_steps()))
    task = job(optimizer, rows=4)
    DspyOptimizers(runner, model).optimize(task, MemoryJournal(), lambda *trial: None)
    assert dumped(runner.program(two_steps())) == before


def test_calls_that_the_optimizer_makes_for_itself_are_told_apart() -> None:
    journal = MemoryJournal()
    optimize(StochasticEngine(), job("mipro"), journal)
    roles = {(call.role, call.node.partition(".")[0]) for call in journal.calls}
    assert roles == {("task", "plan"), ("task", "solve"), ("optimizer", "optimizer")}


def test_the_seed_orders_the_rows_and_0_leaves_them() -> None:
    rows = sums(8)
    assert shuffled(rows, 0) == rows
    assert shuffled(rows, 5) == shuffled(rows, 5) != rows


def test_a_second_round_of_bootstrapping_asks_at_another_temperature() -> None:
    class Wrong(FakeEngine):
        def answer(self, request: lm15.Request) -> str:
            return "[[ ## answer ## ]]\nnever\n\n[[ ## completed ## ]]"

    config = complete_config("bootstrap_fewshot", {"max_rounds": 2, "max_labeled_demos": 0})
    task = OptimizerJob(single(), "bootstrap_fewshot", config, "exact_match", 0, sums(1))
    journal = MemoryJournal()
    optimize(Wrong(), task, journal)
    temperatures = [request["config"]["temperature"] for request in journal.requests]  # type: ignore[index, call-overload]
    rollouts = [call.rollout_id for call in journal.calls]
    assert list(zip(temperatures, rollouts, strict=True)) == [(0.0, None), (1.0, 1)]


def test_pins_name_the_libraries_and_the_seed() -> None:
    model = bound(FakeEngine())
    pins = DspyOptimizers(DspyRunner(model), model).pins(7)
    assert pins["seed"] == "7"
    assert {"dspy", "optuna", "numpy", "python", "python_hash_seed"} <= set(pins)
    assert all(pins.values())


def test_a_pinned_process_is_silent_asks_slow_rows_once_and_is_put_back(
    capfd: pytest.CaptureFixture[str],
) -> None:
    import optuna
    from dspy.utils.parallelizer import ParallelExecutor

    made = optuna.create_study
    with pinned(1):
        sys.stdout.write("a progress bar")
        assert ParallelExecutor(num_threads=1).timeout == 0
        draws = [optuna.create_study().ask().suggest_float("x", 0, 1) for _ in range(2)]
    assert draws[0] == draws[1]
    assert ParallelExecutor(num_threads=1).timeout == 120
    assert optuna.create_study is made
    assert capfd.readouterr().out == ""


def test_a_compiled_version_can_be_optimized_again() -> None:
    found, _ = optimize(StochasticEngine(), job("bootstrap_fewshot"), MemoryJournal())
    base = RunnableProgram("two@2", two_steps().graph, found.state)
    task = job("copro")
    again = OptimizerJob(base, "copro", task.config, "exact_match", 1, task.rows)
    better, _ = optimize(StochasticEngine(), again, MemoryJournal())
    before: Any = found.state["plan"]
    after: Any = better.state["plan"]
    assert after["demos"] == before["demos"]
