"""The JSON Schemas of a signature's values: as the standard has them, and as providers ask."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, assert_never

from domain.signature import media
from domain.signature.annotations import bounds_of
from domain.signature.constraints import Constraints, both
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.signature.types import (
    PRIMITIVES,
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
    parts,
)

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


class SchemaForm(StrEnum):
    """Who reads a JSON Schema."""

    GENERIC = "generic"
    OPENAI = "openai"
    ANTHROPIC = "anthropic"


def json_schema(fields: Sequence[FieldSpec]) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of an object with *fields*, in their order."""
    return {"$schema": DIALECT, **_Schemas().object(fields)}


def strict_json_schema(fields: Sequence[FieldSpec]) -> dict[str, Any]:
    """``json_schema`` as providers with strict structured outputs ask for it.

    Every field is required at every depth and none has a default; an optional one may be null.
    """
    return {"$schema": DIALECT, **_Schemas(strict=True).object(fields)}


def schema_for(
    form: SchemaForm, name: str, spec: SignatureSpec, fields: Sequence[FieldSpec]
) -> dict[str, Any]:
    """The schema of *fields*, the inputs or the outputs of *spec*, as *form* asks for it.

    For OpenAI it is the value of ``response_format.json_schema``, for Anthropic a tool to be
    called with the fields. Both are called *name*, in the letters that they take.
    """
    called = "".join(each if each.isascii() and each.isalnum() else "_" for each in name)[:64]
    match form:
        case SchemaForm.GENERIC:
            return json_schema(fields)
        case SchemaForm.OPENAI:
            schema = _Schemas(strict=True, lengths=False).object(fields)
            closed = not any(_is_open(field.type) for field in fields)
            return {"name": called, "strict": closed, "schema": schema}
        case SchemaForm.ANTHROPIC:
            schema = _Schemas().object(fields)
            described = {"description": spec.instructions} if spec.instructions else {}
            return {"name": called, **described, "input_schema": schema}
        case _:
            assert_never(form)


class _Schemas:
    """Writes schemas: *strict* ones require every field; without *lengths* those of texts are left.

    What OpenAI's strict mode does not know is checked by us once the model has answered.
    """

    def __init__(self, *, strict: bool = False, lengths: bool = True) -> None:
        self._strict, self._lengths = strict, lengths

    def object(self, fields: Sequence[FieldSpec]) -> dict[str, Any]:
        required = [field.name for field in fields if self._strict or not field.optional]
        return {
            "type": "object",
            "properties": {field.name: self._field(field) for field in fields},
            **({"required": required} if required else {}),
            "additionalProperties": False,
        }

    def _field(self, field: FieldSpec) -> dict[str, Any]:
        schema = self.type(OptionalOf(of=field.type) if field.optional else field.type)
        if field.optional and not self._strict:
            schema = {**schema, "default": field.default}
        return schema if field.description is None else {**schema, "description": field.description}

    def type(self, type: FieldType, bounds: Constraints = Constraints()) -> dict[str, Any]:  # noqa: B008 - frozen
        match type:
            case Primitive():
                return self._bounded(_words(type.name), both(bounds_of(type), bounds))
            case CodeOf():
                return {"type": "string"}
            case ListOf():
                return self._bounded({"type": "array", "items": self.type(type.item)}, bounds)
            case DictOf():
                return self._bounded(self._map(type), bounds)
            case EnumOf():
                return {"type": "string", "enum": list(type.values)}
            case OptionalOf():
                return _nullable(self.type(type.of))
            case UnionOf():
                return {"anyOf": [self.type(option) for option in type.options]}
            case ObjectOf():
                return self.object(type.fields)
            case ConstrainedOf():
                return self.type(type.of, type.constraints)
            case _:
                assert_never(type)

    def _map(self, type: DictOf) -> dict[str, Any]:
        keys = {} if type.key == PRIMITIVES["string"] else {"propertyNames": {"pattern": _WHOLE}}
        return {"type": "object", "additionalProperties": self.type(type.value), **keys}

    def _bounded(self, schema: dict[str, Any], bounds: Constraints) -> dict[str, Any]:
        counted = _ENTRIES if schema.get("type") == "object" else _ITEMS
        words = {**_WORDS, **counted}
        left = frozenset[str]() if self._lengths else _LENGTHS
        told = {words[name]: value for name, value in bounds.said.items() if name not in left}
        return {**schema, **told}


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    if not schema:
        return schema
    options = schema["anyOf"] if schema.keys() == {"anyOf"} else [schema]
    null = {"type": "null"}
    return {"anyOf": [*(each for each in options if each != null), null]}


def _words(name: str) -> dict[str, Any]:
    schema = media.SCHEMAS.get(name) or _PRIMITIVES[name]
    return dict(schema)


def _is_open(type: FieldType) -> bool:
    """Whether objects of *type* may have keys that nobody named: strict modes know none."""
    if isinstance(type, DictOf) or (isinstance(type, Primitive) and type.name in _OPEN):
        return True
    return any(map(_is_open, parts(type)))


_WHOLE: Final = "^-?[0-9]+$"
_OPEN: Final = frozenset({"any", "array", "map", "history"})
_LENGTHS: Final = frozenset({"min_length", "max_length"})
_ITEMS: Final = {"min_items": "minItems", "max_items": "maxItems"}
_ENTRIES: Final = {"min_items": "minProperties", "max_items": "maxProperties"}
_WORDS: Final = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
    "min_length": "minLength",
    "max_length": "maxLength",
    "pattern": "pattern",
}
_PRIMITIVES: Final[Mapping[str, dict[str, Any]]] = {
    "string": {"type": "string"},
    "integer": {"type": "integer"},
    "float": {"type": "number"},
    "boolean": {"type": "boolean"},
    "array": {"type": "array", "items": {}},
    "map": {"type": "object", "additionalProperties": True},
    "any": {},
    "probability": {"type": "number"},
    "confidence_score": {"type": "number"},
    "reasoning_chain": {"type": "array", "items": {"type": "string"}},
    "embedding": {"type": "array", "items": {"type": "number"}},
    "token_count": {"type": "integer"},
}
