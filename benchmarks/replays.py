"""How fast a log is verified: ``python -m benchmarks.replays [EXECUTIONS]``.

Executions of programs of every kind on a model of chance, recorded and replayed on an embedded
Postgres, by 1 thread and by 8. Then plain questions, few and many in a row, replayed by DSPy and by
the engine without it; beside them DSPy alone, asking a model that answers at once, with nothing
kept, and the same for the kinds that run no code. The processor time is that of this process and
of Postgres together.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import cycle, islice
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import dspy
import psutil

from application.commands import Command
from application.context import Context, within
from application.lm_ports import Engine, ModelChoice
from application.replays import RequestReplay, RunReplay
from benchmarks.processes import cpu_s
from benchmarks.report import save, show
from domain.execution.events import ReplayVerified
from domain.kernel import Event
from domain.program.aggregate import Program
from domain.program.graph import ProgramGraph
from infrastructure import bootstrap
from infrastructure.chosen_engine import Runtime
from infrastructure.dspy_runtime.prober import ChildProber
from infrastructure.engines.native.engine import NativeEngine
from infrastructure.eventstore.repository import EventSourcedRepository
from infrastructure.plugins import ImportedPlugins
from infrastructure.postgres.embedded import EmbeddedPostgres
from infrastructure.settings import Settings
from infrastructure.toolboxes import allowed_toolbox
from tests.support.access import EVERY_ROLE
from tests.support.dspy_programs import bound, engine_on
from tests.support.graphs import program, step
from tests.support.handwritten import by_hand
from tests.support.memory import NOW
from tests.support.mixed_programs import Chance, Mixed, engine_of_chance, execute, in_threads

TARGET: Final = 1500
EXECUTIONS: Final = 1000
PLAIN: Final = 128
STEPS: Final = (8, 32)
WARM: Final = 28
NO_CODE: Final = tuple(sorted(by_hand().keys() - {"program_of_thought", "code_act", "rlm"}))
"""The kinds that DSPy alone takes no interpreter for."""

_MODEL: Final = "openai/fake"


@dataclass(frozen=True)
class ReplayRow:
    """A number of replays; ``calls`` are those that the log answered."""

    name: str
    threads: int
    replays: int
    verified: int
    calls: int
    model_calls: int
    wall_s: float
    cpu_s: float

    @property
    def calls_a_core(self) -> float:
        """Calls answered in a second of one processor."""
        return self.calls / self.cpu_s


@dataclass(frozen=True)
class Bench:
    """A system with its own Postgres, and the model that its engine asks."""

    system: bootstrap.System
    model: Chance
    postgres: int

    def do(self, command: Command) -> object:
        return self.system.dispatch(command, _caller())

    def a_program(self, graph: ProgramGraph) -> UUID:
        made = Program.create(uuid4(), f"program {uuid4().hex}", graph, at=NOW)
        with within(_caller()):
            EventSourcedRepository(self.system.log, Program).save(made)
        return made.id

    def events(self, id: UUID) -> Sequence[Event]:
        with within(_caller()):
            return [each.event for each in self.system.log.history(id)]

    def measured(
        self, name: str, ids: Sequence[UUID], threads: int, *, number: int = 1
    ) -> ReplayRow:
        """Replay each of *ids* for the *number*th time; look at the verdicts afterwards."""
        roots = [psutil.Process(), psutil.Process(self.postgres)]
        asked, cpu, wall = self.model.calls, cpu_s(roots), time.perf_counter()
        in_threads(lambda each: self._replay(each, number), ids, threads)
        cpu, wall = cpu_s(roots) - cpu, time.perf_counter() - wall
        verdicts = [self.events(each)[-1] for each in ids]
        verified = [each for each in verdicts if isinstance(each, ReplayVerified)]
        return ReplayRow(
            name=name,
            threads=threads,
            replays=len(ids),
            verified=len(verified),
            calls=sum(each.answered_from_log for each in verified),
            model_calls=self.model.calls - asked,
            wall_s=wall,
            cpu_s=cpu,
        )

    def _replay(self, execution_id: UUID, number: int) -> None:
        self.do(RequestReplay(execution_id=execution_id))
        self.do(RunReplay(execution_id=execution_id, replay=number))


def plain(steps: int) -> ProgramGraph:
    """Questions one after the other, each with the answer to the one before."""
    names = [f"step{number}" for number in range(steps)]
    before = ["question", *(f"{name}.answer" for name in names)]
    nodes = [
        step(name, "question, notes -> answer", question="question", notes=notes)
        for name, notes in zip(names, before, strict=False)
    ]
    return program("question -> answer", *nodes, answer=f"{names[-1]}.answer")


class ByHand(dspy.Module):  # type: ignore[misc]  # DSPy ships no types
    """The same, as somebody who knows DSPy writes it."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        settings = {"temperature": 0.0, "max_tokens": 1000}
        self.steps = [dspy.Predict("question, notes -> answer", **settings) for _ in range(steps)]

    def forward(self, question: str) -> dspy.Prediction:
        said = dspy.Prediction(answer=question)
        for each in self.steps:
            said = each(question=question, notes=said.answer)
        return said


def bare(steps: int) -> ReplayRow:
    """What DSPy takes for as many questions, with nothing of ours around it."""
    made = ByHand(steps)
    made_of = f"{steps} questions, DSPy alone"
    return alone(made_of, lambda number: made(question=f"Is {number} tall?"), PLAIN)


def bare_kinds(executions: int) -> ReplayRow:
    """What DSPy takes for modules of the kinds that run no code."""
    made = by_hand()
    names = list(islice(cycle(NO_CODE), executions))
    modules = {name: made[name]() for name in NO_CODE}

    def ask(number: int) -> object:
        return modules[names[number]](question=f"[{names[number]}] Is number {number} tall?")

    return alone("kinds without code, DSPy alone", ask, executions)


def alone(name: str, ask: Callable[[int], object], times: int) -> ReplayRow:
    """Ask so many times, and a few times before."""
    model, process = Chance(), [psutil.Process()]
    lm = dspy.LM(_MODEL, engine=model, cache=False, num_retries=0)
    with dspy.context(lm=lm, adapter=dspy.ChatAdapter(), disable_history=True):
        for number in range(len(NO_CODE)):
            ask(number)
        asked, cpu, wall = model.calls, cpu_s(process), time.perf_counter()
        for number in range(times):
            ask(number)
        cpu, wall = cpu_s(process) - cpu, time.perf_counter() - wall
    calls = model.calls - asked
    return ReplayRow(name, 1, times, 0, calls, calls, wall, cpu)


def rows(home: Path, executions: int) -> Iterator[ReplayRow]:
    """Each measurement, as it is made."""
    model = Chance()
    with system(home, engine_of_chance(model)) as made:
        bench = Bench(made, model, _postgres(home))
        mixed = Mixed(bench)
        mixed.replayed(mixed.executed(WARM, 8), 1)
        for threads in (1, 8):
            ids = mixed.executed(executions // 2, threads)
            yield bench.measured("every kind, by DSPy", ids, threads)
        mixed.programs = {name: mixed.programs[name] for name in NO_CODE}
        ids = mixed.executed(executions // 2, 1)
        yield bench.measured("kinds without code, by DSPy", ids, 1)
    yield bare_kinds(executions // 2)
    for steps in STEPS:
        yield from questions(home, model, steps)


def questions(home: Path, model: Chance, steps: int) -> Iterator[ReplayRow]:
    """So many plain questions in a row: by DSPy, by DSPy alone, and without it."""
    with system(home, engine_on(replace(bound(model), model=_MODEL))) as made:
        bench = Bench(made, model, _postgres(home))
        program_id = bench.a_program(plain(steps))
        ids = [execute(bench, program_id, f"Is {number} tall?") for number in range(PLAIN)]
        bench.measured("warm", ids[:WARM], 1)
        yield bench.measured(f"{steps} questions, by DSPy", ids[WARM:], 1)
    yield bare(steps)
    native = NativeEngine()
    native.configure(ModelChoice(_MODEL, api_key="none"))
    with system(home, native) as made:
        bench = Bench(made, model, _postgres(home))
        bench.measured("warm", ids[:WARM], 1, number=2)
        yield bench.measured(f"{steps} questions, without DSPy", ids[WARM:], 1, number=2)


@contextmanager
def system(home: Path, engine: Engine) -> Generator[bootstrap.System, None, None]:
    """A worker's system in this process, whose programs *engine* carries out."""
    settings = Settings(home=home)

    def runtime(*_: object) -> Runtime:
        prober, plugins = ChildProber(()), ImportedPlugins(())
        return Runtime(engine, prober, allowed_toolbox(settings), plugins, lambda: None)

    with (
        bootstrap.database(settings) as access,
        bootstrap.system(
            settings.model_copy(
                update={"database_url": access.service, "database_owner_url": access.owner}
            ),
            "bench",
            connections=12,
            runtime=runtime,
        ) as made,
    ):
        yield made


def _caller() -> Context:
    return Context(tenant="bench", actor="bench", correlation_id=uuid4(), roles=EVERY_ROLE)


def _postgres(home: Path) -> int:
    """The process that all of the server at *home* is beneath."""
    pid = EmbeddedPostgres(home).status().pid
    assert pid is not None, "It runs as long as the system does."
    return pid


def main() -> None:
    """Measure, print, and write ``benchmarks/results/replays.json``."""
    executions = int(sys.argv[1]) if len(sys.argv) > 1 else EXECUTIONS
    with tempfile.TemporaryDirectory(prefix="stratal-bench-") as home:
        made = list(rows(Path(home), executions))
    save("replays", {"rows": [asdict(row) | {"calls_a_core": row.calls_a_core} for row in made]})
    columns = ["programs", "threads", "replays", "verified", "calls", "asked", "seconds"]
    show(
        f"Recorded calls replayed; at least {TARGET} a second of one processor are wanted",
        [*columns, "calls/s/core"],
        [
            (
                row.name,
                str(row.threads),
                f"{row.replays:,}",
                f"{row.verified:,}",
                f"{row.calls:,}",
                str(row.model_calls),
                f"{row.wall_s:.1f}",
                f"{row.calls_a_core:,.0f}",
            )
            for row in made
        ],
    )


if __name__ == "__main__":
    main()
