"""Pools of connections that heal after a database restart and never make a caller wait long."""

import select

from psycopg import Connection
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool, PoolTimeout

from application.errors import StoreIsUnavailable
from infrastructure.pools import POOLS, PoolState
from infrastructure.postgres.sessions import session

Pool = ConnectionPool[Connection[TupleRow]]

_OPEN_TIMEOUT_S = 10


def open_pool(
    conninfo: str, *, min_size: int, max_size: int, name: str, walled: bool = False
) -> Pool:
    """Connect and return a pool of autocommitting sessions; close it when done.

    A caller that gets no connection within 2 s is refused with ``psycopg_pool.PoolTimeout``. From
    a *walled* pool it reads the rows of the tenant that it names in its statement, and no others.

    Raises:
        StoreIsUnavailable: The database gave no connection within 10 s.
    """
    pool: Pool = ConnectionPool(
        session(conninfo, name, walled=walled),
        kwargs={"autocommit": True},
        min_size=min_size,
        max_size=max_size,
        name=name,
        timeout=2,
        check=_check,
        # The pool doubles its pauses without end. Giving up early lets the next caller try anew,
        # so the pool is back within seconds of the database, however long that was away.
        reconnect_timeout=2,
        open=False,
    )
    try:
        pool.open(wait=True, timeout=_OPEN_TIMEOUT_S)
    except PoolTimeout as error:
        pool.close()
        raise StoreIsUnavailable(f"no connection within {_OPEN_TIMEOUT_S} s") from error
    POOLS.watch(pool, _state)
    return pool


def _state(pool: Pool) -> PoolState | None:
    if pool.closed:
        return None
    told = pool.get_stats()
    size = told["pool_size"]
    return PoolState(
        kind="database",
        name=pool.name,
        limit=told["pool_max"],
        connections=size,
        in_use=size - told["pool_available"],
        waiting=told["requests_waiting"],
        waits=told.get("requests_queued", 0),
        timeouts=told.get("requests_errors", 0),
    )


def _check(connection: Connection[TupleRow]) -> None:
    """Notice a lost connection before it is handed out.

    An idle server says nothing but farewell, so looking for unread bytes is enough and costs no
    round trip; only when there are some is it asked.

    Raises:
        psycopg.OperationalError: It is lost; the pool takes another one.
    """
    unread = select.poll()
    unread.register(connection.fileno(), select.POLLIN)
    if unread.poll(0):
        ConnectionPool.check_connection(connection)
