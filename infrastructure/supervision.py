"""Keeps the processes of ``stratal serve`` alive, in order, on one machine.

A child gets a session of its own, so that Ctrl-C in a terminal reaches the parent alone and the
order of stopping is ours; on Linux it also ends, gracefully, when the parent is killed.
"""

import ctypes
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

logger = logging.getLogger("stratal.serve")

FIRST_DELAY_S = 0.2
LONGEST_DELAY_S = 30.0
SETTLED_AFTER_S = 30.0
"""A child that lived this long starts again with the first delay."""
ONE_WISH_S = 1.0
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """A process to keep alive. ``grace_s`` is how long it may take to end after SIGTERM."""

    name: str
    argv: Sequence[str]
    grace_s: float


class Child:
    """One supervised process: started again with growing delays when it ends by itself."""

    def __init__(self, spec: ChildSpec, environment: Mapping[str, str]) -> None:
        self.spec = spec
        self.process: subprocess.Popen[bytes] | None = None
        self._environment = dict(environment)
        self._failures = 0
        self._started_s = 0.0
        self._next_start_s = 0.0

    def start(self) -> None:
        self.process = subprocess.Popen(  # noqa: S603 - our own argv, never a user's
            self.spec.argv,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=end_with_parent,  # noqa: PLW1509 - runs one prctl, no Python locks
        )
        self._started_s = time.monotonic()
        logger.info("%s: started, pid %s", self.spec.name, self.process.pid)

    def tick(self) -> None:
        """Start the child when it is due; notice when it ended."""
        now_s = time.monotonic()
        if self.process is None:
            if now_s >= self._next_start_s:
                self.start()
        elif (code := self.process.poll()) is not None:
            # One that ends well wants to be replaced: a worker that did its share.
            settled = code == 0 or now_s - self._started_s > SETTLED_AFTER_S
            self._failures = 0 if settled else self._failures + 1
            delay_s = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2**self._failures)
            logger.warning("%s: ended with %s, again in %.1f s", self.spec.name, code, delay_s)
            self.process, self._next_start_s = None, now_s + delay_s

    def terminate(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def join(self) -> None:
        """Wait until it ended; past its grace it is killed."""
        if self.process is None:
            return
        try:
            self.process.wait(self.spec.grace_s)
        except subprocess.TimeoutExpired:
            logger.warning("%s: killed after %.0f s", self.spec.name, self.spec.grace_s)
            self.process.kill()
            self.process.wait()


class Supervisor:
    """Runs groups of children until it is told to stop; the last group started stops first."""

    def __init__(self, *groups: Sequence[Child]) -> None:
        self.groups = groups

    def start(self) -> None:
        for group in self.groups:
            for child in group:
                child.start()

    def run(self, stop: threading.Event, *, every_s: float = 0.1) -> None:
        """Keep the children alive until *stop* is set."""
        while not stop.wait(every_s):
            self.tick()

    def tick(self) -> None:
        """Start again whoever ended and is due."""
        for group in self.groups:
            for child in group:
                child.tick()

    def stop(self) -> None:
        """Stop group after group; the children of a group stop together."""
        for group in reversed(self.groups):
            for child in group:
                child.terminate()
            for child in group:
                child.join()
                logger.info("%s: stopped", child.spec.name)


def stop_on_signals() -> threading.Event:
    """An event that SIGINT and SIGTERM set; a later one, of somebody impatient, ends the process.

    The kernel may tell the end of a parent once for each of its threads: that is one wish.
    """
    stop = threading.Event()
    asked_s = 0.0

    def handle(number: int, _frame: object) -> None:
        nonlocal asked_s
        if not stop.is_set():
            asked_s = time.monotonic()
            stop.set()
        elif time.monotonic() - asked_s > ONE_WISH_S:
            os._exit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handle)
    return stop


def _libc() -> Callable[..., int] | None:
    return ctypes.CDLL(None).prctl if sys.platform == "linux" else None


_PRCTL = _libc()


def end_with_parent() -> None:
    """Called in a new child: on Linux it gets SIGTERM when the thread that started it ends."""
    if _PRCTL is not None:
        _PRCTL(PR_SET_PDEATHSIG, signal.SIGTERM)
