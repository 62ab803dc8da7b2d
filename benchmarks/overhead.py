"""What Stratal adds to DSPy: ``python -m benchmarks.overhead [SECONDS_A_ROUND]``.

The same Predict program on the same fake provider, unique inputs, no cache: bare DSPy in FastAPI
against ``POST /v1/programs/{p}/execute``, in turns within one run, at 1 and at 16 callers.
"""

import asyncio
import statistics
import sys
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import LiteralString

import psutil
import psycopg

from benchmarks.load import Sample, drive
from benchmarks.processes import cpu_s, free_port, post, python, wait_until_serving
from benchmarks.report import Row, plot_overhead, show, write
from infrastructure.postgres.embedded import EmbeddedPostgres
from infrastructure.postgres.sessions import session

CONCURRENCIES = (1, 16)
ROUNDS = 4
WARM_UP_S = 2.0
SIGNATURE = "question: str -> answer: str"

STATIONS = """
    SELECT r.recorded_at, c.recorded_at FROM stratal.events r
    JOIN stratal.events c ON c.originator_id = r.originator_id AND c.topic = 'execution.completed'
    WHERE r.topic = 'execution.requested' AND r.notification_id > %s AND r.notification_id <= %s
"""
COUNT = "SELECT count(*) FROM stratal.events WHERE topic = %s AND notification_id > %s"
HEAD = "SELECT coalesce(max(notification_id), 0) FROM stratal.events"


@dataclass
class System:
    """One of the two, its samples and its CPU time by concurrency."""

    name: str
    url: str
    roots: Sequence[psutil.Process]
    samples: dict[int, Sample] = field(default_factory=dict[int, Sample])
    cpu_s: dict[int, float] = field(default_factory=dict[int, float])

    def body(self, question: str) -> object:
        return {"question": question} if self.name == "bare" else {"inputs": {"question": question}}

    def run(self, concurrency: int, seconds: float) -> None:
        before_s = cpu_s(self.roots)
        sample = asyncio.run(drive(self.url, self.body, concurrency=concurrency, seconds=seconds))
        self.samples.setdefault(concurrency, Sample()).add(sample)
        self.cpu_s[concurrency] = self.cpu_s.get(concurrency, 0.0) + cpu_s(self.roots) - before_s

    def row(self, concurrency: int, stored: int | None) -> Row:
        sample = self.samples[concurrency]
        accepted = len(sample.latencies_ms)
        return Row(
            name=self.name,
            concurrency=concurrency,
            p50_ms=round(sample.percentile(0.50), 2),
            p99_ms=round(sample.percentile(0.99), 2),
            rps=round(sample.rps, 1),
            cpu_ms=round(self.cpu_s[concurrency] * 1000 / accepted, 2),
            accepted=accepted,
            stored=stored,
        )


@contextmanager
def bare(provider: str) -> Generator[System, None, None]:
    port = free_port()
    with python("benchmarks.bare", provider, str(port)) as process:
        wait_until_serving(f"http://127.0.0.1:{port}/docs")
        yield System("bare", f"http://127.0.0.1:{port}/execute", [psutil.Process(process.pid)])


@contextmanager
def stratal(
    provider: str, home: Path, settings: Mapping[str, str] | None = None
) -> Generator[System, None, None]:
    """Serve from *home* with the model at *provider*; *settings* are added to the environment."""
    port = free_port()
    environment = {
        "STRATAL_HOME": str(home),
        "STRATAL_PORT": str(port),
        "STRATAL_LM": "openai/bench",
        "STRATAL_LM_API_BASE": provider,
        "STRATAL_LM_API_KEY": "bench",
        **(settings or {}),
    }
    url = f"http://127.0.0.1:{port}"
    with python("infrastructure.main.cli", "serve", environment=environment) as process:
        wait_until_serving(f"{url}/healthz")
        module = {"kind": "predict", "signature_syntax": SIGNATURE}
        made = post(f"{url}/v1/programs", {"name": "bench", "modules": [module]})
        postgres = EmbeddedPostgres(home).status().pid
        assert postgres is not None
        roots = [psutil.Process(process.pid), psutil.Process(postgres)]
        yield System("stratal", f"{url}/v1/programs/{made['id']}/execute", roots)


def stations(conninfo: str, after: int, until: int) -> dict[str, float]:
    """Where the time of one execution goes, in median milliseconds, by the database's clock."""
    with psycopg.connect(session(conninfo, "bench")) as connection:
        rows = connection.execute(STATIONS, [after, until]).fetchall()
    run = [(ended - requested).total_seconds() * 1000 for requested, ended in rows]
    return {"requested to completed: DSPy, model, journal": round(statistics.median(run), 2)}


def measure(
    systems: Sequence[System], conninfo: str, seconds: float
) -> tuple[list[Row], dict[str, float]]:
    for system in systems:
        system.run(max(CONCURRENCIES), WARM_UP_S)
        system.samples.clear()
        system.cpu_s.clear()
    rows: list[Row] = []
    where: dict[str, float] = {}
    for concurrency in CONCURRENCIES:
        before = _one(conninfo, HEAD)
        for _ in range(ROUNDS):
            for system in systems:
                system.run(concurrency, seconds / ROUNDS)
        stored = _one(conninfo, COUNT, "execution.completed", before)
        if concurrency == 1:
            where = stations(conninfo, before, _one(conninfo, HEAD))
        bare_system, ours = systems
        rows += [bare_system.row(concurrency, None), ours.row(concurrency, stored)]
    return rows, where


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    with (
        tempfile.TemporaryDirectory(prefix="stratal-bench-") as home,
        python("benchmarks.provider") as server,
    ):
        assert server.stdout is not None
        provider = server.stdout.readline().strip()
        with bare(provider) as plain, stratal(provider, Path(home)) as ours:
            conninfo = EmbeddedPostgres(Path(home)).url
            rows, where = measure([plain, ours], conninfo, seconds)
    report(rows, where)


def report(rows: Sequence[Row], where: dict[str, float]) -> None:
    show(
        "Overhead over bare DSPy",
        ["system", "callers", "p50 ms", "p99 ms", "requests/s", "CPU ms", "stored ÷ accepted"],
        [
            [
                row.name,
                str(row.concurrency),
                f"{row.p50_ms:.2f}",
                f"{row.p99_ms:.2f}",
                f"{row.rps:.0f}",
                f"{row.cpu_ms:.2f}",
                "-" if row.stored is None else f"{row.stored / row.accepted:.3f}",
            ]
            for row in rows
        ],
    )
    by = {(row.name, row.concurrency): row for row in rows}
    added = {
        level: round(by["stratal", level].p50_ms - by["bare", level].p50_ms, 2)
        for level in CONCURRENCIES
    }
    ratio = {level: by["stratal", level].rps / by["bare", level].rps for level in CONCURRENCIES}
    cpu = {level: by["stratal", level].cpu_ms / by["bare", level].cpu_ms for level in CONCURRENCIES}
    show(
        "In proportion",
        ["callers", "added p50 ms", "throughput ratio", "CPU ratio"],
        [
            [str(level), f"{added[level]:.2f}", f"{ratio[level]:.2f}", f"{cpu[level]:.2f}"]
            for level in CONCURRENCIES
        ],
    )
    total = by["stratal", 1].p50_ms
    where["the rest: HTTP, validation, append, reply"] = round(total - sum(where.values()), 2)
    show(
        "Where the time goes at one caller (medians)",
        ["station", "ms"],
        [[station, f"{ms:.2f}"] for station, ms in where.items()],
    )
    write("overhead", rows, where)
    plot_overhead("overhead", rows)


def _one(conninfo: str, sql: LiteralString, *params: object) -> int:
    with psycopg.connect(session(conninfo, "bench")) as connection:
        row = connection.execute(sql, params).fetchone()
    assert row is not None
    return int(row[0])


if __name__ == "__main__":
    main()
