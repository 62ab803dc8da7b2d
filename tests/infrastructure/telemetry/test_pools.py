"""What the pools of a process tell whoever watches them."""

import gc
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg
import pytest
from dspy._vendor.lm15.transports import TransportRequest
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from application.tracing import NoTracing
from infrastructure.models.transport import BoundedTransport
from infrastructure.pools import POOLS, Pools, PoolState
from infrastructure.postgres.pool import open_pool
from infrastructure.telemetry.metrics import metered
from infrastructure.telemetry.setup import ExporterIsUnknown, build_metrics

LENT = PoolState(
    kind="http", name="p", limit=8, connections=3, in_use=2, waiting=1, waits=5, timeouts=1
)


class Owner:
    """Something that has a pool."""


class Slow:
    """A server on the loopback that answers when it is told to."""

    def __init__(self) -> None:
        self.is_asked, self.may_answer = threading.Event(), threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    def ask(self, transport: BoundedTransport) -> None:
        url = f"http://127.0.0.1:{self.server.server_address[1]}/"
        with transport.stream(TransportRequest(method="POST", url=url, body=b"?")) as reply:
            assert b"".join(reply) == b"!"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        slow = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                slow.is_asked.set()
                slow.may_answer.wait(30)
                self.send_response(200)
                self.send_header("Content-Length", "1")
                self.end_headers()
                self.wfile.write(b"!")

            def log_message(self, format: str, *args: object) -> None:
                del format, args

        return Handler


@pytest.fixture
def slow() -> Iterator[Slow]:
    """The server while the test runs."""
    slow = Slow()
    slow.server.daemon_threads = True
    thread = threading.Thread(target=slow.server.serve_forever, args=(0.1,), daemon=True)
    thread.start()
    yield slow
    slow.may_answer.set()
    slow.server.shutdown()
    slow.server.server_close()
    thread.join(10)


def collected(pools: Pools) -> Mapping[str, list[tuple[Mapping[str, Any], int]]]:
    """What a reader sees: the points of each metric by its name."""
    reader = InMemoryMetricReader()
    provider = metered("worker", None, [reader], pools.states)
    try:
        found: Any = reader.get_metrics_data()
        assert found.resource_metrics[0].resource.attributes["service.name"] == "stratal-worker"
        return {
            metric.name: [(point.attributes, point.value) for point in metric.data.data_points]
            for scope in found.resource_metrics[0].scope_metrics
            for metric in scope.metrics
        }
    finally:
        provider.shutdown()


@pytest.mark.feature("BRG-16")
def test_brg_16_every_figure_of_a_pool_is_a_metric() -> None:
    pools, owner, other = Pools(), Owner(), Owner()
    pools.watch(owner, lambda _: LENT)
    pools.watch(other, lambda _: LENT)  # of the same name: told together
    found = collected(pools)
    assert {name: points[0][1] for name, points in found.items()} == {
        "stratal.pool.limit": 16,
        "stratal.pool.connections": 6,
        "stratal.pool.in_use": 4,
        "stratal.pool.waiting": 2,
        "stratal.pool.waits": 10,
        "stratal.pool.timeouts": 2,
    }
    assert {len(points) for points in found.values()} == {1}
    assert dict(found["stratal.pool.waits"][0][0]) == {"kind": "http", "name": "p"}


def test_a_pool_that_closed_or_is_gone_is_told_of_no_more() -> None:
    pools, gone, closed = Pools(), Owner(), Owner()
    pools.watch(gone, lambda _: LENT)
    pools.watch(closed, lambda _: None)
    assert list(pools.states()) == [LENT]
    del gone
    gc.collect()
    assert list(pools.states()) == []


@pytest.mark.postgres
@pytest.mark.feature("BRG-16")
def test_brg_16_the_pool_of_the_database_tells_who_waits(database: str) -> None:
    def state() -> PoolState:
        return next(each for each in POOLS.states() if each.name == "watched")

    with open_pool(database, min_size=1, max_size=1, name="watched") as pool:
        assert (state().kind, state().limit, state().in_use) == ("database", 1, 0)
        with pool.connection():
            assert (state().connections, state().in_use, state().waits) == (1, 1, 0)
            with pytest.raises(psycopg.OperationalError), pool.connection(timeout=0.05):
                pass
            assert (state().waits, state().timeouts) == (1, 1)
    assert "watched" not in {each.name for each in POOLS.states()}


@pytest.mark.feature("BRG-16")
def test_brg_16_the_connections_to_a_provider_tell_who_waits(slow: Slow) -> None:
    transport = BoundedTransport(
        name="watched-http", max_connections=1, pool_timeout=30.0, connect_timeout=10.0
    )

    def state() -> PoolState:
        return next(each for each in POOLS.states() if each.name == "watched-http")

    assert (state().limit, state().connections) == (1, 0)
    first, second = (threading.Thread(target=slow.ask, args=(transport,)) for _ in range(2))
    first.start()
    slow.is_asked.wait(30)
    assert (state().in_use, state().waiting) == (1, 0)
    second.start()
    while not state().waiting:
        time.sleep(0.01)
    slow.may_answer.set()
    first.join(30)
    second.join(30)
    assert (state().in_use, state().waiting, state().waits, state().timeouts) == (0, 0, 1, 0)
    transport.close()
    assert "watched-http" not in {each.name for each in POOLS.states()}


def test_without_variables_no_sdk_is_imported() -> None:
    code = (
        "import sys; from infrastructure.pools import POOLS;"
        "from infrastructure.telemetry.setup import build_metrics;"
        "build_metrics('api', POOLS.states, None, {});"
        "sys.exit('opentelemetry.sdk' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_unknown_exporter_is_refused_by_name() -> None:
    with pytest.raises(ExporterIsUnknown, match="OTEL_METRICS_EXPORTER=statsd"):
        build_metrics("api", POOLS.states, NoTracing(), {"OTEL_METRICS_EXPORTER": "statsd"})
