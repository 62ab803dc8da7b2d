"""The notary's tables and the log, as rows: what is read to follow, to prove and to export."""

from collections.abc import Iterator, Sequence
from typing import LiteralString, NamedTuple

from psycopg import Connection, Cursor
from psycopg.rows import TupleRow

from infrastructure.notary.merkle import TILE, TILE_HEIGHT, Range, Subtree, complete, joined
from infrastructure.notary.verifier.bundle import KEPT
from infrastructure.notary.verifier.examination import Kept
from infrastructure.notary.verifier.leaves import Event
from infrastructure.notary.verifier.notes import Checkpoint, to_checkpoint
from infrastructure.notary.verifier.tree import Frontier

_EVENT: LiteralString = """
    SELECT notification_id, uuid_send(originator_id), originator_version, topic, state,
           uuid_send(event_id), tenant, metadata::text,
           (extract(epoch FROM recorded_at) * 1000000)::bigint
"""
"""The columns in the order of the fields of ``Event``; numeric keeps every microsecond."""

_TAIL: LiteralString = _EVENT + " FROM stratal.events_after(%s, NULL, NULL, NULL, %s)"
_FROM: LiteralString = (
    _EVENT + " FROM stratal.events WHERE notification_id >= %s ORDER BY notification_id"
)
_AT: LiteralString = _EVENT + " FROM stratal.events_after(%s - 1, %s, NULL, %s, 1)"

_ORIGIN: LiteralString = "SELECT origin FROM stratal.notary_log"

_AWAY: LiteralString = """
    SELECT first_position, last_position FROM stratal.partitions WHERE detached_at IS NOT NULL
    ORDER BY first_position
"""
_LAST_ROW: LiteralString = """
    SELECT first, entries FROM stratal.notary_leaves ORDER BY first DESC LIMIT 1
"""
_ROW_AT: LiteralString = """
    SELECT first, entries FROM stratal.notary_leaves
    WHERE last_position >= %s ORDER BY last_position LIMIT 1
"""
_ROWS: LiteralString = """
    SELECT entries FROM stratal.notary_leaves WHERE first >= %s AND first < %s ORDER BY first
"""
_ROWS_FROM: LiteralString = """
    SELECT first, entries FROM stratal.notary_leaves WHERE first >= %s ORDER BY first
"""
_NODES: LiteralString = """
    SELECT height, place, hash FROM stratal.notary_nodes
    JOIN unnest(%s::smallint[], %s::bigint[]) AS wanted(height, place) USING (height, place)
"""
_KEEP_LEAVES: LiteralString = """
    INSERT INTO stratal.notary_leaves (first, last_position, entries)
    SELECT * FROM unnest(%b::bigint[], %b::bigint[], %b::bytea[])
"""
_KEEP_NODES: LiteralString = """
    INSERT INTO stratal.notary_nodes (height, place, hash)
    SELECT * FROM unnest(%b::smallint[], %b::bigint[], %b::bytea[])
"""
_SIGN: LiteralString = "INSERT INTO stratal.checkpoints (size, note) VALUES (%s, %s)"

_CHECKPOINT: LiteralString = "SELECT note FROM stratal.checkpoints WHERE size = %s"
_BEFORE: LiteralString = """
    SELECT note FROM stratal.checkpoints WHERE size < coalesce(%s, 9223372036854775807)
    ORDER BY size DESC LIMIT %s
"""
_SPREAD: LiteralString = """
    SELECT note FROM (
        SELECT note, size, row_number() OVER (ORDER BY size DESC) AS age, count(*) OVER () AS many
        FROM stratal.checkpoints
    ) AS numbered
    WHERE age <= %(each)s OR age %% (many / %(each)s + 1) = 0 ORDER BY size
"""
BLOCK = 2000


class Row(NamedTuple):
    """Neighbouring leaves: the number of the first, and each one's position and hash."""

    first: int
    kept: Sequence[Kept]


class NotaryStore:
    """Reads and writes through one connection; the transactions are the caller's."""

    def __init__(self, connection: Connection[TupleRow]) -> None:
        self._connection = connection

    def origin(self) -> str:
        """The name of this log in its checkpoints."""
        [(origin,)] = self._connection.execute(_ORIGIN).fetchall()
        return str(origin)

    def away(self) -> list[tuple[int, int]]:
        """Stretches of positions that were taken out of the log, as a policy allowed."""
        return [(first, last) for first, last in self._run(_AWAY, [])]

    def tail(self, after: int, limit: int) -> Sequence[Event]:
        """The next events beyond a position."""
        return [Event(*row) for row in self._run(_TAIL, [after, limit])]

    def event(self, position: int, tenant: str) -> Event | None:
        """The tenant's event at that position."""
        row = self._run(_AT, [position, position, tenant]).fetchone()
        return None if row is None else Event(*row)

    def events_from(self, position: int) -> Iterator[Event]:
        """The log from *position* on, in blocks, within the transaction."""
        return (Event(*row) for row in self._stream("notary_events", _FROM, position))

    def kept_from(self, index: int) -> Iterator[Kept]:
        """What the notary kept, from leaf *index* on, in blocks, within the transaction."""
        start = index - index % TILE
        for first, entries in self._stream("notary_leaves", _ROWS_FROM, start):
            row = _row(first, entries)
            yield from row.kept[max(0, index - row.first) :]

    def rank(self, position: int) -> int:
        """The number of the first leaf that is at *position* or later."""
        found = self._run(_ROW_AT, [position]).fetchone()
        if found is None:
            return self.size()
        row = _row(*found)
        return row.first + sum(each.position < position for each in row.kept)

    def kept(self, position: int) -> tuple[int, Kept] | None:
        """The leaf at *position*, with its number."""
        found = self._run(_ROW_AT, [position]).fetchone()
        row = Row(0, ()) if found is None else _row(*found)
        for index, each in enumerate(row.kept, row.first):
            if each.position == position:
                return index, each
        return None

    def size(self) -> int:
        """How many leaves there are."""
        return self.head()[0]

    def head(self) -> tuple[int, int]:
        """How many leaves there are, and the position of the last one.

        Raises:
            ValueError: The last row has none; somebody changed it.
        """
        found = self._run(_LAST_ROW, []).fetchone()
        if found is None:
            return 0, 0
        row = _row(*found)
        if not row.kept:
            raise ValueError("the last row of leaves is empty")
        return row.first + len(row.kept), row.kept[-1].position

    def frontier(self, size: int) -> Frontier:
        """The tree of the first *size* leaves."""
        return Frontier(size, self.nodes(complete((0, size))))

    def nodes(self, subtrees: Sequence[Subtree]) -> list[bytes]:
        """The hashes of complete subtrees; small ones are made of their leaves.

        Raises:
            KeyError: The notary has not kept one of them.
        """
        high = [each for each in subtrees if each.height >= TILE_HEIGHT]
        low = [each for each in subtrees if each.height < TILE_HEIGHT]
        found = self._high_nodes(high) if high else {}
        tiles = {each.place << each.height >> TILE_HEIGHT for each in low}
        leaves = {tile: self._tile(tile) for tile in tiles}
        for each in low:
            tile, start = divmod(each.place << each.height, TILE)
            found[each] = _root(each, leaves[tile][start : start + (1 << each.height)])
        return [found[each] for each in subtrees]

    def paths(self, paths: Sequence[Sequence[Range]]) -> list[tuple[bytes, ...]]:
        """The hashes that proofs consist of, read together.

        Raises:
            KeyError: The notary has not kept one of them.
        """
        subtrees = list(
            dict.fromkeys(it for path in paths for each in path for it in complete(each))
        )
        known = dict(zip(subtrees, self.nodes(subtrees), strict=True))
        return [
            tuple(joined([known[it] for it in complete(each)]) for each in path) for path in paths
        ]

    def keep(self, rows: Sequence[Row], nodes: Sequence[tuple[Subtree, bytes]]) -> None:
        """Add leaves and the nodes that they completed."""
        entries = [b"".join(KEPT.pack(*each) for each in row.kept) for row in rows]
        lasts = [row.kept[-1].position for row in rows]
        self._run(_KEEP_LEAVES, [[row.first for row in rows], lasts, entries])
        if nodes:
            heights = [each.height for each, _ in nodes]
            indexes = [each.place for each, _ in nodes]
            self._run(_KEEP_NODES, [heights, indexes, [hashed for _, hashed in nodes]])

    def sign(self, checkpoint: Checkpoint) -> None:
        """Add a checkpoint."""
        self._run(_SIGN, [checkpoint.size, checkpoint.note])

    def checkpoint(self, size: int) -> str | None:
        """The signed note of that size."""
        row = self._run(_CHECKPOINT, [size]).fetchone()
        return None if row is None else str(row[0])

    def checkpoints(self, *, before: int | None, limit: int) -> list[str]:
        """The notes of the latest checkpoints, of a smaller size than *before*, latest first."""
        return [str(note) for (note,) in self._run(_BEFORE, [before, limit])]

    def spread(self, each: int) -> list[str]:
        """The latest checkpoints, and about as many of all earlier ones, evenly; oldest first."""
        return [str(note) for (note,) in self._connection.execute(_SPREAD, {"each": each})]

    def last(self) -> Checkpoint | None:
        """The latest checkpoint.

        Raises:
            ValueError: It is none; somebody changed it.
        """
        notes = self.checkpoints(before=None, limit=1)
        return to_checkpoint(notes[0]) if notes else None

    def _high_nodes(self, subtrees: Sequence[Subtree]) -> dict[Subtree, bytes]:
        heights = [each.height for each in subtrees]
        rows = self._run(_NODES, [heights, [each.place for each in subtrees]])
        return {Subtree(height, place): hashed for height, place, hashed in rows}

    def _tile(self, tile: int) -> list[bytes]:
        rows = self._run(_ROWS, [tile * TILE, (tile + 1) * TILE])
        return [hashed for (raw,) in rows for _, hashed in KEPT.iter_unpack(raw)]

    def _run(self, query: LiteralString, params: Sequence[object]) -> Cursor[TupleRow]:
        return self._connection.cursor(binary=True).execute(query, params, prepare=True)

    def _stream(self, name: str, query: LiteralString, start: int) -> Iterator[TupleRow]:
        with self._connection.cursor(name, binary=True) as cursor:
            cursor.itersize = BLOCK
            cursor.execute(query, [start])
            yield from cursor


def _row(first: int, entries: bytes) -> Row:
    return Row(first, [Kept(*each) for each in KEPT.iter_unpack(entries)])


def _root(subtree: Subtree, leaves: Sequence[bytes]) -> bytes:
    if len(leaves) != 1 << subtree.height:
        raise KeyError(subtree)
    tree = Frontier()
    for each in leaves:
        tree.append(each)
    return tree.root()
