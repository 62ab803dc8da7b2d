"""``stratal execution replay``: repeat one execution from the log, or all that there are."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Final

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from infrastructure.cli.connection import Connect, Data, InputIsUnusable, Json, Time
from infrastructure.cli.output import errors, people, say, show_json

WAIT_S: Final = 60
MOST_PENDING: Final = 20
"""So many without a verdict in time, and no more are asked for: nobody seems to work."""
_OUTCOMES: Final = ("verified", "diverged", "pending")


@dataclass(frozen=True, slots=True)
class ReplayCommand:
    """The verb ``replay`` of ``stratal execution``."""

    connect: Connect

    def replay(
        self,
        execution: Annotated[
            str | None, typer.Argument(help="Id of an execution.", metavar="EXECUTION")
        ] = None,
        *,
        all: Annotated[
            bool, typer.Option("--all", help="All that completed or failed, the newest first.")
        ] = False,
        program: Annotated[
            str | None, typer.Option(help="With --all: only those of it, by id or name.")
        ] = None,
        version: Annotated[int | None, typer.Option(help="… of a version of it.")] = None,
        since: Time = None,
        until: Time = None,
        unless_replayed_since: Time = None,
        json: Json = False,
    ) -> None:
        """Repeat executions from the log, with the model switched off, and compare.

        --since and --until are about when they were requested. What was interrupted goes on with
        --unless-replayed-since, which leaves out those that were repeated then or later. It ends
        with 1 unless all are verified.
        """
        if (execution is None) is not all:
            raise InputIsUnusable("Name an execution, or say --all, and not both.")
        if execution is not None:
            _show_one(self.connect().executions.replay(execution, wait_s=WAIT_S), as_json=json)
            return
        made = self.connect().executions.replay_all(
            program=program,
            program_version=version,
            since=since,
            until=until,
            unless_replayed_since=unless_replayed_since,
            wait_s=WAIT_S,
        )
        _show_all(_followed(made, quiet=json), as_json=json)


@dataclass(slots=True)
class Tally:
    """What became of many replays; ``others`` are those that are not verified."""

    counts: Counter[str] = field(default_factory=Counter[str])
    others: list[Data] = field(default_factory=list[Data])
    began_at: str | None = None

    def add(self, verdict: Data) -> None:
        """Count *verdict*."""
        self.began_at = self.began_at or verdict["requested_at"]
        self.counts[verdict["outcome"]] += 1
        if verdict["outcome"] != "verified":
            self.others.append(verdict)

    @property
    def told(self) -> str:
        """All of it in a sentence."""
        if not self.counts:
            return "There is nothing to replay."
        said = [f"{self.counts[each]} {each}" for each in _OUTCOMES]
        return f"Replayed {self.counts.total()}: {', '.join(said)}. Model calls: 0."


def _show_one(verdict: Data, *, as_json: bool) -> None:
    if as_json:
        show_json(verdict)
    elif verdict["outcome"] == "verified":
        answered = verdict["answered_from_log"]
        say(f"Verified: model calls 0, answered from the log {answered}, outputs equal.")
    elif verdict["outcome"] == "pending":
        say(f"No worker has taken it up within {WAIT_S} s. Run it again to see the verdict.")
    else:
        say(f"Diverged: {verdict['failure']['message']}")
        _show_difference(verdict)
    if verdict["outcome"] != "verified":
        raise typer.Exit(1)


def _followed(made: Iterable[Data], *, quiet: bool) -> Tally:
    """Count the verdicts in *made* as they come; a terminal sees how many there are."""
    tally, shown = Tally(), (SpinnerColumn(), TextColumn("{task.description}"), BarColumn())
    hidden = quiet or not people.is_terminal
    columns = (*shown, TimeElapsedColumn())
    with Progress(*columns, console=people, disable=hidden, transient=True) as progress:
        task = progress.add_task("replaying", total=None)
        try:
            for verdict in made:
                tally.add(verdict)
                progress.update(task, description=tally.told)
                if tally.counts["pending"] == MOST_PENDING:
                    break
        except KeyboardInterrupt:
            _tell_how_to_go_on(tally)
            raise
    return tally


def _tell_how_to_go_on(tally: Tally) -> None:
    errors.print(tally.told, markup=False)
    if tally.began_at is not None:
        option = f"--unless-replayed-since {tally.began_at}"
        errors.print(f"To go on, say the same again with {option}.", markup=False)


def _show_all(tally: Tally, *, as_json: bool) -> None:
    if as_json:
        show_json({**{each: tally.counts[each] for each in _OUTCOMES}, "others": tally.others})
    else:
        for verdict in tally.others:
            say(_told(verdict))
            _show_difference(verdict)
        say(tally.told)
    if tally.others:
        raise typer.Exit(1)


def _told(verdict: Data) -> str:
    if verdict["outcome"] == "pending":
        return f"{verdict['execution_id']} has no verdict within {WAIT_S} s; it goes on."
    return f"{verdict['execution_id']} diverged: {verdict['failure']['message']}"


def _show_difference(verdict: Data) -> None:
    """Print what it asked, or answered, in place of what is on record."""
    for line in (verdict["difference"] or "").splitlines():
        say(f"  {line}")
