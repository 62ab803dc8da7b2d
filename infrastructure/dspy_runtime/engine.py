"""DSPy in this very process, as the engine that carries everything."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Final, NamedTuple

from application.lm_ports import (
    CallJournal,
    Forwarded,
    JsonObject,
    ModelChoice,
    OptimizedProgram,
    OptimizerJob,
    ProgramFailed,
    RunnableProgram,
)
from application.tool_ports import Toolbox
from application.tracing import Tracing
from application.turns import Turns
from domain.module.values import ModuleSpec
from domain.program.graph import single
from domain.values import Failure
from infrastructure.dspy_runtime.compiler import source
from infrastructure.dspy_runtime.evaluator import DspyEvaluator
from infrastructure.dspy_runtime.interpreter import Limits
from infrastructure.dspy_runtime.model import Model
from infrastructure.dspy_runtime.optimizers import DspyOptimizers
from infrastructure.dspy_runtime.pins import pins
from infrastructure.dspy_runtime.retries import Retries
from infrastructure.dspy_runtime.runtime import DspyRunner
from infrastructure.dspy_runtime.trials import OnTrial

KEPT_MODELS: Final = 32
"""So many models of providers stay ready in a worker; the one that was used least goes."""


class NoModelIsConfigured(RuntimeError):
    """An engine was asked before it was told which model answers."""

    def __init__(self) -> None:
        super().__init__("This engine has no model yet: call configure first.")


class _Parts(NamedTuple):
    runner: DspyRunner
    evaluator: DspyEvaluator
    optimizers: DspyOptimizers


class DspyEngine:
    """Runs and optimizes programs on the model that *bind* makes of a choice.

    Safe to use from several threads, once it is configured.
    """

    def __init__(
        self,
        bind: Callable[[ModelChoice], Model],
        tracing: Tracing | None = None,
        *,
        toolbox: Toolbox | None = None,
        code: Limits | None = None,
        retries: Retries | None = None,
        turns: Turns | None = None,
    ) -> None:
        self._bind, self._tracing, self._turns = bind, tracing, turns
        self._toolbox, self._code, self._retries = toolbox, code, retries
        self._made: _Parts | None = None
        self._chosen: OrderedDict[ModelChoice, DspyRunner] = OrderedDict()
        self._lock = Lock()

    def configure(self, model: ModelChoice) -> None:
        """Have *model* answer whatever is asked from now on."""
        bound = self._bind(model)
        runner = self._runner(bound, self._turns)
        self._made = _Parts(runner, DspyEvaluator(runner, bound), DspyOptimizers(runner, bound))

    def create_module(self, module: ModuleSpec) -> None:
        """Make sure that *module* can be made.

        Raises:
            ProgramFailed: It cannot be.
        """
        source(single(module))

    def create_program(self, program: RunnableProgram) -> None:
        """Make *program*, and keep it for a while under its key.

        Raises:
            ProgramFailed: It cannot be made, or its state does not fit it.
        """
        self._parts.runner.program(program)

    def execute(
        self,
        program: RunnableProgram,
        inputs: JsonObject,
        journal: CallJournal,
        *,
        live: bool,
        within_s: float | None = None,
    ) -> JsonObject:
        """Run *program* once and return its outputs; a model call under way is not given up.

        Raises:
            ProgramFailed: The model call or its answer failed for good.
            RunStopped: The journal refused, the time is over, or with ``live=False`` a call was not
                in the journal.
        """
        runner = self._on(program.model)
        return runner.run(program, inputs, journal, live=live, within_s=within_s)

    def forward(
        self, program: RunnableProgram, batch: Sequence[JsonObject], journal: CallJournal
    ) -> Sequence[Forwarded]:
        """Run *program* on each inputs of *batch*, as many at once as the model takes.

        Raises:
            ProgramFailed: The program cannot be made.
            RunStopped: The journal refused, or the model is unavailable.
        """
        return self._parts.evaluator.forward(program, batch, journal)

    def optimize(
        self, job: OptimizerJob, journal: CallJournal, on_trial: OnTrial
    ) -> OptimizedProgram:
        """Run the optimizer from its beginning; recorded calls are answered from the journal.

        Raises:
            RunStopped: Cancelled, fenced off, or the model is unavailable.
            ProgramFailed: The optimizer itself or the metric failed.
        """
        return self._parts.optimizers.optimize(job, journal, on_trial)

    def pins(self, seed: int) -> dict[str, str]:
        """Library versions and seeds that a resumed optimization must find unchanged."""
        return pins(seed)

    def _on(self, model: ModelChoice | None) -> DspyRunner:
        """What runs programs on *model*; a run that goes on keeps the one that it has.

        The limits in the settings are those of the provider in the settings: others have none.
        """
        if model is None:
            return self._parts.runner
        with self._lock:
            if model not in self._chosen:
                self._chosen[model] = self._runner(self._bound(model), None)
            self._chosen.move_to_end(model)
            while len(self._chosen) > KEPT_MODELS:
                self._chosen.popitem(last=False)
            return self._chosen[model]

    def _bound(self, model: ModelChoice) -> Model:
        try:
            return self._bind(model)
        except Exception as error:
            code = getattr(error, "code", "model.error")
            raise ProgramFailed(Failure(code=code, message=str(error))) from error

    def _runner(self, model: Model, turns: Turns | None) -> DspyRunner:
        return DspyRunner(
            model,
            self._tracing,
            toolbox=self._toolbox,
            code=self._code,
            retries=self._retries,
            turns=turns,
        )

    @property
    def _parts(self) -> _Parts:
        if self._made is None:
            raise NoModelIsConfigured
        return self._made
