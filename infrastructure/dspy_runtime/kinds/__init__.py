"""What each kind of module is in DSPy: a file for each family, and a line for each kind here."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import dspy

from domain.module.kinds import ModuleKind
from domain.module.values import ModuleSpec
from infrastructure.dspy_runtime.kinds import (
    agents,
    code,
    custom,
    generating,
    plain,
    retrieving,
    sampling,
    voting,
)
from infrastructure.dspy_runtime.kinds.building import Built, Place

__all__ = ["Built", "built", "demos_for"]

KINDS: Final[Mapping[ModuleKind, Callable[[Place, ModuleSpec], Built]]] = MappingProxyType(
    {
        ModuleKind.PREDICT: plain.built,
        ModuleKind.CHAIN_OF_THOUGHT: plain.built,
        ModuleKind.REACT: agents.built,
        ModuleKind.REACT_V2: agents.built,
        ModuleKind.PROGRAM_OF_THOUGHT: code.built,
        ModuleKind.CODE_ACT: code.built,
        ModuleKind.RLM: code.built,
        ModuleKind.RETRIEVE: retrieving.built,
        ModuleKind.BEST_OF_N: sampling.built,
        ModuleKind.REFINE: sampling.built,
        ModuleKind.MULTI_CHAIN_COMPARISON: voting.comparison,
        ModuleKind.MAJORITY: voting.majority,
        ModuleKind.ENSEMBLE: voting.ensemble,
        ModuleKind.GENERATE: generating.built,
        ModuleKind.CUSTOM: custom.built,
    }
)


def built(node_id: str, attribute: str, spec: ModuleSpec) -> Built:
    """The module *spec* of node *node_id*, which is called *attribute* in its program."""
    return KINDS[spec.kind](Place(node_id, attribute), spec)


def demos_for(predictor: dspy.Predict, spec: ModuleSpec) -> list[dict[str, Any]]:
    """The demos that *predictor* was made with, and those of *spec* whose fields it has, too."""
    known = predictor.signature.fields.keys()
    told = [dict(demo) for demo in spec.config.demos if demo.keys() <= known]
    return [*predictor.demos, *told]
