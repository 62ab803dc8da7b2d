"""How a read model is written: a schema, a fold from events to rows, and queries."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, LiteralString, NamedTuple, Protocol

from domain.kernel import Event, Recorded


class Write(NamedTuple):
    """One statement of a fold; equal statements of a batch are sent together."""

    sql: LiteralString
    params: Mapping[str, object]


class Projection(ABC):
    """A read model. Raise ``version`` with ``schema`` and it is rebuilt from history.

    The tables live in a Postgres schema of their own, named after projection and version; the
    runner sets the search path, so ``schema`` and every statement use bare table names.

    ``indexes`` are those that no statement of the fold needs. A rebuild makes them once it has
    filled the tables, which is cheaper than to keep them up row by row, and several at once: each
    is a statement of its own, with no semicolon within.

    ``past`` is a WITH list that defines each table that is queried as it was at position
    ``%(as_of)s``: put before a query, it has that query answered about the past. A read model
    without one keeps no past; its tables are folded anew from the log for each such question.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    schema: ClassVar[LiteralString]
    indexes: ClassVar[LiteralString] = ""
    events: ClassVar[tuple[type[Event], ...]]
    past: ClassVar[tuple[LiteralString, ...]] = ()

    @abstractmethod
    def project(self, recorded: Recorded) -> Iterable[Write]:
        """The writes that fold *recorded* into the tables; the same ones at every replay."""


class ReadStore(Protocol):
    """A read-only view of projected tables, as they are or as they were at one position."""

    def rows(
        self,
        sql: LiteralString,
        params: Mapping[str, object],
        *,
        of: type[Projection] | None = None,
    ) -> Sequence[Mapping[str, object]]:
        """The rows of a query; bare table names mean the live version of each.

        Args:
            sql: The query.
            params: Its values.
            of: The read model that it is about. A query over several can only be asked about
                the present.
        """
        ...
