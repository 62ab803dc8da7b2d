"""``stratal program batch`` and ``stratal batch``: a program on many rows, and their results."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from infrastructure.cli.connection import (
    AsOf,
    Connect,
    Data,
    InputIsUnusable,
    Json,
    ProgramName,
    write,
)
from infrastructure.cli.output import errors, moment, say, show_json, show_pairs, show_table
from infrastructure.client import Stratal

WAITING = ("paused", "estimated")
"""It does not go on by itself."""

BatchId = Annotated[str, typer.Argument(help="Id of a batch.", metavar="BATCH")]
Out = Annotated[
    Path | None, typer.Option(help="File for the results, as JSON lines; else they are printed.")
]


class BatchDidNotComplete(Exception):
    """Nothing more becomes of the batch by itself, and not every row was completed."""

    def __init__(self, batch: Data) -> None:
        batch_id, rows = batch["batch_id"], batch["rows"]
        left, why = rows - batch["completed"], batch["paused_because"]
        told = {
            "completed": f"{left} of {rows} rows were not completed. Their lines say why.",
            "cancelled": f"It was cancelled with {batch['completed']} of {rows} rows completed.",
            "estimated": f"Nothing was run. To begin: stratal batch resume {batch_id}",
            "paused": f"{why and why['message']} Mend that, then: stratal batch resume {batch_id}",
        }
        super().__init__(told[batch["status"]])
        self.code = f"batch.{'rows_failed' if batch['status'] == 'completed' else batch['status']}"


@dataclass(frozen=True, slots=True)
class BatchCommands:
    """The verbs of ``stratal batch``, and ``stratal program batch``."""

    connect: Connect

    def app(self) -> typer.Typer:
        verbs = typer.Typer(no_args_is_help=True, help="Programs on many rows.")
        for verb in (self.list, self.show, self.follow, self.cancel, self.resume):
            verbs.command()(verb)
        return verbs

    def request(
        self,
        program: ProgramName,
        file: Annotated[Path, typer.Argument(help="JSON lines, the inputs of one run on each.")],
        *,
        out: Out = None,
        version: Annotated[int | None, typer.Option(help="The deployed one if left out.")] = None,
        concurrency: Annotated[
            int | None, typer.Option(help="How many rows are under way at a time; 4 if left out.")
        ] = None,
        deadline: Annotated[
            float | None, typer.Option(help="Seconds that each row may take.")
        ] = None,
        follow: Annotated[bool, typer.Option(help="Stay until it ends.")] = True,
        json: Json = False,
    ) -> None:
        """Run a program on every line of a file; the results come in the order of the lines.

        Bad lines are named, all at once, and nothing runs. Ctrl-C leaves the batch going.
        """
        require_place(out)
        client = self.connect()
        asked = client.batches.request(
            program,
            _content(file),
            program_version=version,
            concurrency=concurrency,
            deadline_s=deadline,
        )
        if follow:
            follow_batch(client, asked["id"], out, as_json=json)
        elif json:
            show_json(asked)
        else:
            say(f"Started batch {asked['id']}. See: stratal batch follow {asked['id']}")

    def list(
        self,
        *,
        status: Annotated[
            str | None, typer.Option(help="Such as paused: a person has to look.")
        ] = None,
        as_of: AsOf = None,
        json: Json = False,
    ) -> None:
        """List batches, newest first."""
        found = [*self.connect().batches.list(status=status, as_of=as_of)]
        if json:
            show_json(found)
        elif found:
            rows = [
                (
                    each["batch_id"],
                    each["status"],
                    f"{_ended(each)} of {each['rows']}",
                    each["failed"],
                    moment(each["requested_at"]),
                )
                for each in found
            ]
            show_table(("batch", "status", "ended", "failed", "requested"), rows)
        else:
            say("There are no batches. Start one with: stratal program batch PROGRAM FILE")

    def show(self, batch: BatchId, *, as_of: AsOf = None, json: Json = False) -> None:
        """Show a batch: how many of its rows have begun, and how they ended."""
        found = self.connect().batches.get(batch, as_of=as_of)
        if json:
            show_json(found)
            return
        paused, cancelled = found["paused_because"], found["cancelled_because"]
        pairs = {
            "batch": found["batch_id"],
            "status": found["status"],
            "program": f"{found['program_id']}, version {found['program_version']}",
            "rows": found["rows"],
            "begun": f"{found['begun']}, {found['concurrency']} at once",
            "completed": found["completed"],
            "failed": found["failed"],
            "cancelled": found["cancelled"],
            "model": found["model"],
            "estimate": estimated(found["estimate"]),
            "paused because": None if paused is None else paused["message"],
            "called off because": cancelled,
            "requested": f"{moment(found['requested_at'])} by {found['actor']}",
        }
        show_pairs({name: value for name, value in pairs.items() if value is not None})

    def follow(self, batch: BatchId, *, out: Out = None, json: Json = False) -> None:
        """Stay until a batch ends, and get its results."""
        require_place(out)
        follow_batch(self.connect(), batch, out, as_json=json)

    def cancel(
        self,
        batch: BatchId,
        *,
        reason: Annotated[str | None, typer.Option(help="Why.")] = None,
        json: Json = False,
    ) -> None:
        """Begin no more rows. Those under way end, and what they give is kept."""
        done = self.connect().batches.cancel(batch, reason)
        show_json(done) if json else say(f"Batch {batch} is called off. No more rows begin.")

    def resume(self, batch: BatchId, *, json: Json = False) -> None:
        """Go on with a batch that was paused."""
        done = self.connect().batches.resume(batch)
        show_json(done) if json else say(f"Batch {batch} goes on. See: stratal batch show {batch}")


def estimated(found: Data | None) -> str | None:
    """What an estimate says, in a line."""
    if found is None:
        return None
    cost, unpriced = found["cost_usd"], found["unpriced"]
    dollars = "cost unknown" if cost is None else f"{cost} US dollars"
    more = f" and {unpriced} calls of unknown price" if unpriced else ""
    return f"{found['reused']} calls from the record, {found['paid']} paid: {dollars}{more}"


def follow_batch(client: Stratal, id: str, out: Path | None, *, as_json: bool) -> None:
    """Show how far it is until it ends, then its results.

    Raises:
        BatchDidNotComplete: Some rows were not completed.
    """
    ended = watched(client, id)
    if ended["status"] not in WAITING:
        lines = client.batches.result_lines(id)
        if out is not None:
            write(out, lines)
        elif not as_json:
            sys.stdout.write(lines)
    if as_json:
        show_json(ended)
    elif out is not None and ended["status"] not in WAITING:
        say(f"{ended['completed']} of {ended['rows']} rows completed: {out}")
    if ended["status"] != "completed" or ended["completed"] < ended["rows"]:
        raise BatchDidNotComplete(ended)


def watched(client: Stratal, id: str) -> Data:
    """Its state when nothing more becomes of it; a terminal sees how far it is meanwhile."""
    shown = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    state: Data = {}
    with Progress(
        *shown,
        TimeElapsedColumn(),
        console=errors,
        disable=not errors.is_terminal,
        transient=True,
    ) as progress:
        task = progress.add_task("rows", total=None)
        try:
            for state in client.batches.follow(id):
                failed = f" ({state['failed']} failed)" if state["failed"] else ""
                progress.update(
                    task,
                    description=f"rows{failed}",
                    completed=_ended(state),
                    total=state["rows"],
                )
        except KeyboardInterrupt:
            errors.print(f"The batch goes on. See: stratal batch follow {id}")
            raise
    return state


def _ended(batch: Data) -> int:
    ended: int = batch["completed"] + batch["failed"] + batch["cancelled"]
    return ended


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputIsUnusable(f"{file} cannot be read: {error.strerror}.") from None


def require_place(out: Path | None) -> None:
    """Refuse before anything runs what could not be written in the end.

    Raises:
        InputIsUnusable: *out* lies in no folder.
    """
    if out is not None and not out.absolute().parent.is_dir():
        raise InputIsUnusable(f"{out.parent} is no folder. Make it, or name another file.")
