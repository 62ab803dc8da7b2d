"""What ``stratal doctor`` looks at; each check answers instead of raising."""

import os
import platform
import socket
import sys
from getpass import getuser
from urllib.parse import urlsplit

import psycopg

from application.tracing import NoTracing
from infrastructure import bootstrap
from infrastructure.cli.doctor import Examination, Finding
from infrastructure.client import Stratal, StratalProblem, StratalUnreachable
from infrastructure.client.resources import JsonObject
from infrastructure.main.address import AddressIsUnusable, free_port, url_of
from infrastructure.main.owner import serving
from infrastructure.notary.errors import KeyIsUnusable
from infrastructure.notary.keys import DEFAULT, existing
from infrastructure.postgres.embedded import EmbeddedPostgres
from infrastructure.postgres.errors import PostgresError
from infrastructure.postgres.migrations import check_migrated
from infrastructure.postgres.roles import check_role
from infrastructure.postgres.safety import check_server
from infrastructure.settings import Settings, SettingsAreInvalid

OLDEST_PYTHON = (3, 11)
PATIENCE_S = 3
BROKER_PORTS = {"redis": 6379, "rediss": 6379, "amqp": 5672, "amqps": 5671}


def examine() -> Examination:
    """Look at everything; with settings that cannot be used, at nothing that needs them."""
    try:
        settings = Settings.from_environment()
    except SettingsAreInvalid as error:
        ill = Finding("settings", False, "cannot be used", str(error))
        return Examination({}, [_python(), ill])
    checks = (_home, _database, _notary, _broker, _model, _port, _answering)
    return Examination(settings.shown(), [_python(), *(check(settings) for check in checks)])


def _python() -> Finding:
    return Finding(
        "Python",
        sys.version_info >= OLDEST_PYTHON,
        platform.python_version(),
        "Install Python 3.11 or newer and run `make setup`.",
    )


def _home(settings: Settings) -> Finding:
    nearest = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    is_well = nearest.is_dir() and os.access(nearest, os.W_OK)
    advice = (
        f"{nearest} cannot be written by {getuser()}. Set STRATAL_HOME to a directory of yours."
    )
    return Finding("home", is_well, str(settings.home), advice)


def _database(settings: Settings) -> Finding:
    embedded = EmbeddedPostgres(settings.home)
    if settings.database_url is None and embedded.status().state == "stopped":
        return Finding("database", True, "embedded, not running now")
    url = settings.database_url or embedded.service_url
    try:
        report = check_server(url)
        role = check_role(url, bootstrap.RIGHTS)
        if settings.database_url is not None and settings.database_owner_url is None:
            check_migrated(url, bootstrap.migrations())
    except PostgresError as error:
        return Finding("database", False, "refused", str(error))
    except psycopg.Error as error:
        why = " ".join(str(error).split())
        return Finding("database", False, why, "Start it, or mend STRATAL_DATABASE_URL.")
    checksums = "on" if report.data_checksums else "off"
    server = f"Postgres {report.version}, data checksums {checksums}"
    may = f"as {role}, which may not update, delete or truncate events"
    return Finding("database", True, f"{server}, {may}")


def _notary(settings: Settings) -> Finding:
    if settings.notary_key is None and not (settings.home / DEFAULT).exists():
        return Finding("notary", True, "makes its key when it first starts")
    file = settings.notary_file
    try:
        key = existing(settings.notary_key, settings.home).key
    except KeyIsUnusable as error:
        return Finding("notary", False, "cannot sign", str(error))
    rights = os.R_OK | os.W_OK
    if file is not None and not os.access(file if file.exists() else file.parent, rights):
        advice = f"{getuser()} cannot read and write {file}. Mend it, or STRATAL_NOTARY_FILE."
        return Finding("notary", False, "cannot hand checkpoints on", advice)
    return Finding("notary", True, f"signs as {key}")


def _broker(settings: Settings) -> Finding:
    if settings.broker_url is None:
        return Finding("queue", True, "in the database")
    parts = urlsplit(settings.broker_url)
    where = (parts.hostname or "localhost", parts.port or BROKER_PORTS[parts.scheme])
    found = f"{parts.scheme} on {where[0]}, port {where[1]}"
    try:
        with socket.create_connection(where, timeout=PATIENCE_S):
            return Finding("queue", True, found)
    except OSError as error:
        advice = f"{error.strerror or error}. Start it, or mend or unset STRATAL_BROKER_URL."
        return Finding("queue", False, found, advice)


def _model(settings: Settings) -> Finding:
    from infrastructure.models.binding import ModelError  # noqa: PLC0415 - as below
    from infrastructure.runtime import configured_engine  # noqa: PLC0415 - it imports DSPy

    try:
        configured_engine(settings, NoTracing())
    except ModelError as error:
        return Finding("language model", False, settings.lm, str(error))
    return Finding("language model", True, settings.lm)


def _port(settings: Settings) -> Finding:
    url = url_of(settings.host, settings.port)
    try:
        with Stratal(url, timeout_s=PATIENCE_S) as api:
            api.health()
    except StratalUnreachable:
        return _free(settings, url)
    except StratalProblem:
        advice = f"Something else answers at {url}. Stop it, or set STRATAL_PORT."
        return Finding("API", False, "another program", advice)
    return Finding("API", True, f"answers at {url}")


def _answering(settings: Settings) -> Finding:
    try:
        with Stratal(url_of(settings.host, settings.port), timeout_s=PATIENCE_S) as api:
            lately = api.model_health()
    except (StratalUnreachable, StratalProblem):
        return Finding("models asked", True, "not known: nobody here may ask the API")
    ill = [f"{each['model']} ({each['last_failure']})" for each in lately if not _is_well(each)]
    if ill:
        return Finding("models asked", False, ", ".join(ill), "See: stratal provider health.")
    return Finding("models asked", True, f"{len(lately)} lately, and none of them fails")


def _is_well(model: JsonObject) -> bool:
    return bool(model["state"] == "answering")


def _free(settings: Settings, url: str) -> Finding:
    if (other := serving(settings.home)) is not None and other.url != url:
        return Finding("API", True, f"not at {url}; the service of this home is at {other.url}")
    try:
        free_port(settings.host, settings.port)
    except AddressIsUnusable as error:
        return Finding("API", False, "cannot listen", str(error))
    return Finding("API", True, f"not running now; {url} is free")
