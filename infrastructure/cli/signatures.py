"""``stratal signature``: what goes in and what comes out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.cells import cell_len

from domain.errors import InvalidError
from domain.signature.errors import SignatureSyntaxError, UnknownType
from infrastructure.cli.connection import Connect, Json
from infrastructure.cli.output import errors, say, show_json, show_table
from infrastructure.client import StratalProblem

LONGEST_LINE = 500


@dataclass(frozen=True, slots=True)
class SignatureCommands:
    """The verbs of ``stratal signature``."""

    connect: Connect

    def app(self) -> typer.Typer:
        verbs = typer.Typer(no_args_is_help=True, help="What goes in and what comes out.")
        verbs.command("compile")(self.compile)
        return verbs

    def compile(
        self,
        syntax: Annotated[str, typer.Argument(help="Such as 'question -> answer: int'.")],
        *,
        json: Json = False,
    ) -> None:
        """Check a signature and show its fields; nothing is stored."""
        try:
            compiled = self.connect().signatures.compile(syntax)
        except StratalProblem:
            if not json:
                _point_at_fault(syntax)
            raise
        if json:
            show_json(compiled)
            return
        say(compiled["syntax"])
        spec = compiled["spec"]
        show_table(
            ["field", "goes", "type", "optional", "description"],
            [
                [field["name"], way, _type(field["type"]), field["optional"], field["description"]]
                for way, fields in (("in", spec["inputs"]), ("out", spec["outputs"]))
                for field in fields
            ],
        )


def _point_at_fault(syntax: str) -> None:
    """Show the line that breaks the grammar, with a caret under the column."""
    from domain.signature.syntax import parse  # noqa: PLC0415 - only a refusal needs it

    try:
        parse(syntax)
    except InvalidError as fault:
        if isinstance(fault, SignatureSyntaxError | UnknownType):
            line = syntax.split("\n")[fault.line - 1]
            if len(line) <= LONGEST_LINE:
                before = cell_len(line[: fault.column - 1])
                errors.print(line, markup=False)
                errors.print(" " * before + "[red]^[/red]")


def _type(type: Mapping[str, Any]) -> str:
    match type["kind"]:
        case "primitive":
            return str(type["name"])
        case "enum":
            return " | ".join(type["values"])
        case "list":
            return f"list[{_type(type['item'])}]"
        case "dict":
            return f"dict[{_type(type['key'])}, {_type(type['value'])}]"
        case "optional":
            return f"{_type(type['of'])} | null"
        case _:
            return " | ".join(_type(option) for option in type["options"])
