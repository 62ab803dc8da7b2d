"""``stratal queue``: what waits for workers, what they gave up; pausing, and trying again."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Annotated, Any, Protocol
from uuid import UUID

import typer

from application.reasons import NO_REASON
from infrastructure.cli.connection import Json
from infrastructure.cli.output import plain, say, show_json, show_table

Queue = Annotated[str, typer.Argument(help="Name of a queue.", metavar="QUEUE")]


class Office(Protocol):
    """What can be done with the queues of a database."""

    def states(self) -> Sequence[dict[str, Any]]: ...
    def dead(self) -> Sequence[dict[str, Any]]: ...
    def pause(self, queue: str, reason: str) -> None: ...
    def resume(self, queue: str) -> None: ...
    def retry(self, job_id: UUID) -> str: ...


@dataclass(frozen=True, slots=True)
class QueueCommands:
    """The verbs of ``stratal queue`` on the database of the settings."""

    office: Callable[[], AbstractContextManager[Office]]

    def app(self) -> typer.Typer:
        verbs = typer.Typer(no_args_is_help=True, help="Work that waits for workers.")
        for verb in (self.list, self.pause, self.resume, self.dead, self.retry):
            verbs.command()(verb)
        return verbs

    def list(self, *, json: Json = False) -> None:
        """List the queues: what waits, what runs, what was given up, whether it is paused."""
        with self.office() as office:
            found = office.states()
        _show(found, ("queue", "waiting", "running", "dead", "paused_because"), json=json)

    def pause(
        self,
        queue: Queue,
        *,
        reason: Annotated[str, typer.Option(help="Why; it is on record.")] = NO_REASON,
    ) -> None:
        """Have no worker take more of a queue's jobs. What is accepted meanwhile waits."""
        with self.office() as office:
            office.pause(queue, reason)
        say(f"{queue} is paused. To go on: stratal queue resume {queue}")

    def resume(self, queue: Queue) -> None:
        """Have workers take a queue's jobs again."""
        with self.office() as office:
            office.resume(queue)
        say(f"{queue} goes on.")

    def dead(self, *, json: Json = False) -> None:
        """List the jobs that were given up, newest first, each with its reason."""
        with self.office() as office:
            found = office.dead()
        _show(found, ("job_id", "queue", "command", "tenant", "dead_at", "error"), json=json)

    def retry(
        self, job_id: Annotated[UUID, typer.Argument(help="Id of a job that was given up.")]
    ) -> None:
        """Try a job again that was given up, as if it had never been tried."""
        with self.office() as office:
            command = office.retry(job_id)
        say(f"{command} {job_id} waits for a worker again.")


def _show(found: Sequence[dict[str, Any]], columns: Sequence[str], *, json: bool) -> None:
    if json:
        show_json({"items": found})
    else:
        show_table(columns, [[plain(each[column]) for column in columns] for each in found])
