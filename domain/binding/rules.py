"""What a binding must keep to for its program to run; every fault is named at once."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from pydantic import JsonValue

from domain.binding.values import BindingSpec, Constant, FromRecord, Trigger
from domain.errors import Fault
from domain.signature.errors import ValuesDoNotFit
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.signature.validation import validate_inputs
from domain.text import MAX_NAME_BYTES, escape

MAX_BINDINGS: Final = 20
"""How many bindings that are not removed one kind of record may have."""

_POINTER: Final = re.compile(r"(?:/(?:[^~/]|~[01])*)*")
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,8}")


def binding_faults(spec: BindingSpec, signature: SignatureSpec) -> Iterator[Fault]:
    """Everything that keeps *spec* from running a program with *signature*."""
    if spec.changed and spec.action is not Trigger.UPDATE:
        message = "Only an update changes fields. Leave changed out, or bind it to update."
        yield Fault("/changed", "binding.changed_nothing", message)
    yield from _input_faults(spec, signature)
    yield from _output_faults(spec, signature)


def mapped_inputs(spec: BindingSpec, data: JsonValue) -> dict[str, JsonValue]:
    """The inputs for a record that holds *data*; what is not in it is left out."""
    values: dict[str, JsonValue] = {}
    for name, source in spec.inputs.items():
        if isinstance(source, Constant):
            values[name] = source.value
        else:
            for found in _found(data, source.pointer):
                values[name] = found
    return values


def mapped_outputs(spec: BindingSpec, outputs: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The fields of a record that *outputs* go into; one that was not given is null."""
    return {field: outputs.get(output) for field, output in spec.outputs.items()}


def _input_faults(spec: BindingSpec, signature: SignatureSpec) -> Iterator[Fault]:
    fields = {field.name: field for field in signature.inputs}
    known = ", ".join(fields)
    for name, source in spec.inputs.items():
        at = f"/inputs/{escape(name)}"
        if name not in fields:
            message = f"The program has no input {name}. It has {known}."
            yield Fault(at, "binding.unknown_input", message)
        elif isinstance(source, FromRecord):
            if not _POINTER.fullmatch(source.pointer):
                message = "This is no JSON pointer. Write one such as /title, or leave it empty."
                yield Fault(f"{at}/pointer", "binding.pointer_malformed", message)
        else:
            yield from _constant_faults(fields[name], source, signature, at)
    for name, field in fields.items():
        if name not in spec.inputs and not (field.optional or field.has_default):
            message = f"The program needs the input {name}. Say where it comes from."
            yield Fault(f"/inputs/{name}", "binding.input_missing", message)


def _constant_faults(
    field: FieldSpec, source: Constant, signature: SignatureSpec, at: str
) -> Iterator[Fault]:
    alone = signature.model_copy(update={"inputs": (field,)})
    try:
        validate_inputs(alone, {field.name: source.value})
    except ValuesDoNotFit as error:
        for fault in error.faults:
            inside = fault.pointer.removeprefix(f"/{escape(field.name)}")
            yield Fault(f"{at}/value{inside}", fault.code, fault.message)


def _output_faults(spec: BindingSpec, signature: SignatureSpec) -> Iterator[Fault]:
    known = [field.name for field in signature.outputs]
    if not spec.outputs:
        message = "Say into which field of the record at least one output goes."
        yield Fault("/outputs", "binding.no_output", message)
    for field, output in spec.outputs.items():
        at = f"/outputs/{escape(field)}"
        if output not in known:
            message = f"The program has no output {output}. It has {', '.join(known)}."
            yield Fault(at, "binding.unknown_output", message)
        if not field or len(field.encode()) > MAX_NAME_BYTES:
            message = f"A field of a record has a name of 1 to {MAX_NAME_BYTES} bytes."
            yield Fault(at, "binding.field_name", message)


def _found(data: JsonValue, pointer: str) -> Iterator[JsonValue]:
    """What is at *pointer* of *data*, if anything is."""
    for step in pointer.split("/")[1:]:
        token = step.replace("~1", "/").replace("~0", "~")
        match data:
            case dict() if token in data:
                data = data[token]
            case list() if _INDEX.fullmatch(token) and int(token) < len(data):
                data = data[int(token)]
            case _:
                return
    yield data
