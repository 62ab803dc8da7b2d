"""The kinds of modules there are: a closed set, each named as DSPy's users know it."""

from enum import StrEnum
from typing import Literal


class ModuleKind(StrEnum):
    PREDICT = "predict"
    CHAIN_OF_THOUGHT = "chain_of_thought"
    REACT = "react"
    REACT_V2 = "react_v2"
    PROGRAM_OF_THOUGHT = "program_of_thought"
    CODE_ACT = "code_act"
    RLM = "rlm"
    RETRIEVE = "retrieve"
    BEST_OF_N = "best_of_n"
    REFINE = "refine"
    MULTI_CHAIN_COMPARISON = "multi_chain_comparison"
    MAJORITY = "majority"
    ENSEMBLE = "ensemble"
    GENERATE = "generate"
    CUSTOM = "custom"


PlainKind = Literal[ModuleKind.PREDICT, ModuleKind.CHAIN_OF_THOUGHT]
"""The kinds that ask once: what others are made of."""

RUNS_CODE = frozenset({ModuleKind.PROGRAM_OF_THOUGHT, ModuleKind.CODE_ACT, ModuleKind.RLM})
"""The kinds that run what a model wrote; they are off unless whoever runs the workers allows it."""
