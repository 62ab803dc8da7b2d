"""DSPy's optimizers behind one port: the same job and journal have the same outcome."""

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, Final

import dspy

from application.lm_ports import (
    CallJournal,
    JsonObject,
    OptimizedProgram,
    OptimizerJob,
    ProgramFailed,
)
from application.scoring import measured
from domain.evaluation.metrics import Metric
from domain.signature.fields import SignatureSpec
from domain.values import Failure
from infrastructure.dspy_runtime.evaluator import in_order
from infrastructure.dspy_runtime.extensions import metric_named, optimizer_named
from infrastructure.dspy_runtime.model import Model
from infrastructure.dspy_runtime.pins import pinned, pins
from infrastructure.dspy_runtime.runtime import DspyRunner, fitting_outputs
from infrastructure.dspy_runtime.state import dumped
from infrastructure.dspy_runtime.trials import Escape, OnTrial, Trials

MIPRO_SEED_FOR_ZERO: Final = 9
"""MIPROv2 takes the seed 0 for none and then uses this one."""


class DspyOptimizers:
    """Runs the optimizers with *runner* on its *model*, in a process of their own."""

    def __init__(self, runner: DspyRunner, model: Model) -> None:
        self._runner = runner
        self._threads = model.concurrency

    def pins(self, seed: int) -> dict[str, str]:
        """Library versions and seeds that a resumed attempt must find unchanged."""
        return pins(seed)

    def optimize(
        self, job: OptimizerJob, journal: CallJournal, on_trial: OnTrial
    ) -> OptimizedProgram:
        """Run the optimizer from its beginning; recorded calls are answered from the journal.

        Raises:
            RunStopped: Cancelled, fenced off, or the model is unavailable.
            ProgramFailed: The optimizer itself or the metric failed.
        """
        trials = Trials(on_trial, rows=len(job.rows))
        settings = self._runner.settings(self._runner.engine(journal), job.program.adapter)
        try:
            with pinned(job.seed), settings, _reporting(trials):
                found = self._searched(job)
                state = dumped(found)
                score = self._score(job, found)
                if not trials.saw(state):
                    trials.report(score, state)
        except Escape as escape:
            raise escape.error from None
        return OptimizedProgram(state=state, training_score=score)

    def _searched(self, job: OptimizerJob) -> dspy.Module:
        task = _Task(
            job=job,
            student=self._runner.program(job.program).deepcopy(),
            rows=examples(job.program.graph.signature, shuffled(job.rows, job.seed)),
            measure=_dspy_metric(job),
            threads=self._threads,
        )
        try:
            return _search(job.optimizer)(task)
        except ProgramFailed:
            raise
        except Exception as error:
            message = (
                f"The optimizer {job.optimizer} failed ({type(error).__name__}): {str(error)[:300]}"
            )
            raise ProgramFailed(Failure(code="optimizer.failed", message=message)) from error

    def _score(self, job: OptimizerJob, found: dspy.Module) -> float:
        """The mean over all rows; what the optimizer scored already is answered by the journal."""
        measure = metric_named(job.metric)
        spec = job.program.graph.signature
        inputs = {field.name for field in spec.inputs}

        def score(row: JsonObject) -> float:
            given = {name: value for name, value in row.items() if name in inputs}
            try:
                outputs = self._runner.answer(found, job.program, given)
            except ProgramFailed:
                return 0.0
            return measured(measure, job.metric, row, outputs)

        return sum(in_order(score, job.rows, threads=self._threads)) / len(job.rows)


def shuffled(rows: Sequence[JsonObject], seed: int) -> list[JsonObject]:
    """The *rows* in the order of *seed*; 0 leaves them as they are."""
    return random.Random(seed).sample(list(rows), len(rows)) if seed else list(rows)  # noqa: S311


def examples(spec: SignatureSpec, rows: Sequence[JsonObject]) -> list[dspy.Example]:
    """The *rows* as DSPy's examples: the signature says what is an input, the rest are labels."""
    inputs = [field.name for field in spec.inputs]
    known = {*inputs, *(field.name for field in spec.outputs)}
    return [
        dspy.Example(**{name: row[name] for name in row if name in known}).with_inputs(
            *(name for name in inputs if name in row)
        )
        for row in rows
    ]


def _dspy_metric(job: OptimizerJob) -> Callable[..., float]:
    measure: Metric = metric_named(job.metric)
    spec = job.program.graph.signature

    def score(example: dspy.Example, prediction: Any, trace: Any = None) -> float:
        del trace
        try:
            outputs = fitting_outputs(spec, prediction)
        except ProgramFailed:
            return 0.0  # an answer that does not fit the signature is a wrong one
        try:
            return measured(measure, job.metric, dict(example.items()), outputs)
        except ProgramFailed as failed:
            raise Escape(failed) from failed

    return score


@dataclass(frozen=True, slots=True)
class _Task:
    """What a search works on, in DSPy's terms."""

    job: OptimizerJob
    student: dspy.Module
    rows: list[dspy.Example]
    measure: Callable[..., float]
    threads: int

    @property
    def config(self) -> dict[str, Any]:
        return dict(self.job.config)


def _search(name: str) -> Callable[["_Task"], dspy.Module]:
    """How the optimizer called *name* looks for a better program."""
    return SEARCHES[name] if name in SEARCHES else partial(_brought, optimizer_named(name))


def _brought(kind: Callable[..., Any], task: _Task) -> dspy.Module:
    """Search with an optimizer of another package, which is made and asked as DSPy's own are."""
    found: dspy.Module = kind(metric=task.measure, **task.config).compile(
        task.student, trainset=task.rows
    )
    return found


def _labeled_fewshot(task: _Task) -> dspy.Module:
    return dspy.LabeledFewShot(**task.config).compile(task.student, trainset=task.rows)


def _bootstrap_fewshot(task: _Task) -> dspy.Module:
    search = dspy.BootstrapFewShot(metric=task.measure, **task.config)
    return search.compile(task.student, trainset=task.rows)


def _random_search(task: _Task) -> dspy.Module:
    search = dspy.BootstrapFewShotWithRandomSearch(
        metric=task.measure, num_threads=task.threads, **task.config
    )
    return search.compile(task.student, trainset=task.rows)


def _optuna(task: _Task) -> dspy.Module:
    config = task.config
    max_demos = config.pop("max_demos")
    search = dspy.BootstrapFewShotWithOptuna(
        metric=task.measure, num_threads=task.threads, **config
    )
    return search.compile(task.student, max_demos=max_demos, trainset=task.rows)


_MIPRO_CONSTRUCTOR: Final = (
    "num_candidates",
    "max_bootstrapped_demos",
    "max_labeled_demos",
    "init_temperature",
    "metric_threshold",
    "track_stats",
    "verbose",
)


def _mipro(task: _Task) -> dspy.Module:
    run = task.config
    made = {name: run.pop(name) for name in _MIPRO_CONSTRUCTOR}
    run["minibatch_size"] = min(run["minibatch_size"], len(task.rows))
    seed = task.job.seed or MIPRO_SEED_FOR_ZERO
    search = dspy.MIPROv2(
        metric=task.measure, auto=None, num_threads=task.threads, seed=seed, **made
    )
    return search.compile(task.student, trainset=task.rows, valset=task.rows, seed=seed, **run)


def _copro(task: _Task) -> dspy.Module:
    search = dspy.COPRO(metric=task.measure, **task.config)
    threads = {"num_threads": task.threads}
    return search.compile(task.student, trainset=task.rows, eval_kwargs=threads)


SEARCHES: Final[Mapping[str, Callable[[_Task], dspy.Module]]] = MappingProxyType(
    {
        "labeled_fewshot": _labeled_fewshot,
        "bootstrap_fewshot": _bootstrap_fewshot,
        "bootstrap_random_search": _random_search,
        "bootstrap_fewshot_with_optuna": _optuna,
        "mipro": _mipro,
        "copro": _copro,
    }
)


def _reporting(trials: Trials) -> AbstractContextManager[None]:
    callbacks = [*(dspy.settings.callbacks or []), trials]
    context: AbstractContextManager[None] = dspy.context(callbacks=callbacks)
    return context
