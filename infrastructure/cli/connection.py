"""What the verbs that ask the API have in common."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, cast
from urllib.parse import quote

import typer

from infrastructure.client import Stratal

Connect = Callable[[], Stratal]
Data = dict[str, Any]
"""A reply of the API, as its OpenAPI document describes it."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AsOf = Annotated[
    str | None,
    typer.Option(
        metavar="POSITION|TIME", help="As it was then: 42, or a time such as 2026-11-20T09:30:00Z."
    ),
]
Time = Annotated[
    str | None, typer.Option(metavar="TIME", help="A time such as 2026-11-20T09:30:00Z.")
]
ProgramName = Annotated[str, typer.Argument(help="Id or name of a program.", metavar="PROGRAM")]
DatasetName = Annotated[str, typer.Argument(help="Id or name of a dataset.", metavar="DATASET")]
ExecutionId = Annotated[str, typer.Argument(help="Id of an execution.", metavar="EXECUTION")]


class InputIsUnusable(Exception):
    """What was typed cannot be sent; nothing was. ``faults`` say where, if it is long."""

    code = "cli.input_unusable"

    def __init__(self, sentence: str, faults: Sequence[str] = ()) -> None:
        super().__init__(sentence)
        self.faults = faults


def at(kind: str, name: str, action: str) -> str:
    """The path of *action* on the thing of that *kind* and *name*, whatever the name holds."""
    return f"/v1/{kind}/{quote(name, safe='')}/{action}"


def write(out: Path, text: str) -> None:
    """Put *text* into the file *out*.

    Raises:
        InputIsUnusable: It cannot be written.
    """
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputIsUnusable(f"{out} cannot be written: {error.strerror}.") from None


def json_object(option: str, text: str) -> dict[str, object]:
    """The JSON object that *text*, the value of *option*, is.

    Raises:
        InputIsUnusable: It is something else, or no JSON.
    """
    try:
        value: Any = json.loads(text)
    except ValueError as error:
        raise InputIsUnusable(f"{option} is not JSON: {error}.") from None
    if not isinstance(value, dict):
        raise InputIsUnusable(f"{option} is no JSON object. Write it such as '{{\"k\": 8}}'.")
    return cast("dict[str, object]", value)
