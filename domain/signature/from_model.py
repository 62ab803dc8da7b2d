"""A signature of what is already described elsewhere: the fields of a pydantic model."""

from collections.abc import Iterable, Mapping, Sequence

from pydantic import BaseModel

from domain.errors import Fault
from domain.signature.errors import InvalidSignature
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.signature.reflection import Depth, TooDeep, field_of, public_fields
from domain.signature.rules import accepted

DEFAULT_LEVELS = 2
"""How deep models within models are followed, unless somebody says otherwise."""


def from_model(
    model: type[BaseModel],
    *,
    outputs: Sequence[str],
    inputs: Sequence[str] | None = None,
    instructions: str | None = None,
    levels: int = DEFAULT_LEVELS,
) -> SignatureSpec:
    """The signature with the fields of *model* that are named, under the names they have outside.

    Args:
        model: Where the types, bounds, descriptions and defaults come from.
        outputs: What a language model is to write.
        inputs: What it is given; by default every public field that is no output.
        instructions: What it is to do.
        levels: How deep models within the model become objects. What lies deeper is left out.

    Raises:
        InvalidSignature: A name or a type cannot be used; it names every fault.
    """
    depth = Depth(levels, leaves_out=True, within=frozenset({model}))
    found: dict[str, FieldSpec] = {}
    for name, field in public_fields(model).items():
        try:
            found[name] = field_of(name, field, f"/{name}", depth)
        except TooDeep:
            continue
    return chosen(found, inputs, outputs, instructions)


def chosen(
    found: Mapping[str, FieldSpec],
    inputs: Sequence[str] | None,
    outputs: Sequence[str],
    instructions: str | None,
) -> SignatureSpec:
    """The signature of those fields among *found* that are named.

    Raises:
        InvalidSignature: A name is unknown, or the fields break a rule.
    """
    given = [name for name in found if name not in outputs] if inputs is None else inputs
    known = ", ".join(found)
    faults = [
        Fault(f"/{side}/{index}", "field.unknown", f"There is no {name}. There are {known}.")
        for side, names in (("inputs", given), ("outputs", outputs))
        for index, name in enumerate(names)
        if name not in found
    ]
    faults += [
        Fault(f"/{side}", "fields.none", f"A signature needs {side}. Name one of {known}.")
        for side, names in (("inputs", given), ("outputs", outputs))
        if not names
    ]
    if faults:
        raise InvalidSignature(faults)
    return accepted(
        SignatureSpec(
            inputs=tuple(found[name] for name in given),
            outputs=tuple(_written([found[name] for name in outputs])),
            instructions=instructions,
        )
    )


def _written(fields: Iterable[FieldSpec]) -> Iterable[FieldSpec]:
    """*fields* as outputs: a model writes them, so that none has a default."""
    for field in fields:
        yield field.model_copy(update={"has_default": False, "default": None})
