"""What a worker does of its own accord beside jobs: it sends events on, and answers them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from application.commands import Command
from application.context import Context
from domain.access.values import Role
from infrastructure import bootstrap
from infrastructure.deliveries import EVERY_S as DELIVER_EVERY_S
from infrastructure.deliveries import courier_of
from infrastructure.eventstore.recorder import PostgresRecorder
from infrastructure.eventstore.repository import EventLog
from infrastructure.postgres.read_store import PostgresReadStore
from infrastructure.workers import hooks
from infrastructure.workers.hooks import Hook, lanes_with, load
from infrastructure.workers.jobs import Lanes
from infrastructure.workers.lanes import LANES, THREADS
from infrastructure.workers.leading import Leading

_OF_POLICIES: Final = frozenset({Role.ML_USER, Role.ML_ENGINEER})
"""What a policy's commands may: whoever runs the service wrote it, or had it written."""


@dataclass(frozen=True, slots=True)
class Following:
    """What follows the log in a worker, and the lanes of what that leads to."""

    leaders: Sequence[Leading]
    lanes: Lanes
    threads: Mapping[str, int]
    dispatch: Callable[[Command, Context], object]


def following(system: bootstrap.System, store: PostgresReadStore) -> Following:
    """The courier of webhooks, and the policies that the settings name.

    Raises:
        PolicyIsUnusable: The settings name a function that is not there.
    """
    courier = courier_of(system, store)
    leaders = [
        Leading(system.conninfo, "webhooks", lambda _: courier.look(), every_s=DELIVER_EVERY_S)
    ]
    paths = system.settings.policy_paths
    if not paths:
        return Following(leaders, LANES, THREADS, system.dispatch)
    lanes = lanes_with(dict(system.bus.commands))
    leaders += [_hook(system, path, lanes) for path in paths]
    threads = {**THREADS, hooks.QUEUE: 1}
    return Following(leaders, lanes, threads, lambda command, by: _dispatch(system, command, by))


def _hook(system: bootstrap.System, path: str, lanes: Lanes) -> Leading:
    log = EventLog(PostgresRecorder(system.whole))
    hook = Hook(
        path,
        load(path),
        lambda after, limit, stop: log.events(after, limit, stop=stop),
        log.head,
        lanes,
    )
    return Leading(system.conninfo, f"policy {path}", hook, every_s=hooks.EVERY_S)


def _dispatch(system: bootstrap.System, command: Command, context: Context) -> object:
    if type(command) in LANES:
        return system.dispatch(command, context)
    # Its receipt keeps a job that is delivered again from doing the same once more.
    once = replace(context, roles=_OF_POLICIES, fingerprint=command.fingerprint)
    return system.dispatch(command, once)
