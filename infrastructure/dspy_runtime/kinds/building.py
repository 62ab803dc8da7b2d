"""How a module is said in the source of a program."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import dspy

from application.lm_ports import ProgramFailed, RunnableProgram
from domain.module.values import ModuleConfig
from domain.signature.fields import SignatureSpec
from domain.values import Failure
from infrastructure.dspy_runtime.recording import NODE_ID
from infrastructure.dspy_runtime.signatures import dspy_signature

Needs = Callable[[RunnableProgram], Mapping[str, object]]
"""What a module names that depends on what its program was given."""


def needs_nothing(program: RunnableProgram) -> Mapping[str, object]:
    """What most modules need of *program* beside its graph."""
    del program
    return {}


@dataclass(frozen=True, slots=True)
class Built:
    """A constructor as it stands in the source of a program, and the objects that it names."""

    constructor: str
    names: Mapping[str, object]
    needs: Needs = needs_nothing


class Place(NamedTuple):
    """The node a module is built for, and what it is called in its program."""

    node_id: str
    attribute: str

    def named(self, what: str) -> str:
        """A name in the source that belongs to this module alone."""
        return f"{self.attribute}_{what}"

    def signature(self, spec: SignatureSpec) -> type[dspy.Signature]:
        """The DSPy signature of *spec*, named after the node."""
        return dspy_signature(spec, "".join(part.title() for part in self.node_id.split("_")))


class SpeaksForItsNode:
    """A module that asks models by itself, not only through predictors that know their node."""

    @property
    def _node_id(self) -> str | None:
        asking: Any = self
        known = [getattr(each, NODE_ID, None) for each in asking.predictors()]
        return next(iter(known), None)


@contextmanager
def deprecated() -> Iterator[None]:
    """For what DSPy will drop or change: its version is pinned, so nobody is surprised."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def settings(config: ModuleConfig) -> str:
    """The settings of model calls as arguments."""
    return f"temperature={config.temperature!r}, max_tokens={config.max_tokens!r}"


def configure(module: dspy.Module, settings: Mapping[str, Any]) -> None:
    """Give every predictor in *module* the *settings*, where DSPy's constructor takes none."""
    for predictor in module.predictors():
        predictor.config = {**predictor.config, **settings}


def out_of_iterations(iterations: int) -> ProgramFailed:
    """The end of a module that did not finish in as many *iterations* as it has."""
    message = f"Max iterations reached: there was no answer after {iterations}."
    return ProgramFailed(Failure(code="max_iterations_reached", message=message))
