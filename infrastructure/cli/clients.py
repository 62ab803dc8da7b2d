"""``stratal client``: code for programs that call yours."""

from collections.abc import Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from infrastructure.cli.connection import Connect, Data, InputIsUnusable, write
from infrastructure.cli.output import errors, say
from infrastructure.client.generator import typed_client, typed_programs


@dataclass(frozen=True, slots=True)
class ClientCommands:
    """The verbs of ``stratal client``."""

    connect: Connect

    def app(self) -> typer.Typer:
        verbs = typer.Typer(no_args_is_help=True, help="Code for programs that call yours.")
        verbs.command("generate")(self.generate)
        return verbs

    def generate(
        self,
        program: Annotated[
            list[str] | None,
            typer.Option(help="Only this program; give it several times for several."),
        ] = None,
        *,
        out: Annotated[
            Path | None, typer.Option(help="The file to write; without it the code is printed.")
        ] = None,
    ) -> None:
        """Write a typed Python client: a class for what each program takes and gives."""
        names = tuple(program or ())
        document = self.connect().get("/openapi.json", program=names or None)
        found = typed_programs(document)
        if missing := sorted(set(names) - found.keys()):
            raise InputIsUnusable(f"No program in service is called {', '.join(missing)}.")
        text = typed_client(document)
        if out is None:
            say(text)
            return
        write(out, text)
        errors.print(f"{out} has the types of {_count(found, document)}.", markup=False)


def _count(found: Sized, document: Data) -> str:
    programs = "1 program" if len(found) == 1 else f"{len(found)} programs"
    in_service = document["info"].get("x-stratal-in-service")
    if in_service is None:
        return programs
    return f"{programs}, the newest of {in_service}; name others with --program"
