"""Refuses to run on a server that may lose what it has acknowledged."""

from dataclasses import dataclass

import psycopg

from infrastructure.postgres.errors import ServerIsTooOld, ServerIsUnsafe
from infrastructure.postgres.sessions import session

OLDEST_VERSION = 14
_MUST_NOT_BE_OFF = ("fsync", "full_page_writes", "synchronous_commit")


@dataclass(frozen=True, slots=True)
class ServerReport:
    """What was found: ``version`` as the server says it, and whether it detects damaged pages."""

    version: str
    data_checksums: bool


def check_server(conninfo: str) -> ServerReport:
    """Check the settings as a session of ours gets them.

    Raises:
        ServerIsUnsafe: A setting lets the server lose acknowledged writes; it is named.
        ServerIsTooOld: The server is older than Postgres 14.
        psycopg.OperationalError: The server cannot be reached.
    """
    with psycopg.connect(session(conninfo, "boot"), autocommit=True) as connection:
        version = connection.info.server_version // 10_000
        if version < OLDEST_VERSION:
            raise ServerIsTooOld(version, OLDEST_VERSION)
        found: dict[str, str] = dict(
            connection.execute(
                "SELECT name, current_setting(name) FROM unnest(%s::text[]) AS name",
                [[*_MUST_NOT_BE_OFF, "server_version", "data_checksums"]],
            ).fetchall()
        )
    for setting in _MUST_NOT_BE_OFF:
        if found[setting] == "off":
            raise ServerIsUnsafe(setting, found[setting])
    return ServerReport(found["server_version"], found["data_checksums"] == "on")
