"""A signature as data: what goes in, what comes out, and the instruction between them."""

from typing import Annotated

from pydantic import Field

from domain.kernel import ValueObject
from domain.signature.types import FieldSpec

__all__ = ["FieldSpec", "SignatureSpec"]


class SignatureSpec(ValueObject):
    """Inputs, outputs and instructions, in the order they were written."""

    inputs: Annotated[tuple[FieldSpec, ...], Field(min_length=1)]
    outputs: Annotated[tuple[FieldSpec, ...], Field(min_length=1)]
    instructions: str | None = None
