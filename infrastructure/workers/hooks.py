"""Policies of somebody's own: events in, commands out, each event once, in the order of the log.

What a policy answers is queued in the transaction that moves its position, so a kill between two
events leaves nothing out and does nothing twice.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import ClassVar, Final, LiteralString, cast
from uuid import uuid5

from psycopg import Connection

from application.authorization import Permission
from application.commands import Command, Handling
from domain.kernel import Recorded
from infrastructure.workers.jobs import Job, Lane, Lanes, caused, insertion
from infrastructure.workers.lanes import LANES, MINUTE_MS
from infrastructure.workers.table import INSERT

logger = logging.getLogger("stratal.policies")

Policy = Callable[[Recorded], Iterable[Command]]
Events = Callable[[int, int, int], Sequence[Recorded]]
"""The next events of the log: after a position, at most so many, up to another."""

QUEUE: Final = "policies"
EVERY_S: Final = 0.25
BATCH: Final = 100
WINDOW: Final = 10_000

_TABLE: LiteralString = """
-- How far each policy of somebody's own has come, and why it goes no further.
CREATE TABLE stratal.policy_positions (
    name     text PRIMARY KEY,
    position bigint NOT NULL,
    failure  text,
    moved_at timestamptz NOT NULL DEFAULT now()
);
"""

MIGRATIONS: tuple[tuple[str, LiteralString], ...] = (("policies.1", _TABLE),)

_BEGIN: LiteralString = """
    INSERT INTO stratal.policy_positions (name, position) VALUES (%s, %s) ON CONFLICT DO NOTHING"""
_READ: LiteralString = "SELECT position FROM stratal.policy_positions WHERE name = %s"
_MOVE: LiteralString = """
    UPDATE stratal.policy_positions SET position = %s, failure = NULL, moved_at = now()
    WHERE name = %s AND position = %s"""
_FAIL: LiteralString = "UPDATE stratal.policy_positions SET failure = %s WHERE name = %s"


class PolicyIsUnusable(Exception):
    """A function that the settings name is not there, or is none."""

    code: ClassVar[str] = "policy.unusable"

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"The policy {path} of STRATAL_POLICIES cannot be used: {why}.")


class PolicyFailed(Exception):
    """A policy could not answer an event; it goes no further until it can."""


def load(path: str) -> Policy:
    """The function at *path*, ``package.module:function``.

    Raises:
        PolicyIsUnusable: There is none.
    """
    where, _, name = path.partition(":")
    try:
        found = getattr(import_module(where), name)
    except (Exception, SystemExit) as error:
        raise PolicyIsUnusable(path, f"{type(error).__name__}: {error}") from error
    if not callable(found):
        raise PolicyIsUnusable(path, f"it is a {type(found).__name__}, not a function")
    return cast("Policy", found)


def lanes_with(commands: dict[type[Command], Handling]) -> Lanes:
    """The usual lanes, and one for every other command that a policy may answer with."""
    others = {
        command: Lane(QUEUE, time_limit_ms=MINUTE_MS)
        for command, handling in commands.items()
        if handling.needs is not Permission.WORK
    }
    return {**others, **LANES}


class Hook:
    """Follows the log for one policy; run it where ``Leading`` allows one at a time.

    It begins where the log ends when its name is first seen.
    """

    def __init__(
        self, name: str, policy: Policy, events: Events, head: Callable[[], int], lanes: Lanes
    ) -> None:
        self._name, self._policy = name, policy
        self._events, self._head, self._lanes = events, head, lanes

    def __call__(self, connection: Connection) -> None:
        """Answer what is new.

        Raises:
            PolicyFailed: The policy could not, and is asked again later.
        """
        head = self._head()
        position = self._begun(connection, head)
        while position < head:
            stop = min(position + WINDOW, head)
            found = self._events(position, BATCH, stop)
            for recorded in found:
                jobs, to = self._answers(connection, recorded), recorded.position or 0
                position = self._settle(connection, jobs, position, to)
            if len(found) < BATCH and position < stop:
                position = self._settle(connection, [], position, stop)

    def _answers(self, connection: Connection, recorded: Recorded) -> Sequence[Job]:
        try:
            return [self._job(command, recorded) for command in self._policy(recorded)]
        except Exception as error:
            why = f"event {recorded.position}: {type(error).__name__}: {error}"
            connection.execute(_FAIL, [why.replace("\0", "")[:2_000], self._name])
            raise PolicyFailed(f"The policy {self._name} stops at {why}") from error

    def _job(self, command: Command, recorded: Recorded) -> Job:
        if type(command) in LANES or type(command) not in self._lanes:
            raise TypeError(f"{type(command).__name__} is no command that a policy may answer with")
        job = caused(command, recorded)
        named = uuid5(recorded.envelope.event_id, f"{self._name} {command.fingerprint}")
        return Job(named, job.command, job.context)

    def _settle(self, connection: Connection, jobs: Sequence[Job], position: int, to: int) -> int:
        """Queue *jobs* and note that all up to *to* is answered: both or nothing.

        Raises:
            PolicyFailed: Somebody else moved on from *position* meanwhile.
        """
        with connection.transaction():
            if connection.execute(_MOVE, [to, self._name, position]).rowcount == 0:
                raise PolicyFailed(f"The policy {self._name} is led elsewhere")
            if jobs:
                connection.execute(INSERT, insertion(jobs, self._lanes))
        return to

    def _begun(self, connection: Connection, head: int) -> int:
        connection.execute(_BEGIN, [self._name, head])
        [position] = connection.execute(_READ, [self._name]).fetchone() or (head,)
        return int(position)
