"""How DSPy tells a model of a field: its type, its place in the prompt, and what its text means."""

import ast
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Optional, Union, cast, get_args, get_origin

import json_repair
from pydantic import BaseModel, JsonValue, TypeAdapter

from domain.signature.annotations import annotation, bounds_of, keywords
from domain.signature.fields import FieldSpec
from domain.signature.types import CodeOf, ConstrainedOf, FieldType, ListOf, OptionalOf, Primitive

_CONTENT: Final = frozenset({"image", "audio", "file", "history"})
_MARKERS: Final = ("<<CUSTOM-TYPE-START-IDENTIFIER>>", "<<CUSTOM-TYPE-END-IDENTIFIER>>")
_SAID: Final[Mapping[str, str]] = {
    "gt": "greater than: ",
    "ge": "greater than or equal to: ",
    "lt": "less than: ",
    "le": "less than or equal to: ",
    "min_length": "minimum length: ",
    "max_length": "maximum length: ",
    "multiple_of": "a multiple of the given number: ",
}
_QUOTED: Final = ("Literal[", "str[")


class TypeIsNotCarried(Exception):
    """Values of this type are more than text in a prompt."""


@dataclass(frozen=True, slots=True)
class NativeField:
    """A field as prompts have it. ``may_lack`` says that an answer may leave it out."""

    name: str
    annotation: Any
    description: str
    constraints: str
    may_lack: bool

    @classmethod
    def of(cls, spec: FieldSpec) -> "NativeField":
        """The field of *spec*.

        Raises:
            TypeIsNotCarried: Its values are more than text.
        """
        name = "".join(part.title() for part in spec.name.split("_"))
        shown = _shown(OptionalOf(of=spec.type) if spec.optional else spec.type, name)
        return cls(
            spec.name, shown, spec.description or "", _constraints(spec), type_of_none(shown)
        )

    @property
    def described(self) -> str:
        """What it is, in a list of fields."""
        told = f"`{self.name}` ({type_name(self.annotation)}): {self.description}"
        return f"{told}\nConstraints: {self.constraints}" if self.constraints else told

    @property
    def type_told(self) -> str:
        """Its type, where the answer is asked for."""
        if self.annotation is str:
            return ""
        return f" (must be formatted as a valid Python {type_name(self.annotation)})"

    @property
    def place(self) -> str:
        """Its place among the outputs, with what may stand there."""
        told = _demand(self.annotation)
        note = f"{' ' * 8}# note: the value you produce {told}" if told else ""
        return f"{{{self.name}}}{note}"

    def read(self, text: str) -> JsonValue:
        """The value that *text* stands for.

        Raises:
            ValueError: It stands for none of this type.
        """
        return _plain(_read(text, self.annotation))


def type_of_none(shown: Any) -> bool:
    """Whether *shown* takes null."""
    return shown is type(None) or (
        get_origin(shown) is Union and any(map(type_of_none, get_args(shown)))
    )


def type_name(shown: Any) -> str:
    """What Python calls the type *shown*."""
    origin, parts = get_origin(shown), get_args(shown)
    if origin is None:
        return str(getattr(shown, "__name__", shown))
    if origin is Literal:
        told = [_quoted(each) if isinstance(each, str) else type_name(each) for each in parts]
    else:
        told = [type_name(each) for each in parts]
    return f"{type_name(origin)}[{', '.join(told)}]"


def spoken(value: JsonValue) -> str:
    """*value* as it stands in a prompt."""
    plain = harmless(value)
    return json.dumps(plain, ensure_ascii=False) if isinstance(plain, dict | list) else str(plain)


def harmless(value: JsonValue) -> JsonValue:
    """*value* without the markers that would make text a picture or a sound."""
    match value:
        case str():
            for marker in _MARKERS:
                value = value.replace(marker, marker.replace("-", " "))
            return value
        case dict():
            return {cast("str", harmless(key)): harmless(part) for key, part in value.items()}
        case list():
            return [harmless(part) for part in value]
        case _:
            return value


def _shown(type: FieldType, name: str) -> Any:
    match type:
        case ConstrainedOf():
            return _shown(type.of, name)
        case OptionalOf():
            return Optional[_shown(type.of, name)]  # noqa: UP045 - Any has no operator
        case CodeOf():
            raise TypeIsNotCarried("code")
        case _ if _is_content(type):
            raise TypeIsNotCarried("content that is no text")
        case _:
            return annotation(type, name=name)


def _is_content(type: FieldType) -> bool:
    inner = type.of if isinstance(type, OptionalOf) else type
    if isinstance(inner, ListOf):
        return _is_content(inner.item)
    return isinstance(inner, Primitive) and inner.name in _CONTENT


def _constraints(spec: FieldSpec) -> str:
    bounds = bounds_of(spec.type)
    told = [f"{_SAID[key]}{value}" for key, value in keywords(bounds).items() if key in _SAID]
    if bounds.pattern:
        told.append(f"matches the regular expression: {bounds.pattern}")
    return ", ".join(told)


def _demand(shown: Any) -> str:
    if shown is str:
        return ""
    if shown is bool:
        return "must be True or False"
    if shown in (int, float):
        return f"must be a single {shown.__name__} value"
    if get_origin(shown) is Literal:
        options = "; ".join(str(each) for each in get_args(shown))
        return f"must exactly match (no extra characters) one of: {options}"
    schema = _type_first(TypeAdapter(shown).json_schema())
    return f"must adhere to the JSON schema: {json.dumps(schema, ensure_ascii=False)}"


def _type_first(schema: JsonValue) -> JsonValue:
    match schema:
        case dict():
            names = sorted(schema, key=lambda name: (name != "type", name))
            return {name: _type_first(schema[name]) for name in names}
        case list():
            return [_type_first(each) for each in schema]
        case _:
            return schema


def _quoted(text: str) -> str:
    if "'" not in text:
        return f"'{text}'"
    if '"' not in text:
        return f'"{text}"'
    escaped = text.replace("'", "\\'")
    return f"'{escaped}'"


def _read(text: str, shown: Any) -> Any:
    if shown is str:
        return text
    if get_origin(shown) is Literal:
        if text in get_args(shown):
            return text
        text = _unquoted(text.strip())
        if text in get_args(shown):
            return text
    parts = get_args(shown)
    if get_origin(shown) is Union and type(None) in parts and str in parts:
        return TypeAdapter(shown).validate_python(text)
    return TypeAdapter(shown).validate_python(_repaired(text))


def _unquoted(text: str) -> str:
    if text.startswith(_QUOTED) and text.endswith("]"):
        text = text[text.find("[") + 1 : -1]
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1]
    return text


def _repaired(text: str) -> Any:
    found = json_repair.loads(text)
    if found == "" and text != "":
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError):
            return text
    return found


def _plain(value: object) -> JsonValue:
    """*value* as JSON: objects by the names that they are known by outside."""
    match value:
        case BaseModel():
            return cast("JsonValue", value.model_dump(mode="json", by_alias=True))
        case list():
            return [_plain(part) for part in cast("list[object]", value)]
        case dict():
            parts = cast("dict[str, object]", value)
            return {key: _plain(part) for key, part in parts.items()}
        case _:
            return cast("JsonValue", value)
