"""Everything that can happen to a binding, in the order of its life."""

from typing import ClassVar

from domain.binding.values import BindingSpec
from domain.kernel import Event


class BindingCreated(Event):
    TOPIC: ClassVar[str] = "binding.created"

    name: str
    spec: BindingSpec


class BindingChanged(Event):
    TOPIC: ClassVar[str] = "binding.changed"

    spec: BindingSpec


class BindingPaused(Event):
    """Changes call it no more; calls that were made get their answers."""

    TOPIC: ClassVar[str] = "binding.paused"

    reason: str


class BindingResumed(Event):
    TOPIC: ClassVar[str] = "binding.resumed"


class BindingRemoved(Event):
    TOPIC: ClassVar[str] = "binding.removed"

    reason: str


BindingEvent = BindingCreated | BindingChanged | BindingPaused | BindingResumed | BindingRemoved
