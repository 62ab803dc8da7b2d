"""Whether what one field gives is what another one takes."""

from typing import Final

from domain.signature.annotations import bounds_of
from domain.signature.constraints import implies
from domain.signature.fields import FieldSpec
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
_NUMBERS: Final = {"integer": 0, "token_count": 0, "float": 1, "probability": 1}
"""What may stand where: whole numbers for others of their own, and for those with fractions."""


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
        case OptionalOf(), _:
            return False
        case _, OptionalOf(of=taken):
            return fits(given, taken)
        case _, UnionOf(options=options):
            return any(fits(given, option) for option in options)
        case _:
            return _fits_alone(given, wanted)


def _fits_alone(given: FieldType, wanted: FieldType) -> bool:
    if not implies(bounds_of(given), bounds_of(wanted)):
        return False
    given, wanted = _bare(given), _bare(wanted)
    match given, wanted:
        case _ if given == wanted:
            return True
        case ListOf(item=item), ListOf(item=taken):
            return fits(item, taken)
        case DictOf(), DictOf():
            # Keys travel as texts: a whole number is one, a text need not be a whole number.
            return wanted.key in (STRING, given.key) and fits(given.value, wanted.value)
        case ObjectOf(), _:
            return _object_fits(given, wanted)
        case EnumOf(values=words), EnumOf(values=known):
            return set(words) <= set(known)
        case _:
            return _word_fits(given, wanted)


def _word_fits(given: FieldType, wanted: FieldType) -> bool:
    match given, wanted:
        case (EnumOf() | CodeOf(), Primitive(name="string")) | (Primitive(name="string"), CodeOf()):
            return True
        case Primitive(name=name), Primitive(name=other):
            return _NUMBERS.get(name, 2) <= _NUMBERS.get(other, -1)
        case _:
            return False


def _object_fits(given: ObjectOf, wanted: FieldType) -> bool:
    """Whether every field that may be there is taken, and every one that must be is there."""
    if isinstance(wanted, DictOf):
        entry = FieldSpec(name="entry", type=wanted.value)
        return wanted.key == STRING and all(feeds(field, entry) for field in given.fields)
    if not isinstance(wanted, ObjectOf):
        return False
    there = {field.name: field for field in given.fields}
    known = {field.name: field for field in wanted.fields}
    return there.keys() <= known.keys() and all(
        feeds(there[name], field) if name in there else field.optional
        for name, field in known.items()
    )


def _bare(type: FieldType) -> FieldType:
    return _in_full(type.of if isinstance(type, ConstrainedOf) else type)


def _in_full(type: FieldType) -> FieldType:
    return _IN_FULL.get(type.name, type) if isinstance(type, Primitive) else type
