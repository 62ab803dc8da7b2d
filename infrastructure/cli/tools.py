"""``stratal tool``: what agents may call."""

from dataclasses import dataclass

import typer

from infrastructure.cli.connection import AsOf, Connect, Json
from infrastructure.cli.output import moment, say, show_json, show_table


@dataclass(frozen=True, slots=True)
class ToolCommands:
    """The verbs of ``stratal tool``."""

    connect: Connect

    def app(self) -> typer.Typer:
        verbs = typer.Typer(no_args_is_help=True, help="What agents may call.")
        verbs.command("list")(self.list)
        return verbs

    def list(self, *, as_of: AsOf = None, json: Json = False) -> None:
        """List the tools on the shelf, newest first."""
        found = [*self.connect().tools.list(as_of=as_of)]
        if json:
            show_json(found)
        elif found:
            rows = [
                (each["name"], each["spec"]["kind"], moment(each["created_at"]), each["tool_id"])
                for each in found
            ]
            show_table(("name", "kind", "created", "id"), rows)
        else:
            say("There are no tools. Create one with POST /v1/tools.")
