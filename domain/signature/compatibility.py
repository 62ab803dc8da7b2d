"""Whether what one field gives is what another one takes."""

from typing import Final

from domain.signature.fields import FieldSpec
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

_ANY = PRIMITIVES["any"]
_IN_FULL: Final[dict[str, FieldType]] = {
    "array": ListOf(item=_ANY),
    "map": DictOf(key=STRING, value=_ANY),
    "embedding": ListOf(item=PRIMITIVES["float"]),
    "reasoning_chain": ListOf(item=STRING),
    "confidence_score": PRIMITIVES["probability"],
}
_NARROWER: Final = {
    ("integer", "float"),
    ("token_count", "integer"),
    ("token_count", "float"),
    ("probability", "float"),
}


def feeds(source: FieldSpec, target: FieldSpec) -> bool:
    """Whether every value of *source* is one for *target*, null included."""
    given, wanted = (
        OptionalOf(of=field.type) if field.optional else field.type for field in (source, target)
    )
    return fits(given, wanted)


def fits(given: FieldType, wanted: FieldType) -> bool:
    """Whether every value of *given* is a *wanted* one; ``any`` goes with everything."""
    given, wanted = _in_full(given), _in_full(wanted)
    if given == wanted or _ANY in (given, wanted):
        return True
    match given, wanted:
        case UnionOf(options=options), _:
            return all(fits(option, wanted) for option in options)
        case OptionalOf(of=inner), OptionalOf(of=taken):
            return fits(inner, taken)
        case _, OptionalOf(of=taken):
            return fits(given, taken)
        case _, UnionOf(options=options):
            return any(fits(given, option) for option in options)
        case _:
            return _fits_alone(given, wanted)


def _fits_alone(given: FieldType, wanted: FieldType) -> bool:
    match given, wanted:
        case ListOf(item=item), ListOf(item=taken):
            return fits(item, taken)
        case DictOf(), DictOf():
            # Keys travel as texts: a whole number is one, a text need not be a whole number.
            return wanted.key in (STRING, given.key) and fits(given.value, wanted.value)
        case EnumOf(values=words), EnumOf(values=known):
            return set(words) <= set(known)
        case EnumOf(), Primitive(name="string"):
            return True
        case Primitive(name=name), Primitive(name=other):
            return (name, other) in _NARROWER
        case _:
            return False


def _in_full(type: FieldType) -> FieldType:
    return _IN_FULL.get(type.name, type) if isinstance(type, Primitive) else type
