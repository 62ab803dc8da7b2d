"""How far the read models are behind the log while events come in at a steady rate."""

import time
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, cycle
from threading import Event, Thread
from typing import Final, LiteralString

import psycopg
from uuid_utils.compat import uuid7

from benchmarks import filling
from benchmarks.processes import python
from benchmarks.report import show
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.eventstore.stored import SealedEvent
from infrastructure.postgres.pool import open_pool
from infrastructure.postgres.sessions import session

RATE: Final = 500
"""Events a second, one a command."""
SAMPLE_S: Final = 0.002

_REACHED: Final[LiteralString] = """
    SELECT min(position), count(*) FROM stratal.projections WHERE live
"""


@dataclass(frozen=True)
class LagRow:
    """From the answer to an append until every read model shows it, in milliseconds."""

    events: int
    per_s: float
    p50_ms: float
    p99_ms: float
    max_ms: float


@dataclass
class _Watch:
    """Sees where the slowest read model is, again and again."""

    conninfo: str

    def __post_init__(self) -> None:
        self.times: list[float] = []
        self.positions: list[int] = []
        self.stop = Event()

    def run(self) -> None:
        with psycopg.connect(session(self.conninfo, "bench"), autocommit=True) as connection:
            while not self.stop.wait(SAMPLE_S):
                position = _reached(connection)
                self.positions.append(position)
                self.times.append(time.perf_counter())


def measure(owner: str, service: str, seconds: float) -> LagRow:
    """Append at ``RATE`` for *seconds* while a projector of its own process follows."""
    environment = {"STRATAL_DATABASE_URL": service, "STRATAL_DATABASE_OWNER_URL": owner}
    with (
        open_pool(service, min_size=1, max_size=2, name="lag") as pool,
        python("infrastructure.main.projector", environment=environment),
        psycopg.connect(session(service, "bench"), autocommit=True) as connection,
    ):
        recorder = PostgresRecorder(pool)
        _pace(recorder, 1.0)
        _wait_for(connection, recorder.max_notification_id() or 0)
        watch = _Watch(service)
        thread = Thread(target=watch.run)
        thread.start()
        began = time.perf_counter()
        appended = _pace(recorder, seconds)
        took_s = time.perf_counter() - began
        _wait_for(connection, appended[-1][0])
        time.sleep(10 * SAMPLE_S)
        watch.stop.set()
        thread.join()
    return _row(appended, watch, took_s)


def report(row: LagRow) -> None:
    """Print the row."""
    show(
        "Read models behind the log",
        ["events", "per second", "p50 ms", "p99 ms", "max ms"],
        [
            [
                str(row.events),
                f"{row.per_s:.0f}",
                f"{row.p50_ms:.0f}",
                f"{row.p99_ms:.0f}",
                f"{row.max_ms:.0f}",
            ]
        ],
    )


def _pace(recorder: PostgresRecorder, seconds: float) -> list[tuple[int, float]]:
    """Append whole lives of executions, an event each time; positions, and when each was told."""
    appended: list[tuple[int, float]] = []
    start, stream = time.perf_counter(), uuid7()
    for number, template in enumerate(cycle(chain.from_iterable(filling.mixed()[1:]))):
        due = start + number / RATE
        if due - start > seconds:
            return appended
        time.sleep(max(0.0, due - time.perf_counter()))
        if template.originator_version == 1:
            stream = uuid7()
        event = SealedEvent(
            stream,
            template.originator_version,
            template.topic,
            template.state,
            event_id=uuid7(),
            tenant=template.tenant,
            metadata=template.metadata,
        )
        [position] = recorder.append([event])
        appended.append((position, time.perf_counter()))
    raise AssertionError("A cycle has no end.")


def _row(appended: Sequence[tuple[int, float]], watch: _Watch, took_s: float) -> LagRow:
    lags_ms = sorted(
        max(0.0, watch.times[bisect_left(watch.positions, position)] - told) * 1000
        for position, told in appended
    )
    return LagRow(
        events=len(appended),
        per_s=round(len(appended) / took_s, 1),
        p50_ms=round(lags_ms[len(lags_ms) // 2], 1),
        p99_ms=round(lags_ms[int(len(lags_ms) * 0.99)], 1),
        max_ms=round(lags_ms[-1], 1),
    )


def _wait_for(connection: psycopg.Connection[tuple[object, ...]], position: int) -> None:
    deadline = time.monotonic() + 60
    while _reached(connection) < position:
        if time.monotonic() > deadline:
            raise TimeoutError("The read models did not come up.")
        time.sleep(0.05)


def _reached(connection: psycopg.Connection[tuple[object, ...]]) -> int:
    row = connection.execute(_REACHED).fetchone()
    assert row is not None
    return int(str(row[0] or 0))
