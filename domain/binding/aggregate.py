"""A binding: whenever such a record is created, or updated, a program fills fields of it."""

from collections.abc import Collection
from datetime import datetime
from typing import ClassVar, Self, assert_never
from uuid import UUID

from domain.binding.errors import BindingIsPaused, BindingIsRemoved, InvalidBinding
from domain.binding.events import (
    BindingChanged,
    BindingCreated,
    BindingEvent,
    BindingPaused,
    BindingRemoved,
    BindingResumed,
)
from domain.binding.rules import binding_faults
from domain.binding.values import BindingSpec, BindingStatus, Trigger
from domain.kernel import Aggregate
from domain.signature.fields import SignatureSpec


class Binding(Aggregate[BindingEvent]):
    """active ⇄ paused → removed. Its resource stays; all else of it may change."""

    KIND: ClassVar[str] = "binding"

    name: str
    spec: BindingSpec

    def __init__(self, id: UUID) -> None:
        """Set the state before any event."""
        super().__init__(id)
        self.status = BindingStatus.ACTIVE

    @classmethod
    def create(
        cls, id: UUID, name: str, spec: BindingSpec, *, signature: SignatureSpec, at: datetime
    ) -> Self:
        """Bind a program with *signature*.

        Raises:
            InvalidBinding: It could never run; the error names every fault.
        """
        _check(spec, signature)
        return cls.begin(id, BindingCreated(name=name, spec=spec), at=at)

    def change(self, spec: BindingSpec, *, signature: SignatureSpec, at: datetime) -> None:
        """Bind differently from now on; the same again changes nothing.

        Raises:
            BindingIsRemoved: It stays as it was.
            InvalidBinding: It could never run; the error names every fault.
        """
        self._require_there()
        _check(spec, signature)
        if spec != self.spec:
            self.record(BindingChanged(spec=spec), at=at)

    def pause(self, reason: str, *, at: datetime) -> None:
        """Have changes call it no more, until it is resumed."""
        self._require_there()
        if self.status is BindingStatus.ACTIVE:
            self.record(BindingPaused(reason=reason), at=at)

    def resume(self, *, at: datetime) -> None:
        """Have later changes call it again; those of the meantime do not."""
        self._require_there()
        if self.status is BindingStatus.PAUSED:
            self.record(BindingResumed(), at=at)

    def remove(self, reason: str, *, at: datetime) -> None:
        """Have changes never call it again. A second time changes nothing."""
        if self.status is not BindingStatus.REMOVED:
            self.record(BindingRemoved(reason=reason), at=at)

    def is_called_by(self, action: Trigger, changed: Collection[str]) -> bool:
        """Whether a change of a record calls it: an *action* in which these fields *changed*."""
        if self.status is not BindingStatus.ACTIVE or action is not self.spec.action:
            return False
        return not self.spec.changed or not set(self.spec.changed).isdisjoint(changed)

    def require_active(self) -> None:
        """Refuse to go on with a binding that nothing calls.

        Raises:
            BindingIsRemoved, BindingIsPaused: Nothing does.
        """
        self._require_there()
        if self.status is BindingStatus.PAUSED:
            raise BindingIsPaused(self.id)

    def _require_there(self) -> None:
        if self.status is BindingStatus.REMOVED:
            raise BindingIsRemoved(self.id)

    def evolve(self, event: BindingEvent) -> None:
        """Fold *event* into the state."""
        match event:
            case BindingCreated(name=name, spec=spec):
                self.name, self.spec = name, spec
            case BindingChanged(spec=spec):
                self.spec = spec
            case BindingPaused():
                self.status = BindingStatus.PAUSED
            case BindingResumed():
                self.status = BindingStatus.ACTIVE
            case BindingRemoved():
                self.status = BindingStatus.REMOVED
            case _:
                assert_never(event)


def _check(spec: BindingSpec, signature: SignatureSpec) -> None:
    if faults := list(binding_faults(spec, signature)):
        raise InvalidBinding(faults)
