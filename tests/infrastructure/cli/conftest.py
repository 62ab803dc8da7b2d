"""The command line over an API world: each test is a tenant of its own."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from infrastructure.cli.app import Verbs, build_app
from infrastructure.cli.database import DatabaseCommands
from infrastructure.cli.doctor import DoctorCommand, Examination, Finding
from infrastructure.cli.models import ModelCommands
from infrastructure.cli.running import run
from infrastructure.client import Stratal
from tests.support.api import ApiWorld
from tests.support.postgres import copy_of
from tests.support.projecting import read_models
from tests.support.served import Watching, served


@dataclass(frozen=True)
class Said:
    """What a call ended with and printed."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def problem(self) -> Any:
        """What ``--json`` says of a refusal."""
        return json.loads(self.err)


@dataclass
class FakeStatus:
    state: str = "stopped"
    pid: int | None = None
    data: Path = Path("/home/data")
    log: Path = Path("/home/log")
    url: str = "postgresql://here"
    owner_url: str = "postgresql://owner@here"


@dataclass
class FakeServer:
    """A Postgres that only says whether it runs."""

    now: FakeStatus = field(default_factory=FakeStatus)

    def start(self) -> str:
        self.now.state, self.now.pid = "running", 7
        return self.now.url

    def stop(self) -> bool:
        was_running = self.now.state == "running"
        self.now.state, self.now.pid = "stopped", None
        return was_running

    def status(self) -> FakeStatus:
        return self.now


class ModelIsUnknown(Exception):
    code = "model.setting_invalid"


@dataclass
class Bench:
    """What the verbs reach, for a test to change."""

    connect: Callable[[], Stratal]
    server: FakeServer = field(default_factory=FakeServer)
    findings: Sequence[Finding] = (Finding("Python", True, "3.11"),)
    settings: dict[str, str] = field(default_factory=lambda: {"STRATAL_HOME": "/home", "X": ""})
    fetched: set[str] = field(default_factory=set[str])
    served: list[str] = field(default_factory=list[str])

    def verbs(self) -> Verbs:
        return Verbs(
            version=lambda: "1.2.3",
            processes={"serve": self._serve},
            connect=self.connect,
            database=DatabaseCommands(lambda: self.server, lambda: "stratal_service"),
            doctor=DoctorCommand(lambda: Examination(self.settings, self.findings)),
            models=ModelCommands(self._announce, self._fetch),
        )

    def _serve(self) -> None:
        """Serve."""
        self.served.append("served")

    def _announce(self, name: str) -> str | None:
        if name != "small":
            raise ModelIsUnknown(f"No model called {name}.")
        return None if name in self.fetched else "small, 5 MB."

    def _fetch(self, name: str) -> Path:
        self.fetched.add(name)
        return Path("/models/small.gguf")


@pytest.fixture(scope="session")
def world(cluster: str, template: str) -> Iterator[ApiWorld]:
    with copy_of(template, cluster) as conninfo, read_models(conninfo) as models:
        yield ApiWorld(models)


@pytest.fixture(scope="session")
def url(world: ApiWorld) -> Iterator[str]:
    with served(world) as url:
        yield url


@pytest.fixture
def bench(world: ApiWorld, url: str) -> Iterator[Bench]:
    world.has_worker, world.runner.error = True, None
    client = Watching(url, world, tenant=f"t-{uuid4().hex}", actor="ada")
    with client:
        yield Bench(lambda: client)


@pytest.fixture
def stratal(bench: Bench, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """``stratal(*words)``: runs the command line and says what it printed."""

    def call(*words: str) -> Said:
        status = run(build_app(bench.verbs()), words)
        printed = capsys.readouterr()
        return Said(status, printed.out, printed.err)

    return call
