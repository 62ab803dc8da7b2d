"""``stratal record``: things of the user's own, whose changes may run programs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import typer

from infrastructure.cli.bindings import why_of
from infrastructure.cli.connection import AsOf, Connect, Data, ExecutionId, Json, json_object
from infrastructure.cli.output import moment, people, plain, say, show_json, show_pairs, show_table
from infrastructure.client import Stratal

Resource = Annotated[str, typer.Argument(help="A kind of record, such as post.")]
RecordId = Annotated[str, typer.Argument(help="Id of a record.", metavar="RECORD")]
Wait = Annotated[float, typer.Option(help="Seconds to wait for the programs that it calls.")]
JsonText = Annotated[str, typer.Argument(help="A JSON object.", metavar="JSON")]
MOST_FIELDS = 3


@dataclass(frozen=True, slots=True)
class RecordCommands:
    """The verbs of ``stratal record``."""

    connect: Connect

    def app(self) -> typer.Typer:
        verbs = typer.Typer(no_args_is_help=True, help="Things of your own.")
        for verb in (self.create, self.show, self.update, self.repeat, self.delete):
            verbs.command()(verb)
        verbs.command("list")(self.list)
        return verbs

    def create(
        self,
        resource: Resource,
        data: JsonText,
        *,
        wait: Wait = 0,
        json: Json = False,
    ) -> None:
        """Create a record of a kind; programs that are bound to that run afterwards."""
        client, held = self.connect(), json_object("JSON", data)
        record_id = client.records.create(resource, held)["id"]
        _show(_waited(client, resource, record_id, wait), as_json=json)

    def show(
        self, resource: Resource, record: RecordId, *, as_of: AsOf = None, json: Json = False
    ) -> None:
        """Show a record, and what became of the programs that it called."""
        _show(self.connect().records.get(resource, record, as_of=as_of), as_json=json)

    def update(
        self,
        resource: Resource,
        record: RecordId,
        patch: JsonText,
        *,
        if_version: Annotated[
            int | None, typer.Option(help="Only if it has this version still.")
        ] = None,
        json: Json = False,
    ) -> None:
        """Change fields of a record: what is not named stays, null takes a field away."""
        client, changes = self.connect(), json_object("JSON", patch)
        client.records.update(resource, record, changes, expected_version=if_version)
        _show(client.records.get(resource, record), as_json=json)

    def repeat(
        self,
        resource: Resource,
        record: RecordId,
        execution: ExecutionId,
        *,
        wait: Wait = 0,
        json: Json = False,
    ) -> None:
        """Call once more a program that failed, on what the record holds now."""
        client = self.connect()
        client.records.repeat(resource, record, execution)
        _show(_waited(client, resource, record, wait), as_json=json)

    def delete(
        self,
        resource: Resource,
        record: RecordId,
        *,
        reason: Annotated[str | None, typer.Option(help="Told in the trail.")] = None,
        json: Json = False,
    ) -> None:
        """Delete a record; it stays readable."""
        done = self.connect().records.delete(resource, record, reason)
        show_json(done) if json else say(f"Deleted {resource} {record}.")

    def list(self, resource: Resource, *, as_of: AsOf = None, json: Json = False) -> None:
        """List the records of a kind, newest first."""
        found = [*self.connect().records.list(resource, as_of=as_of)]
        if json:
            show_json(found)
        elif found:
            rows = [
                (each["record_id"], _short(each["data"]), moment(each["updated_at"]))
                for each in found
            ]
            show_table(("id", "data", "updated"), rows)
        else:
            say(f"There is no {resource}. Create one with stratal record create {resource} JSON.")


def _waited(client: Stratal, resource: str, record: str, wait_s: float) -> Data:
    """A record, once what it called has ended or *wait_s* are over."""
    if not wait_s:
        return client.records.get(resource, record)
    return client.records.wait(resource, record, timeout_s=wait_s)


def _show(found: Data, *, as_json: bool) -> None:
    if as_json:
        show_json(found)
        return
    data: Data = found["data"] or {}
    show_pairs(
        {
            found["resource"]: found["record_id"],
            **({"status": "deleted"} if found["status"] == "deleted" else {}),
            **{f"· {name}": plain(value) for name, value in data.items()},
            "version": found["version"],
            "updated": moment(found["updated_at"]),
        }
    )
    if found["calls"]:
        people.print()
        show_table(("program run", "status", "called", "why"), list(_rows(found["calls"])))


def _rows(calls: list[Data]) -> Iterator[tuple[object, ...]]:
    for call in calls:
        yield call["execution_id"], call["status"], moment(call["called_at"]), why_of(call)


def _short(data: Data | None) -> str:
    """The first fields of what a record holds, each on a part of a line."""
    told = [f"{name}: {plain(value)[:40]}" for name, value in (data or {}).items()]
    return "; ".join(told[:MOST_FIELDS]) + ("; …" if len(told) > MOST_FIELDS else "")
