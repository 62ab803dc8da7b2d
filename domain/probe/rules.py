"""What may be probed: an allowed package, arguments that a constructor can be given."""

import json
from collections.abc import Collection, Iterator
from keyword import iskeyword
from typing import Final

from domain.errors import Fault
from domain.probe.errors import InvalidProbe, PackageIsNotAllowed
from domain.probe.values import ModulePromise
from domain.signature.validation import validate_inputs
from domain.text import escape, json_faults

MAX_ARGUMENTS_BYTES: Final = 64 * 1024


def is_allowed(import_path: str, packages: Collection[str]) -> bool:
    """Whether the module of *import_path* is one of *packages*, or lies within one."""
    module = import_path.partition(":")[0]
    return any(module == each or module.startswith(f"{each}.") for each in packages)


def require_allowed(
    import_path: str, packages: Collection[str], *, at: str = "/import_path"
) -> None:
    """Refuse what lies outside *packages*; *at* points to where it was named.

    Raises:
        PackageIsNotAllowed: It does.
    """
    if not is_allowed(import_path, packages):
        raise PackageIsNotAllowed(import_path, at)


def check_promise(promise: ModulePromise) -> None:
    """Refuse a promise that no module could be built by.

    Raises:
        InvalidProbe: Arguments cannot be given to a constructor; it names every fault.
        ValuesDoNotFit: Inputs for the dry run do not fit the signature.
    """
    if faults := list(argument_faults(promise)):
        raise InvalidProbe(faults)
    given = tuple(field for field in promise.signature.inputs if field.name in promise.inputs)
    unknown = promise.inputs.keys() - {field.name for field in given}
    if given or unknown:
        narrowed = promise.signature.model_copy(update={"inputs": given})
        validate_inputs(narrowed, promise.inputs, at="/inputs")


def argument_faults(promise: ModulePromise) -> Iterator[Fault]:
    """Everything that keeps the arguments from being given to a constructor."""
    arguments = promise.arguments
    for name in arguments:
        if not (name.isascii() and name.isidentifier()) or iskeyword(name) or name == "self":
            message = f"{name!r} cannot be the name of an argument. Use an identifier."
            yield Fault(f"/arguments/{escape(name)}", "probe.argument_name", message)
    if faults := list(json_faults(arguments, "/arguments")):
        yield from faults
    elif len(json.dumps(arguments).encode()) > MAX_ARGUMENTS_BYTES:
        message = f"Arguments have at most {MAX_ARGUMENTS_BYTES} bytes. Put data in the package."
        yield Fault("/arguments", "probe.arguments_too_long", message)
