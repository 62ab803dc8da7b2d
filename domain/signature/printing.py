"""The one way a signature is written: reading it gives an equal one back."""

import json
from typing import assert_never

from pydantic import JsonValue

from domain.signature.fields import FieldSpec, SignatureSpec
from domain.signature.types import (
    CodeOf,
    ConstrainedOf,
    DictOf,
    EnumOf,
    FieldType,
    ListOf,
    ObjectOf,
    OptionalOf,
    Primitive,
    UnionOf,
)


def render(spec: SignatureSpec) -> str:
    """*spec* as text; parsing it gives an equal one back."""
    inputs, outputs = (", ".join(map(_field, side)) for side in (spec.inputs, spec.outputs))
    instructions = "" if spec.instructions is None else f"{_quoted(spec.instructions)} "
    return f"{instructions}{inputs} -> {outputs}"


def render_type(type: FieldType) -> str:
    """*type* as a signature text spells it."""
    match type:
        case Primitive():
            return type.name
        case CodeOf():
            return f"code[{_quoted(type.language)}]"
        case ListOf():
            return f"list[{render_type(type.item)}]"
        case DictOf():
            return f"dict[{render_type(type.key)}, {render_type(type.value)}]"
        case EnumOf():
            return f"enum[{', '.join(map(_quoted, type.values))}]"
        case OptionalOf():
            return f"optional[{render_type(type.of)}]"
        case UnionOf():
            return f"union[{', '.join(map(render_type, type.options))}]"
        case ObjectOf():
            return f"object{{{', '.join(map(_field, type.fields))}}}"
        case ConstrainedOf():
            said = ", ".join(f"{name}={_quoted(it)}" for name, it in type.constraints.said.items())
            return f"{render_type(type.of)}({said})"
        case _:
            assert_never(type)


def _field(field: FieldSpec) -> str:
    text = f"{field.name}{'?' if field.optional else ''}: {render_type(field.type)}"
    if field.has_default:
        text += f" = {_quoted(field.default)}"
    return text if field.description is None else f"{text} {_quoted(field.description)}"


def _quoted(value: JsonValue) -> str:
    return json.dumps(value, ensure_ascii=False)
