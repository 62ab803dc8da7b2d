"""A Dramatiq broker whose queues are rows of ``stratal.jobs``: no other service, no lost wake-up.

Why not the published package: ``docs/decisions/0007-postgres-broker.md``.
"""

import logging
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterable
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
        self._wakeups: dict[str, set[threading.Event]] = defaultdict(set)

    def drain(self) -> None:
        """Claim nothing more; what is claimed may still be settled."""
        self.draining = True

    def wake(self, queue: str | None) -> None:
        """Have the consumers of *queue* look, or all of them."""
        for name, events in list(self._wakeups.items()):
            if queue in (None, name):
                for event in list(events):
                    event.set()

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

    def subscribed(self, queue: str) -> threading.Event:
        """An event that is set whenever *queue* may have got a job; ``forget`` it in the end."""
        event = threading.Event()
        self._wakeups[queue].add(event)
        return event

    def forget(self, queue: str, event: threading.Event) -> None:
        """Set *event* no more."""
        self._wakeups[queue].discard(event)


class PostgresConsumer(Consumer):
    """Claims jobs of one queue, as many as the worker has room for. It outlives the database."""

    def __init__(self, broker: PostgresBroker, queue: str, prefetch: int, timeout_s: float) -> None:
        self._broker, self._queue = broker, queue
        self._prefetch, self._timeout_s = prefetch, timeout_s
        self._buffer: deque[ClaimedMessage] = deque()
        self._room, self._mutex = prefetch, threading.Lock()
        self._freed = threading.Event()
        self._wakeup = broker.subscribed(queue)
        self._look_at = 0.0

    def __next__(self) -> MessageProxy | None:
        """The next job, or ``None`` after a while without one."""
        if not self._buffer and self._may_look():
            try:
                self._look()
            except psycopg.OperationalError as error:
                logger.debug("Jobs of %s cannot be claimed now: %s", self._queue, error)
                self._look_at = time.monotonic() + self._timeout_s
        return self._buffer.popleft() if self._buffer else None

    def ack(self, message: MessageProxy) -> None:
        """Make room for another job; the row was settled already."""
        del message
        with self._mutex:
            self._room += 1
        self._freed.set()

    def nack(self, message: MessageProxy) -> None:
        """Like ``ack``: only ``Settlement`` gives jobs up."""
        self.ack(message)

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Give back what was claimed and not begun."""
        for message in (*messages, *self._buffer):
            self._broker.table.again(cast(ClaimedMessage, message).claim, delay_ms=0)
        self._buffer.clear()

    def close(self) -> None:
        self.requeue(())
        self._broker.forget(self._queue, self._wakeup)

    def _may_look(self) -> bool:
        if self._broker.draining:
            time.sleep(self._timeout_s)
            return False
        if self._room == 0:  # wait for room, not for work
            self._freed.clear()
            if self._room == 0:
                self._freed.wait(self._timeout_s)
            return self._room > 0 and time.monotonic() >= self._look_at
        patience_s = min(self._timeout_s, self._look_at - time.monotonic())
        return patience_s <= 0 or self._wakeup.wait(patience_s)

    def _look(self) -> None:
        self._wakeup.clear()  # before looking: what is queued from here on sets it again
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
