"""The API process: takes commands and answers queries; programs run in workers."""

import gc
import logging
import signal
from collections.abc import Sequence
from contextlib import closing
from importlib.metadata import version

import psycopg
import uvicorn

from application.errors import StoreIsUnavailable
from infrastructure import bootstrap
from infrastructure.api.app import create_app
from infrastructure.api.callers import Anybody, Callers
from infrastructure.api.dependencies import ApiDependencies
from infrastructure.api.execution_views import ExecutionDetail
from infrastructure.api.keyring import Keyring
from infrastructure.api.live import LiveHub
from infrastructure.api.rates import Rates
from infrastructure.api.streams import Streams
from infrastructure.eventstore.lag import ProjectionLag, lags
from infrastructure.eventstore.past_fold import PastFold
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.eventstore.repository import EventLog
from infrastructure.graphql.server import GraphQl
from infrastructure.line.client import Line, Lined
from infrastructure.main.address import is_this_machine
from infrastructure.main.server import Server
from infrastructure.notary.proofs import PostgresProofs
from infrastructure.postgres.attempts import AttemptLog
from infrastructure.postgres.budgets import PostgresCredit
from infrastructure.postgres.listener import LogListener
from infrastructure.postgres.live import CHANNEL as LIVE
from infrastructure.postgres.live import live_of
from infrastructure.postgres.past_store import PostgresPast
from infrastructure.postgres.read_store import PostgresReadStore
from infrastructure.postgres.waiters import Waiters
from infrastructure.settings import Settings
from infrastructure.system import SystemClock, new_id
from projections.registry import PROJECTIONS

THREADS = 16
KEEP_ALIVE_S = 30
GRACE_S = 3
"""How long requests under way may take to end once the process is told to stop."""


def main() -> None:
    """Serve until SIGTERM or Ctrl-C."""
    # uvicorn raises the signal again once it has ended; the default would close nothing of ours.
    signal.signal(signal.SIGTERM, lambda _number, _frame: None)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s api %(message)s")
    settings = Settings.from_environment()
    warn_if_open(settings)
    with bootstrap.system(settings, "api", connections=THREADS) as system:
        waiters, streams, live = Waiters(), Streams(), LiveHub(live_of)
        line = Line(bootstrap.lines(system))
        with (
            LogListener(system.conninfo) as listener,
            LogListener(system.conninfo, LIVE) as live_listener,
            AttemptLog(system.whole) as attempts,
            closing(line),
        ):
            live_listener.subscribe(live.heard)
            listener.subscribe(waiters.heard)
            listener.subscribe(streams.heard)
            gc.freeze()  # what was imported is never garbage: a full collection need not look at it
            config = uvicorn.Config(
                create_app(
                    dependencies(system, waiters, streams, live, attempts, line),
                    GraphQl(ExecutionDetail),
                ),
                host=settings.host,
                port=settings.port,
                access_log=False,
                log_config=None,
                server_header=False,
                timeout_graceful_shutdown=GRACE_S,
                timeout_keep_alive=KEEP_ALIVE_S,
            )
            Server(config, streams.close).serve_until_stopped()


def dependencies(
    system: bootstrap.System,
    waiters: Waiters,
    streams: Streams,
    live: LiveHub,
    attempts: AttemptLog,
    line: Line,
) -> ApiDependencies:
    """What the API is made of: all that answers a request reads through the walled pool."""
    store = PostgresReadStore(system.pool, PROJECTIONS)
    return ApiDependencies(
        dispatch=Lined(system.dispatch, line, system.log.history),
        store=store,
        past=PostgresPast(system.pool, store, PastFold()),
        payloads=system.payloads,
        names=system.names,
        history=system.log.history,
        events=system.log.events,
        everything=EventLog(PostgresRecorder(system.whole)).events,
        head=system.log.head,
        expect=waiters.expect,
        wait_for=store.wait_for,
        lags=lambda: _lags(system),
        proofs=PostgresProofs(system.pool),
        attempts=attempts,
        ids=new_id,
        tracing=system.tracing,
        version=version("stratal"),
        streams=streams,
        live=live,
        threads=THREADS,
        addresses=system.settings.audit_addresses,
        callers=_callers(system),
        rates=_rates(system.settings),
        credit=PostgresCredit(system.pool),
        deadline_s=system.settings.deadline_s,
    )


def warn_if_open(settings: Settings) -> None:
    """Say so where others than this machine may do everything."""
    if settings.access == "open" and not is_this_machine(settings.host):
        logging.getLogger("stratal.api").warning(
            "Whoever reaches %s may do everything. Set STRATAL_ACCESS=keys, or keep it behind"
            " something that knows your users.",
            settings.host,
        )


def _callers(system: bootstrap.System) -> Callers:
    if system.settings.access == "keys":
        return Keyring(EventLog(PostgresRecorder(system.whole)).history, SystemClock().now)
    return Anybody()


def _rates(settings: Settings) -> Rates:
    return Rates(tenant_per_s=settings.tenant_rate, actor_per_s=settings.actor_rate)


def _lags(system: bootstrap.System) -> Sequence[ProjectionLag]:
    try:
        return lags(system.whole)
    except psycopg.OperationalError as error:
        raise StoreIsUnavailable("it does not answer", "Try again.") from error


if __name__ == "__main__":
    main()
