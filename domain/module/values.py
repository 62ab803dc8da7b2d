"""What a module is made of: a kind, a frozen signature, and the settings of its model calls."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, JsonValue

from domain.kernel import ValueObject
from domain.signature.fields import SignatureSpec


class ModuleKind(StrEnum):
    PREDICT = "predict"
    CHAIN_OF_THOUGHT = "chain_of_thought"


class ModuleConfig(ValueObject):
    """Settings of a module's model calls; ``demos`` are few-shot examples, first one first."""

    temperature: Annotated[float, Field(ge=0, le=2)]
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)]
    demos: tuple[dict[str, JsonValue], ...] = ()


class ModuleSpec(ValueObject):
    """A module as a program pins it: later revisions of the signature do not reach it."""

    kind: ModuleKind
    signature: SignatureSpec
    config: ModuleConfig


DEFAULTS = {
    ModuleKind.PREDICT: ModuleConfig(temperature=0.0, max_tokens=1000),
    ModuleKind.CHAIN_OF_THOUGHT: ModuleConfig(temperature=0.7, max_tokens=1500),
}
"""The defaults the original papers give each kind (features MOD-12 and MOD-16)."""
