"""What a tool must keep to before a module may name it; every fault is named at once."""

import re
from collections.abc import Iterator, Sequence
from keyword import iskeyword
from typing import Final
from urllib.parse import urlsplit

from domain.errors import Fault
from domain.signature.errors import InvalidSignature
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.signature.rules import accepted
from domain.text import MAX_LONG_TEXT_BYTES, escape, text_fault
from domain.tool.values import (
    PASSAGES,
    QUERY,
    HttpTool,
    Place,
    ProgramTool,
    RetrieverTool,
    ToolSpec,
)

MAX_TOOLS: Final = 50
RESERVED: Final = frozenset({"finish", "submit"})
"""Names of what every agent of DSPy has: the end of its work."""

_BRACES = re.compile(r"\{([^{}]*)\}")
_SENT = frozenset({"POST", "PUT", "PATCH"})


def arguments_of(tool: ToolSpec) -> tuple[FieldSpec, ...]:
    """What *tool* takes; of a program that is a tool nothing is known here."""
    match tool:
        case RetrieverTool():
            return (QUERY,)
        case ProgramTool():
            return ()
        case _:
            return tool.arguments


def place_of(tool: HttpTool, argument: str) -> Place:
    """Where *argument* goes in the request of *tool*."""
    if argument in _BRACES.findall(tool.url):
        return "path"
    return tool.places.get(argument, "body" if tool.method in _SENT else "query")


def tool_faults(tools: Sequence[ToolSpec], pointer: str) -> Iterator[Fault]:
    """Everything that keeps the *tools* of one module from being used; *pointer* is their list."""
    if len(tools) > MAX_TOOLS:
        yield Fault(pointer, "tools.too_many", f"A module has at most {MAX_TOOLS} tools.")
        return
    seen: set[str] = set()
    for index, tool in enumerate(tools):
        at = f"{pointer}/{index}"
        if tool.name in seen:
            message = f"The name {tool.name} is used twice. Every tool needs its own."
            yield Fault(f"{at}/name", "tool.repeated", message)
        seen.add(tool.name)
        yield from own_faults(tool, at)


def own_faults(tool: ToolSpec, at: str) -> Iterator[Fault]:
    """Everything that keeps *tool*, which stands at the pointer *at*, from being used."""
    if tool.name in RESERVED or iskeyword(tool.name):
        message = f"The name {tool.name} is reserved. Choose another, such as {tool.name}_it."
        yield Fault(f"{at}/name", "name.reserved", message)
    if fault := text_fault(tool.description, f"{at}/description"):
        yield fault
    elif not tool.description.strip():
        message = "The model chooses a tool by its description. Say what it is for."
        yield Fault(f"{at}/description", "tool.undescribed", message)
    elif len(tool.description.encode()) > MAX_LONG_TEXT_BYTES:
        message = f"A text has at most {MAX_LONG_TEXT_BYTES} bytes. Shorten it."
        yield Fault(f"{at}/description", "text.too_long", message)
    if arguments := arguments_of(tool):
        yield from _argument_faults(arguments, f"{at}/arguments")
    if isinstance(tool, HttpTool):
        yield from _http_faults(tool, at)


def _argument_faults(arguments: Sequence[FieldSpec], pointer: str) -> Iterator[Fault]:
    try:
        accepted(SignatureSpec(inputs=tuple(arguments), outputs=(PASSAGES,)))
    except InvalidSignature as error:
        for fault in error.faults:
            where = pointer + fault.pointer.removeprefix("/inputs")
            if not _is_free(fault, arguments):
                yield Fault(where, fault.code, fault.message)


def _is_free(fault: Fault, arguments: Sequence[FieldSpec]) -> bool:
    """Whether only a signature may not have it: what is a name of DSPy is none of a tool."""
    found = re.fullmatch(r"/inputs/(\d+)/name", fault.pointer)
    if found is None or fault.code != "name.reserved":
        return fault.pointer.startswith("/outputs")
    name = arguments[int(found[1])].name
    return not iskeyword(name) and name != "self"


def _http_faults(tool: HttpTool, at: str) -> Iterator[Fault]:
    known = {field.name for field in tool.arguments}
    yield from url_faults(tool.url, f"{at}/url")
    for name in _BRACES.findall(tool.url):
        if name not in known:
            message = f"{{{name}}} in the address is no argument. Add it, or remove the braces."
            yield Fault(f"{at}/url", "tool.unknown_argument", message)
    for name, place in tool.places.items():
        where = f"{at}/places/{escape(name)}"
        if name not in known:
            message = "The tool has no argument of this name. Remove it."
            yield Fault(where, "tool.unknown_argument", message)
        elif (place == "path") != (name in _BRACES.findall(tool.url)):
            message = f"Say {{{name}}} in the address if, and only if, it goes into the path."
            yield Fault(where, "tool.place", message)
        elif place == "body" and tool.method not in _SENT:
            message = f"A {tool.method} request has no body. Choose query, or another method."
            yield Fault(where, "tool.place", message)


def url_faults(url: str, pointer: str) -> Iterator[Fault]:
    """Everything that keeps *url*, which stands at *pointer*, from being asked."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        yield Fault(pointer, "tool.url", "This is no address. Send https://host/path.")
        return
    if not url.isascii() or not url.isprintable() or " " in url:
        message = "An address is plain ASCII without spaces. Percent-encode the rest."
        yield Fault(pointer, "tool.url", message)
    elif parts.scheme not in ("http", "https") or not parts.hostname:
        yield Fault(pointer, "tool.url", "An address begins with https:// and a host.")
    elif parts.username is not None or parts.password is not None:
        message = "An address holds no password: it would be in the log. Name a secret."
        yield Fault(pointer, "tool.url", message)
    elif parts.fragment or _BRACES.search(parts.netloc) or "{" in parts.netloc:
        message = "Arguments go into path and query; the host is fixed, and there is no fragment."
        yield Fault(pointer, "tool.url", message)
