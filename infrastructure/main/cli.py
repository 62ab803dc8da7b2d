"""The entry point of ``stratal``: the command line over this machine's settings.

What a verb needs is imported when it is called, so that ``stratal --help`` stays quick.
"""
# ruff: noqa: PLC0415 - see above

import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infrastructure.cli.app import Verbs, build_app
from infrastructure.cli.audit import AuditCommands, Examined
from infrastructure.cli.database import DatabaseCommands
from infrastructure.cli.doctor import DoctorCommand, Examination
from infrastructure.cli.keys import FirstKey, KeyCommands
from infrastructure.cli.models import ModelCommands
from infrastructure.cli.own_modules import Offer, OwnModuleCommands
from infrastructure.cli.projections import Office, ProjectionCommands
from infrastructure.cli.queues import Office as QueueOffice
from infrastructure.cli.queues import QueueCommands
from infrastructure.cli.running import run
from infrastructure.cli.signatures import SignatureCommands
from infrastructure.client import Stratal

if TYPE_CHECKING:
    from domain.signature.from_table import Table
    from infrastructure.postgres.embedded import EmbeddedPostgres
    from infrastructure.settings import Settings


def main() -> None:
    """Run the command line; what is refused is said in a sentence, never as a stack trace."""
    sys.exit(run(build_app(verbs())))


def verbs() -> Verbs:
    """Everything that ``stratal`` can do on this machine."""
    return Verbs(
        version=_version,
        processes={
            "serve": _serve,
            "demo": _demo,
            "api": _process("api", "Serve the HTTP API alone."),
            "worker": _process("worker", "Carry out queued work alone."),
            "projector": _process("projector", "Keep the read models alone."),
            "notary": _process("notary", "Sign the log alone."),
        },
        connect=_connect,
        audit=AuditCommands(_connect, _verify, _bundle),
        database=DatabaseCommands(_embedded, _prepare),
        doctor=DoctorCommand(_examine),
        keys=KeyCommands(_connect, _first_key),
        models=ModelCommands(_announce, _fetch),
        own_modules=OwnModuleCommands(_connect, _offers),
        projections=ProjectionCommands(_projections),
        queues=QueueCommands(_queues),
        signatures=SignatureCommands(_connect, _table),
    )


def _serve() -> None:
    """Run everything on this machine: Postgres, API, worker and projector. Ctrl-C stops it."""
    from infrastructure.main.process import reaching_the_database
    from infrastructure.main.serve import serve

    _log_as("serve")
    with reaching_the_database():
        serve(_settings())


def _demo(
    *, yes: Annotated[bool, typer.Option("--yes", help="Agree to a download.")] = False
) -> None:
    """Take one program from signature to audited, replayed execution, and say what happened."""
    from infrastructure.main.demo import demo

    demo(_settings(), agreed=yes)


def _process(role: str, about: str) -> Callable[[], None]:
    def run_process() -> None:
        from infrastructure.main.process import main as be

        be(role)

    run_process.__doc__ = about
    return run_process


def _settings() -> "Settings":
    from infrastructure.settings import Settings

    return Settings.from_environment()


def _connect() -> Stratal:
    from infrastructure.main.address import url_of

    settings = _settings()
    url = url_of(settings.host, settings.port)
    return Stratal(url, actor=_actor(), key=settings.key_text)


def _embedded() -> "EmbeddedPostgres":
    from infrastructure.postgres.embedded import EmbeddedPostgres

    return EmbeddedPostgres(_settings().home)


def _prepare() -> str:
    from infrastructure import bootstrap
    from infrastructure.main.process import reaching_the_database

    with reaching_the_database(), bootstrap.database(_settings()) as access:
        return bootstrap.prepare(access)


def _verify(
    keys: Sequence[str], checkpoints: Sequence[Path], progress: Callable[[int], None]
) -> Examined:
    from infrastructure.main.archive import verify

    return verify(keys, checkpoints, progress)


def _bundle(out: Path, start: int, progress: Callable[[int], None]) -> str:
    from infrastructure.main.archive import export

    return export(out, start, progress)


def _examine() -> Examination:
    from infrastructure.main.examination import examine

    return examine()


def _projections() -> AbstractContextManager[Office]:
    from infrastructure.main.projections import projection_office

    return projection_office(_settings(), _actor())


def _queues() -> AbstractContextManager[QueueOffice]:
    from infrastructure.main.queues import queue_office

    return queue_office(_settings(), _actor())


def _first_key(name: str, tenant: str, days: int) -> FirstKey:
    from infrastructure.main.keys import first_key

    return first_key(_settings(), _actor(), name, tenant, days)


def _table(url: str, name: str, levels: int) -> "Table":
    from infrastructure.postgres.tables import described

    return described(url, name, levels=levels)


def _announce(name: str) -> str | None:
    from infrastructure.models.fetch import announcement, download_named
    from infrastructure.models.weights import fetched_path

    download, home = download_named(name), _settings().home
    return None if fetched_path(name, home).is_file() else announcement(download, home)


def _fetch(name: str) -> Path:
    from infrastructure.models.fetch import download_named, fetch

    return fetch(download_named(name), _settings().home)


def _offers() -> Iterable[Offer]:
    from infrastructure.offers import offers

    return offers(_settings().module_packages)


def _version() -> str:
    from importlib.metadata import version

    return version("stratal")


def _log_as(role: str) -> None:
    import logging

    logging.basicConfig(level=logging.INFO, format=f"%(asctime)s {role} %(message)s")


def _actor() -> str:
    try:
        return getuser()
    except (KeyError, OSError):
        return "anonymous"


if __name__ == "__main__":
    main()
