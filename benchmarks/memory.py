"""What a worker holds after many executions: ``python -m benchmarks.memory [EXECUTIONS]``.

One worker runs a Predict program on the fake provider, unique inputs, at 16 callers. Its resident
memory after 1 000 executions, by when all is imported and warm, is compared with that at the end.
"""

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import psutil

from benchmarks.load import drive
from benchmarks.overhead import System, stratal
from benchmarks.processes import python
from benchmarks.report import save, show

EXECUTIONS: Final = 50_000
WARM: Final = 1_000
CALLERS: Final = 16
LIMIT: Final = 1.15
_SLICE_S: Final = 1.0
_LOOKS: Final = 10
"""How often its memory is looked at between the first time and the last."""


@dataclass(frozen=True)
class Look:
    """Executions carried out so far, and what the worker held then."""

    executions: int
    resident_mb: float


def main() -> None:
    most = int(sys.argv[1]) if len(sys.argv) > 1 else EXECUTIONS
    with (
        tempfile.TemporaryDirectory(prefix="stratal-bench-") as home,
        python("benchmarks.provider") as server,
    ):
        assert server.stdout is not None
        with stratal(server.stdout.readline().strip(), Path(home)) as system:
            report(looks(system, most))


def looks(system: System, most: int) -> Sequence[Look]:
    """What the one worker of *system* holds at 1 000 executions and on the way to *most*."""
    worker = _worker(system)
    seen: list[Look] = []
    done = 0
    for mark in (WARM, *(most * step // _LOOKS for step in range(1, _LOOKS + 1))):
        while done < mark:
            sample = asyncio.run(
                drive(system.url, system.body, concurrency=CALLERS, seconds=_SLICE_S)
            )
            assert not sample.refused, "the service refused what a benchmark asked"
            done += len(sample.latencies_ms)
        seen.append(Look(done, round(worker.memory_info().rss / 2**20, 1)))
    return seen


def report(seen: Sequence[Look]) -> None:
    first, last = seen[0], seen[-1]
    rows = [[f"{each.executions:,}", f"{each.resident_mb:.1f}"] for each in seen]
    show("Memory of a worker", ["executions", "resident, MB"], rows)
    ratio = round(last.resident_mb / first.resident_mb, 3)
    verdict = "within" if ratio <= LIMIT else "beyond"
    print(f"{ratio:.3f} times the first, {verdict} {LIMIT}")
    save("memory", {"rows": [asdict(each) for each in seen], "ratio": ratio})


def _worker(system: System) -> psutil.Process:
    """The process of *system* that runs programs; there is one by default."""
    found = [
        process
        for root in system.roots
        for process in root.children(recursive=True)
        if process.cmdline()[-1:] == ["worker"]
    ]
    (worker,) = found
    return worker


if __name__ == "__main__":
    main()
