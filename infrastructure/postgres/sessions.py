"""How every session of ours behaves, so that one stalled client cannot block the others."""

from typing import Final

from psycopg.conninfo import conninfo_to_dict, make_conninfo

_LIMITS = {
    "idle_in_transaction_session_timeout": "3s",  # a stopped process lets go of the append lock
    "lock_timeout": "5s",
    "statement_timeout": "10s",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "timezone": "UTC",
}
_UNLIMITED = {**_LIMITS, "lock_timeout": "0", "statement_timeout": "0"}


EVERY_TENANT: Final = "*"
"""What a session of the service's own has for ``stratal.tenant``: it sees the rows of all."""


def session(conninfo: str, name: str, *, limited: bool = True, walled: bool = False) -> str:
    """Our settings for a session: its name, how long anything may take, when a peer counts as dead.

    Args:
        conninfo: The database; options it names are kept.
        name: Shown by the server as ``stratal <name>``.
        limited: False leaves out the time limits of locks and statements, for work at boot.
        walled: It sees no row of any tenant until a statement names one. Else it sees all.
    """
    settings = _LIMITS if limited else _UNLIMITED
    given = str(conninfo_to_dict(conninfo).get("options") or "")
    told = settings | {"stratal.tenant": "" if walled else EVERY_TENANT}
    options = " ".join([given, *(f"-c {key}={value}" for key, value in told.items())]).strip()
    return make_conninfo(
        conninfo,
        application_name=f"stratal {name}",
        options=options,
        connect_timeout=5,
        keepalives_idle=5,
        keepalives_interval=2,
        keepalives_count=3,
        tcp_user_timeout=10_000,
    )
