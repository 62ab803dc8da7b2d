"""The command ``stratal``: every verb, put together from what the composition root gives."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

import typer

from infrastructure.cli.applying import ManifestCommands
from infrastructure.cli.audit import AuditCommands
from infrastructure.cli.batches import BatchCommands
from infrastructure.cli.bindings import BindingCommands
from infrastructure.cli.budgets import BudgetCommands
from infrastructure.cli.caches import CacheCommands
from infrastructure.cli.calls import CallCommands
from infrastructure.cli.clients import ClientCommands
from infrastructure.cli.comparisons import DiffCommands
from infrastructure.cli.connection import Connect
from infrastructure.cli.counterfactuals import CounterfactualCommands
from infrastructure.cli.database import DatabaseCommands
from infrastructure.cli.datasets import DatasetCommands
from infrastructure.cli.doctor import DoctorCommand
from infrastructure.cli.drawings import DrawingCommands
from infrastructure.cli.executions import ExecutionCommands
from infrastructure.cli.keys import KeyCommands
from infrastructure.cli.models import ModelCommands
from infrastructure.cli.own_modules import OwnModuleCommands
from infrastructure.cli.prices import PriceCommands
from infrastructure.cli.programs import ProgramCommands
from infrastructure.cli.projections import ProjectionCommands
from infrastructure.cli.proposals import ProposalCommands
from infrastructure.cli.providers import ProviderCommands
from infrastructure.cli.queues import QueueCommands
from infrastructure.cli.records import RecordCommands
from infrastructure.cli.routes import RouteCommands
from infrastructure.cli.runs import RunCommands
from infrastructure.cli.signatures import SignatureCommands
from infrastructure.cli.tools import ToolCommands
from infrastructure.cli.trail import TrailCommands
from infrastructure.cli.versions import VersionCommands
from infrastructure.cli.webhooks import WebhookCommands
from infrastructure.cli.workflows import WorkflowCommands


@dataclass(frozen=True, slots=True)
class Verbs:
    """What the command line can do; ``processes`` are verbs that run until they are stopped."""

    version: Callable[[], str]
    processes: Mapping[str, Callable[..., None]]
    connect: Connect
    audit: AuditCommands
    database: DatabaseCommands
    doctor: DoctorCommand
    keys: KeyCommands
    models: ModelCommands
    own_modules: OwnModuleCommands
    projections: ProjectionCommands
    queues: QueueCommands
    signatures: SignatureCommands


def build_app(verbs: Verbs) -> typer.Typer:
    """The command line over *verbs*."""
    app = typer.Typer(
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        help="An event-sourced control plane for DSPy programs.",
    )
    app.callback()(_options(verbs.version))
    for name, run in verbs.processes.items():
        app.command(name)(run)
    runs = RunCommands(verbs.connect)
    app.command("evaluate")(runs.evaluate)
    app.command("optimize")(runs.optimize)
    manifests = ManifestCommands(verbs.connect)
    app.command("plan")(manifests.plan)
    app.command("apply")(manifests.apply)
    calls = CallCommands(verbs.connect)
    app.command("calls")(calls.calls)
    app.command("costs")(PriceCommands(verbs.connect).costs)
    app.command("doctor")(verbs.doctor.__call__)
    audit, trail = verbs.audit.app(), TrailCommands(verbs.connect)
    audit.command("download")(trail.download)
    app.command("events")(trail.events)
    app.command("history")(trail.history)
    app.add_typer(audit, name="audit")
    signatures = verbs.signatures.app()
    signatures.command("diff")(DiffCommands(verbs.connect).signatures)
    app.add_typer(signatures, name="signature")
    app.command("plugins")(verbs.own_modules.plugins)
    app.add_typer(_programs(verbs), name="program")
    for name, verbs_of_it in _of_the_api(verbs.connect).items():
        app.add_typer(verbs_of_it, name=name)
    app.add_typer(verbs.keys.app(), name="key")
    app.add_typer(verbs.models.app(), name="model")
    app.add_typer(verbs.projections.app(), name="projections")
    app.add_typer(verbs.queues.app(), name="queue")
    app.add_typer(verbs.database.app(), name="db")
    return app


def _programs(verbs: Verbs) -> typer.Typer:
    """The verbs of programs, wherever they come from."""
    programs = ProgramCommands(verbs.connect).app()
    programs.command("add")(verbs.own_modules.add)
    programs.command("draw")(DrawingCommands(verbs.connect).draw)
    programs.command("diff")(DiffCommands(verbs.connect).versions)
    programs.command("batch")(BatchCommands(verbs.connect).request)
    VersionCommands(verbs.connect).add_to(programs)
    return programs


def _of_the_api(connect: Connect) -> Mapping[str, typer.Typer]:
    """The verbs that only ask the API, by what they are about."""
    return {
        "tool": ToolCommands(connect).app(),
        "workflow": WorkflowCommands(connect).app(),
        "webhook": WebhookCommands(connect).app(),
        "record": RecordCommands(connect).app(),
        "binding": BindingCommands(connect).app(),
        "dataset": DatasetCommands(connect).app(),
        "proposal": ProposalCommands(connect).app(),
        "batch": _batches(connect),
        "budget": BudgetCommands(connect).app(),
        "cache": CacheCommands(connect).app(),
        "provider": ProviderCommands(connect).app(),
        "route": RouteCommands(connect).app(),
        "price": PriceCommands(connect).app(),
        "execution": ExecutionCommands(connect).app(),
        "client": ClientCommands(connect).app(),
    }


def _batches(connect: Connect) -> typer.Typer:
    batches = BatchCommands(connect).app()
    batches.command("compare")(CounterfactualCommands(connect).compare)
    return batches


def _options(version: Callable[[], str]) -> Callable[..., None]:
    def show(wanted: bool) -> None:
        if wanted:
            typer.echo(f"stratal {version()}")
            raise typer.Exit

    def options(
        *,
        shown: Annotated[
            bool,
            typer.Option("--version", callback=show, is_eager=True, help="Say the version."),
        ] = False,
    ) -> None:
        del shown

    return options
