"""``stratal cache``: what equal runs are answered with instead of the model."""

from dataclasses import dataclass
from typing import Annotated, Literal

import typer

from infrastructure.cli.connection import Connect
from infrastructure.cli.output import say


@dataclass(frozen=True, slots=True)
class CacheCommands:
    """The verbs of ``stratal cache``."""

    connect: Connect

    def app(self) -> typer.Typer:
        verbs = typer.Typer(no_args_is_help=True, help="What is answered without the model.")
        verbs.callback()(_group)  # without one the only verb would need no name
        verbs.command()(self.purge)
        return verbs

    def purge(
        self,
        *,
        cache: Annotated[
            Literal["answers", "predictions"] | None,
            typer.Option(help="Only of one; else of both."),
        ] = None,
        program: Annotated[
            str | None, typer.Option(help="Only what runs of a program filled: id or name.")
        ] = None,
        model: Annotated[
            str | None, typer.Option(help="Only what a model took part in, as in a trace.")
        ] = None,
        reason: Annotated[str | None, typer.Option(help="Why; it is on record.")] = None,
    ) -> None:
        """Serve no more what was kept until now."""
        self.connect().caches.purge(cache=cache, program=program, model=model, reason=reason)
        what = "both caches" if cache is None else f"the cache of {cache}"
        of = "" if program is None else f" that {program} filled"
        by = "" if model is None else f" in which {model} took part"
        say(f"Emptied {what}: nothing{of}{by} is served any more that was kept until now.")


def _group() -> None:
    """What is answered without the model."""
