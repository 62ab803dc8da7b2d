"""What the log costs as it grows: the same questions at every size, on one server."""

import random
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final, LiteralString
from uuid import UUID

import psycopg

from benchmarks import filling
from benchmarks.appenders import sealed
from benchmarks.report import plot_growth, show
from infrastructure.eventstore.past_fold import PastFold
from infrastructure.eventstore.projector import ProjectionRunner
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.postgres.past_store import PostgresPast
from infrastructure.postgres.pool import Pool, open_pool
from infrastructure.postgres.read_store import PostgresReadStore
from infrastructure.postgres.sessions import session
from projections.executions import Executions, executions
from projections.program_catalog import ProgramCatalog, program

SIZES: Final = (10_000, 100_000, 1_000_000, 5_000_000)
SAMPLES: Final = 400
PAGE: Final = 50
DEEP: Final = 1000
"""Which page is asked for by its cursor; the last one where there are fewer."""

_SOME: Final[LiteralString] = """
    SELECT originator_id FROM stratal.events
    WHERE notification_id = ANY (%s) AND topic LIKE %s
"""
_CURSOR: Final[LiteralString] = """
    SELECT position FROM executions_v{version}.execution ORDER BY position DESC OFFSET %s LIMIT 1
"""


@dataclass(frozen=True)
class GrowthRow:
    """Median latency of one question at one size of the log."""

    question: str
    events: int
    p50_ms: float


@dataclass
class _Subject:
    """A log of some size with its read models, and what may be asked of it."""

    pool: Pool
    head: int
    executions: Sequence[UUID]
    programs: Sequence[UUID]
    cursor: int

    def __post_init__(self) -> None:
        self.recorder = PostgresRecorder(self.pool)
        self.store = PostgresReadStore(self.pool, [Executions(), ProgramCatalog()])
        self.past = PostgresPast(self.pool, self.store, PastFold())
        self.random = random.Random(self.head)

    def questions(self) -> dict[str, Callable[[], object]]:
        """What is asked, by name."""
        return {
            "append": lambda: self.recorder.append([sealed()]),
            "get by id": self._stream,
            "first page": lambda: executions(self.store, tenant=filling.TENANT, limit=PAGE),
            f"page {DEEP}": lambda: executions(
                self.store, tenant=filling.TENANT, limit=PAGE, after=(self.cursor,)
            ),
            "as-of read": self._as_of,
        }

    def _stream(self) -> object:
        found = self.recorder.select_events(self.random.choice(self.executions))
        assert found
        return found

    def _as_of(self) -> object:
        position = self.random.randrange(self.head // 2, self.head)
        with self.past.at(filling.TENANT, position) as store:
            return program(store, self.random.choice(self.programs), tenant=filling.TENANT)


def measure(owner: str, service: str) -> list[GrowthRow]:
    """Grow the log to each of ``SIZES``, bring its read models up, and ask each question."""
    rows: list[GrowthRow] = []
    streams = filling.mixed()
    with open_pool(service, min_size=2, max_size=4, name="growth") as pool:
        for size in SIZES:
            head = filling.fill(owner, streams, size)
            _catch_up(service)
            subject = _subject(pool, service, head)
            for name, ask in subject.questions().items():
                rows.append(GrowthRow(name, size, _p50_ms(ask)))
            _catch_up(service)
    return rows


def report(rows: Sequence[GrowthRow]) -> None:
    """Print the rows as ratios to the smallest log, and draw them."""
    by = {(row.question, row.events): row.p50_ms for row in rows}
    questions = list(dict.fromkeys(row.question for row in rows))
    show(
        "As the log grows: p50 ms, and the largest log ÷ the smallest",
        ["question", *(f"{size:,}" for size in SIZES), "ratio"],
        [
            [
                question,
                *(f"{by[question, size]:.2f}" for size in SIZES),
                f"{by[question, SIZES[-1]] / by[question, SIZES[0]]:.2f}",
            ]
            for question in questions
        ],
    )
    plot_growth(SIZES, {name: [by[name, size] for size in SIZES] for name in questions})


def _p50_ms(ask: Callable[[], object]) -> float:
    for _ in range(SAMPLES // 4):
        ask()
    took_ms: list[float] = []
    for _ in range(SAMPLES):
        began = time.perf_counter()
        ask()
        took_ms.append((time.perf_counter() - began) * 1000)
    return round(statistics.median(took_ms), 3)


def _catch_up(service: str) -> None:
    with closing(ProjectionRunner(service, [Executions(), ProgramCatalog()])) as runner:
        while runner.step():
            pass


def _subject(pool: Pool, service: str, head: int) -> _Subject:
    chosen = random.Random(1).sample(range(1, head + 1), min(head, 40_000))
    with psycopg.connect(session(service, "bench"), autocommit=True) as connection:

        def some(topic: str) -> list[UUID]:
            found = connection.execute(_SOME, [chosen, topic]).fetchall()
            return [stream for (stream,) in found][:2000]

        version: LiteralString = "1"
        assert Executions.version == int(version)
        sql = _CURSOR.replace("{version}", version)
        pages = head // 4 // PAGE
        cursor = connection.execute(sql, [PAGE * min(DEEP - 1, pages // 2)]).fetchone()
        assert cursor is not None
        return _Subject(pool, head, some("execution.%"), some("program.%"), cursor[0])
