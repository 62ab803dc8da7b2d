"""Turn a signature that is data into one of DSPy's; no text of a user is ever parsed here."""

import keyword
from typing import Any, Final

import dspy
from dspy.signatures import make_signature

from application.lm_ports import ProgramFailed
from domain.signature.annotations import annotation
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.signature.types import Primitive
from domain.values import Failure

REASONING: Final = "reasoning"
_BOUNDS: Final = {
    "probability": {"ge": 0, "le": 1},
    "confidence_score": {"ge": 0, "le": 1},
    "token_count": {"ge": 0},
}


def dspy_signature(spec: SignatureSpec, name: str) -> type[dspy.Signature]:
    """The DSPy signature of *spec*, called *name* in prompts that show code.

    Raises:
        ProgramFailed: A field has a name that cannot stand in a program.
    """
    fields: dict[str, tuple[Any, Any]] = {}
    for field in spec.inputs:
        described = _described(field)
        if field.optional or field.has_default:
            described["default"] = field.default if field.has_default else None
        fields[safe_name(field.name)] = (_type(field), dspy.InputField(**described))
    for field in spec.outputs:
        fields[safe_name(field.name)] = (_type(field), dspy.OutputField(**_described(field)))
    built: type[dspy.Signature] = make_signature(fields, spec.instructions, signature_name=name)
    return built


def reasoning_first(spec: SignatureSpec) -> SignatureSpec:
    """*spec* with its own reasoning before the other outputs."""
    own = [field for field in spec.outputs if field.name == REASONING]
    rest = [field for field in spec.outputs if field.name != REASONING]
    return spec.model_copy(update={"outputs": (*own, *rest)})


def reasons_by_itself(spec: SignatureSpec) -> bool:
    """Whether *spec* asks for its reasoning already, so that none is added."""
    return any(field.name == REASONING for field in spec.outputs)


def safe_name(name: str) -> str:
    """*name*, which is about to stand in generated source.

    Raises:
        ProgramFailed: It is not a plain identifier. The domain refuses such names first.
    """
    if not (name.isascii() and name.isidentifier()) or keyword.iskeyword(name) or name == "self":
        message = f"{name!r} cannot be a field of a program. Rename it in the signature."
        raise ProgramFailed(Failure(code="program.unbuildable", message=message))
    return name


def _described(field: FieldSpec) -> dict[str, Any]:
    bounds = _BOUNDS.get(field.type.name, {}) if isinstance(field.type, Primitive) else {}
    return dict(bounds) if field.description is None else {"desc": field.description, **bounds}


def _type(field: FieldSpec) -> Any:
    return annotation(field.type) | None if field.optional else annotation(field.type)
