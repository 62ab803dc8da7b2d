"""Values against the fields of a signature: coerced and completed, or every fault named at once."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, Literal

from pydantic import BaseModel, JsonValue, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from domain.errors import Fault
from domain.signature.annotations import model_of
from domain.signature.errors import ValuesDoNotFit
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.text import escape, json_faults

Noun = Literal["input", "output", "argument"]

_FIELDS: Final = TypeAdapter(tuple[FieldSpec, ...])
_SHOWN = 80
_DEFAULT: Final = "default"
_OWNER: Final[Mapping[Noun, str]] = {
    "input": "the signature",
    "output": "the signature",
    "argument": "the tool",
}
_MISSING: Final[Mapping[Noun, str]] = {
    "input": "Missing required inputs",
    "output": "Missing outputs",
    "argument": "Missing arguments",
}


def validate_inputs(
    spec: SignatureSpec, values: Mapping[str, JsonValue], *, at: str = "", strict: bool = False
) -> dict[str, JsonValue]:
    """*values* as the inputs of *spec*: coerced, with every default, null where one was left out.

    *at* is the JSON pointer of *values* in what was sent; every fault's pointer starts with it.
    A *strict* validation coerces nothing: ``"42"`` is no integer.

    Raises:
        ValuesDoNotFit: Inputs are missing, unknown or of the wrong type; it names all of them.
    """
    return _validated("input", _known(_Same(spec.inputs), strict=strict), values, at)


def validate_outputs(
    spec: SignatureSpec, values: Mapping[str, JsonValue], *, at: str = "", strict: bool = False
) -> dict[str, JsonValue]:
    """*values* as the outputs of *spec*, like ``validate_inputs``.

    Raises:
        ValuesDoNotFit: Outputs are missing, unknown or of the wrong type; it names all of them.
    """
    return _validated("output", _known(_Same(spec.outputs), strict=strict), values, at)


def validate_arguments(
    fields: Sequence[FieldSpec], values: Mapping[str, JsonValue]
) -> dict[str, JsonValue]:
    """*values* as the arguments of a tool that takes *fields*, like ``validate_inputs``.

    Raises:
        ValuesDoNotFit: Arguments are missing, unknown or of the wrong type; it names all of them.
    """
    return _validated("argument", _known(_Same(fields), strict=False), values, "")


def default_of(field: FieldSpec) -> JsonValue:
    """The default of *field* in the form of its type.

    Raises:
        ValuesDoNotFit: It is not of that type.
    """
    # By its type alone: hundreds of fields with their own defaults may share one type.
    model = _model(_key([FieldSpec(name=_DEFAULT, type=field.type, optional=True)]), strict=False)
    return _validated("input", model, {_DEFAULT: field.default}, "")[_DEFAULT]


def _validated(
    noun: Noun, model: type[BaseModel], values: Mapping[str, JsonValue], at: str
) -> dict[str, JsonValue]:
    if unsafe := list(json_faults(dict(values), at)):
        raise ValuesDoNotFit(f"These {noun}s cannot be stored: {unsafe[0].message}", unsafe)
    try:
        valid = model.model_validate(dict(values))
    except ValidationError as error:
        raise _refusal(noun, values, error.errors(include_url=False), at) from None
    return valid.model_dump(mode="json", by_alias=True)


class _Same:
    """Fields, equal to themselves alone: found without a look at what they say."""

    __slots__ = ("fields",)

    def __init__(self, fields: Sequence[FieldSpec]) -> None:
        self.fields = fields

    def __hash__(self) -> int:
        return id(self.fields)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.fields is other.fields


@lru_cache(maxsize=1024)
def _known(same: _Same, *, strict: bool) -> type[BaseModel]:
    return _model(_key(same.fields), strict=strict)


def _key(fields: Sequence[FieldSpec]) -> bytes:
    # Equal models hash alike although their defaults 1, 1.0 and True differ; their JSON does not.
    return _FIELDS.dump_json(tuple(fields))


@lru_cache(maxsize=1024)
def _model(fields_json: bytes, *, strict: bool) -> type[BaseModel]:
    return model_of(_FIELDS.validate_json(fields_json), strict=strict)


def _refusal(
    noun: Noun, values: Mapping[str, JsonValue], errors: Sequence[ErrorDetails], at: str
) -> ValuesDoNotFit:
    missing = sorted(
        ".".join(map(str, _path(values, error))) for error in errors if error["type"] == "missing"
    )
    faults = list(dict.fromkeys(_fault(noun, values, error, at) for error in errors))
    if missing:
        return ValuesDoNotFit(f"{_MISSING[noun]}: {', '.join(missing)}", faults)
    return ValuesDoNotFit(f"These {noun}s do not fit {_OWNER[noun]}: {faults[0].message}", faults)


def _fault(noun: Noun, values: Mapping[str, JsonValue], error: ErrorDetails, at: str) -> Fault:
    path = _path(values, error)
    pointer = at + "".join(f"/{escape(step)}" for step in path)
    name = ".".join(map(str, path))
    if error["type"] == "missing":
        return Fault(pointer, "value.missing", f"The {noun} {name} is missing. Add it.")
    if error["type"] == "extra_forbidden":
        message = f"{_OWNER[noun].capitalize()} has no {noun} {name[:_SHOWN]}. Remove it."
        return Fault(pointer, "value.unknown", message)
    shown = json.dumps(error["input"], ensure_ascii=False)
    shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
    return Fault(pointer, "value.invalid", f"{name} is {shown}: {error['msg']}.")


def _path(values: Mapping[str, JsonValue], error: ErrorDetails) -> list[str | int]:
    """The steps into *values* to what *error* is about, or to where it is missing."""
    path = list(_steps(values, error["loc"]))
    return [*path, error["loc"][-1]] if error["type"] == "missing" else path


def _steps(values: Mapping[str, JsonValue], loc: Sequence[str | int]) -> Iterator[str | int]:
    """The steps of *loc* that lead into *values*; pydantic mixes in the names of union members."""
    here: Any = values
    for step in loc:
        try:
            here = here[step]
        except (KeyError, IndexError, TypeError):
            continue
        yield step
