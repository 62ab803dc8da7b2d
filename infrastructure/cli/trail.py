"""``stratal events``, ``history`` and ``audit download``: what happened, for programs and files."""

import json as json_module
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from infrastructure.cli.connection import AsOf, Connect, Data, Json, at
from infrastructure.cli.output import moment, people, plain, show_json

Topic = Annotated[
    list[str] | None,
    typer.Option(help="Only this topic, or all of a kind as program.*; repeatable."),
]
After = Annotated[int, typer.Option(min=0, help="Only later positions: the last one you have.")]


class Form(StrEnum):
    JSONL = "jsonl"
    CSV = "csv"


class Resource(StrEnum):
    SIGNATURES = "signatures"
    MODULES = "modules"
    PROGRAMS = "programs"
    DATASETS = "datasets"
    EXECUTIONS = "executions"
    OPTIMIZATIONS = "optimizations"
    EVALUATIONS = "evaluations"
    RECORDS = "records"
    BINDINGS = "bindings"


@dataclass(frozen=True, slots=True)
class TrailCommands:
    """Reads the log over the API."""

    connect: Connect

    def events(
        self,
        *,
        after: After = 0,
        topic: Topic = None,
        follow: Annotated[
            bool, typer.Option("--follow", "-f", help="Go on as things happen, until Ctrl-C.")
        ] = False,
    ) -> None:
        """Print the facts of the log as JSON lines, oldest first."""
        client = self.connect()
        read = client.follow if follow else client.events
        _print(_line(each) for each in read(after, tuple(topic or ())))

    def download(
        self,
        *,
        form: Annotated[Form, typer.Option("--format", help="The form of a line.")] = Form.JSONL,
        after: After = 0,
        topic: Topic = None,
        actor: Annotated[str | None, typer.Option(help="Only what they did.")] = None,
        of: Annotated[str | None, typer.Option(help="Only one aggregate, by id.")] = None,
        since: Annotated[
            str | None, typer.Option(help="Recorded then or later (RFC 3339).")
        ] = None,
        until: Annotated[str | None, typer.Option(help="Recorded before then.")] = None,
    ) -> None:
        """Print the whole audit trail, oldest first; broken connections are mended."""
        lines = self.connect().export_audit_lines(
            form.value,
            after,
            topic=tuple(topic or ()),
            actor=actor,
            aggregate_id=of,
            since=since,
            until=until,
        )
        _print(lines)

    def history(
        self,
        resource: Annotated[Resource, typer.Argument(help="What kind of thing it is.")],
        thing: Annotated[str, typer.Argument(help="Its id or name.")],
        *,
        status: Annotated[
            str | None, typer.Option(help="Only events after which it had this status.")
        ] = None,
        limit: Annotated[int, typer.Option(min=1, max=200, help="How many.")] = 50,
        as_of: AsOf = None,
        json: Json = False,
    ) -> None:
        """Tell what each event changed of one thing, newest first."""
        found = self.connect().get(
            at(resource.value, thing, "history"),
            mode="full_diff",
            status=status,
            limit=limit,
            as_of=as_of,
        )
        if json:
            show_json(found)
            return
        for each in found["items"]:
            people.print(f"[bold]{each['version']:>6}[/bold]  ", end="")
            said = (
                f"{moment(each['at'])}  {each['topic']} by {each['actor']}, then {each['status']}"
            )
            people.print(said, markup=False)
            for change in _changes(each):
                people.print(f"        {change}", markup=False)


def _changes(entry: Data) -> Iterator[str]:
    for each in entry["changes"]:
        match each["op"]:
            case "add":
                if each["value"] is not None:
                    yield f"{each['path']}: {plain(each['value'])}"
            case "remove":
                yield f"{each['path']}: {plain(each['before'])} → nothing"
            case _:
                yield f"{each['path']}: {plain(each['before'])} → {plain(each['value'])}"


def _line(fact: Data) -> bytes:
    return json_module.dumps(fact, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _print(lines: Iterable[bytes]) -> None:
    """Print *lines* as they are and when they come, until whoever reads them has enough."""
    try:
        for line in lines:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
    except BrokenPipeError:  # what is still buffered must not fail again at the exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
