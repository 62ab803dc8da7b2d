"""``stratal program draw``: a picture of a program, for people and for documents."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from infrastructure.cli.connection import Connect, ProgramName, at, write
from infrastructure.cli.output import say


class Picture(StrEnum):
    SVG = "svg"
    MERMAID = "mermaid"


@dataclass(frozen=True, slots=True)
class DrawingCommands:
    """The verb that draws."""

    connect: Connect

    def draw(
        self,
        program: ProgramName,
        *,
        version: Annotated[int | None, typer.Option(min=1, help="The latest if left out.")] = None,
        picture: Annotated[
            Picture, typer.Option("--format", help="A picture, or text that Mermaid draws.")
        ] = Picture.SVG,
        out: Annotated[
            Path | None, typer.Option(help="The file to write; without it it is printed.")
        ] = None,
    ) -> None:
        """Draw a program: its nodes, their bodies, and which value goes where."""
        client = self.connect()
        number = version or client.programs.get(program)["latest_version"]
        path = at("programs", program, f"versions/{number}/drawing")
        text = client.text(path, format=picture.value)
        if out is None:
            typer.echo(text, nl=False)
            return
        write(out, text)
        say(f"{out} shows version {number} of {program}.")
