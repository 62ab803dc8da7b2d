"""How long the longest streams take to load: ``python -m benchmarks.folds [SECONDS_A_STREAM]``.

``EventSourcedRepository.get`` of each stream, and where its time goes; beside it the plain way,
which reads every state step by step and every envelope too, in turns within one run.
"""

import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid4

from uuid_utils.compat import uuid7

from application.context import Context, within
from benchmarks.report import plot_folds, save, show
from domain.dataset.aggregate import Dataset
from domain.execution.aggregate import Execution
from domain.kernel import Aggregate, Event
from domain.optimization.aggregate import Optimization
from domain.program.aggregate import Program
from domain.values import LmCall
from infrastructure.bootstrap import prepare
from infrastructure.eventstore.mapper import EventMapper
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.eventstore.repository import EventLog, EventSourcedRepository
from infrastructure.postgres.embedded import EmbeddedPostgres
from infrastructure.postgres.pool import open_pool
from infrastructure.postgres.roles import Access
from tests.support import histories as build

T = TypeVar("T")

CALLER = Context(
    tenant=build.TENANT, actor="bench", command_id="bench", correlation_id=build.an_id("bench")
)
CHUNK_ROWS = 1000
APPEND_AT_ONCE = 500


@dataclass(frozen=True)
class Stream:
    """A life of an aggregate, and how often it is loaded in that life."""

    name: str
    kind: type[Aggregate[Any]]
    events: Sequence[Event]
    loaded: str


@dataclass(frozen=True)
class FoldRow:
    """Medians of one load; ``plain_ms`` is that of the plain way."""

    name: str
    events: int
    loaded: str
    p50_ms: float
    p99_ms: float
    read_ms: float
    decode_ms: float
    fold_ms: float
    plain_ms: float


@dataclass
class _Times:
    whole: list[float] = field(default_factory=list[float])
    plain: list[float] = field(default_factory=list[float])
    read: list[float] = field(default_factory=list[float])
    decode: list[float] = field(default_factory=list[float])
    fold: list[float] = field(default_factory=list[float])


def streams() -> Sequence[Stream]:
    """The longest lives that are to be expected, and an everyday one."""
    versions: list[Event] = [build.program_created()]
    for version in range(2, 501):
        versions.append(build.program_compiled(version, base_version=version - 1))
        versions.append(build.program_deployed(version, previous_version=version - 1))
    rows = [build.rows_loaded(CHUNK_ROWS) for _ in range(100)]
    attempt, request = "each attempt", "each execution, twice"
    return (
        Stream("execution, 1 call", Execution, build.an_execution(), attempt),
        Stream("execution, 50 calls", Execution, build.an_execution(*_calls(50)), attempt),
        *(
            Stream(f"optimization, {count:,} calls", Optimization, _optimization(count), attempt)
            for count in (300, 1000, 5000)
        ),
        Stream(
            "dataset, 100,000 rows", Dataset, [build.dataset_created(), *rows], "each run on it"
        ),
        Stream("program, 20 versions", Program, versions[:39], request),
        Stream("program, 500 versions", Program, versions, request),
    )


def measure(recorder: PostgresRecorder, stream: Stream, seconds: float) -> FoldRow:
    """Load *stream* again and again, both ways in turns."""
    log, times = EventLog(recorder), _Times()
    stream_id, spaced_id = uuid4(), uuid4()
    _store(recorder, stream_id, stream.events)
    # A space before it hides that the version is today's, so each state is read step by step.
    _store(recorder, spaced_id, stream.events, before=b" ")
    repository = EventSourcedRepository(log, stream.kind)

    def plainly() -> Aggregate[Any]:
        history = log.history(spaced_id)
        return stream.kind.fold(spaced_id, (each.event for each in history))

    entries = log.stream(stream_id)
    deadline_s = time.perf_counter() + seconds
    while time.perf_counter() < deadline_s or len(times.whole) < 5:
        _timed(times.whole, lambda: repository.get(stream_id))
        _timed(times.plain, plainly)
        _timed(times.read, lambda: log.stream(stream_id))
        _timed(times.decode, lambda: [log.event(entry) for entry in entries])
        _timed(times.fold, lambda: stream.kind.fold(stream_id, stream.events))
    return FoldRow(
        name=stream.name,
        events=len(stream.events),
        loaded=stream.loaded,
        p50_ms=_median(times.whole),
        p99_ms=round(statistics.quantiles(times.whole, n=100, method="inclusive")[98], 2),
        read_ms=_median(times.read),
        decode_ms=_median(times.decode),
        fold_ms=_median(times.fold),
        plain_ms=_median(times.plain),
    )


def report(rows: Sequence[FoldRow]) -> None:
    """Print the rows, write them, draw them."""
    show(
        "Loading an aggregate",
        ["stream", "events", "p50 ms", "p99 ms", "read", "decode", "fold", "plain ÷ it"],
        [
            [
                row.name,
                f"{row.events:,}",
                *(
                    f"{figure:.2f}"
                    for figure in (row.p50_ms, row.p99_ms, row.read_ms, row.decode_ms, row.fold_ms)
                ),
                f"{row.plain_ms / row.p50_ms:.2f}",
            ]
            for row in rows
        ],
    )
    save("folds", {"rows": [asdict(row) for row in rows]})
    plot_folds([(row.name, row.events, row.p50_ms, row.plain_ms) for row in rows])


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    gc.freeze()  # as the API does
    with tempfile.TemporaryDirectory(prefix="stratal-bench-") as home:
        server = EmbeddedPostgres(Path(home))
        try:
            access = Access(owner=server.start(), service=server.service_url)
            prepare(access)
            with open_pool(access.service, min_size=1, max_size=2, name="bench") as pool:
                recorder = PostgresRecorder(pool)
                with within(CALLER):
                    report([measure(recorder, stream, seconds) for stream in streams()])
        finally:
            server.stop()


def _store(
    recorder: PostgresRecorder, stream_id: UUID, events: Sequence[Event], *, before: bytes = b""
) -> None:
    mapper = EventMapper()
    recorded = build.Log().append(stream_id, *events)
    for first in range(0, len(recorded), APPEND_AT_ONCE):
        sealed = map(mapper.to_stored_event, recorded[first : first + APPEND_AT_ONCE])
        recorder.append(
            [replace(each, state=before + each.state, event_id=uuid7()) for each in sealed]
        )


def _median(times_ms: Sequence[float]) -> float:
    return round(statistics.median(times_ms), 2)


def _optimization(count: int) -> Sequence[Event]:
    return build.an_optimization(*_calls(count), scores=tuple(0.5 for _ in range(20)))


def _calls(count: int) -> Sequence[LmCall]:
    return [build.lm_call(f"call {number}") for number in range(count)]


def _timed(into: list[float], work: Callable[[], T]) -> T:
    began_s = time.perf_counter()
    done = work()
    into.append((time.perf_counter() - began_s) * 1000)
    return done


if __name__ == "__main__":
    main()
