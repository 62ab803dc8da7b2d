"""Turn a signature that is data into one of DSPy's; no text of a user is ever parsed here."""

import keyword
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, Optional

import dspy
from dspy.signatures import make_signature

from application.lm_ports import ProgramFailed
from domain.signature.annotations import annotation, bounds_of, keywords
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.signature.types import CodeOf, ConstrainedOf, FieldType, ListOf, OptionalOf, Primitive
from domain.values import Failure

REASONING: Final = "reasoning"
_CONTENT: Final[Mapping[str, Any]] = {
    "image": dspy.Image,
    "audio": dspy.Audio,
    "file": dspy.File,
    "history": dspy.History,
}
_METHODS: Final = frozenset(dir(dspy.Prediction()))


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
        fields[safe_name(field.name)] = (_type(field), _told(field, dspy.InputField(**described)))
    for field in spec.outputs:
        told = _told(field, dspy.OutputField(**_described(field)))
        fields[safe_name(field.name)] = (_type(field), told)
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


def attribute(field: str) -> str:
    """How generated source takes *field* from a prediction: ``.answer``, or ``['labels']``.

    A prediction has methods, and those come before fields of the same name.

    Raises:
        ProgramFailed: As ``safe_name``.
    """
    name = safe_name(field)
    return f"[{name!r}]" if name in _METHODS else f".{name}"


def _described(field: FieldSpec) -> dict[str, Any]:
    bounds = keywords(bounds_of(field.type))
    return bounds if field.description is None else {"desc": field.description, **bounds}


def _told(field: FieldSpec, info: Any) -> Any:
    """*info* of DSPy, which tells a model of every bound but a pattern, with its pattern."""
    if pattern := bounds_of(field.type).pattern:
        others = info.json_schema_extra.get("constraints")
        said = f"matches the regular expression: {pattern}"
        info.json_schema_extra["constraints"] = f"{others}, {said}" if others else said
    return info


def _type(field: FieldSpec) -> Any:
    name = "".join(part.title() for part in field.name.split("_"))
    return _shown(OptionalOf(of=field.type) if field.optional else field.type, name)


def _shown(type: FieldType, name: str) -> Any:
    match type:
        case ConstrainedOf():
            return _shown(type.of, name)
        case OptionalOf():
            shown = _shown(type.of, name)
            # DSPy knows a history by this very type; one that is left out is empty.
            return shown if shown is dspy.History else Optional[shown]  # noqa: UP045 - Any has no operator
        case ListOf():
            shown = _shown(type.item, name)
            return list[shown] if _is_content(type.item) else annotation(type, name=name)  # type: ignore[valid-type]  # built at run time
        case Primitive() if type.name in _CONTENT:
            return _CONTENT[type.name]
        case CodeOf():
            return _code(type.language)
        case _:
            return annotation(type, name=name)


def _is_content(type: FieldType) -> bool:
    inner = type.of if isinstance(type, OptionalOf) else type
    if isinstance(inner, ListOf):
        return _is_content(inner.item)
    return isinstance(inner, Primitive) and inner.name in _CONTENT


@lru_cache(maxsize=64)
def _code(language: str) -> Any:
    return dspy.Code[language]
