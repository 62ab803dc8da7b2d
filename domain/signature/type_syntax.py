"""The types of a signature text, in the spellings of the papers, of Python and of Elixir."""

import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from pydantic import ValidationError

from domain.signature.constraints import Constraints
from domain.signature.errors import InvalidSignature, UnknownType
from domain.signature.fields import FieldSpec
from domain.signature.reading import NULL, Reader, nearest
from domain.signature.rules import MAX_FIELDS, too_many
from domain.signature.tokens import Token, token_at
from domain.signature.type_rules import MAX_TYPE_DEPTH
from domain.signature.types import (
    PRIMITIVES,
    STRING,
    CodeOf,
    ConstrainedOf,
    DictOf,
    EnumOf,
    FieldType,
    ListOf,
    ObjectOf,
    OptionalOf,
    UnionOf,
)

ALIASES: Final = {
    "str": "string", "int": "integer", "bool": "boolean",
    "list": "array", "List": "array", "dict": "map", "Dict": "map", "Any": "any",
}  # fmt: skip
DEFAULT_LANGUAGE: Final = "python"
_LIST = frozenset({"list", "List", "array"})
_DICT = frozenset({"dict", "Dict", "map"})
_ENUM = frozenset({"enum", "Literal"})
_OPTIONAL = frozenset({"optional", "Optional"})
_UNION = frozenset({"union", "Union"})
_CODE, _OBJECT = "code", "object"
_BRACKETED = _LIST | _DICT | _ENUM | _OPTIONAL | _UNION
_LANGUAGE = re.compile(r"[A-Za-z][A-Za-z0-9+#._-]{0,39}")
_TYPE_NAMES = sorted(
    (PRIMITIVES.keys() | ALIASES.keys() | _ENUM | _OPTIONAL | _UNION | {_CODE, _OBJECT})
    - {"List", "Dict", "Any"}
)
_BRACKETS = "Types take square brackets, as in list[string]; object{name: string} takes braces."
_BOUNDS = f"Constraints are {', '.join(Constraints.model_fields)}; integer(ge=0) has one."
_VALUES = "Bounds take a number, lengths and counts a whole one, a pattern a text in quotes."


class TypeReader(Reader):
    """Reads types, and fields, of which objects are made."""

    def _field(self, depth: int = 1) -> FieldSpec:
        name = self._name("a field name", "A field is a name, and a colon before its type.")
        optional = self._accept("?")
        field_type = self._type(depth) if self._accept(":") else STRING
        written = {"default": self._literal(1)} if self._accept("=") else {}
        description = self._string() if self._token.kind == "string" else None
        return FieldSpec.model_validate(
            {
                "name": name,
                "type": field_type,
                "description": description,
                "optional": optional,
                **written,
            }
        )

    def _type(self, depth: int) -> FieldType:
        options = [self._one(depth)]
        while self._accept("|"):
            options.append(self._one(depth))
        return self._choice(options)

    def _choice(self, options: list[FieldType | None]) -> FieldType:
        """One type out of alternatives; ``None`` among them says that null is one."""
        types = [option for option in options if option is not None]
        if not types:
            self._unknown_type("None", self._token)
        chosen = types[0] if len(types) == 1 else UnionOf(options=tuple(types))
        return chosen if len(types) == len(options) else OptionalOf(of=chosen)

    def _one(self, depth: int) -> FieldType | None:
        if depth > MAX_TYPE_DEPTH:
            suggestion = f"Use at most {MAX_TYPE_DEPTH} levels."
            self._fail("types are nested too deep", suggestion)
        self._accept(":")
        if self._token.text in NULL:
            self._advance()
            return None
        bare = self._elixir(depth + 1) if self._accept("{") else self._named(depth + 1)
        return self._constrained(bare) if self._accept("(") else bare

    def _named(self, depth: int) -> FieldType:
        head = self._token
        name = self._name("a type", f"Types are {', '.join(_TYPE_NAMES)}.")
        if name == _OBJECT:
            return self._object(depth)
        if self._accept("["):
            return self._bracketed(head, depth)
        if self._next_is("{") and name in _BRACKETED:
            self._fail("a brace stands where '[' should", _BRACKETS)
        if name == _CODE:
            return CodeOf(language=DEFAULT_LANGUAGE)
        return PRIMITIVES.get(ALIASES.get(name, name)) or self._unknown_type(name, head)

    def _object(self, depth: int) -> FieldType:
        self._expect("{", "", "Write object{name: string, age?: integer}, or map for any keys.")
        fields = [self._field(depth)]
        while self._accept(","):
            fields.append(self._field(depth))
            if len(fields) > MAX_FIELDS:
                raise InvalidSignature([too_many()])
        self._expect("}", "',' or '}'", _BRACKETS)
        return ObjectOf(fields=tuple(fields))

    def _bracketed(self, head: Token, depth: int) -> FieldType:
        """The type called *head*, whose opening bracket was read."""
        whole = self._parameterised(head, depth)
        self._expect("]", "", _BRACKETS)
        return whole

    def _parameterised(self, head: Token, depth: int) -> FieldType:
        name = head.text
        if name in _LIST:
            return ListOf(item=self._type(depth))
        if name in _DICT:
            key = self._type(depth)
            self._expect(",", "", "A map has keys and values: dict[string, integer].")
            return DictOf(key=key, value=self._type(depth))
        if name in _ENUM:
            return EnumOf(values=tuple(self._several(self._word)))
        if name in _OPTIONAL:
            return OptionalOf(of=self._type(depth))
        if name in _UNION:
            return self._choice(self._several(lambda: self._one(depth)))
        if name == _CODE:
            return CodeOf(language=self._language())
        return self._unknown_type(name, head)

    def _elixir(self, depth: int) -> FieldType:
        self._accept(":")
        head = self._token
        name = self._name("array or map", "Write {:array, :string} or {:map, :string}.")
        if name not in _LIST | _DICT:
            self._unknown_type(name, head)
        self._expect(",")
        types = self._several(lambda: self._type(depth)) if name in _DICT else [self._type(depth)]
        if len(types) > 2:
            self._fail("a map has a key and a value", "Write {:map, :string, :integer}.")
        self._expect("}")
        if name in _LIST:
            return ListOf(item=types[0])
        return DictOf(key=types[0] if len(types) > 1 else STRING, value=types[-1])

    def _constrained(self, bare: FieldType) -> FieldType:
        """*bare* with the constraints whose opening parenthesis was read."""
        said: dict[str, Any] = {}
        while True:
            name, value = self._constraint()
            if name in said:
                self._fail(f"{name} is said twice", "Keep one.")
            said[name] = value
            if not self._accept(","):
                break
        self._expect(")", "',' or ')'", _BOUNDS)
        return ConstrainedOf(of=bare, constraints=Constraints.model_validate(said))

    def _constraint(self) -> tuple[str, object]:
        token = self._token
        if token.kind != "name" or token_at(self._text, token.end).text != "=":
            self._fail(f"{token} stands where a constraint should", f"{_BRACKETS} {_BOUNDS}")
        if token.text not in Constraints.model_fields:
            problem = f"{token} is no constraint"
            self._fail(problem, nearest(token.text, Constraints.model_fields, _BOUNDS))
        self._advance()
        self._advance()
        written = self._token
        if written.kind not in {"number", "string"}:
            self._fail(f"{written} stands where the value of {token.text} should", _VALUES)
        value = self._number() if written.kind == "number" else self._string()
        if not _is_allowed({token.text: value}):
            self._fail(f"{written} cannot be {token}", _VALUES, written)
        return token.text, value

    def _language(self) -> str:
        token = self._token
        language = self._word()
        if not _LANGUAGE.fullmatch(language):
            self._fail(f"{token} is no language", "Name one: code[python] or code['c++'].", token)
        return language

    def _word(self) -> str:
        if self._token.kind == "string":
            return self._string()
        self._accept(":")
        return self._name("a word", "Put the words of an enum in quotes: enum['bug', 'billing'].")

    def _unknown_type(self, name: str, token: Token) -> NoReturn:
        suggestion = nearest(name, _TYPE_NAMES, f"Types are {', '.join(_TYPE_NAMES)}.")
        raise UnknownType(self._text, token.offset, name, suggestion)


def _is_allowed(said: Mapping[str, object]) -> bool:
    try:
        Constraints.model_validate(said)
    except ValidationError:
        return False
    return True
