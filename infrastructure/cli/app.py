"""The command ``stratal``: every verb, put together from what the composition root gives."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import typer

from infrastructure.cli.database import DatabaseCommands
from infrastructure.cli.doctor import DoctorCommand
from infrastructure.cli.optimize import OptimizeCommand
from infrastructure.cli.resources import ResourceCommands


@dataclass(frozen=True, slots=True)
class Verbs:
    """What the command line can do; ``processes`` are verbs that run until they are stopped."""

    processes: Mapping[str, Callable[..., None]]
    database: DatabaseCommands
    doctor: DoctorCommand
    resources: ResourceCommands
    optimize: OptimizeCommand


def build_app(verbs: Verbs) -> typer.Typer:
    """The command line over *verbs*."""
    app = typer.Typer(
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        help="An event-sourced control plane for DSPy programs.",
    )
    for name, run in verbs.processes.items():
        app.command(name)(run)
    app.add_typer(verbs.database.app(), name="db")
    verbs.resources.add_to(app)
    app.command("optimize")(verbs.optimize.__call__)
    app.command("doctor")(verbs.doctor.__call__)
    return app
