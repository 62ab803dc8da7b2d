"""Appends a second of one-event commands: the library, ours, and bare INSERTs, in turns."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from benchmarks.appenders import SYSTEMS, make_tables
from benchmarks.report import plot_appends, show
from benchmarks.writers import Written

LEVELS = ((1, 1), (8, 1), (16, 1), (32, 1), (8, 2), (16, 2), (32, 2))
"""Writer threads in all, and the processes they are spread over."""

ROUNDS = 3
WARM_UP_S = 0.5


@dataclass(frozen=True)
class AppendRow:
    """One system at one level; a latency is that of one call."""

    name: str
    writers: int
    processes: int
    per_s: float
    p50_ms: float
    p99_ms: float


@dataclass
class _Writers:
    """Two processes that write in one way, and what they have written at each level."""

    name: str
    processes: Sequence["subprocess.Popen[str]"]
    written: dict[tuple[int, int], list[Written]] = field(
        default_factory=dict[tuple[int, int], list[Written]]
    )

    def run(self, writers: int, processes: int, seconds: float) -> Written:
        asked = self.processes[:processes]
        for process in asked:
            assert process.stdin is not None
            process.stdin.write(f"{writers // processes} {seconds}\n")
            process.stdin.flush()
        return Written.sum([_answer(process) for process in asked])


def measure(owner: str, service: str, seconds: float) -> list[AppendRow]:
    """Run every system at every level for *seconds* in all, in turns; ours as the service."""
    make_tables(owner)
    roles = {name: service if name == "stratal" else owner for name in SYSTEMS}
    with ExitStack() as stack:
        systems = [stack.enter_context(_writers(*each)) for each in roles.items()]
        for system in systems:
            for processes in (1, 2):
                system.run(8, processes, WARM_UP_S)
        for _ in range(ROUNDS):
            for level in LEVELS:
                for system in systems:
                    written = system.run(*level, seconds / ROUNDS)
                    system.written.setdefault(level, []).append(written)
        return [_row(system, level) for level in LEVELS for system in systems]


def report(rows: Sequence[AppendRow]) -> None:
    """Print the rows, and ours in proportion to the others."""
    by = {(row.name, row.writers, row.processes): row for row in rows}
    show(
        "Appends of one event",
        ["writers", "processes", "way", "per second", "p50 ms", "p99 ms", "ours ÷ it"],
        [
            [
                str(row.writers),
                str(row.processes),
                row.name,
                f"{row.per_s:.0f}",
                f"{row.p50_ms:.2f}",
                f"{row.p99_ms:.2f}",
                f"{by['stratal', row.writers, row.processes].per_s / row.per_s:.2f}",
            ]
            for row in rows
        ],
    )
    shown = [name for name in SYSTEMS if name != "raw rows"]
    plot_appends(
        [f"{writers} in {processes}" for writers, processes in LEVELS],
        {name: [by[name, *level].per_s for level in LEVELS] for name in shown},
    )


@contextmanager
def _writers(name: str, conninfo: str) -> Iterator[_Writers]:
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.writers", name, conninfo],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    try:
        yield _Writers(name, started)
    finally:
        for process in started:
            process.kill()
            process.communicate()


def _answer(process: "subprocess.Popen[str]") -> Written:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError("A writer has ended; its last words are above.")
    return Written(**json.loads(line))


def _row(system: _Writers, level: tuple[int, int]) -> AppendRow:
    runs = system.written[level]
    every = Written.sum(runs)
    return AppendRow(
        name=system.name,
        writers=level[0],
        processes=level[1],
        per_s=round(sum(each.events for each in runs) / sum(each.wall_s for each in runs), 1),
        p50_ms=round(every.percentile(0.50), 3),
        p99_ms=round(every.percentile(0.99), 3),
    )
