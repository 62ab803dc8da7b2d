"""Events that a projection could not fold: which they are, and folding them again once mended."""

from collections.abc import Sequence
from typing import LiteralString, NamedTuple
from uuid import UUID

from psycopg import Connection
from psycopg.rows import TupleRow

from infrastructure.eventstore import statements
from infrastructure.eventstore.followers import is_passing, reason_of, writes_of
from infrastructure.eventstore.log_reader import Item, decoded
from infrastructure.eventstore.mapper import EventMapper
from infrastructure.eventstore.projection_tables import schema_of
from infrastructure.eventstore.write_batches import WriteBatches, prepare_session
from projections.kernel import Projection

_STREAMS: LiteralString = """
    SELECT stream FROM stratal.parked WHERE projection = %s AND version = %s
    GROUP BY stream ORDER BY min(position)
"""
_INTERVENE: LiteralString = """
    UPDATE stratal.projections SET epoch = epoch + 1 WHERE name = %s AND version = %s
"""
_POSITIONS: LiteralString = """
    SELECT position FROM stratal.parked WHERE projection = %s AND version = %s AND stream = %s
    ORDER BY position
"""
_RELEASE: LiteralString = """
    DELETE FROM stratal.parked WHERE projection = %s AND version = %s AND position = ANY(%s)
    RETURNING position, told
"""
_STILL: LiteralString = """
    UPDATE stratal.parked SET reason = %s, attempts = attempts + 1
    WHERE projection = %s AND version = %s AND position = %s
"""


class Replayed(NamedTuple):
    """How many parked events were folded, and how many still cannot be or wait behind one.

    ``told`` are the positions of those folded that the log has an event about.
    """

    folded: int
    parked: int
    told: tuple[int, ...] = ()

    def plus(self, other: "Replayed") -> "Replayed":
        told = self.told + other.told
        return Replayed(self.folded + other.folded, self.parked + other.parked, told)


class Replay:
    """Folds what *projection* has parked, stream by stream, in order.

    Its leader goes on meanwhile: it waits for the stream under way and then looks again.
    """

    def __init__(
        self,
        connection: Connection[TupleRow],
        projection: Projection,
        *,
        mapper: EventMapper | None = None,
    ) -> None:
        prepare_session(connection)
        self._connection, self._projection = connection, projection
        self._key = (projection.name, projection.version)
        self._mapper = mapper or EventMapper()
        self._batches = WriteBatches(connection, schema_of(projection))

    def run(self) -> Replayed:
        """Fold all that can be folded now; what cannot be keeps its newest reason."""
        sums = Replayed(0, 0)
        for (stream,) in self._connection.execute(_STREAMS, self._key).fetchall():
            with self._connection.transaction():
                self._connection.execute(_INTERVENE, self._key)
                sums = sums.plus(self._stream(stream))
        return sums

    def _stream(self, stream: UUID) -> Replayed:
        items = self._items(stream)
        folded: list[int] = []
        for item in items:
            if why := self._fold(item):
                self._connection.execute(_STILL, (why, *self._key, item.position))
                break
            folded.append(item.position)
        released = self._connection.execute(_RELEASE, (*self._key, folded)).fetchall()
        told = tuple(position for position, was_told in released if was_told)
        return Replayed(len(folded), len(items) - len(folded), told)

    def _items(self, stream: UUID) -> Sequence[Item]:
        parked = self._connection.execute(_POSITIONS, (*self._key, stream)).fetchall()
        with self._connection.cursor(binary=True) as cursor:
            found = [statements.tail(cursor, at - 1, 1, stop=at) for (at,) in parked]
        return [decoded(self._mapper, entry) for entries in found for entry in entries]

    def _fold(self, item: Item) -> str | None:
        """Fold one event; the reason if that fails."""
        try:
            batch = self._batches.pack(writes_of(self._projection, [item]))
            self._batches.learn(batch)
            with self._connection.transaction():
                self._batches.send(batch)
        except Exception as error:
            if is_passing(error):
                raise
            return reason_of(error)
        return None
