"""The API as its process wires it, over a real log behind its walls, and what works for it."""

from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import JsonValue

from application.circuits import Circuits
from application.extensions import NoPlugins
from application.tool_ports import NoTools
from infrastructure import bootstrap
from infrastructure.api.app import create_app
from infrastructure.api.dependencies import ApiDependencies
from infrastructure.api.execution_views import ExecutionDetail
from infrastructure.api.live import LiveHub
from infrastructure.api.streams import Streams
from infrastructure.eventstore.projector import ProjectionRunner
from infrastructure.graphql.server import GraphQl
from infrastructure.line.client import Line
from infrastructure.main.api import dependencies
from infrastructure.notary.follower import Notary
from infrastructure.notary.keys import signer
from infrastructure.notary.publishing import Publisher
from infrastructure.postgres.attempts import AttemptLog
from infrastructure.postgres.live import live_of
from infrastructure.postgres.sessions import session
from infrastructure.postgres.waiters import Waiters
from infrastructure.settings import Settings
from infrastructure.system import SystemClock
from infrastructure.workers.jobs import Job, decoded
from infrastructure.workers.lanes import LANES
from projections.registry import PROJECTIONS
from tests.support.probes import FakeProber
from tests.support.run_world import (
    ScriptedEvaluator,
    ScriptedOptimizer,
    ScriptedProgram,
    WorldEngine,
)

_LEARNED: dict[str, JsonValue] = {
    "predict": {
        "demos": [],
        "signature": {
            "instructions": "Route it.",
            "fields": [
                {"prefix": "Message:", "description": "${message}"},
                {"prefix": "Queue:", "description": "${queue}"},
            ],
        },
    }
}


_COMMANDS = {command.__name__: command for command in LANES}


class ScriptedRuntime:
    """A runtime without a model: programs ask twice and answer."""

    def __init__(self) -> None:
        runner, self.prober = ScriptedProgram(asks=["one", "two"]), FakeProber()
        optimizer = ScriptedOptimizer(runner, found=_LEARNED)
        self.engine = WorldEngine(runner, ScriptedEvaluator(runner), optimizer)
        self.toolbox, self.plugins = NoTools(), NoPlugins()
        self.circuits = Circuits()

    def close(self) -> None:
        """Nothing was started."""


@dataclass
class Walled:
    """One process that is API, worker, projector and notary; the last three work in ``settle``."""

    database: str
    system: bootstrap.System
    app: FastAPI
    projector: ProjectionRunner
    notary: Notary
    clients: ExitStack
    queued: list[tuple[str, bytes]] = field(default_factory=list[tuple[str, bytes]])
    """Every message that was ever queued, with its tenant."""

    def client(self, tenant: str, actor: str = "ann") -> TestClient:
        """The API as *tenant* sees it."""
        headers = {"X-Stratal-Tenant": tenant, "X-Stratal-Actor": actor}
        return self.clients.enter_context(TestClient(self.app, headers=headers))

    @staticmethod
    def app_over(deps: ApiDependencies) -> FastAPI:
        """The API over *deps*."""
        return create_app(deps, GraphQl(ExecutionDetail))

    def settle(self) -> None:
        """Carry out what was asked for and what follows of it; fold and sign all of it."""
        while jobs := self._jobs():
            for job in jobs:
                self.system.dispatch(job.command, job.envelope(None))
        while self.projector.step():
            pass
        self.notary.step()

    def _jobs(self) -> Sequence[Job]:
        taken = "DELETE FROM stratal.jobs RETURNING id, message"
        with psycopg.connect(session(self.database, "jobs")) as connection:
            messages = [bytes(row[1]) for row in sorted(connection.execute(taken).fetchall())]
        jobs = [_job(each) for each in messages]
        self.queued += [(it.context.tenant, m) for it, m in zip(jobs, messages, strict=True)]
        return jobs


@contextmanager
def walled(database: str, home: Path) -> Generator[Walled, None, None]:
    """The service over the *database*, whose notary keeps its key in *home*."""
    settings = Settings(
        database_url=database,
        home=home,
        modules="acme_rag",
        tools="shop.tools",
        webhook_hosts="hooks.example.com",
        provider_keys="OPENAI_API_KEY@api.openai.com",
    )
    runtime, streams = ScriptedRuntime(), Streams()

    def scripted(*_: object) -> ScriptedRuntime:
        return runtime

    with (
        bootstrap.system(settings, "api", connections=4, runtime=scripted) as system,
        AttemptLog(system.whole) as attempts,
    ):
        notary = Notary(
            session(database, "notary"), signer(None, home), Publisher(None, None), SystemClock()
        )
        projector = ProjectionRunner(session(database, "projector"), PROJECTIONS)
        line = Line(home)
        app = Walled.app_over(
            dependencies(system, Waiters(), streams, LiveHub(live_of), attempts, line)
        )
        with ExitStack() as clients:
            clients.callback(projector.close)
            clients.callback(notary.close)
            yield Walled(database, system, app, projector, notary, clients)


def _job(message: bytes) -> Job:
    read = decoded(message)
    kwargs: dict[str, Any] = read.kwargs
    assert UUID(kwargs["id"])
    return Job.read(_COMMANDS[read.actor_name], **kwargs)
