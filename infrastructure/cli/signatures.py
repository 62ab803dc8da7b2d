"""``stratal signature``: what goes in and what comes out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.cells import cell_len

from domain.errors import InvalidError
from domain.signature.errors import SignatureSyntaxError, UnknownType
from infrastructure.cli.connection import Connect, Json
from infrastructure.cli.output import errors, say, show_json, show_table
from infrastructure.client import StratalProblem

if TYPE_CHECKING:  # it brings pydantic, which the command line starts without
    from domain.signature.from_table import Table

LONGEST_LINE = 500

DatabaseUrl = Annotated[
    str,
    typer.Option(
        metavar="URL",
        envvar="STRATAL_TABLE_DATABASE_URL",
        help="Of the database; in the variable its password is not seen by others.",
    ),
]


@dataclass(frozen=True, slots=True)
class SignatureCommands:
    """The verbs of ``stratal signature``.

    ``table`` describes a table of the database at an address, and what it refers to so many levels
    deep; it raises an error with a ``code`` when it cannot.
    """

    connect: Connect
    table: Callable[[str, str, int], "Table"]

    def app(self) -> typer.Typer:
        verbs = typer.Typer(no_args_is_help=True, help="What goes in and what comes out.")
        verbs.command("compile")(self.compile)
        verbs.command("json-schema")(self.json_schema)
        verbs.command("from-table")(self.from_table)
        return verbs

    def json_schema(
        self,
        signature: Annotated[str, typer.Argument(help="Id or name of a signature.")],
        *,
        form: Annotated[
            Literal["generic", "openai", "anthropic"],
            typer.Option("--for", help="Who reads it."),
        ] = "generic",
        side: Annotated[
            Literal["inputs", "outputs"], typer.Option(help="What the schema is of.")
        ] = "outputs",
    ) -> None:
        """Show the JSON Schema of a signature, as a provider asks for it."""
        show_json(self.connect().signatures.json_schema(signature, form, side=side))

    def from_table(
        self,
        table: Annotated[str, typer.Argument(help="Such as public.posts.")],
        *,
        database_url: DatabaseUrl,
        outputs: Annotated[str, typer.Option(help="The columns a model writes, with commas.")],
        inputs: Annotated[
            str | None, typer.Option(help="The columns it is given; else all the others.")
        ] = None,
        instructions: Annotated[str | None, typer.Option(help="What it is to do.")] = None,
        levels: Annotated[
            int, typer.Option(min=0, max=5, help="How deep tables it refers to are objects.")
        ] = 1,
        name: Annotated[
            str | None, typer.Option(help="Keep it under this name; else it is only shown.")
        ] = None,
        json: Json = False,
    ) -> None:
        """Make a signature of a table of a database. None of its rows is read."""
        from domain.signature.from_table import from_table  # noqa: PLC0415 - see above
        from domain.signature.printing import render  # noqa: PLC0415 - see above

        spec = from_table(
            self.table(database_url, table, levels),
            inputs=None if inputs is None else _listed(inputs),
            outputs=_listed(outputs),
            instructions=instructions,
        )
        data = spec.model_dump(mode="json")
        if name is not None:
            body = {"name": name, "spec": data}
            data = self.connect().post("/v1/signatures/register", body)
        if json:
            show_json(data)
        else:
            say(render(spec))

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


def _listed(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]


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
        case "code":
            return f"code[{type['language']}]"
        case "object":
            fields = (f"{field['name']}: {_type(field['type'])}" for field in type["fields"])
            return f"object{{{', '.join(fields)}}}"
        case "constrained":
            bounds = ", ".join(f"{name} {value}" for name, value in type["constraints"].items())
            return f"{_type(type['of'])} ({bounds})"
        case _:
            return " | ".join(_type(option) for option in type["options"])
