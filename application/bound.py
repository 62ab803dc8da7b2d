"""Which programs a change of a record calls, as the log has it at that moment."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from application.ports import Names, Repository
from domain.binding.aggregate import Binding
from domain.binding.values import BindingStatus, Trigger


@dataclass(frozen=True, slots=True)
class BoundPrograms:
    """Bindings are found by the names they hold, so one that was just made is never missed."""

    bindings: Repository[Binding]
    names: Names

    def called(
        self, resource: str, action: Trigger, changed: Sequence[str]
    ) -> Sequence[tuple[UUID, int]]:
        """The bindings that an *action* on such a record calls, each at its version, by name."""
        return [
            (binding.id, binding.version)
            for binding in self._all(resource)
            if binding.is_called_by(action, changed)
        ]

    def count(self, resource: str) -> int:
        """How many bindings of such records are not removed."""
        return sum(each.status is not BindingStatus.REMOVED for each in self._all(resource))

    def _all(self, resource: str) -> Iterator[Binding]:
        beginning = full_name(resource, "")
        return map(self.bindings.get, self.names.holders(Binding.KIND, beginning))


def full_name(resource: str, name: str) -> str:
    """What a binding is called: no *resource* holds a dot."""
    return f"{resource}.{name}"
