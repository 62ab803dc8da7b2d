"""Several attempts, judged by a reward that is data: ``dspy.BestOfN`` and ``dspy.Refine``."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dspy

# By module: the package offers classes of the same names.
from dspy.predict.best_of_n import BestOfN as _BestOfN
from dspy.predict.refine import Refine as _Refine

from application.lm_ports import ProgramFailed
from domain.module.kinds import ModuleKind
from domain.module.parameters import Sampling
from domain.module.values import ModuleSpec
from domain.values import Failure
from infrastructure.dspy_runtime.kinds.building import Built, Place, SpeaksForItsNode
from infrastructure.dspy_runtime.kinds.plain import asked_once
from infrastructure.dspy_runtime.kinds.rewards import reward_function
from infrastructure.dspy_runtime.recording import NODE_ID


def _unheard(*_: object) -> None:
    """DSPy prints why an attempt failed, which may hold what a user said."""


for _module in (_BestOfN.forward, _Refine.forward):
    _module.__globals__["print"] = _unheard


class BestOfN(_BestOfN):  # type: ignore[misc]  # DSPy ships no types
    """``dspy.BestOfN`` that counts failures for each call, and fails when no attempt counted."""

    def forward(self, **inputs: Any) -> dspy.Prediction:
        with _traced(self.module):
            return _counted(super(BestOfN, copy.copy(self)).forward(**inputs), self.N)


class Refine(SpeaksForItsNode, _Refine):  # type: ignore[misc]  # DSPy ships no types
    """``dspy.Refine`` that counts failures for each call, and fails when no attempt counted."""

    def forward(self, **inputs: Any) -> dspy.Prediction:
        with _traced(self.module):
            return _counted(super(Refine, copy.copy(self)).forward(**inputs), self.N)


def built(place: Place, spec: ModuleSpec) -> Built:
    """``BestOfN`` or ``Refine`` over the module that *spec* samples from."""
    sampling = spec.parameters
    assert isinstance(sampling, Sampling)
    kind = BestOfN if spec.kind is ModuleKind.BEST_OF_N else Refine
    inner = asked_once(place, sampling.of, spec.signature, spec.config)
    reward = place.named("reward")
    return Built(
        f"{kind.__name__}({inner.constructor}, N={sampling.n!r}, reward_fn={reward}, "
        f"threshold={sampling.threshold!r})",
        {
            **inner.names,
            kind.__name__: kind,
            reward: reward_function(reward, sampling.reward, spec.signature),
        },
    )


@contextmanager
def _traced(module: dspy.Module) -> Iterator[None]:
    """A trace to write into, where a run keeps none.

    Attempts are made by copies of *module*; optimizers learn from what its own predictor did.
    """
    outer, (predictor,) = dspy.settings.trace, module.predictors()
    trace: list[tuple[Any, Any, Any]] = []
    with dspy.context(trace=trace):
        yield
    if outer is not None:
        outer.extend(
            (predictor if getattr(by, NODE_ID, None) else by, given, gave)
            for by, given, gave in trace
        )


def _counted(best: Any, attempts: int) -> dspy.Prediction:
    if best is None:
        message = f"None of {attempts} attempts gave an answer that could be read."
        raise ProgramFailed(Failure(code="output.unparseable", message=message))
    return best
