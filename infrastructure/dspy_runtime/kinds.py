"""What each kind of module is in DSPy: the constructor in a program's source, and what it names."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dspy

from domain.module.values import ModuleKind, ModuleSpec
from infrastructure.dspy_runtime.signatures import (
    dspy_signature,
    reasoning_first,
    reasons_by_itself,
)


@dataclass(frozen=True, slots=True)
class Built:
    """A constructor as it stands in the source of a program, and the objects that it names."""

    constructor: str
    names: Mapping[str, object]


def built(node_id: str, attribute: str, spec: ModuleSpec) -> Built:
    """The module *spec* of node *node_id*, which is called *attribute* in its program."""
    signature, config = spec.signature, spec.config
    thinks = spec.kind is ModuleKind.CHAIN_OF_THOUGHT
    by_itself = thinks and reasons_by_itself(signature)
    kind = "ChainOfThought" if thinks and not by_itself else "Predict"
    shown = reasoning_first(signature) if by_itself else signature
    name = f"{attribute}_signature"
    settings = f"temperature={config.temperature!r}, max_tokens={config.max_tokens!r}"
    return Built(
        f"dspy.{kind}({name}, {settings})",
        {name: dspy_signature(shown, "".join(part.title() for part in node_id.split("_")))},
    )


def demos_for(predictor: dspy.Predict, spec: ModuleSpec) -> list[dict[str, Any]]:
    """The demos of *spec* that *predictor*, one of its own, can show: it has all their fields."""
    known = predictor.signature.fields.keys()
    return [dict(demo) for demo in spec.config.demos if demo.keys() <= known]
