"""What the command line prints: tables and sentences for people, JSON for programs."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

import typer
from pydantic import JsonValue
from rich.console import Console
from rich.markup import escape
from rich.table import Table

people = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


def show_json(content: JsonValue) -> None:
    """Print one JSON document."""
    sys.stdout.write(json.dumps(content, ensure_ascii=False, indent=2) + "\n")


def show_pairs(pairs: Mapping[str, object]) -> None:
    """Print names and values beneath each other."""
    width = max(len(name) for name in pairs)
    for name, value in pairs.items():
        people.print(f"[dim]{name:<{width}}[/dim]  {escape(plain(value))}")


def show_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; numbers stand at the right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        numeric = all(isinstance(row[index], int | float) for row in rows)
        table.add_column(column, justify="right" if numeric and rows else "left")
    for row in rows:
        table.add_row(*(escape(plain(cell)) for cell in row))
    people.print(table)


def plain(value: object) -> str:
    """*value* as a person reads it; what is unknown is a dash."""
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4g}"
        case str():
            return value
        case dict() | list():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return str(value)


def refuse(code: str, detail: str, faults: Sequence[str] = (), *, as_json: bool) -> NoReturn:
    """Say what is wrong on stderr and end with 1."""
    if as_json:
        problem = {"code": code, "detail": detail, "faults": list(faults)}
        sys.stderr.write(json.dumps(problem, ensure_ascii=False) + "\n")
    else:
        errors.print(f"[red]{escape(detail)}[/red] [dim]({code})[/dim]")
        for fault in faults:
            errors.print(f"  {escape(fault)}")
    raise typer.Exit(1)
