"""A batch: one version of a program, run once on each of many rows, a few of them at a time."""

from datetime import datetime
from typing import ClassVar, Self, assert_never
from uuid import UUID

from domain.batch.errors import BatchHasEnded, BatchIsNotEstimated
from domain.batch.events import (
    BatchCancelled,
    BatchCompleted,
    BatchEstimated,
    BatchEvent,
    BatchPaused,
    BatchRequested,
    BatchResumed,
)
from domain.batch.values import BatchStatus, Estimate, run_of
from domain.kernel import Aggregate
from domain.values import Failure, PayloadRef


class Batch(Aggregate[BatchEvent]):
    """running ⇄ paused → completed or cancelled.

    One that varies what is on record is estimating → estimated before that.
    Its rows go in tracks, as many as may run at once: each row of a track is asked for when the
    one before has ended. So nothing has to be noted of a row here, however many there are.
    """

    KIND: ClassVar[str] = "batch"

    wish: BatchRequested

    def __init__(self, id: UUID) -> None:
        """Set the state before any event."""
        super().__init__(id)
        self.status = BatchStatus.RUNNING
        self.cancelled_because: str | None = None
        self.found: Estimate | None = None
        """What it was estimated to take, if it varies what is on record."""

    @classmethod
    def request(cls, id: UUID, wish: BatchRequested, *, at: datetime) -> Self:
        """Wish for a run on each row; workers begin with the first ones later."""
        return cls.begin(id, wish, at=at)

    @property
    def tracks(self) -> list[range]:
        """The rows of each track, in their order."""
        wish = self.wish
        return [
            range(first, wish.count + 1, wish.concurrency)
            for first in range(1, min(wish.concurrency, wish.count) + 1)
        ]

    def next_after(self, row: int) -> int | None:
        """The row whose turn comes with the end of *row*; ``None`` if its track ends there."""
        following = row + self.wish.concurrency
        return following if following <= self.wish.count else None

    def run_of(self, row: int) -> UUID:
        """The one execution of *row*."""
        return run_of(self.id, row)

    def place_of(self, row: int) -> tuple[PayloadRef, int]:
        """The stored text that holds the inputs of *row*, and their index in it."""
        chunk, index = divmod(row - 1, self.wish.rows_a_chunk)
        return self.wish.chunks[chunk], index

    def estimate(self, estimate: Estimate, *, at: datetime) -> None:
        """Note what its rows would cost. A second worker that finds out changes nothing."""
        if self.status is BatchStatus.ESTIMATING:
            self.record(BatchEstimated(estimate=estimate), at=at)

    def pause(self, failure: Failure, *, at: datetime) -> None:
        """Ask for no more rows, because one could not be asked for."""
        if self.status is BatchStatus.RUNNING:  # several tracks may meet the same obstacle
            self.record(BatchPaused(failure=failure), at=at)

    def resume(self, *, at: datetime) -> None:
        """Go on with the rows that are left, or begin. What runs already goes on as it does.

        Raises:
            BatchHasEnded: There is nothing to go on with.
            BatchIsNotEstimated: Nobody knows yet what it would cost.
        """
        self._require_open()
        if self.status is BatchStatus.ESTIMATING:
            raise BatchIsNotEstimated(self.id)
        if self.status in (BatchStatus.PAUSED, BatchStatus.ESTIMATED):
            self.record(BatchResumed(), at=at)

    def cancel(self, reason: str, *, at: datetime) -> None:
        """Begin no more rows.

        Raises:
            BatchHasEnded: All have ended, or it was cancelled before.
        """
        self._require_open()
        self.record(BatchCancelled(reason=reason), at=at)

    def complete(self, *, at: datetime) -> None:
        """Note that every row has ended."""
        if self.status is BatchStatus.RUNNING:  # the last rows of several tracks end at once
            self.record(BatchCompleted(), at=at)

    def _require_open(self) -> None:
        if self.status.is_terminal:
            raise BatchHasEnded(self.id, self.status)

    def evolve(self, event: BatchEvent) -> None:
        """Fold *event* into the state."""
        match event:
            case BatchRequested(varies=varies):
                self.wish = event
                if varies is not None:
                    self.status = BatchStatus.ESTIMATING
            case BatchEstimated(estimate=estimate):
                self.status, self.found = BatchStatus.ESTIMATED, estimate
            case BatchPaused():
                self.status = BatchStatus.PAUSED
            case BatchResumed():
                self.status = BatchStatus.RUNNING
            case BatchCancelled(reason=reason):
                self.status, self.cancelled_because = BatchStatus.CANCELLED, reason
            case BatchCompleted():
                self.status = BatchStatus.COMPLETED
            case _:
                assert_never(event)
