"""The whole of Stratal as real processes: projector, workers and API, which a test may kill."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import httpx2
import psycopg
import pytest

from projections.registry import PROJECTIONS
from tests.support.scripted_lm import ScriptedLmServer

T = TypeVar("T")

READY_S: Final = 90.0
"""Three interpreters start at once, on a machine that may be busy with other tests."""

ROOT: Final = Path(__file__).parents[2]
ENDED: Final = frozenset({"completed", "failed", "cancelled"})
LISTS: Final = (
    "/v1/signatures",
    "/v1/modules",
    "/v1/programs",
    "/v1/datasets",
    "/v1/bindings",
    "/v1/records/post",
    "/v1/workflows",
    "/v1/workflow-runs",
    "/v1/executions",
    "/v1/optimizations",
    "/v1/evaluations",
    "/v1/probes",
    "/v1/lm-calls",
    "/v1/usage",
    "/v1/audit",
)
"""Every list that the read models answer."""


class Http:
    """The API as *tenant*, for a test: what is not as expected fails the test and shows why."""

    def __init__(self, base: str, *, tenant: str, actor: str = "ann") -> None:
        self.tenant = tenant
        self._client = httpx2.Client(
            base_url=base,
            headers={"X-Stratal-Tenant": tenant, "X-Stratal-Actor": actor},
            timeout=60,
            trust_env=False,
        )

    def send(self, method: str, path: str, **request: Any) -> httpx2.Response:
        """The reply, whatever it says."""
        return self._client.request(method, path, **request)

    def get(self, path: str, **query: Any) -> Any:
        """The body of a good reply."""
        return _good(self.send("GET", path, params=query or None))

    def post(
        self,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        **query: Any,
    ) -> Any:
        """The body of a good reply to *body*: JSON, or text as the headers declare it."""
        return _good(self._posted(path, body, headers, query))

    def begin(self, path: str, body: object, **query: Any) -> str:
        """Where to see what a good reply to *body* began; the read models wait for it there."""
        reply = self._posted(path, body, None, query)
        _good(reply)
        return reply.headers["Location"]

    def follow(self, path: str, *, timeout_s: float = 120) -> Any:
        """The run at *path* once it has ended."""
        return until(
            lambda: self.get(path),
            lambda run: run["status"] in ENDED,
            timeout_s=timeout_s,
            every_s=0.25,
        )

    def pages(self, path: str, **query: Any) -> list[Any]:
        """The items of every page."""
        page = self.get(path, **query)
        items = list(page["items"])
        while page["next"] is not None:
            page = self.get(path, **query, cursor=page["next"])
            items += page["items"]
        return items

    def events(self) -> list[Any]:
        """The tenant's whole log, as the feed tells it."""
        found: list[Any] = []
        while (feed := self.get("/v1/events", after=found[-1]["position"] if found else 0))[
            "items"
        ]:
            found += feed["items"]
        return found

    def close(self) -> None:
        self._client.close()

    def _posted(
        self, path: str, body: object, headers: Mapping[str, str] | None, query: Mapping[str, Any]
    ) -> httpx2.Response:
        content = {"content": body} if isinstance(body, str) else {"json": body}
        sent: dict[str, Any] = {} if body is None else content
        return self.send("POST", path, headers=headers, params=query or None, **sent)


class Process:
    """One process of the service, with its output in a file of its own."""

    def __init__(self, name: str, argv: Sequence[str], environment: Mapping[str, str], log: Path):
        self.name, self.log = name, log
        self._argv, self._environment = argv, environment
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, *self._argv],
                env=self._environment,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def kill(self) -> None:
        """End it as a power cut would; it is gone when this returns."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def terminate(self) -> None:
        if self._process is not None:
            self._process.terminate()

    def join(self, timeout_s: float) -> None:
        """Wait for its end; past *timeout_s* it is killed."""
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout_s)
            self.kill()

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def children(self) -> list[int]:
        """The ids of the processes it started and has not yet buried."""
        return [
            int(each.parent.name)
            for each in Path("/proc").glob("[0-9]*/stat")
            if self._is_parent_of(each)
        ]

    def _is_parent_of(self, stat: Path) -> bool:
        with suppress(FileNotFoundError, ProcessLookupError):
            return int(stat.read_text().rpartition(")")[2].split()[1]) == self.pid
        return False


class Service:
    """A projector, an API and *workers* on *database*, while the ``with`` block runs."""

    def __init__(
        self,
        database: str,
        lm: ScriptedLmServer,
        *,
        workers: int = 1,
        worker_argv: Sequence[str] = ("-m", "infrastructure.main.worker"),
        supervised: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """With *supervised*, one process, ``serve``, starts the others and keeps them alive."""
        self.database, self.lm = database, lm
        self.home = Path(tempfile.mkdtemp(prefix="stratal-service-"))
        self.url = f"http://127.0.0.1:{_free_port()}"
        told = self._environment() | dict(environment or {})
        alone: dict[str, Sequence[str]] = {
            "projector": ("-m", "infrastructure.main.projector"),
            "api": ("-m", "infrastructure.main.api"),
            **{f"worker-{number}": worker_argv for number in range(1, workers + 1)},
        }
        serve = {"serve": ("-m", "infrastructure.main.cli", "serve")}
        self.processes = {
            name: Process(name, argv, told, self.home / f"{name}.log")
            for name, argv in (serve if supervised else alone).items()
        }
        self._clients: list[Http] = []

    def __enter__(self) -> Self:
        for process in self.processes.values():
            process.start()
        try:
            self.wait_until_ready()
        except BaseException as error:
            error.add_note(self.logs())
            self.close()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End every process; none of them outlives this."""
        for client in self._clients:
            client.close()
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.join(15)
        shutil.rmtree(self.home, ignore_errors=True)

    def http(self, tenant: str | None = None, *, actor: str = "ann") -> Http:
        """The API as *tenant*, or as one that nobody was before."""
        http = Http(self.url, tenant=tenant or f"t-{secrets.token_hex(6)}", actor=actor)
        self._clients.append(http)
        return http

    def worker_with(self, pid: int) -> Process:
        """The worker whose process id is *pid*."""
        return next(each for each in self.processes.values() if each.pid == pid)

    def kill(self, name: str) -> None:
        self.processes[name].kill()

    def restart(self, name: str) -> None:
        """Start again what was killed."""
        self.processes[name].start()

    def wait_until_ready(self, timeout_s: float = READY_S) -> float:
        """Wait for the API and every read model; return how many seconds that took."""
        began = time.monotonic()
        with httpx2.Client(base_url=self.url, timeout=10, trust_env=False) as client:

            def ready() -> bool:
                assert all(each.is_alive for each in self.processes.values()), "A process ended."
                with suppress(httpx2.TransportError):
                    reply = client.get("/readyz")
                    return reply.is_success and len(reply.json()["projections"]) == len(PROJECTIONS)
                return False

            until(ready, bool, timeout_s=timeout_s)
        return time.monotonic() - began

    def head(self) -> int:
        """The position of the last event of anybody."""
        return int(self.rows("SELECT coalesce(max(notification_id), 0) FROM stratal.events")[0][0])

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the database says; for what no route tells."""
        with psycopg.connect(self.database, autocommit=True) as connection:
            return connection.execute(query.encode()).fetchall()

    def logs(self, *, lines: int = 60) -> str:
        """The last *lines* of what each process said."""
        parts: list[str] = []
        for name, process in self.processes.items():
            if process.log.exists():
                told = process.log.read_text(errors="replace").splitlines()[-lines:]
                parts.append("\n".join([f"--- {name}", *told]))
        return "\n".join(parts)

    def _environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("STRATAL_", "OTEL_", "COV_", "PYTEST_"))
        }
        told = {
            "HOME": self.home,
            "DATABASE_URL": self.database,
            "HOST": "127.0.0.1",
            "PORT": self.url.rpartition(":")[2],
            "LM": "openai/gpt-4o-mini",
            "LM_API_BASE": self.lm.url,
            "LM_API_KEY": "sk-of-a-test",
        }
        return kept | {f"STRATAL_{name}": str(value) for name, value in told.items()}


def until(
    look: Callable[[], T], good: Callable[[T], object], *, timeout_s: float, every_s: float = 0.1
) -> T:
    """What *look* sees once it is *good*."""
    deadline_s = time.monotonic() + timeout_s
    while not good(seen := look()):
        assert time.monotonic() < deadline_s, f"Not within {timeout_s} s; the last look saw {seen}"
        time.sleep(every_s)
    return seen


def kill(pid: int) -> None:
    """End a process that a test's own service started, as a power cut would."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def is_running(pid: int) -> bool:
    """Whether the process *pid* can still do anything; a zombie cannot."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the processes said beside a failure. A ``conftest.py`` imports this."""
    del call
    report = yield
    if report.failed:
        for each in item.funcargs.values():
            if isinstance(each, Service):
                report.sections.append(("processes of the service", each.logs()))
    return report


def _good(reply: httpx2.Response) -> Any:
    assert reply.is_success, f"{reply.request.method} {reply.request.url}: {reply.text}"
    return reply.json()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
