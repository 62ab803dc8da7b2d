"""``stratal provider generate``: asking a model without a program of one's own."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from infrastructure.cli.batches import follow_batch, require_place
from infrastructure.cli.connection import Connect, InputIsUnusable, Json
from infrastructure.cli.output import plain, say, show_json

Provider = Annotated[str, typer.Argument(help="Id or name of a provider.", metavar="PROVIDER")]
Model = Annotated[str | None, typer.Option(help="Of those that it offers; else the first one.")]
System = Annotated[str | None, typer.Option(help="What the model is told before.")]
Temperature = Annotated[float | None, typer.Option(help="Else as the model is offered.")]
MaxTokens = Annotated[int | None, typer.Option(help="Else as the model is offered.")]
CacheIt = Annotated[
    bool, typer.Option("--cache", help="Take the answer of an equal call, and keep this one.")
]


@dataclass(frozen=True, slots=True)
class GenerationCommands:
    """The verbs of ``stratal provider`` that ask its models."""

    connect: Connect

    def add_to(self, verbs: typer.Typer) -> None:
        verbs.command()(self.generate)
        verbs.command()(self.generate_batch)

    def generate(
        self,
        provider: Provider,
        prompt: Annotated[str, typer.Argument(help="What to ask.")],
        *,
        model: Model = None,
        system: System = None,
        temperature: Temperature = None,
        max_tokens: MaxTokens = None,
        cache: CacheIt = False,
        json: Json = False,
    ) -> None:
        """Ask a model once. It is an execution: recorded, charged and replayed as any."""
        found = self.connect().providers.generate(
            provider,
            prompt,
            model=model,
            system=system,
            temperature=temperature,
            max_tokens=max_tokens,
            cache=cache,
        )
        if json:
            show_json(found)
        elif found["text"] is not None:
            say(found["text"])
        else:
            failure = found["failure"] or {"message": f"It is {found['status']}.", "code": "-"}
            say(f"There is no answer: {failure['message']} ({plain(failure['code'])})")
            raise typer.Exit(1)

    def generate_batch(
        self,
        provider: Provider,
        file: Annotated[Path, typer.Argument(help="A prompt on each line; - is the input.")],
        *,
        out: Annotated[
            Path | None, typer.Option(help="File for the results, as JSON lines; else printed.")
        ] = None,
        model: Model = None,
        system: System = None,
        temperature: Temperature = None,
        max_tokens: MaxTokens = None,
        cache: CacheIt = False,
        concurrency: Annotated[
            int | None, typer.Option(help="How many are under way at a time; 4 if left out.")
        ] = None,
        fail_fast: Annotated[
            bool, typer.Option("--fail-fast", help="Begin no more once one has failed.")
        ] = False,
        json: Json = False,
    ) -> None:
        """Ask a model for each line of a file; the results come in the order of the lines."""
        require_place(out)
        client = self.connect()
        asked = client.providers.generate_batch(
            provider,
            _prompts(file),
            model=model,
            system=system,
            temperature=temperature,
            max_tokens=max_tokens,
            cache=cache,
            concurrency=concurrency,
            fail_fast=fail_fast,
        )
        follow_batch(client, asked["id"], out, as_json=json)


def _prompts(file: Path) -> list[str]:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputIsUnusable(f"{file} cannot be read: {error}.") from None
    return [line for line in text.splitlines() if line.strip()]
