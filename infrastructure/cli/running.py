"""Runs the command line: what is refused is a sentence with a stable code, never a stack trace."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import typer
from rich.markup import escape

from infrastructure.cli.output import errors
from infrastructure.client import StratalProblem

REFUSED = 1
MISUSED = 2
"""Ends a call with unknown options or missing arguments, as is usual on Unix."""
INTERRUPTED = 130


def run(app: typer.Typer, arguments: Sequence[str] | None = None) -> int:
    """Run *app* on *arguments*, or on those of the process, and return the exit status."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    as_json = "--json" in given
    try:
        ended: object = app(given, prog_name="stratal", standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        errors.print("Stopped.")
        return INTERRUPTED
    except typer.TyperException as misuse:
        return _misused(misuse, as_json=as_json)
    except StratalProblem as problem:
        refuse(problem.code, problem.detail, _told(problem.faults), as_json=as_json)
        return REFUSED
    except Exception as error:
        # Every refusal of ours carries a code; anything else is a defect and keeps its trace.
        if not isinstance(code := getattr(error, "code", None), str):
            raise
        refuse(code, str(error), _told(getattr(error, "faults", ())), as_json=as_json)
        return REFUSED
    return ended if isinstance(ended, int) else 0


def refuse(code: str, detail: str, faults: Sequence[str], *, as_json: bool) -> None:
    """Say on stderr what is wrong. A fault that only repeats the sentence is left out."""
    if as_json:
        problem = {"code": code, "detail": detail, "faults": list(faults)}
        sys.stderr.write(json.dumps(problem, ensure_ascii=False) + "\n")
        return
    errors.print(f"[red]{escape(detail)}[/red] [dim]({escape(code)})[/dim]")
    for fault in faults:
        if not fault.endswith(f": {detail}"):
            errors.print(f"  {escape(fault)}")


def _told(faults: Iterable[Any]) -> list[str]:
    """Each of *faults* as a line: those of a file have its line already, others a pointer."""
    return [
        each if isinstance(each, str) else f"{each.pointer or '/'}: {each.message}"
        for each in faults
    ]


def _misused(misuse: typer.TyperException, *, as_json: bool) -> int:
    """Say what is wrong with the call itself, as every such error of Typer's can tell."""
    told: Any = misuse
    said = str(told.format_message()).replace(": Value error, ", ": ").rstrip(".")
    if said:  # a group that was called without a verb has shown its help, and says no more
        stop = "" if said.endswith("?") else "."
        sentence = f"{said}{stop} See `{told.ctx.command_path} --help`."
        refuse("cli.misused", sentence, [], as_json=as_json)
    return MISUSED
