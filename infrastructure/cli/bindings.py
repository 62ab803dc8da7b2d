"""``stratal binding``: which changes of records run which program."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from infrastructure.cli.connection import AsOf, Connect, Data, InputIsUnusable, Json, ProgramName
from infrastructure.cli.output import moment, say, show_json, show_pairs, show_table

BindingName = Annotated[
    str, typer.Argument(help="Id or full name, such as post.summarise.", metavar="BINDING")
]
Reason = Annotated[str | None, typer.Option(help="Told in the trail.")]


@dataclass(frozen=True, slots=True)
class BindingCommands:
    """The verbs of ``stratal binding``."""

    connect: Connect

    def app(self) -> typer.Typer:
        verbs = typer.Typer(no_args_is_help=True, help="Programs that changes of records run.")
        for verb in (self.create, self.show, self.calls, self.pause, self.resume, self.remove):
            verbs.command()(verb)
        verbs.command("list")(self.list)
        return verbs

    def create(
        self,
        name: Annotated[str, typer.Argument(help="In full, such as post.summarise.")],
        program: ProgramName,
        *,
        inputs: Annotated[
            list[str], typer.Option("--input", help="input=/pointer into the record; repeat it.")
        ],
        outputs: Annotated[
            list[str], typer.Option("--output", help="field=output of the program; repeat it.")
        ],
        on: Annotated[str, typer.Option(help="create or update.")] = "create",
        changed: Annotated[
            list[str] | None, typer.Option(help="Only if this field changed; repeat it.")
        ] = None,
        json: Json = False,
    ) -> None:
        """Run a program whenever a record is created or updated, and keep what it gives."""
        resource, dot, short = name.partition(".")
        if not dot:
            raise InputIsUnusable(f"{name} has no dot. Write the resource first: post.{name}.")
        client, sources = self.connect(), _pairs("--input", inputs)
        done = client.bindings.create(
            resource,
            short,
            program,
            inputs={each: {"pointer": pointer} for each, pointer in sources.items()},
            outputs=_pairs("--output", outputs),
            action=on,
            changed=changed or (),
        )
        show_json(done) if json else say(f"Bound {program} as {name} ({done['id']}).")

    def show(self, binding: BindingName, *, as_of: AsOf = None, json: Json = False) -> None:
        """Show a binding."""
        found = self.connect().bindings.get(binding, as_of=as_of)
        if json:
            show_json(found)
        else:
            show_pairs(_shown(found))

    def list(
        self,
        *,
        resource: Annotated[str | None, typer.Option(help="Only those to such records.")] = None,
        as_of: AsOf = None,
        json: Json = False,
    ) -> None:
        """List bindings, newest first."""
        found = [*self.connect().bindings.list(resource=resource, as_of=as_of)]
        if json:
            show_json(found)
        elif found:
            rows = [
                (each["name"], each["spec"]["action"], each["status"], each["program_id"])
                for each in found
            ]
            show_table(("name", "on", "status", "program"), rows)
        else:
            say("No program is bound to records. See stratal binding create --help.")

    def calls(
        self,
        binding: BindingName,
        *,
        status: Annotated[str | None, typer.Option(help="pending, done or failed.")] = None,
        as_of: AsOf = None,
        json: Json = False,
    ) -> None:
        """List what called a binding, and what became of it, the latest first."""
        found = [*self.connect().bindings.calls(binding, status=status, as_of=as_of)]
        if json:
            show_json(found)
        else:
            rows = [
                (each["record_id"], each["status"], moment(each["called_at"]), why_of(each))
                for each in found
            ]
            show_table(("record", "status", "called", "why"), rows)

    def pause(self, binding: BindingName, *, reason: Reason = None, json: Json = False) -> None:
        """Have changes run it no more, until it is resumed."""
        done = self.connect().bindings.pause(binding, reason)
        show_json(done) if json else say(f"Paused {binding}.")

    def resume(self, binding: BindingName, *, json: Json = False) -> None:
        """Have changes from now on run it again."""
        done = self.connect().bindings.resume(binding)
        show_json(done) if json else say(f"Resumed {binding}.")

    def remove(self, binding: BindingName, *, reason: Reason = None, json: Json = False) -> None:
        """Have nothing run it ever again; it stays readable."""
        done = self.connect().bindings.remove(binding, reason)
        show_json(done) if json else say(f"Removed {binding}.")


def why_of(call: Data) -> str | None:
    """Why a call has failed."""
    failure = call["failure"]
    return failure and f"{failure['message']} ({failure['code']})"


def _shown(found: Data) -> dict[str, object]:
    spec, version = found["spec"], found["spec"]["program_version"]
    sources = {
        name: source.get("pointer", source.get("value")) for name, source in spec["inputs"].items()
    }
    which = f" of {', '.join(spec['changed'])}" if spec["changed"] else ""
    pairs: dict[str, object] = {
        "binding": found["name"],
        "id": found["binding_id"],
        "status": found["status"],
        "because": found["status_reason"],
        "on": f"{spec['action']}{which}",
        "program": f"{found['program_id']}, {f'version {version}' if version else 'as deployed'}",
        **{f"in   {name}": source for name, source in sources.items()},
        **{f"out  {field}": output for field, output in spec["outputs"].items()},
        "created": f"{moment(found['created_at'])} by {found['created_by']}",
    }
    return {name: value for name, value in pairs.items() if value is not None}


def _pairs(option: str, given: Sequence[str]) -> dict[str, str]:
    """What stands on each side of the first equals sign.

    Raises:
        InputIsUnusable: There is none.
    """
    for each in given:
        if "=" not in each:
            raise InputIsUnusable(f"{option} {each} has no equals sign. Write it as name=value.")
    return dict(each.split("=", 1) for each in given)
