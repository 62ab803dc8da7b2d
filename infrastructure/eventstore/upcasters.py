"""Lifts what was stored in an older shape to the shape its event class has now."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from infrastructure.eventstore.topics import Registry

State = dict[str, Any]
Steps = Mapping[tuple[str, int], Callable[[State], State]]
"""By topic and the version it lifts *from*; each step lifts by one."""


def grown(state: State) -> State:
    """A shape that only grew: what is new has a default, and was that before it existed."""
    return state


STEPS: Final[Steps] = {
    ("batch.requested", 1): grown,
    ("evaluation.lm_called", 1): grown,
    ("evaluation.requested", 1): grown,
    ("evaluation.tool_called", 1): grown,
    ("execution.cancelled", 1): grown,
    ("execution.cancelled", 2): grown,
    ("execution.completed", 1): grown,
    ("execution.completed", 2): grown,
    ("execution.completed", 3): grown,
    ("execution.failed", 1): grown,
    ("execution.failed", 2): grown,
    ("execution.lm_called", 1): grown,
    ("execution.replay_diverged", 1): grown,
    ("execution.requested", 1): grown,
    ("execution.requested", 2): grown,
    ("execution.requested", 3): grown,
    ("execution.requested", 4): grown,
    ("execution.requested", 5): grown,
    ("execution.requested", 6): grown,
    ("execution.started", 1): grown,
    ("execution.tool_called", 1): grown,
    ("module.configured", 1): grown,
    ("module.created", 1): grown,
    ("optimization.completed", 1): grown,
    ("optimization.lm_called", 1): grown,
    ("optimization.requested", 1): grown,
    ("optimization.tool_called", 1): grown,
    ("program.compiled", 1): grown,
    ("program.created", 1): grown,
    ("program.created", 2): grown,
}
"""The steps of the house, in the order of the topics."""


class BrokenUpcasterChain(TypeError):
    """The steps do not lead every old version to the present one; history could not be read."""


class Upcasters:
    """A chain for each topic, checked to be whole when it is made."""

    def __init__(self, registry: Registry, steps: Steps) -> None:
        """Check *steps* against the versions of *registry*.

        Raises:
            BrokenUpcasterChain: A step is missing, leads past the present version, or has no event.
        """
        needed = {
            (topic, version)
            for topic, event in registry.items()
            for version in range(1, event.VERSION)
        }
        if missing := needed - set(steps):
            raise BrokenUpcasterChain(f"No step lifts {_spell(missing)}; write one.")
        if extra := set(steps) - needed:
            raise BrokenUpcasterChain(f"Nothing needs the step from {_spell(extra)}; remove it.")
        self._registry, self._steps = registry, steps

    @classmethod
    def of_the_house(cls, registry: Registry) -> "Upcasters":
        """``STEPS``, as far as *registry* has their topics.

        Raises:
            BrokenUpcasterChain: As above.
        """
        return cls(registry, {step: it for step, it in STEPS.items() if step[0] in registry})

    def lift(self, topic: str, version: int, state: State) -> State:
        """The *state* of an event of *topic* as its class has it today."""
        for step in range(version, self._registry[topic].VERSION):
            state = self._steps[topic, step](state)
        return state


def _spell(steps: set[tuple[str, int]]) -> str:
    return ", ".join(f"{topic} version {version}" for topic, version in sorted(steps))
