"""Whose turn it is to ask a model: limits that hold over all workers, and what waiting may cost."""

import re
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from threading import Event
from typing import Final, Protocol

from application.circuits import CIRCUIT_OPEN
from domain.values import Failure

NO_TURN: Final = "model.no_turn"

_SECONDS: Final = re.compile(r"Try again in (\d+) s\.")

Settle = Callable[[int], None]
"""Says how many tokens a call took, once that is known."""


class NoTurn(Exception):
    """The limits leave no room for a call in the time there is; nothing was sent."""

    def __init__(self, limit: str, after_s: float) -> None:
        message = f"No call was made: {limit} is used up. Try again in {int(after_s) + 1} s."
        super().__init__(message)
        self.failure = Failure(code=NO_TURN, message=message, retryable=True)


def seconds_to_wait(failure: Failure) -> int | None:
    """How long to wait before another try, if *failure* is that of a call that was not made."""
    is_told = failure.code in {NO_TURN, CIRCUIT_OPEN}
    found = _SECONDS.search(failure.message) if is_told else None
    return None if found is None else int(found.group(1))


class Line(Protocol):
    """Where the calls of one run stand in line; safe to use from several threads."""

    def turn(
        self, tokens: Callable[[], int], *, within_s: float, stopped: Event
    ) -> AbstractContextManager[Settle]:
        """Wait for a turn, which lasts as long as the block.

        Args:
            tokens: How many tokens the call may take; only asked where tokens are limited.
            within_s: The turn comes within so many seconds, or not at all.
            stopped: Ends the wait.

        Raises:
            NoTurn: It would not come in that time, or the run was stopped.
        """
        ...


class Turns(Protocol):
    def line(self) -> Line:
        """The line of what the current context stands for; asked in the thread of the run."""
        ...


class NoLimits:
    """Everybody's turn at any time."""

    def line(self) -> Line:
        return self

    @contextmanager
    def turn(
        self, tokens: Callable[[], int], *, within_s: float, stopped: Event
    ) -> Generator[Settle, None, None]:
        """Go on at once."""
        del tokens, within_s, stopped
        yield _forgotten


def _forgotten(tokens: int) -> None:
    """Nobody counts."""
    del tokens
