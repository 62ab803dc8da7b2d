"""The command line over an API world: each test is a tenant of its own."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain.signature.from_table import Column, Table
from infrastructure.cli.app import Verbs, build_app
from infrastructure.cli.audit import AuditCommands, Examined
from infrastructure.cli.database import DatabaseCommands
from infrastructure.cli.doctor import DoctorCommand, Examination, Finding
from infrastructure.cli.keys import FirstKey, KeyCommands
from infrastructure.cli.models import ModelCommands
from infrastructure.cli.own_modules import OwnModuleCommands
from infrastructure.cli.projections import ProjectionCommands, Report, Told
from infrastructure.cli.queues import QueueCommands
from infrastructure.cli.running import run
from infrastructure.cli.signatures import SignatureCommands
from infrastructure.client import Stratal
from infrastructure.offers import Offer
from tests.support.api import ApiWorld
from tests.support.postgres import copy_of
from tests.support.probes import FINDINGS
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


@dataclass
class FakeQueues:
    """One queue, and one job that was given up."""

    paused_because: str | None = None
    retried: list[UUID] = field(default_factory=list[UUID])

    def states(self) -> list[Report]:
        counts = {"waiting": 3, "running": 2, "dead": 1}
        return [{"queue": "notes", **counts, "paused_because": self.paused_because}]

    def dead(self) -> list[Report]:
        about = {"queue": "notes", "command": "Note", "tenant": "acme", "error": "a bug"}
        return [{"job_id": str(UUID(int=5)), "dead_at": "2030-01-01", **about}]

    def pause(self, queue: str, reason: str) -> None:
        self.paused_because = f"{queue}: {reason}"

    def resume(self, queue: str) -> None:
        del queue
        self.paused_because = None

    def retry(self, job_id: UUID) -> str:
        self.retried.append(job_id)
        return "Note"


@dataclass
class FakeOffice:
    """Read models that are as a test says."""

    lag: Report = field(
        default_factory=lambda: {
            "name": "board",
            "version": 2,
            "live": True,
            "state": "live",
            "position": 7,
            "head": 9,
            "behind": 2,
            "behind_s": 0.5,
            "heartbeat_age_s": 0.25,
            "parked": 0,
            "why": None,
        }
    )
    found: Report = field(
        default_factory=lambda: {
            "name": "board",
            "version": 2,
            "position": 7,
            "parked": 0,
            "differences": [],
            "is_well": True,
        }
    )
    built: Report = field(
        default_factory=lambda: {
            "name": "board",
            "version": 2,
            "position": 7,
            "verified_against": "live tables",
            "differed": [],
        }
    )
    still: int = 0

    def names(self) -> Sequence[str]:
        return ["board"]

    def lags(self) -> Sequence[Report]:
        return [self.lag]

    def verify(self, name: str, told: Told) -> Report:
        told(7, 7)
        return self.found | {"name": name}

    def rebuild(self, name: str, told: Told) -> Report:
        told(7, 7)
        return self.built | {"name": name}

    def replay(self, name: str) -> Report:
        return {"name": name, "folded": 3, "parked": self.still}


class ModelIsUnknown(Exception):
    code = "model.setting_invalid"


@dataclass
class Bench:
    """What the verbs reach, for a test to change."""

    connect: Callable[[], Stratal]
    server: FakeServer = field(default_factory=FakeServer)
    office: FakeOffice = field(default_factory=FakeOffice)
    findings: Sequence[Finding] = (Finding("Python", True, "3.11"),)
    settings: dict[str, str] = field(default_factory=lambda: {"STRATAL_HOME": "/home", "X": ""})
    offers: Sequence[Offer] = ()
    queues: FakeQueues = field(default_factory=FakeQueues)
    is_untouched: bool = True
    fetched: set[str] = field(default_factory=set[str])
    served: list[str] = field(default_factory=list[str])

    def verbs(self) -> Verbs:
        return Verbs(
            version=lambda: "1.2.3",
            processes={"serve": self._serve},
            connect=self.connect,
            audit=AuditCommands(self.connect, self._examine, self._bundle),
            database=DatabaseCommands(lambda: self.server, lambda: "stratal_service"),
            doctor=DoctorCommand(lambda: Examination(self.settings, self.findings)),
            keys=KeyCommands(self.connect, self._first_key),
            models=ModelCommands(self._announce, self._fetch),
            own_modules=OwnModuleCommands(self.connect, lambda: self.offers),
            projections=ProjectionCommands(lambda: nullcontext(self.office)),
            queues=QueueCommands(lambda: nullcontext(self.queues)),
            signatures=SignatureCommands(self.connect, self._table),
        )

    def _examine(
        self, keys: Sequence[str], checkpoints: Sequence[Path], progress: Callable[[int], None]
    ) -> Examined:
        progress(7)
        told = {"keys": [*keys], "checkpoints": [str(each) for each in checkpoints]}
        return Examined(["read 7 events"], self.is_untouched, told)

    def _bundle(self, out: Path, start: int, progress: Callable[[int], None]) -> str:
        progress(7)
        return f"{out} from {start}"

    def _serve(self) -> None:
        """Serve."""
        self.served.append("served")

    def _first_key(self, name: str, tenant: str, days: int) -> FirstKey:
        return FirstKey("7", f"key of {name}, {tenant}, {days} days")

    def _table(self, url: str, name: str, levels: int) -> Table:
        if url != "postgresql://there":
            raise ModelIsUnknown(f"Nothing answers at {url}.")
        author = Table("people", (Column("name", "text", True),)) if levels else None
        columns = (
            Column("title", "text", True),
            Column("author_id", "uuid", True, refers_to=author),
            Column("summary", "text", False),
        )
        return Table(name, columns)

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
    world.prober.refusal, world.prober.findings = None, FINDINGS
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
