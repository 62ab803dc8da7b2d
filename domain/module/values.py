"""What a module is made of: a kind, a frozen signature, and the settings of its model calls."""

from typing import Annotated, Final
from uuid import UUID

from pydantic import Field, JsonValue

from domain.kernel import ValueObject
from domain.module.kinds import ModuleKind
from domain.module.parameters import KindParameters
from domain.signature.fields import SignatureSpec

__all__ = ["DEFAULTS", "ModuleConfig", "ModuleKind", "ModuleSpec", "Nearest"]


class Nearest(ValueObject):
    """Examples looked up for each question: the ``k`` rows of a dataset nearest to its inputs."""

    dataset_id: UUID
    k: Annotated[int, Field(ge=1, le=100)] = 3


class ModuleConfig(ValueObject):
    """Settings of a module's model calls; ``demos`` are few-shot examples, first one first.

    With ``nearest`` the rows of a dataset that are nearest to the question follow the demos.
    """

    temperature: Annotated[float, Field(ge=0, le=2)]
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)]
    demos: tuple[dict[str, JsonValue], ...] = ()
    nearest: Nearest | None = None


class ModuleSpec(ValueObject):
    """A module as a program pins it: later revisions of the signature do not reach it.

    ``parameters`` are those of the kind; left out, they are the defaults it has.
    """

    kind: ModuleKind
    signature: SignatureSpec
    config: ModuleConfig
    parameters: KindParameters = None


_ONCE: Final = ModuleConfig(temperature=0.0, max_tokens=1000)
_THINKING: Final = ModuleConfig(temperature=0.7, max_tokens=1500)

DEFAULTS: Final = {
    kind: _ONCE
    if kind in {ModuleKind.PREDICT, ModuleKind.RETRIEVE, ModuleKind.GENERATE}
    else _THINKING
    for kind in ModuleKind
}
"""Features MOD-12, MOD-16 and MOD-20. The papers name no others: what thinks is as MOD-16 says."""
