"""Signatures as Python classes, for programs of users.

>>> class BasicQA(Signature):
...     "Answer the question."
...
...     question: str = Input(desc="The question to answer")
...     answer: str = Output(desc="The answer to the question")
"""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, TypedDict, Unpack, get_type_hints

from pydantic import JsonValue

from domain.errors import Fault
from domain.signature.constraints import Constraints
from domain.signature.errors import InvalidSignature
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.signature.reflection import As, Depth, TooDeep, marked, type_of
from domain.signature.rules import accepted
from domain.signature.type_rules import MAX_TYPE_DEPTH
from domain.signature.types import PRIMITIVES, CodeOf

Probability = Annotated[float, As(PRIMITIVES["probability"])]
ConfidenceScore = Annotated[float, As(PRIMITIVES["confidence_score"])]
ReasoningChain = Annotated[list[str], As(PRIMITIVES["reasoning_chain"])]
Embedding = Annotated[list[float], As(PRIMITIVES["embedding"])]
TokenCount = Annotated[int, As(PRIMITIVES["token_count"])]
Image = Annotated[str, As(PRIMITIVES["image"])]
Audio = Annotated[str, As(PRIMITIVES["audio"])]
File = Annotated[str, As(PRIMITIVES["file"])]
History = Annotated[list[dict[str, Any]], As(PRIMITIVES["history"])]
Code = Annotated[str, As(CodeOf(language="python"))]

_NONE: Final[Any] = object()


class Bounds(TypedDict, total=False):
    """The constraints of ``domain.signature.constraints``."""

    ge: float
    gt: float
    le: float
    lt: float
    multiple_of: int
    min_length: int
    max_length: int
    pattern: str
    min_items: int
    max_items: int


@dataclass(frozen=True, slots=True)
class _Said:
    """What a class says of a field beside its annotation."""

    is_input: bool
    desc: str | None
    optional: bool
    default: Any
    bounds: Bounds


def Input(  # noqa: N802 - it stands where a type would
    desc: str | None = None,
    *,
    optional: bool = False,
    default: JsonValue = _NONE,
    **bounds: Unpack[Bounds],
) -> Any:
    """An input: described by *desc*, left out if *optional*, with *default* in its place then."""
    return _Said(True, desc, optional, default, bounds)


def Output(  # noqa: N802 - it stands where a type would
    desc: str | None = None, *, optional: bool = False, **bounds: Unpack[Bounds]
) -> Any:
    """An output: described by *desc*; an *optional* one may be null."""
    return _Said(False, desc, optional, _NONE, bounds)


class Signature:
    """The base of signatures as classes: fields are annotated, the docstring is the instruction."""

    _spec: ClassVar[SignatureSpec]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._spec = _spec(cls)

    @classmethod
    def spec(cls) -> SignatureSpec:
        """The signature as data, equal to the one that a text or JSON gives."""
        return cls._spec


def _spec(cls: type) -> SignatureSpec:
    said = list(_said(cls))
    inputs, outputs = (
        tuple(_field(name, hint, it) for name, hint, it in said if it.is_input is way)
        for way in (True, False)
    )
    for side, found in (("inputs", inputs), ("outputs", outputs)):
        if not found:
            message = f"{cls.__name__} has no {side}. Write one: name: str = {side[:-1].title()}()."
            raise InvalidSignature([Fault(f"/{side}", "fields.none", message)])
    doc = cls.__dict__.get("__doc__")
    instructions = inspect.cleandoc(doc) if doc else None
    return accepted(SignatureSpec(inputs=inputs, outputs=outputs, instructions=instructions))


def _said(cls: type) -> Iterator[tuple[str, Any, _Said]]:
    for name, hint in get_type_hints(cls, include_extras=True).items():
        said = getattr(cls, name, None)
        if isinstance(said, _Said):
            yield name, hint, said
        elif name != "_spec":
            message = f"{name} is neither Input() nor Output(). Say which."
            raise InvalidSignature([Fault(f"/{name}", "field.neither", message)])


def _field(name: str, hint: Any, said: _Said) -> FieldSpec:
    try:
        bare = type_of(hint, f"/{name}", Depth(MAX_TYPE_DEPTH))
    except TooDeep:
        message = "Its models lie within each other without end. Leave one out."
        raise InvalidSignature([Fault(f"/{name}", "type.too_deep", message)]) from None
    default = {} if said.default is _NONE else {"default": said.default}
    bounds = Constraints(**said.bounds)
    return FieldSpec.model_validate(
        {
            "name": name,
            "type": marked(bare, [bounds]),
            "description": said.desc,
            "optional": said.optional,
            **default,
        }
    )
