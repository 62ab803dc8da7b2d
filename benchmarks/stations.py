"""Where the time of one execution goes, station by station: ``python -m benchmarks.stations``.

One caller, the same program, provider and machine as ``benchmarks.overhead``. The stations are the
spans that every process exports, so tracing is on, and its cost is in the figures. Beside them are
bare DSPy and a durable commit of Postgres alone, in turns within the same run: what nothing can be
faster than that has two commits in a row.
"""

import http.client
import json
import secrets
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import psycopg

from benchmarks.overhead import System, bare, stratal
from benchmarks.processes import python
from benchmarks.report import save, show
from infrastructure.postgres.embedded import EmbeddedPostgres
from infrastructure.postgres.sessions import session
from tests.support.otlp import Collector, Seen

EXECUTIONS: Final = 300
WARM_UP: Final = 50
PATIENCE_S: Final = 30.0
"""How long spans may be under way; processes export them every few seconds."""

ROUTE: Final = "POST /v1/programs/{program}/execute"
INTAKE: Final = "intake RequestExecution"
JOB: Final = "job RunExecution"
PROGRAM: Final = "program"
MODEL: Final = "chat openai/bench"
APPEND: Final = "append execution"
WHOLE: Final = {ROUTE: 1, INTAKE: 1, JOB: 1, PROGRAM: 1, MODEL: 1, APPEND: 2}
"""How many spans of which name the trace of one execution has."""

COMMIT: Final = "a durable commit of Postgres alone"
BARE: Final = "bare DSPy, the same call"


@dataclass(frozen=True)
class Asked:
    """One request as its caller saw it, in nanoseconds since 1970."""

    trace_id: str
    sent_ns: int
    answered_ns: int


class Caller:
    """One caller with one connection, as a client that is used again and again has it."""

    def __init__(self, system: System) -> None:
        address = urlsplit(system.url)
        self._system, self._path = system, address.path
        self._connection = http.client.HTTPConnection(str(address.hostname), address.port)

    def ask(self) -> Asked:
        """Send a question nobody asked before, as the root of a trace of its own."""
        trace_id = secrets.token_hex(16)
        headers = {
            "Content-Type": "application/json",
            "traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01",
        }
        body = json.dumps(self._system.body(f"What is {trace_id} plus one?"))
        sent_ns = time.time_ns()
        self._connection.request("POST", self._path, body, headers)
        reply = self._connection.getresponse()
        reply.read()
        answered_ns = time.time_ns()
        assert reply.status == 200, f"{self._system.name} answered {reply.status}"
        return Asked(trace_id, sent_ns, answered_ns)


def main() -> None:
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stratal-bench-")))
        server = stack.enter_context(python("benchmarks.provider"))
        assert server.stdout is not None
        provider = server.stdout.readline().strip()
        collector = stack.enter_context(Collector())
        exported = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_METRICS_EXPORTER": "none"}
        plain = Caller(stack.enter_context(bare(provider)))
        ours = Caller(stack.enter_context(stratal(provider, home, exported)))
        commits = Commits(EmbeddedPostgres(home).url)
        stack.callback(commits.close)
        for _ in range(WARM_UP):
            plain.ask(), ours.ask(), commits.commit_ms()
        asked: list[Asked] = []
        beside: dict[str, list[float]] = {BARE: [], COMMIT: []}
        for _ in range(EXECUTIONS):
            asked.append(ours.ask())
            beside[BARE].append(_ms(plain.ask()))
            beside[COMMIT].append(commits.commit_ms())
        report([stations(it, _spans(collector, it)) for it in asked], asked, beside)


class Commits:
    """Durable commits of one small row, as bare as they can be."""

    def __init__(self, conninfo: str) -> None:
        self._connection = psycopg.connect(session(conninfo, "bench"), autocommit=True)
        self._connection.execute("CREATE TABLE IF NOT EXISTS bench (body bytea)")

    def commit_ms(self) -> float:
        """Milliseconds of one."""
        began_s = time.perf_counter()
        self._connection.execute("INSERT INTO bench VALUES (%s)", [bytes(500)], prepare=True)
        return (time.perf_counter() - began_s) * 1000

    def close(self) -> None:
        self._connection.close()


def stations(asked: Asked, spans: Mapping[str, Sequence[Seen]]) -> dict[str, float]:
    """Milliseconds of each station of one execution, in their order; together they are all of it.

    The stations meet at the ends of spans. The caller is woken by the database, which may be before
    the worker knows of its own commit: that station can be a little less than nothing.
    """
    (route,), (intake,), (job,), (program,), (model,) = (
        spans[it] for it in (ROUTE, INTAKE, JOB, PROGRAM, MODEL)
    )
    requested, ended = spans[APPEND]
    ends = {
        "HTTP, in": route.began_ns,
        "API: reads it, hands it over": intake.began_ns,
        "worker: loads the program, checks": requested.began_ns,
        "append: requested and started (commit)": requested.ended_ns,
        "worker: a thread takes the job": job.began_ns,
        "worker: loads the version": program.began_ns,
        "DSPy: prompt": model.began_ns,
        "the model, over HTTP": model.ended_ns,
        "DSPy: answer": program.ended_ns,
        "worker: the outcome": ended.began_ns,
        "append: call and end (commit)": ended.ended_ns,
        "API: woken, reads the log, replies": route.ended_ns,
        "HTTP, out": asked.answered_ns,
    }
    times = [asked.sent_ns, *ends.values()]
    return {
        name: (end - begin) / 1e6 for name, begin, end in zip(ends, times, times[1:], strict=False)
    }


def report(
    each: Sequence[Mapping[str, float]],
    asked: Sequence[Asked],
    beside: Mapping[str, Sequence[float]],
) -> None:
    """Print and write medians."""
    medians = {name: round(statistics.median(it[name] for it in each), 2) for name in each[0]}
    whole = round(statistics.median(map(_ms, asked)), 2)
    alone = {name: round(statistics.median(times), 2) for name, times in beside.items()}
    rows = [[name, f"{ms:.2f}"] for name, ms in (medians | {"in all": whole} | alone).items()]
    show("One execution with one caller, medians", ["station", "ms"], rows)
    save("stations", {"stations_ms": medians, "in_all_ms": whole, "beside_ms": alone})


def _spans(collector: Collector, asked: Asked) -> Mapping[str, Sequence[Seen]]:
    """The spans of one trace by name, those of one name in their order, once all have come."""
    gives_up_s = time.monotonic() + PATIENCE_S
    while True:
        found: dict[str, list[Seen]] = defaultdict(list)
        for span in sorted(collector.of_trace(asked.trace_id), key=lambda it: it.began_ns):
            found[span.name].append(span)
        if {name: len(spans) for name, spans in found.items()}.items() >= WHOLE.items():
            return found
        assert time.monotonic() < gives_up_s, f"of {asked.trace_id} there is only {dict(found)}"
        time.sleep(0.1)


def _ms(asked: Asked) -> float:
    return (asked.answered_ns - asked.sent_ns) / 1e6


if __name__ == "__main__":
    main()
