"""A signature as data: what goes in, what comes out, and the instruction between them."""

from typing import Annotated, Any

from pydantic import Field, JsonValue, model_validator

from domain.kernel import ValueObject
from domain.signature.types import STRING, FieldType


class FieldSpec(ValueObject):
    """One input or output.

    ``optional`` may be left out of the inputs; ``default`` (only with ``has_default``) then stands
    in for it. Outputs are never optional on the wire: an ``optional`` output may be null.
    """

    name: str
    type: FieldType = STRING
    description: str | None = None
    optional: bool = False
    has_default: bool = False
    default: JsonValue = None

    @model_validator(mode="before")
    @classmethod
    def _default_says_it_all(cls, data: Any) -> Any:
        """A written default is one, and a field with a default may be left out."""
        if not isinstance(data, dict):
            return data
        given: dict[str, Any] = {"has_default": "default" in data, **data}
        return {**given, "optional": True} if given["has_default"] is True else given


class SignatureSpec(ValueObject):
    """Inputs, outputs and instructions, in the order they were written."""

    inputs: Annotated[tuple[FieldSpec, ...], Field(min_length=1)]
    outputs: Annotated[tuple[FieldSpec, ...], Field(min_length=1)]
    instructions: str | None = None
