"""The text form of a signature: ``question, tone?: string = "dry" -> answer, score: probability``.

The grammar, where ``type`` also takes the spellings of Elixir and of Python::

    signature = ["signature"] [instructions] fields "->" fields
    fields    = field {"," field}
    field     = name ["?"] [":" type] ["=" literal] [description]
    type      = one {"|" one}
    one       = [":"] primitive | "list[" type "]" | "{:array," type "}"
              | "dict[" type "," type "]" | "{:map," [type ","] type "}"
              | "enum[" word {"," word} "]" | "optional[" type "]" | "union[" type {"," type} "]"

Instructions and descriptions stand in quotes. Nothing of the text is ever imported or evaluated.
"""

import json
import math
from collections.abc import Callable
from difflib import get_close_matches
from typing import Final, NoReturn, TypeVar, assert_never

from pydantic import JsonValue

from domain.signature.errors import InvalidSignature, SignatureSyntaxError, UnknownType
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.signature.rules import MAX_FIELDS, MAX_TYPE_DEPTH, accepted, too_many
from domain.signature.tokens import Kind, Token, token_at, unquoted
from domain.signature.types import (
    PRIMITIVES,
    STRING,
    DictOf,
    EnumOf,
    FieldType,
    ListOf,
    OptionalOf,
    Primitive,
    UnionOf,
)
from domain.text import MAX_INTEGER_DIGITS, text_fault

MAX_LENGTH: Final = 1_000_000
"""Characters of a signature text."""

ALIASES: Final = {
    "str": "string", "int": "integer", "bool": "boolean",
    "list": "array", "List": "array", "dict": "map", "Dict": "map", "Any": "any",
}  # fmt: skip
_LIST = frozenset({"list", "List", "array"})
_DICT = frozenset({"dict", "Dict", "map"})
_ENUM = frozenset({"enum", "Literal"})
_OPTIONAL = frozenset({"optional", "Optional"})
_UNION = frozenset({"union", "Union"})
_NULL = frozenset({"None", "null", "nil"})
_CONSTANTS: Final[dict[str, JsonValue]] = {
    "true": True, "True": True, "false": False, "False": False, **dict.fromkeys(_NULL),
}  # fmt: skip
_TYPE_NAMES = sorted(
    (PRIMITIVES.keys() | ALIASES.keys() | _ENUM | _OPTIONAL | _UNION) - {"List", "Dict", "Any"}
)
_EXAMPLE = "Write inputs, an arrow and outputs, such as 'question -> answer'."

T = TypeVar("T")


def parse(text: str) -> SignatureSpec:
    """The signature that *text* writes, checked by every rule.

    Raises:
        SignatureSyntaxError: The text breaks the grammar; the error says where.
        UnknownType: A type is none of the known ones.
        InvalidSignature: A name, type, default or description breaks a rule.
    """
    if len(text) > MAX_LENGTH:
        problem = f"it is longer than {MAX_LENGTH} characters"
        raise SignatureSyntaxError(text, MAX_LENGTH, problem, "Send it as JSON, or shorten it.")
    if fault := text_fault(text):
        raise SignatureSyntaxError(text, 0, "this text is unsafe", fault.message)
    return accepted(_Parser(text).signature())


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
        case _:
            assert_never(type)


def _field(field: FieldSpec) -> str:
    text = f"{field.name}{'?' if field.optional else ''}: {render_type(field.type)}"
    if field.has_default:
        text += f" = {_quoted(field.default)}"
    return text if field.description is None else f"{text} {_quoted(field.description)}"


def _quoted(value: JsonValue) -> str:
    return json.dumps(value, ensure_ascii=False)


class _Parser:
    """Reads one token ahead; nesting is bounded, so recursion is too."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._token = token_at(text, 0)

    def signature(self) -> SignatureSpec:
        self._skip_keyword()
        instructions = self._string() if self._token.kind == "string" else None
        inputs = self._fields("->")
        outputs = self._fields("")
        return SignatureSpec(inputs=inputs, outputs=outputs, instructions=instructions)

    def _skip_keyword(self) -> None:
        following = token_at(self._text, self._token.end)
        if self._token.text == "signature" and following.kind in {"name", "string"}:
            self._token = following

    def _fields(self, closing: str) -> tuple[FieldSpec, ...]:
        fields = [self._field()]
        while self._accept(","):
            fields.append(self._field())
            if len(fields) > MAX_FIELDS:
                raise InvalidSignature([too_many()])
        if self._token.text != closing:
            wanted = f"',' or '{closing}'" if closing else "',' or the end"
            self._fail(f"{self._token} stands where {wanted} should", _EXAMPLE)
        if closing:
            self._advance()
        return tuple(fields)

    def _field(self) -> FieldSpec:
        name = self._name("a field name", _EXAMPLE)
        optional = self._accept("?")
        field_type = self._type(1) if self._accept(":") else STRING
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
        if self._accept("{"):
            return self._elixir(depth + 1)
        token = self._token
        name = self._name("a type", f"Types are {', '.join(_TYPE_NAMES)}.")
        if self._accept("["):
            return self._bracketed(token, depth + 1)
        if name in _NULL:
            return None
        return PRIMITIVES.get(ALIASES.get(name, name)) or self._unknown_type(name, token)

    def _bracketed(self, head: Token, depth: int) -> FieldType:
        """The type called *head*, whose opening bracket was read."""
        whole = self._parameterised(head, depth)
        self._expect("]")
        return whole

    def _parameterised(self, head: Token, depth: int) -> FieldType:
        name = head.text
        if name in _LIST:
            return ListOf(item=self._type(depth))
        if name in _DICT:
            key = self._type(depth)
            self._expect(",")
            return DictOf(key=key, value=self._type(depth))
        if name in _ENUM:
            return EnumOf(values=tuple(self._several(self._word)))
        if name in _OPTIONAL:
            return OptionalOf(of=self._type(depth))
        if name in _UNION:
            return self._choice(self._several(lambda: self._one(depth)))
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

    def _word(self) -> str:
        if self._token.kind == "string":
            return self._string()
        self._accept(":")
        return self._name("a word", "Put the words of an enum in quotes: enum['bug', 'billing'].")

    def _literal(self, depth: int) -> JsonValue:
        if depth > MAX_TYPE_DEPTH:
            self._fail("this default is nested too deep", f"Use at most {MAX_TYPE_DEPTH} levels.")
        token = self._token
        if token.kind == "string":
            return self._string()
        if token.kind == "number":
            return self._number()
        if token.text in _CONSTANTS:
            self._advance()
            return _CONSTANTS[token.text]
        if self._accept("["):
            return self._closed("]", lambda: self._literal(depth + 1))
        if self._accept("{"):
            return dict(self._closed("}", lambda: self._entry(depth + 1)))
        self._expect(":", "a default", "Put a text in quotes; numbers, true, null, [] and {} stay.")
        return self._name("a word", "An atom is a colon and a word.")

    def _entry(self, depth: int) -> tuple[str, JsonValue]:
        if self._token.kind != "string":
            self._fail(
                f"{self._token} stands where a key should", "Put the keys of a map in quotes."
            )
        key = self._string()
        self._expect(":")
        return key, self._literal(depth)

    def _number(self) -> JsonValue:
        token = self._token
        if len(token.text) > MAX_INTEGER_DIGITS:
            self._fail("this number is too long", f"Use at most {MAX_INTEGER_DIGITS} digits.")
        number = float(token.text) if set(token.text) & set(".eE") else int(token.text)
        if isinstance(number, float) and math.isinf(number):
            self._fail("this number is too large", "Use one below 1e308.")
        self._advance()
        return number

    def _several(self, item: Callable[[], T]) -> list[T]:
        items = [item()]
        while self._accept(","):
            items.append(item())
        return items

    def _closed(self, closing: str, item: Callable[[], T]) -> list[T]:
        """Items up to *closing*, which is read too; there may be none."""
        items = [] if self._token.text == closing else self._several(item)
        self._expect(closing)
        return items

    def _string(self) -> str:
        token = self._token
        self._advance()
        return unquoted(self._text, token)

    def _name(self, wanted: str, suggestion: str) -> str:
        name = self._token.text
        self._expect("name", wanted, suggestion)
        return name

    def _expect(self, what: Kind | str, wanted: str = "", suggestion: str = _EXAMPLE) -> None:
        if what not in (self._token.kind, self._token.text):
            self._fail(f"{self._token} stands where {wanted or repr(what)} should", suggestion)
        self._advance()

    def _accept(self, symbol: str) -> bool:
        found = self._token.kind == "symbol" and self._token.text == symbol
        if found:
            self._advance()
        return found

    def _advance(self) -> None:
        self._token = token_at(self._text, self._token.end)

    def _fail(self, problem: str, suggestion: str) -> NoReturn:
        raise SignatureSyntaxError(self._text, self._token.offset, problem, suggestion)

    def _unknown_type(self, name: str, token: Token) -> NoReturn:
        near = get_close_matches(name[:MAX_FIELDS], _TYPE_NAMES, n=1)
        suggestion = f"Did you mean {near[0]}?" if near else f"Types are {', '.join(_TYPE_NAMES)}."
        raise UnknownType(self._text, token.offset, name, suggestion)
