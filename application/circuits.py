"""Whether a model is worth asking: one that fails again and again is left alone for a while."""

import time
from collections.abc import Callable, Generator, Hashable
from contextlib import contextmanager
from enum import Enum, auto
from threading import Lock
from typing import Final

from cachetools import LRUCache

from domain.values import Failure

CIRCUIT_OPEN: Final = "model.circuit_open"
FAILURES: Final = 5
"""So many in a row, of all callers together, open a circuit."""

FIRST_S: Final = 1.0
LONGEST_S: Final = 30.0
"""How long a circuit is open: at first, and at most; it is doubled when a probe fails."""

_MOST: Final = 1000


class CircuitIsOpen(Exception):
    """The model failed too often in a row; nothing was sent. ``retry_after`` is in seconds."""

    def __init__(self, model: str, retry_after: float) -> None:
        message = (
            f"No call was made: {model} failed {FAILURES} times in a row. "
            f"Try again in {int(retry_after) + 1} s."
        )
        super().__init__(message)
        self.retry_after = retry_after
        self.failure = Failure(code=CIRCUIT_OPEN, message=message, retryable=True)


class Sign(Enum):
    """What the end of a call says of the model."""

    ANSWERED = auto()
    """It is there, whatever it said: a refusal is an answer, too."""
    FAILED = auto()
    """It is not there, or does not work."""
    NOTHING = auto()
    """The fault is ours, or nobody waited for the end."""


class CircuitState(Enum):
    """How a circuit stands; the value is what metrics tell."""

    CLOSED = 0
    """Calls go through."""
    HALF_OPEN = 1
    """One call may go through, or does, and its end decides."""
    OPEN = 2
    """No call goes through."""


class Circuit:
    """The circuit breaker of one model in one process; safe to use from several threads.

    A call that began before the circuit opened neither closes it nor keeps it open.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, Lock()
        self._failures = 0
        self._open_s = FIRST_S
        self._probe_at_s: float | None = None
        self._is_probed = False

    @property
    def state(self) -> CircuitState:
        with self._lock:
            if self._probe_at_s is None:
                return CircuitState.CLOSED
            is_due = self._is_probed or self._clock() >= self._probe_at_s
            return CircuitState.HALF_OPEN if is_due else CircuitState.OPEN

    def check(self, model: str) -> None:
        """Make sure that a call of *model* would be let through now.

        Raises:
            CircuitIsOpen: It would not.
        """
        with self._lock:
            self._require(model)

    @contextmanager
    def call(self, model: str, sign_of: Callable[[Exception], Sign]) -> Generator[None, None, None]:
        """Call *model* within the block; *sign_of* reads what an error that leaves it says.

        Raises:
            CircuitIsOpen: The model is left alone now; the block did not begin.
        """
        is_probe, sign = self._let_through(model), Sign.NOTHING
        try:
            yield
            sign = Sign.ANSWERED
        except Exception as error:
            sign = sign_of(error)
            raise
        finally:
            self._ended(sign, is_probe=is_probe)

    def _require(self, model: str) -> None:
        if self._probe_at_s is None:
            return
        left_s = self._probe_at_s - self._clock()
        if self._is_probed or left_s > 0:
            raise CircuitIsOpen(model, max(0.0, left_s))

    def _let_through(self, model: str) -> bool:
        with self._lock:
            self._require(model)
            self._is_probed = self._probe_at_s is not None
            return self._is_probed

    def _ended(self, sign: Sign, *, is_probe: bool) -> None:
        with self._lock:
            if is_probe:
                self._is_probed = False
            elif self._probe_at_s is not None:
                return
            if sign is Sign.ANSWERED:
                self._failures, self._open_s, self._probe_at_s = 0, FIRST_S, None
            elif sign is Sign.FAILED:
                self._failed(is_probe=is_probe)

    def _failed(self, *, is_probe: bool) -> None:
        self._failures += 1
        if is_probe:
            self._open_s = min(2 * self._open_s, LONGEST_S)
        if is_probe or self._failures >= FAILURES:
            self._probe_at_s = self._clock() + self._open_s


class Circuits:
    """The circuits of the models that a process asks, by how they are asked. Safe in threads.

    Of very many those are kept that were asked for last.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: LRUCache[Hashable, Circuit] = LRUCache(_MOST)

    def of(self, model: Hashable) -> Circuit:
        """The circuit of *model*, the same for all who ask it."""
        with self._lock:
            return self._kept.setdefault(model, Circuit())
