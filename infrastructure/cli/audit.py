"""``stratal audit``: what happened, as sentences; and whether that is what was signed."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from application.auditing import Outcome
from infrastructure.cli.connection import AsOf, Connect, Json
from infrastructure.cli.output import moment, people, say, show_json

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Examined:
    """What an examination of the log found, for people and for programs."""

    lines: Sequence[str]
    is_well: bool
    json: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class AuditCommands:
    """Reads the audit trail over the API, and the log itself in the database.

    Args:
        connect: Reaches the API.
        examine: Holds the log against public keys and files of checkpoints.
        bundle: Writes the log from a position on to a folder or archive, and says what it wrote.
    """

    connect: Connect
    examine: Callable[[Sequence[str], Sequence[Path], Progress], Examined]
    bundle: Callable[[Path, int, Progress], str]

    def app(self) -> typer.Typer:
        verbs = typer.Typer(invoke_without_command=True)
        verbs.callback()(self.trail)
        for verb in (self.attempts, self.verify, self.export):
            verbs.command()(verb)
        return verbs

    def trail(
        self,
        context: typer.Context,
        *,
        actor: Annotated[str | None, typer.Option(help="Only what they did.")] = None,
        of: Annotated[str | None, typer.Option(help="Only one aggregate, by id.")] = None,
        topic: Annotated[
            list[str] | None,
            typer.Option(help="Only this topic, or all of a kind as program.*; repeatable."),
        ] = None,
        command: Annotated[str | None, typer.Option(help="Only by this command.")] = None,
        limit: Annotated[int, typer.Option(min=1, max=200, help="How many.")] = 50,
        as_of: AsOf = None,
        json: Json = False,
    ) -> None:
        """Tell what happened, a sentence an event, newest first; or check that it is untouched."""
        if context.invoked_subcommand is not None:
            return
        found = self.connect().get(
            "/v1/audit",
            actor=actor,
            aggregate_id=of,
            topic=tuple(topic or ()),
            command=command,
            limit=limit,
            as_of=as_of,
        )
        if json:
            show_json(found)
            return
        for each in found["items"]:
            people.print(f"[dim]{each['position']:>6}[/dim]  ", end="")
            people.print(each["sentence"], markup=False)

    def attempts(
        self,
        *,
        actor: Annotated[str | None, typer.Option(help="Only what they asked for.")] = None,
        command: Annotated[str | None, typer.Option(help="Only this command.")] = None,
        code: Annotated[str | None, typer.Option(help="Only refusals with this code.")] = None,
        outcome: Annotated[
            Outcome | None, typer.Option(help="Only what was refused, or changed nothing.")
        ] = None,
        since: Annotated[str | None, typer.Option(help="Kept then or later (RFC 3339).")] = None,
        until: Annotated[str | None, typer.Option(help="Kept before then.")] = None,
        limit: Annotated[int, typer.Option(min=1, max=200, help="How many.")] = 50,
        json: Json = False,
    ) -> None:
        """Tell which commands left no event, newest first: refused ones, and those in vain."""
        found = self.connect().get(
            "/v1/audit/attempts",
            actor=actor,
            command=command,
            code=code,
            outcome=None if outcome is None else outcome.value,
            since=since,
            until=until,
            limit=limit,
        )
        if json:
            show_json(found)
            return
        for each in found["items"]:
            people.print(f"[dim]{moment(each['at'])}[/dim]  ", end="")
            what, why = each["command"] or each["operation"], each["code"] or each["outcome"]
            people.print(f"{each['actor']}: {what}, {why}: {each['reason']}", markup=False)

    def verify(
        self,
        *,
        key: Annotated[
            list[str] | None, typer.Option(help="A public key, or a file of them; else our own.")
        ] = None,
        checkpoints: Annotated[
            list[Path] | None, typer.Option(help="A file of checkpoints that was kept elsewhere.")
        ] = None,
        json: Json = False,
    ) -> None:
        """Hold every event against what the notary signed; ends with 1 if something is amiss."""
        found = self.examine(key or (), checkpoints or (), _progress)
        _end_progress()
        if json:
            show_json(found.json)
        else:
            for line in found.lines:
                say(line)
        if not found.is_well:
            raise typer.Exit(1)

    def export(
        self,
        *,
        out: Annotated[Path, typer.Option(help="A new folder, or a new file that ends in .zip.")],
        start: Annotated[
            int, typer.Option("--from", min=1, help="The position of the first event.")
        ] = 1,
    ) -> None:
        """Write a bundle that proves itself: events, checkpoints, proofs, key and a verifier."""
        sentence = self.bundle(out, start, _progress)
        _end_progress()
        say(sentence)


def _progress(seen: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{seen} events")
        sys.stderr.flush()


def _end_progress() -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\r")
