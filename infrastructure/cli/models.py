"""``stratal model``: the local language models that can be fetched."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from infrastructure.cli.connection import Json
from infrastructure.cli.output import errors, say, show_json


class ModelNotWanted(Exception):
    """The download was announced and refused, or nobody was there to agree."""

    code = "model.not_fetched"

    def __init__(self) -> None:
        super().__init__("Nothing was downloaded. Agree to it, or say --yes.")


@dataclass(frozen=True, slots=True)
class ModelCommands:
    """The verbs of ``stratal model``.

    ``announce`` tells what fetching a model would download, or nothing if it is there; both
    callables raise an error with a ``code`` when they cannot do it.
    """

    announce: Callable[[str], str | None]
    fetch: Callable[[str], Path]

    def app(self) -> typer.Typer:
        verbs = typer.Typer(no_args_is_help=True, help="Language models that run on this machine.")
        verbs.command("fetch")(self.fetch_model)
        return verbs

    def fetch_model(
        self,
        name: Annotated[str, typer.Argument(help="Such as qwen2.5-coder-0.5b.")],
        *,
        yes: Annotated[bool, typer.Option("--yes", help="Agree to the download.")] = False,
        json: Json = False,
    ) -> None:
        """Download a model to run on this machine: pinned, checked, and asked about first."""
        announcement = self.announce(name)
        if announcement is not None:
            errors.print(announcement, markup=False)
            if not agrees(yes=yes):
                raise ModelNotWanted
        path = self.fetch(name)
        if json:
            show_json({"name": name, "path": str(path), "downloaded": announcement is not None})
        else:
            was = "is there already" if announcement is None else "was fetched"
            say(f"{name} {was}: {path}. Use it with STRATAL_LM=local:{name}.")


def agrees(*, yes: bool) -> bool:
    """Whether the download is wanted.

    Raises:
        ModelNotWanted: Nobody is there to say so.
    """
    if yes:
        return True
    try:
        return typer.confirm("Download it?", err=True)
    except typer.Abort:
        errors.print()
        raise ModelNotWanted from None
