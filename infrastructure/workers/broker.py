"""A Dramatiq broker whose queues are rows of ``stratal.jobs``: no other service, no lost wake-up.

Why not the published package: ``docs/decisions/0007-postgres-broker.md``.
"""

import logging
import threading
import time
from collections import defaultdict, deque
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import cast

import psycopg
from dramatiq import Broker, Message, Middleware
from dramatiq.broker import Consumer, MessageProxy

from infrastructure.workers.jobs import JobIsUnreadable, decoded
from infrastructure.workers.table import Claim, JobTable

logger = logging.getLogger(__name__)

LOOK_AGAIN_S = 1.0
"""The longest a consumer sleeps without looking, should every wake-up fail."""


class ClaimedMessage(MessageProxy):
    """A message together with the claim under which this process has it."""

    def __init__(self, message: "Message[None]", claim: Claim) -> None:
        super().__init__(message)  # pyright: ignore[reportUnknownMemberType] # Dramatiq leaves it open
        self.claim = claim


class PostgresBroker(Broker):
    """Hands out jobs that ``JobWriter`` put in; ``Settlement`` says what becomes of them."""

    def __init__(self, table: JobTable, middleware: list[Middleware]) -> None:
        super().__init__(middleware)
        self.table = table
        self.draining = False
        self._consumers: dict[str, set[PostgresConsumer]] = defaultdict(set)

    def drain(self) -> None:
        """Claim nothing more; what is claimed may still be settled."""
        self.draining = True

    def wake(self, queue: str | None) -> None:
        """Have the consumers of *queue* look, or all of them."""
        for name, consumers in list(self._consumers.items()):
            if queue in (None, name):
                for consumer in list(consumers):
                    consumer.wake()

    def declare_queue(self, queue_name: str) -> None:
        """Name a queue. Rows need no preparation, and a row says itself when it is due."""
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues[queue_name] = True
            self.emit_after("declare_queue", queue_name)

    def consume(
        self, queue_name: str, prefetch: int = 1, timeout: int = 1000
    ) -> "PostgresConsumer":
        """A consumer that holds at most *prefetch* jobs and sleeps at most *timeout* ms."""
        return PostgresConsumer(self, queue_name, prefetch, timeout / 1000)

    def subscribe(self, queue: str, consumer: "PostgresConsumer") -> None:
        """Wake *consumer* whenever *queue* may have got a job; ``forget`` it in the end."""
        self._consumers[queue].add(consumer)

    def forget(self, queue: str, consumer: "PostgresConsumer") -> None:
        """Wake *consumer* no more."""
        self._consumers[queue].discard(consumer)

    @contextmanager
    def place(self, queue: str) -> Generator["Place | None"]:
        """Room for a job of *queue* that the body may bring; ``None`` if there is none."""
        consumers = () if self.draining else list(self._consumers[queue])
        place = next((Place(each) for each in consumers if each.reserve()), None)
        try:
            yield place
        finally:
            if place is not None:
                place.leave()


class Place:
    """Room that is kept for a job which this process is about to have."""

    def __init__(self, consumer: "PostgresConsumer") -> None:
        self._consumer: PostgresConsumer | None = consumer

    def fill(self, claim: Claim) -> None:
        """Have the job carried out that is ours by *claim*."""
        assert self._consumer is not None
        self._consumer.hand(claim)
        self._consumer = None

    def leave(self) -> None:
        """Give the room back, unless there is a job in it."""
        if self._consumer is not None:
            self._consumer.free()


class PostgresConsumer(Consumer):
    """Claims jobs of one queue, as many as the worker has room for. It outlives the database."""

    def __init__(self, broker: PostgresBroker, queue: str, prefetch: int, timeout_s: float) -> None:
        self._broker, self._queue = broker, queue
        self._prefetch, self._timeout_s = prefetch, timeout_s
        self._buffer: deque[ClaimedMessage] = deque()
        self._room, self._mutex = prefetch, threading.Lock()
        self._freed, self._wakeup = threading.Event(), threading.Event()
        self._jobs_may_wait, self._is_closed = True, False
        self._look_at = 0.0
        broker.subscribe(queue, self)

    def __next__(self) -> MessageProxy | None:
        """The next job, or ``None`` after a while without one."""
        if not self._buffer and self._may_look() and not self._buffer:
            try:
                self._look()
            except psycopg.OperationalError as error:
                logger.debug("Jobs of %s cannot be claimed now: %s", self._queue, error)
                self._look_at = time.monotonic() + self._timeout_s
        return self._buffer.popleft() if self._buffer else None

    def ack(self, message: MessageProxy) -> None:
        """Make room for another job; the row was settled already."""
        del message
        self.free()

    def nack(self, message: MessageProxy) -> None:
        """Like ``ack``: only ``Settlement`` gives jobs up."""
        self.ack(message)

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Give back what was claimed and not begun."""
        for message in (*messages, *self._buffer):
            self._broker.table.again(cast(ClaimedMessage, message).claim, delay_ms=0)
        self._buffer.clear()

    def close(self) -> None:
        self._broker.forget(self._queue, self)
        with self._mutex:
            self._is_closed = True
        self.requeue(())

    def wake(self) -> None:
        """Look whether there are jobs."""
        self._jobs_may_wait = True
        self._wakeup.set()

    def reserve(self) -> bool:
        """Keep room for one job that will be handed over, if there is any."""
        with self._mutex:
            if self._room <= 0:
                return False
            self._room -= 1
        return True

    def free(self) -> None:
        """There is room for another job."""
        with self._mutex:
            self._room += 1
        self._freed.set()

    def hand(self, claim: Claim) -> None:
        """Carry out the job that is ours by *claim*; room is kept for it."""
        with self._mutex:
            if not self._is_closed:
                self._buffer.append(ClaimedMessage(decoded(claim.message), claim))
                self._wakeup.set()
                self._freed.set()
                return
        self._broker.table.again(claim, delay_ms=0)

    def _may_look(self) -> bool:
        if self._broker.draining:
            time.sleep(self._timeout_s)
            return False
        if self._room <= 0:  # wait for room, not for work
            self._freed.clear()
            if self._room <= 0 and not self._buffer:
                self._freed.wait(self._timeout_s)
            return self._room > 0 and time.monotonic() >= self._look_at
        patience_s = min(self._timeout_s, self._look_at - time.monotonic())
        if patience_s <= 0:
            return True
        self._wakeup.wait(patience_s)
        self._wakeup.clear()
        return self._jobs_may_wait

    def _look(self) -> None:
        self._jobs_may_wait = False  # before looking: what is queued from here on is told again
        room = self._room
        for claim in self._broker.table.claim(self._queue, room):
            self._receive(claim)
        if len(self._buffer) == room:
            self._look_at = 0.0  # there may be more
        elif self._buffer:
            self._look_at = time.monotonic() + LOOK_AGAIN_S
        else:
            due_in_s = self._broker.table.due_in_s(self._queue)
            wait_s = LOOK_AGAIN_S if due_in_s is None else min(max(due_in_s, 0), LOOK_AGAIN_S)
            self._look_at = time.monotonic() + wait_s

    def _receive(self, claim: Claim) -> None:
        try:
            message = decoded(claim.message)
        except JobIsUnreadable as error:
            self._broker.table.dead(claim, str(error))
            return
        with self._mutex:
            self._room -= 1
        self._buffer.append(ClaimedMessage(message, claim))
