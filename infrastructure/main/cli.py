"""The entry point of ``stratal``: the command line over this machine's settings."""

import importlib
import logging
import os
import platform
import socket
import sys
from collections.abc import Callable
from getpass import getuser
from typing import Annotated

import psycopg
import typer

from application.tracing import NoTracing
from infrastructure.cli.app import Verbs, build_app
from infrastructure.cli.database import DatabaseCommands
from infrastructure.cli.doctor import DoctorCommand, Finding
from infrastructure.cli.optimize import OptimizeCommand
from infrastructure.cli.output import refuse
from infrastructure.cli.resources import ResourceCommands
from infrastructure.client import Stratal, StratalProblem, StratalUnreachable
from infrastructure.postgres.embedded import EmbeddedPostgres
from infrastructure.postgres.errors import PostgresError
from infrastructure.postgres.safety import check_server
from infrastructure.settings import Settings

OLDEST_PYTHON = (3, 11)


def main() -> None:
    """Run the command line; what is refused is said in a sentence, never as a stack trace."""
    as_json = "--json" in sys.argv
    try:
        settings = Settings.from_environment()
        build_app(_verbs(settings))()
    except StratalProblem as problem:
        faults = [f"{each.pointer or '/'}: {each.message}" for each in problem.faults]
        _end(problem.code, problem.detail, faults, as_json=as_json)
    except Exception as error:
        # Every refusal of ours carries a code; anything else is a defect and keeps its trace.
        if not isinstance(code := getattr(error, "code", None), str):
            raise
        _end(code, str(error), [], as_json=as_json)


def _verbs(settings: Settings) -> Verbs:
    def connect() -> Stratal:
        host = "127.0.0.1" if settings.host in {"0.0.0.0", "::"} else settings.host  # noqa: S104 - compared, not bound
        return Stratal(f"http://{host}:{settings.port}", actor=_actor())

    return Verbs(
        processes={
            "serve": _serve,
            "api": _process("api", "Serve the HTTP API alone."),
            "worker": _process("worker", "Carry out queued work alone."),
            "projector": _process("projector", "Keep the read models alone."),
            "demo": _demo,
        },
        database=DatabaseCommands(EmbeddedPostgres(settings.home)),
        doctor=DoctorCommand(
            settings.shown,
            (
                _python,
                lambda: _home(settings),
                lambda: _database(settings),
                lambda: _model(settings),
                lambda: _port(settings),
            ),
        ),
        resources=ResourceCommands(connect),
        optimize=OptimizeCommand(connect),
    )


def _serve() -> None:
    """Run everything on this machine: Postgres, API, worker and projector. Ctrl-C stops it."""
    from infrastructure.main.serve import serve  # noqa: PLC0415 - only this verb needs it

    logging.basicConfig(level=logging.INFO, format="%(asctime)s serve %(message)s")
    serve(Settings.from_environment())


def _demo(
    *, yes: Annotated[bool, typer.Option("--yes", help="Answer yes to a download.")] = False
) -> None:
    """Take one program from signature to audited, replayed execution, and say what happened."""
    from infrastructure.main.demo import demo  # noqa: PLC0415 - only this verb needs it

    demo(Settings.from_environment(), agreed=yes)


def _process(role: str, about: str) -> Callable[[], None]:
    def run() -> None:
        importlib.import_module(f"infrastructure.main.{role}").main()

    run.__doc__ = about
    return run


def _python() -> Finding:
    return Finding(
        "Python",
        sys.version_info >= OLDEST_PYTHON,
        platform.python_version(),
        "Install Python 3.11 or newer and run `make setup`.",
    )


def _home(settings: Settings) -> Finding:
    nearest = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    return Finding(
        "home",
        os.access(nearest, os.W_OK),
        str(settings.home),
        f"{nearest} cannot be written by {getuser()}. Set STRATAL_HOME to a directory of yours.",
    )


def _database(settings: Settings) -> Finding:
    embedded = EmbeddedPostgres(settings.home)
    if settings.database_url is None and embedded.status().state == "stopped":
        return Finding("database", True, "embedded, not running now")
    url = settings.database_url or embedded.url
    try:
        report = check_server(url)
    except (PostgresError, psycopg.OperationalError) as error:
        return Finding("database", False, "refused", str(error).strip())
    checksums = "on" if report.data_checksums else "off"
    return Finding("database", True, f"Postgres {report.version}, data checksums {checksums}")


def _model(settings: Settings) -> Finding:
    from infrastructure.models.binding import ModelError  # noqa: PLC0415 - as below
    from infrastructure.runtime import build_runtime  # noqa: PLC0415 - it imports DSPy

    try:
        build_runtime(settings, NoTracing())
    except ModelError as error:
        return Finding("language model", False, settings.lm, str(error))
    return Finding("language model", True, settings.lm)


def _port(settings: Settings) -> Finding:
    where = f"{settings.host}:{settings.port}"
    try:
        with Stratal(f"http://{where}", timeout_s=5) as api:
            api.health()
    except StratalUnreachable:
        return _free(settings, where)
    except StratalProblem:
        advice = f"Something else listens on {where}. Stop it, or set STRATAL_PORT."
        return Finding("API", False, "another program", advice)
    return Finding("API", True, f"serving on http://{where}")


def _free(settings: Settings, where: str) -> Finding:
    try:
        with socket.create_server((settings.host, settings.port)):
            return Finding("API", True, f"not running now; {where} is free")
    except OSError as error:
        return Finding("API", False, str(error), "Set STRATAL_HOST and STRATAL_PORT.")


def _actor() -> str:
    try:
        return getuser()
    except (KeyError, OSError):
        return "anonymous"


def _end(code: str, detail: str, faults: list[str], *, as_json: bool) -> None:
    try:
        refuse(code, detail, faults, as_json=as_json)
    except typer.Exit as ended:
        sys.exit(ended.exit_code)


if __name__ == "__main__":
    main()
