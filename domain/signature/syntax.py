"""The text form of a signature: ``question, tone?: string = "dry" -> answer, score: probability``.

The grammar, where ``type`` also takes the spellings of Elixir and of Python::

    signature   = ["signature"] ([instructions] fields "->" fields | "do" {way} "end")
    fields      = field {"," field}
    field       = name ["?"] [":" type] ["=" literal] [description]
    type        = one {"|" one}
    one         = [":"] bare [constraints]
    bare        = primitive | "list[" type "]" | "{:array," type "}"
                | "dict[" type "," type "]" | "{:map," [type ","] type "}"
                | "enum[" word {"," word} "]" | "optional[" type "]" | "union[" type {"," type} "]"
                | "object{" fields "}" | "code" ["[" word "]"]
    constraints = "(" name "=" (number | string) {"," name "=" (number | string)} ")"
    way         = ("input" | "output") ":" name ["," type] {"," option ":" literal}

Instructions and descriptions stand in quotes. Nothing of the text is ever imported or evaluated.
"""

from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

from domain.signature.errors import InvalidSignature, SignatureSyntaxError
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.signature.printing import render, render_type
from domain.signature.reading import EXAMPLE, nearest
from domain.signature.rules import MAX_FIELDS, accepted, too_many
from domain.signature.tokens import Token, token_at
from domain.signature.type_syntax import TypeReader
from domain.signature.types import STRING, FieldType
from domain.text import text_fault

__all__ = ["MAX_LENGTH", "parse", "render", "render_type"]

MAX_LENGTH: Final = 1_000_000
"""Characters of a signature text."""

_WAYS: Final = ("input", "output")
_OPTIONS: Final = ("desc", "optional", "default")
_BLOCK: Final = 'Write input :question, :string, desc: "…", and end after the last output.'


def parse(text: str) -> SignatureSpec:
    """The signature that *text* writes, checked by every rule.

    Raises:
        SignatureSyntaxError: The text breaks the grammar; the error says where.
        UnknownType: A type is none of the known ones.
        InvalidSignature: A name, type, default or description breaks a rule.
    """
    return accepted(written(text))


def written(text: str) -> SignatureSpec:
    """The signature that *text* writes by the grammar alone: part of what has rules as a whole.

    Raises:
        SignatureSyntaxError: The text breaks the grammar; the error says where.
        UnknownType: A type is none of the known ones.
    """
    if len(text) > MAX_LENGTH:
        problem = f"it is longer than {MAX_LENGTH} characters"
        raise SignatureSyntaxError(text, MAX_LENGTH, problem, "Send it as JSON, or shorten it.")
    if fault := text_fault(text):
        raise SignatureSyntaxError(text, 0, "this text is unsafe", fault.message)
    return _Parser(text).signature()


class _Parser(TypeReader):
    def signature(self) -> SignatureSpec:
        self._skip_keyword()
        if self._begins_block():
            return self._block()
        instructions = self._string() if self._token.kind == "string" else None
        inputs = self._fields("->")
        outputs = self._fields("")
        return SignatureSpec(inputs=inputs, outputs=outputs, instructions=instructions)

    def _skip_keyword(self) -> None:
        following = self._following()
        if self._token.text == "signature" and following.kind in {"name", "string"}:
            self._token = following

    def _begins_block(self) -> bool:
        return self._token.text == "do" and self._following().text in _WAYS

    def _block(self) -> SignatureSpec:
        start = self._token
        self._advance()
        fields: dict[str, list[FieldSpec]] = {way: [] for way in _WAYS}
        while (way := self._token.text) in _WAYS:
            self._advance()
            fields[way].append(self._line())
            if sum(map(len, fields.values())) > MAX_FIELDS:
                raise InvalidSignature([too_many()])
        if self._token.text != "end":
            self._fail(f"{self._token} stands where input, output or end should", _BLOCK)
        self._advance()
        if self._token.kind != "end":
            self._fail(f"{self._token} stands after the end", _BLOCK)
        for way, found in fields.items():
            if not found:
                self._fail(f"this signature has no {way}", _BLOCK, start)
        inputs, outputs = (tuple(found) for found in fields.values())
        return SignatureSpec(inputs=inputs, outputs=outputs)

    def _line(self) -> FieldSpec:
        self._expect(":", "the name of a field", _BLOCK)
        name = self._name("the name of a field", _BLOCK)
        field_type: FieldType = STRING
        said: dict[str, JsonValue] = {}
        while self._accept(","):
            if self._following().text == ":" and self._token.kind == "name":
                said.update([self._option()])
            elif said:
                self._fail(f"{self._token} stands where an option should", _BLOCK)
            else:
                field_type = self._type(1)
        return FieldSpec.model_validate({"name": name, "type": field_type, **_spelled(said)})

    def _option(self) -> tuple[str, JsonValue]:
        token = self._token
        name = self._name("an option", _BLOCK)
        if name not in _OPTIONS:
            known = f"Options are {', '.join(_OPTIONS)}."
            self._fail(f"{token} is no option of a field", nearest(name, _OPTIONS, known), token)
        self._advance()
        written = self._token
        value = self._literal(1)
        wanted = {"desc": str, "optional": bool}.get(name, object)
        if not isinstance(value, wanted):
            self._fail(f"{written} cannot be {token}", "A desc is a text, optional true.", written)
        return name, value

    def _fields(self, closing: str) -> tuple[FieldSpec, ...]:
        fields = [self._field()]
        while self._accept(","):
            fields.append(self._field())
            if len(fields) > MAX_FIELDS:
                raise InvalidSignature([too_many()])
        if self._token.text != closing:
            wanted = f"',' or '{closing}'" if closing else "',' or the end"
            self._fail(f"{self._token} stands where {wanted} should", EXAMPLE)
        if closing:
            self._advance()
        return tuple(fields)

    def _following(self) -> Token:
        return token_at(self._text, self._token.end)


def _spelled(options: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    names = {"desc": "description"}
    return {names.get(name, name): value for name, value in options.items()}
