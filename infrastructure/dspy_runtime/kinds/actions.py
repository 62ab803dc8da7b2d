"""What an agent meant whose answer was not in the form it was asked for."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

_TEXT_FORM: Final = re.compile(r"(?<!\[)\b([A-Za-z]\w*)\[((?!\[)[^\n]*)\]")
"""``tool_name[args]``, as the papers on agents have it; a header of an adapter is none."""
_NAMED: Final = re.compile(r'next_tool_name(?: ## \]\]|"?\s*:)\s*"?([A-Za-z]\w*)')
_THOUGHT: Final = re.compile(r'(?:Thought:|next_thought(?: ## \]\]|"?\s*:))\s*"?([^"\n]*)')


class Action(NamedTuple):
    """A thought, the tool it chose, and its arguments."""

    thought: str
    tool: str
    arguments: dict[str, Any]


def action(text: str, tools: Mapping[str, Any]) -> Action:
    """The action in *text*; its tool is one of *tools*, one that was made up, or empty.

    The arguments of the text form are JSON, or else the text for the tool's first argument.
    """
    thought = _THOUGHT.search(text)
    said = thought.group(1).strip() if thought else ""
    if found := _TEXT_FORM.search(text):
        name, arguments = found.groups()
        # JSON inside JSON: what stood in a string was escaped.
        return Action(said, name, _arguments(arguments.replace('\\"', '"'), tools.get(name)))
    named = _NAMED.search(text)
    return Action(said, named.group(1) if named else "", {})


def _arguments(text: str, tool: Any) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        value = text.strip().strip("\"'")
    if isinstance(value, dict):
        return value
    first = next(iter(getattr(tool, "args", None) or {}), None)
    return {} if first is None or value == "" else {first: value}
