"""Proofs on request: that a signed tree has an event, and that another one goes on from it."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from psycopg import Connection, OperationalError
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

from application.errors import StoreIsUnavailable
from infrastructure.notary.errors import (
    CheckpointIsUnknown,
    CheckpointsAreReversed,
    EventIsNotSigned,
    EventIsUnknown,
    EventWasChanged,
    NotaryIsDamaged,
)
from infrastructure.notary.merkle import consistency_path, inclusion_path
from infrastructure.notary.store import NotaryStore
from infrastructure.notary.verifier.leaves import leaf
from infrastructure.notary.verifier.notes import Checkpoint, to_checkpoint
from infrastructure.notary.verifier.tree import leaf_hash


class Inclusion(NamedTuple):
    """That the event at *position* is leaf *number* of the tree that *checkpoint* signs."""

    position: int
    number: int
    leaf: bytes
    path: tuple[bytes, ...]
    checkpoint: Checkpoint


class Consistency(NamedTuple):
    """That the tree that *new* signs begins with the one that *old* signs."""

    old: Checkpoint
    new: Checkpoint
    path: tuple[bytes, ...]


class PostgresProofs:
    """Proofs from what the notary kept; each reads a number of nodes that grows as log n."""

    def __init__(self, pool: ConnectionPool[Connection[TupleRow]]) -> None:
        self._pool = pool

    def checkpoint(self, size: int | None = None) -> Checkpoint:
        """The checkpoint of that *size*, or the latest.

        Raises:
            CheckpointIsUnknown: There is none.
        """
        with self._store() as store:
            return _checkpoint(store, size)

    def checkpoints(self, *, before: int | None, limit: int) -> Sequence[Checkpoint]:
        """Checkpoints smaller than *before*, the latest first."""
        with self._store() as store:
            return [to_checkpoint(note) for note in store.checkpoints(before=before, limit=limit)]

    def inclusion(self, position: int, tenant: str, size: int | None = None) -> Inclusion:
        """Prove that an event is in the checkpoint of *size*, or in the latest.

        Raises:
            EventIsUnknown: The tenant has none.
            CheckpointIsUnknown: Nothing of that size was signed.
            EventIsNotSigned: The event is later than the checkpoint.
            EventWasChanged: It is not what the notary saw.
        """
        with self._store() as store:
            found = store.event(position, tenant)
            if found is None:
                raise EventIsUnknown(position)
            signed = _checkpoint(store, size)
            kept = store.kept(position)
            if kept is None and position > signed.position:
                raise EventIsNotSigned(position)
            data = leaf(found)
            if kept is None or kept[1].hash != leaf_hash(data):
                raise EventWasChanged(position)
            if kept[0] >= signed.size:
                raise EventIsNotSigned(position)
            [path] = store.paths([inclusion_path(kept[0], signed.size)])
            return Inclusion(position, kept[0], data, path, signed)

    def consistency(self, old: int, new: int) -> Consistency:
        """Prove that the log of the checkpoint of size *new* begins with that of *old*.

        Raises:
            CheckpointsAreReversed: *old* is not the smaller one.
            CheckpointIsUnknown: Nothing of one of the sizes was signed.
        """
        if old >= new:
            raise CheckpointsAreReversed(old, new)
        with self._store() as store:
            before, after = _checkpoint(store, old), _checkpoint(store, new)
            [path] = store.paths([consistency_path(old, new)])
            return Consistency(before, after, path)

    @contextmanager
    def _store(self) -> Generator[NotaryStore, None, None]:
        try:
            with self._pool.connection() as connection:
                yield NotaryStore(connection)
        except (KeyError, ValueError):
            raise NotaryIsDamaged from None
        except OperationalError as error:
            raise StoreIsUnavailable("its proofs cannot be read", "Try again.") from error


def _checkpoint(store: NotaryStore, size: int | None) -> Checkpoint:
    if size is None:
        notes = store.checkpoints(before=None, limit=1)
        note = notes[0] if notes else None
    else:
        note = store.checkpoint(size)
    if note is None:
        raise CheckpointIsUnknown(size)
    return to_checkpoint(note)
