"""Follows the log, keeps its tree, and signs it every few seconds: one notary at a time."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC
from itertools import groupby
from threading import Event as Flag
from time import monotonic
from typing import Final, LiteralString

import psycopg

from application.ports import Clock
from infrastructure.notary.errors import LogWasRewritten, NotaryError
from infrastructure.notary.keys import Signer
from infrastructure.notary.merkle import TILE, grow
from infrastructure.notary.publishing import Publisher
from infrastructure.notary.store import NotaryStore, Row
from infrastructure.notary.verifier.examination import Kept
from infrastructure.notary.verifier.leaves import Event, leaf
from infrastructure.notary.verifier.notes import Checkpoint
from infrastructure.notary.verifier.tree import Frontier, leaf_hash

logger = logging.getLogger(__name__)

EVERY_S: Final = 5.0
"""How often the notary looks at the log: an event is signed at most about so long after it came."""
BATCH: Final = 2000
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
DISTRUST_S: Final = 60.0
"""How long a notary waits that found another past than it signed, or a file it cannot read."""

_LEAD: LiteralString = "SELECT pg_try_advisory_lock(7303, 1)"


class Notary:
    """Keeps and signs the tree over one connection, whose session holds the lead.

    It never signs a log that does not go on from what was signed before, as far as the database,
    the file outside and this process remember.
    """

    def __init__(self, conninfo: str, signer: Signer, publisher: Publisher, clock: Clock) -> None:
        self._conninfo, self._signer = conninfo, signer
        self._publisher, self._clock = publisher, clock
        self._connection: psycopg.Connection | None = None
        self._book: _Book | None = None
        self._signed: Checkpoint | None = None

    def run(self, stop: Flag) -> None:
        """Follow the log until *stop*; a database that goes away is waited for."""
        logger.info("the notary's public key is %s", self._signer.key)
        pause_s = FIRST_PAUSE_S
        while not stop.is_set():
            try:
                self.step(stop)
                pause_s = FIRST_PAUSE_S
                stop.wait(EVERY_S)
            except psycopg.Error as error:
                logger.warning("The notary lost the database and will try again: %s", error)
                self.close()
                stop.wait(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
            except NotaryError as error:
                logger.error("%s (%s)", error, error.code)  # noqa: TRY400 - the sentence is all
                self.close()
                stop.wait(DISTRUST_S)
        self.close()

    def step(self, stop: Flag | None = None) -> None:
        """Keep all that is new and sign it, if this notary leads; signs on the way, too.

        Raises:
            LogWasRewritten: The log does not go on from what was signed last.
            WhatIsGivenIsUnusable: The file of checkpoints cannot be read.
            psycopg.Error: The database does not answer; close it, and try again.
        """
        book = self._open()
        if book is None:
            return
        signed_s = monotonic()
        while book.keep() and not (stop and stop.is_set()):
            if monotonic() - signed_s > EVERY_S:
                self._sign(book)
                signed_s = monotonic()
        self._sign(book)
        self._publisher.try_again()

    def close(self) -> None:
        """Let go of the connection, and so of the lead."""
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
        self._connection = self._book = None

    def _open(self) -> "_Book | None":
        if self._connection is None:
            self._connection = psycopg.connect(self._conninfo, autocommit=True)
        if self._book is None and self._connection.execute(_LEAD).fetchone() == (True,):
            book = _Book(self._connection)
            book.goes_on_from(self._publisher.last(book.origin), str(self._publisher.file))
            book.goes_on_from(self._signed, "this notary")
            self._book = book
        return self._book

    def _sign(self, book: "_Book") -> None:
        tree = book.tree
        if tree.size == book.signed:
            return
        time = self._clock.now().astimezone(UTC).isoformat(timespec="microseconds")
        signed = self._signer.sign(book.origin, tree.size, tree.root(), book.position, time)
        book.store.sign(signed)
        book.signed, self._signed = tree.size, signed
        self._publisher.publish(signed.note)


class _Book:
    """The tree as it is in the database, and where in the log it ends."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self.store = NotaryStore(connection)
        self.origin = self.store.origin()
        try:
            size, self.position = self.store.head()
            self.tree, last = self.store.frontier(size), self.store.last()
        except (KeyError, ValueError):
            raise LogWasRewritten("what the notary kept", "the database") from None
        self.goes_on_from(last, "the database")
        self.signed = 0 if last is None else last.size
        self._check_tail(0 if last is None else last.position)

    def goes_on_from(self, last: Checkpoint | None, where: str) -> None:
        """Whether the tree has all that *last* signed, as it was.

        Raises:
            LogWasRewritten: It has not.
        """
        if last is None:
            return
        with suppress(KeyError):
            if last.size <= self.tree.size and self.store.frontier(last.size).root() == last.root:
                return
        raise LogWasRewritten(last, where)

    def _check_tail(self, position: int) -> None:
        """Read again what was kept and is not signed: nobody but the log vouches for it.

        Raises:
            LogWasRewritten: It is not what the log says, or what was signed ended elsewhere.
        """
        with self._connection.transaction():
            kept = self.store.kept_from(max(0, self.signed - 1))
            ended = next(kept).position if self.signed else 0
            events = self.store.events_from(position + 1)
            for entry in kept:
                event = next(events, None)
                if event is None or entry != _kept(event):
                    raise LogWasRewritten("what the notary kept", "the database")
        if ended != position:
            raise LogWasRewritten("what the notary kept", "the database")

    def keep(self) -> bool:
        """Keep the next events of the log; whether there may be more."""
        events = self.store.tail(self.position, BATCH)
        if events:
            first = self.tree.size
            kept = [_kept(each) for each in events]
            grown = Frontier(first, self.tree.roots)
            nodes = grow(grown, (each.hash for each in kept))
            with self._connection.transaction():
                self.store.keep(rows(first, kept), nodes)
            self.tree, self.position = grown, kept[-1].position
        return len(events) == BATCH


def _kept(event: Event) -> Kept:
    return Kept(event.position, leaf_hash(leaf(event)))


def rows(first: int, kept: Sequence[Kept]) -> list[Row]:
    """*kept* in rows that do not reach over the end of a tile; the first is leaf number *first*."""
    numbered = groupby(enumerate(kept, first), key=lambda each: each[0] // TILE)
    tiles = [list(group) for _, group in numbered]
    return [Row(tile[0][0], [each for _, each in tile]) for tile in tiles]
