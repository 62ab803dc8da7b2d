"""What the command line prints: tables and sentences for people, JSON for programs."""

import json
import sys
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_UNBOUNDED = 10_000
"""Nothing is wrapped for a pipe or a file: programs and searches read whole lines."""

people = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _UNBOUNDED)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


def show_json(content: object) -> None:
    """Print one JSON document."""
    sys.stdout.write(json.dumps(content, ensure_ascii=False, indent=2) + "\n")


def say(sentence: str) -> None:
    """Print *sentence* as it is."""
    people.print(sentence, markup=False)


def show_pairs(pairs: Mapping[str, object]) -> None:
    """Print names and values beneath each other; the lines of a long value stand under its first.

    Names begin where they did for every pair, so several calls may make one list only when their
    names are equally long.
    """
    width = max(map(len, pairs), default=0)
    for name, value in pairs.items():
        first, *rest = plain(value).splitlines() or [""]
        people.print(f"[dim]{escape(name):<{width}}[/dim]  {escape(first)}")
        for line in rest:
            people.print(f"{'':<{width}}  {escape(line)}")


def show_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; numbers stand at the right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        cells = [row[index] for row in rows if row[index] is not None]
        numeric = bool(cells) and all(isinstance(cell, int | float) for cell in cells)
        is_flag = any(isinstance(cell, bool) for cell in cells)
        table.add_column(column, justify="right" if numeric and not is_flag else "left")
    for row in rows:
        table.add_row(*(escape(plain(cell)) for cell in row))
    people.print(table, soft_wrap=False)


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


def moment(stamp: str | None) -> str | None:
    """A time of the API to the second, in UTC."""
    return None if stamp is None else f"{stamp[:10]} {stamp[11:19]} UTC"


def figure(score: float | None) -> str | None:
    """A score with as many digits as it is worth."""
    return None if score is None else f"{score:.3f}"
