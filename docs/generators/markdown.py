"""Tables, and types and sentences as their reader thinks of them."""

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

_NAMES: Final[Mapping[Any, str]] = {NoneType: "None", ...: "..."}


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; whoever makes a cell escapes the bars in its code."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def section(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table under its heading."""
    return f"## {title.replace('_', ' ').capitalize()}\n\n{table(columns, rows)}"


def code(text: object) -> str:
    """*text* as code in a cell; nothing where there is none."""
    escaped = str(text).replace("|", "\\|")
    return f"`{escaped}`" if escaped else ""


def words(name: str) -> str:
    """``ProgramTestingStarted`` as a sentence."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).capitalize() + "."


def told(thing: type) -> str:
    """What the docstring of *thing* itself says, or else its name."""
    own = thing.__dict__.get("__doc__")
    return prose(own) if own else words(thing.__name__)


def prose(text: str) -> str:
    """*text* on one line, with code as Markdown has it."""
    return " ".join(inspect.cleandoc(text).split()).replace("``", "`").replace("|", "\\|")


def type_name(annotation: object) -> str:
    """A type without validators, and with short names."""
    arguments = get_args(annotation)
    match get_origin(annotation):
        case None:
            name = getattr(annotation, "__name__", str(annotation))
            return _NAMES.get(annotation, str(name))
        case origin if origin is Annotated:
            return type_name(arguments[0])
        case origin if origin is Literal:
            return " | ".join(map(repr, arguments))
        case origin if origin in (Union, UnionType):
            return " | ".join(map(type_name, arguments))
        case origin:
            return f"{getattr(origin, '__name__', origin)}[{', '.join(map(type_name, arguments))}]"
