"""An engine that has everything carried out in processes of their own, lent out one by one."""

import logging
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from itertools import count
from typing import Final, cast

from pydantic import JsonValue

from application.context import current
from application.lm_ports import (
    CallJournal,
    Forwarded,
    JsonObject,
    ModelChoice,
    OptimizedProgram,
    OptimizerJob,
    RunnableProgram,
    TimeIsOver,
)
from application.tracing import NoTracing, Tracing
from domain.module.values import ModuleSpec
from infrastructure.engines import wire
from infrastructure.engines.channel import Params
from infrastructure.engines.processes import Bounds, EngineProcess, Running

logger = logging.getLogger(__name__)

COMMAND: Final = (sys.executable, "-m", "infrastructure.main.engine")
ENVIRONMENT: Final = {"PYTHONHASHSEED": "0", "LITELLM_LOCAL_MODEL_COST_MAP": "true"}


class _Lending:
    """Lends processes out; a worn one is replaced when it comes back."""

    def __init__(self, start: Callable[[float | None], EngineProcess], bounds: Bounds) -> None:
        self._start, self._bounds = start, bounds
        self._changed = threading.Condition()
        self._idle: list[EngineProcess] = []
        self._lent = 0

    @contextmanager
    def one_for(
        self, tenant: str, ends_s: float | None = None
    ) -> Generator[EngineProcess, None, None]:
        """A process for one job of *tenant*, as soon as there is one.

        Raises:
            TimeIsOver: There was none by *ends_s*, or it was not ready.
        """
        process = self._taken(tenant, ends_s)
        try:
            process = process or self._start(ends_s)
            process.tenant = tenant
            yield process
        finally:
            self._give_back(process)

    def keep(self, process: EngineProcess) -> None:
        """Have *process* be the first that is lent."""
        with self._changed:
            self._idle.append(process)
            self._changed.notify()

    def end(self) -> None:
        """End what is not lent."""
        with self._changed:
            idle, self._idle = self._idle, []
        for process in idle:
            process.end()

    def pids(self) -> list[int]:
        """The processes that are not lent."""
        with self._changed:
            return [each.pid for each in self._idle]

    def _taken(self, tenant: str, ends_s: float | None) -> EngineProcess | None:
        """One that is idle, or ``None`` where one is to be started."""
        retired: EngineProcess | None = None
        with self._changed:
            while (found := self._fitting(tenant)) is None and self._is_full():
                left_s = None if ends_s is None else ends_s - time.monotonic()
                if left_s is not None and left_s <= 0:
                    raise TimeIsOver
                self._changed.wait(left_s)
            if found is not None:
                self._idle.remove(found)
            elif len(self._idle) + self._lent >= self._bounds.processes:
                retired = self._idle.pop(0)  # somebody else's, unused the longest
            self._lent += 1
        if retired is not None:
            retired.end()
        return found

    def _is_full(self) -> bool:
        """Whether all work: where there is an idle one, another may come in its place."""
        return self._lent >= self._bounds.processes

    def _fitting(self, tenant: str) -> EngineProcess | None:
        fit = [each for each in self._idle if self._may_serve(each, tenant)]
        return fit[-1] if fit else None

    def _may_serve(self, process: EngineProcess, tenant: str) -> bool:
        return not self._bounds.per_tenant or process.tenant in (None, tenant)

    def _give_back(self, process: EngineProcess | None) -> None:
        is_worn = process is not None and process.is_worn
        with self._changed:
            self._lent -= 1
            if process is not None and not is_worn:
                self._idle.append(process)
            self._changed.notify()
        if process is not None and is_worn:
            logger.info("The engine %d is replaced after %d jobs.", process.pid, process.jobs)
            process.end()


class ProcessEngine:
    """Has the processes that *command* starts carry everything out, within *bounds*.

    With ``close`` they end; they also do when this process does.
    """

    def __init__(
        self,
        bounds: Bounds,
        tracing: Tracing | None = None,
        *,
        command: Sequence[str] = COMMAND,
        environment: Mapping[str, str] = ENVIRONMENT,
    ) -> None:
        self._bounds, self._tracing = bounds, tracing or NoTracing()
        self._command, self._environment = command, environment
        self._model: Params | None = None
        self._runs = count(1)
        # A process is told when the thread that started it ends: this one stays.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="engine-starter")
        self._lending = _Lending(self._started, bounds)

    @property
    def pids(self) -> list[int]:
        """The processes that wait for work."""
        return self._lending.pids()

    def configure(self, model: ModelChoice) -> None:
        """Have *model* answer in every process from now on; the first one starts at once.

        Raises:
            wire.EngineFault: It cannot be used; its ``code`` says why.
        """
        self._model = cast("Params", asdict(model))
        self._lending.end()
        self._lending.keep(self._started())

    def create_module(self, module: ModuleSpec) -> None:
        """Make sure that *module* can be made.

        Raises:
            ProgramFailed: It cannot be.
        """
        with self._lending.one_for(_tenant()) as process:
            process.carry("create_module", {"module": wire.json_of(module)})

    def create_program(self, program: RunnableProgram) -> None:
        """Make *program* in one of the processes; the others make it when they run it.

        Raises:
            ProgramFailed: It cannot be made, or its state does not fit it.
        """
        with self._lending.one_for(_tenant()) as process:
            process.carry("create_program", _told(program))

    def execute(
        self,
        program: RunnableProgram,
        inputs: JsonObject,
        journal: CallJournal,
        *,
        live: bool,
        within_s: float | None = None,
    ) -> JsonObject:
        """Run *program* once; a process that goes on after its time is killed.

        Raises:
            ProgramFailed: The model call or its answer failed for good.
            RunStopped: The journal refused, the time is over, with ``live=False`` a call was not in
                the journal; or the process was lost or took too much (``engine.lost``,
                ``resource_exceeded``): try again.
        """
        params: Params = {"inputs": dict(inputs), "live": live}
        running = Running(next(self._runs), journal)
        return cast("JsonObject", self._run(program, "execute", params, running, within_s))

    def forward(
        self, program: RunnableProgram, batch: Sequence[JsonObject], journal: CallJournal
    ) -> Sequence[Forwarded]:
        """Run *program* on each inputs of *batch*, all in one process.

        Raises:
            ProgramFailed, RunStopped: As ``execute``.
        """
        running = Running(next(self._runs), journal)
        params: Params = {"batch": [dict(each) for each in batch]}
        return wire.forwarded_of(self._run(program, "forward", params, running))

    def optimize(
        self,
        job: OptimizerJob,
        journal: CallJournal,
        on_trial: Callable[[int, float, JsonObject], None],
    ) -> OptimizedProgram:
        """Run the optimizer from its beginning, in one process.

        Raises:
            ProgramFailed, RunStopped: As ``execute``.
        """
        running = Running(next(self._runs), journal, on_trial)
        params: Params = {"job": wire.job_json(job)}
        return wire.optimized_of(self._run(job.program, "optimize", params, running))

    def pins(self, seed: int) -> dict[str, str]:
        """Library versions and seeds that a resumed optimization must find unchanged."""
        with self._lending.one_for(_tenant()) as process:
            return cast("dict[str, str]", process.carry("pins", {"seed": seed}))

    def close(self) -> None:
        """End every process that waits for work."""
        self._lending.end()
        self._starter.shutdown()

    def _run(
        self,
        program: RunnableProgram,
        word: str,
        params: Params,
        running: Running,
        within_s: float | None = None,
    ) -> JsonValue:
        ends_s = None if within_s is None else time.monotonic() + within_s
        asked: Params = {
            **params,
            "run": running.number,
            "program": program.key,
            "reading": wire.reading_json(program.reading),
            "shares": running.journal.shares,
            "listens": running.journal.audience.listens,
            "model": wire.model_json(program.model),
            "traceparent": self._tracing.traceparent(),
            "tenant": _tenant(),
        }
        with self._lending.one_for(_tenant(), ends_s) as process:
            process.jobs += 1
            try:
                return process.carry(word, _now(asked, ends_s), running=running, ends_s=ends_s)
            except wire.ProgramIsUnknown:
                process.carry("create_program", _told(program), ends_s=ends_s)
                return process.carry(word, _now(asked, ends_s), running=running, ends_s=ends_s)

    def _started(self, ends_s: float | None = None) -> EngineProcess:
        """A new process; one that is not ready by *ends_s* is ended again.

        Raises:
            TimeIsOver: It was not: a thread that waited on would be taken for one that is stuck.
        """
        process = self._starter.submit(
            EngineProcess, self._command, self._environment, self._bounds
        ).result()
        try:
            process.carry("configure", {"model": self._model}, ends_s=ends_s)
        except BaseException:
            process.kill()
            raise
        return process


def _told(program: RunnableProgram) -> Params:
    return {"program": wire.json_of(wire.ProgramOnTheWire.of(program))}


def _now(asked: Params, ends_s: float | None) -> Params:
    """What is *asked*, with the time that is left: it was longer before a process was free."""
    left_s = None if ends_s is None else max(0.0, ends_s - time.monotonic())
    return {**asked, "within_s": left_s}


def _tenant() -> str:
    try:
        return current().tenant
    except LookupError:  # nobody in particular asks
        return ""
