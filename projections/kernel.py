"""How a read model is written: a schema, a fold from events to rows, and queries."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, LiteralString, NamedTuple, Protocol

from domain.kernel import Event, Recorded


class Write(NamedTuple):
    """One statement of a fold; equal statements of a batch are sent together."""

    sql: LiteralString
    params: Mapping[str, object]


class ReadStore(Protocol):
    """A read-only view of the projected tables; unqualified names mean the live version of each."""

    def rows(
        self, sql: LiteralString, params: Mapping[str, object]
    ) -> Sequence[Mapping[str, object]]: ...


class Projection(ABC):
    """A read model. Raise ``version`` with ``schema`` and it is rebuilt from history.

    The tables live in a Postgres schema of their own, named after projection and version; the
    runner sets the search path, so ``schema`` and every statement use bare table names.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    schema: ClassVar[LiteralString]
    events: ClassVar[tuple[type[Event], ...]]

    @abstractmethod
    def project(self, recorded: Recorded) -> Iterable[Write]:
        """The writes that fold *recorded* into the tables; the same ones at every replay."""
