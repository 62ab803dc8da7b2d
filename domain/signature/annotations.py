"""The Python type of a field type: plain to show it to a model, constrained to validate with."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, NamedTuple, Optional, Union, assert_never

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    Strict,
    create_model,
)
from pydantic_core import PydanticCustomError

from domain.signature import media
from domain.signature.constraints import Constraints, both
from domain.signature.types import (
    CodeOf,
    ConstrainedOf,
    DictOf,
    EnumOf,
    FieldSpec,
    FieldType,
    ListOf,
    ObjectOf,
    OptionalOf,
    Primitive,
    PrimitiveName,
    UnionOf,
)

_BULLET = re.compile(
    r"^\s*(?:[-*•]\s+|\(?\d{1,3}[.):]\s+|step\s+\d{1,3}\s*[.:)-]\s*)", re.IGNORECASE
)
_WORDS = {"true": True, "false": False}


def annotation(type: FieldType, *, name: str = "Values") -> Any:
    """The plain Python type of *type*, as a prompt names it: ``float`` for a probability.

    An object is a model called *name*, with its bounds; they are part of the schema in the prompt.
    """
    return _Builder(plain=True, name=name).built(type)


def model_of(fields: Sequence[FieldSpec], *, strict: bool = False) -> type[BaseModel]:
    """A model of an object with *fields*, of which it takes their names as aliases."""
    return _Builder(strict=strict).model(fields)


def bounds_of(type: FieldType) -> Constraints:
    """The bounds of *type* itself, those that its word stands for included."""
    match type:
        case ConstrainedOf():
            return both(bounds_of(type.of), type.constraints)
        case OptionalOf():
            return bounds_of(type.of)
        case Primitive(name=name):
            return _BOUNDS.get(name, _UNBOUND)
        case _:
            return _UNBOUND


def steps(text: str) -> list[str]:
    """The steps of a chain of reasoning: its lines without bullets and numbers."""
    lines = (_BULLET.sub("", line).strip() for line in text.splitlines())
    return [line for line in lines if line]


class _Builder:
    """Builds one kind of Python types: plain ones, or those that coerce, or *strict* ones."""

    def __init__(self, *, plain: bool = False, strict: bool = False, name: str = "Values") -> None:
        self._plain, self._strict, self._name = plain, strict, name

    def built(self, type: FieldType, bounds: Constraints | None = None) -> Any:
        match type:
            case Primitive():
                return self._primitive(type.name, bounds)
            case CodeOf():
                return str
            case ListOf():
                return _within(list[self.built(type.item)], bounds)  # type: ignore[misc]  # built at run time
            case DictOf():
                # Keys of JSON are texts, also in strict mode.
                key = int if type.key == Primitive(name="integer") else str
                return _within(dict[key, self.built(type.value)], bounds)  # type: ignore[valid-type,misc]  # built at run time
            case EnumOf():
                return Literal[type.values]
            case OptionalOf():
                return Optional[self.built(type.of)]  # noqa: UP045 - the operator refuses Any
            case UnionOf():
                return Union[tuple(map(self.built, type.options))]  # noqa: UP007 - the operator needs names
            case ObjectOf():
                return self.model(type.fields)
            case ConstrainedOf():
                return self.built(type.of, None if self._plain else type.constraints)
            case _:
                assert_never(type)

    def model(self, fields: Sequence[FieldSpec]) -> type[BaseModel]:
        # Numbered, with the name as alias: a field may be called "copy" or "json", as a method is.
        numbered = {f"f{number}": self._field(each) for number, each in enumerate(fields)}
        config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)
        return create_model(self._name, __config__=config, **numbered)  # type: ignore[call-overload, no-any-return]  # the fields are data

    def _field(self, field: FieldSpec) -> tuple[Any, Any]:
        told: dict[str, Any] = {"alias": field.name, "description": field.description}
        if self._plain:
            name = "".join(part.title() for part in field.name.split("_"))
            required = annotation(field.type, name=name)
            told |= keywords(bounds_of(field.type))
        else:
            required = self.built(field.type)
        if not field.optional:
            return required, Field(**told)
        return Optional[required], Field(default=field.default, **told)  # noqa: UP045 - the operator refuses Any

    def _primitive(self, name: PrimitiveName, bounds: Constraints | None) -> Any:
        form = _FORMS[name]
        if self._plain:
            return form.plain
        own = _BOUNDS.get(name, _UNBOUND)
        base, marks = (form.strict or form.checked) if self._strict else form.checked
        return _within(base, own if bounds is None else both(own, bounds), *marks)


class _Checked(NamedTuple):
    """A type for pydantic, and what is put around it beyond bounds."""

    base: Any
    marks: tuple[Any, ...] = ()


class _Form(NamedTuple):
    """One word's types: ``strict`` only where it differs from what is coerced by ``checked``."""

    plain: Any
    checked: _Checked
    strict: _Checked | None = None


def _within(base: Any, bounds: Constraints | None, *marks: Any) -> Any:
    """*base* within *bounds*, with *marks* around it."""
    told = () if bounds is None or not bounds.said else (Field(**keywords(bounds)),)
    return Annotated[base, *told, *marks] if told or marks else base


def keywords(bounds: Constraints) -> dict[str, Any]:
    """*bounds* as pydantic's ``Field`` takes them."""
    return {_KEYWORDS.get(name, name): value for name, value in bounds.said.items()}


def _boolean(value: object) -> object:
    return _WORDS.get(value.strip().lower(), value) if isinstance(value, str) else value


def _number(value: object) -> object:
    if isinstance(value, bool):
        raise PydanticCustomError("number_type", "Input should be a number, not true or false")
    return value


def _steps(value: object) -> object:
    return steps(value) if isinstance(value, str) else value


_KEYWORDS: Final = {"min_items": "min_length", "max_items": "max_length"}
_UNBOUND: Final = Constraints()
_BOUNDS: Final[Mapping[str, Constraints]] = {
    "probability": Constraints(ge=0, le=1),
    "confidence_score": Constraints(ge=0, le=1),
    "token_count": Constraints(ge=0),
}

_READ: Final = BeforeValidator(_number)
_INTEGER: Final = _Form(int, _Checked(int, (_READ,)), _Checked(int, (Strict(),)))
_FLOAT: Final = _Form(float, _Checked(float, (_READ,)), _Checked(float, (Strict(),)))
_FORMS: Final[Mapping[PrimitiveName, _Form]] = {
    "string": _Form(str, _Checked(str)),
    "integer": _INTEGER,
    "float": _FLOAT,
    "boolean": _Form(
        bool, _Checked(bool, (Strict(), BeforeValidator(_boolean))), _Checked(bool, (Strict(),))
    ),
    "array": _Form(list[Any], _Checked(list[JsonValue])),
    "map": _Form(dict[str, Any], _Checked(dict[str, JsonValue])),
    "any": _Form(Any, _Checked(JsonValue)),
    "probability": _FLOAT,
    "confidence_score": _FLOAT,
    "reasoning_chain": _Form(
        list[str], _Checked(list[str], (BeforeValidator(_steps),)), _Checked(list[str])
    ),
    "embedding": _Form(
        list[float],
        _Checked(list[Annotated[float, _READ]]),
        _Checked(list[Annotated[float, Strict()]]),
    ),
    "token_count": _INTEGER,
    "image": _Form(str, _Checked(media.Image)),
    "audio": _Form(str, _Checked(media.Audio)),
    "file": _Form(str, _Checked(media.File)),
    "history": _Form(list[dict[str, Any]], _Checked(media.History)),
}
