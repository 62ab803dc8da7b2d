"""One process of the service by its role; what it refuses is one sentence, not a stack trace."""

import importlib
import logging
import sys
from collections.abc import Generator
from contextlib import contextmanager

from infrastructure.main.address import free_port
from infrastructure.settings import Settings


class DatabaseIsUnreachable(Exception):
    """Nothing answers at the address of the database, or it lets nobody in."""

    code = "database.unreachable"

    def __init__(self, why: str) -> None:
        super().__init__(
            f"The database cannot be reached: {why}. Start it, or mend STRATAL_DATABASE_URL; "
            "unset, an embedded one is used."
        )


@contextmanager
def reaching_the_database() -> Generator[None, None, None]:
    """Say in a sentence that the database cannot be reached."""
    from psycopg import Error, OperationalError  # noqa: PLC0415 - the command line starts without

    try:
        yield
    except OperationalError as error:
        raise DatabaseIsUnreachable(_words(error)) from error
    except Error as error:
        # An address that is none; other errors of the database are defects of ours.
        if error.sqlstate is not None:
            raise
        raise DatabaseIsUnreachable(_words(error)) from error


def main(role: str) -> None:
    """Be the *role* (``api``, ``worker``, ``projector`` or ``notary``) until SIGTERM or Ctrl-C.

    Raises:
        AddressIsUnusable: It is the API, and nothing can listen there.
        DatabaseIsUnreachable: There is no database at its address.
    """
    if role == "api":
        settings = Settings.from_environment()
        free_port(settings.host, settings.port)
    with reaching_the_database():
        importlib.import_module(f"infrastructure.main.{role}").main()


def carry_on(role: str) -> int:
    """Be the *role*, and return the exit status. Every refusal of ours has a code."""
    try:
        main(role)
    except Exception as error:
        if not isinstance(code := getattr(error, "code", None), str):
            raise
        logging.getLogger(role).error("%s (%s)", error, code)  # noqa: TRY400 - the sentence is all
        return 1
    return 0


def _words(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".?")


if __name__ == "__main__":
    sys.exit(carry_on(sys.argv[1]))
